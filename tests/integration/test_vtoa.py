# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles around vtoa over SSH: a real rpm and a real dnf with a repository of their own, and a systemd that is a shell script.

The host is a stage (stage.py), on which the script builds the module into the kernel instead of loading it. Whether anything is translated
is not asked here: that takes a kernel of the lab's. What a program of others on the getpeername hooks leads to is seen with a real one.
"""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.module_utils.programs import facts as inspect_host
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog
from ansible_collections.realip.toa.plugins.plugin_utils.facts.assumed import assumed_facts
from ansible_collections.realip.toa.plugins.plugin_utils.facts.build import facts_of
from ansible_collections.realip.toa.plugins.plugin_utils.planner import decide as planner
from ansible_collections.realip.toa.plugins.plugin_utils.planner import plan as plan_module
from rpm_tools import build, item, kernel, repository
from sshd import ROOT, Controller, Run, cores
from stage import Stage
from target.foreign_program import attach
from test_bpf_query import cgroup

__all__ = ["cgroup"]

ALINUX3 = (ROOT / "tests/unit/vectors/os-release/alinux-3").read_text()
UNIT = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/sbin/modprobe vtoa\n\n[Install]\nWantedBy=multi-user.target\n"
# Keeps its state where the real one shows it, so that a look at the host sees the same.
SYSTEMCTL = r"""#!/bin/sh
wants=/etc/systemd/system/multi-user.target.wants/vtoa.service
link=/run/systemd/units/invocation:vtoa.service
echo "$*" >>/run/systemctl.log
builtin=/lib/modules/$(uname -r)/modules.builtin
start() { mkdir -p /run/systemd/units; ln -sfn 0123 $link; echo kernel/net/vtoa/vtoa.ko >$builtin; }
stop() { rm -f $link; : >$builtin; }
case $1 in
show)
    [ -e /usr/lib/systemd/system/vtoa.service ] && echo LoadState=loaded || echo LoadState=not-found
    [ -L $link ] && echo ActiveState=active || echo ActiveState=inactive
    [ -L $wants ] && echo UnitFileState=enabled || echo UnitFileState=disabled
    echo Type=oneshot; echo RemainAfterExit=yes; echo Result=success ;;
