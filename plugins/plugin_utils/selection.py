# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing hosts with a JMESPath expression over their facts and plan, as in `toa_only`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

try:
    import jmespath
except ImportError:
    jmespath = None

Hosts: TypeAlias = Mapping[str, Mapping[str, Any]] | Iterable[Mapping[str, Any]]


class SelectionError(ValueError):
    """An expression that cannot be used, or hosts of the wrong shape; the text names which."""


def matching(hosts: Hosts, expression: str) -> list[Any]:
    """Those hosts for which the expression is true, in order.

    `hosts` is {name: {facts, plan, ...}}, and the names come back; or a list of such dicts, and the dicts come back.
    True is what JMESPath calls true: neither false, null, nor empty. Raises SelectionError.
    """
    compiled = _compile(expression)
    if isinstance(hosts, Mapping):
        return [name for name, value in hosts.items() if _is_true(compiled, value, expression, name)]
    if isinstance(hosts, Iterable) and not isinstance(hosts, (str, bytes)):
        return [item for item in hosts if _is_true(compiled, item, expression, "a host")]
    raise SelectionError(f"hosts to select from are a mapping {{host: {{facts, plan}}}} or a list of such; got {type(hosts).__name__}")


def _compile(expression: object) -> Any:
    if jmespath is None:
        raise SelectionError("selecting hosts needs the Python library jmespath on the controller: pip install jmespath")
    if not isinstance(expression, str) or not expression.strip():
        raise SelectionError(f"a selection is a JMESPath expression such as plan.state == 'pending'; got {expression!r:.80}")
    try:
        return jmespath.compile(expression)
    except jmespath.exceptions.JMESPathError as problem:
        raise SelectionError(f"{expression!r} is not a JMESPath expression: {_first_line(problem)}") from None


def _is_true(compiled: Any, value: Any, expression: str, name: str) -> bool:
    if not isinstance(value, Mapping):
        raise SelectionError(f"{name} is {type(value).__name__}, not a mapping of facts and plan")
    try:
        found = compiled.search(value)
    except jmespath.exceptions.JMESPathError as problem:
        raise SelectionError(f"{expression!r} cannot be evaluated for {name}: {_first_line(problem)}") from None
    # In JMESPath the number 0 is true.
    return bool(found) or (isinstance(found, (int, float)) and not isinstance(found, bool))


def _first_line(problem: Exception) -> str:
    return str(problem).strip().split("\n", 1)[0].rstrip(": ")
