# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the testinfra tests of all scenarios share."""

from __future__ import annotations

import pytest


@pytest.fixture
def name(host):
    """Name of the host in the inventory."""
    return host.backend.get_pytest_id().rpartition("/")[2]


@pytest.fixture
def proof(host):
    """The proof that an operator would run, for Tencent's format."""
    return host.ansible("realip.toa.toa_probe", "option_kinds=200/8", check=False)["probe"]
