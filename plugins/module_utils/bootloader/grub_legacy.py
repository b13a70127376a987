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

from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub2 import trial_title, with_trial_options
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_legacy_memory import (
    DEFAULT_FILE,
    FILE,
    MENU,
    STAGE2,
    WORD,
    WORD_AT,
    GrubLegacy,
    header_lines,
    legacy_config,
    our_title,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import (
    entry_of_release,
    legacy_command,
    pick_legacy,
)
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError

KERNEL_SETTINGS = "/etc/sysconfig/kernel"
BACK, TRIAL = 0, 1

_AUTOMAGIC = "### BEGIN AUTOMAGIC KERNELS LIST"
_UPDATE_DEFAULT = re.compile(r"^([ \t]*UPDATEDEFAULT=)(.*)$", re.M)
_UPDATE_ENTRY = re.compile(r"^(#[ \t]*updatedefaultentry=)(.*)$", re.M)
_DEFAULT_TOKEN = re.compile(r"([ \t]*default(?:[ \t]*=[ \t]*|[ \t]+))(\S*)")
# The line of before goes into this comment, so that the way back is in the menu itself.
_FALLBACK_MARK = "# realip.toa: until the trial is over, instead of: "
# GRUB 0.97 writes 10 bytes back, and refuses to make the file longer.
_DEFAULT_FIELD = 10
_DEFAULT_TEXT = (
    "%d\n" + "#\n" * 10 + "# The first line is the number of the saved entry. GRUB writes it; keep the other lines.\n"
)


class Legacy(GrubLegacy):
    """GRUB legacy, with the questions and the steps that programs/boot.py has for a boot loader (bootloader/grub2.py lists them)."""

    # The release to go back to from a trial, once programs/boot.py knows it.
    old = None

    @classmethod
    def detect(cls, machine):
        return cls(machine) if legacy_config(machine) else None

    # -- what is so --------------------------------------------------------------------------------------------------------

    def files(self):
        return [self.config, DEFAULT_FILE, KERNEL_SETTINGS]

    def words(self):
        return [(STAGE2, WORD_AT, 4)] if self.kind() == WORD else []

    def setting(self):
        """`default` as it would be without our entries: a number, or "saved"."""
        return _setting(self.parse(self.without_trial(self.text())))

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
        menu = self.with_trial(self.text(), release, 1)
        return {"rewind": self.config, "rewind_at": _token_at(menu), "rewind_if": str(TRIAL), "rewind_to": str(BACK)}

    def memory(self):
        return MENU if self.problem() else self.kind()

    # -- the persistent default ----------------------------------------------------------------------------------------------

    def original(self):
        """What `restore` needs, as it was before us."""
        text = self.text()
        updated = _UPDATE_DEFAULT.findall(self.machine.read_latin(KERNEL_SETTINGS))
        entry_updated = _UPDATE_ENTRY.findall(text)
        return {
            "default": _default_token(text),
            "default_release": self.default(),
            "update_default": updated[-1][1] if updated else None,
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
        settings = self.machine.read_latin(KERNEL_SETTINGS)
        wanted = _with_last(_UPDATE_DEFAULT, settings, "no") if _grubby_follows(settings) else settings
        if wanted != settings:
            self.machine.write_latin(KERNEL_SETTINGS, wanted)
        text = self.text()
        menu = _UPDATE_ENTRY.sub(lambda match: match.group(1) + "true", text)
        if self.default() != release or self.setting() == "saved":
            menu = self.with_default(menu, self._own_entry(self.menu(), release)["spec"])
        if menu != text:
            self.machine.write_latin(self.config, menu)

    def restore(self, original):
        machine = self.machine
        text = self._restored(original)
        if text != self.text():
            machine.write_latin(self.config, text)
        settings = machine.read_latin(KERNEL_SETTINGS)
        if (
            original.get("update_default") is not None
            and (_UPDATE_DEFAULT.findall(settings) or [("", "")])[-1][1] == "no"
        ):
            wanted = _with_last(_UPDATE_DEFAULT, settings, original["update_default"])
            if wanted != settings:
                machine.write_latin(KERNEL_SETTINGS, wanted)
        self._write_default_file(original.get("default_file"))

    def restored_default(self, original):
        """Release that would be the default after `restore`."""
        menu = self.parse(self._restored(original))
        return pick_legacy(menu, self._restored_saved(original))["release"] or None

    def restored_setting(self, original):
        return _setting(self.parse(self._restored(original)))

    # -- the one-shot boot -----------------------------------------------------------------------------------------------------

    def armed(self, release, panic):
        return self.next() == release and self.trial_is_current(release, panic)

    def trial_is_current(self, release, panic):
        text = self.text()
        return self.has_trial() and text == self.with_default(
            self.with_trial(text, release, panic), _default_token(text)
        )

    def write_trial(self, release, panic):
        self.machine.write_latin(self.config, self.with_trial(self.text(), release, panic))

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

    def has_next(self):
        return self.next() is not None

    def clear_next(self):
        if self.once() is not None:
            self.machine.write_at(STAGE2, WORD_AT, self.word_with(None))
        elif self.has_next():
            own = self._own_entry(self.menu(), self.default())
            self.machine.write_latin(self.config, self.with_default(self.text(), own["spec"] if own else str(BACK)))

    def notes(self, release):
        return []

    # -- menus as text: nothing below here writes but the two about the default file -----------------------------------------------

    def with_default(self, text, token):
        """The menu with another `default`: in the line that counts, or in a line above the first title."""
        places = _default_places(text)
        lines = text.split("\n")
        if places:
            lines[places[-1]] = _DEFAULT_TOKEN.sub(lambda match: match.group(1) + token, lines[places[-1]], count=1)
        else:
            lines.insert(_top(lines), "default=" + token)
        return "\n".join(lines)

    def with_trial(self, text, release, panic):
        """The menu with our two entries on top of it. `default` stays on the entry it is on."""
        base = self.without_trial(text)
        menu = self.parse(base)
        lines = base.split("\n")
        trial = self._copy(lines, menu, self._own_entry(menu, release), trial_title(release), panic)
        old = self._own_entry(menu, self.old) or pick_legacy(menu, self.saved())
        back = self._copy(lines, menu, old, "Back to %s (realip.toa)" % (old["release"] or "unknown"))
        if self.memory() == FILE:
            trial.insert(1, "\tsavedefault %d" % BACK)
        top = _top(lines)
        lines[top:top] = back + trial
        text = _with_fallback("\n".join(lines))
        return (
            text
            if menu["default"] == "saved"
            else self.with_default(text, str(int(pick_legacy(menu)["spec"]) + len((back, trial))))
        )

    def without_trial(self, text):
        """The menu without our entries, whatever was put above them meanwhile."""
        menu = self.parse(text)
        if _FALLBACK_MARK not in text and not any(our_title(entry) for entry in menu["entries"]):
            return text
        default = self.default_entry(menu)
        own = self._own_entry(menu, default["release"]) if our_title(default) else default
        lines, ours = [], False
        for line in text.split("\n"):
            name, value = legacy_command(line)
            ours = name == "title" and our_title({"title": value}) is not None or ours and name not in ("", "title")
            if not ours:
                lines.append(line)
        rest = _without_fallback("\n".join(lines))
        foreign = [entry for entry in menu["entries"] if not our_title(entry)]
        return self.with_default(rest, str(foreign.index(own)) if own in foreign else "0")

    def _restored(self, original):
        """The menu as it is without us. A number means a kernel where grubby keeps it so, and a place where update-grub does not."""
        text = self.without_trial(self.text())
        token, release = original.get("default"), original.get("default_release")
        entry_updated = original.get("update_entry")
        if entry_updated is not None:
            text = _UPDATE_ENTRY.sub(
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
        if lines[max(_top(lines) - 1, 0)].startswith("default="):
            del lines[_top(lines) - 1]
        return "\n".join(lines)

    def _restored_saved(self, original):
        if self.kind() == WORD:
            return self.saved()
        match = re.match(r"\s*([0-9]+)", original.get("default_file") or "")
        return int(match.group(1)) if match else None

    @staticmethod
    def _own_entry(menu, release):
        """The distribution's entry of a release, or None."""
        return (
            entry_of_release([entry for entry in menu["entries"] if not our_title(entry)], release) if release else None
        )

    @staticmethod
    def _body(lines, entry):
        """Lines of an entry below its title, without blank ones and comments."""
        number = -1
        body = []
        for place, line in enumerate(lines):
            name = legacy_command(line)[0]
            if name == "title":
                following = [legacy_command(other)[0] for other in lines[place + 1 :]]
                following = [other for other in following if other]
                number += 1 if following and following[0] != "title" else 0
            elif name and number == int(entry["spec"]):
                body.append(line)
        return body

    def _copy(self, lines, menu, entry, title, panic=None):
        """An entry's lines under another title: without savedefault, and for a trial with `panic=` and our mark."""
        body = self._body(lines, entry)
        copied = ["title " + title]
        for line in body:
            name, value = legacy_command(line)
            if line.rstrip("\r").endswith("\\"):
                raise TargetError(
                    "loader_not_supported",
                    "the entry of kernel %s in %s has a line that goes on in the next one"
                    % (entry["release"], self.config),
                    "write that entry with whole lines, then run again",
                )
            if panic is not None and name in ("kernel", "module") and entry["image"] in value.split():
                line = with_trial_options(line, panic)
            if name != "savedefault":
                copied.append(line)
        return copied

    def _initramfs(self, entry):
        if entry is None:
            return []
        words = []
        for line in self._body(self.text().split("\n"), entry):
            name, value = legacy_command(line)
            if name == "initrd":
                words.extend(value.split())
            elif name == "module" and entry["image"] not in value.split():
                words.extend(value.split()[:1])
        return ["/boot/" + os.path.basename(word) for word in words]

    def _follows(self, text):
        """Whether the default moves on to a kernel that is installed."""
        return _grubby_follows(self.machine.read_latin(KERNEL_SETTINGS)) or any(
            value.strip() != "true" for _unused, value in _UPDATE_ENTRY.findall(text)
        )

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


def _setting(menu):
    return "saved" if menu["default"] == "saved" else pick_legacy(menu)["spec"]


def _top(lines):
    """Place of the first title, or of what update-grub writes anew with all titles in it."""
    for place, line in enumerate(lines):
        if line.startswith(_AUTOMAGIC) or legacy_command(line)[0] == "title":
            return place
    return len(lines)


def _default_places(text):
    """Numbers of the lines that set `default`; the last one counts."""
    commands = [legacy_command(line) for line in header_lines(text)]
    return [place for place, (name, value) in enumerate(commands) if name == "default" and value]


def _default_token(text):
    """Value of `default`, or None where no line sets it."""
    places = _default_places(text)
    return _DEFAULT_TOKEN.match(text.split("\n")[places[-1]]).group(2) if places else None


def _token_at(text):
    """Offset of that value."""
    place = _default_places(text)[-1]
    lines = text.split("\n")
    return sum(len(line) + 1 for line in lines[:place]) + _DEFAULT_TOKEN.match(lines[place]).end(1)


def _with_fallback(text):
    lines = text.split("\n")
    places = [place for place, line in enumerate(header_lines(text)) if legacy_command(line)[0] == "fallback"]
    was = lines[places[-1]] if places else ""
    place = places[-1] if places else _top(lines)
    lines[place : place + len(places[-1:])] = [_FALLBACK_MARK + was, "fallback %d" % BACK]
    return "\n".join(lines)


def _without_fallback(text):
    lines = text.split("\n")
    for place, line in enumerate(lines):
        if line.startswith(_FALLBACK_MARK):
            ours = 2 if legacy_command("".join(lines[place + 1 : place + 2]))[0] == "fallback" else 1
            was = line[len(_FALLBACK_MARK) :]
            lines[place : place + ours] = [was] if was else []
            break
    return "\n".join(lines)


def _grubby_follows(settings):
    """new-kernel-pkg makes an installed kernel the default where /etc/sysconfig/kernel says so."""
    found = _UPDATE_DEFAULT.findall(settings)
    return bool(found) and found[-1][1].strip().strip("\"'") == "yes"


def _with_last(pattern, text, value):
    last = list(pattern.finditer(text))[-1]
    return text[: last.start(2)] + value + text[last.end(2) :]
