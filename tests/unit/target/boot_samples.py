# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host in a folder, for the tests of boot.py: kernels, a menu that grub-mkconfig 2.06 made, and a GRUB that boots from it.

The two commands are stand-ins, so that this runs on any Python: tests/integration/test_boot_grub.py runs the real ones.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

import pytest

from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import GrubFiles
from ansible_collections.realip.toa.plugins.module_utils.bootloader.environment import (
    ENV_HEADER,
    ENV_SIZE,
    parse_assignments,
    parse_grubenv,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_script import run_grub_cfg
from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import pick_entry
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial import trial_words
from ansible_collections.realip.toa.plugins.module_utils.host.machine import Machine
from ansible_collections.realip.toa.plugins.module_utils.host.state import STATE_FILE, section
from ansible_collections.realip.toa.plugins.module_utils.programs import boot

SAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "samples")
STOCK, NEW, OLDER = "4.4.0-31-generic", "4.4.87.toa", "4.3.0-1-generic"
FS = "0ac5c7b6-6b9c-4e0e-9a3e-6d1f4b1f2a11"
DEFAULT_GRUB = b'# comment in Latin-1: \xe9\nGRUB_DEFAULT=0\nGRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX_DEFAULT="quiet"\n'


def spec_of(release):
    return "gnulinux-advanced-%s>gnulinux-%s-advanced-%s" % (FS, release, FS)


class Died(BaseException):
    """The moment at which the power goes."""


class FragileMachine(Machine):
    """A machine that dies at its Nth change, and stays dead."""

    def __init__(self, root, runner, finder, changes):
        Machine.__init__(self, root, runner, finder)
        self.left = changes

    def _spend(self):
        if self.left <= 0:
            raise Died()
        self.left -= 1

    def write(self, name, text, mode=None, shared=False):
        self._spend()
        Machine.write(self, name, text, mode, shared)

    def write_at(self, name, offset, data):
        self._spend()
        Machine.write_at(self, name, offset, data)

    def remove(self, name):
        if self.exists(name):
            self._spend()
        return Machine.remove(self, name)

    def must_run(self, argv, code, what, timeout=120, env=None):
        self._spend()
        return Machine.must_run(self, argv, code, what, timeout, env)


