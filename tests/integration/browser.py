# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Chromium, headless, with what a test wants to know of a page that it shows. It reaches nothing: its proxy is a closed port."""

from __future__ import annotations

import typing as t
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

TIME_LIMIT = 30

# Root has no sandbox, and a container's /dev/shm is small.
ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--window-size=1280,1000",
    "--proxy-server=127.0.0.1:9", "--force-device-scale-factor=1",
)  # fmt: skip

# Every piece of text on the screen: [text, its colour, the colours behind it from the front to the back, whether it is large].
TEXTS = """
const found = [];
const walker = document.createTreeWalker(arguments[0] || document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!node.data.trim() || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName) || !element.checkVisibility()) continue;
  const style = getComputedStyle(element);
  const behind = [];
  for (let other = element; other; other = other.parentElement) behind.push(getComputedStyle(other).backgroundColor);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
  found.push([node.data.trim(), element.namespaceURI.endsWith("svg") ? style.fill : style.color, behind, large]);
}
return found;
"""


class Browser:
    """One window. Use as a context manager."""

    def __enter__(self) -> Browser:
        options = Options()
        options.binary_location = "/usr/bin/chromium"
        for argument in ARGUMENTS:
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        return self

    def __exit__(self, *unused: object) -> None:
        self.driver.quit()

    def open(self, page: Path, scheme: str = "light", fragment: str = "") -> None:
        """Opens a page as somebody would whose system is `scheme`."""
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        # Another fragment of the same page would not load it again.
        self.driver.get("about:blank")
        self.driver.get(page.as_uri() + fragment)

    def show(self, page: Path, scheme: str = "light", fragment: str = "") -> None:
        """The same with a report, and waits until it is drawn."""
        self.open(page, scheme, fragment)
        WebDriverWait(self.driver, TIME_LIMIT, 0.05).until(lambda driver: self.drawn() is not None)

    def drawn(self) -> int | None:
        """Milliseconds from the start of the page's script until its first picture."""
        value = self.run("return document.documentElement.dataset.drawn || null")
        return None if value is None else int(value)

    def run(self, script: str, *arguments: t.Any) -> t.Any:
        return self.driver.execute_script(script, *arguments)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def press(self, *keys: str) -> None:
        """Keys for whatever has the focus."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def focus(self) -> str:
        """What a screen reader would say of the element that has the focus."""
        return str(
            self.run(
                "const at = document.activeElement; return at.getAttribute('aria-label') || at.id || at.textContent"
            )
        )

    def problems(self) -> list[str]:
        """What the console says since the last look."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def poor_contrasts(self, root: WebElement | None = None) -> list[str]:
        """Texts below what WCAG 2.2 AA asks for (1.4.3): 4.5, or 3 for large ones."""
        found = self.run(TEXTS, root)
        assert found
        worst = []
        for text, colour, behind, large in found:
            ratio = contrast(over(parse(colour), backdrop(behind)), backdrop(behind))
            if ratio < (3 if large else 4.5):
                worst.append(f"{text!r:.60}: {ratio:.2f}")
        return worst


def parse(colour: str) -> tuple[float, ...]:
    """rgb(r, g, b) or rgba(r, g, b, a) as four numbers."""
    numbers = [float(part) for part in colour[colour.index("(") + 1 : -1].replace("/", ",").split(",")]
    return (*numbers[:3], numbers[3] if len(numbers) > 3 else 1.0)


def over(front: tuple[float, ...], back: tuple[float, ...]) -> tuple[float, ...]:
    return (*(front[index] * front[3] + back[index] * (1 - front[3]) for index in range(3)), 1.0)


def backdrop(colours: t.Iterable[str]) -> tuple[float, ...]:
    """What one sees of a stack of backgrounds, the front one first; behind all of them is white."""
    seen = (255.0, 255.0, 255.0, 1.0)
    for colour in reversed(list(colours)):
        seen = over(parse(colour), seen)
    return seen


def luminance(colour: tuple[float, ...]) -> float:
    """Relative luminance, WCAG 2.2."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (number / 255 for number in colour[:3])
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
