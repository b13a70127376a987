# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts: hosts may answer what they like, and what is assumed of a machine that is not there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.module_utils.programs import facts as inspect_host
from ansible_collections.realip.toa.plugins.plugin_utils.facts import clean
from ansible_collections.realip.toa.plugins.plugin_utils.facts.assumed import assumed_facts
from ansible_collections.realip.toa.plugins.plugin_utils.facts.build import CLEAN, facts_of, probe_of
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[4]
FILES = ROOT / "tests" / "unit" / "vectors" / "os-release"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


def shape(value):
    """A value with its scalars replaced, so that two can be compared by keys alone."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return type(value).__name__ if isinstance(value, list) else ""


def test_keys_are_those_of_the_contract():
    table = re.findall(
        r"^\| `(\w+)` \|",
        (ROOT / "docs" / "contracts.md").read_text(encoding="utf-8").split("## Facts")[1].split("\n## ")[0],
        re.M,
    )
    assert len(table) > 15
    assert set(table) <= set(facts_of({}))


def test_a_real_host_keeps_everything():
    raw = inspect_host.main({})
    for program in raw["ebpf"]["foreign"]:
        # Of another test's programs, which may be attached now: `alone` is a list of its own in the facts.
        program.pop("alone")
    built = facts_of(json.loads(json.dumps(raw)))
    assert built["kernel"]["release"] == raw["uname"]["release"]
    assert built["kernel"]["upstream"]
    assert built["os"]["id"] and built["os"]["package_manager"] == raw["package_manager"]
    for key in ("python", "security", "boot", "ebpf"):
        assert {name: value for name, value in built[key].items() if value} == {
            name: value for name, value in raw[key].items() if value
        }, key
    lost = [
        (key, sorted(set(before) - set(after)))
        for key in ("kernels", "modules", "persistence", "conflicts")
        for before, after in zip(raw[key], built[key], strict=True)
        if set(before) - set(after)
    ]
    assert not lost


def test_everything_the_host_reports_has_a_place():
    raw = inspect_host.main({})
    assert set(raw) - {"changed", "os_files", "uname", "package_manager"} <= set(CLEAN)


@given(st.dictionaries(st.sampled_from([*CLEAN, "os_files", "uname", "package_manager", "other"]), JSON))
def test_any_answer_gets_the_shape(raw):
    built = facts_of(raw)
    empty = facts_of({})
    assert set(built) == set(empty)
    for key in ("os", "kernel", "boot", "ebpf", "python", "security", "firewall"):
        assert shape(built[key]).keys() == shape(empty[key]).keys()
    json.dumps(built, allow_nan=False)


@pytest.mark.parametrize(
    "answer", [None, [], "facts", 7, {"uname": "5.10", "os_files": ["x"], "kernels": {"a": 1}, "ebpf": None}]
)
def test_wrong_types_become_empty(answer):
    assert facts_of(answer) == facts_of({})


def test_long_and_unprintable_texts():
    raw = {
        "container": "x" * 1000,
        "held": ["h\x1b[2J\nname", 5, "", None] + ["k"] * 500,
        "os_files": {"/etc/os-release": 'ID=debian\nVERSION_ID=12\nPRETTY_NAME="\x1b]0;owned\x07' + "y" * 2000 + '"'},
        "uname": {"release": "6.1.0-18-amd64\x1b[31m", "machine": "amd64"},
    }
    built = facts_of(raw)
    assert len(built["container"]) == clean.TEXT_LIMIT
    assert built["held"][0] == "h\ufffd[2J\ufffdname"
    # Of the first LIST_LIMIT items, three are no texts.
    assert len(built["held"]) == clean.LIST_LIMIT - 3
    assert (
        built["os"]["pretty_name"].startswith("\ufffd]0;owned\ufffd")
        and len(built["os"]["pretty_name"]) <= clean.TEXT_LIMIT
    )
    assert built["kernel"]["upstream"] == [] and built["kernel"]["arch"] == "x86_64"


def test_state_is_bounded():
    deep = {"a": 1}
    for _ in range(50):
        deep = {"d": deep}
    built = facts_of(
        {"state": {"boot": {"old": "6.1", "list": list(range(1000))}, "deep": deep, "x" * 100: "y" * 1000}}
    )
    assert built["state"]["boot"]["old"] == "6.1"
    assert len(built["state"]["boot"]["list"]) == clean.LIST_LIMIT
    assert json.dumps(built["state"]).count('"d"') < 10
    assert built["state"]["x" * clean.KEY_LIMIT] == "y" * clean.TEXT_LIMIT


def test_unknown_is_not_zero():
    assert facts_of({"boot": {"free_kib": True}})["boot"]["free_kib"] is None
    assert facts_of({"boot": {"free_kib": 0}})["boot"]["free_kib"] == 0
    assert facts_of({"service": {"name": "vtoa", "enabled": True, "active": None}})["service"]["active"] is None
    assert facts_of({"modules": [{"name": "toa", "loaded": 1, "live": "yes"}]})["modules"][0]["live"] is False


def test_the_proof_is_cleaned_too():
    assert probe_of(None) is None and probe_of([]) is None
    cleaned = probe_of(
        {
            "verdict": "marvellous",
            "option_kinds": ["200/8", 5, None],
            "matrix": [{"case": "x\n", "ok": True}],
            "more": 1,
        }
    )
    assert cleaned["verdict"] == "unprovable"
    assert cleaned["option_kinds"] == ["200/8"]
    assert cleaned["matrix"] == [{"case": "x\ufffd", "ok": True}]
    assert "more" not in cleaned


@pytest.mark.parametrize(
    ("name", "kernel", "manager", "init", "loader", "cgroup2"),
    [
        ("debian-8", "3.16.0-11-amd64", "deb", "systemd", "grub2", None),
        ("debian-10", "4.19.0-25-amd64", "deb", "systemd", "grub2", "/sys/fs/cgroup/unified"),
        ("debian-11", "5.10.0-27-amd64", "deb", "systemd", "grub2", "/sys/fs/cgroup"),
        ("debian-12", "6.1.0-18-amd64", "deb", "systemd", "grub2", "/sys/fs/cgroup"),
        ("ubuntu-14.04", "3.13.0-170-generic", "deb", "upstart", "grub2", None),
        ("ubuntu-16.04", "4.4.0-210-generic", "deb", "systemd", "grub2", None),
        ("ubuntu-20.04", "5.15.0-94-generic", "deb", "systemd", "grub2", "/sys/fs/cgroup/unified"),
        ("ubuntu-22.04", "5.15.0-94-generic", "deb", "systemd", "grub2", "/sys/fs/cgroup"),
        ("centos-7", "3.10.0-1160.el7.x86_64", "rpm", "systemd", "grub2", None),
        ("rocky-8.10", "4.18.0-513.el8.x86_64", "rpm", "systemd", "grub2_bls", None),
        ("rocky-9.5", "5.14.0-362.18.1.el9_3.x86_64", "rpm", "systemd", "grub2_bls", "/sys/fs/cgroup"),
        ("rhel-10.0", "6.12.0-55.el10.x86_64", "rpm", "systemd", "grub2_bls", "/sys/fs/cgroup"),
        ("alinux-2", "4.19.91-27.7.al7.x86_64", "rpm", "systemd", "grub2", None),
        ("alinux-3", "5.10.134-16.3.al8.x86_64", "rpm", "systemd", "grub2_bls", "/run/realip-toa/cgroup2"),
        ("amzn-2", "5.10.237-230.949.amzn2.x86_64", "rpm", "systemd", "grub2", "/run/realip-toa/cgroup2"),
        ("openeuler-24.03", "6.6.0-28.0.0.34.oe2403.x86_64", "rpm", "systemd", "grub2_bls", "/run/realip-toa/cgroup2"),
    ],
)
def test_assumed(name, kernel, manager, init, loader, cgroup2):
    assumed = assumed_facts((FILES / name).read_text(encoding="utf-8"), kernel)
    assert (assumed["os"]["package_manager"], assumed["init"], assumed["boot"]["loader"]) == (manager, init, loader)
    assert assumed["ebpf"]["cgroup2"] == cgroup2
    assert assumed["ebpf"]["possible"] is (cgroup2 is not None)
    assert assumed["boot"]["one_shot"] is True
    assert assumed["kernel"]["arch"] == "x86_64"


def test_assumed_of_a_release_line_and_an_architecture():
    assumed = assumed_facts("CentOS release 6.7 (Final)\n", "2.6.32-573.el6.x86_64")
    assert (assumed["os"]["id"], assumed["init"], assumed["boot"]["loader"]) == ("centos", "upstart", "grub_legacy")
    assert assumed_facts("ID=ubuntu\nVERSION_ID=24.04", "6.8.0-40-generic", "arm64")["kernel"]["arch"] == "aarch64"
    tencentos = assumed_facts((FILES / "tencentos-4.2").read_text(encoding="utf-8"), "6.6.30-5.tl4")
    assert [module["name"] for module in tencentos["modules"]] == ["toa"] and not tencentos["modules"][0]["loaded"]
