# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps kernels through `yum update` and `dnf upgrade`: words of ours in the `exclude=` of their configuration, and out of it again.

rpm has no hold of its own. A newer kernel of the distribution would be installed beside ours, become the default, and push ours out
once there are installonly_limit of them; so no kernel at all is installed while ours is held. `exclude=` is understood by every yum and
dnf (yum.conf(5), dnf.conf(5)); versionlock is a plugin that most hosts lack, and would have to name a version of every sub-package.

A marker above the line names our words, and the line as it was, so that taking them back needs no other record.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import read_bytes, write_atomic

CONFIGURATIONS = ("etc/dnf/dnf.conf", "etc/yum.conf")
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

    def held(self):
        """The test whether a package of a name is held, which it is when every configuration says so."""
        ours = [set(_Lines(path).ours) for path in self.paths]
        return lambda name: bool(ours) and all(set(words_for(name)) <= words for words in ours)

    def change(self, names, held):
        """Hold packages by name, or let go of them."""
        for path in self.paths:
            lines = _Lines(path)
            changing = [word for name in names for word in words_for(name)]
            wanted = [word for word in lines.ours if word not in changing] + (changing if held else [])
            wanted = [word for place, word in enumerate(wanted) if word not in wanted[:place]]
            text = "\n".join(_with(lines.without_ours(), wanted))
            if text != lines.text:
                write_atomic(path, text.encode("latin-1"))


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
