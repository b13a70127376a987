# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""vtoa from the look at a host to the plan: made-up file systems of Alibaba Cloud Linux 3 go through inspect_host, facts and planner."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.action import toa_probe
from ansible_collections.realip.toa.plugins.module_utils.inspection import ebpf as look_at_ebpf
from ansible_collections.realip.toa.plugins.module_utils.programs import facts as inspect_host
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog
from ansible_collections.realip.toa.plugins.plugin_utils.facts.assumed import assumed_facts
from ansible_collections.realip.toa.plugins.plugin_utils.facts.build import facts_of, probe_of
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.wanted_packages import wanted_packages
from ansible_collections.realip.toa.plugins.plugin_utils.planner import decide as planner
from ansible_collections.realip.toa.plugins.plugin_utils.planner import removal

ROOT = Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT / "tests" / "unit" / "target"))

from fake_hosts import EXECUTABLE, FOLDER, LINK, SYSTEMD, build, kernel  # noqa: E402

VECTORS = ROOT / "tests" / "unit" / "vectors"
CATALOG = catalog.load()
RELEASE = "5.10.134-18.al8.x86_64"

CGROUP1 = (
    "/dev/vda1 / ext4 rw 0 0\ntmpfs /sys/fs/cgroup tmpfs ro 0 0\ncgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"
)
ALINUX3 = {
    **SYSTEMD,
    "/etc/os-release": (VECTORS / "os-release" / "alinux-3").read_text(encoding="utf-8"),
    "/etc/redhat-release": "Alibaba Cloud Linux release 3 (OpenAnolis Edition)\n",
    "/var/lib/rpm/Packages": "db",
    "/proc/mounts": CGROUP1,
    "/run/systemd/units": (FOLDER, ""),
    "/usr/lib/systemd/system/loadmodules.service": "[Service]\nExecStart=/usr/libexec/loadmodules\n",
    "/usr/lib/systemd/system/basic.target.wants/loadmodules.service": (LINK, "../loadmodules.service"),
}
UNIT = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/sbin/modprobe vtoa\nExecStop=/usr/sbin/modprobe -r vtoa\n"
INSTALLED = {"/usr/lib/systemd/system/vtoa.service": UNIT}
ENABLED = {"/etc/systemd/system/multi-user.target.wants/vtoa.service": (LINK, "/usr/lib/systemd/system/vtoa.service")}
ACTIVE = {"/run/systemd/units/invocation:vtoa.service": (LINK, "0123")}
LOADED = {
    "/proc/modules": "vtoa 1 0 - Live 0x0\nhookers 1 1 vtoa, Live 0x0\n",
    "/proc/net/vtoa_stats": "syn_recv_sock_toa : 1 2\n",
}
UP = {**INSTALLED, **ENABLED, **ACTIVE, **LOADED}
RECIPE = {"/etc/sysconfig/modules/vtoa.modules": (EXECUTABLE, "#!/bin/bash\nmodprobe vtoa > /dev/null 2>&1\n")}
PROOF = {
    "verdict": "translating", "reason": "", "option_kinds": ["254/8", "253/20"],
    "capabilities": {"getpeername": True, "getsockopt_1348": True, "ipv6": True},
}  # fmt: skip


def look(folder, *layers, release=RELEASE):
    """Facts of a host with these files."""
    uname = ("Linux", "web", release, "#1 SMP", release.split("+")[0].rsplit(".", 1)[-1])
    root = build(folder, ALINUX3, kernel(release), *layers)
    return facts_of(inspect_host.main({"root": root, "uname": uname, "check": False}))


def decide(known, probe=None, **policy):
    return planner.decide(known, {"trusted_sources": "all", **policy}, CATALOG, None, probe_of(probe))


def codes(plan, severity="block"):
    return {item["code"] for item in plan["reasons"] if item["severity"] == severity}


# ---- states of a host


