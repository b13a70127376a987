# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders that look like hosts: the files of a distribution as far as a look at a host reads them."""

from __future__ import absolute_import, division, print_function

import os

ENV_HEADER = "# GRUB Environment Block\n"
LINK, EXECUTABLE, FOLDER = "link", "executable", "folder"

GRUB_HEADER = """
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="%s"
fi
if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
export menuentry_id_option
if [ "${prev_saved_entry}" ]; then
  set saved_entry="${prev_saved_entry}"
  save_env saved_entry
  set prev_saved_entry=
  save_env prev_saved_entry
  set boot_once=true
fi
function savedefault {
  if [ -z "${boot_once}" ]; then
    saved_entry="${chosen}"
    save_env saved_entry
  fi
}
function load_video {
  if [ x$feature_all_video_module = xy ]; then
    insmod all_video
  fi
}
if loadfont unicode ; then
  set gfxmode=auto
fi
set timeout=5
"""


def grubenv(**values):
    """An environment block of 1024 bytes, as grub-editenv writes it."""
    text = ENV_HEADER + "".join("%s=%s\n" % pair for pair in sorted(values.items()))
    return text + "#" * (1024 - len(text))


def menuentry(title, identity, release, options="root=UUID=2c1f ro quiet", prefix="/boot", command="linux"):
    return """menuentry '%s' --class gnu-linux --class os $menuentry_id_option '%s' {
	recordfail
	load_video
	if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
	insmod ext2
	echo	'Loading Linux %s ...'
	%s	%s/vmlinuz-%s %s
	initrd	%s/initrd.img-%s
}
""" % (title, identity, release, command, prefix, release, options, prefix, release)


def debian_cfg(releases, default="0", name="Debian GNU/Linux", uuid="2c1f"):
    """grub.cfg as grub-mkconfig lays it out on Debian and Ubuntu: the newest first, then a submenu with all and their recovery entries."""
    inner = ""
    for release in releases:
        inner += menuentry("%s, with Linux %s" % (name, release), "gnulinux-%s-advanced-%s" % (release, uuid), release)
        inner += menuentry(
            "%s, with Linux %s (recovery mode)" % (name, release),
            "gnulinux-%s-recovery-%s" % (release, uuid),
            release,
            "root=UUID=2c1f ro single",
        )
    return (
        GRUB_HEADER % default
        + menuentry(name, "gnulinux-simple-" + uuid, releases[0])
        + "submenu 'Advanced options for %s' $menuentry_id_option 'gnulinux-advanced-%s' {\n%s}\n" % (name, uuid, inner)
        + "menuentry 'UEFI Firmware Settings' $menuentry_id_option 'uefi-firmware' {\n\tfwsetup\n}\n"
        + "if [ -f  ${config_directory}/custom.cfg ]; then\n  source ${config_directory}/custom.cfg\nfi\n"
    )


def el7_cfg(releases):
    """grub.cfg of EL 7: no submenu, long titles, an entry of its own for rescue, the saved entry is the default."""
    text = GRUB_HEADER % "${saved_entry}"
    for release in releases:
        title = "CentOS Linux (%s) 7 (Core)" % release
        text += menuentry(title, "gnulinux-%s-advanced-77aa" % releases[-1], release, prefix="", command="linux16")
    return text


BLS_CFG = """
set pager=1
if [ -f ${config_directory}/grubenv ]; then
  load_env -f ${config_directory}/grubenv
elif [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="${saved_entry}"
fi
if [ "${boot_counter}" -a "${boot_success}" = "0" ]; then
  if  [ "${boot_counter}" = "0" -o "${boot_counter}" = "-1" ]; then
    set default=1
    set boot_counter=-1
  fi
  save_env boot_counter
fi
insmod blscfg
blscfg
"""


def bls(machine_id, release):
    return (
        "/boot/loader/entries/%s-%s.conf" % (machine_id, release),
        "title Rocky Linux (%s) 9.5 (Blue Onyx)\nversion %s\nlinux /vmlinuz-%s\ninitrd /initramfs-%s.img $tuned_initrd\n"
        "options root=/dev/vda2 ro $tuned_params\ngrub_users $grub_users\ngrub_class rocky\n"
        % (release, release, release, release),
    )


def mountinfo(*mounts):
    """Lines of /proc/self/mountinfo for (device, mount point, file system, options) each."""
    lines = []
    for place, (device, point, filesystem, options) in enumerate(mounts):
        lines.append(
            "%d 1 %s / %s %s shared:1 - %s /dev/x %s\n" % (20 + place, device, point, options, filesystem, options)
        )
    return "".join(lines)


PLAIN_DISK = mountinfo(("8:1", "/", "ext4", "rw,relatime"))


def build(folder, *layers):
    """Make a host: {path: text, bytes, or (LINK, target), (EXECUTABLE, text), (FOLDER, "")}; later layers win, None takes away."""
    wanted = {}
    for layer in layers:
        wanted.update(layer)
    for path, content in wanted.items():
        if content is not None:
            _make(str(folder) + path, content)
    return str(folder)


