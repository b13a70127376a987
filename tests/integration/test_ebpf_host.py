# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_ebpf on a host: attached, kept through boots, changed, refused, detached; and what is left of it, which is nothing."""

from __future__ import annotations

import base64
import json
import os
import re
import typing as t
import zlib
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.module_utils.bpf import loader
from ansible_collections.realip.toa.plugins.module_utils.common import kernels
from ansible_collections.realip.toa.plugins.plugin_utils import ebpf_object
from ebpf_stage import EbpfStage, other_object
from sshd import VENVS, pythons

UNIT = "/etc/systemd/system/realip-toa-ebpf.service"
FILES = "/var/lib/realip-toa/ebpf"
PROGRAMS = ["realip_getopt", "realip_peer4", "realip_peer6", "realip_sockops"]
NOTHING = {
    "attached": False,
    "cgroup": "",
    "object": "",
    "option_kinds": [],
    "packets": [],
    "place": "unknown",
    "ports": [],
    "getsockopt_nat64": False,
    "trusted_sources": [],
    "getsockopt": False,
    "at_boot": "",
}
PYTHONS = pythons()


@pytest.fixture
def stage(tmp_path: Path) -> t.Iterator[EbpfStage]:
    with EbpfStage(tmp_path) as stage:
        yield stage


def host_of(stage: EbpfStage) -> tuple[dict[str, str], str, dict[str, int]]:
    """All that could be left on a host: files, pins, programs. The log is the stage's own."""
    noise = (
        "/run/systemctl.log",
        "/run/realip-toa/lock",
        "/run/realip-toa/traffic.json",
        "/run/realip-toa/traffic.json.lock",
    )
    written = {name: text for name, text in stage.written().items() if name not in noise}
    return written, stage.sh("find /sys/fs/bpf -mindepth 1 | grep -v debug"), stage.programs()


@pytest.mark.parametrize("python", PYTHONS.values(), ids=PYTHONS)
def test_there_and_back(stage: EbpfStage, python: str) -> None:
    """Check mode foretells, a second run changes nothing, and detaching leaves the host as it was; on every Python."""
    before = host_of(stage)
    wanted = {**NOTHING, "attached": True, "cgroup": stage.mount, "object": ebpf_object.DIGEST, "option_kinds": ["200/8", "253/20"], "packets": ["ack"],
              "trusted_sources": ["192.0.2.0/24"], "getsockopt": True, "at_boot": UNIT}  # fmt: skip
    args: dict[str, t.Any] = {"kinds": ["253/20", "200/8"], "trusted_sources": ["192.0.2.0/24"], "python": python}
    for check, changed in ((True, True), (False, True), (False, False), (True, False)):
        answer = stage.ebpf(**args, check=check)
        assert (answer["changed"], answer["after"]) == (changed, wanted), answer
        assert answer["before"] == (NOTHING if changed else wanted)
        if check and changed:
            assert host_of(stage) == before
    assert sorted(stage.programs()) == PROGRAMS
    for check, changed in ((True, True), (False, True), (False, False)):
        answer = stage.ebpf("detached", python=python, check=check)
        assert (answer["changed"], answer["after"]) == (changed, NOTHING)
    assert host_of(stage) == before


def test_the_module(stage: EbpfStage, core: str) -> None:
    """Options from the inventory, and refusals on the controller."""
    variables = {"toa_vendor": "alibaba_cdn", "toa_trusted_sources": "{{ ['10.0.0.0/8'] }}"}
    assert stage.module("toa_ebpf", core, variables=variables)["after"]["option_kinds"] == ["28/7", "28/19"]
    assert stage.module("toa_ebpf", core, state="status")["after"]["trusted_sources"] == ["10.0.0.0/8"]
    assert stage.module("toa_ebpf", core, option_kinds=["3/8"])["code"] == "bad_option"
    assert stage.module("toa_ebpf", core, option_kinds=["250/8"])["code"] == "unknown_format"
    assert "10.0.0.0/40" in stage.module("toa_ebpf", core, trusted_sources=["10.0.0.0/40"])["msg"]
    kept = stage.module("toa_ebpf", core, option_kinds=["200/8"])
    assert (kept["changed"], kept["after"]["trusted_sources"]) == (True, ["10.0.0.0/8"]), "left out, the list stays"
    assert stage.module("toa_ebpf", core, trusted_sources="all")["after"]["trusted_sources"] == []
    refused = stage.module("toa_ebpf", core)
    assert refused["code"] == "spoofable" and "all" in refused["remedy"], (
        "and where there is none, somebody has to choose"
    )


# ---- boots


