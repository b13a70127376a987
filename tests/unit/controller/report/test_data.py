# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports: what becomes of each host, every format, and that no host's words become anything but words."""

from __future__ import annotations

import copy
import csv
import html.parser
import io
import json
import re
import time
from xml.etree import ElementTree

import jsonschema
import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.selection import SelectionError
from ansible_collections.realip.toa.plugins.plugin_utils.report import data as report
from ansible_collections.realip.toa.plugins.plugin_utils.report import terminal, writers

from tests import report_samples

AT = "2026-11-22T01:40:00Z"
SCHEMA = json.loads((writers.PAGE / "report.schema.json").read_text())
LOST = {
    "__toa": {
        "failed": True,
        "toa_state": "lost",
        "code": "connection_lost",
        "msg": "no route to host",
        "remedy": "see whether it is up",
    }
}


def entry(variables: dict, kind: str = "rollout") -> dict:
    (only,) = report.build({"web": variables}, kind, at=AT)["hosts"]
    return only


def looked(state: str, **plan: object) -> dict:
    return {"__toa": {"plan": {"state": state, **plan}, "failed": False}}


def ended(outcome: dict) -> dict:
    """A host whose plan was pending, and how it ended."""
    return {"__toa": {**looked("pending")["__toa"], "outcome": outcome}}


@pytest.fixture(scope="module")
def fleet() -> dict:
    return report.build(report_samples.rollout(60, failed=[1], lost=[2], begun_waves=2), "rollout", at=AT)


@pytest.mark.parametrize("kind", report.GOOD)
@pytest.mark.parametrize(
    "hostvars", [{}, {"a": LOST}, report_samples.rollout(14), report_samples.hostile(), {"other": {}}], ids=len
)
def test_every_report_is_as_the_schema_says(kind: str, hostvars: dict) -> None:
    made = report.build(hostvars, kind, at=AT)
    jsonschema.validate(json.loads(writers.to_json(report.build(hostvars, kind, at=AT, before=made))), SCHEMA)


def test_schema_and_code_know_the_same_words() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$defs"]["state"]["enum"] == list(report.STATES)
    assert SCHEMA["properties"]["kind"]["enum"] == list(report.GOOD)
    page = (writers.PAGE / "page.js").read_text()
    assert re.search(r"const STATES = (\[.*?\]);", page)[1] == json.dumps(list(report.STATES))
    for table in ("GLYPHS", "MEANINGS"):
        block = re.search(rf"const {table} = {{(.*?)}};", page, re.DOTALL)[1]
        assert set(re.findall(r"(\w+): \"", block)) == set(report.STATES), table


@pytest.mark.parametrize(
    "kind, variables, state, failed",
    [
        ("plan", looked("pending"), "pending", False),
        ("plan", looked("blocked"), "blocked", False),
        ("rollout", looked("pending"), "waiting", True),
        ("rollout", looked("converged"), "converged", False),
        (
            "verify",
            looked("converged", reasons=[{"code": "idle", "severity": "warning", "message": "nobody"}]),
            "idle",
            False,
        ),
        ("rollout", ended({"state": "proved"}), "proved", False),
        (
            "rollout",
            ended({"state": "pending", "code": "outside_window", "message": "shut"}),
            "pending",
            False,
        ),
        ("rollout", ended({"state": "lost", "message": "gone"}), "lost", True),
        ("rollback", ended({"state": "rolled_back"}), "rolled_back", False),
        ("remove", ended({"state": "removed"}), "removed", False),
        ("verify", looked("pending"), "pending", True),
        ("verify", LOST, "lost", True),
        ("verify", {"__toa": {"failed": True, "msg": "no"}}, "failed", True),
        ("verify", {"__toa": {}}, "failed", True),
        ("verify", looked("of its own"), "failed", True),
    ],
)
def test_states(kind: str, variables: dict, state: str, failed: bool) -> None:
    made = report.build({"web": variables}, kind)
    assert (made["hosts"][0]["state"], made["failed"], bool(made["verdict"])) == (state, failed, failed)


