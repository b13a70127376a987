# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arming, pinning and restoring with GRUB legacy: CentOS 6 (grub.conf), and Debian's menu.lst with its automagic section.

Here an entry is a number, counted from 0, and every title that a package puts on top moves all of them. So:

* **Pin**: `default` gets the number of the kernel's own entry, and whoever edits the menu is told to keep it on that entry:
  `UPDATEDEFAULT=no` in /etc/sysconfig/kernel (grubby), `updatedefaultentry=true` in the automagic section (update-grub).
* **Trial**: two entries of ours on top, the way back (0) and the trial (1), with `fallback 0` for a kernel that GRUB cannot load.
  They are above the automagic section, so update-grub does not move them; and if grubby puts a title on top after all, it is our
  way back that has number 1 then.
* **Armed**: in the memory that this GRUB has (bootloader/grub_legacy_memory.py). Red Hat's: the word in stage2, which GRUB clears. GNU's:
  `default saved` with 1 in /boot/grub/default, and the trial's first line is `savedefault 0`: GRUB writes that before it loads
  anything, and where it cannot write, it does not go on with the trial but falls back. Both are what the grub shell's
  `savedefault --default=N --once` is for; the shell itself is not used. It probes every disk for its BIOS number first, does not
  sync, ends with 0 whatever happened, and GNU's (as Debian has it) arms an entry that no boot ever disarms.
