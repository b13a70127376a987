# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Has one of our scripts run at every boot: by a unit of systemd, or by a line in the rc.local that the host really runs."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, to_text
from ansible_collections.realip.toa.plugins.module_utils.host.file_image import data_of, file_image, runnable
from ansible_collections.realip.toa.plugins.module_utils.host.marks import MARKER
from ansible_collections.realip.toa.plugins.module_utils.startup.boot_places import find_places
from ansible_collections.realip.toa.plugins.module_utils.startup.init import boot_script
from ansible_collections.realip.toa.plugins.module_utils.startup.shell_script import script_loads


def boot_files(originals, init, name, command, units):
    """{path: image} of what it takes. `name`: how find_places() calls the script; `command`: the line of rc.local; `units`: {path: image} for systemd.

    TargetError `no_persistence` where the host runs no such thing.
    """
    if init == "systemd":
        return units
    path, why = boot_script("/", init)
    if not path:
        raise TargetError(
            "no_persistence",
            "nothing on this host would run `%s` at boot: %s" % (command, why),
            "let the operator's own boot script run `%s`, or give the host an rc.local" % command,
        )
    path = os.path.realpath(path)
    now = originals.now(path)
    if [place for place in places_of(name, init) if place["path"] == path]:
        return {path: now}
    image = file_image(with_rc_line(data_of(now), command), runnable(now["mode"] if now else 0o755))
    if now:
        image.update(uid=now["uid"], gid=now["gid"])
    return {path: image}


def places_of(name, init):
    """The findings of one of our scripts that really run at boot."""
    return [place for place in find_places("/", None, init) if place["module"] == name and place["effective"]]


def without_line(image, script):
    """rc.local as somebody has changed it since, without the line that runs our script."""
    if image is None or image["kind"] != "file":
        return image
    kept = b"\n".join(line for line in data_of(image).split(b"\n") if script.encode("ascii") not in line)
    return dict(image, data=base64.b64encode(kept).decode("ascii"))


def with_rc_line(data, command):
    """An rc.local with a command of ours where a boot reaches it: before a closing `exit 0`, or else right below the head."""
    line = ("%s || true  %s\n" % (command, MARKER)).encode("ascii")
    lines = ended(data).split(b"\n")[:-1] if data else []
    if not lines or not lines[0].startswith(b"#!"):
        lines.insert(0, b"#!/bin/sh")
    ends = [number for number, text in enumerate(lines) if re.match(b"(exit|exec)\\b", text)]
    head = 1
    while head < len(lines) and (lines[head].startswith(b"#") or not lines[head].strip()):
        head += 1
    for place in (ends[0] if ends else len(lines), min(head, ends[0]) if ends else head):
        result = b"\n".join(lines[:place] + [line[:-1]] + lines[place:]) + b"\n"
        if [load for load in script_loads(to_text(result)) if load["line_number"] == place + 1 and not load["reason"]]:
            return result
    return result


def ended(data):
    """The bytes of a text file, with an end to its last line."""
    return data if not data or data.endswith(b"\n") else data + b"\n"
