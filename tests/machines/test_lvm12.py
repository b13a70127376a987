# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""/boot on a logical volume."""

from __future__ import annotations

import pytest
from no_one_shot import *  # noqa: F403 the tests of all machines of this kind


@pytest.fixture
def why() -> str:
    return "device-mapper volume (LVM)"
