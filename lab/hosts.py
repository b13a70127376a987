# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's hosts, as data: a new host is a row here and a directory of files below lab/dress/."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab import qemu
from lab.paths import HERE
from lab.progress import LabError


@dataclass(frozen=True)
class Image:
    """A root file system, made once and shared by every host dressed on it.

    suite: the Debian suite that mmdebstrap installs. packages: what is installed beside the essential ones.
    left_out: files of those packages that are not (dpkg's path-exclude). masked: systemd units that never start.
    features: mke2fs -O, for boot loaders and kernels that do not know today's defaults. size_mib: of the disk.
    kernel: package of the distribution's own kernel, for hosts that run it; "" where the lab builds what they run.
    offered: packages that are not installed, but to be had: the only source of apt is a folder on the disk that holds them.
    second: the kind of a second partition (its byte in the table), which the host's boot loader is installed with; 0 for none.
    """

    suite: str
    packages: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    features: str = "^metadata_csum_seed,^orphan_file"
    size_mib: int = 3072
    kernel: str = ""
    offered: tuple[str, ...] = ()
    second: int = 0


@dataclass(frozen=True)
class Host:
    """One row: what a machine is dressed as, and what it really runs on.

    kernel: `uname -r` of the stock kernel, as the distribution calls it; a pattern where the image brings the distribution's own, which
    moves on with its archive. toa_kernel: of the kernel that the documents offer for it, served by the mirror.
    vtoa: whether its repository on the mirror has the package vtoa.
    loader, packages and init name the shell functions of lab/guest/ that install a boot loader, a package, and tell that the machine has
    finished booting. cpu: what is emulated. extra: not one of the fleet, and started only when it is named.
    uefi: whether its firmware is UEFI with Secure Boot, and not a BIOS.
    layers: directories of lab/dress/ that come between `common` and the host's own. release_package: NAME-VERSION-RELEASE of the
    package that rpm knows the distribution by. variables: what the inventory says of this host beside how to reach it.
    """

    name: str
    dressed_as: str
    image: str
    kernel: str
    toa_kernel: str | None = None
    vtoa: bool = False
    loader: str = "grub2"
    packages: str = "dpkg"
    init: str = "systemd"
    memory_mib: int = 512
    cpu: str = qemu.CPU
    extra: bool = False
    uefi: bool = False
    layers: tuple[str, ...] = ()
    release_package: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)


_DEBIAN = (
    "dbus",
    "ifupdown",
    "initramfs-tools",
    "iproute2",
    "kmod",
    "openssh-server",
    "procps",
    "python3",
    "sudo",
    "udev",
)

_LEFT_OUT = (
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
    # Disk and root file system are built into the kernels: an initramfs with udev and fsck only takes long to make and to leave.
    # What is left of it is told how to do without udev by lab/dress/common/etc/initramfs-tools.
    *(
        f"/usr/share/initramfs-tools/hooks/{name}"
        for name in ("dmsetup", "fsck", "keymap", "resume", "thermal", "udev")
    ),
    *(
        f"/usr/share/initramfs-tools/scripts/{name}"
        for name in ("init-top/udev", "init-bottom/udev", "local-premount/resume")
    ),
    # The kernels are too small for so many processes, and a failed unit would spoil the picture.
    "/usr/lib/sysctl.d/50-pid-max.conf",
)

# What a machine would spend its first minutes on, and no test looks at; the wait for network cards that are plugged in later;
# modules that systemd asks for unasked, and that no kernel of the lab has.
_MASKED = (
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "ifupdown-pre.service",
    "modprobe@.service",
)

_BOOTED = (*_DEBIAN, "systemd", "systemd-sysv")
_GRUB2_SYSTEMD = (*_DEBIAN, "grub-pc", "systemd", "systemd-sysv")
# Distributions from before nftables have it in every installation.
_FIREWALL = "iptables"
# Debian's kernel for virtual machines: the drivers that QEMU has, and a tenth of the rest.
_KERNEL = "linux-image-cloud-amd64"

# Enterprise Linux 6 has no systemd, no udev that names anything, and the boot loader before GRUB 2.
_SYSVINIT = (
    *(name for name in _DEBIAN if name not in ("dbus", "ifupdown")),
    "grub-legacy",
    _FIREWALL,
    "rpm",
    "sysvinit-core",
)

_UEFI = ("bpftool", "dosfstools", "efibootmgr", "grub-efi-amd64", "grub-efi-amd64-signed", "mokutil", "shim-signed")
_SELINUX = ("auditd", "bpftool", _FIREWALL, "nftables", "policycoreutils", "selinux-policy-default", "selinux-utils")

# Vendor kernels older than the running one: what the documents ask for, and what nobody should get unasked.
_DOWNGRADE = {"toa_accept": ["kernel_downgrade"]}