def test_a_stock_host(tmp_path):
    plan = decide(look(tmp_path))
    assert (plan["state"], plan["backend"], plan["module"], plan["service"], plan["reboot"]) == (
        "pending",
        "vtoa",
        "vtoa",
        "vtoa",
        False,
    )
    assert (
        plan["steps"][0] == "install vtoa from the repositories of Alibaba Cloud Linux" and plan["kernel_target"] == ""
    )
    (package,) = plan["packages"]
    assert (package["name"], package["repository"], package["format"], package["file"]) == ("vtoa", True, "rpm", "")
    assert plan["capabilities"] == {"getpeername": True, "getsockopt_1348": True, "ipv6": True}


def test_a_host_that_is_done(tmp_path):
    plan = decide(look(tmp_path, UP), PROOF)
    assert (plan["state"], plan["steps"], plan["backend"]) == ("converged", [], "vtoa")


@pytest.mark.parametrize(
    "layers, steps",
    [
        ([INSTALLED], ["start vtoa", "enable vtoa at boot"]),
        ([INSTALLED, ENABLED], ["start vtoa"]),
        ([INSTALLED, ACTIVE, LOADED], ["enable vtoa at boot"]),
        ([INSTALLED, ENABLED, ACTIVE], ["restart the service of vtoa"]),
        ([UP, RECIPE], ["take vtoa out of /etc/sysconfig/modules/vtoa.modules"]),
        ([LOADED], ["enable vtoa at boot"]),
    ],
)
def test_what_is_missing_becomes_a_step(tmp_path, layers, steps):
    plan = decide(look(tmp_path, *layers), PROOF)
    assert (plan["state"], plan["backend"]) == ("pending", "vtoa")
    assert plan["steps"] == [*steps, "prove that clients named in 254/8 and 253/20 show up"]
    assert plan["packages"][0]["name"] == "vtoa"


def test_a_unit_that_runs_once_is_judged_by_its_module(tmp_path):
    once = {"/usr/lib/systemd/system/vtoa.service": UNIT.replace("RemainAfterExit=yes\n", "")}
    assert decide(look(tmp_path, once, ENABLED, LOADED), PROOF)["state"] == "converged"
    assert decide(look(tmp_path / "off", once, ENABLED), PROOF)["steps"][0] == "restart the service of vtoa"


def test_a_script_of_system_v(tmp_path):
    script = {
        "/etc/rc.d/init.d/vtoa": (EXECUTABLE, "#!/bin/sh\nmodprobe vtoa\n"), "/etc/rc.d/rc3.d/S50vtoa": (LINK, "../init.d/vtoa"),
        "/run/systemd/generator.late/vtoa.service": "[Service]\nType=forking\nExecStart=/etc/rc.d/init.d/vtoa start\n",
    }  # fmt: skip
    assert decide(look(tmp_path, script, ACTIVE, LOADED), PROOF)["state"] == "converged"


def test_a_module_that_is_loaded_and_dead(tmp_path):
    dead = {**UP, "/proc/net/vtoa_stats": None}
    assert codes(decide(look(tmp_path, dead))) == {"module_inert"}


# ---- kernels, each as the kernel of a machine with that file system


ROWS = [line.split("\t") for line in (VECTORS / "kernels.tsv").read_text(encoding="utf-8").splitlines()[1:]]


