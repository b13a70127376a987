# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""kernel.spec of Enterprise Linux, edited as tencent-toa.txt says ("Making a Kernel Package", step 8), in places that are found and not guessed.

The document's two lines are

    Patch999999: toa.patch
    ApplyOptionalPatch toa.patch

The first is a declaration and belongs to the others of its kind, the second is a command of %prep and must come after every other patch, because
the patch was made from the finished tree. Number 999999 is taken in many specs (linux-kernel-test.patch), and rpm refuses a number that is
there twice; the next free one serves as well. Texts in, texts out.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError

PATCH = "toa.patch"
NUMBER = 999999

_DECLARATION = re.compile(r"^Patch(\d*)[ \t]*:[ \t]*(\S+)[ \t]*$", re.M | re.I)
# A call with a file's name: not the shell function of that name, nor what it does with its argument.
_CALL = re.compile(r"^[ \t]*(ApplyOptionalPatch|ApplyPatch)[ \t]+([A-Za-z0-9%][^\s()]*)(?:[ \t].*)?$", re.M)
_SECTION = re.compile(
    r"^%(prep|build|install|description|package|files|changelog|pre|post|preun|postun|check|clean)\b", re.M
)
_BUILDID = re.compile(r"^#?[ \t]*%[ \t]*(?:define|global)[ \t]+buildid\b.*$", re.M)
_SOURCE = re.compile(r"^Source\d*[ \t]*:[ \t]*(\S+)[ \t]*$", re.M | re.I)
# Names of configurations that are for something else than the kernel that boots.
_OTHER = re.compile(r"debug|kdump|zfcpdump|-rt|realtime|kasan", re.I)


def add_patch(text, patch=PATCH):
    """The spec with the document's two lines; TargetError where their places are not found."""
    if re.search(r"^Patch\d*[ \t]*:[ \t]*%s[ \t]*$" % re.escape(patch), text, re.M | re.I):
        return text
    declarations = list(_DECLARATION.finditer(text))
    preamble = _SECTION.search(text)
    declarations = [match for match in declarations if preamble is None or match.start() < preamble.start()]
    if not declarations:
        raise _unknown("a line `PatchN: FILE` before the first section")
    taken = set(int(match.group(1)) for match in declarations if match.group(1))
    number = NUMBER if NUMBER not in taken else max(taken) + 1
    begin, end = _prep(text)
    calls = list(_CALL.finditer(text, begin, end))
    if not calls:
        raise _unknown("a call of ApplyOptionalPatch or ApplyPatch in %prep")
    optional = [match for match in calls if match.group(1) == "ApplyOptionalPatch"]
    word = "ApplyOptionalPatch" if optional else "ApplyPatch"
    call = "%s %s" % (word, patch)
    # From the end, so that what was found in front stays where it is.
    text = _after(text, calls[-1], call)
    return _after(text, declarations[-1], "Patch%d: %s" % (number, patch))


def set_buildid(text, buildid):
    """The spec with `%define buildid`, which becomes part of the release; TargetError where it has no such line, commented out or not."""
    match = _BUILDID.search(text)
    if match is None:
        raise _unknown("a line `%define buildid`, commented out or not")
    return text[: match.start()] + "%%define buildid %s" % buildid + text[match.end() :]


def config_name(text, names, arch):
    """The configuration of the kernel that boots, among `names` of the SOURCES folder: one that the spec names as a source."""
    listed = [re.sub(r"%\{[^}]*\}", "*", match.group(1)) for match in _SOURCE.finditer(text)]
    found = []
    for name in sorted(names):
        if (
            arch in name
            and "config" in name
            and not _OTHER.search(name)
            and [1 for pattern in listed if _fits(pattern, name)]
        ):
            found.append(name)
    for wish in ("config-%s-generic" % arch, None):
        for name in found:
            if wish is None or name == wish:
                return name
    raise TargetError(
        "spec_unknown",
        "no configuration for %s is among the sources of kernel.spec (looked for config-%s-generic and the like)"
        % (arch, arch),
        "name it in `config_file`",
    )


def _fits(pattern, name):
    words = [re.escape(word) for word in pattern.split("*")]
    return re.match(".*".join(words) + "$", name) is not None


def _prep(text):
    """Where %prep begins and ends."""
    starts = [match for match in _SECTION.finditer(text) if match.group(1) == "prep"]
    if not starts:
        raise _unknown("%prep")
    following = [match.start() for match in _SECTION.finditer(text) if match.start() > starts[0].start()]
    return starts[0].end(), following[0] if following else len(text)


def _after(text, match, line):
    return text[: match.end()] + "\n" + line + text[match.end() :]


def _unknown(what):
    return TargetError(
        "spec_unknown",
        "kernel.spec is not of a shape that we know: it has no %s" % what,
        "add the patch to kernel.spec by hand",
    )