IMAGES = {
    "bookworm": Image("bookworm", (*_GRUB2_SYSTEMD, _FIREWALL), _LEFT_OUT, _MASKED),
    "debian11": Image("bullseye", (*_GRUB2_SYSTEMD, "bpftool"), _LEFT_OUT, _MASKED, kernel=_KERNEL),
    "debian12": Image("bookworm", _GRUB2_SYSTEMD, _LEFT_OUT, _MASKED, kernel=_KERNEL, offered=("bpftool",)),
    "debian13": Image("trixie", (*_GRUB2_SYSTEMD, "bpftool"), _LEFT_OUT, _MASKED, kernel=_KERNEL),
    # SELinux of Debian: everything that the policy has rules for and a rollout may start, and what writes down what it denies.
    "selinux12": Image("bookworm", (*_GRUB2_SYSTEMD, *_SELINUX), _LEFT_OUT, _MASKED, kernel=_KERNEL),
    # The signed shim, GRUB and kernel of Debian, on a disk with an EFI system partition.
    "efi12": Image("bookworm", (*_BOOTED, *_UEFI), _LEFT_OUT, _MASKED, kernel=_KERNEL, second=0xEF),
    # /boot where GRUB can read, and cannot write.
    "lvm12": Image("bookworm", (*_GRUB2_SYSTEMD, "bpftool", "lvm2"), _LEFT_OUT, _MASKED, kernel=_KERNEL, second=0x8E),
    "raid12": Image("bookworm", (*_GRUB2_SYSTEMD, "bpftool", "mdadm"), _LEFT_OUT, _MASKED, kernel=_KERNEL, second=0xFD),
    "centos6": Image("bookworm", _SYSVINIT, _LEFT_OUT),
    # Enterprise Linux with systemd; lab/dress/centos7 hides dnf.
    "el": Image("bookworm", (*_GRUB2_SYSTEMD, "dnf", _FIREWALL, "rpm"), _LEFT_OUT, _MASKED),
    # From 8 on, with what has the plugin versionlock.
    "el_bls": Image("bookworm", (*_GRUB2_SYSTEMD, "dnf", "dnf-plugins-core", _FIREWALL, "rpm"), _LEFT_OUT, _MASKED),
}

HOSTS = {
    host.name: host
    for host in (
        Host("ubuntu1604", "Ubuntu 16.04.7 LTS", "bookworm", "4.4.0-210-generic", "4.4.87.toa"),
        Host("debian8", "Debian GNU/Linux 8 (jessie)", "bookworm", "3.16.0-11-amd64", "3.16.43.toa"),
        Host(
            "centos6",
            "CentOS release 6.10 (Final)",
            "centos6",
            "2.6.32-754.35.1.el6.x86_64",
            "2.6.32-220.23.1.el6.toa.x86_64",
            loader="grub_legacy",
            packages="rpm",
            init="sysvinit",
            layers=("el",),
            release_package="centos-release-6-10.el6.centos.12.3",
            variables=_DOWNGRADE,
        ),
        Host(
            "centos7",
            "CentOS Linux 7 (Core)",
            "el",
            "3.10.0-1160.119.1.el7.x86_64",
            "3.10.0-693.el7.centos.toa.x86_64",
            loader="grub2_el",
            packages="rpm",
            layers=("el",),
            release_package="centos-release-7-9.2009.1.el7.centos",
            variables=_DOWNGRADE,
        ),
        Host(
            "alinux3",
            "Alibaba Cloud Linux 3.2104 U13.1 (OpenAnolis Edition)",
            "el",
            "5.10.134-18.al8.x86_64",
            vtoa=True,
            loader="grub2_el",
            packages="rpm",
            layers=("el",),
            release_package="alinux-release-3.2104.13.1-1.al8",
            variables={"toa_vendor": "alibaba"},
        ),
        Host("debian11", "Debian GNU/Linux 11 (bullseye)", "debian11", "5.10.*-cloud-amd64", layers=("stock",)),
        Host("debian12", "Debian GNU/Linux 12 (bookworm)", "debian12", "6.1.*-cloud-amd64", layers=("stock",)),
        # QEMU 7.2 spoils the flags in an emulated cmpxchg16b now and then, and 6.12 uses it in every kmalloc().
        Host(
            "debian13",
            "Debian GNU/Linux 13 (trixie)",
            "debian13",
            "6.12.*-cloud-amd64",
            cpu=f"{qemu.CPU},-cx16",
            layers=("stock",),
        ),
        Host(
            "el8",
            "Rocky Linux 8.10 (Green Obsidian)",
            "el_bls",
            "4.18.0-553.123.1.el8_10.x86_64",
            "4.18.0-553.123.1.el8_10.toa.x86_64",
            loader="grub2_bls",
            packages="rpm_set",
            layers=("el", "el_bls"),
            release_package="rocky-release-8.10-1.9.el8",
            extra=True,
        ),
        Host(
            "el9",
            "AlmaLinux 9.7 (Moss Jungle Cat)",
            "el_bls",
            "5.14.0-611.5.1.el9_7.x86_64",
            "5.14.0-611.5.1.el9_7.toa.x86_64",
            loader="grub2_bls",
            packages="rpm_set",
            layers=("el", "el_bls"),
            release_package="almalinux-release-9.7-1.el9",
            extra=True,
        ),
        Host(
            "ubuntu2204",
            "Ubuntu 22.04.5 LTS",
            "bookworm",
            "5.15.0-161-generic",
            "5.15.199.toa",
            loader="grub2_partuuid",
            extra=True,
        ),
        Host(
            "selinux12",
            "Debian GNU/Linux 12 (bookworm), SELinux enforcing",
            "selinux12",
            "6.1.*-cloud-amd64",
            packages="dpkg_selinux",
            layers=("stock",),
            extra=True,
        ),
        Host(
            "efi12",
            "Debian GNU/Linux 12 (bookworm), UEFI with Secure Boot",
            "efi12",
            "6.1.*-cloud-amd64",
            loader="grub2_efi",
            layers=("stock",),
            extra=True,
            uefi=True,
        ),
        Host(
            "lvm12",
            "Debian GNU/Linux 12 (bookworm), /boot on LVM",
            "lvm12",
            "6.1.*-cloud-amd64",
            loader="grub2_lvm",
            layers=("stock",),
            extra=True,
        ),
        Host(
            "raid12",
            "Debian GNU/Linux 12 (bookworm), /boot on a mirror of disks",
            "raid12",
            "6.1.*-cloud-amd64",
            loader="grub2_raid",
            layers=("stock",),
            extra=True,
        ),
        # Its redhat-release and one of its os-releases say CentOS 8, as those of the real one do.
        Host(
            "tencentos",
            "TencentOS Server 3.1 (Final)",
            "el",
            "5.4.119-19.0009.28",
            loader="grub2_el",
            packages="rpm",
            layers=("el", "centos7"),
            release_package="tencentos-release-3.1-2.tl3",
            extra=True,
        ),
    )
}

