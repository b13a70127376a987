# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps kernels through `yum update` and `dnf upgrade`: words of ours in the `exclude=` of their configuration, and out of it again.

rpm has no hold of its own. A newer kernel of the distribution would be installed beside ours, become the default, and push ours out
once there are installonly_limit of them; so no kernel at all is installed while ours is held. `exclude=` is understood by every yum and
dnf (yum.conf(5), dnf.conf(5)). Where dnf has the plugin versionlock, the same words are excluded there, and `dnf versionlock list` shows them.

A marker above the line names our words, and the line as it was, so that taking them back needs no other record.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import read_bytes
from ansible_collections.realip.toa.plugins.module_utils.host.writing import write_atomic

DNF = "etc/dnf/dnf.conf"
CONFIGURATIONS = (DNF, "etc/yum.conf")
# dnf's plugin, and where it keeps what it locks unless its configuration says something else.
VERSIONLOCK, LOCKLIST = "etc/dnf/plugins/versionlock.conf", "/etc/dnf/plugins/versionlock.list"
# A kernel's packages from Enterprise Linux 8 on. One that is held alone makes an error of every `dnf upgrade`, which wants the newest of the others.
_PARTS = ("", "-core", "-modules*")
_OF_A_KERNEL = re.compile(
    r"(kernel(?:-(?!core|modules|devel|headers|tools|firmware|doc|abi)[a-z0-9]+)*?)(?:-core|-modules(?:-[a-z]+)*)?\Z"
)

_MARKER = "# realip.toa: kept through updates: "
_BEFORE = "; the line was: "
_MARKED = r"[A-Za-z0-9][A-Za-z0-9.*+~^ _-]*\Z"
_EXCLUDE = re.compile(r"^(exclude(?:pkgs)?[ \t]*=)(.*)$")


class Holds:
    """What we hold in the configurations of yum and dnf below `root`."""

    def __init__(self, root="/"):
        self.paths = []
        for name in CONFIGURATIONS:
            path = os.path.join(root, name)
            # yum.conf is a link to dnf.conf from Enterprise Linux 8 on.
            if os.path.isfile(path) and os.path.realpath(path) not in [os.path.realpath(known) for known in self.paths]:
                self.paths.append(path)
        self.locklist = _locklist(root) if os.path.join(root, DNF) in self.paths else None

    def held(self):
        """The test whether a package of a name is held, which it is when every configuration says so."""
        ours = [self._ours(path) for path in self.paths]
        return lambda name: bool(ours) and all(set(words_for(name)) <= words for words in ours)

    def _ours(self, path):
        locked = _Locks(self.locklist).excluded if self._is_locked(path) else []
        return set(_Lines(path).ours + locked)

    def _is_locked(self, path):
        return self.locklist is not None and path == self.paths[0]

    def change(self, names, held):
        """Hold packages by name, or let go of them."""
        changing = [word for name in names for word in words_for(name)]
        for path in self.paths:
            locks = self._is_locked(path)
            if locks:
                _write_if_new(self.locklist, *_Locks(self.locklist).changed(changing, held))
            lines = _Lines(path)
            wanted = [word for word in lines.ours if word not in changing] + (changing if held and not locks else [])
            wanted = [word for place, word in enumerate(wanted) if word not in wanted[:place]]
            _write_if_new(path, lines.text, "\n".join(_with(lines.without_ours(), wanted)))


def _write_if_new(path, before, after):
    if after != before:
        write_atomic(path, after.encode("latin-1"))


def _locklist(root):
    """The list of dnf's plugin versionlock, or None where it is not in use."""
    text = (read_bytes(os.path.join(root, VERSIONLOCK)) or b"").decode("latin-1")
    found = dict(re.findall(r"(?m)^[ \t]*(enabled|locklist)[ \t]*=[ \t]*(\S*)", text))
    if found.get("enabled", "").lower() not in ("1", "yes", "true", "on"):
        return None
    path = os.path.join(root, found.get("locklist", LOCKLIST).lstrip("/"))
    return path if os.path.isfile(path) else None


