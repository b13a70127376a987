# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at a host, on folders that look like one. Nothing in here asks the machine the tests run on, but where a test says so."""

from __future__ import absolute_import, division, print_function

import json
import os
import subprocess
import sys

import fake_hosts
import pytest
from ansible_collections.realip.toa.plugins.module_utils.bootloader import detect as boot_loader
from ansible_collections.realip.toa.plugins.module_utils.host import io as hostio
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import parse_counters, toa_files
from ansible_collections.realip.toa.plugins.module_utils.programs import facts as inspect_host
from fake_hosts import (
    CENTOS6,
    CENTOS7,
    DEBIAN8,
    EXECUTABLE,
    FOLDER,
    LINK,
    MACHINE_ID,
    ROCKY9,
    UBUNTU1604,
    debian_cfg,
    grubenv,
    kernel,
    menuentry,
    mountinfo,
)

KERNELS = {
    "ubuntu1604": "4.4.0-210-generic",
    "debian8": "3.16.0-11-amd64",
    "centos7": "3.10.0-1160.119.1.el7.x86_64",
    "centos6": "2.6.32-754.35.1.el6.x86_64",
    "rocky9": "5.14.0-284.30.1.el9_2.x86_64",
}
HOSTS = {"ubuntu1604": UBUNTU1604, "debian8": DEBIAN8, "centos7": CENTOS7, "centos6": CENTOS6, "rocky9": ROCKY9}


def look(folder, name, *layers, **options):
    root = fake_hosts.build(folder, HOSTS[name], *layers)
    release = options.get("release", KERNELS[name])
    return inspect_host.main({"check": False, "root": root, "uname": ("Linux", "h", release, "#1 SMP", "x86_64")})


KEYS = set(
    (
        "changed os_files uname package_manager python init boot kernels modules counters ebpf persistence service security build container "
        "conflicts firewall held drift state unread"
    ).split()
)


@pytest.mark.parametrize("name", sorted(HOSTS))
def test_every_host_gives_every_key_and_nothing_is_unread(tmpdir, name):
    facts = look(tmpdir, name)
    assert set(facts) == KEYS
    assert facts["unread"] == []
    assert facts["uname"] == {"sysname": "Linux", "release": KERNELS[name], "version": "#1 SMP", "machine": "x86_64"}
    json.dumps(facts)


