# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A linked kernel as Enterprise Linux has it from 8 on: kernel-core, kernel-modules and the package `kernel` that wants both, all of one release.

The kernel lies in /lib/modules; what is in /boot is copied there by kernel-install, whose scripts the host has.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab.kernel_tree import Linked, run_logged

PARTS = ("kernel", "kernel-core", "kernel-modules")

SPEC = """\
Name: kernel
Version: {version}
Release: {release}
Summary: Linux kernel {uname} of the lab
License: GPL-2.0
AutoReqProv: no
Requires: kernel-core = %{{version}}-%{{release}}
Requires: kernel-modules = %{{version}}-%{{release}}
%description
Linux kernel {uname} of the lab.
%package core
Summary: The kernel itself
AutoReqProv: no
Provides: kernel-uname-r = {uname}
Provides: installonlypkg(kernel)
%description core
Linux kernel {uname} of the lab, without most of its drivers.
%package modules
Summary: Drivers
AutoReqProv: no
Requires: kernel-core = %{{version}}-%{{release}}
Provides: installonlypkg(kernel-module)
%description modules
Drivers of Linux kernel {uname} of the lab.
%install
cp -a {root}/. %{{buildroot}}/
%posttrans core
/bin/kernel-install add {uname} /lib/modules/{uname}/vmlinuz || exit $?
%preun core
/bin/kernel-install remove {uname} || exit $?
%post modules
/sbin/depmod -a {uname}
%postun modules
[ ! -d /lib/modules/{uname}/kernel ] || /sbin/depmod -a {uname}
%files
%files core
%dir /lib/modules/{uname}
/lib/modules/{uname}/vmlinuz
/lib/modules/{uname}/System.map
/lib/modules/{uname}/config
/lib/modules/{uname}/modules.*
%ghost /boot/vmlinuz-{uname}
%ghost /boot/System.map-{uname}
%ghost /boot/config-{uname}
%ghost /boot/initramfs-{uname}.img
%files modules
/lib/modules/{uname}/kernel
"""


def files(release: str) -> list[str]:
    """File names of the packages of `uname -r` RELEASE."""
    plain = release.removesuffix(".x86_64")
    return [f"{part}-{plain.partition('-')[0]}-{plain.partition('-')[2]}.x86_64.rpm" for part in PARTS]


def image_rpms(linked: Linked, folder: Path) -> None:
    """Write the packages of a linked kernel into `folder`."""
    root = linked.stage.parent / "set"
    modules = root / "lib" / "modules" / linked.release
    shutil.copytree(linked.stage / "lib", root / "lib", symlinks=True)
    for source, name in ((linked.bzimage, "vmlinuz"), (linked.system_map, "System.map"), (linked.config, "config")):
        shutil.copyfile(source, modules / name)
        os.chmod(modules / name, 0o644)
    (modules / "kernel").mkdir(exist_ok=True)
    version, _dash, release = linked.release.removesuffix(".x86_64").partition("-")
    spec = linked.stage.parent / "kernel.spec"
    spec.write_text(SPEC.format(version=version, release=release, uname=linked.release, root=root), "utf-8")
    top = linked.stage.parent / "rpm"
    defines = (
        f"_topdir {top}",
        f"_rpmdir {folder}",
        "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
        "__os_install_post %{nil}",
        "_build_id_links none",
        "_binary_payload w6.gzdio",
        "use_source_date_epoch_as_buildtime 1",
        "clamp_mtime_to_source_date_epoch 1",
        "_buildhost lab",
    )
    command = ["rpmbuild", "-bb", "--target", "x86_64", "--dbpath", str(top / "db")]
    for define in defines:
        command += ["--define", define]
    run_logged((*command, str(spec)), linked.stage.parent, f"{files(linked.release)[1]}: packing")