@pytest.mark.parametrize(
    "variables, why, remedy",
    [
        (LOST, "no route to host", "see whether it is up"),
        (looked("pending"), report.WORDS["waiting"][0], report.WORDS["waiting"][1]),
        (
            ended({"state": "waiting", "message": "wave 1 of 2: a host", "remedy": "go"}),
            "wave 1 of 2: a host",
            "go",
        ),
        (
            looked(
                "blocked",
                remedy="allow it",
                reasons=[{"severity": "info", "message": "x"}, {"severity": "block", "message": "old"}],
            ),
            "old",
            "allow it",
        ),
        (
            looked("unsupported", reasons=[{"severity": "info", "message": "x"}, {"severity": "info", "message": "y"}]),
            "x; y",
            "",
        ),
        (
            ended({"state": "failed", "message": ["two", "parts\x1b[31m"]}),
            "two; parts\ufffd[31m",
            report.WORDS["failed"][1],
        ),
        (looked("converged", reasons=[{"severity": "warning", "message": "spoofable"}]), "", ""),
    ],
)
def test_why_and_the_one_remedy(variables: dict, why: str, remedy: str) -> None:
    made = entry(variables)
    assert (made["why"], made["remedy"]) == (why, remedy)


def test_a_host_left_drained_or_stuck_needs_attention_whatever_its_state() -> None:
    assert entry(ended({"state": "proved", "drained": True}))["attention"]
    assert entry(ended({"state": "proved", "stuck": True}))["attention"]
    assert not entry(ended({"state": "proved"}))["attention"]


def test_waves_with_times_and_those_that_did_not_begin(fleet: dict) -> None:
    assert [wave["hosts"] for wave in fleet["waves"]] == [1, 3, 15, 41]
    assert [bool(wave["began"]) for wave in fleet["waves"]] == [True, True, False, False]
    assert fleet["waves"][1]["summary"] == {"proved": 1, "failed": 1, "lost": 1}
    assert fleet["waves"][1]["began"] == "2026-11-22T01:05:01Z"


def test_names_are_in_natural_order() -> None:
    made = report.build(
        {name: looked("converged") for name in ("web10", "web9", "10.0.0.10", "10.0.0.9", "web")}, "plan"
    )
    assert [entry["host"] for entry in made["hosts"]] == ["10.0.0.9", "10.0.0.10", "web", "web9", "web10"]


def test_a_selection_leaves_out_hosts_but_never_those_nobody_knows() -> None:
    hostvars = {
        "a": looked("converged", backend="ebpf"),
        "b": looked("pending", backend="vtoa"),
        "c": LOST,
        "d": looked("pending", backend="ebpf"),
    }
    made = report.build(hostvars, "rollout", only="plan.backend == 'ebpf'")
    assert [(entry["host"], entry["state"]) for entry in made["hosts"]] == [
        ("a", "converged"),
        ("c", "lost"),
        ("d", "waiting"),
    ]
    with pytest.raises(SelectionError, match="is not a JMESPath expression"):
        report.build(hostvars, "rollout", only="plan.backend ==")


def test_a_report_narrowed_afterwards(fleet: dict) -> None:
    narrow = report.narrowed(fleet, "state == 'failed'")
    assert narrow["summary"] == {"failed": 1} and narrow["failed"] and [wave["wave"] for wave in narrow["waves"]] == [2]
    jsonschema.validate(narrow, SCHEMA)
    ebpf = report.narrowed(fleet, "plan.backend == 'ebpf' && facts.os.id == 'debian' && facts.os.version_id == '13'")
    assert ebpf["summary"] and {entry["os"] for entry in ebpf["hosts"]} == {"Debian GNU/Linux 13 (trixie)"}


def test_what_changed(fleet: dict) -> None:
    before = copy.deepcopy(fleet)
    before["hosts"][0]["state"] = "blocked"
    before["hosts"][5]["kernel"] = "1.2.3"
    del before["hosts"][7]
    before["hosts"].append({**before["hosts"][0], "host": "old1"})
    found = report.changes(before, fleet["hosts"])
    assert found["since"] == AT
    told = [(change["host"], change["what"]) for change in found["hosts"]]
    assert told == [("old1", "gone"), ("web0001", "changed"), ("web0006", "changed"), ("web0008", "appeared")]
    assert report.changes(fleet, fleet["hosts"])["hosts"] == []


