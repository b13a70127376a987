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

from ansible_collections.realip.toa.plugins.module_utils.bootloader.environment import (
    ENV_HEADER,
    ENV_SIZE,
    parse_assignments,
    parse_grubenv,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_script import boot_order
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

    def boot(self, release=None):
        """Power on: GRUB picks an entry as its configuration says, and clears what was armed. Returns the release."""
        options = "root=UUID=%s ro quiet" % FS
        if release is None:
            text = self.text(self.GRUB + "/grub.cfg")
            if os.path.exists(self.path(self.GRUB + "/custom.cfg")):
                text += self.read(self.GRUB + "/custom.cfg").decode("latin-1")
            values = self.environment()
            order = boot_order(text, values, self.bls())
            entry = order["next"] or order["default"]
            if values and values.get("next_entry"):
                values["next_entry"] = ""  # as GRUB's save_env leaves it
                self.set_environment(values)
            release, options = entry["release"], entry["options"]
        self.boots += 1
        self.write("/proc/sys/kernel/osrelease", release + "\n")
        self.write("/proc/sys/kernel/random/boot_id", "boot-%d\n" % self.boots)
        self.write("/proc/cmdline", options + "\n")
        return release

    def told_of_trial(self):
        """The running kernel was told all that a trial is told, as the last of its command line."""
        return self.text("/proc/cmdline").strip().endswith(" " + trial_words(30, self.record()["nonce"]))

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
