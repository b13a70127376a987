# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines with all sorts of disks and networks, and kernels that have all of their drivers but one."""

from __future__ import absolute_import, division, print_function

import pytest
from ansible_collections.realip.toa.plugins.module_utils.bootloader.drivers import need_drivers
from ansible_collections.realip.toa.plugins.module_utils.host.drivers import lacking, modules_of_root
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.machine import Machine

OLD, NEW = "4.18.0-477.el8.x86_64", "4.18.0-477.toa.el8.x86_64"
ROUTE = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
PCI = "pci:v00008086d00000953sv00008086sd00003702bc01sc08i02"

# Devices by their path below /sys/devices: (module of the driver, modalias).
VIRTIO = {
    "pci0/0000:00:04.0": ("virtio_pci", "pci:v00001AF4d00001001"),
    "pci0/0000:00:04.0/virtio1": ("virtio_blk", "virtio:d00000002v00001AF4"),
    "pci0/0000:00:03.0": ("virtio_pci", "pci:v00001AF4d00001000"),
    "pci0/0000:00:03.0/virtio0": ("virtio_net", "virtio:d00000001v00001AF4"),
}
HBA = {
    "pci0/0000:02:00.0": ("megaraid_sas", PCI),
    "pci0/0000:02:00.0/host0/target0:2:0/0:2:0:0": ("sd_mod", "scsi:t-0x00"),
    "pci0/0000:03:00.0": ("mlx5_core", "pci:v000015B3d00001015"),
    "pci0/0000:03:00.1": ("mlx5_core", "pci:v000015B3d00001015"),
}
# (devices, folder of the disk that / is on, folders of the disks that those stand on, interface with the route, its device, lower ones)
MACHINES = {
    "virtio": (VIRTIO, "pci0/0000:00:04.0/virtio1/block/vda/vda1", {}, "eth0", "pci0/0000:00:03.0/virtio0", {}, set(
        ["xfs:root", "virtio_blk:root", "virtio_pci:root", "virtio_net:network", "virtio_pci:network"])),
    "lvm and a bond": (HBA, "virtual/block/dm-0", {"virtual/block/dm-0": "pci0/0000:02:00.0/host0/target0:2:0/0:2:0:0/block/sda/sda2"},
                       "bond0", "", {"eth0": "pci0/0000:03:00.0", "eth1": "pci0/0000:03:00.1"}, set(
        ["xfs:root", "dm_mod:root", "sd_mod:root", "megaraid_sas:root", "bonding:network", "mlx5_core:network"])),
    "mdraid": (HBA, "virtual/block/md0", {"virtual/block/md0": "pci0/0000:02:00.0/host0/target0:2:0/0:2:0:0/block/sda/sda1"},
               "eth0", "pci0/0000:03:00.0", {}, set(
        ["xfs:root", "raid456:root", "sd_mod:root", "megaraid_sas:root", "mlx5_core:network"])),
}  # fmt: skip


def link(tmpdir, path, target):
    place = tmpdir.join(*path.strip("/").split("/"))
    place.dirpath().ensure(dir=True)
    place.mksymlinkto(tmpdir.join(*target.strip("/").split("/")))


def dress(tmpdir, name):
    devices, disk, slaves, interface, device, lower, _needs = MACHINES[name]
    tmpdir.join("proc", "self", "mountinfo").write("22 1 8:1 / / rw - xfs /dev/x rw\n", ensure=True)
    tmpdir.join("proc", "net", "route").write(
        ROUTE + "%s\t00000000\t0101A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n" % interface, ensure=True
    )
    for path, (module, alias) in devices.items():
        folder = tmpdir.join("sys", "devices", *path.split("/"))
        folder.ensure(dir=True)
        folder.join("modalias").write(alias + "\n")
        tmpdir.join("sys", "module", module).ensure(dir=True)
        link(tmpdir, "sys/devices/%s/driver/module" % path, "sys/module/" + module)
    for path in [disk] + list(slaves.values()):
        tmpdir.join("sys", "devices", *path.split("/")).ensure(dir=True)
    link(tmpdir, "sys/dev/block/8:1", "sys/devices/" + disk)
    if "dm-" in disk:
        tmpdir.join("sys", "devices", *(disk + "/dm").split("/")).ensure(dir=True)
    if "md" in disk:
        tmpdir.join("sys", "devices", *(disk + "/md/level").split("/")).write("raid5\n", ensure=True)
    for upper, below in slaves.items():
        link(tmpdir, "sys/devices/%s/slaves/%s" % (upper, below.split("/")[-1]), "sys/devices/" + below)
        link(tmpdir, "sys/class/block/" + below.split("/")[-1], "sys/devices/" + below)
    for one, path in dict(lower, **({interface: device} if device else {})).items():
        link(tmpdir, "sys/class/net/%s/device" % one, "sys/devices/" + path)
    for one in lower:
        tmpdir.join("sys", "class", "net", interface, "bonding").ensure(dir=True)
        link(tmpdir, "sys/class/net/%s/lower_%s" % (interface, one), "sys/class/net/" + one)
    have(tmpdir, OLD, modules_of(name))
    return set(name.split(":")[0] for name in MACHINES[name][6])


