# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Firmware, drivers and identity of a machine, out of /sys and /proc as kernels lay them out."""

from __future__ import absolute_import, division, print_function

import os

import pytest
from ansible_collections.realip.toa.plugins.module_utils.inspection import hardware

MOUNT = "22 1 %s / / rw,relatime - %s %s rw\n"
PCI = "sys/devices/pci0000:00/0000:00:04.0"
ROUTES = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
IPV6 = "%032x 00 %032x 00 fe800000000000000000000000000001 %08x 00000001 00000000 00000003 %8s\n"


class Tree(object):
    """A made-up root folder."""

    def __init__(self, folder):
        self.root = str(folder)

    def file(self, path, text=""):
        full = os.path.join(self.root, path)
        if not os.path.isdir(os.path.dirname(full)):
            os.makedirs(os.path.dirname(full))
        with open(full, "w") as handle:
            handle.write(text)

    def folder(self, path):
        if not os.path.isdir(os.path.join(self.root, path)):
            os.makedirs(os.path.join(self.root, path))

    def link(self, path, target):
        """A link to another place of the tree, relative as those of /sys are."""
        self.folder(os.path.dirname(path))
        os.symlink(os.path.relpath(target, os.path.dirname(path)), os.path.join(self.root, path))

    def device(self, path, driver):
        self.folder(path)
        self.folder("sys/bus/x/drivers/" + driver)
        self.link(path + "/driver", "sys/bus/x/drivers/" + driver)

    def disk(self, path, number):
        """A block device of the kernel, and the links by which it is found."""
        self.folder(path)
        self.link("sys/dev/block/" + number, path)
        self.link("sys/class/block/" + os.path.basename(path), path)

    def mounted(self, number, filesystem="ext4", source="/dev/root"):
        self.file("proc/self/mountinfo", "1 1 0:1 / / rw - rootfs rootfs rw\n" + MOUNT % (number, filesystem, source))


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


def virtio(tree):
    tree.device(PCI, "virtio-pci")
    tree.device(PCI + "/virtio1", "virtio_blk")
    tree.disk(PCI + "/virtio1/block/vda", "253:0")
    tree.disk(PCI + "/virtio1/block/vda/vda1", "253:1")
    tree.mounted("253:1")
    return "virtio_blk"


def scsi(tree):
    """The disk's own driver is `sd`, as for every disk of SCSI; what counts is that of the controller."""
    tree.device(PCI, "megaraid_sas")
    tree.device(PCI + "/host0/target0:2:0/0:2:0:0", "sd")
    tree.disk(PCI + "/host0/target0:2:0/0:2:0:0/block/sda/sda2", "8:2")
    tree.mounted("8:2", "xfs")
    return "megaraid_sas"


def nvme(tree):
    tree.device(PCI, "nvme")
    tree.disk(PCI + "/nvme/nvme0/nvme0n1/nvme0n1p1", "259:1")
    tree.mounted("259:1")
    return "nvme"


def lvm_on_raid(tree):
    tree.device(PCI, "ahci")
    for number, name in enumerate(("sda1", "sdb1")):
        tree.disk("%s/ata%d/block/%s/%s" % (PCI, number, name[:3], name), "8:%d" % number)
    tree.disk("sys/devices/virtual/block/md127", "9:127")
    tree.disk("sys/devices/virtual/block/dm-0", "254:0")
    tree.folder("sys/devices/virtual/block/md127/slaves")
    tree.folder("sys/devices/virtual/block/dm-0/slaves")
    for name in ("sda1", "sdb1"):
        tree.link("sys/devices/virtual/block/md127/slaves/" + name, PCI)
    tree.link("sys/devices/virtual/block/dm-0/slaves/md127", "sys/devices/virtual/block/md127")
    tree.mounted("254:0")
    return "dm+md+ahci"


def btrfs(tree):
    """Its device number is nobody's; the source names the disk."""
    virtio(tree)
    tree.file("dev/vda1")
    tree.mounted("0:31", "btrfs", "/dev/vda1")
    return "virtio_blk"


def network(tree):
    tree.mounted("0:40", "nfs4", "10.0.0.1:/root")
    return "nfs4"


def nothing(tree):
    return ""