@pytest.mark.parametrize("row", [row for row in ROWS if row[0] == "alinux-3"], ids=lambda row: row[1])
def test_a_dressed_machine_gets_the_plan_of_assume(tmp_path, row):
    name, release, arch, getpeername, getsockopt = row[:5]
    # Its kernel has cgroup v2, which nobody mounts.
    plan = decide(
        look(tmp_path, {"/proc/filesystems": "nodev\tcgroup2\n", "/sys/fs/bpf": (FOLDER, "")}, release=release)
    )
    assumed = decide(assumed_facts((VECTORS / "os-release" / name).read_text(encoding="utf-8"), release, arch))
    same = (
        "state",
        "backend",
        "steps",
        "packages",
        "service",
        "capabilities",
        "option_kinds",
        "reboot",
        "kernel_target",
    )
    assert {key: plan[key] for key in same} == {key: assumed[key] for key in same}
    assert (codes(plan), plan["remedy"]) == (codes(assumed), assumed["remedy"])
    # Where vtoa is not for the kernel, the eBPF programs are; they answer getsockopt as well.
    assert (plan["state"], plan["backend"]) == ("pending", "vtoa" if getpeername == "yes" else "ebpf")
    assert plan["capabilities"]["getsockopt_1348"] is (getsockopt == "yes" or plan["backend"] == "ebpf")


@pytest.mark.parametrize(
    "release, promised, seen, state, code",
    [
        ("5.10.134-16.3.al8.x86_64", False, False, "converged", None),
        ("5.10.134-16.3.al8.x86_64", False, True, "converged", None),
        ("5.10.134-18.al8.x86_64", True, True, "converged", None),
        ("5.10.134-18.al8.x86_64", True, False, "blocked", "partial"),
        ("5.10.134-18.al8.x86_64", True, None, "converged", None),
    ],
)
def test_getsockopt_is_asked_for_where_the_kernel_promises_it(tmp_path, release, promised, seen, state, code):
    proof = {**PROOF, "capabilities": {**PROOF["capabilities"], "getsockopt_1348": seen}}
    plan = decide(look(tmp_path, UP, release=release), proof)
    assert plan["capabilities"]["getsockopt_1348"] is promised
    assert plan["state"] == state and (code is None or "1348" in plan["reasons"][0]["message"])


def test_the_proof_of_a_rollout_asks_for_what_the_plan_promises(monkeypatch):
    def verdict(promised, seen):
        action = object.__new__(toa_probe.ActionModule)
        promises = {"getpeername": True, "getsockopt_1348": promised, "ipv6": True}
        monkeypatch.setattr(action, "options", lambda *_: {"require": True, "capabilities": promises}, raising=False)
        proof = {**PROOF, "capabilities": {"getpeername": True, "getsockopt_1348": seen, "ipv6": False}}
        try:
            action.finish({"probe": proof}, {})
        except toa_probe.ToaError as problem:
            return problem.result["code"]
        return "proved"

    assert verdict(True, True) == verdict(False, False) == verdict(False, True) == "proved"
    assert verdict(True, False) == "capability_missing"


# ---- the warnings of the document


def test_another_program_on_the_getpeername_hooks(tmp_path, monkeypatch):
    def programs(look, found):
        found["foreign"].append(
            {"hook": "getpeername4", "id": 7, "name": "cil_sock4_getpe", "cgroup": "/run/cilium/cgroupv2"}
        )
        return ""

    monkeypatch.setattr(look_at_ebpf, "_programs", programs)
    cilium = {
        "/proc/mounts": CGROUP1 + "none /run/cilium/cgroupv2 cgroup2 rw 0 0\n",
        "/sys/fs/bpf": (FOLDER, ""),
        "/run/cilium": (FOLDER, ""),
    }
    known = look(tmp_path, cilium)
    plan = decide(known)
    assert (plan["state"], plan["backend"], codes(plan)) == ("blocked", "vtoa", {"conflict_ebpf_getpeername"})
    assert "cil_sock4_getpe (getpeername4)" in plan["reasons"][0]["message"] and "Cilium" in plan["remedy"]
    assert "cilium_present" in codes(plan, "warning")
    allowed = decide(known, accept=["conflicts"])
    assert allowed["state"] == "pending" and "conflict_ebpf_getpeername" in codes(allowed, "warning")


@pytest.mark.parametrize("sign", ["/run/cilium", "/sys/fs/bpf/cilium"])
def test_cilium_is_a_warning_where_it_does_not_touch_getpeername(tmp_path, sign):
    plan = decide(look(tmp_path, {sign: (FOLDER, "")}))
    assert plan["state"] == "pending" and "cilium_present" in codes(plan, "warning")
    assert any(sign in item["message"] for item in plan["reasons"])


