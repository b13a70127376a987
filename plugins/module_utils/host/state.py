# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record that a rollout keeps on the host, so that a run which died is taken up by the next.

One JSON object in /var/lib/realip-toa/state.json. Sections belong to one target module each:
`boot` (programs/boot.py), `packages` (programs/package.py), `persistence` (programs/persistence.py), `source`
(building/module.py). A section holds what its owner needs to undo its work, so `remove` and a rollback never guess.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import stat

from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    STATE_DIR,
    TargetError,
    read_text,
)
from ansible_collections.realip.toa.plugins.module_utils.host.writing import (
    kind_of,
    make_dirs,
    remove_empty,
    remove_file,
    write_own,
)

STATE_FILE = os.path.join(STATE_DIR, "state.json")
SCHEMA = 1
# Bytes; while files are being changed it has all of them in it.
LARGEST = 64 << 20


def load(path=STATE_FILE):
    """The record as a dict; an empty one where there is none or where it is damaged.

    Damage is never fatal: the host itself is always looked at again before anything is changed.
    """
    refuse_what_is_not_roots(path)
    text = read_text(path, LARGEST)
    if text is None:
        return {}
    try:
        record = json.loads(text)
    except (ValueError, RuntimeError):  # RuntimeError: nested beyond the interpreter's limit
        return {}
    return record if isinstance(record, dict) else {}


def refuse_what_is_not_roots(path):
    """TargetError where somebody else may have written the record: what it says is put back, and run, as root."""
    for name in (os.path.dirname(path), path):
        try:
            found = os.lstat(name)
        except OSError:
            continue
        of_kind = stat.S_ISREG(found.st_mode) if name == path else stat.S_ISDIR(found.st_mode)
        if not of_kind:
            why = "is no %s of root's own but %s" % ("file" if name == path else "folder", kind_of(found.st_mode))
        elif found.st_uid not in (0, os.geteuid()):
            why = "belongs to user %d" % found.st_uid
        elif found.st_mode & 0o002 or (found.st_mode & 0o020 and found.st_gid != 0):
            why = "can be written to by others (mode %04o)" % stat.S_IMODE(found.st_mode)
        else:
            continue
        raise TargetError(
            "record_not_ours",
            "%s %s, so that nothing in it can be believed" % (name, why),
            "find out who made it, and remove it on the host; what was installed is then looked at anew",
        )


def told(path=STATE_FILE):
    """The record for the controller: of a change that is under way it says no more than that."""
    return dict(
        (name, dict(value, begun=True) if isinstance(value, dict) and "begun" in value else value)
        for name, value in load(path).items()
    )


def section(name, path=STATE_FILE):
    """One section of the record as a dict."""
    value = load(path).get(name)
    return value if isinstance(value, dict) else {}


def save_section(name, value, path=STATE_FILE):
    """Replace one section; an empty value drops it, and the file goes with the last section."""
    record = load(path)
    if value:
        record[name] = value
    else:
        record.pop(name, None)
    record.pop("schema", None)
    if not record:
        remove_file(path)
        remove_empty(os.path.dirname(path))
        return
    record["schema"] = SCHEMA
    make_dirs(os.path.dirname(path), 0o755)
    write_own(path, json.dumps(record, indent=1, sort_keys=True) + "\n", 0o600)
