# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What GRUB 2 would do on this host, by its files: menu, entries, default. Only looks."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import GrubFiles, environment
from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import (
    custom_config,
    environment_block,
    grub2_config,
    sources_custom,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.environment import parse_assignments
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub2_text import set_default_of
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub2_text import (
    DEFAULT_LINE,
    INITRD_LINE,
    menuentry_blocks,
    title_paths,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub2_tools import Grub2Tools
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_script import boot_order, run_grub_cfg
from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import bootable, entry_of_release, find_entry
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, list_dir

DEFAULT_FILE = "/etc/default/grub"
DROP_INS = "/etc/default/grub.d"


class Grub2Menu(Grub2Tools):
    """The reading half of a GRUB 2 backend. Nothing here writes but what Grub2Tools gives it."""

    USES_BLS = False
    TRIAL_ID = "realip-toa-trial"
    BACK_ID = "realip-toa-back"

    def __init__(self, machine, config, block):
        self.machine = machine
        self.config = config
        self.block = block
        self.custom = custom_config(config)
        self._orders = {}
        self._menus = {}

    @classmethod
    def detect(cls, machine):
        config = grub2_config(machine.root or "/")
        if config is None:
            return None
        backend = cls(machine, config, environment_block(machine.root or "/", config))
        order = backend._order()
        return backend if order["uses_bls"] == cls.USES_BLS and not order["uses_legacy"] else None

    def setting(self):
        """GRUB_DEFAULT as grub-mkconfig would see it; "0" where nothing sets it."""
        return parse_assignments(self.machine.read(self._default_file())).get("GRUB_DEFAULT") or "0"

    def default(self):
        return self._release(self._order()["default"])

    def next(self):
        return self._release(self._order()["next"])

    def trial(self):
        return self._release(find_entry(self._order()["entries"], self.TRIAL_ID))

    def loader_files(self):
        return [self.config, self.block]

    def has(self, release):
        return self._entry(release) is not None

    def _text(self):
        return self.machine.read(self.config) or ""

    def _env(self):
        """What the host's own editor says is in the environment block."""
        return environment(self.machine, self.block, ask=True) or {}

    def _order(self):
        return self._order_of(self._text(), self._env() if self.machine.size(self.block) else None)

    def _order_of(self, text, env):
        """boot_order(), worked out once for the same files."""
        key = (text, self.machine.read_latin(self.custom), env if env is None else tuple(sorted(env.items())))
        if key not in self._orders:
            files = GrubFiles(self.machine.root or "/", self.config)
            self._orders[key] = boot_order(text, env, self._bls_entries(), files)
        return self._orders[key]

    @staticmethod
    def _bls_entries():
        return ()

    def takes_trial(self):
        """The menu can have an entry of our own."""
        return sources_custom(self.machine.read(self.config) or "")

    @staticmethod
    def _release(entry):
        return (entry["release"] or None) if entry else None

    def _entries(self):
        text = self.machine.read(self.config) or ""
        if text not in self._menus:
            self._menus[text] = run_grub_cfg(text)["entries"]
        return self._menus[text]

    def _entry(self, release):
        return entry_of_release(self._entries(), release)

    def _spec(self, release):
        """What to write as saved_entry: the path of ids, or of titles where an id names another entry.

        grubby on EL 7 copies an entry together with its id, so there ids are not always unique; and it reads titles only. What it cannot
        read it takes for no default at all, and the next argument that somebody adds with it makes another kernel the default.
        """
        entries = self._entries()
        wanted = entry_of_release(entries, release)
        specs = [wanted["spec"]] + title_paths(entries, wanted) if wanted else []
        if wanted in entries and not self.USES_BLS and self.machine.command("grubby"):
            specs.reverse()
        for spec in specs:
            if find_entry(entries, spec) is wanted:
                return spec
        raise TargetError(
            "no_boot_entry",
            "%s has no entry that names kernel %s alone" % (self.config, release),
            "install the kernel, or generate the menu again (update-grub or grub2-mkconfig), then run again",
        )

    def _honours_saved(self, release):
        """The menu as it is boots the saved entry by default."""
        env = dict(self._env(), saved_entry=self._spec(release))
        return (
            self._release(self._order_of(self._text(), env)["default"]) == release
            and self._config_default() == "${saved_entry}"
        )

    def _config_default(self):
        return set_default_of(self._text())

    def _expected_default(self):
        return "${saved_entry}" if self.setting() == "saved" else self.setting()

    def _default_file(self):
        """The file whose GRUB_DEFAULT counts: Debian reads /etc/default/grub.d after /etc/default/grub."""
        names = [DROP_INS + "/" + name for name in list_dir(self.machine.path(DROP_INS)) if name.endswith(".cfg")]
        for name in reversed(names):
            if DEFAULT_LINE.search(self.machine.read(name) or ""):
                return name
        return DEFAULT_FILE

    def _initramfs(self, entry):
        """Files below /boot that an entry loads as initramfs."""
        match = INITRD_LINE.search(self._body(entry) or "")
        return [self._host_file(word) for word in match.group(1).split()] if match else []

    def _host_file(self, path):
        """A file that an entry names by its place on the boot file system, as a path on the host."""
        path = re.sub(r"^\([^)]*\)", "", path)
        for candidate in ("/boot" + path, path, "/boot/efi" + path, "/efi" + path):
            if self.machine.size(candidate):
                return candidate
        return "/boot/" + os.path.basename(path)

    def _body(self, entry):
        """An entry's own text in grub.cfg, from "menuentry" to its closing brace, or None."""
        if entry is None:
            return None
        for block in menuentry_blocks(self.machine.read(self.config) or ""):
            alone = bootable(run_grub_cfg("menuentry_id_option=--id\n" + block)["entries"])
            if len(alone) == 1 and all(alone[0][key] == entry[key] for key in ("title", "id", "image")):
                return block
        return None