def boot(stage: EbpfStage, command: str) -> None:
    """What a reboot leaves of it (files), and what the init then runs."""
    stage.detach_by_hand()
    stage.sh("umount /sys/fs/bpf")
    done = stage.run("sh", "-c", command)
    assert done.returncode == 0, done.stderr


def test_systemd_attaches_at_boot(stage: EbpfStage) -> None:
    stage.ebpf(trusted_sources=["192.0.2.0/24"])
    unit = stage.sh(f"cat {UNIT}")
    before = stage.ebpf("status")["after"]
    boot(stage, re.findall(r"^ExecStart=(.*)$", unit, re.M)[0])
    assert stage.ebpf("status")["after"] == before and sorted(stage.programs()) == PROGRAMS
    assert stage.sh("cat /run/systemctl.log").splitlines() == [
        "daemon-reload",
        "reload-or-restart realip-toa-ebpf.service",
        "reload-or-restart realip-toa-ebpf-watch.timer",
    ]
    stage.run("sh", "-c", re.findall(r"^ExecStop=(.*)$", unit, re.M)[0])
    assert stage.programs() == {}


def test_a_unit_that_the_init_cannot_start_is_no_success(stage: EbpfStage) -> None:
    stage.be_refused_by_the_init()
    before = host_of(stage)
    answer = stage.ebpf()
    assert answer["code"] == "unit_not_started" and "Permission denied" in answer["msg"], answer
    assert host_of(stage) == before


def test_a_host_with_cgroup_v1_alone_gets_a_mount_of_v2(stage: EbpfStage) -> None:
    """Nothing is attached in here: it would be to the whole machine. `mount` is what the unit runs first."""
    stage.put("/run/loader.sh", loader.SCRIPT_TEXT, 0o755)
    mounts = "grep ' cgroup2 ' /proc/mounts | cut -d' ' -f2"
    assert stage.sh(f"for point in $({mounts}); do umount -l $point; done; {mounts}") == ""
    assert stage.sh(f"/bin/sh /run/loader.sh mount && {mounts}").strip() == kernels.OWN_CGROUP2
    assert stage.sh(f"/bin/sh /run/loader.sh mount && {mounts}").strip() == kernels.OWN_CGROUP2, "once"
    facts = stage.target("programs.facts")["ebpf"]
    assert facts["cgroup2"] == kernels.OWN_CGROUP2
    assert stage.sh("stat -c %a /run/realip-toa").strip() == "700"
    stage.sh(f"umount {kernels.OWN_CGROUP2}")
    assert stage.target("programs.facts")["ebpf"]["cgroup2"] == kernels.OWN_CGROUP2, (
        "it is where the loader will mount it"
    )


RC_LOCAL = "#!/bin/sh -e\n# rc.local\n\necho started >>/run/rc.log\nexit 0\n"


@pytest.fixture
def sysvinit(stage: EbpfStage) -> EbpfStage:
    stage.sh(
        "rm -rf /run/systemd /etc/rc.local; mkdir -p /etc/init.d /etc/rc2.d; : >/etc/inittab; : >/etc/init.d/rc.local"
    )
    return stage


@pytest.mark.parametrize("text", [RC_LOCAL, ""], ids=["rc.local", "no rc.local"])
def test_rc_local_attaches_where_there_is_no_systemd(sysvinit: EbpfStage, text: str) -> None:
    stage = sysvinit
    if text:
        stage.sh(f"printf '%s' '{text}' >/etc/rc.local; chmod 755 /etc/rc.local")
    before = host_of(stage)
    answer = stage.ebpf()
    assert answer.get("after", answer)["at_boot"] == "/etc/rc.local"
    assert stage.ebpf()["changed"] is False
    boot(stage, "/etc/rc.local")
    assert stage.ebpf("status")["after"] == answer["after"]
    if text:
        assert stage.sh("cat /run/rc.log") == "started\n"
    assert stage.target("programs.persistence", name="toa", state="absent")["changed"] is False, (
        "what attaches the programs is not toa_persistence's"
    )
    stage.ebpf("detached")
    after = host_of(stage)
    after[0].pop("/run/rc.log", None)
    assert after == before


def test_an_rc_local_that_was_changed_since_loses_only_our_line(sysvinit: EbpfStage) -> None:
    sysvinit.sh(f"printf '%s' '{RC_LOCAL}' >/etc/rc.local; chmod 755 /etc/rc.local")
    sysvinit.ebpf()
    sysvinit.sh("sed -i 's/started/STARTED/' /etc/rc.local")
    sysvinit.ebpf("detached")
    assert sysvinit.sh("cat /etc/rc.local") == RC_LOCAL.replace("started", "STARTED")


