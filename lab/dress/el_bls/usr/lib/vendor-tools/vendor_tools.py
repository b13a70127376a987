# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-ins for what Enterprise Linux runs when a kernel comes or goes, written anew from what the real ones were seen to do.

    grubby            EL 7: entries of grub.cfg, and the saved entry as a title; an entry that it cannot find is the first one
                      EL 8 and later: files in /boot/loader/entries, and the saved entry as the name of a file
    new-kernel-pkg    EL 7: the entry first (and, with UPDATEDEFAULT=yes, the default), then the initramfs
    kernel-install    EL 8 and later: 20-grub.install (the entry, and the default), then dracut; with layout=bls 90-loaderentry.install
    grub2-mkconfig    EL 7: all entries anew from /etc/default/grub; EL 8: `kernelopts` anew, EL 9: the options of all entries
    dracut            an initramfs, or none (switch `dracut_fails`)
    grub2-editenv     the environment block; with `outside` as SUSE's on Btrfs: `next_entry` is kept where the file is not

A test makes `Tools(root, el=8, ...)` and gives `run` to a pretended machine; `after` is called after each change on the disk. On the lab's
machines the commands are these: python3 vendor_tools.py TOOL WORDS, with /etc/vendor-tools as switches; kernels and initramfs are real there.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import shutil
import subprocess
import sys

from vendor_grubby import Grubby

ENV_HEADER, ENV_SIZE = "# GRUB Environment Block\n", 1024
NAMES = ("grubby", "new-kernel-pkg", "kernel-install", "grub2-mkconfig", "dracut", "grub2-editenv")
ENTRY7 = """menuentry '%(title)s' --class centos --class gnu-linux --class gnu --class os --unrestricted $menuentry_id_option '%(id)s' {
\tload_video
\tset gfxpayload=keep
\tinsmod gzio
\tinsmod xfs
\tlinux16 /vmlinuz-%(release)s %(args)s
%(initrd)s}
"""


