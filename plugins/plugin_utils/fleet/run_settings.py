# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of Ansible with which a run would do something else than its plays say, and which no play can overrule. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# No task of ours has a tag.
ALL, UNTAGGED = "all", "untagged"


def problem(arguments: Mapping[str, Any], *, undefined_is_kept: bool = False) -> str:
    """One sentence about the first of these settings, "" where there is none.

    `arguments`: of the command line, with what ansible.cfg and the environment say in their place. `undefined_is_kept`: a template whose variable is
    missing is taken as it is written.
    """
    tags = [str(tag) for tag in arguments.get("tags") or []]
    if tags and ALL not in tags and UNTAGGED not in tags:
        return (
            f"realip.toa has no tags, so that --tags {','.join(tags)} (or ANSIBLE_RUN_TAGS) would skip all of it and end well: "
            "leave it out, or choose hosts with --limit or toa_only"
        )
    skipped = [str(tag) for tag in arguments.get("skip_tags") or []]
    if {ALL, UNTAGGED} & set(skipped):
        return f"realip.toa has no tags, so that --skip-tags {','.join(skipped)} (or ANSIBLE_SKIP_TAGS) would skip all of it: leave it out"
    if arguments.get("start_at_task"):
        return (
            f"a run of realip.toa has no middle: with --start-at-task {str(arguments['start_at_task'])[:80]!r} no host would have been looked at or claimed; "
            "leave it out, since what is done already is left alone"
        )
    if undefined_is_kept:
        return (
            "with ANSIBLE_ERROR_ON_UNDEFINED_VARS (error_on_undefined_vars in ansible.cfg) false, realip.toa would take misspelt variables for values: "
            "leave it true for this run"
        )
    return ""
