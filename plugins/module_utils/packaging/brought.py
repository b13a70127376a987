# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that packages go to, and the record of what we have brought there."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

from ansible_collections.realip.toa.plugins.module_utils.host.running import kernel
from ansible_collections.realip.toa.plugins.module_utils.host.io import TEXT, list_dir
from ansible_collections.realip.toa.plugins.module_utils.host.lock import LOCK_FILE, HostLock
from ansible_collections.realip.toa.plugins.module_utils.host.machine import Machine
from ansible_collections.realip.toa.plugins.module_utils.host.state import STATE_FILE, save_section, section
from ansible_collections.realip.toa.plugins.module_utils.packaging.download import matches
from ansible_collections.realip.toa.plugins.module_utils.packaging.wanted import manager_for

CACHE = "var/cache/realip-toa"
# In the record of a package from the moment its installation begins until its end was seen.
UNFINISHED = "unfinished"


class Host:
    """The machine that packages go to: its package manager, its cache, its running kernel."""

    def __init__(self, args, items):
        self.root = args.get("root") or "/"
        self.running = args.get("running") or kernel()
        self.cache = os.path.join(self.root, CACHE)
        self.state_file = os.path.join(self.root, STATE_FILE.lstrip("/"))
        self.manager = manager_for(items or self.recorded())(self.root)
        self.manager.accept_downgrade = bool(args.get("accept_downgrade"))

    def path(self, name):
        return os.path.join(self.root, name)

    def lock(self):
        return HostLock(LOCK_FILE if self.root == "/" else self.path(LOCK_FILE.lstrip("/")))

    def settle(self):
        """The boot loader sees what was done to /boot, even if the power goes now."""
        Machine(self.root.rstrip("/")).settle([])

    def record(self):
        return record_of(self.state_file)

    def recorded(self):
        """What we brought as files, by name."""
        entries = [(name, entry) for name, entry in sorted(self.record().items()) if not entry.get("repository")]
        return [
            {"name": name, "format": entry["file"].rsplit(".", 1)[-1], "repository": False} for name, entry in entries
        ]

    def recorded_holds(self):
        """In words of the package manager, what we hold."""
        held = section("packages", self.state_file).get("held")
        return [word for word in held if _is_text(word)] if isinstance(held, list) else []

    def save_record(self, record, held=None):
        """What we brought, and what we hold against updates, in the words in which the facts tell of holds."""
        held = section("packages", self.state_file).get("held") if held is None else sorted(held)
        save_section(
            "packages",
            dict({"installed": record}, **({"held": held} if held else {})) if record or held else {},
            self.state_file,
        )

    def cached_path(self, item):
        return os.path.join(self.cache, item["file"])

    def source(self, item):
        """What the package manager is given to install an item."""
        return item["name"] if item["repository"] else self.cached_path(item)

    def is_cached(self, item):
        return matches(self.cached_path(item), item["sha256"], item["size"])

    def snapshot(self, names, inventory=None):
        """What `before` and `after` show: versions installed, names held, files in the cache."""
        inventory = self.manager.inventory() if inventory is None else inventory
        versions = [(name, self.manager.installed_version(inventory.get(name))) for name in names]
        return {
            "installed": dict((name, version) for name, version in versions if version),
            "held": sorted(name for name in names if inventory.get(name, {}).get("held")),
            "cached": [name for name in list_dir(self.cache) if not name.startswith(".")],
        }

    def is_complete(self, item, inventory):
        """Installed to the end and in the planned version, with the kernel and the modules it is for really there."""
        version = self.manager.installed_version(inventory.get(item["name"]))
        if not version or not self.manager.same_version(version, item["version"]):
            return False
        return not self.missing_files(item) and not self.is_unfinished(item)

    def is_unfinished(self, item):
        """Whether our installation began and nobody has seen its end: rpm has entered a package before its last script makes initramfs and boot entry.

        A kernel that runs has been booted, so it had both.
        """
        return UNFINISHED in self.record().get(item["name"], {}) and item["release"] != self.running

    def missing_files(self, item):
        """Which of the two things a kernel image must bring are not on the host."""
        if item["role"] != "image" or not item["release"]:
            return []
        wanted = ("boot/vmlinuz-" + item["release"], "lib/modules/" + item["release"])
        return ["/" + name for name in wanted if not os.path.exists(self.path(name))]


def record_of(state_file):
    """What we brought, by name: {file, version, release, role, sha256: texts, repository}; entries that are not of that shape are left out."""
    installed = section("packages", state_file).get("installed")
    entries = installed.items() if isinstance(installed, dict) else []
    return dict(
        (name, entry)
        for name, entry in entries
        if isinstance(entry, dict) and all(_is_text(entry.get(key)) for key in ("file", "release"))
    )


def along_of(record, names):
    """What came along with these packages, and with no other of ours that stays."""
    going, staying = set(), set()
    for name, entry in record.items():
        along = entry.get("along")
        (going if name in names else staying).update(along if isinstance(along, list) else [])
    return sorted(one for one in going - staying if _is_text(one))


def _is_text(value):
    return isinstance(value, (TEXT, str))