class Tools(Grubby):
    """The tools of one host. `el` is 7, 8 or 9."""

    def __init__(
        self, root="", el=7, machine_id="", mkconfig_option=True, dracut_fails=False, outside=False, boot="", after=None
    ):
        self.root = root
        self.el = el
        self.machine_id = machine_id
        self.mkconfig_option = mkconfig_option
        self.dracut_fails = dracut_fails
        self.outside = outside
        # Before the paths in entries, where /boot is no file system of its own.
        self.boot = boot
        self.after = after or (lambda: None)
        self.kept_outside = {}
        self.config = "/boot/grub2/grub.cfg"
        self.block = "/boot/grub2/grubenv"

    def run(self, argv):
        """(exit code, output, errors) of a command."""
        tool = {
            "grubby": self.grubby,
            "new-kernel-pkg": self.new_kernel_pkg,
            "kernel-install": self.kernel_install,
            "grub2-mkconfig": self.mkconfig,
            "dracut": self.dracut,
            "grub2-editenv": self.editenv,
            "20-grub.install": self.grub_install,
            "50-dracut.install": self.dracut_install,
            "command-lines": self.command_lines,
        }[os.path.basename(argv[0])]
        options = dict((word[2:].split("=", 1) + [""])[:2] for word in argv[1:] if word.startswith("--"))
        return tool(options, [word for word in argv[1:] if not word.startswith("--")])

    # -- files

    def text(self, name):
        if not os.path.isfile(self.root + name):
            return ""
        with open(self.root + name, "rb") as handle:
            return handle.read().decode("latin-1")

    def write(self, name, text):
        folder = os.path.dirname(self.root + name)
        if not os.path.isdir(folder):
            os.makedirs(folder)
        with open(self.root + name, "wb") as handle:
            handle.write(text.encode("latin-1"))
        self.after()

    def remove(self, name):
        if os.path.exists(self.root + name):
            os.unlink(self.root + name)
            self.after()

    def setting(self, name, files=("/etc/sysconfig/kernel",)):
        """The last assignment of a shell variable in these files."""
        found = ""
        for path in files:
            for value in re.findall(r"(?m)^[ \t]*%s=[\"']?([^\"'\n]*)" % name, self.text(path)):
                found = value
        return found

    # -- grub2-editenv

    def variables(self):
        found = dict(
            line.split("=", 1)
            for line in self.text(self.block)[len(ENV_HEADER) :].rstrip("#").split("\n")
            if "=" in line
        )
        return found

    def save(self, values):
        body = ENV_HEADER + "".join("%s=%s\n" % item for item in sorted(values.items()))
        self.write(self.block, body + "#" * (ENV_SIZE - len(body)))

    def editenv(self, _options, words):
        values = self.variables()
        if words[1] == "list":
            return 0, "".join("%s=%s\n" % item for item in sorted(dict(values, **self.kept_outside).items())), ""
        for word in words[2:]:
            name, value = (word.split("=", 1) + [""])[:2]
            if self.outside and name == "next_entry":
                self.kept_outside.pop(name, None)
                if words[1] == "set":
                    self.kept_outside[name] = value
                self.after()
                continue
            values.pop(name, None)
            if words[1] == "set":
                values[name] = value
        if values != self.variables():
            self.save(values)
        return 0, "", ""

    # -- kernels come and go

    def dracut(self, _options, words):
        if self.dracut_fails:
            return 1, "", "dracut: installkernel failed in module nfs\n"
        self.make_initramfs(words[-1], "/boot/initramfs-%s.img" % words[-1])
        return 0, "", ""

    def _follows(self):
        return self.setting("UPDATEDEFAULT") == "yes"

    def new_kernel_pkg(self, options, words):
        """`--install` is %post of the kernel's rpm, `--update` its %posttrans, `--remove` its %preun."""
        release, image = words[-1], "/boot/vmlinuz-" + words[-1]
        if "install" in options:
            added = {"add-kernel": image, "title": "CentOS Linux (%s) 7 (Core)" % release, "copy-default": ""}
            if self._follows() or "make-default" in options:
                added["make-default"] = ""
            return self._grubby_menu(added)
        if "update" in options:
            result = self.dracut({}, [release])
            if result[0] == 0:
                self._grubby_menu({"update-kernel": image, "initrd": "/boot/initramfs-%s.img" % release})
            return result
        if "remove" in options:
            self._grubby_menu({"remove-kernel": image})
            self.remove("/boot/initramfs-%s.img" % release)
        return 0, "", ""

    def kernel_install(self, _options, words):
        """What installs an entry, then what makes its initramfs; in the other order when a kernel goes."""
        parts = [self.grub_install, self.dracut_install]
        for part in parts if words[0] == "add" else reversed(parts):
            result = part({}, words)
            if result[0] != 0:
                return result
        return 0, "", ""

    def _files_of(self, release):
        """(kernel, initramfs) as the entry has them."""
        if self._own_folders():
            return "/%s/%s/linux" % (self.machine_id, release), "/%s/%s/initrd" % (self.machine_id, release)
        return "%s/vmlinuz-%s" % (self.boot, release), "%s/initramfs-%s.img" % (self.boot, release)

    def _own_folders(self):
        return "layout=bls" in self.text("/etc/kernel/install.conf").split("\n")

    def _on_disk(self, path):
        return path if self.boot else "/boot" + path

    def grub_install(self, _options, words):
        """WORDS: add RELEASE FOLDER IMAGE, or remove RELEASE."""
        verb, release = words[0], words[1]
        name = "%s-%s" % (self.machine_id, release)
        image, initrd = self._files_of(release)
        if verb != "add":
            for path in ("/boot/vmlinuz-" + release, self._on_disk(image), self.file(name)):
                self.remove(path)
            return 0, "", ""
        self.copy_kernel(words[-1], self._on_disk(image))
        self.write(
            self.file(name),
            "title %s (%s) %s\nversion %s\nlinux %s\ninitrd %s\noptions %s\ngrub_users $grub_users\ngrub_arg --unrestricted\n"
            % (self.named("NAME"), release, self.named("VERSION"), release, image, initrd, self._options_of_new()),
        )
        if self._follows() and not self._own_folders():
            self.editenv({}, [self.block, "set", "saved_entry=" + name])
        return 0, "", ""

    def dracut_install(self, _options, words):
        verb, release = words[0], words[1]
        path = self._on_disk(self._files_of(release)[1])
        if verb != "add":
            self.remove("/boot/initramfs-%s.img" % release)
            self.remove(path)
            return 0, "", ""
        if self.dracut_fails:
            return 1, "", "dracut failed\n"
        self.make_initramfs(release, path)
        return 0, "", ""

    def named(self, field):
        """NAME or VERSION of the distribution."""
        return self.setting(field, ("/etc/os-release",)) or {"NAME": "CentOS Linux", "VERSION": str(self.el)}[field]

    def copy_kernel(self, _image, path):
        self.write(path, "kernel")

    def make_initramfs(self, _release, path):
        self.write(path, "initramfs")

    def _options_of_new(self):
        if self.el == 8:
            return "$kernelopts $tuned_params"
        told = self.text("/etc/kernel/cmdline") or self.text("/proc/cmdline")
        return " ".join(word for word in told.split() if not word.startswith(("BOOT_IMAGE=", "initrd=")))

    # -- grub2-mkconfig

    def mkconfig(self, options, words):
        if "help" in options:
            return (
                0,
                "Usage: grub2-mkconfig [OPTION]\n%s" % ("  --no-grubenv-update\n" if self.mkconfig_option else ""),
                "",
            )
        told = "root=/dev/mapper/cl-root ro " + self.setting("GRUB_CMDLINE_LINUX", ("/etc/default/grub",))
        leave = self.mkconfig_option and "no-grubenv-update" in options
        setting = self.setting("GRUB_DEFAULT", ("/etc/default/grub",)) or "0"
        text = self.text(self.config)
        wanted = '   set default="%s"\n' % ("${saved_entry}" if setting == "saved" else setting)
        text = re.sub(r'(?m)^ *set default="(?!\$\{next_entry\}).*"\n', lambda match: wanted, text)
        self.write(self.config, text)
        if self.el == 7:
            self._write_entries([dict(entry, text=self._entry7(entry["release"], told)) for entry in self.entries()])
        elif not leave:
            self.command_lines({}, [told])
        return 0, "", ""

    def command_lines(self, _options, words):
        """What grub2-mkconfig writes beside grub.cfg: the command line of every kernel."""
        told = words[0].strip()
        if self.el == 8:
            self.editenv({}, [self.block, "set", "kernelopts=" + told])
            return 0, "", ""
        for name in self.files():
            again = re.sub(r"(?m)^options .*$", lambda match: "options " + told, self.text(self.file(name)))
            self.write(self.file(name), again)
        self.write("/etc/kernel/cmdline", told + "\n")
        return 0, "", ""

    def _entry7(self, release, told):
        initrd = os.path.exists(self.root + "/boot/initramfs-%s.img" % release)
        return ENTRY7 % {
            "title": "CentOS Linux (%s) 7 (Core)" % release,
            "id": "gnulinux-%s-advanced-0ac5c7b6" % release,
            "release": release,
            "args": told.strip(),
            "initrd": "\tinitrd16 /initramfs-%s.img\n" % release if initrd else "",
        }


class OnMachine(Tools):
    """The same where a kernel boots."""

    def copy_kernel(self, image, path):
        for name in ("System.map", "config"):
            source = os.path.join(os.path.dirname(image), name)
            if os.path.exists(source):
                shutil.copyfile(source, path.replace("vmlinuz-", name + "-"))
        shutil.copyfile(image, path)

    def make_initramfs(self, release, path):
        subprocess.check_call(["mkinitramfs", "-o", path, release])

    def grub_install(self, options, words):
        if words[0] != "add":
            for name in ("System.map", "config"):
                self.remove("/boot/%s-%s" % (name, words[1]))
        return Tools.grub_install(self, options, words)


def main(words):
    """As a command on a lab machine. /etc/vendor-tools has lines such as `el=8` and `dracut_fails=1`."""
    switches = {}
    with open("/etc/vendor-tools") as handle:
        for line in handle:
            name, value = line.strip().split("=", 1)
            switches[name] = int(value) if value.isdigit() else value
    with open("/etc/machine-id") as handle:
        switches["machine_id"] = handle.read().strip()
    rc, out, err = OnMachine(**switches).run(words)
    sys.stdout.write(out)
    sys.stderr.write(err)
    return rc


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