def test_no_place_to_attach_from_at_boot(sysvinit: EbpfStage) -> None:
    sysvinit.sh("rm -f /etc/init.d/rc.local /etc/inittab; rm -rf /etc/rc*.d /etc/init.d")
    refused(sysvinit, "no_persistence")


# ---- bad input: a code, a remedy, an untouched host


def refused(stage: EbpfStage, code: str, words: str = "", **args: t.Any) -> dict[str, t.Any]:
    before = host_of(stage)
    for check in (True, False):
        answer = stage.ebpf(**args, check=check)
        if not check or answer.get("failed"):
            assert (answer.get("code"), bool(answer.get("remedy"))) == (code, True), answer
            assert words in answer["msg"]
    assert host_of(stage) == before
    return answer


KERNEL_5_9 = "import os; real = os.uname(); os.uname = lambda: real[:2] + ('5.9.0-1-amd64',) + real[3:]\n"


def test_an_old_kernel(stage: EbpfStage) -> None:
    refused(stage, "kernel_too_old", "5.9.0-1-amd64", before=KERNEL_5_9)


def test_a_big_endian_host(stage: EbpfStage) -> None:
    refused(stage, "arch_not_supported", before="import sys; sys.byteorder = 'big'\n")


def cut_short() -> str:
    """An object that no kernel takes."""
    return base64.b64encode(zlib.compress(b"\x7fELF" + ebpf_object.OBJECT[4:2000])).decode()


def test_lockdown(stage: EbpfStage) -> None:
    stage.sh(
        "mount -t tmpfs none /sys/kernel/security; echo 'none integrity [confidentiality]' >/sys/kernel/security/lockdown"
    )
    refused(stage, "lockdown", "confidentiality", object=cut_short())
    assert stage.ebpf()["after"]["attached"], "where the kernel does not mind, neither do we"


def test_a_kernel_without_types_of_its_own(stage: EbpfStage) -> None:
    """A kernel without BTF refuses our own object, as this one refuses what is cut short."""
    stage.sh("mount -t tmpfs none /sys/kernel/btf")
    refused(stage, "no_btf", "/sys/kernel/btf/vmlinux", object=cut_short())


def test_no_cgroup2(stage: EbpfStage) -> None:
    # Nor does its kernel have one: it would be mounted, and attached to by the whole machine.
    stage.sh("grep -v cgroup2 /proc/filesystems >/run/filesystems; mount --bind /run/filesystems /proc/filesystems")
    stage.sh("while point=$(grep -m1 ' cgroup2 ' /proc/mounts); do set -- $point; umount -l $2; done")
    assert stage.sh("grep ' cgroup2 ' /proc/mounts; grep cgroup2 /proc/filesystems") == ""
    answer = stage.ebpf(inside=False)
    assert (answer["code"], bool(answer["remedy"])) == ("no_cgroup2", True)


@pytest.mark.parametrize("cgroup", ["/sys/fs/cgroup/memory", "/tmp", "/nowhere"])
def test_a_folder_that_is_no_cgroup2(stage: EbpfStage, cgroup: str) -> None:
    refused(stage, "no_cgroup2", cgroup, cgroup=cgroup)


def test_a_cgroup_that_no_shell_should_read(stage: EbpfStage) -> None:
    refused(stage, "bad_option", cgroup="/sys/fs/cgroup/$(reboot)")


def test_a_kernel_without_bpffs(stage: EbpfStage) -> None:
    stage.sh("grep -v bpf /proc/filesystems >/run/filesystems; mount --bind /run/filesystems /proc/filesystems")
    refused(stage, "no_bpffs")


def test_bpffs_that_is_not_mounted_is_mounted(stage: EbpfStage) -> None:
    stage.sh("umount /sys/fs/bpf")
    assert stage.ebpf()["after"]["attached"] is True


def test_no_bpftool(stage: EbpfStage) -> None:
    stage.sh("rm -f /usr/sbin/bpftool")
    refused(stage, "bpftool_missing")


def test_a_bpftool_that_is_too_old(stage: EbpfStage) -> None:
    stage.sh(
        "rm -f /usr/sbin/bpftool; printf '#!/bin/sh\\necho bpftool v5.4.1\\n' >/usr/sbin/bpftool; chmod 755 /usr/sbin/bpftool"
    )
    refused(stage, "bpftool_too_old", "5.4")


