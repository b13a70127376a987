# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords and tokens of URLs stay where they are used."""

from __future__ import annotations

import time

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils import redaction


@pytest.mark.parametrize(
    "value, shown",
    [
        ("https://oauth2:SECRET@git.example/net/toa.git", "https://***@git.example/net/toa.git"),
        ("https://SECRET@git.example", "https://***@git.example"),
        (
            "git said: 'https://u:SEC@RET@h.example:8443/x' not found",
            "git said: 'https://***@h.example:8443/x' not found",
        ),
        ("https://u:SEC/RET@h.example/x", "https://***@h.example/x"),
        ("ssh://git:SECRET@h/x https://a:SECRET@b/", "ssh://***@h/x https://***@b/"),
        ("https://h/x?token=SECRET&file=y", "https://h/x?token=***&file=y"),
        ("https://h/x?a=b&X-Amz-Signature=SECRET#f", "https://h/x?a=b&X-Amz-Signature=***#f"),
        ("https://h:8080/@scope/x", "https://h:8080/@scope/x"),
        ("https://h/x?file=y mail a@b", "https://h/x?file=y mail a@b"),
    ],
)
def test_what_is_shown_of_a_url(value: str, shown: str) -> None:
    assert redaction.text(value) == shown
    assert redaction.anything({"a": [value], value: (value,)}) == {"a": [shown], shown: [shown]}


def test_what_is_used_is_found_again() -> None:
    known = ["https://deploy:S@ECRET@mirror.example:8443/toa", {"url": "https://h/x?token=SECRET"}]
    assert redaction.restored("https://***@mirror.example:8443/toa/a.rpm", known) == f"{known[0]}/a.rpm"
    assert (
        redaction.restored("https://***@mirror.example:8443/b/a.rpm", known)
        == "https://deploy:S@ECRET@mirror.example:8443/b/a.rpm"
    )
    assert redaction.restored("https://h/x?token=***", known) == "https://h/x?token=SECRET"


@pytest.mark.parametrize(
    "url", ["https://***@mirror.example:8443.evil/x", "https://***@other/x", "http://***@mirror.example:8443/x"]
)
def test_a_password_goes_to_no_other_server(url: str) -> None:
    assert redaction.restored(url, ["https://u:SECRET@mirror.example:8443/toa"]) == url


@pytest.mark.parametrize("part", ["://", "://a:b", "?key", "&sig=", "://x@", "://a:", "&tokentoken"])
def test_no_text_takes_long(part: str) -> None:
    began = time.process_time()
    redaction.text("://" + part * ((1 << 18) // len(part)))
    assert time.process_time() - began < 2