* Where there is no such memory, and only with consent, `default` itself is the trial; the trial watchdog takes that back.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_legacy_memory import (
    DEFAULT_FILE,
    FILE,
    STAGE2,
    WORD,
    WORD_AT,
    legacy_config,
    our_title,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_legacy_menus import lines_of_ours
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_legacy_menus import LegacyMenus
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_legacy_text import (
    BACK,
    TRIAL,
    UPDATE_ENTRY,
    default_setting,
    default_token,
    token_at,
    top_of_titles,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.legacy_menu import pick_legacy
from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial import without_trial_words
from ansible_collections.realip.toa.plugins.module_utils.bootloader.update_default import KERNEL_SETTINGS

# GRUB 0.97 writes 10 bytes back, and refuses to make the file longer.
_DEFAULT_FIELD = 10
_DEFAULT_TEXT = (
    "%d\n" + "#\n" * 10 + "# The first line is the number of the saved entry. GRUB writes it; keep the other lines.\n"
)


class Legacy(LegacyMenus):
    """GRUB legacy, with the questions and the steps that programs/boot.py has for a boot loader (bootloader/grub2.py lists them)."""

    # The release to go back to from a trial, once programs/boot.py knows it.
    old = None

    @classmethod
    def detect(cls, machine):
        return cls(machine) if legacy_config(machine) else None

    # -- what is so --------------------------------------------------------------------------------------------------------

    def files(self):
        return [self.config, DEFAULT_FILE, KERNEL_SETTINGS] + self.places_with_trial_words()

    def words(self):
        return [(STAGE2, WORD_AT, 4)] if self.kind() == WORD else []

    def setting(self):
        """`default` as it would be without our entries: a number, or "saved"."""
        return default_setting(self.parse(self.without_trial(self.text())))

    def trial(self):
        titles = [our_title(entry) for entry in self.menu()["entries"]]
        trials = [title[1] for title in titles if title and title[0].startswith("Trial")]
        return trials[0] if trials else None

    def has(self, release):
        return self._own_entry(self.menu(), release) is not None

    def boot_files_problem(self, release, running):
        """What the release lacks to be able to boot, or "". `running` is a kernel that is known to boot here."""
        machine = self.machine
        if not machine.is_dir("/lib/modules/" + release):
            return "/lib/modules/%s is missing" % release
        menu = self.menu()
        entry = self._own_entry(menu, release)
        if entry is None:
            return "%s has no entry for it" % self.config
        image = "/boot/" + os.path.basename(
            entry["image"] if entry["image"].endswith(release) else "vmlinuz-" + release
        )
        return machine.image_problem(image, self._initramfs(entry), self._initramfs(self._own_entry(menu, running)))

    def one_shot(self, release=None):
        """(possible, reason why not)."""
        problem = self.problem()
        return not problem, problem

    def watchdog_settings(self, release):
        """Bytes that take back what is armed: for where the boot loader could not do it."""
        memory = self.memory()
        if memory == WORD:
            return {"rewind": STAGE2, "rewind_at": WORD_AT + 1, "rewind_to": r"\000\000\000"}
        if memory == FILE:
            return {"rewind": DEFAULT_FILE, "rewind_at": 0, "rewind_to": r"%d\012" % BACK}
        menu = self.with_trial(self.text(), release, "")
        return {"rewind": self.config, "rewind_at": token_at(menu), "rewind_if": str(TRIAL), "rewind_to": str(BACK)}

    # -- the persistent default ----------------------------------------------------------------------------------------------

    def original(self):
        """What `restore` needs, as it was before us."""
        text = self.text()
        entry_updated = UPDATE_ENTRY.findall(text)
        return {
            "default": default_token(text),
            "default_release": self.default(),
            "update_default": self.update_default_of_before(),
            "update_entry": entry_updated[-1][1] if entry_updated else None,
            "default_file": self.machine.read_latin(DEFAULT_FILE) if self.machine.exists(DEFAULT_FILE) else None,
        }

    def pins(self):
        """The default stays on its entry, whatever is installed."""
        return not self._follows(self.text()) and self.setting() != "saved"

    def pinned_setting(self, release):
        menu = self.parse(self.without_trial(self.text()))
        return self._own_entry(menu, release)["spec"]

    def pinned(self, release):
        return self.pins() and self.default() == release

    def pin(self, release):
        self.stop_following()
        text = self.text()
        menu = UPDATE_ENTRY.sub(lambda match: match.group(1) + "true", text)
        if self.default() != release or self.setting() == "saved":
            menu = self.with_default(menu, self._own_entry(self.menu(), release)["spec"])
        if menu != text:
            self.machine.write_latin(self.config, menu)

    def restore(self, original):
        machine = self.machine
        text = self._restored(original)
        if text != self.text():
            machine.write_latin(self.config, text)
        self.follow_again(original.get("update_default"))
        self._write_default_file(original.get("default_file"))

    def restored_default(self, original):
        """Release that would be the default after `restore`."""
        menu = self.parse(self._restored(original))
        return pick_legacy(menu, self._restored_saved(original))["release"] or None

    def restored_setting(self, original):
        return default_setting(self.parse(self._restored(original)))

    # -- the one-shot boot -----------------------------------------------------------------------------------------------------

    def armed(self, release, words):
        return self.next() == release and self.trial_is_current(release, words)

    def trial_is_current(self, release, words):
        text = self.text()
        return self.has_trial() and text == self.with_default(
            self.with_trial(text, release, words), default_token(text)
        )

    def write_trial(self, release, words):
        self.machine.write_latin(self.config, self.with_trial(self.text(), release, words))

    def has_trial(self):
        return any(our_title(entry) for entry in self.menu()["entries"])

    def remove_trial(self):
        self.machine.write_latin(self.config, self.without_trial(self.text()))

    def set_next(self, release):
        """The number first and then the line that makes it count, so that nothing is armed by half."""
        memory = self.memory()
        if memory == WORD:
            self.machine.write_at(STAGE2, WORD_AT, self.word_with(TRIAL))
            return
        if memory == FILE:
            self._write_default_number(TRIAL)
        self.machine.write_latin(self.config, self.with_default(self.text(), "saved" if memory == FILE else str(TRIAL)))

    def loader_files(self):
        return [self.config]

    def _told(self, name):
        if name != self.config:
            return LegacyMenus._told(self, name)
        lines = self.text().split("\n")
        return "\n".join(line if ours else without_trial_words(line) for line, ours in zip(lines, lines_of_ours(lines)))

    def has_next(self):
        return self.next() is not None

    def clear_next(self):
        if self.once() is not None:
            self.machine.write_at(STAGE2, WORD_AT, self.word_with(None))
        elif self.has_next():
            own = self._own_entry(self.menu(), self.default())
            self.machine.write_latin(self.config, self.with_default(self.text(), own["spec"] if own else str(BACK)))

    @staticmethod
    def takes_trial():
        return True

    def notes(self, release):
        return []

    # -- writing -----------------------------------------------------------------------------------------------------------------

    def _restored(self, original):
        """The menu as it is without us. A number means a kernel where grubby keeps it so, and a place where update-grub does not."""
        text = self.without_trial(self.text())
        token, release = original.get("default"), original.get("default_release")
        entry_updated = original.get("update_entry")
        if entry_updated is not None:
            text = UPDATE_ENTRY.sub(
                lambda match: match.group(1) + (entry_updated if match.group(2) == "true" else match.group(2)), text
            )
        if token != "saved" and (entry_updated is None or entry_updated.strip() == "true"):
            menu = self.parse(text)
            own = self._own_entry(menu, release)
            if own and (pick_legacy(dict(menu, default=token or "0"))["release"] or None) != release:
                token = own["spec"]
        if token is not None:
            return self.with_default(text, token)
        lines = text.split("\n")
        if lines[max(top_of_titles(lines) - 1, 0)].startswith("default="):
            del lines[top_of_titles(lines) - 1]
        return "\n".join(lines)

    def _restored_saved(self, original):
        if self.kind() == WORD:
            return self.saved()
        match = re.match(r"\s*([0-9]+)", original.get("default_file") or "")
        return int(match.group(1)) if match else None

    def _follows(self, text):
        """Whether the default moves on to a kernel that is installed."""
        return self.follows_installs() or any(value.strip() != "true" for _unused, value in UPDATE_ENTRY.findall(text))

    def _write_default_number(self, number):
        """In place where that can be: GRUB reads without a journal, and writes to where it finds the file."""
        if self.machine.size(DEFAULT_FILE) < _DEFAULT_FIELD:
            self.machine.write_latin(DEFAULT_FILE, _DEFAULT_TEXT % number)
        else:
            self.machine.write_at(DEFAULT_FILE, 0, ("%d" % number).ljust(_DEFAULT_FIELD, "\n").encode("ascii"))

    def _write_default_file(self, wanted):
        now = self.machine.read_latin(DEFAULT_FILE) if self.machine.exists(DEFAULT_FILE) else None
        if now == wanted:
            return
        if wanted is None:
            self.machine.remove(DEFAULT_FILE)
        elif now is not None and len(now) == len(wanted):
            self.machine.write_at(DEFAULT_FILE, 0, wanted.encode("latin-1"))
        else:
            self.machine.write_latin(DEFAULT_FILE, wanted)