start) start ;;
restart) stop; start ;;
stop) stop ;;
enable) mkdir -p ${wants%/*}; ln -sfn /usr/lib/systemd/system/vtoa.service $wants ;;
disable) rm -f $wants ;;
esac
"""
SCRIPTS = {
    "%post": "systemctl enable vtoa.service\nsystemctl start vtoa.service",
    "%preun": "systemctl disable vtoa.service\nsystemctl stop vtoa.service",
}
PLAN = {
    "module": "vtoa",
    "service": "vtoa",
    "backend": "vtoa",
    "packages": [plan_module.repository_package("vtoa")],
    "kernel_target": "",
    "reboot": False,
}
RECIPE = "/etc/sysconfig/modules/vtoa.modules"


@pytest.fixture
def stage(tmp_path: Path) -> t.Iterator[Stage]:
    folder = tmp_path / "repo"
    folder.mkdir()
    base = build(tmp_path, "filesystem", "1", "1", {}, header="Provides: /bin/sh", arch="noarch")
    build(folder, "vtoa", "1.0", "1.al8", {"/usr/lib/systemd/system/vtoa.service": UNIT}, SCRIPTS)
    repository(folder)
    with Stage(tmp_path, "127.0.45.1") as made:
        for name, text in (
            ("/etc/rpm/macros", "%_dbpath /var/lib/rpm\n"),
            ("/etc/dnf/dnf.conf", "[main]\nplugins=0\n"),
            ("/etc/yum.repos.d/lab.repo", f"[lab]\nname=lab\nbaseurl=file://{folder}\ngpgcheck=0\n"),
            ("/etc/os-release", ALINUX3),
            ("/usr/bin/systemctl", SYSTEMCTL),
            (f"/lib/modules/{os.uname().release}/modules.builtin", ""),
            (f"/boot/vmlinuz-{os.uname().release}", "running"),
        ):
            written = made.base / "text"
            written.write_text(text)
            made.sh(f"mkdir -p {Path(name).parent} && rm -f {name} && cat {written} >{name}")
        made.sh("chmod 755 /usr/bin/systemctl; mkdir -p /run/systemd/system /var/lib/rpm")
        assert "rpmdb" not in made.sh("rpm --eval %_dbpath")
        made.sh(f"rpm -i {base}")
        yield made


def play(stage: Stage, core: str, *tasks: dict[str, t.Any], options: t.Sequence[str] = ()) -> Run:
    """A look at the host, then these tasks; none of them may fail."""
    run = Controller(core, stage.base.parent / "run").task(
        stage.host(), "realip.toa.toa_facts", {}, options=options, more_tasks=tasks
    )
    assert run.rc == 0 and "[DEPRECATION WARNING]" not in run.output, run.output
    assert {line["status"] for line in run.results} <= {"ok", "skipped"}, run.output
    return run


def role(name: str, **variables: t.Any) -> dict[str, t.Any]:
    return {"name": name, "ansible.builtin.include_role": {"name": f"realip.toa.{name}"}, "vars": variables}


def changed(run: Run) -> list[str]:
    return [line["task"] for line in run.results if line["result"].get("changed")]


def asked(stage: Stage) -> list[str]:
    """What systemctl was asked to change since the last time."""
    lines = stage.sh("cat /run/systemctl.log; : >/run/systemctl.log").splitlines()
    return [line for line in lines if not line.startswith("show")]


def state(stage: Stage) -> tuple[bool, bool, bool, bool]:
    """(installed, active, enabled, loaded)"""
    answer = stage.sh(
        "rpm -q vtoa; ls /run/systemd/units /etc/systemd/system/multi-user.target.wants; cat /lib/modules/$(uname -r)/modules.builtin"
    )
    return "vtoa-1.0" in answer, "invocation:vtoa" in answer, "\nvtoa.service" in answer, "vtoa.ko" in answer


def test_install_start_enable_and_the_way_back(stage: Stage, core: str) -> None:
    stage.sh(f"mkdir -p {Path(RECIPE).parent}; printf '#!/bin/sh\\nmodprobe vtoa\\n' >{RECIPE}; chmod 755 {RECIPE}")
    before = stage.sh(f"cat {RECIPE}")
    play(stage, core, role("vtoa", backend_plan=PLAN), options=["--check"])
    assert state(stage) == (False, False, False, False)

    run = play(stage, core, role("vtoa", backend_plan=PLAN))
    assert state(stage) == (True, True, True, True) and len(changed(run)) == 2, run.output
    assert asked(stage) == ["enable vtoa.service", "start vtoa.service"], "the package does it, and we leave it alone"
    assert "No such file" in stage.sh(f"cat {RECIPE}")
    assert changed(play(stage, core, role("vtoa", backend_plan=PLAN))) == []

    known = facts_of(play(stage, core).results[0]["result"]["ansible_facts"]["toa"])
    assert known["service"] == {"name": "vtoa", "active": True, "enabled": True}

    away = {**PLAN, "service": "vtoa", "goal": "remove", "left": ["vtoa"], "option_filter": False, "monitor": False}
    play(stage, core, role("remove", remove_plan=away), options=["--check"])
    assert state(stage) == (True, True, True, True)
    play(stage, core, role("remove", remove_plan=away))
    assert state(stage) == (False, False, False, False)
    assert stage.sh(f"cat {RECIPE}") == before
    assert "No such file" in stage.sh("ls /var/lib/realip-toa")


def test_a_stopped_and_disabled_service_is_brought_up_and_put_back(stage: Stage) -> None:
    core = cores()[-1]
    stage.sh("dnf -y install vtoa; systemctl stop vtoa; systemctl disable vtoa")
    asked(stage)
    assert state(stage) == (True, False, False, False)
    play(stage, core, role("vtoa", backend_plan=PLAN))
    assert asked(stage) == ["start vtoa.service", "enable vtoa.service"]

    stage.sh("systemctl stop vtoa; systemctl disable vtoa")
    again = [
        {"name": f"toa_service {wanted}", "realip.toa.toa_service": {"state": wanted}}
        for wanted in ("started", "enabled")
    ]
    back = {"name": "back", "ansible.builtin.include_role": {"name": "realip.toa.vtoa", "tasks_from": "revert.yml", "rolespec_validate": False},
            "vars": {"backend_plan": PLAN}}  # fmt: skip
    play(stage, core, *again, back)
    assert state(stage) == (True, False, False, False)


def test_what_a_failed_rollout_has_installed_goes(stage: Stage) -> None:
    back = {"name": "back", "ansible.builtin.include_role": {"name": "realip.toa.vtoa", "tasks_from": "revert.yml", "rolespec_validate": False},
            "vars": {"backend_plan": PLAN}}  # fmt: skip
    play(stage, cores()[-1], role("vtoa", backend_plan=PLAN), back)
    assert state(stage) == (False, False, False, False)


def test_a_kernel_of_rpm_over_ssh(stage: Stage, core: str, tmp_path: Path) -> None:
    release = "3.10.0-693.el7.centos.toa.x86_64"
    path = kernel(tmp_path, release, scripts={"%post": f"echo made >/boot/initramfs-{release}.img"})
    stock = stage.sh("rpm -qa; ls -A /boot /lib/modules; cat /etc/dnf/dnf.conf")
    wanted = {**item(path, "http://127.0.0.1:1"), "repository": False}
    tasks = [
        {"name": name, "realip.toa.toa_package": {"packages": [wanted], "state": name, "src": str(tmp_path)}}
        for name in ("present", "held")
    ]
    run = play(stage, core, *tasks)
    assert changed(run) == ["present", "held"] and f"kernel-{release}" in stage.sh("rpm -qa")
    assert "exclude=kernel" in stage.sh("cat /etc/dnf/dnf.conf")
    assert changed(play(stage, core, *tasks)) == []
    play(stage, core, {"name": "absent", "realip.toa.toa_package": {"state": "absent"}})
    assert stage.sh("rpm -qa; ls -A /boot /lib/modules; cat /etc/dnf/dnf.conf") == stock


def test_a_real_program_on_the_getpeername_hooks_blocks_with_its_name(cgroup: Path) -> None:
    attach(cgroup, b"cil_sock4_getpe", "getpeername4")
    known = facts_of(inspect_host.main({"check": False}))
    assumed = assumed_facts(ALINUX3, "5.10.134-18.al8.x86_64")
    plan = planner.decide(
        {**known, "os": assumed["os"], "kernel": assumed["kernel"], "container": ""},
        {"backends": ["vtoa"], "trusted_sources": "all"},
        catalog.load(),
    )
    assert plan["state"] == "blocked" and plan["backend"] == "vtoa"
    assert [
        reason
        for reason in plan["reasons"]
        if reason["code"] == "conflict_ebpf_getpeername" and "cil_sock4_getpe" in reason["message"]
    ]
