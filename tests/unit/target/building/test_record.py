# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host keeps of where its module is from."""

from __future__ import absolute_import, division, print_function

import pytest
from ansible_collections.realip.toa.plugins.module_utils.building.module_host import Wanted, named


@pytest.mark.parametrize(
    "url",
    [
        "https://oauth2:SECRET@git.example/net/toa.git",
        "https://git.example/toa.tar.gz?token=SECRET",
        "https://user:p@SECRET@git.example/toa.tar.gz",
        "https://SECRET@git.example/toa.tar.gz",
    ],
)
def test_no_secret_of_a_url_is_in_the_record(url):
    source = {"url": url, "sha256": "a" * 64, "commit": "", "tree": "plain", "archive": "QQ=="}
    kept = named(source)
    assert (
        "SECRET" not in str(kept)
        and "git.example" in kept["url"]
        and sorted(kept) == ["commit", "sha256", "tree", "url"]
    )
    # ... and it is still the same source, for the identity is worked out from all of it.
    assert (
        Wanted({"source": dict(source, sha256="")}).identity() != Wanted({"source": dict(kept, sha256="")}).identity()
    )