def test_a_bpftool_for_another_kernel(stage: EbpfStage) -> None:
    """Ubuntu's script that finds no tools for the running kernel."""
    stage.sh(
        "rm -f /usr/sbin/bpftool; printf '#!/bin/sh\\necho bpftool not found for kernel 6\\nexit 2\\n' >/usr/sbin/bpftool; chmod 755 /usr/sbin/bpftool"
    )
    refused(stage, "bpftool_missing", "not found for kernel")


def test_ubuntus_bpftool_after_a_kernel_update(stage: EbpfStage) -> None:
    """A script wants the one of the running kernel, whose tools have not come; the one of the kernel before is still there."""
    stage.sh(
        "path=$(readlink -f $(command -v bpftool)) && mkdir -p /usr/lib/linux-tools/5.15.0-91-generic &&"
        " mv $path /usr/lib/linux-tools/5.15.0-91-generic/bpftool &&"
        " printf '#!/bin/sh\\necho bpftool not found for kernel 6 >&2\\nexit 2\\n' >$path && chmod 755 $path"
    )
    assert stage.ebpf()["after"]["attached"]
    stage.detach_by_hand()
    stage.sh("/bin/sh /var/lib/realip-toa/ebpf/loader.sh attach")
    assert stage.ebpf("status")["after"]["attached"]


def test_bpftool_is_installed_where_that_is_allowed_and_removed_with_the_rest(stage: EbpfStage) -> None:
    """From a repository on the stage, with the machine's own apt."""
    stage.sh(
        "mkdir -p /run/repo/bpftool/usr/sbin /run/repo/bpftool/DEBIAN && mv /usr/sbin/bpftool /run/repo/bpftool/usr/sbin/ &&"
        "printf 'Package: bpftool\\nVersion: 99\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\n' >/run/repo/bpftool/DEBIAN/control &&"
        "dpkg --force-all --purge bpftool; cd /run/repo && dpkg-deb -b bpftool bpftool.deb && dpkg-scanpackages . >Packages &&"
        "rm -rf bpftool /etc/apt/sources.list.d/* /etc/apt/sources.list && echo 'deb [trusted=yes] file:/run/repo ./' >/etc/apt/sources.list"
    )
    before = host_of(stage)
    answer = stage.ebpf(install_bpftool=True, check=True)
    assert answer["changed"] and answer["notes"] == ["installs bpftool"] and host_of(stage) == before
    answer = stage.ebpf(install_bpftool=True)
    assert answer.get("changed") and answer["after"]["attached"], answer
    assert stage.ebpf(install_bpftool=True)["changed"] is False
    assert stage.ebpf("detached")["changed"]
    assert (
        stage.sh("command -v bpftool; ls /var/lib/realip-toa")
        == "ls: cannot access '/var/lib/realip-toa': No such file or directory\n"
    )
    stage.sh("rm -f /run/repo/Packages; : >/run/repo/Packages; apt-get update")
    assert stage.ebpf(install_bpftool=True)["code"] == "bpftool_missing"


def test_an_object_that_the_kernel_does_not_take(stage: EbpfStage) -> None:
    broken = cut_short()
    refused(stage, "load_failed", object=broken)


# ---- others on the hooks


def test_others_on_the_getpeername_hooks(stage: EbpfStage) -> None:
    stage.attach_foreign("getpeername4", "multi")
    refused(stage, "conflict_ebpf_getpeername", "getpeername4: cil_peer4")
    answer = stage.ebpf(accept_conflicts=True)
    assert answer["after"]["attached"] and "cil_peer4" in answer["notes"][0]
    stage.ebpf("detached")
    assert list(stage.programs()) == ["cil_peer4"]


def test_the_boot_loader_refuses_them_too(stage: EbpfStage) -> None:
    stage.ebpf()
    stage.detach_by_hand()
    stage.attach_foreign("getpeername4", "multi")
    done = stage.run("sh", f"{FILES}/loader.sh", "attach")
    assert done.returncode == 1 and done.stderr.startswith("conflict_ebpf_getpeername: ") and "cil_peer4" in done.stderr
    assert list(stage.programs()) == ["cil_peer4"]


def test_a_hook_that_is_held_exclusively(stage: EbpfStage) -> None:
    """sock_ops comes last, so that all the others have to be taken back."""
    stage.attach_foreign("sock_ops", "")
    refused(stage, "attach_refused", "sock_ops")


def test_what_fails_leaves_what_was_attached_before(stage: EbpfStage) -> None:
    stage.ebpf(trusted_sources=["10.0.0.0/8"])
    before = host_of(stage)
    broken = cut_short()
    assert stage.ebpf(kinds=["254/8"], object=broken, trusted_sources=["192.0.2.0/24"])["code"] == "load_failed"
    assert host_of(stage) == before
    state = stage.ebpf("status")["after"]
    assert (state["option_kinds"], state["trusted_sources"]) == (["200/8"], ["10.0.0.0/8"])


