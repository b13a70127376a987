# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of a run, checked for all of its hosts at once."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.realip.toa.plugins.action.toa_plan import ActionModule as Plan
from ansible_collections.realip.toa.plugins.plugin_utils import trusted_networks, typed
from ansible_collections.realip.toa.plugins.plugin_utils.planner.policy import POLICY
from ansible_collections.realip.toa.plugins.plugin_utils.variables import check, table
from hypothesis import given
from hypothesis import strategies as some

HOSTS = [f"web{number}" for number in range(1, 12)]

# What no variable of a type may be, and what says nothing.
WRONG: dict[str, list[t.Any]] = {
    "bool": ["maybe", 2, [], {"a": 1}],
    "int": ["soon", -1, "-1", True, [1], {"a": 1}, 1.5],
    "str": [["a"], {"a": 1}, True],
    "path": [["a"], {"a": 1}],
    "list": [{"a": 1}, True, [None], [[]]],
    "dict": ["x", 5, ["a"]],
}


@pytest.mark.parametrize("name", sorted(table.SPECS))
def test_a_value_of_the_wrong_type_is_told_once(name: str) -> None:
    for value in WRONG.get(table.SPECS[name].get("type", "str"), []):
        (told,) = check.problems(dict.fromkeys(HOSTS, {name: value}))
        assert told.startswith(name) and "web" not in told, (value, told)
        assert "expected" in told


@pytest.mark.parametrize("name", sorted(table.SPECS))
@pytest.mark.parametrize("value", [None, "", "  ", "\n"])
def test_what_is_empty_is_not_set(name: str, value: t.Any) -> None:
    told = check.problems({"web1": {name: value}})
    # A list that came out empty must not take the protection away: whom to trust is said, or the variable is left out.
    assert told == ([trusted_networks.NULL] if name == "toa_trusted_sources" else [])
    assert table.setting(name, value) == typed.default(table.SPECS[name])


@pytest.mark.parametrize(
    "values, words",
    [
        ({"toa_vendor": "tencnt"}, "toa_vendor is 'tencnt'; expected one of tencent, "),
        ({"toa_vendor": "tencnt"}, "did you mean tencent?"),
        ({"toa_vendro": "tencent"}, "toa_vendro is not a variable of realip.toa; did you mean toa_vendor?"),
        ({"toa_reboot_timeout": 0}, "expected a whole number from 1 to 86400"),
        ({"toa_reboot_timeout": "15m"}, "expected a whole number from 1 to 86400"),
        ({"toa_monitor_interval": 60}, "from 1 to 59"),
        ({"toa_backends": "ebf"}, "did you mean ebpf?"),
        ({"toa_window": "sometimes"}, "toa_window is 'sometimes'; expected days"),
        ({"toa_window": ["Sat 01:00-05:00", "x"]}, "toa_window is 'x'"),
        ({"toa_waves": "1,many"}, "toa_waves is 'many'; expected a whole number"),
        ({"toa_waves": {"a": 1}}, "toa_waves"),
        ({"toa_waves": True}, "toa_waves"),
        ({"toa_max_failures": "-1"}, "toa_max_failures is '-1'; expected"),
        ({"toa_only": "plan.stat == 'x'"}, "did you mean plan.state?"),
        ({"toa_option_kinds": ["2/8"]}, "toa_option_kinds: option kind 2"),
        ({"toa_trusted_sources": ["10.0.0.0/99"]}, "toa_trusted_sources"),
        ({"toa_trusted_sources": "10.0.0.0/99"}, "toa_trusted_sources"),
        ({"toa_vendor": "custom"}, "toa_option_kinds"),
        ({"toa_soak": "soon"}, "toa_soak is 'soon'; expected a length of time"),
        ({"toa_max_unavailable": "half"}, "toa_max_unavailable is 'half'; expected"),
        ({"toa_wave_tasks": "none.yml"}, "toa_wave_tasks: there is no file none.yml"),
        ({"toa_ports": [0]}, "toa_ports"),
        ({"toa_package_mirror": "mirror.example"}, "as in http://mirror.example/toa"),
        ({"toa_source": {"tree": "ucluod"}}, "toa_source.tree"),
        ({"toa_source": {"reference": "main"}}, "branches and tags move"),
        ({"toa_catalog": [{"key": "x"}]}, "toa_catalog"),
        ({"toa_hooks": {"drain": "no-such-file.yml"}}, "toa_hooks.drain: there is no file no-such-file.yml"),
        ({"toa_hosts": {"web": 1}}, "toa_hosts is {'web': 1}; expected a pattern of hosts"),
        ({"toa_hosts": ["web", None]}, "toa_hosts is ['web', None]; expected a pattern of hosts"),
        ({"toa_kernel": {"sorce": "/x"}}, "toa_kernel.sorce is not an option of toa_kernel; expected some of "),
        ({"toa_kernel": {"sorce": "/x"}}, "did you mean source?"),
        ({"toa_kernel": "sorce: /x"}, "did you mean source?"),
        ({"toa_kernel": {"jobs": 2000}}, "toa_kernel.jobs is 2000; expected a whole number from 0 to 1024"),
        ({"toa_kernel": {"jobs": "x", "room": -1}}, "toa_kernel.room is -1; expected a whole number from 0"),
        ({"toa_install": "bpftool, headrs"}, "item 2 is 'headrs'; expected one of bpftool, build_tools, headers; did you mean headers?"),
        ({"toa_ebpf_getsockopt": [1348, 1349]}, "item 2 is 1349; expected one of 1348, 4096"),
        ({"toa_option_filter": False}, "toa_option_filter is false; expected one of auto, nft, iptables, none"),
        ({"toa_kernel": "/x.src.rpm"}, "toa_kernel is '/x.src.rpm'; expected a mapping with some of "),
        ({"toa_vendor": check.Broken("{{ nope }}", "'nope' is undefined")}, "which cannot be evaluated: 'nope' is"),
    ],
)  # fmt: skip
def test_one_sentence_for_a_fault(values: dict, words: str) -> None:
    (told,) = check.problems({"web1": values, "web2": dict(values)})
    assert words in told and "web1" not in told


