# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The boot loader of a host, seen from its files: which one it is, what it boots next, and whether one boot can be armed.

Only looks. Changing it is programs/boot.py's, which shares the parsers (bootloader/menu.py) and the question whether GRUB can write its
environment block (host/machine.py), so that the facts and the change agree.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.bootloader.bls import parse_bls_entry, sort_bls
from ansible_collections.realip.toa.plugins.module_utils.bootloader.command_lines import BLS_FOLDER
from ansible_collections.realip.toa.plugins.module_utils.bootloader.environment import parse_grubenv
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_legacy_memory import (
    GrubLegacy,
    entry_release,
    legacy_config,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_script import run_grub_cfg
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_script import boot_order
from ansible_collections.realip.toa.plugins.module_utils.host.io import list_dir, read_line, read_text
from ansible_collections.realip.toa.plugins.module_utils.host.machine import Machine
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under

# GRUB 2: where its configuration may be; on Red Hat's family with UEFI it is what /etc/grub2-efi.cfg leads to.
EFI_LINK = "/etc/grub2-efi.cfg"
GRUB2_CONFIGS = ("/boot/grub/grub.cfg", EFI_LINK, "/boot/grub2/grub.cfg")
LOADER_INFO = "/sys/firmware/efi/efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"

_OTHER_LOADERS = (
    ("/boot/extlinux/extlinux.conf", "extlinux"),
    ("/boot/syslinux/syslinux.cfg", "syslinux"),
    ("/etc/zipl.conf", "zipl"),
    ("/etc/lilo.conf", "lilo"),
    ("/boot/boot.scr", "U-Boot"),
    ("/etc/elilo.conf", "elilo"),
)
_SOURCES_CUSTOM = re.compile(r"^[ \t]*source[ \t]+\S*custom\.cfg", re.M)
_HANDS_OVER = re.compile(r"^[ \t]*configfile[ \t]", re.M)
_TAKES_IN = re.compile(r"^[ \t]*(?:source|\.)[ \t]", re.M)
_HAS_A_MENU = re.compile(r"^[ \t]*(?:menuentry|submenu|blscfg)\b", re.M)
_MOST_ENTRIES = 200
_MOST_BYTES = 4 << 20


def look(root="/"):
    """`boot` of the facts: `boot_id, loader, config, default, next, env_writable, one_shot, reason, free_kib`.

    `default` and `next` are kernel releases or None, `reason` says why `one_shot` is False and is empty where it is True.
    """
    facts = {
        "loader": "other",
        "config": "",
        "default": None,
        "next": None,
        "env_writable": False,
        "one_shot": False,
        "reason": "",
    }
    facts.update(_grub2(root) or _legacy(root) or {"reason": _what_else(root)})
    facts["boot_id"] = read_line(under(root, "/proc/sys/kernel/random/boot_id")) or ""
    facts["free_kib"] = _free_kib(root)
    return facts


def bls_entries(root="/"):
    """Entries of /boot/loader/entries in the order of GRUB's menu."""
    names = [name for name in list_dir(under(root, BLS_FOLDER)) if name.endswith(".conf")]
    return sort_bls(
        [
            parse_bls_entry(read_text(under(root, BLS_FOLDER + "/" + name), 65536), name)
            for name in names[:_MOST_ENTRIES]
        ]
    )


def _grub2(root):
    config = grub2_config(root)
    loader = _efi_loader(root)
    if config is None or loader:
        return None
    text = read_text(under(root, config), _MOST_BYTES) or ""
    block = environment_block(root, config)
    env = environment(Machine(root), block)
    order = boot_order(text, env, bls_entries(root), GrubFiles(root, config))
    if order["uses_legacy"]:
        return None
    problem = block_problem(root, config, block, env)
    reason = one_shot_problem(config, order, problem)
    return {
        "loader": "grub2_bls" if order["uses_bls"] else "grub2",
        "config": config,
        "default": entry_release(Machine(root), order["default"]),
        "next": entry_release(Machine(root), order["next"]),
        "env_writable": not problem,
        "one_shot": not reason,
        "reason": reason,
    }


def one_shot_problem(config, order, block_says):
    """Why an entry cannot be armed for one boot, or "": `order` is boot_order()'s, `block_says` block_problem()'s."""
    if not order["honours_next"]:
        return "%s does not take next_entry from the environment block" % config
    return block_says


class GrubFiles:
    """Texts of the files that a configuration takes in, by their paths as GRUB has them: without mount points, with a device."""

    def __init__(self, root, config):
        self.root = root
        self.folder = os.path.dirname(config)

    def __call__(self, path):
        found = self.find(path)
        return read_text(under(self.root, found), _MOST_BYTES) if found else None

    def find(self, path):
        """Path on the host, or None."""
        path = re.sub(r"^\([^)]*\)", "", path)
        if not path.startswith("/") or "/../" in path:
            return None
        # /grub stands for the folder of the configuration (grub_script.py says so to the script).
        places = [self.folder + path[len("/grub") :]] if path.startswith("/grub/") else []
        for candidate in places + [mount + path for mount in ("/boot", "", "/boot/efi", "/efi")]:
            if os.path.isfile(under(self.root, candidate)):
                return candidate
        return None


def sources_custom(text):
    """True where a grub.cfg takes in custom.cfg."""
    return _SOURCES_CUSTOM.search(text) is not None


def custom_config(config):
    return os.path.join(os.path.dirname(config), "custom.cfg")


def grub2_config(root):
    """Path of the grub.cfg that GRUB 2 reads on this host, or None."""
    for path in GRUB2_CONFIGS:
        try:
            if os.path.getsize(under(root, path)) == 0:
                continue
        except OSError:
            continue
        if path != EFI_LINK:
            return _followed(root, path)
        if os.path.isdir(under(root, "/sys/firmware/efi")):
            return _followed(root, "/" + os.path.relpath(os.path.realpath(under(root, path)), os.path.realpath(root)))
    return None


def _followed(root, config):
    """The configuration that a stub hands over to (`configfile`), as cloud images have one on the EFI partition; or what is no stub."""
    for unused in range(4):
        text = read_text(under(root, config), _MOST_BYTES) or ""
        if not _HANDS_OVER.search(text) and (_HAS_A_MENU.search(text) or not _TAKES_IN.search(text)):
            break
        files = GrubFiles(root, config)
        following = files.find(run_grub_cfg(text, read=files)["configfile"] or "/")
        if following is None or following == config:
            break
        config = following
    return config


def environment(machine, block, ask=False):
    """Variables of the environment block, or None where it is none.

    SUSE's GRUB keeps `next_entry` outside the file on Btrfs, and says so in the file: there its own editor is asked, which knows. With
    `ask` it always is.
    """
    values = parse_grubenv(machine.read(block))
    editor = machine.command("grub-editenv", "grub2-editenv") if ask or "env_block" in (values or {}) else None
    if editor is None or values is None:
        return values
    rc, out, unused = machine.run([editor, machine.path(block), "list"], timeout=30)
    if rc != 0:
        return values
    return dict(line.split("=", 1) for line in out.split("\n") if "=" in line)


def environment_block(root, config):
    """Beside the configuration; what GRUB calls $prefix/grubenv or ${config_directory}/grubenv."""
    path = os.path.join(os.path.dirname(config), "grubenv")
    if not os.path.lexists(under(root, path)) and os.path.lexists(under(root, "/boot/grub2/grubenv")):
        return "/boot/grub2/grubenv"
    return path


def block_problem(root, config, block, env):
    """Why GRUB would not read and write this block while booting, or "". One that is missing is made when it is first set."""
    path = under(root, block)
    real = os.path.realpath(path)
    exists = os.path.exists(real)
    if os.path.islink(path):
        if not exists:
            return "%s is a link that leads nowhere" % block
        folder = os.path.dirname(os.path.realpath(under(root, config)))
        if os.path.dirname(real) != folder and os.stat(real).st_dev != os.stat(folder).st_dev:
            return "%s is a link to another file system, which GRUB cannot follow" % block
    if exists and env is None:
        return "%s is not a GRUB environment block" % block
    machine = Machine(root)
    where = block if exists else os.path.dirname(block)
    outside = "env_block" in (env or {})
    return machine.grub_write_problem(where, outside) or machine.read_only_problem(where)


def _legacy(root):
    return GrubLegacy(Machine(root)).look() if legacy_config(Machine(root)) else None


def _what_else(root):
    name = _efi_loader(root)
    for path, known in _OTHER_LOADERS:
        if not name and os.path.exists(under(root, path)):
            name = known
    return "the boot loader is %s, not GRUB" % name if name else "no configuration of GRUB was found"


def _efi_loader(root):
    """Name of the loader that told the firmware its name (systemd-boot does; GRUB does not), or ""."""
    text = (read_text(under(root, LOADER_INFO), 256) or "")[4:].replace("\0", "").strip()
    return "" if not text or text.upper().startswith("GRUB") else re.sub(r"[^A-Za-z0-9. _-]", "", text)[:40]


def _free_kib(root):
    try:
        space = os.statvfs(under(root, "/boot"))
    except OSError:
        return None
    return space.f_bavail * space.f_frsize // 1024
