# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values of a report: whatever stands in the variables of a host in, a value of one type out. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils import host_text

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def natural(name: str) -> list[tuple[int, str]]:
    """Sorts web2 before web10."""
    return [(int(part) if part.isdecimal() else -1, part) for part in re.split(r"(\d+)", name)]


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def whole(value: Any) -> int:
    """A number as set_fact keeps it, which on older cores is a text; 0 for anything else."""
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else 0


def seconds(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def moment(value: Any) -> str:
    """A time as toa_moment writes it, or an empty text."""
    return str(value) if MOMENT.fullmatch(str(value)) else ""


def text(value: Any) -> str:
    """A message of any task as one line in which nothing can move a terminal's cursor; those of Ansible's own modules may be lists."""
    if isinstance(value, (list, tuple)):
        return "; ".join(text(item) for item in value)
    return "" if value is None else host_text.line(" ".join(str(value)[: host_text.LIMIT].split()))


def plain(value: Any) -> Any:
    """Containers as dict and list: those of Ansible 2.19 and later are templated when they are read, and cannot be copied."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
