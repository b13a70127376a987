# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the monitor keeps what it needs, and what it remembers from one run to the next."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json

from ansible_collections.realip.toa.plugins.module_utils.host.io import STATE_DIR, read_text

# The section of state.json.
SECTION = "monitor"
FOLDER = STATE_DIR + "/monitor"
PROGRAM, SETTINGS, SEEN = "monitor.py", "settings.json", "seen.json"
METRICS = "realip_toa.prom"


def read_json(path):
    """The object in a JSON file; an empty one where there is none."""
    try:
        value = json.loads(read_text(path, 1 << 20) or "{}")
    except (ValueError, RuntimeError):  # RuntimeError: nested beyond the interpreter's limit
        return {}
    return value if isinstance(value, dict) else {}


def seen_drift(path):
    """{code: seconds} of when the monitor saw each finding first."""
    seen = read_json(path)
    return dict(
        (code, when)
        for code, when in seen.items()
        if isinstance(when, (int, float)) and not isinstance(when, bool) and 0 < when < 1e11
    )