def test_a_run_about_a_part_of_the_fleet_loses_nobody(fleet: dict) -> None:
    hostvars = report_samples.rollout(60)
    part = report.build(hostvars, "rollout", at=AT, only="facts.os.id == 'debian'", before=fleet)
    assert [change["what"] for change in part["changes"]["hosts"] if change["what"] != "changed"] == []
    whole = report.build(hostvars, "rollout", at=AT, before=part)
    assert whole["changes"]["hosts"] == []


@pytest.mark.parametrize("before", [{}, {"schema": 0, "hosts": []}, {"schema": 1}, {"schema": 1, "hosts": 3}])
def test_what_is_no_report_is_not_compared_with(before: dict) -> None:
    assert report.changes(before, []) is None


def test_lines_of_a_large_fleet_are_its_groups(fleet: dict) -> None:
    told = terminal.lines(fleet)
    assert told[0] == "Stopped at wave 2 of 4: 1 failed, 1 unreachable; 56 not begun."
    assert [line.partition(" ")[0] for line in told[1:4]] == ["lost", "failed", "waiting"]
    assert told[3].startswith("waiting (waiting) | 56 hosts: web0005, ")
    assert any(
        "failed (not_translating) | web0002 | inert" in line and "-> look at probe.matrix" in line for line in told
    )
    assert len([line for line in terminal.lines(fleet, most=60) if line.startswith("web0")]) == 60


def test_three_hundred_hosts_with_one_wrong_key_are_one_group() -> None:
    """Each has a sentence of its own; the thing to do is one."""
    hosts = {
        f"web{n}": {"__toa": {**LOST["__toa"], "code": "auth_failed", "msg": f"10.0.0.{n}: Permission denied"}}
        for n in range(300)
    }
    made = report.build(hosts, "plan", at=AT)
    (group,) = made["groups"]
    assert (group["state"], group["code"], len(group["hosts"]), group["sentences"], len(group["more"])) == (
        "lost",
        "auth_failed",
        300,
        300,
        20,
    )
    assert (
        len(terminal.lines(made)) == 3
        and terminal.lines(made)[0] == "0 of 300 hosts in order, nothing would change; 300 unreachable."
    )
    assert len(writers.to_html(made)) < 200_000


def test_groups_are_sorted_by_gravity_and_two_reasons_have_two_remedies() -> None:
    def blocked(code: str) -> dict:
        return looked(
            "blocked",
            backend="ebpf",
            remedy=f"mend {code}",
            reasons=[{"severity": "block", "code": code, "message": code, "backend": "ebpf"}],
        )

    hosts = {
        "a": blocked("old"),
        "b": blocked("spoofable"),
        "c": blocked("spoofable"),
        "d": ended({"state": "failed", "code": "x"}),
        "e": LOST,
    }
    made = report.build(hosts, "plan", at=AT)
    assert [(group["state"], group["code"], group["remedy"]) for group in made["groups"][2:]] == [
        ("blocked", "spoofable", "mend spoofable"), ("blocked", "old", "mend old"),
    ]  # fmt: skip
    assert [group["state"] for group in made["groups"]] == ["lost", "failed", "blocked", "blocked"]
    assert made["headline"].endswith("1 failed, 1 unreachable, 3 blocked, for 2 reasons.")


def test_why_of_a_pending_host_is_not_that_of_backends_passed_over() -> None:
    reasons = [
        {"severity": "info", "code": "no_package", "message": "vtoa: not for this kernel", "backend": "vtoa"},
        {"severity": "info", "code": "signed", "message": "signed", "backend": "ebpf"},
    ]
    assert entry(looked("pending", backend="ebpf", reasons=reasons), "plan")["why"] == report.WORDS["pending"][0]


def test_warnings_of_hosts_in_order_are_counted() -> None:
    warning = {"severity": "warning", "code": "partial", "message": "IPv4 only", "remedy": "ask", "backend": "vtoa"}
    hosts = {f"web{n}": looked("converged", backend="vtoa", reasons=[warning]) for n in range(3)}
    other = looked("converged", backend="ebpf", reasons=[warning])
    made = report.build({**hosts, "db": other}, "verify", at=AT)
    assert [(found["code"], found["hosts"]) for found in made["warnings"]] == [("partial", ["web0", "web1", "web2"])]
    assert "warning: web0, web1, web2: IPv4 only" in terminal.lines(made)


