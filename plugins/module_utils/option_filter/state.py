# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option filter as it is on this host: what was asked for, by the record, and whether its rules are loaded at this moment."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

from ansible_collections.realip.toa.plugins.module_utils.host.running import in_image
from ansible_collections.realip.toa.plugins.module_utils.host.io import run
from ansible_collections.realip.toa.plugins.module_utils.host.marks import FILTER_SCRIPT, OPTION_FILTER
from ansible_collections.realip.toa.plugins.module_utils.option_filter.rules import METHODS
from ansible_collections.realip.toa.plugins.module_utils.testbench.namespace import Refused

# The section of state.json.
SECTION = "option_filter"

# In place of a listing: nobody has seen the rules loaded yet, for they came in an image.
UNSEEN = "unseen"

NONE = {"active": False, "method": "", "kinds": [], "trusted_sources": [], "ports": [], "at_boot": ""}


def filter_of(record, places, script=FILTER_SCRIPT):
    """{active, method, kinds, trusted_sources, ports, at_boot} by the record and what find_places() found; None without an option filter.

    A command is run only on hosts that have one: the kernel shows its rules to the tools alone.
    """
    if not isinstance(record, dict) or record.get("method") not in METHODS:
        return None
    found = dict((key, record.get(key) or empty) for key, empty in NONE.items())
    found["active"] = in_image() or _is_loaded(record.get("shown"), script)
    found["at_boot"] = (
        [place["path"] for place in places if place["module"] == OPTION_FILTER and place["effective"]] + [""]
    )[0]
    return found


def _is_loaded(shown, script):
    if not shown:
        return False
    rules = digest_of_rules(script)
    return bool(rules) if shown == UNSEEN else rules == shown


def digest_of_rules(script=FILTER_SCRIPT):
    """What tells the rules that are loaded from others, "" where none are."""
    if not os.path.exists(script):
        return ""
    code, out, _err = run(["/bin/sh", script, "show"], timeout=20)
    return digest_of_listing(out) if code == 0 else ""


def digest_of_listing(text):
    import hashlib  # only where there is an option filter

    lines = [line.rstrip() for line in text.split("\n") if line.strip() and not line.startswith("#")]
    return hashlib.sha256("\n".join(lines).encode("utf-8")).hexdigest()[:16]


def load_here(folder):
    """Load the rules that lie in a folder into the network namespace this process is in; returns their listing. Raises Refused."""
    script = os.path.join(folder, "filter.sh")
    for verb in ("start", "show"):
        code, out, err = run(["/bin/sh", script, verb], timeout=20)
        if code != 0:
            raise Refused(
                "the option filter's rules cannot be loaded: %s"
                % " ".join((err or out or "exit status %d" % code).split())[:500]
            )
    return out