def _make(path, content):
    kind, content = content if isinstance(content, tuple) else ("file", content)
    parent = path if kind == FOLDER else os.path.dirname(path)
    if not os.path.isdir(parent):
        os.makedirs(parent)
    if kind == LINK:
        os.symlink(content, path)
    elif kind != FOLDER:
        with open(path, "wb") as handle:
            handle.write(content if isinstance(content, bytes) else content.encode("utf-8"))
        os.chmod(path, 0o755 if kind == EXECUTABLE else 0o644)


def kernel(release, *modules):
    """An installed kernel with its modules.dep; `modules` are paths below /lib/modules/RELEASE."""
    lines = [
        "kernel/net/ipv4/tcp_bic.ko:",
        "kernel/drivers/gpu/drm/ttm/ttm.ko: kernel/drivers/gpu/drm/drm.ko",
        "kernel/drivers/gpu/drm/qxl/qxl.ko: kernel/drivers/gpu/drm/ttm/ttm.ko",
    ] + [path + ":" for path in modules]
    return {
        "/boot/vmlinuz-" + release: "kernel",
        "/lib/modules/%s/modules.dep" % release: "\n".join(lines) + "\n",
        "/lib/modules/%s/modules.builtin" % release: "kernel/fs/ext4/ext4.ko\n",
    }


def changed(files, changes):
    """A host's files with some of them different. `dict(files, **{...})` over several lines is not Python 2."""
    return dict(files, **changes)


SYSTEMD = {
    "/run/systemd/system": (FOLDER, ""),
    "/proc/1/stat": "1 (systemd) S 0 1 1 0",
    "/proc/2/stat": "2 (kthreadd) S 0 0 0 0",
    "/proc/self/mountinfo": PLAIN_DISK,
    "/proc/self/ns/pid": (LINK, "pid:[4026531836]"),
    "/proc/mounts": "/dev/sda1 / ext4 rw,relatime 0 0\n",
    "/proc/sys/kernel/random/boot_id": "5e0c2ad3-0001-4e4e-9a4f-000000000001\n",
}
# What systemd ships as rc-local.service: Debian's and Red Hat's differ in the path alone.
RC_LOCAL_UNIT = "[Unit]\nConditionFileIsExecutable=%s\nAfter=network.target\n\n[Service]\nType=forking\nExecStart=%s start\nTimeoutSec=0\n"

_DEBIAN_LIKE = {
    "/etc/modules": "# /etc/modules: kernel modules to load at boot time.\n",
    "/etc/modules-load.d/modules.conf": (LINK, "../modules"),
    "/lib/systemd/system/rc-local.service": RC_LOCAL_UNIT % ("/etc/rc.local", "/etc/rc.local"),
    "/var/lib/dpkg/status": "Package: bash\nStatus: install ok installed\nVersion: 4.3\n\n",
    "/boot/grub/grubenv": grubenv(),
}

UBUNTU1604 = changed(
    SYSTEMD,
    changed(
        _DEBIAN_LIKE,
        {
            "/etc/os-release": 'NAME="Ubuntu"\nVERSION_ID="16.04"\nID=ubuntu\nID_LIKE=debian\n',
            "/etc/lsb-release": "DISTRIB_ID=Ubuntu\nDISTRIB_RELEASE=16.04\n",
            "/etc/debian_version": "stretch/sid\n",
            "/etc/rc.local": (EXECUTABLE, "#!/bin/sh -e\n#\n# rc.local\n\nexit 0\n"),
            "/boot/grub/grub.cfg": debian_cfg(["4.4.87.toa", "4.4.0-210-generic"], name="Ubuntu"),
        },
    ),
)
UBUNTU1604.update(kernel("4.4.0-210-generic"))
UBUNTU1604.update(kernel("4.4.87.toa", "kernel/net/toa/toa.ko"))

DEBIAN8 = changed(
    SYSTEMD,
    changed(
        _DEBIAN_LIKE,
        {
            "/etc/os-release": 'PRETTY_NAME="Debian GNU/Linux 8 (jessie)"\nVERSION_ID="8"\nID=debian\n',
            "/etc/debian_version": "8.11\n",
            "/boot/grub/grub.cfg": debian_cfg(["3.16.0-11-amd64"]),
        },
    ),
)
DEBIAN8.update(kernel("3.16.0-11-amd64"))