@pytest.mark.parametrize(
    ("kind", "states", "said"),
    [
        ("rollout", {"proved": 6, "converged": 2}, "All 8 hosts translate (6 proved, 2 in order before)."),
        ("rollout", {"proved": 1}, "The host translates."),
        ("rollout", {"proved": 5, "failed": 1, "blocked": 2}, "5 of 8 hosts translate; 1 failed, 2 blocked."),
        ("rollout", {"proved": 1, "waiting": 7}, "No wave was begun: no host failed; 7 not begun."),
        ("verify", {"converged": 3, "pending": 1, "lost": 1}, "3 of 5 hosts translate; 1 unreachable, 1 would change."),
        ("remove", {"removed": 2}, "All 2 hosts are without TOA."),
        ("rollback", {"rolled_back": 1, "failed": 1}, "1 of 2 hosts are back; 1 failed."),
        ("plan", {"converged": 2}, "All 2 hosts in order, nothing would change."),
        ("verify", {"converged": 2, "idle": 1}, "All 3 hosts translate; 1 idle."),
        ("plan", {"pending": 3, "unsupported": 1}, "3 of 4 hosts would change, none of them reboots; 1 unsupported."),
    ],
)
def test_the_headline(kind: str, states: dict, said: str) -> None:
    hosts = {
        f"{state}{n}": looked(state)
        if state in ("converged", "pending", "blocked", "unsupported")
        else ended({"state": state})
        for state, number in states.items()
        for n in range(number)
    }
    assert report.build(hosts, kind, at=AT)["headline"] == said


def test_green_hosts_that_trust_all_sources_are_counted_and_named() -> None:
    """In the data, on the terminal and in the files; those that are not green have other troubles."""
    hosts = {f"web{number}": looked("converged", trusts_all_sources=number % 2 == 0) for number in range(60)}
    made = report.build({**hosts, "db1": looked("blocked", trusts_all_sources=True)}, "verify", at=AT)
    assert len(made["trusting_all"]) == 30 and made["trusting_all"][:3] == ["web0", "web2", "web4"]
    told = terminal.lines(made)[-1]
    assert told.startswith("30 hosts trust all sources") and "web0, web2" in told and told.endswith("and 10 more")
    rows = {
        row["host"]: row["trusts_all_sources"] for row in csv.DictReader(io.StringIO(writers.to_csv(made), newline=""))
    }
    assert (rows["web0"], rows["web1"]) == ("true", "false")
    assert report.narrowed(made, "host == 'web2'")["trusting_all"] == ["web2"]
    one = report.build({"web0": hosts["web0"]}, "verify", at=AT)
    assert terminal.lines(one)[-1].startswith("1 host trusts all sources") and report.merged([one])["trusting_all"] == [
        "web0"
    ]
    assert "trust" not in " ".join(terminal.lines(report.build({"web1": hosts["web1"]}, "verify", at=AT)))


# ---- files