class _Locks:
    """The list of versionlock: `!NAME` in a line keeps dnf from installing NAME. `dnf versionlock delete` drops our marker with all comments."""

    def __init__(self, path):
        self.text = (read_bytes(path) or b"").decode("latin-1")
        self.lines = self.text.split("\n")
        self.excluded = [line.strip()[1:] for line in self.lines if line.startswith("!")]

    def changed(self, words, held):
        """(text, text as it is to be)."""
        marked = [word for line in self.lines if line.startswith(_MARKER) for word in line[len(_MARKER) :].split()]
        kept = [word for word in marked if word not in words]
        missing = [word for word in words if word not in self.excluded or word in marked]
        wanted = kept + (missing if held else [])
        wanted = [word for place, word in enumerate(wanted) if word not in wanted[:place]]
        gone = ["!" + word for word in marked or ([] if held else words)]
        lines = [line for line in self.lines if not line.startswith(_MARKER) and line.strip() not in gone]
        ours = [_MARKER + " ".join(wanted)] + ["!" + word for word in wanted] if wanted else []
        place = len(lines) - 1 if lines and lines[-1] == "" else len(lines)
        return self.text, "\n".join(lines[:place] + ours + lines[place:])


class _Lines:
    """One configuration: its lines, and what in it is ours. Bytes are kept as they are, whatever their encoding."""

    def __init__(self, path):
        self.text = (read_bytes(path) or b"").decode("latin-1")
        self.lines = self.text.split("\n")
        # (number of the line, our words, the line that was there before or None); more than one where somebody has copied ours.
        self.marks = []
        for number, line in enumerate(self.lines):
            if line.startswith(_MARKER):
                words, _separator, before = line[len(_MARKER) :].partition(_BEFORE)
                # One that somebody has damaged is a comment like others.
                if re.match(_MARKED, words):
                    self.marks.append((number, words.split(), before or None))
        self.ours = [word for _number, words, _before in self.marks for word in words]

    def without_ours(self):
        """The lines as if we had never been there; what somebody has changed in ours since then stays."""
        lines = self.lines
        for number, words, before in reversed(self.marks):
            lines = _without(lines, number, words, before)
        return lines


def _without(lines, place, ours, before):
    head, marked = lines[:place], lines[place + 1 :]
    changed = _EXCLUDE.match(marked[0]) if marked else None
    if changed is None:
        return head + marked
    known = _words(before or "")
    words = [word for word in _words(marked[0]) if word not in ours or word in known]
    if sorted(set(words)) == sorted(set(known)):
        left = [] if before is None else [before]
    else:
        left = [changed.group(1) + " ".join(words)]
    return head + left + marked[1:]


def _with(lines, words):
    """The lines with these words in the `exclude=` of [main], under our marker."""
    if not words:
        return lines
    main, exclude, section = None, None, ""
    for number, line in enumerate(lines):
        if line.startswith("["):
            section = line.strip()
        if section == "[main]" and main is None:
            main = number
        if section == "[main]" and _EXCLUDE.match(line):
            exclude = number
    marker = _MARKER + " ".join(words)
    if exclude is not None:
        line = lines[exclude]
        return lines[:exclude] + [marker + _BEFORE + line, line.rstrip() + " " + " ".join(words)] + lines[exclude + 1 :]
    ours = [marker, "exclude=" + " ".join(words)]
    if main is None:
        return ["[main]"] + ours + lines
    return lines[: main + 1] + ours + lines[main + 1 :]


def _words(line):
    match = _EXCLUDE.match(line)
    return match.group(2).replace(",", " ").split() if match else []


def words_for(name):
    """The words in `exclude=` that hold a package of this name."""
    match = _OF_A_KERNEL.match(name)
    if not match:
        return (name,)
    # Any kernel of the distribution would become the default, whatever ours is called.
    bases = ["kernel"] + [base for base in [match.group(1)] if base != "kernel"]
    return tuple(base + part for base in bases for part in _PARTS)