@pytest.mark.parametrize("make", [virtio, scsi, nvme, lvm_on_raid, btrfs, network, nothing])
def test_root_driver(tree, make):
    expected = make(tree)
    assert hardware.root_driver(tree.root) == expected


def test_the_default_route_with_the_lowest_metric_names_the_interface(tree):
    tree.device(PCI, "ixgbe")
    tree.device("sys/devices/virtio5", "virtio_net")
    tree.link("sys/class/net/eth0/device", PCI)
    tree.link("sys/class/net/eth1/device", "sys/devices/virtio5")
    lines = "eth1\t00000000\t0100A8C0\t0003\t0\t0\t200\t00000000\t0\t0\t0\n"
    tree.file("proc/net/route", ROUTES + "eth1\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n" + lines)
    assert hardware.nic_driver(tree.root) == "virtio_net"
    tree.file("proc/net/route", ROUTES + lines + lines.replace("eth1", "eth0").replace("200", "100"))
    assert hardware.nic_driver(tree.root) == "ixgbe"
    tree.file("proc/net/route", ROUTES)
    tree.file("proc/net/ipv6_route", IPV6 % (0, 0, 0xFFFFFFFF, "lo") + IPV6 % (0, 0, 1024, "eth1"))
    assert hardware.nic_driver(tree.root) == "virtio_net"


@pytest.mark.parametrize("how", ["links", "slaves"])
def test_a_bond_stands_on_others(tree, how):
    tree.device(PCI, "i40e")
    for name in ("eth0", "eth1"):
        tree.link("sys/class/net/%s/device" % name, PCI)
        if how == "links":
            tree.link("sys/class/net/bond0/lower_" + name, "sys/class/net/" + name)
    tree.file("sys/class/net/bond0/uevent", "DEVTYPE=bond\nINTERFACE=bond0\n")
    if how == "slaves":
        tree.file("sys/class/net/bond0/bonding/slaves", "eth0 eth1\n")
    tree.file("proc/net/route", ROUTES + "bond0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n")
    assert hardware.nic_driver(tree.root) == "bond+i40e"


@pytest.mark.parametrize("name", ["..", "../../etc", "."])
def test_a_name_that_leads_elsewhere_is_no_interface(tree, name):
    tree.file("proc/net/route", ROUTES + name + "\t00000000\t0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n")
    assert hardware.nic_driver(tree.root) == ""


def test_things_that_stand_on_each_other_end(tree):
    tree.link("sys/class/net/a/lower_b", "sys/class/net/b")
    tree.link("sys/class/net/b/lower_a", "sys/class/net/a")
    tree.file("proc/net/route", ROUTES + "a\t00000000\t0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n")
    assert hardware.nic_driver(tree.root) == ""


def test_firmware(tree):
    assert hardware.look_at_hardware(tree.root)["firmware"] == "bios"
    tree.folder("sys/firmware/efi")
    assert hardware.look_at_hardware(tree.root)["firmware"] == "uefi"


def test_the_machine_is_the_same_by_whatever_file_and_its_id_is_not_told(tree):
    identity = "0123456789abcdef0123456789abcdef"
    assert hardware.machine(tree.root) == ""
    tree.file("var/lib/dbus/machine-id", identity + "\n")
    by_dbus = hardware.machine(tree.root)
    tree.file("etc/machine-id", "uninitialized\n")
    assert hardware.machine(tree.root) == by_dbus
    tree.file("etc/machine-id", identity.upper() + "\n")
    assert hardware.machine(tree.root) == by_dbus and len(by_dbus) == 16 and by_dbus not in identity
    tree.file("etc/machine-id", identity[::-1])
    assert hardware.machine(tree.root) != by_dbus


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, 0),
        ({"proc/sys/kernel/tainted": "0\n"}, 0),
        ({"proc/sys/kernel/tainted": "4609\n"}, 0),
        ({"proc/sys/kernel/tainted": "4737\n"}, 1),
        ({"proc/sys/kernel/tainted": "128\n", "sys/kernel/oops_count": "3\n"}, 3),
        ({"proc/sys/kernel/tainted": "x" * 5000, "sys/kernel/oops_count": "-1"}, 0),
    ],
)
def test_oopses(tree, files, count):
    for path, text in files.items():
        tree.file(path, text)
    assert hardware.oopses(tree.root) == count
