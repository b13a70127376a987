# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What facts say of eBPF, containers, security, firewalls and holds."""

from __future__ import absolute_import, division, print_function

import fake_hosts
import pytest
from fake_hosts import (
    EXECUTABLE,
    FOLDER,
    LINK,
)
from look_samples import look

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
        ("5.10.134-16.al8.x86_64", "tmpfs /sys/fs/cgroup tmpfs rw 0 0\n", "this kernel has no cgroup v2"),
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
        ("tmpfs /sys/fs/cgroup tmpfs rw 0 0\n", "/run/realip-toa/cgroup2"),
    ],
)
def test_where_ebpf_is_possible(tmpdir, mounts, point):
    ebpf = look(
        tmpdir,
        "rocky9",
        {
            "/proc/mounts": mounts,
            "/proc/filesystems": "nodev\tcgroup2\n",
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
    assert plain == {
        "secure_boot": False,
        "lockdown": "",
        "sig_enforce": False,
        "modules_disabled": False,
        "trusted_keys": [],
        "selinux": "",
        "selinux_domain": "",
        "fapolicyd": False,
    }
    on = look(
        tmpdir.mkdir("on"),
        "debian8",
        {
            "/sys/firmware/efi/efivars/SecureBoot-" + guid: b"\x06\0\0\0\x01",
            "/sys/module/module/parameters/sig_enforce": "Y\n",
        },
    )["security"]
    assert (on["secure_boot"], on["sig_enforce"]) == (True, True)
    shim = look(
        tmpdir.mkdir("shim"),
        "debian8",
        {
            "/sys/firmware/efi/efivars/SecureBoot-" + guid: b"\x06\0\0\0\x01",
            "/sys/firmware/efi/efivars/MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23": b"\x06\0\0\0\x01",
            "/proc/sys/kernel/modules_disabled": "1\n",
        },
    )["security"]
    assert (shim["secure_boot"], shim["modules_disabled"]) == (False, True), "mokutil --disable-validation"
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
    assert look(tmpdir, "debian8", layer)["firewall"] == {
        "backend": backend,
        "option_filter": None,
        "forwards": False,
        "filter_partial": [],
    }


@pytest.mark.parametrize(
    "layer, forwards",
    [
        ({"/proc/sys/net/ipv4/conf/all/forwarding": "1\n"}, True),
        ({"/proc/sys/net/ipv4/conf/all/forwarding": "0\n", "/proc/sys/net/ipv6/conf/all/forwarding": "1\n"}, True),
        ({"/proc/sys/net/ipv4/conf/all/forwarding": "0\n", "/proc/sys/net/ipv4/conf/cali1/forwarding": "1\n"}, True),
        ({"/proc/sys/net/ipv4/conf/all/forwarding": "0\n", "/proc/sys/net/ipv4/conf/default/forwarding": "1\n"}, False),
        ({"/proc/sys/net/ipv4/conf/eth0/forwarding": "0\n"}, False),
        ({}, False),
    ],
)
def test_a_host_that_passes_packets_on(tmpdir, layer, forwards):
    """As a node of Kubernetes does; some set it for single interfaces."""
    assert look(tmpdir, "debian8", layer)["firewall"]["forwards"] is forwards


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