class Host:
    """Debian or Ubuntu with GRUB 2; `stock` runs, `new` is the trial, `older` comes before both in a menu."""

    stock, new, older = STOCK, NEW, OLDER
    GRUB = "/boot/grub"
    COMMANDS = ("grub-editenv", "update-grub")
    RELEASE = STOCK
    MOUNTS = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"

    def __init__(self, folder):
        self.root = str(folder)
        self.ran = []
        self.boots = 0
        self.machine = Machine(self.root, self.run, self.find)
        self.write("/etc/default/grub", DEFAULT_GRUB)
        self.write("/proc/self/mountinfo", self.MOUNTS)
        for name in ("/run/systemd/system", self.GRUB, "/sys/dev/block/8:1"):
            if not os.path.isdir(self.path(name)):
                os.makedirs(self.path(name))
        self.install(self.RELEASE)
        self.boot(self.RELEASE)

    # -- files

    def path(self, name):
        return self.root + name

    def read(self, name):
        with open(self.path(name), "rb") as handle:
            return handle.read()

    def text(self, name):
        return self.read(name).decode("utf-8")

    def write(self, name, data):
        folder = os.path.dirname(self.path(name))
        if not os.path.isdir(folder):
            os.makedirs(folder)
        with open(self.path(name), "wb") as handle:
            handle.write(data if isinstance(data, bytes) else data.encode("utf-8"))

    def remove(self, name):
        os.unlink(self.path(name))

    def files(self):
        """Every file and its bytes, what the kernel tells and locks aside."""
        found = {}
        for folder, _folders, names in os.walk(self.root):
            for name in names:
                path = os.path.join(folder, name)[len(self.root) :]
                if not path.startswith(("/proc/", "/run/")):
                    found[path] = os.readlink(self.path(path)) if os.path.islink(self.path(path)) else self.read(path)
        return found

    # -- kernels, and GRUB

    def install(self, release):
        """As a kernel package does: files, then update-grub."""
        self.write("/boot/vmlinuz-" + release, "kernel")
        self.write("/boot/initrd.img-" + release, "initramfs")
        if not os.path.isdir(self.path("/lib/modules/" + release)):
            os.makedirs(self.path("/lib/modules/" + release))
        self.generate()

    def uninstall(self, release):
        self.remove("/boot/vmlinuz-" + release)
        self.remove("/boot/initrd.img-" + release)
        os.rmdir(self.path("/lib/modules/" + release))
        self.generate()

    def generate(self):
        """What update-grub writes: the sample's header, and its entries once for each kernel, newest first."""
        with open(os.path.join(SAMPLES, "grub-2.06-debian12.cfg"), "rb") as handle:
            sample = handle.read().decode("utf-8")
        settings = self.read("/etc/default/grub").decode("latin-1") if self.machine.exists("/etc/default/grub") else ""
        setting = parse_assignments(settings).get("GRUB_DEFAULT") or "0"
        sample = sample.replace(
            'set default="0"', 'set default="%s"' % ("${saved_entry}" if setting == "saved" else setting)
        )
        first = sample.index("menuentry 'Debian GNU/Linux'")
        advanced = sample.index("submenu ")
        one = sample.index("\tmenuentry ", advanced)
        second = sample.index("\tmenuentry 'Debian GNU/Linux, with Linux 4.4.87.toa'")
        end = sample.index("}\n\n### END /etc/grub.d/10_linux")
        releases = sorted(
            (name[len("vmlinuz-") :] for name in os.listdir(self.path("/boot")) if name.startswith("vmlinuz-")),
            key=lambda name: [int(part) for part in re.findall("[0-9]+", name)],
            reverse=True,
        )
        parts = [sample[:first], sample[first:advanced].replace("6.1.0-18-amd64", releases[0]), sample[advanced:one]]
        parts += [sample[one:second].replace("6.1.0-18-amd64", release) for release in releases]
        self.write(self.GRUB + "/grub.cfg", "".join(parts) + sample[end:])

    def environment(self):
        try:
            return parse_grubenv(self.text(self.GRUB + "/grubenv"))
        except IOError:
            return None

    def set_environment(self, values):
        body = ENV_HEADER + "".join("%s=%s\n" % item for item in sorted(values.items()))
        self.write(self.GRUB + "/grubenv", body + "#" * (ENV_SIZE - len(body)))

    def bls(self):
        return ()

    def everything_in_the_environment(self):
        """All variables that GRUB has when it has read its environment block."""
        return self.environment()

    def picks(self, loads=lambda image: True, keep=False):
        """The entry that GRUB starts when the power comes, or None where it stays in its menu; with `keep` nothing is changed by that."""
        values = self.everything_in_the_environment()
        files = GrubFiles(self.root, self.GRUB + "/grub.cfg")
        result = run_grub_cfg(self.text(self.GRUB + "/grub.cfg"), values, self.bls(), files)
        if values and values.get("next_entry") and not keep:
            self.took_next_entry(result["env"])
        entry = pick_entry(result["entries"], result["default"])
        # GRUB 2.06, normal/menu.c: numbers only, each once, in this order.
        for number in [None] + result["fallback"].split():
            if number is not None:
                entry = result["entries"][int(number)] if int(number) < len(result["entries"]) else None
            if entry is not None and entry["entries"] is None and loads(entry["image"]):
                return entry
        return None

    def took_next_entry(self, values):
        self.set_environment(values)  # GRUB's save_env leaves "next_entry="

    def boot(self, release=None, loads=lambda image: True):
        """Power on: GRUB picks an entry as its configuration says, and clears what was armed. Returns the release, or None."""
        options = "root=UUID=%s ro quiet" % FS
        if release is None:
            entry = self.picks(loads)
            if entry is None:
                return None
            release, options = entry["release"], self.expanded(entry["options"])
        self.boots += 1
        self.write("/proc/sys/kernel/osrelease", release + "\n")
        self.write("/proc/sys/kernel/random/boot_id", "boot-%d\n" % self.boots)
        self.write("/proc/cmdline", options + "\n")
        return release

    def told_of_trial(self):
        """The running kernel was told all that a trial is told, as the last of its command line; or what of it a boot loader hands over."""
        line, words = self.text("/proc/cmdline").strip(), trial_words(30, self.record()["nonce"])
        return line.endswith(" " + words) or (
            len(line) > 160 and line.endswith(words[: len(line) - line.index("realip_toa")])
        )

    def expanded(self, options):
        """A command line with the variables of the environment block in it, as blscfg makes it."""
        values = self.everything_in_the_environment() or {}
        return re.sub(r"\$(\w+)", lambda match: values.get(match.group(1), ""), options).strip()

    # -- commands

    def find(self, name):
        return "/usr/bin/" + name if name in self.COMMANDS else None

    def run(self, argv, timeout=120, stdin=None, env=None):
        self.ran.append(argv)
        name = os.path.basename(argv[0])
        if name in ("update-grub", "grub2-mkconfig"):
            self.generate()
        elif name in ("grub-editenv", "grub2-editenv"):
            values = self.environment() or {}
            if argv[2] == "list":
                return 0, "".join("%s=%s\n" % item for item in sorted(values.items())), ""
            if argv[2] == "set":
                values.update([argv[3].split("=", 1)])
            else:
                values.pop(argv[3], None)
            self.set_environment(values)
        else:
            return 127, "", "%s: not found" % argv[0]
        return 0, "", ""

    # -- the module

    def do(self, state, kernel=None, machine=None, **more):
        args = dict(more, state=state, kernel=kernel)
        return boot.perform(args, machine or self.machine)

    def fragile(self, changes):
        return FragileMachine(self.root, self.run, self.find, changes)

    def record(self):
        return section("boot", self.path(STATE_FILE))