def modules_of(name):
    return sorted(set(word.split(":")[0] for word in MACHINES[name][6]))


def have(tmpdir, release, modules, builtin=("unix",), aliases=""):
    """A kernel with these modules; files have - where names have _."""
    folder = tmpdir.join("lib", "modules", release)
    files = ["kernel/drivers/%s.ko.xz" % name.replace("_", "-") for name in modules]
    folder.join("modules.dep").write("".join("%s:\n" % path for path in files), ensure=True)
    folder.join("modules.builtin").write("".join("kernel/%s.ko\n" % name for name in builtin), ensure=True)
    folder.join("modules.alias").write(aliases, ensure=True)


@pytest.mark.parametrize("name", sorted(MACHINES))
def test_a_kernel_with_all_drivers_lacks_none(tmpdir, name):
    wanted = dress(tmpdir, name)
    have(tmpdir, NEW, wanted)
    assert lacking(NEW, OLD, str(tmpdir)) == []
    have(tmpdir, NEW, [], ["unix"] + sorted(wanted))
    assert lacking(NEW, OLD, str(tmpdir)) == [] == modules_of_root(NEW, str(tmpdir)), "all of them built in"


@pytest.mark.parametrize("name, gone", [(name, gone) for name in sorted(MACHINES) for gone in modules_of(name)])
def test_each_driver_that_is_missing_is_named(tmpdir, name, gone):
    wanted = dress(tmpdir, name)
    have(tmpdir, NEW, wanted - set([gone]))
    found = lacking(NEW, OLD, str(tmpdir))
    assert set("%s:%s" % pair for pair in found) == set(
        word for word in MACHINES[name][6] if word.startswith(gone + ":")
    )
    with pytest.raises(TargetError) as caught:
        need_drivers(Machine(str(tmpdir), finder=lambda unused: None), NEW, OLD)
    assert caught.value.code == "kernel_lacks_drivers" and gone in caught.value.message


def test_a_driver_of_another_name_will_do(tmpdir):
    wanted = dress(tmpdir, "lvm and a bond")
    have(
        tmpdir, NEW, wanted - set(["megaraid_sas"]), aliases="alias pci:v00008086d00000953sv*sd*bc*sc*i* megaraid_new\n"
    )
    assert lacking(NEW, OLD, str(tmpdir)) == []


def test_what_cannot_be_told_is_not_claimed(tmpdir):
    dress(tmpdir, "virtio")
    assert lacking(NEW, OLD, str(tmpdir)) == [], "nothing is known of that kernel"
    have(tmpdir, NEW, [])
    tmpdir.join("lib", "modules", NEW, "modules.builtin").remove()
    assert lacking(NEW, OLD, str(tmpdir)) == [], "it may have everything built in"
    have(tmpdir, NEW, ["virtio_blk"])
    have(tmpdir, OLD, ["virtio_blk"])
    assert lacking(NEW, OLD, str(tmpdir)) == [], "what is no module of the running kernel has no name"


@pytest.mark.parametrize(
    "listing, missing",
    [
        ((0, "usr/lib/modules/x/virtio-blk.ko.xz\nusr/lib/modules/x/virtio_pci.ko\nusr/lib/modules/x/xfs.ko\n"), []),
        ((0, "usr/lib/modules/x/virtio_pci.ko\nusr/lib/modules/x/xfs.ko\n"), ["virtio_blk"]),
        ((1, "usr/lib/modules/x/xfs.ko"), []),
        ((0, "nothing that we could read"), []),
    ],
)
def test_the_initramfs_has_what_the_root_stands_on(tmpdir, listing, missing):
    wanted = dress(tmpdir, "virtio")
    have(tmpdir, NEW, wanted)
    tmpdir.join("boot", "initramfs-%s.img" % NEW).write("cpio", ensure=True)
    asked = []

    def runner(argv, **unused):
        asked.append(argv)
        return listing + ("",)

    machine = Machine(str(tmpdir), runner=runner, finder=lambda name: "/bin/" + name if name == "lsinitrd" else None)
    if missing:
        with pytest.raises(TargetError) as caught:
            need_drivers(machine, NEW, OLD)
        assert missing[0] in caught.value.message and "virtio_pci" not in caught.value.message
    else:
        need_drivers(machine, NEW, OLD)
    assert asked == [["/bin/lsinitrd", str(tmpdir.join("boot", "initramfs-%s.img" % NEW))]]
