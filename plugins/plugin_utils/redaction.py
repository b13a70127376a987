# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords and tokens of URLs, taken out of everything that leaves: results of tasks, and with them plans, facts and reports.

Where a URL is used it comes from the operator's variables: `restored` finds it there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

HIDDEN = "***"

# What stands before the last @ of an authority: an @ in a password does not end it. A password with a slash shows by a port that is no number.
_USER = re.compile(r"(://)(?:[^\s/?#]*@|[^\s/?#@:]{0,256}:(?!\d{0,5}(?:[/?#\s]|\Z))\S{0,256}@)")
_PARAMETER = re.compile(
    r"([?&][\w.%-]{0,64}?(?:token|secret|passw|pwd|key|sig|auth|cred|session|jwt)[\w.%-]{0,64}=)[^\s&#]+", re.IGNORECASE
)


def text(value: str) -> str:
    """A text without the passwords and tokens of the URLs in it."""
    if "://" not in value:
        return value
    return _PARAMETER.sub(rf"\g<1>{HIDDEN}", _USER.sub(rf"\g<1>{HIDDEN}@", value))


def anything(value: Any) -> Any:
    """The same for all texts in lists and mappings, keys included."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return {text(key) if isinstance(key, str) else key: anything(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [anything(item) for item in value]
    return value


def restored(url: str, known: Any) -> str:
    """The URL that was redacted to this one: one of those in `known` (any shape), or one on the same server as they.

    Comes back as it is where none of them is: who fetches from it is then refused by the server.
    """
    if HIDDEN not in url:
        return url
    candidates = list(_urls([known]))
    for candidate in candidates:
        if text(candidate) == url:
            return candidate
    for candidate in candidates:
        end = _end_of_server(candidate)
        server = text(candidate[:end])
        if HIDDEN in server and url.startswith(server) and url[len(server) :][:1] in ("", "/", "?", "#"):
            return candidate[:end] + url[len(server) :]
    return url


def _end_of_server(url: str) -> int:
    user = _USER.search(url)
    start = user.end() if user else url.index("://") + 3
    found = re.compile(r"[/?#]").search(url, start)
    return found.start() if found else len(url)


def _urls(values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            if "://" in value:
                yield value
        elif isinstance(value, Mapping):
            yield from _urls(value.values())
        elif isinstance(value, (list, tuple)):
            yield from _urls(value)
