# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change windows."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import change_window


def at(text):
    return datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.timezone.utc)


# 2026-11-21 is a Saturday; Berlin is then an hour ahead of UTC, in July two.
@pytest.mark.parametrize(
    ("text", "now", "is_open"),
    [
        ("Sat,Sun 01:00-05:00 Europe/Berlin", "2026-11-21T00:30", True),
        ("Sat,Sun 01:00-05:00 Europe/Berlin", "2026-11-20T23:59", False),
        ("Sat,Sun 01:00-05:00 Europe/Berlin", "2026-11-21T04:00", False),
        ("Sat,Sun 01:00-05:00 Europe/Berlin", "2026-07-17T23:30", True),
        ("Sat,Sun 01:00-05:00", "2026-11-21T00:30", False),
        ("sat-sun 01:00 - 05:00", "2026-11-22T04:59", True),
        ("Mon-Fri 01:00-05:00", "2026-11-21T03:00", False),
        # Over midnight: it belongs to the day on which it begins.
        ("Fri 22:00-04:00", "2026-11-20T23:00", True),
        ("Fri 22:00-04:00", "2026-11-21T03:59", True),
        ("Fri 22:00-04:00", "2026-11-20T03:59", False),
        ("Fri-Mon 22:00-04:00", "2026-11-24T03:00", True),
        ("Fri-Mon 22:00-04:00", "2026-11-25T03:00", False),
        ("00:00-24:00 Asia/Shanghai", "2026-11-21T16:00", True),
        (["Mon 01:00-02:00", "Sat 01:00-02:00"], "2026-11-21T01:30", True),
        (["Mon 01:00-02:00", "Sat 03:00-04:00"], "2026-11-21T01:30", False),
        ("", "2026-11-21T01:30", True),
        (None, "2026-11-21T01:30", True),
        ([], "2026-11-21T01:30", True),
    ],
)
def test_open_or_closed(text, now, is_open):
    why = change_window.closed(text, at(now))
    assert (not why) == is_open
    assert is_open or str(text if isinstance(text, str) else text[0]) in why


@pytest.mark.parametrize(
    "text",
    [
        "night",
        "25:00-26:00",
        "01:00-01:00",
        "01:60-02:00",
        "Sat 01:00",
        "Someday 01:00-02:00",
        "01:00-02:00 Mars/Olympus",
        "01:00-02:00 ../../etc/passwd",
        7,
        True,
        {},
        ["01:00-02:00", "later"],
        "00:00-24:01",
    ],
)
def test_what_is_no_window_is_named(text):
    with pytest.raises(ValueError, match="toa_window") as caught:
        change_window.closed(text, at("2026-11-21T01:30"))
    assert "Sat,Sun 01:00-05:00 Europe/Berlin" in str(caught.value)
