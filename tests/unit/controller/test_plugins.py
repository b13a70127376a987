# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters, tests and actions as Ansible itself runs them, on the core this test runs under."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.realip.toa.plugins.action import toa_plan
from ansible_collections.realip.toa.plugins.plugin_utils import option_formats
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import selection
from ansible_collections.realip.toa.plugins.plugin_utils.planner import policy as policy_module

ROOT = Path(__file__).resolve().parents[3]
VECTORS = ROOT / "tests" / "unit" / "vectors"
BIN = Path(sys.executable).parent
DIGEST = "ab" * 32


def ansible(command, *argv, cwd=None):
    """Run one of Ansible's commands from the environment of this Python; returns what it printed."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        [str(BIN / command), *argv], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def play(tmp_path, *tasks, **variables):
    """Results of tasks that ran on localhost, in order."""
    listed = [{**task, "register": f"result{number}"} for number, task in enumerate(tasks)]
    names = ", ".join(task["register"] for task in listed)
    listed.append(
        {
            "ansible.builtin.copy": {
                "content": "{{ [" + names + "] | to_json }}",
                "dest": str(tmp_path / "results.json"),
            },
            "check_mode": False,
        }
    )
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        json.dumps(
            [{"hosts": "localhost", "gather_facts": False, "ignore_errors": True, "vars": variables, "tasks": listed}]
        )
    )
    ansible("ansible-playbook", str(playbook), cwd=tmp_path)
    return json.loads((tmp_path / "results.json").read_text())


def assume(name, kernel, **more):
    return {
        "realip.toa.toa_plan": {
            "assume": {"os_release": (VECTORS / "os-release" / name).read_text(encoding="utf-8"), "kernel": kernel},
            **more,
        }
    }


UBUNTU = ("ubuntu-16.04", "4.4.0-210-generic")
FILE = "linux-image-4.4.87.toa_1.0_amd64.deb"
LOCK = {"packages": [{"file": FILE, "url": "http://x.example/" + FILE, "size": 3, "sha256": DIGEST}]}


def test_filters_and_test(tmp_path):
    fleet = {"a": {"plan": {"state": "pending", "reboot": True}}, "b": {"plan": {"state": "converged"}}}
    results = play(
        tmp_path,
        {"debug": {"msg": "{{ '5.10.134-16.3.al8.x86_64' is realip.toa.kernel_at_least('5.10.134-15') }}"}},
        {
            "debug": {
                "msg": "{{ ('5.10.134-007.ali5000.al8.x86_64' | realip.toa.kernel_release) is realip.toa.kernel_at_least('5.10.134-15') }}"
            }
        },
        {"debug": {"msg": "{{ '5.10.134-007.ali5000.al8.x86_64' | realip.toa.kernel_release }}"}},
        {"debug": {"msg": "{{ fleet | realip.toa.toa_select(\"plan.state == 'pending' && plan.reboot\") }}"}},
        {"debug": {"msg": "{{ fleet | realip.toa.toa_select('plan.[') }}"}},
        {"debug": {"msg": "{{ 'rubbish' | realip.toa.kernel_release }}"}},
        {"debug": {"msg": "{{ 'rubbish' is realip.toa.kernel_at_least('5.10') }}"}},
        fleet=fleet,
    )
    messages = [result["msg"] for result in results]
    assert [str(message) for message in messages[:2]] == ["True", "False"]
    assert messages[2]["build"] == [7] and messages[2]["extra"] == "ali5000"
    assert messages[3] == ["a"]
    assert results[4]["failed"] and "'plan.[' is not a JMESPath expression" in messages[4]
    assert results[5]["failed"] and "'rubbish' is not a kernel release" in messages[5]
    assert results[6]["failed"] and "'rubbish' is not a kernel release" in messages[6]


def test_selection():
    hosts = {
        "a": {"facts": {"n": 0}, "plan": {"reasons": [{"code": "no_digest"}]}},
        "b": {"facts": {"n": 1}, "plan": {"reasons": []}},
    }
    assert selection.matching(hosts, "plan.reasons[?code == 'no_digest']") == ["a"]
    assert selection.matching(list(hosts.values()), "facts.n == `1`") == [hosts["b"]]
    assert selection.matching(hosts, "facts.n") == ["a", "b"]
    assert selection.matching(hosts, "facts.missing") == []
    assert selection.matching({}, "x") == []
    for expression in ("", "  ", 5, None):
        with pytest.raises(selection.SelectionError, match="JMESPath"):
            selection.matching(hosts, expression)
    with pytest.raises(selection.SelectionError, match="cannot be evaluated for a"):
        selection.matching(hosts, "length(facts.n)")
    for wrong in ("abc", 5, {"a": 5}, [5]):
        with pytest.raises(selection.SelectionError):
            selection.matching(wrong, "x")


@pytest.mark.parametrize(
    "expression",
    [
        None, "", "plan.state == 'pending'", "plan.reasons[?code == 'no_digest']", "facts.modules[?name == 'toa' && loaded]", "length(plan.steps) > `3`",
        "contains(facts.os.id_like, 'rhel')", "facts.counters.any > `3`", "facts.service.name == 'vtoa'", "facts.kernel.upstream[0] >= `5`", "@", "*",
        "starts_with(facts.kernel.release, '5.10')", "facts | os | id == 'debian'", "plan.{a: state, b: backend}.a == 'pending'",
    ],
)  # fmt: skip
def test_a_selection_that_is_one(expression):
    assert selection.problem(expression) == ""


@pytest.mark.parametrize(
    "expression, words",
    [
        ("plan.state ==", "is not a JMESPath expression"),
        ("plan.stat == 'x'", "there is no plan.stat; did you mean plan.state?"),
        ("fact.os.id", "there is no fact; did you mean facts?"),
        ("!(plan.reboot && facts.os.idd)", "there is no facts.os.idd; did you mean facts.os.id?"),
        ("contains(facts.os.id_lik, 'rhel')", "did you mean facts.os.id_like?"),
        ("facts | zzz", "there is no facts.zzz; there are ahead, boot, "),
        ("plan.reason[?code == 'x']", "did you mean plan.reasons?"),
        ("foo(plan)", "Unknown function: foo()"),
        ("length(plan, facts)", "Expected 1 argument"),
        (["x"], "such as plan.state == 'pending'"),
        (7, "such as plan.state == 'pending'"),
    ],
)
def test_a_wrong_selection_is_told_before_any_host_is_asked(expression, words):
    assert words in selection.problem(expression)
    assert selection.problem(expression).startswith("toa_only: ")


def test_selection_without_jmespath(monkeypatch):
    monkeypatch.setattr(selection, "jmespath", None)
    with pytest.raises(selection.SelectionError, match="pip install jmespath"):
        selection.matching({}, "x")


@pytest.mark.parametrize(
    "kind, names",
    [
        ("filter", ("toa_select", "kernel_release")),
        ("test", ("kernel_at_least",)),
        ("module", ("toa_facts", "toa_plan")),
    ],
)
def test_documentation_is_found(kind, names):
    shown = json.loads(ansible("ansible-doc", "-t", kind, "-j", *(f"realip.toa.{name}" for name in names)))
    assert set(shown) == {f"realip.toa.{name}" for name in names}
    for page in shown.values():
        assert page["doc"]["short_description"] and page["examples"].strip() and page["return"]


def test_every_policy_is_an_option():
    assert set(policy_module.POLICY) < set(toa_plan.ActionModule.SPEC)
    assert tuple(toa_plan.ActionModule.SPEC["vendor"]["choices"]) == ("", *option_formats.VENDOR_CHOICES)


def test_plan_of_a_machine_that_is_not_there(tmp_path):
    assumed = {
        "assume": {
            "os_release": (VECTORS / "os-release" / "alinux-3").read_text(encoding="utf-8"),
            "kernel": "5.10.134-14.1.al8.x86_64",
        }
    }
    out = ansible("ansible", "localhost", "-m", "realip.toa.toa_plan", "-a", json.dumps(assumed), cwd=tmp_path)
    result = json.loads(out[out.index("=> {") + 3 :])
    assert result["plan"]["state"] == "blocked" and not result["changed"]
    assert {"kernel_too_old", "spoofable"} <= {reason["code"] for reason in result["plan"]["reasons"]}
    assert result["ansible_facts"]["toa"]["kernel"]["build"] == [14, 1] and result["probe"] is None


def test_policy_comes_from_variables_and_options_win(tmp_path):
    results = play(
        tmp_path,
        assume(*UBUNTU),
        assume(*UBUNTU, accept=[]),
        assume(*UBUNTU, vendor="alibaba"),
        toa_accept="{{ 'unverified' ~ '_packages' }}", toa_vendor="tencent", toa_package_mirror="http://m.example/{{ 'k' }}", toa_install="headers",
        toa_trusted_sources="{{ 'a' ~ 'll' }}",
    )  # fmt: skip
    plans = [result["plan"] for result in results]
    assert [plan["state"] for plan in plans] == ["pending", "blocked", "unsupported"]
    assert [item["url"] for item in plans[0]["packages"]] == [
        f"http://m.example/k/{name}" for name in (FILE, FILE.replace("image", "headers"))
    ]


def test_the_lock_file_beside_the_playbook(tmp_path):
    elsewhere = tmp_path / "locks"
    elsewhere.mkdir()
    (elsewhere / "mine.yml").write_text(yaml.safe_dump(LOCK))
    found = play(
        tmp_path,
        assume(*UBUNTU),
        assume(*UBUNTU, lockfile="locks/mine.yml"),
        assume(*UBUNTU, lock=LOCK),
        toa_trusted_sources="all",
    )
    assert [result["plan"]["state"] for result in found] == ["blocked", "pending", "pending"]
    (tmp_path / "toa.lock.yml").write_text(yaml.safe_dump(LOCK))
    assert play(tmp_path, assume(*UBUNTU))[0]["plan"]["packages"][0]["sha256"] == DIGEST
    (tmp_path / "toa.lock.yml").write_text("packages: [{file: x.deb, sha256: 1}]")
    (tmp_path / "broken.yml").write_text("packages: [")
    (tmp_path / "list.yml").write_text("- 1")
    wrong = play(
        tmp_path,
        assume(*UBUNTU),
        assume(*UBUNTU, lockfile=str(tmp_path / "broken.yml")),
        assume(*UBUNTU, lockfile="list.yml"),
    )
    assert all(result["failed"] and result["code"] == "bad_policy" and "lock file" in result["msg"] for result in wrong)


SENSELESS = [
    ({"option_kinds": ["2/8"]}, "Maximum Segment Size"),
    ({"option_kinds": ["C8/8"]}, "KIND/LENGTH"),
    ({"vendor": "tencen"}, "tencen"),
    ({"backends": ["magic"]}, "magic"),
    ({"trusted_sources": ["10.0.0.0/99"]}, "10.0.0.0/99"),
    ({"trusted_sources": "10.0.0.0/8"}, "or the word all; got '10.0.0.0/8'"),
    ({"vendor": "custom"}, "toa_option_kinds"),
    ({"catalog": [{"key": "x"}]}, "toa_catalog entry x"),
    ({"lock": {"package": []}}, "holds `packages`"),
    ({"assume": {"kernel": "5.10.0"}}, "os_release"),
    ({"acept": ["conflicts"]}, "acept"),
    ({"accept": ["conflict"]}, "did you mean conflicts?"),
]


def test_options_that_make_no_sense(tmp_path):
    given = assume(*UBUNTU)["realip.toa.toa_plan"]
    results = play(tmp_path, *({"realip.toa.toa_plan": {**given, **options}} for options, _expected in SENSELESS))
    for (options, expected), result in zip(SENSELESS, results, strict=True):
        assert result["failed"] and result["code"] in ("bad_policy", "bad_option"), options
        assert expected in result["msg"] and result["remedy"], options


@pytest.mark.parametrize(
    "value, said",
    [
        (None, "got nothing"), ("", "got nothing"), ("{{ none }}", "got nothing"), ("every", "got 'every'"), (["0.0.0.0/0"], "every IPv4 address"),
        (["::ffff:10.0.0.0/104"], "write 10.0.0.0/8"), (["10.1.2.3/8"], "write 10.0.0.0/8 for the network"), (["lb.example.org"], "lb.example.org"),
        (["all"], "the word stands alone"), ({"all": True}, "or the word all"),
    ],
)  # fmt: skip
def test_a_choice_that_is_none_is_refused_before_any_host_is_asked(tmp_path, value, said):
    """With a real host, not an assumed one: the message comes from the controller, and nothing was sent."""
    names = ("toa_plan", "toa_ebpf", "toa_option_filter", "toa_probe")
    results = play(tmp_path, *({f"realip.toa.{name}": {}} for name in names), toa_trusted_sources=value)
    for result in results:
        assert result["failed"] and result["code"] in ("bad_policy", "bad_option") and said in result["msg"], result[
            "msg"
        ]
        assert "ansible_facts" not in result and "before" not in result and "probe" not in result


def test_a_misspelt_variable_stops_before_anything_is_decided(tmp_path):
    (result,) = play(tmp_path, assume(*UBUNTU), toa_acept=["kernel_downgrade"])
    assert result["failed"] and result["code"] == "unknown_variable" and "plan" not in result
    assert "toa_acept " in result["msg"] and "did you mean toa_accept?" in result["msg"]


def test_a_garbage_kernel_is_a_plan_and_not_a_traceback(tmp_path):
    (result,) = play(tmp_path, assume("debian-12", "{{ '5.10' ~ ';reboot' }}"))
    assert result["plan"]["state"] == "unsupported"
    assert [reason["code"] for reason in result["plan"]["reasons"]] == ["kernel_unparsable"]


def test_facts_and_plan_of_this_machine(tmp_path):
    looked, planned, back, checked = play(
        tmp_path,
        {"realip.toa.toa_facts": {}},
        {"realip.toa.toa_plan": {}},
        {"realip.toa.toa_plan": {"goal": "remove", "probe": False}},
        {"realip.toa.toa_facts": {}, "check_mode": True, "diff": True},
    )
    toa = looked["ansible_facts"]["toa"]
    assert toa["kernel"]["release"] == os.uname().release and toa["schema"] == 1
    assert toa["os"]["id"] and toa["boot"]["boot_id"] == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert planned["plan"]["goal"] == "install" and planned["ansible_facts"]["toa"]["os"] == toa["os"]
    assert back["plan"]["goal"] == "remove"
    assert not any(result["changed"] for result in (looked, planned, back, checked))