CENTOS7 = changed(
    SYSTEMD,
    {
        "/etc/os-release": 'NAME="CentOS Linux"\nVERSION_ID="7"\nID="centos"\nID_LIKE="rhel fedora"\n',
        "/etc/redhat-release": "CentOS Linux release 7.9.2009 (Core)\n",
        "/etc/centos-release": "CentOS Linux release 7.9.2009 (Core)\n",
        "/etc/rc.d/rc.local": "#!/bin/bash\ntouch /var/lock/subsys/local\n",
        "/etc/rc.local": (LINK, "rc.d/rc.local"),
        "/usr/lib/systemd/system/rc-local.service": RC_LOCAL_UNIT % ("/etc/rc.d/rc.local", "/etc/rc.d/rc.local"),
        "/usr/lib/systemd/system/rhel-loadmodules.service": "[Service]\nExecStart=/usr/lib/systemd/rhel-loadmodules\n",
        "/usr/lib/systemd/system/basic.target.wants/rhel-loadmodules.service": (LINK, "../rhel-loadmodules.service"),
        "/var/lib/rpm/Packages": "db",
        "/boot/grub2/grub.cfg": el7_cfg(["3.10.0-1160.119.1.el7.x86_64", "3.10.0-693.el7.centos.toa.x86_64"]),
        "/boot/grub2/grubenv": grubenv(saved_entry="CentOS Linux (3.10.0-693.el7.centos.toa.x86_64) 7 (Core)"),
        "/proc/self/mountinfo": mountinfo(("253:0", "/", "xfs", "rw"), ("8:1", "/boot", "xfs", "rw")),
        "/sys/dev/block/253:0/dm/uuid": "LVM-abc\n",
    },
)
CENTOS7.update(kernel("3.10.0-1160.119.1.el7.x86_64"))
CENTOS7.update(kernel("3.10.0-693.el7.centos.toa.x86_64", "kernel/net/toa/toa.ko.xz"))

MACHINE_ID = "3f5c0c1d9a3b4d8b8a9e1d2c3b4a5f60"
ROCKY9 = changed(
    [
        bls(MACHINE_ID, "5.14.0-70.30.1.el9_0.x86_64"),
        bls(MACHINE_ID, "5.14.0-284.30.1.el9_2.x86_64"),
        bls(MACHINE_ID, "0-rescue"),
    ],
    changed(
        SYSTEMD,
        {
            "/etc/os-release": 'NAME="Rocky Linux"\nVERSION_ID="9.5"\nID="rocky"\nID_LIKE="rhel centos fedora"\nPLATFORM_ID="platform:el9"\n',
            "/etc/redhat-release": "Rocky Linux release 9.5 (Blue Onyx)\n",
            "/var/lib/rpm/rpmdb.sqlite": "db",
            "/boot/grub2/grub.cfg": BLS_CFG,
            "/boot/grub2/grubenv": grubenv(),
            "/proc/mounts": "/dev/sda1 / ext4 rw 0 0\ncgroup2 /sys/fs/cgroup cgroup2 rw 0 0\nbpf /sys/fs/bpf bpf rw 0 0\n",
        },
    ),
)
ROCKY9.update(kernel("5.14.0-284.30.1.el9_2.x86_64"))
ROCKY9.update(kernel("5.14.0-70.30.1.el9_0.x86_64"))

CENTOS6 = {
    "/etc/redhat-release": "CentOS release 6.10 (Final)\n",
    "/etc/centos-release": "CentOS release 6.10 (Final)\n",
    "/etc/system-release": "CentOS release 6.10 (Final)\n",
    "/sbin/initctl": (EXECUTABLE, "elf"),
    "/etc/init/rcS.conf": "start on startup\n",
    "/etc/inittab": "id:3:initdefault:\n",
    "/etc/rc.d/rc.sysinit": "for file in /etc/sysconfig/modules/*.modules ; do\n  [ -x $file ] && $file\ndone\n",
    "/etc/rc.d/rc3.d/S99local": (LINK, "../rc.local"),
    "/etc/rc.d/rc.local": (EXECUTABLE, "#!/bin/sh\ntouch /var/lock/subsys/local\n"),
    "/etc/rc.local": (LINK, "rc.d/rc.local"),
    "/proc/1/stat": "1 (init) S 0 1 1 0",
    "/proc/2/stat": "2 (kthreadd) S 0 0 0 0",
    "/proc/self/mountinfo": PLAIN_DISK,
    "/var/lib/rpm/Packages": "db",
    "/boot/grub/grub.conf": (
        "# grub.conf generated by anaconda\ndefault=1\ntimeout=5\nsplashimage=(hd0,0)/grub/splash.xpm.gz\nhiddenmenu\n"
        "title CentOS (2.6.32-220.23.1.el6.toa.x86_64)\n\troot (hd0,0)\n\tkernel /vmlinuz-2.6.32-220.23.1.el6.toa.x86_64 ro root=/dev/sda1\n"
        "\tinitrd /initramfs-2.6.32-220.23.1.el6.toa.x86_64.img\n"
        "title CentOS (2.6.32-754.35.1.el6.x86_64)\n\troot (hd0,0)\n\tkernel /vmlinuz-2.6.32-754.35.1.el6.x86_64 ro root=/dev/sda1\n"
        "\tinitrd /initramfs-2.6.32-754.35.1.el6.x86_64.img\n"
    ),
    "/boot/grub/menu.lst": (LINK, "./grub.conf"),
}
CENTOS6.update(kernel("2.6.32-754.35.1.el6.x86_64"))
CENTOS6.update(kernel("2.6.32-220.23.1.el6.toa.x86_64", "kernel/net/toa/toa.ko"))