def test_who_shares_a_fault_is_named() -> None:
    hosts = {host: {"toa_vendor": "tencnt"} for host in HOSTS} | {"db1": {"toa_stage_all": "perhaps"}}
    vendor, stage = sorted(check.problems(hosts), reverse=True)
    assert vendor.endswith("(web1, web2, web3 and 8 more)")
    assert stage == "toa_stage_all is 'perhaps'; expected true or false (db1)"


@pytest.mark.parametrize(
    "values",
    [
        {"toa_soak": "15m", "toa_domain": "rack1", "toa_max_unavailable": "10%"},
        {"toa_stage_all": "false", "toa_max_failures": "10%", "toa_waves": "1,5%,100%", "toa_max_rebooting": "3"},
        {"toa_waves": [1, "5%"], "toa_option_kinds": "200/8,254/8", "toa_vendor": "custom"},
        {"toa_report_formats": ["html"], "toa_trusted_sources": "[10.0.0.0/8]", "toa_window": "Sat 01:00-05:00"},
        {
            "toa_kernel": {"match": {"id": "debian", "major": 12}, "source": "/x", "jobs": "4", "sha256": None},
            "toa_report": {"summary": {}},
            "other": object(),
        },
        {"toa_source": {"url": "/x", "tree": {"module": "toa"}}, "toa_hosts": "web:!web3"},
        {"toa_hosts": ["web", "db"]},
    ],
)
def test_what_is_right_is_not_told(values: dict) -> None:
    assert check.problems({"web1": values}) == []


def test_a_run_has_one_value_of_what_it_reads_once() -> None:
    hosts = {"web1": {"toa_report_dir": "/a"}, "web2": {"toa_report_dir": "/b"}, "web3": {}}
    (told,) = check.problems(hosts)
    assert told.startswith("toa_report_dir is one value for all hosts of a run, and there are 3: '/a' (web1); ")
    assert check.problems({"web1": {"toa_only": ""}, "web2": {"toa_only": None}, "web3": {}}) == []


@given(
    some.dictionaries(
        some.sampled_from(sorted(table.SPECS)),
        some.none() | some.text(max_size=8) | some.integers() | some.lists(some.text(max_size=4), max_size=2),
        max_size=4,
    )
)
def test_whatever_is_set_is_told_in_sentences(values: dict) -> None:
    for told in check.problems({"web1": values}):
        assert told.startswith("toa_") or "toa_" in told, told


def test_the_specs_are_those_of_toa_plan() -> None:
    for key in POLICY:
        ours, plans = table.SPECS[f"toa_{key}"], Plan.SPEC[key]
        assert (ours["type"], ours.get("elements")) == (plans["type"], plans.get("elements")), key
        assert [c for c in ours.get("choices") or [] if c] == [c for c in plans.get("choices") or [] if c], key
    for name in table.BOUNDS:
        variable, _dot, option = name.partition(".")
        spec = table.SPECS[variable]["options"][option] if option else table.SPECS[variable]
        assert (spec["type"], spec["bounds"]) == ("int", table.BOUNDS[name])


def test_what_is_signed_has_a_builder_with_a_name() -> None:
    values = {"toa_source": {"url": "files/toa", "signing_key": "secrets/modules.key"}}
    (told,) = check.problems({"web1": values})
    assert "toa_source.signing_key" in told and "toa_builder" in told
    assert check.problems({"web1": {**values, "toa_builder": "build1"}}) == []


def test_options_of_a_variable_are_its_own_in_every_form() -> None:
    wanted = {**table.setting("toa_kernel", None), "source": "/x", "jobs": 4, "patches": ["a", "b"]}
    for value in (
        {"source": "/x", "jobs": "4", "patches": "a,b"},
        "source: /x\njobs: 4\npatches: [a, b]",
        '{"source": "/x", "jobs": 4, "patches": ["a", "b"]}',
    ):
        assert table.setting("toa_kernel", value) == wanted
    assert wanted["config"] == ["CONFIG_IPV6=y", "CONFIG_TOA=m"]


def test_nothing_encrypted_is_shown_of_an_option() -> None:
    (told,) = check.problems({"web1": {"toa_kernel": {"source": "/x", "jobs": typed.Secret("hunter2")}}})
    assert told == "toa_kernel.jobs is (encrypted); expected a whole number from 0 to 1024"
    (told,) = check.problems({"web1": {"toa_vendor": {"a": typed.Secret("hunter2")}}})
    assert "hunter2" not in told
