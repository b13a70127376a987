# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML report in a real browser: what it shows, by mouse and by keyboard, light, dark and on paper, and what hosts cannot make it do."""

from __future__ import annotations

import base64
import copy
import typing as t
from pathlib import Path

import pytest
import screenshots
from ansible_collections.realip.toa.plugins.plugin_utils.report import data as report
from ansible_collections.realip.toa.plugins.plugin_utils.report import writers
from browser import Browser, backdrop, contrast, parse
from selenium.webdriver.common.keys import Keys

from lab import picture
from tests import report_samples

AT = "2026-11-22T01:40:00Z"
COUNT = 1000
LATE = 5000
"""Milliseconds that a page of 1,000 hosts may take on two busy cores; measured 230 to 600."""

# Every piece of text, as a function of the page has put it there.
PIECES = """return [...document.querySelectorAll("body *:not(script):not(style)")].flatMap((element) =>
[...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data.trim())).filter(Boolean)"""
COLUMNS = "const cells = [...document.querySelectorAll('.cell')]; return cells.filter((cell) => cell.offsetTop === cells[0].offsetTop).length"


@pytest.fixture(scope="module")
def browser() -> t.Iterator[Browser]:
    with Browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of a large fleet, a small one and a hostile one."""
    folder = tmp_path_factory.mktemp("pages")
    large = report.build(report_samples.rollout(COUNT, failed=[30, 31], lost=[32]), "rollout", at=AT)
    before = copy.deepcopy(large)
    before["at"] = "2026-11-21T01:40:00Z"
    before["hosts"][4]["state"] = "blocked"
    del before["hosts"][9]
    made = {
        "large": report.build(
            report_samples.rollout(COUNT, failed=[30, 31], lost=[32]), "rollout", at=AT, before=before
        ),
        "small": report.build(report_samples.rollout(12, failed=[0], begun_waves=1), "rollout", at=AT),
        "plan": report.build({f"web{number}": report_samples.host(number) for number in range(30)}, "plan", at=AT),
        "hostile": report.build(report_samples.hostile(), "rollout", at=AT),
        "empty": report.build({}, "verify", at=AT),
    }
    for name, data in made.items():
        (folder / f"{name}.html").write_text(writers.to_html(data), encoding="utf-8")
    return folder


def shown_cells(browser: Browser) -> int:
    return int(browser.run("return [...document.querySelectorAll('.cell')].filter((cell) => !cell.hidden).length"))


def test_a_thousand_hosts_at_a_glance(browser: Browser, pages: Path) -> None:
    browser.show(pages / "large.html")
    assert browser.problems() == []
    assert browser.one("#verdict").text == "997 of 1,000 hosts translate; 2 failed, 1 unreachable."
    assert len(browser.all(".cell")) == COUNT
    assert [chip.text.split() for chip in browser.all(".chip")] == [
        ["✓", "proved", "997"],
        ["✗", "failed", "2"],
        ["?", "unreachable", "1"],
    ]
    assert [group.text.split("\n")[0] for group in browser.all(".group")] == [
        "? 1 host unreachablelost_after_reboot",
        "✗ 2 hosts failednot_translating",
    ]
    assert "→ look at probe.matrix" in browser.all(".group .remedy")[1].text
    assert len(browser.all(".wave svg .lane")) == COUNT
    assert len(browser.all(".wave svg .reboot")) == 429 - len([number for number in (32,) if number % 7 < 3])
    assert [item.text for item in browser.all("#bars h3")] == ["Backends", "Distributions", "Kernels"]
    assert [[cell.text for cell in line.find_elements("css selector", "td")][:2] for line in browser.all("#changed tbody tr")] == [
        ["web0005", "changed"], ["web0010", "appeared"],
    ]  # fmt: skip
    drawn = browser.drawn()
    print(f"\nreport of {COUNT} hosts: {(pages / 'large.html').stat().st_size / 1e6:.1f} MB, drawn in {drawn} ms")
    assert drawn < LATE


def test_ten_thousand_hosts(browser: Browser, tmp_path: Path) -> None:
    made = report.build(report_samples.rollout(10_000, failed=[30, 31], lost=[32]), "rollout", at=AT)
    page = tmp_path / "page.html"
    page.write_text(writers.to_html(made), encoding="utf-8")
    assert page.stat().st_size < 6_000_000
    browser.show(page)
    print(f"\nreport of 10,000 hosts: {page.stat().st_size / 1e6:.2f} MB, drawn in {browser.drawn()} ms")
    assert browser.problems() == [] and len(browser.all(".cell")) == 10_000
    assert browser.drawn() < 2 * LATE


def test_three_hundred_wrong_keys_are_one_box(browser: Browser, tmp_path: Path) -> None:
    """The page of such a run was 47,627 pixels high."""
    lost = {"failed": True, "toa_state": "lost", "code": "auth_failed", "remedy": "mend the key"}
    hosts = {f"web{n}": {"__toa": {**lost, "msg": f"10.0.0.{n}: Permission denied (publickey)"}} for n in range(300)}
    page = tmp_path / "page.html"
    page.write_text(writers.to_html(report.build(hosts, "plan", at=AT)), encoding="utf-8")
    browser.show(page)
    assert len(browser.all(".group")) == 1 and "300 hosts unreachable" in browser.one(".group h3").text
    assert browser.run("return document.documentElement.scrollHeight") < 2500
    browser.one(".group .copy").click()
    assert browser.problems() == []


@pytest.mark.parametrize("name", ["large", "small", "plan", "hostile", "empty"])
def test_nothing_of_the_program_is_on_the_page(browser: Browser, pages: Path, name: str) -> None:
    """What is not there is left out, and not told as JavaScript calls it."""
    browser.show(pages / f"{name}.html")
    texts = browser.run(PIECES)
    assert texts and not {"false", "undefined", "null", "NaN"} & set(texts) and "[object " not in " ".join(texts)


@pytest.mark.parametrize("name", ["large", "small", "plan", "hostile"])
def test_on_a_phone_nothing_is_wider_than_the_screen(browser: Browser, pages: Path, name: str) -> None:
    browser.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    )
    try:
        browser.show(pages / f"{name}.html")
        assert browser.run("return document.documentElement.scrollWidth") <= 390
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_grid_in_groups(browser: Browser, pages: Path) -> None:
    browser.show(pages / "large.html")
    for name, titles in (("wave", 4), ("backend", 3), ("", 0)):
        browser.run(
            "const by = document.getElementById('by'); by.value = arguments[0]; by.dispatchEvent(new Event('change'))",
            name,
        )
        assert (len(browser.all(".part-title")) >= titles) if titles else not browser.all(".part-title")
        assert shown_cells(browser) == COUNT
    browser.run("const by = document.getElementById('by'); by.value = 'wave'; by.dispatchEvent(new Event('change'))")
    assert browser.all(".part-title")[0].text == "wave 1 · 1 host"


def test_filters_leave_what_was_asked_for(browser: Browser, pages: Path) -> None:
    browser.show(pages / "large.html")
    began = browser.run("return performance.now()")
    browser.all(".chip")[1].click()
    assert shown_cells(browser) == 2
    assert browser.one("#shown").text == "2 of 1,000 hosts"
    browser.all(".chip")[1].click()
    browser.one("#find").send_keys("4.4.87.TOA")
    assert shown_cells(browser) == 143
    browser.one("#find").clear()
    browser.run("document.getElementById('find').dispatchEvent(new Event('input'))")
    assert shown_cells(browser) == COUNT
    browser.all("button.bar")[0].click()
    assert shown_cells(browser) == int(browser.all("button.bar > :last-child")[0].text)
    assert browser.run("return performance.now()") - began < LATE
    assert browser.problems() == []


def test_all_of_it_by_keyboard(browser: Browser, pages: Path) -> None:
    browser.show(pages / "large.html")
    # The grid is one stop; arrows move inside it.
    browser.press("/")
    assert browser.focus() == "find"
    browser.press(Keys.TAB)
    assert browser.focus() == "web0001: proved"
    browser.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    assert browser.focus() == "web0002: proved"
    browser.press(Keys.ARROW_DOWN)
    assert int(browser.focus()[3:7]) - 2 == browser.run(COLUMNS)
    browser.press(Keys.ARROW_UP, Keys.END)
    assert browser.focus() == "web1000: proved"
    browser.press(Keys.HOME)
    # Enter opens a host; arrows go on to its neighbours; Escape goes back to where one was.
    browser.press(Keys.ENTER)
    assert browser.one("#host-name").text == "web0001: proved"
    assert browser.focus() == "close"
    browser.press(Keys.ARROW_RIGHT)
    assert browser.one("#host-name").text == "web0002: proved"
    rows = browser.all("#matrix tbody tr")
    assert len(rows) == len(report_samples.proof()["matrix"])
    assert rows[0].text.startswith("none")
    tried = report_samples.proof()["summary"]["cases"]
    assert (
        f"{tried} connections tried: {tried} as expected, 0 not, 0 not possible here"
        in browser.one("#host .inside").text
    )
    browser.press(Keys.ESCAPE)
    assert not browser.one("#host").is_displayed()
    assert browser.focus() == "web0001: proved"
    assert browser.problems() == []


def test_the_dialog_keeps_the_focus(browser: Browser, pages: Path) -> None:
    browser.show(pages / "large.html", fragment="#host=web0031")
    assert browser.one("#host-name").text == "web0031: failed"
    inside = set()
    for _ in range(8):
        browser.press(Keys.TAB)
        if browser.run("return document.activeElement !== document.body"):
            inside.add(browser.run("return document.getElementById('host').contains(document.activeElement)"))
    assert inside == {True}
    assert "inert" in browser.one("#host .why").text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["large", "small", "plan", "hostile"])
def test_colours_can_be_read(browser: Browser, pages: Path, name: str, scheme: str) -> None:
    browser.show(pages / f"{name}.html", scheme)
    browser.run("document.getElementById('all').open = arguments[0]", name != "large")
    dark = (
        contrast(parse(browser.run("return getComputedStyle(document.body).backgroundColor")), (0.0, 0.0, 0.0, 1.0)) < 2
    )
    assert dark == (scheme == "dark")
    assert browser.poor_contrasts() == []
    browser.run("document.querySelector('.cell').click()")
    assert browser.poor_contrasts(browser.one("#host")) == []


def test_a_colour_that_cannot_be_read_is_found(browser: Browser, pages: Path) -> None:
    browser.show(pages / "small.html")
    browser.run("document.documentElement.style.setProperty('--quiet', '#aaa')")
    assert browser.poor_contrasts()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_has_a_colour_that_stands_out_and_a_sign_of_its_own(
    browser: Browser, pages: Path, scheme: str
) -> None:
    browser.show(pages / "empty.html", scheme)
    colours = browser.run(
        "return arguments[0].map((state) => { const cell = document.createElement('span'); cell.className = 'cell'; cell.dataset.state = state;"
        " document.body.append(cell); const style = getComputedStyle(cell); return [style.backgroundColor, style.color]; })",
        list(report.STATES),
    )
    page = backdrop([browser.run("return getComputedStyle(document.body).backgroundColor")])
    for state, (back, front) in zip(report.STATES, colours, strict=True):
        assert contrast(parse(back), page) >= 3, state  # WCAG 2.2, 1.4.11
        assert contrast(parse(back), parse(front)) >= 4.5, state
    assert len({back for back, _front in colours}) == len(report.STATES)


def test_hostile_words_stay_words(browser: Browser, pages: Path) -> None:
    browser.show(pages / "hostile.html")
    browser.run("document.getElementById('all').open = true")
    for cell in browser.all(".cell"):
        browser.run("arguments[0].click()", cell)
        browser.press(Keys.ESCAPE)
    assert browser.driver.title == "TOA rollout 2026-11-22"
    assert browser.run("return document.querySelectorAll('script').length") == 2
    assert (
        browser.run(
            "return document.querySelectorAll('img, svg, iframe, b, [onerror], [onload], [onmouseover]').length"
        )
        == 0
    )
    assert browser.one(".group[data-state=failed] .why").text in report_samples.NASTY
    assert browser.problems() == []


def test_what_gets_into_the_page_all_the_same_is_not_run(browser: Browser, pages: Path) -> None:
    """The policy is a second wall: with the first one taken down by hand, a script still does not run."""
    text = (pages / "small.html").read_text(encoding="utf-8")
    broken = pages / "broken.html"
    broken.write_text(
        text.replace(
            "</main>", '<img src=x onerror="document.title=1"><script>document.title = "owned"</script></main>'
        ),
        encoding="utf-8",
    )
    browser.show(broken)
    assert browser.driver.title == "TOA rollout 2026-11-22"
    assert any("Content Security Policy" in problem for problem in browser.problems())


def test_on_paper_and_without_hosts(browser: Browser, pages: Path) -> None:
    browser.show(pages / "small.html", "dark")
    pdf = base64.b64decode(browser.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})["data"])
    assert pdf.startswith(b"%PDF")
    assert browser.run("return document.getElementById('table').rows.length") == 13
    browser.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia",
        {"media": "print", "features": [{"name": "prefers-color-scheme", "value": "dark"}]},
    )
    assert browser.run("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not browser.one("#find").is_displayed()
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "screen"})
    browser.show(pages / "empty.html")
    assert browser.one("#verdict").text == "No hosts."
    assert browser.problems() == []


def test_a_narrow_screen_needs_no_sideways_scrolling(browser: Browser, pages: Path) -> None:
    browser.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    )
    try:
        browser.show(pages / "large.html")
        assert browser.run("return document.documentElement.scrollWidth") <= 390
        screenshot = base64.b64decode(browser.driver.get_screenshot_as_base64())
        assert screenshot.startswith(b"\x89PNG") and len(screenshot) > 10_000
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("name", sorted(screenshots.PICTURES))
def test_the_pictures_in_the_documentation_show_the_page_as_it_is(browser: Browser, tmp_path: Path, name: str) -> None:
    taken = screenshots.take(browser, tmp_path, name)
    documented = (screenshots.IMAGES / f"{name}.png").read_bytes()
    assert screenshots.difference(browser, taken, documented) < 0.02, "tests/integration/screenshots.py takes them anew"


def test_pictures_that_differ_are_told_apart(browser: Browser) -> None:
    light, dark = ((screenshots.IMAGES / f"report-{scheme}.png").read_bytes() for scheme in ("light", "dark"))
    assert screenshots.difference(browser, light, dark) > 0.5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_picture_of_the_demo_can_be_read(browser: Browser, scheme: str) -> None:
    browser.open(picture.PICTURE, scheme)
    back = parse(browser.run("return getComputedStyle(document.querySelector('.back')).fill"))
    assert (contrast(back, (0.0, 0.0, 0.0, 1.0)) < 2) == (scheme == "dark")
    colours = browser.run(
        "return [...document.querySelectorAll('text, tspan')].map((element) => getComputedStyle(element).fill)"
    )
    assert len(colours) > 20 and min(contrast(parse(colour), back) for colour in colours) >= 4.5
    edges = browser.run(
        "return [...document.querySelectorAll('text')].map((element) => element.getBoundingClientRect().right)"
    )
    assert max(edges) <= browser.run("return document.querySelector('.back').getBoundingClientRect().right")
    assert browser.problems() == []
