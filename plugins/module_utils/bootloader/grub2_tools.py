# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tools of GRUB 2 on a host: its editor of the environment block, its generator of menus, its check of a script."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.bootloader.command_lines import CommandLines
from ansible_collections.realip.toa.plugins.module_utils.bootloader.environment import parse_assignments
from ansible_collections.realip.toa.plugins.module_utils.bootloader.own_tools import OwnTools
from ansible_collections.realip.toa.plugins.module_utils.bootloader.update_default import UpdateDefault
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError


class Grub2Tools(CommandLines, UpdateDefault, OwnTools):
    """What a GRUB 2 backend has done by commands. `machine`, `config` and `block` are the backend's."""

    def _editenv(self):
        editor = self.machine.command("grub-editenv", "grub2-editenv")
        if editor is None:
            raise TargetError(
                "loader_not_supported",
                "neither grub-editenv nor grub2-editenv is on this host",
                "install the package that has it (grub2-common on Debian and Ubuntu, grub2-tools-minimal on EL)",
            )
        return editor

    def _edit_env(self, verb, word):
        self.machine.must_run(
            [self._editenv(), self.machine.path(self.block), verb, word],
            "env_not_writable",
            "writing GRUB's environment block %s" % self.block,
            timeout=30,
        )

    def _generate(self):
        update = self.machine.command("update-grub")
        make = self.machine.command("grub-mkconfig", "grub2-mkconfig")
        if self.config == "/boot/grub/grub.cfg" and update:
            argv = [update]
        elif make:
            argv = [make] + self._leave_command_lines(make) + ["-o", self.machine.path(self.config)]
        else:
            raise TargetError(
                "loader_not_supported",
                "neither update-grub nor grub-mkconfig nor grub2-mkconfig is on this host",
                "install the package that has it, then run again",
            )
        # In the host's own language: titles are translated, and a default may be named by its title.
        self.machine.must_run(
            argv,
            "grub_mkconfig_failed",
            "generating %s" % self.config,
            timeout=300,
            env={"LANG": self._language(), "LC_ALL": ""},
        )

    def _leave_command_lines(self, make):
        """Enterprise Linux's grub2-mkconfig writes the command line of every kernel anew, unless it is told not to."""
        rc, out, err = self.machine.run([make, "--help"], timeout=30)
        return ["--no-grubenv-update"] if "--no-grubenv-update" in out + err else []

    def _language(self):
        for name in ("/etc/default/locale", "/etc/locale.conf"):
            found = parse_assignments(self.machine.read(name)).get("LANG")
            if found:
                return found
        return ""

    def _check_script(self, text):
        """GRUB's own syntax check, where the host has it: an error in custom.cfg would only be seen at boot."""
        checker = self.machine.command("grub-script-check", "grub2-script-check")
        if checker is None:
            return
        rc, out, err = self.machine.run([checker], timeout=30, stdin=text.encode("latin-1"))
        if rc != 0:
            raise TargetError(
                "loader_not_supported",
                "GRUB refuses %s with the trial entry in it: %s" % (self.custom, (err or out).strip()[-300:]),
                "repair what was in that file before, then run again",
            )
