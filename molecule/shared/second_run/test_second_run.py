# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a rollout on a host that translates leaves behind: nothing. Molecule's idempotence goes by what modules say, this by the disk."""

from __future__ import annotations

from lab import disks

MARK = "/run/before-the-second-run"


def test_it_writes_nothing(host, name):
    # side_effect.yml makes it after the reboot; before that there was no second run.
    if host.file(MARK).exists:
        assert disks.written_since(name, MARK) == []
