# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures of the report in docs/images, which a test holds against the page. They are taken anew by this file:

PYTHONPATH=.:collections python tests/integration/screenshots.py
"""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path

from ansible_collections.realip.toa.plugins.plugin_utils.report import data as report
from ansible_collections.realip.toa.plugins.plugin_utils.report import writers
from browser import Browser

from tests import report_samples

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
SCHEMES = ("light", "dark")
WIDTH, HEIGHT = 1100, 1180

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


def take(browser: Browser, folder: Path, scheme: str) -> bytes:
    """The page of a rollout in which two hosts did not end well, as PNG."""
    page = folder / "picture.html"
    made = report.build(report_samples.rollout(240, failed=[17], lost=[19]), "rollout", at="2026-11-22T01:40:00Z")
    page.write_text(writers.to_html(made), encoding="utf-8")
    size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        browser.show(page, scheme)
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
        for scheme in SCHEMES:
            (IMAGES / f"report-{scheme}.png").write_bytes(take(browser, Path(folder), scheme))


if __name__ == "__main__":
    main()