def test_no_command_is_run_and_nothing_is_written(tmpdir, monkeypatch):
    def refuse(*unused, **unused_too):
        raise AssertionError("a look at a host runs no command")

    monkeypatch.setattr(hostio, "run", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(os, "system", refuse)
    monkeypatch.setattr(os, "fork", refuse)
    root = fake_hosts.build(tmpdir, UBUNTU1604)
    before = tree(root)
    assert inspect_host.main({"check": True, "root": root})["unread"] == []
    assert tree(root) == before


def tree(root):
    found = []
    for folder, folders, files in os.walk(root):
        found.extend(
            (os.path.join(folder, name), os.lstat(os.path.join(folder, name)).st_mtime) for name in folders + files
        )
    return sorted(found)


@pytest.mark.parametrize(
    "name, manager, init, files",
    [
        ("ubuntu1604", "deb", "systemd", ["/etc/debian_version", "/etc/lsb-release", "/etc/os-release"]),
        ("debian8", "deb", "systemd", ["/etc/debian_version", "/etc/os-release"]),
        ("centos7", "rpm", "systemd", ["/etc/centos-release", "/etc/os-release", "/etc/redhat-release"]),
        ("centos6", "rpm", "upstart", ["/etc/centos-release", "/etc/redhat-release", "/etc/system-release"]),
        ("rocky9", "rpm", "systemd", ["/etc/os-release", "/etc/redhat-release"]),
    ],
)
def test_what_it_is(tmpdir, name, manager, init, files):
    facts = look(tmpdir, name)
    assert (facts["package_manager"], facts["init"], sorted(facts["os_files"])) == (manager, init, files)


def test_release_files_are_capped(tmpdir):
    facts = look(tmpdir, "debian8", {"/etc/os-release": "ID=debian\n" + "#" * 10000})
    assert len(facts["os_files"]["/etc/os-release"]) == 4096


@pytest.mark.parametrize(
    "layer, manager",
    [
        ({"/var/lib/rpm/Packages": "db"}, "deb"),  # Debian with the tool rpm
        ({"/var/lib/rpm/Packages": "db", "/etc/os-release": 'ID="centos"\nID_LIKE="rhel fedora"\n'}, "rpm"),
        (
            {
                "/var/lib/rpm/Packages": "db",
                "/etc/os-release": None,
                "/etc/redhat-release": "CentOS release 6.10 (Final)\n",
            },
            "rpm",
        ),
        ({"/var/lib/dpkg/status": ""}, "none"),
        ({"/var/lib/dpkg/status": None, "/usr/lib/sysimage/rpm/rpmdb.sqlite": "db"}, "rpm"),
    ],
)
def test_package_manager(tmpdir, layer, manager):
    assert look(tmpdir, "debian8", layer)["package_manager"] == manager


# -- boot


@pytest.mark.parametrize(
    "name, loader, config, default",
    [
        ("ubuntu1604", "grub2", "/boot/grub/grub.cfg", "4.4.87.toa"),
        ("debian8", "grub2", "/boot/grub/grub.cfg", "3.16.0-11-amd64"),
        ("centos7", "grub2", "/boot/grub2/grub.cfg", "3.10.0-693.el7.centos.toa.x86_64"),
        ("rocky9", "grub2_bls", "/boot/grub2/grub.cfg", "5.14.0-284.30.1.el9_2.x86_64"),
        ("centos6", "grub_legacy", "/boot/grub/grub.conf", "2.6.32-754.35.1.el6.x86_64"),
    ],
)
def test_boot_loaders(tmpdir, name, loader, config, default):
    boot = look(tmpdir, name)["boot"]
    one_shot = name != "centos6"
    assert (boot["loader"], boot["config"], boot["default"], boot["next"]) == (loader, config, default, None)
    assert (boot["env_writable"], boot["one_shot"], bool(boot["reason"])) == (one_shot, one_shot, not one_shot)
    assert boot["free_kib"] > 0


def test_boot_id(tmpdir):
    assert look(tmpdir, "debian8")["boot"]["boot_id"] == "5e0c2ad3-0001-4e4e-9a4f-000000000001"


def test_an_armed_kernel_is_next(tmpdir):
    spec = "gnulinux-advanced-2c1f>gnulinux-%s-advanced-2c1f"
    env = grubenv(saved_entry=spec % "4.4.0-210-generic", next_entry=spec % "4.4.87.toa")
    config = debian_cfg(["4.4.87.toa", "4.4.0-210-generic"], "${saved_entry}")
    boot = look(tmpdir, "ubuntu1604", {"/boot/grub/grub.cfg": config, "/boot/grub/grubenv": env})["boot"]
    assert (boot["default"], boot["next"]) == ("4.4.0-210-generic", "4.4.87.toa")


def test_a_saved_bls_entry(tmpdir):
    boot = look(
        tmpdir, "rocky9", {"/boot/grub2/grubenv": grubenv(saved_entry=MACHINE_ID + "-5.14.0-70.30.1.el9_0.x86_64")}
    )["boot"]
    assert boot["default"] == "5.14.0-70.30.1.el9_0.x86_64"


ON_LVM = {"/proc/self/mountinfo": mountinfo(("253:0", "/", "ext4", "rw")), "/sys/dev/block/253:0/dm/uuid": "LVM-wYz\n"}


@pytest.mark.parametrize(
    "layer, words",
    [
        (ON_LVM, "LVM"),
        (
            {
                "/proc/self/mountinfo": mountinfo(("253:0", "/", "ext4", "rw")),
                "/sys/dev/block/253:0/dm/uuid": "CRYPT-LUKS1-x\n",
            },
            "CRYPT",
        ),
        (
            {"/proc/self/mountinfo": mountinfo(("9:0", "/", "ext4", "rw")), "/sys/dev/block/9:0/md/level": "raid1\n"},
            "mdraid",
        ),
        ({"/proc/self/mountinfo": mountinfo(("0:34", "/", "btrfs", "rw"))}, "btrfs"),
        ({"/proc/self/mountinfo": mountinfo(("0:34", "/", "zfs", "rw"))}, "zfs"),
        ({"/proc/self/mountinfo": mountinfo(("8:1", "/", "ext4", "rw"), ("0:40", "/boot", "nfs4", "rw"))}, "nfs4"),
        (
            {"/proc/self/mountinfo": mountinfo(("8:1", "/", "ext4", "rw"), ("8:2", "/boot", "ext4", "ro,relatime"))},
            "read-only",
        ),
        ({"/proc/self/mountinfo": ""}, "mountinfo"),
        ({"/boot/grub/grubenv": "saved_entry=0\n"}, "not a GRUB environment block"),
        ({"/boot/grub/grubenv": (LINK, "../efi/EFI/debian/grubenv")}, "leads nowhere"),
    ],
)
def test_where_a_one_shot_boot_is_not_possible_the_reason_says_why(tmpdir, layer, words):
    boot = look(tmpdir, "debian8", layer)["boot"]
    assert (boot["env_writable"], boot["one_shot"]) == (False, False)
    assert words in boot["reason"]
    assert boot["default"] == "3.16.0-11-amd64"


def test_a_separate_boot_on_a_plain_disk_is_writable_whatever_the_root_is_on(tmpdir):
    layer = dict(
        ON_LVM, **{"/proc/self/mountinfo": mountinfo(("253:0", "/", "ext4", "rw"), ("8:1", "/boot", "ext2", "rw"))}
    )
    boot = look(tmpdir, "debian8", layer)["boot"]
    assert (boot["one_shot"], boot["reason"]) == (True, "")


def test_multipath_is_a_plain_disk_to_grub(tmpdir):
    layer = {
        "/proc/self/mountinfo": mountinfo(("253:1", "/", "ext4", "rw")),
        "/sys/dev/block/253:1/dm/uuid": "part1-mpath-3600\n",
    }
    assert look(tmpdir, "debian8", layer)["boot"]["one_shot"]


def test_a_missing_environment_block_can_be_made(tmpdir):
    boot = look(tmpdir, "debian8", {"/boot/grub/grubenv": None})["boot"]
    assert (boot["env_writable"], boot["one_shot"], boot["reason"]) == (True, True, "")


def test_a_configuration_written_by_hand_takes_no_armed_entry(tmpdir):
    boot = look(tmpdir, "debian8", {"/boot/grub/grub.cfg": "set default=0\n" + menuentry("a", "a", "3.16.0-11-amd64")})[
        "boot"
    ]
    assert (boot["env_writable"], boot["one_shot"]) == (True, False)
    assert boot["reason"] == "/boot/grub/grub.cfg does not take next_entry from the environment block"


def test_efi_on_enterprise_linux_7(tmpdir):
    layer = {
        "/sys/firmware/efi": (FOLDER, ""),
        "/etc/grub2-efi.cfg": (LINK, "../boot/efi/EFI/centos/grub.cfg"),
        "/boot/efi/EFI/centos/grub.cfg": fake_hosts.el7_cfg(["3.10.0-957.el7.x86_64"]),
        "/boot/efi/EFI/centos/grubenv": grubenv(),
        "/boot/grub2/grubenv": (LINK, "../efi/EFI/centos/grubenv"),
        "/boot/grub2/grub.cfg": None,
        "/proc/self/mountinfo": mountinfo(
            ("253:0", "/", "xfs", "rw"), ("8:2", "/boot", "xfs", "rw"), ("8:1", "/boot/efi", "vfat", "rw")
        ),
    }
    boot = look(tmpdir, "centos7", layer)["boot"]
    assert (boot["config"], boot["default"], boot["one_shot"]) == (
        "/boot/efi/EFI/centos/grub.cfg",
        "3.10.0-957.el7.x86_64",
        True,
    )


def test_the_efi_link_means_nothing_without_efi(tmpdir):
    boot = look(
        tmpdir,
        "centos7",
        {"/etc/grub2-efi.cfg": (LINK, "../boot/efi/EFI/centos/grub.cfg"), "/boot/efi/EFI/centos/grub.cfg": "x"},
    )["boot"]
    assert boot["config"] == "/boot/grub2/grub.cfg"


@pytest.mark.parametrize(
    "layer, words",
    [
        ({"/boot/grub/grub.cfg": None}, "no configuration of GRUB was found"),
        ({"/boot/grub/grub.cfg": "", "/boot/extlinux/extlinux.conf": "x"}, "extlinux"),
        (
            {
                "/boot/grub/grub.cfg": None,
                boot_loader.LOADER_INFO: b"\x06\0\0\0" + u"systemd-boot 252".encode("utf-16-le"),
            },
            "systemd-boot 252",
        ),
        ({boot_loader.LOADER_INFO: b"\x06\0\0\0" + u"systemd-boot 252".encode("utf-16-le")}, "systemd-boot 252"),
    ],
)
def test_other_boot_loaders(tmpdir, layer, words):
    boot = look(tmpdir, "debian8", layer)["boot"]
    assert (boot["loader"], boot["default"], boot["one_shot"]) == ("other", None, False)
    assert words in boot["reason"]


def test_grub_may_tell_the_firmware_its_name(tmpdir):
    layer = {boot_loader.LOADER_INFO: b"\x06\0\0\0" + u"GRUB 2.12".encode("utf-16-le")}
    assert look(tmpdir, "debian8", layer)["boot"]["loader"] == "grub2"


def test_grub_2_reading_a_legacy_menu_is_a_legacy_menu(tmpdir):
    boot = look(
        tmpdir, "centos6", {"/boot/grub/grub.cfg": "insmod legacycfg\nlegacy_configfile /boot/grub/menu.lst\n"}
    )["boot"]
    assert (boot["loader"], boot["default"]) == ("grub_legacy", "2.6.32-754.35.1.el6.x86_64")


def test_a_saved_legacy_default(tmpdir):
    text = CENTOS6["/boot/grub/grub.conf"].replace("default=1", "default=saved")
    boot = look(tmpdir, "centos6", {"/boot/grub/grub.conf": text, "/boot/grub/default": "0\n#\n#\n"})["boot"]
    assert boot["default"] == "2.6.32-220.23.1.el6.toa.x86_64"


def test_an_entry_that_names_its_kernel_by_a_link(tmpdir):
    layer = {
        "/boot/grub/grub.cfg": "set default=0\nmenuentry a {\n linux /vmlinuz root=/dev/sda1\n}\n",
        "/vmlinuz": (LINK, "boot/vmlinuz-3.16.0-11-amd64"),
    }
    assert look(tmpdir, "debian8", layer)["boot"]["default"] == "3.16.0-11-amd64"


# -- kernels and modules


def test_kernels(tmpdir):
    layer = {
        "/boot/vmlinuz-0-rescue-" + MACHINE_ID: "x",
        "/boot/vmlinuz-1.2.3-no-modules": "x",
        "/boot/vmlinuz-4.4.87.toa.bak": "x",
        "/var/lib/dpkg/info/linux-image-4.4.87.toa.list": "/.\n",
    }
    assert look(tmpdir, "ubuntu1604", layer)["kernels"] == [
        {
            "release": "4.4.0-210-generic",
            "image": "/boot/vmlinuz-4.4.0-210-generic",
            "toa_modules": [],
            "package": None,
        },
        {
            "release": "4.4.87.toa",
            "image": "/boot/vmlinuz-4.4.87.toa",
            "toa_modules": ["toa"],
            "package": "linux-image-4.4.87.toa",
        },
    ]


@pytest.mark.parametrize(
    "path, name",
    [
        ("kernel/net/toa/toa.ko", "toa"),
        ("kernel/net/toa/toa.ko.xz", "toa"),
        ("extra/toa.ko.gz", "toa"),
        ("updates/dkms/toa.ko.zst", "toa"),
        ("extra/tcp_toa.ko", "tcp_toa"),
        ("extra/tcp-toa.ko", "tcp_toa"),
        ("kernel/net/vtoa/vtoa.ko.xz", "vtoa"),
        ("extra/slb_vtoa.ko", "slb_vtoa"),
        ("extra/ip_vs_ca.ko", "ip_vs_ca"),
        ("extra/ttm.ko", "ttm"),
        ("/root/toa.ko", "toa"),
    ],
)
def test_modules_of_a_kernel(tmpdir, path, name):
    root = fake_hosts.build(tmpdir, kernel("1.0", path))
    assert toa_files("1.0", root) == {name: path if path.startswith("/") else "/lib/modules/1.0/" + path}


@pytest.mark.parametrize(
    "path",
    [
        "kernel/drivers/gpu/drm/ttm/ttm.ko.xz",
        "kernel/net/notoa.ko",
        "kernel/net/toa.kont",
        "kernel/toa/x.ko",
        "kernel/net/toa.ko.so",
    ],
)
def test_modules_that_only_look_like_it(tmpdir, path):
    assert toa_files("1.0", fake_hosts.build(tmpdir, kernel("1.0", path))) == {}


def test_a_module_that_another_one_needs_is_found_by_its_own_line(tmpdir):
    lines = "kernel/net/vtoa/vtoa.ko: kernel/net/hookers/hookers.ko\nkernel/net/hookers/hookers.ko:\nkernel/x.ko: kernel/net/toa.ko\n"
    root = fake_hosts.build(
        tmpdir, {"/lib/modules/1.0/modules.dep": lines, "/lib/modules/1.0/modules.builtin": "kernel/net/toa/toa.ko\n"}
    )
    folder = "/lib/modules/1.0/kernel/net/"
    assert toa_files("1.0", root) == {
        "vtoa": folder + "vtoa/vtoa.ko",
        "hookers": folder + "hookers/hookers.ko",
        "toa": "builtin",
    }


STATS = (
    "                                  CPU0       CPU1\n"
    "syn_recv_sock_toa                :   3          4\nsyn_recv_sock_no_toa             :  10         20\n"
)
LOADED = {
    "/proc/modules": "toa 16384 0 - Live 0x0000000000000000 (OE)\nxtoa 1 0 - Live 0x0\nip_tables 1 0 - Live 0x0\n",
    "/proc/net/toa_stats": STATS,
    "/sys/module/toa/parameters/dbg": "0\n",
}


def test_a_live_module(tmpdir):
    facts = look(tmpdir, "ubuntu1604", LOADED, release="4.4.87.toa")
    assert facts["modules"] == [
        {
            "name": "toa",
            "file": "/lib/modules/4.4.87.toa/kernel/net/toa/toa.ko",
            "loaded": True,
            "live": True,
            "parameters": {"dbg": "0"},
            "stats": "/proc/net/toa_stats",
            "refcount": 0,
            "state": "Live",
        }
    ]
    assert facts["counters"] == {"syn_recv_sock_toa": 7, "syn_recv_sock_no_toa": 30}
    assert facts["conflicts"] == []


def test_a_module_that_is_loaded_and_dead(tmpdir):
    module = look(tmpdir, "ubuntu1604", dict(LOADED, **{"/proc/net/toa_stats": None}))["modules"][0]
    assert (module["file"], module["loaded"], module["live"], module["stats"]) == ("", True, False, "")


def test_a_module_that_is_there_and_not_loaded(tmpdir):
    module = look(tmpdir, "ubuntu1604", release="4.4.87.toa")["modules"][0]
    assert (module["name"], module["loaded"], module["live"], module["parameters"]) == ("toa", False, False, {})


def test_statistics_that_only_init_sees(tmpdir):
    facts = look(tmpdir, "ubuntu1604", dict(LOADED, **{"/proc/net/toa_stats": None, "/proc/1/net/toa_stats": STATS}))
    assert facts["modules"][0]["live"]
    assert facts["counters"]["syn_recv_sock_toa"] == 7


@pytest.mark.parametrize("sign", ["/sys/module/drm/holders/ttm", "/sys/class/drm/ttm"])
def test_the_graphics_memory_manager_is_no_toa(tmpdir, sign):
    layer = {"/proc/modules": "ttm 94208 1 qxl, Live 0x0\n", sign: (FOLDER, "")}
    facts = look(tmpdir.mkdir("graphics"), "debian8", layer)
    assert (facts["modules"], facts["conflicts"]) == ([], [])
    facts = look(tmpdir.mkdir("baidu"), "debian8", {"/proc/modules": "ttm 94208 0 - Live 0x0 (OE)\n"})
    assert [module["name"] for module in facts["modules"]] == ["ttm"]


def test_two_modules_are_a_conflict_but_a_helper_is_none(tmpdir):
    line = "%s 16384 0 - Live 0x0\n"
    two = look(tmpdir.mkdir("two"), "debian8", {"/proc/modules": line % "toa" + line % "tcp_toa"})
    assert two["conflicts"] == [{"code": "two_toa_modules", "detail": "tcp_toa and toa are loaded at once"}]
    helper = look(tmpdir.mkdir("helper"), "debian8", {"/proc/modules": line % "vtoa" + line % "hookers"})
    assert helper["conflicts"] == []


def test_cilium_is_named(tmpdir):
    assert look(tmpdir, "rocky9", {"/run/cilium": (FOLDER, "")})["conflicts"] == [
        {"code": "cilium_present", "detail": "/run/cilium"}
    ]


@pytest.mark.parametrize(
    "text, counters",
    [
        (STATS, {"syn_recv_sock_toa": 7, "syn_recv_sock_no_toa": 30}),
        ("getname_toa_ok_v4 1 2 3 4\n", {"getname_toa_ok_v4": 10}),
        ("getname_toa_ok:5\n", {}),  # no column
        ("a 1\na 2\n", {"a": 3}),
        ("a 99999999999999999999 1\n", {"a": 100000000000000000000}),
        ("CPU0 CPU1\n", {}),
        ("a -1\n", {}),
        ("a 1 x\n", {}),
        ("", {}),
        (None, {}),
        (u"\ufffd 1\n", {}),
    ],
)
def test_counters(text, counters):
    assert parse_counters(text) == counters


# -- eBPF


@pytest.mark.parametrize(
    "release, mounts, reason",
    [
        (
            "4.18.0-553.el8.x86_64",
            "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n",
            "kernel 4.18.0-553.el8.x86_64 is older than 5.10",
        ),
        ("5.9.16", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "kernel 5.9.16 is older than 5.10"),
        ("garbage", "", "kernel garbage is older than 5.10"),
        ("5.10.134-16.al8.x86_64", "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n", "cgroup v2 is not mounted"),
        (
            "5.10.134-16.al8.x86_64",
            "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n",
            "there is no place for the BPF file system (/sys/fs/bpf)",
        ),
    ],
)
def test_where_ebpf_is_not_possible(tmpdir, release, mounts, reason):
    ebpf = look(tmpdir, "debian8", {"/proc/mounts": mounts}, release=release)["ebpf"]
    assert (ebpf["possible"], ebpf["reason"], ebpf["attached"], ebpf["foreign"]) == (False, reason, [], [])


@pytest.mark.parametrize(
    "mounts, point",
    [
        ("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", "/sys/fs/cgroup"),
        (
            "none /run/cilium/cgroupv2 cgroup2 rw 0 0\ncgroup /sys/fs/cgroup/unified cgroup2 rw 0 0\n",
            "/sys/fs/cgroup/unified",
        ),
        ("none /cgroup2 cgroup2 rw 0 0\n", "/cgroup2"),
    ],
)
def test_where_ebpf_is_possible(tmpdir, mounts, point):
    ebpf = look(
        tmpdir,
        "rocky9",
        {
            "/proc/mounts": mounts,
            "/sys/fs/bpf": (FOLDER, ""),
            "/sys/kernel/security/lockdown": "none [integrity] confidentiality\n",
        },
    )["ebpf"]
    assert (ebpf["possible"], ebpf["reason"], ebpf["cgroup2"]) == (True, "", point)


def test_lockdown_is_told_and_does_not_forbid_ebpf(tmpdir):
    """The programs read no kernel memory; Debian 12's kernel takes them under lockdown=confidentiality."""
    facts = look(
        tmpdir,
        "rocky9",
        {"/sys/fs/bpf": (FOLDER, ""), "/sys/kernel/security/lockdown": "none integrity [confidentiality]\n"},
    )
    assert (facts["ebpf"]["possible"], facts["security"]["lockdown"]) == (True, "confidentiality")


# -- containers

VM = {
    "/proc/2/stat": "2 (kthreadd) S 0 0",
    "/proc/self/ns/pid": (LINK, "pid:[4026531836]"),
    "/proc/self/ns/cgroup": (LINK, "cgroup:[4026531835]"),
}
INSIDE = {"/proc/2/stat": None, "/proc/self/ns/pid": (LINK, "pid:[4026532201]")}


@pytest.mark.parametrize(
    "layer, container",
    [
        ({}, ""),
        (dict(VM, **{"/.dockerenv": "", "/run/.containerenv": ""}), ""),  # a machine made out of an image
        (
            fake_hosts.changed(
                VM,
                {
                    "/var/lib/docker": (FOLDER, ""),
                    "/proc/1/cgroup": "0::/init.scope\n",
                    "/proc/self/cgroup": "0::/system.slice/docker.service\n",
                },
            ),
            "",
        ),
        (dict(INSIDE, **{"/.dockerenv": ""}), "docker"),
        (dict(INSIDE, **{"/proc/1/cgroup": "1:name=systemd:/docker/5f0c\n"}), "docker"),
        (
            dict(INSIDE, **{"/proc/1/cgroup": "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope\n"}),
            "kubernetes",
        ),
        (dict(INSIDE, **{"/run/.containerenv": 'engine="podman"\n'}), "podman"),
        (dict(INSIDE, **{"/proc/1/environ": "container=lxc\0TERM=linux\0"}), "lxc"),
        (dict(INSIDE, **{"/run/systemd/container": "systemd-nspawn\n"}), "systemd-nspawn"),
        (INSIDE, "other"),
        (
            {"/proc/2/stat": None, "/proc/self/ns/pid": None, "/proc/1/environ": "container=lxc-libvirt\0"},
            "lxc-libvirt",
        ),  # 2.6.32
        ({"/proc/vz": (FOLDER, "")}, "openvz"),
        ({"/proc/vz": (FOLDER, ""), "/proc/bc": (FOLDER, "")}, ""),  # an OpenVZ host
        (
            dict(VM, **{"/.dockerenv": "", "/proc/self/ns/cgroup": (LINK, "cgroup:[4026532300]")}),
            "docker",
        ),  # docker run --pid=host
    ],
)
def test_containers(tmpdir, layer, container):
    assert look(tmpdir, "debian8", layer)["container"] == container


# -- the rest


def test_security(tmpdir):
    guid = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
    plain = look(tmpdir.mkdir("plain"), "debian8")["security"]
    assert plain == {"secure_boot": False, "lockdown": "", "sig_enforce": False}
    on = look(
        tmpdir.mkdir("on"),
        "debian8",
        {
            "/sys/firmware/efi/efivars/SecureBoot-" + guid: b"\x06\0\0\0\x01",
            "/sys/module/module/parameters/sig_enforce": "Y\n",
        },
    )["security"]
    assert (on["secure_boot"], on["sig_enforce"]) == (True, True)
    off = look(tmpdir.mkdir("off"), "debian8", {"/sys/firmware/efi/efivars/SecureBoot-" + guid: b"\x06\0\0\0\x00"})[
        "security"
    ]
    assert off["secure_boot"] is False
    old = look(tmpdir.mkdir("old"), "centos7", {"/sys/firmware/efi/vars/SecureBoot-%s/data" % guid: b"\x01"})[
        "security"
    ]
    assert old["secure_boot"] is True


@pytest.mark.parametrize(
    "layer, backend",
    [
        ({}, "none"),
        ({"/usr/sbin/nft": (EXECUTABLE, ""), "/usr/sbin/iptables": (EXECUTABLE, "")}, "nft"),
        ({"/sbin/iptables": (EXECUTABLE, "")}, "iptables"),
        ({"/usr/sbin/nft": (EXECUTABLE, ""), "/proc/net/ip_tables_names": "filter\n"}, "iptables"),
        ({"/usr/sbin/nft": (EXECUTABLE, ""), "/proc/net/ip_tables_names": ""}, "nft"),
    ],
)
def test_firewall(tmpdir, layer, backend):
    assert look(tmpdir, "debian8", layer)["firewall"] == {"backend": backend, "option_filter": None}


def test_held_debs(tmpdir):
    status = (
        "Package: linux-image-4.4.87.toa\nStatus: hold ok installed\nVersion: 1.0\n\nPackage: bash\nStatus: hold ok installed\n\n"
        "Package: linux-headers-4.4.87.toa\nEssential: no\nStatus: hold ok installed\nDescription: x\n Package: not-me\n\n"
        "Package: linux-image-amd64\nStatus: install ok installed\n\n"
    )
    assert look(tmpdir, "debian8", {"/var/lib/dpkg/status": status})["held"] == [
        "linux-image-4.4.87.toa",
        "linux-headers-4.4.87.toa",
    ]


def test_locked_rpms(tmpdir):
    layer = {
        "/etc/yum/pluginconf.d/versionlock.list": "# lock\n0:kernel-3.10.0-693.el7.centos.toa.*\n!0:kernel-3.10.0-957.*\n0:bash-4.*\n",
        "/etc/yum.conf": "[main]\nexclude=kernel* foo\n",
    }
    assert look(tmpdir, "centos7", layer)["held"] == ["0:kernel-3.10.0-693.el7.centos.toa.*", "kernel*"]


def test_the_vtoa_service(tmpdir):
    unit = {"/usr/lib/systemd/system/vtoa.service": "[Service]\nExecStart=/bin/true\n"}
    assert look(tmpdir.mkdir("none"), "rocky9")["service"] is None
    assert look(tmpdir.mkdir("old"), "rocky9", unit)["service"] == {"name": "vtoa", "enabled": False, "active": None}
    running = fake_hosts.changed(
        unit,
        {
            "/run/systemd/units/invocation:vtoa.service": (LINK, "0123"),
            "/etc/systemd/system/multi-user.target.wants/vtoa.service": (LINK, "/x"),
        },
    )
    assert look(tmpdir.mkdir("on"), "rocky9", running)["service"] == {"name": "vtoa", "enabled": True, "active": True}
    stopped = dict(unit, **{"/run/systemd/units": (FOLDER, "")})
    assert look(tmpdir.mkdir("off"), "rocky9", stopped)["service"]["active"] is False


def test_the_record_of_a_rollout(tmpdir):
    path = "/var/lib/realip-toa/state.json"
    assert look(tmpdir.mkdir("a"), "debian8", {path: '{"boot": {"state": "armed"}}'})["state"] == {
        "boot": {"state": "armed"}
    }
    assert look(tmpdir.mkdir("b"), "debian8", {path: "{damaged"})["state"] == {}


# -- hostile hosts

ODD = [
    b"",
    b"\0" * 4096,
    b"\xff\xfe\x80" * 500,
    b"{" * 20000,
    b"-" * 70000,
    b"\n" * 5000,
    b"%s %d {0}\n" * 50,
    u"\u202e\u2028\U0001f600".encode("utf-8") * 99,
]


@pytest.mark.parametrize("number", range(len(ODD)))
@pytest.mark.parametrize("name", sorted(HOSTS))
def test_odd_content_costs_nothing_else(tmpdir, name, number):
    """Every file of a host replaced by rubbish: all keys are there, and nothing is left to the option filter of last resort."""
    layer = {}
    for path, content in HOSTS[name].items():
        kept = isinstance(content, tuple) and content[0] in (LINK, FOLDER)
        layer[path] = (
            content
            if kept
            else ((content[0], ODD[number].decode("latin-1")) if isinstance(content, tuple) else ODD[number])
        )
    layer.update(
        {
            "/proc/modules": ODD[number],
            "/proc/net/toa_stats": ODD[number],
            "/etc/modules-load.d/a.conf": ODD[number] + b"\ntoa\n",
            "/etc/sysconfig/modules/a.modules": ODD[number] + b"\nmodprobe toa\n",
            "/etc/rc.local": ODD[number] + b"\nmodprobe toa\n",
            "/etc/yum.conf": ODD[number],
            "/etc/dracut.conf.d/a.conf": ODD[number] + b" toa",
        }
    )
    facts = look(tmpdir, name, layer)
    assert set(facts) == KEYS
    assert facts["unread"] == []
    json.dumps(facts)


def test_folders_in_place_of_files(tmpdir):
    layer = dict((path, (FOLDER, "")) for path, content in UBUNTU1604.items() if not isinstance(content, tuple))
    facts = look(tmpdir, "ubuntu1604", layer)
    assert (set(facts), facts["unread"]) == (KEYS, [])


def test_links_that_turn_in_circles(tmpdir):
    layer = {
        "/etc/rc.local": (LINK, "rc.local"),
        "/boot/grub/grubenv": (LINK, "grubenv"),
        "/etc/os-release": (LINK, "../etc/os-release"),
    }
    assert look(tmpdir, "ubuntu1604", layer)["unread"] == []


STRANGE = u"\u6d4b\u8bd5-\xe9"
CHILD = """
import json, sys
sys.path.insert(0, %r)
import conftest
from ansible_collections.realip.toa.plugins.module_utils.programs import facts as inspect_host
sys.stdout.write(json.dumps(inspect_host.main({"check": False, "root": %r})))
"""


def test_names_that_are_not_ascii_in_the_c_locale(tmpdir):
    """Python 2 and 3.6 take the C locale for ASCII."""
    strange = STRANGE if sys.version_info[0] > 2 else STRANGE.encode("utf-8")
    layer = {
        "/etc/rc.local": (EXECUTABLE, u"#!/bin/sh\ninsmod /root/%s/toa.ko\ninsmod /a\0b/toa.ko\n" % STRANGE),
        "/lib/systemd/system/rc-local.service": "[Service]\nExecStart=/etc/rc.local start\n",
        "/boot/grub/grub.cfg": (u"set default=0\nmenuentry x {\n linux /%s root=x\n}\n" % STRANGE).encode("utf-8"),
    }
    for folder in (
        "/etc/modules-load.d/",
        "/etc/modprobe.d/",
        "/boot/vmlinuz-1.",
        "/etc/sysconfig/modules/",
        "/etc/systemd/system/",
        "/boot/loader/entries/",
        "/etc/systemd/system/x.wants/",
        "/sys/module/toa/parameters/",
        "/etc/dracut.conf.d/",
    ):
        layer[folder + strange] = "toa\n"
        layer[folder + strange + ".conf"] = "toa\n"
    layer["/lib/modules/1." + strange] = (FOLDER, "")
    layer["/proc/modules"] = "toa 1 0 - Live 0x0\n"
    root = fake_hosts.build(tmpdir, UBUNTU1604, layer)
    tests = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    environment = dict(
        (name, value) for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))
    )
    environment.update(LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONDONTWRITEBYTECODE="1")
    child = subprocess.Popen([sys.executable, "-c", CHILD % (tests, root)], env=environment, stdout=subprocess.PIPE)
    facts = json.loads(child.communicate()[0].decode("ascii"))
    assert facts["unread"] == []
    effective = [place["path"] for place in facts["persistence"] if place["effective"]]
    # Python 3.6 shows the bytes of such a name as they are (surrogates).
    assert effective == [(u"/etc/modules-load.d/%s.conf" % STRANGE)] or (
        sys.version_info[:2] == (3, 6) and len(effective) == 1
    )
    assert [place["reason"] for place in facts["persistence"] if place["kind"] == "rc_local"] == [
        u"there is no /root/%s/toa.ko" % STRANGE,
        u"there is no /a\0b/toa.ko",
    ]