# Shell command that returns once a machine has finished booting, by init.
SETTLED = {
    # "degraded", which makes it exit with 1, is an answer too: what matters is that nothing is being started any more.
    "systemd": "systemctl is-system-running --wait || true",
    # The last that the last of the scripts does.
    "sysvinit": "until [ -e /var/lock/subsys/local ]; do sleep 0.2; done",
}


def select(names: list[str], extra: bool = False) -> list[Host]:
    """The rows called `names`; where the list is empty the fleet, with `extra` all rows. LabError for a name that is not in the table."""
    unknown = [name for name in names if name not in HOSTS]
    if unknown:
        raise LabError(f"no such host: {', '.join(unknown)}; the lab has {', '.join(sorted(HOSTS))}")
    return [HOSTS[name] for name in names] if names else [host for host in HOSTS.values() if extra or not host.extra]


# A file NAME with this before it, in lab/dress/, says that the machine has no NAME.
ABSENT = ".absent."


@dataclass(frozen=True)
class Dress:
    """What makes a machine look like its distribution: {path in the machine: (mode, content)}, and paths that it has not.

    The content of a symbolic link (stat.S_IFLNK in its mode) is where it leads. What is absent goes before the files come.
    """

    files: dict[str, tuple[int, bytes]]
    absent: list[str]


def dress(host: Host) -> Dress:
    """lab/dress/common first, then the host's layers, then lab/dress/NAME, each over what came before."""
    return layered("common", *host.layers, host.name)


def layered(*layers: str) -> Dress:
    """Directories of lab/dress/, each over what came before."""
    files: dict[str, tuple[int, bytes]] = {}
    absent: set[str] = set()
    for layer in layers:
        root = HERE / "dress" / layer
        for path in sorted(root.rglob("*")):
            name = str(path.relative_to(root))
            if path.name.startswith(ABSENT):
                gone = str(path.relative_to(root).with_name(path.name.removeprefix(ABSENT)))
                absent.add(gone)
                files = {
                    other: file for other, file in files.items() if other != gone and not other.startswith(gone + "/")
                }
            elif path.is_symlink():
                files[name] = (stat.S_IFLNK | 0o777, str(path.readlink()).encode())
            elif path.is_file() and path.suffix != ".pyc":
                files[name] = (0o755 if path.stat().st_mode & 0o100 else 0o644, path.read_bytes())
    return Dress(files, sorted(absent))
