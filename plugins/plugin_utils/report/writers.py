# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A report as the text of a file: html, json, csv, junit. Pure: data in, text out.

Hosts are untrusted, and reports are opened in browsers and spreadsheets and read by CI servers: each writer says what keeps a host's
words from being taken for anything but words.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import html
import io
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias
from xml.etree import ElementTree  # nosec B405 # it writes XML and reads none

Report: TypeAlias = Mapping[str, Any]

PAGE = Path(__file__).with_name("page")

# Columns of the CSV: keys of an entry whose values are plain.
COLUMNS = (
    "host", "state", "attention", "backend", "os", "distribution", "kernel", "arch", "kernel_target", "verdict", "option_kinds", "trusts_all_sources", "wave",
    "began", "ended", "reboot_seconds", "stage", "code", "why", "remedy",
)  # fmt: skip

# What a spreadsheet takes for a formula when a cell begins with it (OWASP, "CSV Injection").
# Most of Europe separates cells by semicolons, so that a cell of ours may become several there; full-width signs count as plain ones.
FORMULA = re.compile(r"((?:\A|[;|\t\r\n])[ \"']*)([=+@\t\r\uff1d\uff0b\uff0d\uff20-])")

# Characters that XML 1.0 cannot hold at all (section 2.2).
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_json(report: Report) -> str:
    """As page/report.schema.json describes it."""
    return json.dumps(report, indent=2, ensure_ascii=False) + "\n"


def to_csv(report: Report) -> str:
    """A line for each host. What a spreadsheet would calculate begins with an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for entry in report["hosts"]:
        writer.writerow([_cell(entry[column]) for column in COLUMNS])
    return text.getvalue()


def to_junit(report: Report) -> str:
    """A test case for each host: failed for what fails the run, an error where the host could not be asked, skipped where nothing can be done.

    Elements and attributes as Jenkins and GitLab read them. Escaping is ElementTree's; what XML cannot hold becomes U+FFFD.
    """
    hosts = report["hosts"]
    suite = ElementTree.Element(
        "testsuite", name=f"realip.toa.{report['kind']}", tests=str(len(hosts)), timestamp=_xml(report["at"][:19])
    )
    counts = {"failures": 0, "errors": 0, "skipped": 0}
    for entry in hosts:
        case = ElementTree.SubElement(suite, "testcase", classname=_xml(entry["distribution"] or "unknown"), name=_xml(entry["host"]),
                                      time=str(entry["reboot_seconds"] or 0))  # fmt: skip
        if entry["attention"]:
            tag, counter = {"lost": ("error", "errors"), "unsupported": ("skipped", "skipped")}.get(
                entry["state"], ("failure", "failures")
            )
            counts[counter] += 1
            said = ElementTree.SubElement(case, tag, message=_xml(f"{entry['state']}: {entry['why']}"))
            said.text = _xml(f"{entry['why']}\n-> {entry['remedy']}")
    suite.attrib.update({name: str(count) for name, count in counts.items()})
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def to_html(report: Report) -> str:
    """One page that needs nothing else.

    The data lies in a script element that no browser runs, where `<`, `>` and `&` are written as JSON escapes, so that nothing in it ends the
    element; the page's own script puts it on the screen as text only; and the policy in the head lets no other script or style run, and
    nothing be loaded from anywhere.
    """
    page, style, script = (_part(name) for name in ("page.html", "page.css", "page.js"))
    parts = {
        "POLICY": f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; base-uri 'none'; form-action 'none'",
        "TITLE": html.escape(f"TOA {report['kind']} {report['at'][:10]}".strip()),
        "STYLE": style,
        "PLAIN": html.escape(
            "\n".join(
                f"{entry['host']}: {entry['state']}: {entry['why']}" for entry in report["hosts"] if entry["attention"]
            )
        ),
        "DATA": _data(_packed(report)),
        "SCRIPT": script,
    }
    return re.sub(r"@@([A-Z]+)@@", lambda found: parts[found[1]], page)


FORMATS: dict[str, tuple[str, Callable[[Report], str]]] = {
    "html": ("html", to_html),
    "json": ("json", to_json),
    "csv": ("csv", to_csv),
    "junit": ("xml", to_junit),
}
"""What a format is called -> (ending of its file, its writer)."""


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = " ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
    return FORMULA.sub(r"\1'\2", text)


def _xml(text: str) -> str:
    return NOT_XML.sub("\ufffd", text)


@cache
def _part(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def _source(text: str) -> str:
    """A source expression that allows exactly this inline text (Content Security Policy Level 3, 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _data(value: Any) -> str:
    # Escapes are the same text to a JSON parser.
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return (
        text.replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
        .replace("\u2028", "\\u2028")
        .replace("\u2029", "\\u2029")
    )


def _packed(report: Report) -> dict[str, Any]:
    """The report by columns instead of hosts: {field: {values: [each once], at: [the number of its value, host by host]}}.

    Hosts of one kind have the same plan, reasons and proof, so that a page of 10,000 hosts has a few megabytes. The rows of all proofs are in
    one list as well.
    """
    rows = _Numbers()
    columns: dict[str, _Numbers] = {}
    at: dict[str, list[int]] = {}
    for entry in report["hosts"]:
        probe = entry["probe"]
        if probe.get("matrix"):
            probe = {**probe, "matrix": [rows.of(row) for row in probe["matrix"]]}
        for name, value in {**entry, "probe": probe}.items():
            at.setdefault(name, []).append(columns.setdefault(name, _Numbers()).of(value))
    return {
        **report,
        "hosts": {name: {"values": columns[name].values, "at": at[name]} for name in columns},
        "rows": rows.values,
    }


class _Numbers:
    """Values, each once, and the number of each."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Any, int] = {}

    def of(self, value: Any) -> int:
        # 1, 1.0 and True are one key of a dict, and not one value of a report.
        key = (type(value), value) if isinstance(value, str | int | float | None) else json.dumps(value, sort_keys=True)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.values)
            self.values.append(value)
        return number