def test_an_empty_root(tmpdir):
    facts = inspect_host.main({"check": False, "root": str(tmpdir)})
    assert (set(facts), facts["unread"], facts["package_manager"], facts["init"]) == (KEYS, [], "none", "other")


def test_what_nobody_thought_of_is_named_and_costs_one_section(tmpdir, monkeypatch):
    def broken(*unused):
        raise KeyError("surprise")

    monkeypatch.setattr(inspect_host, "find_places", broken)
    facts = look(tmpdir, "debian8")
    assert facts["persistence"] == []
    assert facts["unread"] == [{"section": "persistence", "problem": "KeyError: 'surprise'"}]
    assert facts["boot"]["loader"] == "grub2"


def test_this_machine():
    """The real thing: whatever the tests run on."""
    facts = inspect_host.main({"check": False})
    assert set(facts) == KEYS
    assert facts["unread"] == []
    assert facts["uname"]["release"] == os.uname()[2]
    json.dumps(facts)


PROOF = {
    "proof": {"backend": "kernel_package", "kernel": "3.16.43.toa", "boot_id": "x", "time": "2026-11-20T10:00:00Z"}
}


def test_drift_from_what_was_proved(tmpdir):
    """Which kernel, since which boot, and whether it came after the proof: read from files alone."""
    state = "/var/lib/realip-toa/state.json"
    assert look(tmpdir.mkdir("new"), "debian8")["drift"] == []
    facts = look(
        tmpdir.mkdir("drifted"), "debian8", {state: json.dumps(PROOF), "/proc/stat": "cpu 1\nbtime 1795230000\n"}
    )
    found = dict((item["code"], item) for item in facts["drift"])
    assert (
        found["kernel_without_toa"]["since"] == "2026-11-21T03:00:00Z"
        and facts["uname"]["release"] in found["kernel_without_toa"]["detail"]
    )
    assert (
        "was installed at" in found["kernel_without_toa"]["detail"]
        and "3.16.43.toa is not installed any more" in found["kernel_without_toa"]["detail"]
    )


def test_an_option_filter_is_known_by_its_record(tmpdir):
    """Whether its rules are loaded is asked of the host's own tools, and in a made-up tree there is nobody to ask."""
    record = {
        "option_filter": {
            "method": "nft",
            "shown": "0123",
            "kinds": [200],
            "trusted_sources": ["10.0.0.0/8"],
            "ports": [80],
        }
    }
    option_filter = look(tmpdir, "debian8", {"/var/lib/realip-toa/state.json": json.dumps(record)})["firewall"][
        "option_filter"
    ]
    assert option_filter == {
        "active": False,
        "method": "nft",
        "kinds": [200],
        "trusted_sources": ["10.0.0.0/8"],
        "ports": [80],
        "at_boot": "",
    }