def test_two_modules_at_once(tmp_path):
    known = look(
        tmp_path,
        UP,
        {"/proc/modules": LOADED["/proc/modules"] + "toa 1 0 - Live 0x0\n", "/proc/net/toa_stats": "x : 1\n"},
    )
    plan = decide(known, PROOF)
    assert (plan["state"], codes(plan)) == ("blocked", {"conflict_toa_module"})
    assert "toa" in plan["reasons"][0]["message"]


@pytest.mark.parametrize(
    "inside, name",
    [
        ({"/run/systemd/container": "docker\n"}, "docker"),
        (
            {
                "/proc/self/ns/pid": (LINK, "pid:[4026532201]"),
                "/proc/2/stat": None,
                "/proc/1/cgroup": "12:pids:/kubepods/burstable/pod1/ctr\n",
            },
            "kubernetes",
        ),
    ],
)
def test_inside_a_container(tmp_path, inside, name):
    plan = decide(look(tmp_path, inside))
    assert (plan["state"], codes(plan)) == ("blocked", {"inside_container"})
    assert name in plan["reasons"][0]["message"] and "install on the host" in plan["remedy"]


def test_a_host_of_containers_is_a_host(tmp_path):
    runs_some = {
        "/var/lib/containerd": (FOLDER, ""), "/run/containerd/containerd.sock": "", "/proc/1/cgroup": "1:name=systemd:/init.scope\n",
        "/proc/self/cgroup": "1:name=systemd:/user.slice\n", "/var/lib/kubelet": (FOLDER, ""),
    }  # fmt: skip
    known = look(tmp_path, runs_some)
    assert known["container"] == "" and decide(known)["state"] == "pending"


# ---- the way back


def test_removal(tmp_path):
    plan = removal.decide(look(tmp_path, UP), {}, CATALOG)
    assert (plan["state"], plan["service"], plan["module"], plan["reboot"]) == ("pending", "vtoa", "vtoa", False)
    assert plan["steps"] == ["stop vtoa and start it no more at boot", "unload vtoa", "remove vtoa"]
    assert [(package["name"], package["repository"]) for package in plan["packages"]] == [("vtoa", True)]


def test_removal_after_a_package_that_lost_its_unit(tmp_path):
    state = '{"packages": {"installed": {"vtoa": {"file": "", "repository": true, "version": ""}}}, "schema": 1}'
    plan = removal.decide(look(tmp_path, {"/var/lib/realip-toa/state.json": state}), {}, CATALOG)
    assert plan["service"] == "" and [package["name"] for package in plan["packages"]] == ["vtoa"]


def test_nothing_to_remove(tmp_path):
    assert removal.decide(look(tmp_path), {}, CATALOG)["state"] == "converged"


def test_an_rpm_kernel_is_removed_once_although_record_and_catalog_know_it(tmp_path):
    release = "3.10.0-693.el7.centos.toa.x86_64"
    record = f'{{"packages": {{"installed": {{"kernel-{release}": {{"file": "kernel-{release}.rpm", "release": "{release}", "role": "image"}}}}}}}}'
    centos = {
        "/etc/os-release": (VECTORS / "os-release" / "centos-7").read_text(encoding="utf-8"),
        "/var/lib/realip-toa/state.json": record,
    }
    known = look(tmp_path, centos, kernel(release), release="3.10.0-1160.el7.x86_64")
    plan = removal.decide(known, {}, CATALOG)
    assert [package["file"] for package in plan["packages"]] == [f"kernel-{release}.rpm"]


def test_a_lock_file_has_no_place_for_packages_of_repositories(tmp_path):
    plan = decide(look(tmp_path))
    assert wanted_packages({"web": {"__toa": {"plan": plan}}}, "") == []
