# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the report in docs/images, which a test holds against the page. They are taken anew by this file:

PYTHONPATH=.:collections python tests/integration/screenshots.py
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils.report import data as report
from ansible_collections.realip.toa.plugins.plugin_utils.report import writers
from browser import Browser

from tests import report_samples

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
AT = "2026-11-22T01:40:00Z"


@dataclass(frozen=True)
class Picture:
    """What a page shows, to whom."""

    hosts: Callable[[], dict[str, dict[str, Any]]]
    kind: str = "rollout"
    scheme: str = "light"
    width: int = 1000
    height: int = 800


def _fleet(count: int, **more: Any) -> Callable[[], dict[str, dict[str, Any]]]:
    return lambda: report_samples.rollout(count, **more)


def _wrong_keys() -> dict[str, dict[str, Any]]:
    """300 hosts that refuse the controller's key, of 340."""
    lost = {
        "failed": True,
        "toa_state": "lost",
        "code": "auth_failed",
        "remedy": "put the key of the controller onto the hosts",
    }
    refused = {
        f"web{n:04d}": {"__toa": {**lost, "msg": f"10.0.0.{n}: Permission denied (publickey)"}} for n in range(300)
    }
    return refused | {f"web{n:04d}": report_samples.host(n) for n in range(300, 340)}


USUAL = _fleet(240, failed=[17], lost=[19])
PICTURES = {
    "report-light": Picture(USUAL, width=1100, height=1180),
    "report-dark": Picture(USUAL, scheme="dark", width=1100, height=1180),
    "report-phone": Picture(USUAL, width=390, height=1400),
    "report-1": Picture(_fleet(1)),
    "report-8": Picture(_fleet(8)),
    "report-1000": Picture(_fleet(1000, failed=[30, 31], lost=[32])),
    "report-10000": Picture(_fleet(10_000, failed=[30, 31], lost=[32])),
    "report-stopped": Picture(_fleet(240, failed=[3, 5], lost=[9], begun_waves=2), height=1000),
    "report-wrong-keys": Picture(_wrong_keys, kind="plan"),
}

# The share of the pixels of two pictures of one size that differ by more than the edge of a letter drawn a little otherwise.
DIFFERENCE = """
const [urls, done] = [arguments[0], arguments[1]];
Promise.all(urls.map(async (url) => {
  const image = new Image();
  image.src = url;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  return context.getImageData(0, 0, image.width, image.height);
})).then(([one, other]) => {
  if (one.width !== other.width || one.height !== other.height) return done(1);
  let differing = 0;
  for (let at = 0; at < one.data.length; at += 4) {
    const apart = Math.max(...[0, 1, 2].map((part) => Math.abs(one.data[at + part] - other.data[at + part])));
    if (apart > 64) differing += 1;
  }
  done(4 * differing / one.data.length);
});
"""


def take(browser: Browser, folder: Path, name: str) -> bytes:
    """The page that a picture is of, as PNG."""
    picture = PICTURES[name]
    page = folder / "picture.html"
    page.write_text(writers.to_html(report.build(picture.hosts(), picture.kind, at=AT)), encoding="utf-8")
    size = {"width": picture.width, "height": picture.height, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        browser.show(page, picture.scheme)
        assert browser.run("return document.documentElement.scrollWidth") <= picture.width
        return base64.b64decode(browser.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"])
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def difference(browser: Browser, one: bytes, other: bytes) -> float:
    """From 0, the same picture, to 1, none in common (or another size)."""
    browser.driver.get("about:blank")
    urls = ["data:image/png;base64," + base64.b64encode(picture).decode() for picture in (one, other)]
    return float(browser.driver.execute_async_script(DIFFERENCE, urls))


def main() -> None:
    """Take them."""
    with tempfile.TemporaryDirectory() as folder, Browser() as browser:
        for name in PICTURES:
            (IMAGES / f"{name}.png").write_bytes(take(browser, Path(folder), name))


if __name__ == "__main__":
    main()