# ---- upgrades


def test_an_upgrade_shares_the_maps(stage: EbpfStage) -> None:
    stage.ebpf(trusted_sources=["192.0.2.0/24"])
    stage.crafted([("c8081092cb007107",)])
    before = stage.programs()
    answer = stage.ebpf(trusted_sources=["192.0.2.0/24"], object=other_object())
    assert answer["changed"] and answer["before"]["object"] != answer["after"]["object"]
    after = stage.programs()
    assert sorted(after) == PROGRAMS and not set(before.values()) & set(after.values())
    assert answer["counters"]["translated"] == 1
    assert [name.split("-")[0] for name in stage.sh("ls /sys/fs/bpf/realip-toa").split()] == [answer["after"]["object"]]


def test_a_smaller_cgroup(stage: EbpfStage) -> None:
    """Only its processes see clients; moving on to another one leaves nothing behind."""
    stage.run("mkdir", f"{stage.mount}/one", f"{stage.mount}/two")
    try:
        assert stage.ebpf(cgroup=f"{stage.mount}/one")["after"]["cgroup"] == f"{stage.mount}/one"
        assert stage.programs() == {} and sorted(stage.programs(f"{stage.mount}/one")) == PROGRAMS
        stage.ebpf(cgroup=f"{stage.mount}/two")
        assert stage.programs(f"{stage.mount}/one") == {} and sorted(stage.programs(f"{stage.mount}/two")) == PROGRAMS
        facts = stage.target("programs.facts")["ebpf"]
        assert facts["complete"] and facts["object"] == ebpf_object.DIGEST
        stage.ebpf("detached")
        assert stage.programs(f"{stage.mount}/two") == {}
    finally:
        stage.run("rmdir", f"{stage.mount}/one", f"{stage.mount}/two")


# ---- the whole way


def player(stage: EbpfStage, core: str, folder: Path) -> t.Callable[..., dict[str, t.Any]]:
    """Runs a playbook for the stage, and gives its entry of the report."""
    variables = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3", "toa_vendor": "tencent", "toa_backends": ["ebpf"],
                 "toa_trusted_sources": ["10.0.0.0/8"], "toa_report_dir": str(folder / "reports")}  # fmt: skip
    (folder / "inventory.yml").write_text(json.dumps({"all": {"hosts": {"web": variables}}}))

    def play(name: str, ends_well: bool = True) -> dict[str, t.Any]:
        words = [VENVS / core / "bin/ansible-playbook", "-i", folder / "inventory.yml", f"realip.toa.{name}"]
        done = stage.run(*words, env=dict(os.environ, ANSIBLE_NOCOLOR="1"))
        assert (done.returncode == 0) is ends_well, done.stdout + done.stderr
        return json.loads((folder / "reports" / f"{name}.json").read_text())["hosts"][0]

    return play


def test_verify_fails_where_the_programs_are_gone(stage: EbpfStage, core: str, tmp_path: Path) -> None:
    """Detached, and where the host has no cgroup v2 any more, so that no backend suits it: neither is a host in order."""
    play = player(stage, core, tmp_path)
    assert play("rollout")["state"] == "proved" and play("verify")["state"] == "converged"
    stage.detach_by_hand()
    gone = play("verify", ends_well=False)
    assert gone["state"] == "pending" and gone["verdict"] != "translating", gone
    assert play("rollout")["state"] == "proved" and play("verify")["state"] == "converged"
    stage.detach_by_hand()
    # As on a host that was booted with systemd.unified_cgroup_hierarchy=0.
    done = stage.run("sh", "-c", f"mount -t tmpfs none {stage.mount}", inside=False)
    assert done.returncode == 0, done.stderr
    gone = play("verify", ends_well=False)
    assert gone["state"] == "unsupported" and gone["verdict"] != "translating", gone
    assert "ebpf_impossible" in {reason["code"] for reason in gone["reasons"]}, gone


def test_rollout_verify_and_removal(stage: EbpfStage, core: str, tmp_path: Path) -> None:
    before = host_of(stage)
    play = player(stage, core, tmp_path)
    assert (play("plan")["state"], sorted(stage.programs())) == ("pending", [])
    done = play("rollout")
    assert (done["state"], done["backend"], done["verdict"]) == ("proved", "ebpf", "translating")
    assert play("rollout")["state"] == "converged" and play("verify")["verdict"] == "translating"
    assert play("remove")["state"] == "removed"
    assert host_of(stage) == before
