# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages of a linked kernel, as distributions expect them: debs that run /etc/kernel hooks, rpms that run new-kernel-pkg.

The kernel's own `make bindeb-pkg` gives the same debs, but takes 40 s for each release, most of it for a package of C library
headers that nobody asked for; its `make binrpm-pkg` cannot keep a dash in the release.
"""

from __future__ import annotations

import os
import shutil
import textwrap
from pathlib import Path

from lab.kernel_tree import Linked, run_logged

MAINTAINER = "realip.toa lab <lab@realip.invalid>"

# The four maintainer scripts of a kernel package do nothing themselves: they call what the host has put into /etc/kernel.
HOOK_SCRIPT = """\
#!/bin/sh
set -e
export DEB_MAINT_PARAMS="$*"
export INITRD=Yes
if [ -d /etc/kernel/{script}.d ]; then
    run-parts --arg={release} --arg=/boot/vmlinuz-{release} /etc/kernel/{script}.d
fi
"""

SPEC = """\
Name: {name}
Version: {version}
Release: {release}
Summary: Linux kernel {uname} of the lab
License: GPL-2.0
Group: System Environment/Kernel
AutoReqProv: no
Provides: kernel-uname-r = {uname}
%description
Linux kernel {uname} of the lab.
%install
cp -a {root}/. %{{buildroot}}/
%posttrans
if [ -x /sbin/new-kernel-pkg ]; then
    /sbin/new-kernel-pkg --package kernel --mkinitrd --dracut --depmod --install {uname} || exit $?
elif [ -x /bin/kernel-install ]; then
    /bin/kernel-install add {uname} /boot/vmlinuz-{uname} || exit $?
fi
%preun
if [ -x /sbin/new-kernel-pkg ]; then
    /sbin/new-kernel-pkg --rminitrd --rmmoddep --remove {uname} || exit $?
elif [ -x /bin/kernel-install ]; then
    /bin/kernel-install remove {uname} || exit $?
fi
%files
/boot/*
/lib/modules/{uname}
"""


def _pack(root: Path, package: str, version: str, description: str, target: Path) -> None:
    """Turn a directory into a .deb. gzip, because every dpkg reads it and kernels do not get smaller by more."""
    size = sum(path.lstat().st_size for path in root.rglob("*") if not path.is_dir())
    control = f"""\
        Package: {package}
        Version: {version}
        Architecture: amd64
        Maintainer: {MAINTAINER}
        Section: kernel
        Priority: optional
        Installed-Size: {size // 1024}
        Description: {description}
        """
    (root / "DEBIAN").mkdir(mode=0o755, exist_ok=True)
    (root / "DEBIAN" / "control").write_text(textwrap.dedent(control), "utf-8")
    command = ("dpkg-deb", "--root-owner-group", "-Zgzip", "-z6", "--build", str(root), str(target))
    run_logged(command, root.parent, f"{target.name}: packing")


def _install_boot(linked: Linked, root: Path) -> None:
    """The files of /boot."""
    boot = root / "boot"
    boot.mkdir(mode=0o755)
    for source, name in ((linked.bzimage, "vmlinuz"), (linked.system_map, "System.map"), (linked.config, "config")):
        shutil.copyfile(source, boot / f"{name}-{linked.release}")
        os.chmod(boot / f"{name}-{linked.release}", 0o644)


def _root(linked: Linked, name: str) -> Path:
    root = linked.stage.parent / name
    root.mkdir(mode=0o755)
    os.chmod(root, 0o755)
    return root


def image_deb(linked: Linked, version: str, target: Path) -> None:
    """linux-image-RELEASE: kernel, modules, and maintainer scripts that run the host's hooks."""
    root = _root(linked, "image")
    _install_boot(linked, root)
    shutil.copytree(linked.stage / "lib", root / "lib", symlinks=True)
    (root / "DEBIAN").mkdir(mode=0o755)
    for script in ("preinst", "postinst", "prerm", "postrm"):
        (root / "etc" / "kernel" / f"{script}.d").mkdir(mode=0o755, parents=True)
        path = root / "DEBIAN" / script
        path.write_text(HOOK_SCRIPT.format(script=script, release=linked.release), "utf-8")
        os.chmod(path, 0o755)
    _pack(root, f"linux-image-{linked.release}", version, f"Linux kernel {linked.release} of the lab", target)


def _header_files(tree: Path) -> list[Path]:
    """What `make -C /lib/modules/RELEASE/build M=...` reads, relative to the tree."""
    names = [tree / name for name in ("Makefile", ".config", "Module.symvers", "tools/objtool/objtool")]
    names += [*tree.glob("arch/x86/Makefile*"), *tree.glob("arch/x86/Kbuild*")]
    for directory in ("include", "scripts", "arch/x86/include", "arch/x86/scripts"):
        names += [
            path
            for path in (tree / directory).rglob("*")
            if path.suffix not in (".o", ".a") and not path.name.endswith(".cmd")
        ]
    return [path.relative_to(tree) for path in names if path.is_file()]


def headers_deb(linked: Linked, version: str, target: Path) -> None:
    """linux-headers-RELEASE: /usr/src/linux-headers-RELEASE, and lib/modules/RELEASE/build pointing there."""
    root = _root(linked, "headers")
    source = root / "usr" / "src" / f"linux-headers-{linked.release}"
    for name in _header_files(linked.tree):
        (source / name).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        shutil.copy2(linked.tree / name, source / name)
    # The tree's own file says what the tree is called, not what it is linked as.
    (source / "include/config/kernel.release").write_text(linked.release + "\n", "utf-8")
    modules = root / "lib" / "modules" / linked.release
    modules.mkdir(parents=True)
    (modules / "build").symlink_to(f"/usr/src/{source.name}")
    _pack(
        root,
        f"linux-headers-{linked.release}",
        version,
        f"What it takes to build modules for Linux {linked.release} of the lab",
        target,
    )


def image_rpm(linked: Linked, target: Path) -> None:
    """kernel-VERSION-RELEASE.x86_64.rpm, where VERSION-RELEASE.x86_64 is `uname -r`; kernel-debug-... where that ends with +debug."""
    root = _root(linked, "image")
    _install_boot(linked, root)
    shutil.copytree(linked.stage / "lib", root / "lib", symlinks=True)
    plain, _plus, flavour = linked.release.partition("+")
    version, _dash, release = plain.removesuffix(".x86_64").partition("-")
    name = f"kernel-{flavour}" if flavour else "kernel"
    spec = linked.stage.parent / "kernel.spec"
    spec.write_text(SPEC.format(name=name, version=version, release=release, uname=linked.release, root=root), "utf-8")
    top = linked.stage.parent / "rpm"
    defines = (
        f"_topdir {top}",
        f"_rpmdir {target.parent}",
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
    run_logged((*command, str(spec)), linked.stage.parent, f"{target.name}: packing")
