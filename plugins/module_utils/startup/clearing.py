# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes lines that load TOA out of the files that they stand in, and leaves everything else in those as it is."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import to_text
from ansible_collections.realip.toa.plugins.module_utils.host.marks import MARKER
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import TOA_MODULES

MODULES_LOAD = "/etc/modules-load.d/realip-toa.conf"
ETC_MODULES = "/etc/modules"
SYSCONFIG = "/etc/sysconfig/modules/realip-toa.modules"
UNIT = "/etc/systemd/system/realip-toa-module.service"
UNIT_LINK = "/etc/systemd/system/multi-user.target.wants/realip-toa-module.service"
# A command that stands alone in its line: no list, no pipe, no block. Redirections and `uname -r` are taken out before.
HARMLESS = re.compile(
    r"[0-9]*>>?\s*(&[0-9-]|[^\s;&|]+)|&>>?\s*[^\s;&|]+|`\s*uname\s+-r\s*`|\$\(\s*uname\s+-r\s*\)|(^|\s)#.*$"
)
NOT_ALONE = re.compile(r"[;&|(){}]|^\s*(if|then|else|elif|do|while|until|for|case|function)\b")
# Bytes as latin-1 here, so a typographic quote before the command is these three.
LOAD_COMMAND = re.compile(
    b"(?:\xe2\x80[\x98-\x9f])?(\\S*/)?(modprobe|insmod)\\b[^;&|\n]*|systemctl\\s+start\\s+vtoa\\S*|service\\s+vtoa\\s+start".decode(
        "latin-1"
    )
)


def without_loads(host, method, path):
    """Images of every file that loads TOA now, without what is ours and without what the recipes left there."""
    places = [place for place in host.places() if place["ours"] or place["kind"] in ("rc_local", "sysconfig_modules")]
    back = host.originals.restorable()[0]
    wanted = {}
    for name, data in stripped(host, places).items():
        only_head = data.strip() in (b"", b"#!/bin/sh")
        if name != path and (not data.strip() or (only_head and back.get(name, 1) is None)):
            wanted[name] = None
        else:
            wanted[name] = host.keep_owner(name, data, host.mode(name, 0o644))
    if method != "systemd" and wanted.get(UNIT, 1) is None:
        wanted[UNIT_LINK] = None
    for place in places:
        if not place["ours"]:
            host.notes.append(_told(place, method))
    return wanted


def _told(place, method):
    why = "it did not run: %s" % place["reason"] if place["reason"] else "method %s takes its place" % method
    return "%s, line %d: %s removed; %s" % (place["path"], place["line_number"], place["line"], why)


def stripped(host, places):
    """{path: bytes without the lines of these findings}; a file that is all ours, or all a recipe's, becomes empty."""
    by_path = {}
    for place in places:
        by_path.setdefault(host.resolve(place["path"]), []).append(place)
    result = {}
    for name, found in by_path.items():
        if all_ours(host, name) or _is_recipe_file(name, found):
            result[name] = b""
        else:
            result[name] = _without_lines(host, name, found)
    return result


def all_ours(host, name):
    return name in (MODULES_LOAD, SYSCONFIG, UNIT) and MARKER.encode("ascii") in host.data(name)


def _is_recipe_file(name, found):
    """/etc/sysconfig/modules/toa.modules and its like: nothing but a wrapper around loading the module it is named after."""
    folder, leaf = os.path.split(name)
    return (
        folder == "/etc/sysconfig/modules"
        and leaf.endswith(".modules")
        and leaf[: -len(".modules")].replace("-", "_") in TOA_MODULES
    )


def _without_lines(host, name, found):
    """A shared file's bytes without the lines of the findings. Whatever else is in such a line stays, and so does the script's form."""
    lines = host.data(name).split(b"\n")
    marker = MARKER.encode("ascii")
    gone = set()
    for place in found:
        index = place["line_number"] - 1
        if _stands_alone(lines, index):
            gone.add(index)
            if index and lines[index - 1].strip() == marker:
                gone.add(index - 1)
        else:
            lines[index] = LOAD_COMMAND.sub(": ", lines[index].decode("latin-1")).encode("latin-1")
    return b"\n".join(line for index, line in enumerate(lines) if index not in gone)


def _stands_alone(lines, index):
    """Whether a line may go without changing what the others do."""
    text = HARMLESS.sub(" ", to_text(lines[index]).replace("|| true", " "))
    above = to_text(lines[index - 1]).rstrip() if index else ""
    below = to_text(lines[index + 1]).strip() if index + 1 < len(lines) else ""
    inside = above.endswith(("\\", "&&", "||", "|", "then", "do", "else", "{")) and below in (
        "fi",
        "done",
        "else",
        "}",
        "",
    )
    return not NOT_ALONE.search(text) and not above.endswith(("\\", "&&", "||", "|")) and not inside