def test_csv_holds_every_host_and_no_formula() -> None:
    made = report.build(report_samples.hostile(), "rollout", at=AT)
    text = writers.to_csv(made)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["host"] for row in rows] == [entry["host"] for entry in made["hosts"]]
    assert not [cell for row in rows for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert rows[6]["why"] == '\'=HYPERLINK("http://192.0.2.9","x")'


@pytest.mark.parametrize("separator", [",", ";", "|", "\t"])
@pytest.mark.parametrize(
    "words",
    ["x;=cmd|'/C calc'!A0;\"=HYPERLINK(1)", "x|-1+cmd", "x; +1", "\uff1d1+1", " =1", '"=1', "a;\uff20SUM(1)", 'x";"=1'],
)
def test_no_formula_in_csv_whatever_separates_its_cells(words: str, separator: str) -> None:
    """In most of Europe a spreadsheet separates by semicolons, and one cell of ours becomes two there."""
    made = report.build({"web1": {"__toa": {"failed": True, "msg": words, "remedy": words, "code": "c"}}}, "plan")
    rows = csv.reader(io.StringIO(writers.to_csv(made), newline=""), delimiter=separator)
    assert not [
        cell for row in rows for cell in row if cell.lstrip(' "').startswith(tuple("=+-@\uff1d\uff0b\uff0d\uff20"))
    ]


def test_junit_counts_what_it_holds(fleet: dict) -> None:
    suite = ElementTree.fromstring(writers.to_junit(fleet)).find("testsuite")
    assert (suite.get("tests"), suite.get("errors"), suite.get("timestamp")) == ("60", "1", "2026-11-22T01:40:00")
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure")) == 1 + 56
    case = suite.find("testcase[@name='web0002']")
    assert case.find("failure").get("message").startswith("failed: inert")
    assert "look at probe.matrix" in case.find("failure").text


def test_junit_of_hostile_words_is_xml_with_these_words() -> None:
    made = report.build(report_samples.hostile(), "rollout", at=AT)
    suite = ElementTree.fromstring(writers.to_junit(made)).find("testsuite")
    assert {element.tag for element in suite.iter()} == {"testsuite", "testcase", "failure"}
    assert suite.find("testcase[@name='bad0']/failure").get("message") == f"failed: {report_samples.NASTY[0]}"


class Page(html.parser.HTMLParser):
    """Tags with their attributes, and the text of scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.texts: dict[str, list[str]] = {}
        self.inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.append((tag, dict(attributes)))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside in ("script", "style"):
            self.texts.setdefault(self.inside, []).append(data)


def column(data: dict, name: str) -> list:
    """The values of a field, host by host, out of the data of a page."""
    return [data["hosts"][name]["values"][number] for number in data["hosts"][name]["at"]]


def test_a_page_of_hostile_words_has_the_same_tags_as_one_without() -> None:
    pages = [
        Page(writers.to_html(report.build(hostvars, "rollout", at=AT)))
        for hostvars in (report_samples.hostile(), report_samples.rollout(3))
    ]
    assert pages[0].tags == pages[1].tags
    data = json.loads(pages[0].texts["script"][0])
    assert column(data, "why")[1] == report_samples.NASTY[0]
    assert data["rows"][0]["note"] == report_samples.NASTY[0]


def test_a_page_loads_nothing_and_allows_only_its_own_script_and_style() -> None:
    text = writers.to_html(report.build(report_samples.rollout(3), "rollout", at=AT))
    page = Page(text)
    policy = next(
        attributes["content"]
        for tag, attributes in page.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    assert writers._source(page.texts["style"][0]) in policy and writers._source(page.texts["script"][1]) in policy
    assert not [attributes for _tag, attributes in page.tags if {"src", "href", "style"} & set(attributes)]
    assert "@@" not in text
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", page.texts["script"][1] + page.texts["style"][0])


def test_a_thousand_hosts_are_written_in_a_moment() -> None:
    hostvars = report_samples.rollout(1000, failed=[30], lost=[31])
    began = time.process_time()
    text = writers.to_html(report.build(hostvars, "rollout", at=AT))
    # Measured: 0.9 s and 1.8 MB; ten times that would be a rewrite gone wrong.
    assert time.process_time() - began < 10
    assert len(text) < 4_000_000


def test_slices_add_up_to_the_whole() -> None:
    hostvars = report_samples.rollout(60, failed=[1], lost=[2], begun_waves=2)
    before = report.build(report_samples.rollout(58), "rollout", at="2026-11-21T01:40:00Z")
    whole = report.build(hostvars, "rollout", at=AT, before=before)
    slices = [
        report.build({host: hostvars[host] for host in list(hostvars)[number::3]}, "rollout", at=AT)
        for number in range(3)
    ]
    assert report.merged(reversed(slices), before) == whole
    assert whole["changes"]["hosts"] and whole["failed"]


@pytest.mark.parametrize(
    "second, words", [({"b": LOST, "a": LOST}, "several of the reports"), ({"c": LOST}, "differ in `kind`")]
)
def test_what_is_no_slices_of_one_run(second: dict, words: str) -> None:
    first = report.build({"a": LOST, "b": LOST}, "verify", at=AT)
    with pytest.raises(ValueError, match=words):
        report.merged([first, report.build(second, "plan" if "c" in second else "verify", at=AT)])