class UbuntuCloud(Host):
    """Ubuntu's cloud images (GRUB_FORCE_PARTUUID): an entry is tried without an initramfs first, and with it after that has failed."""

    HEADER = """if [ "${initrdfail}" = 2 ]; then
   set initrdfail=
elif [ "${initrdfail}" = 1 ]; then
   set next_entry="${prev_entry}"
   set prev_entry=
   save_env prev_entry
   if [ "${next_entry}" ]; then
      set initrdfail=2
   fi
fi
"""
    FUNCTION = """function initrdfail {
    if [ -n "${have_grubenv}" ]; then if [ -n "${partuuid}" ]; then
      if [ -z "${initrdfail}" ]; then
        set initrdfail=1
        if [ -n "${boot_once}" ]; then
          set prev_entry="${default}"
          save_env prev_entry
        fi
      fi
      save_env initrdfail
    fi; fi
}
"""
    BRANCHES = (
        '\tif [ "${initrdfail}" = 1 ]; then\n'
        "\t  echo\t'GRUB_FORCE_PARTUUID set, initrdless boot failed. Attempting with initrd.'\n"
        "\t  linux\t/boot/vmlinuz-%(release)s root=PARTUUID=26f22d2b ro  console=tty1\n"
        "\t  initrd\t/boot/initrd.img-%(release)s\n"
        "\telse\n"
        "\t  echo\t'GRUB_FORCE_PARTUUID set, attempting initrdless boot.'\n"
        "\t  linux\t/boot/vmlinuz-%(release)s root=PARTUUID=26f22d2b ro  console=tty1 panic=-1\n"
        "\tfi\n"
        "\tinitrdfail\n"
    )

    def generate(self):
        Host.generate(self)
        text = self.text(self.GRUB + "/grub.cfg")
        text = text.replace('if [ "${next_entry}" ]', self.HEADER + 'if [ "${next_entry}" ]', 1)
        text = text.replace("function savedefault", self.FUNCTION + "function savedefault", 1)
        pattern = r"(?m)^\s*linux\s+/boot/vmlinuz-(\S+) .*\n(?:\s*echo.*\n)?\s*initrd.*\n"
        text = re.sub(pattern, lambda match: self.BRANCHES % {"release": match.group(1)}, text)
        self.write(self.GRUB + "/grub.cfg", text)


def arm(host):
    host.do("default", STOCK)
    host.install(NEW)
    return host.do("armed", NEW)


def refused(host, code, *args, **more):
    """The call fails with this code and leaves every file as it was; returns the error."""
    before = host.files()
    with pytest.raises(TargetError) as caught:
        host.do(*args, **more)
    assert caught.value.code == code
    assert caught.value.remedy
    assert host.files() == before
    return caught.value
