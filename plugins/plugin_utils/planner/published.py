# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan says of published lists of networks. Pure: how old a list is, the caller knows."""

from __future__ import annotations

from ansible_collections.realip.toa.plugins.plugin_utils import trusted_lists
from ansible_collections.realip.toa.plugins.plugin_utils.planner.reasons import reason


def not_reviewed(problem: ValueError) -> dict[str, str]:
    """A list that is named and was never fetched is no choice."""
    return reason("sources_not_reviewed", what=problem)


def out_of_date(days: int, limit: int) -> list[dict[str, str]]:
    """Of a list that is so many days old; `limit` in seconds, 0 for none."""
    return [reason("sources_old", days=days, file=trusted_lists.FILE)] if limit and days * 86400 > limit else []
