# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Choosing hosts with a JMESPath expression over their facts and plan, as in `toa_only`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias

from ansible_collections.realip.toa.plugins.plugin_utils.facts.build import facts_of
from ansible_collections.realip.toa.plugins.plugin_utils.planner import decide as planner
from ansible_collections.realip.toa.plugins.plugin_utils.planner import policy as policy_module

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
    raise SelectionError(
        f"hosts to select from are a mapping {{host: {{facts, plan}}}} or a list of such; got {type(hosts).__name__}"
    )


def somebody(pattern: Any, found: list[str], limit: str, within: list[str], *, dry: bool = False) -> Any:
    """The pattern, if a host is left that it `found` and that is `within` the limit. Raises SelectionError.

    A limit that is read from a file is Ansible's alone to know, and a local host need not be in the inventory.
    """
    if dry or any(name in str(pattern) for name in ("localhost", "127.0.0.1")):
        return pattern
    if not found:
        raise SelectionError(
            f"no host matches {pattern!s:.200}, so there is nothing to do and nothing is known: see whether the inventory (-i) is the right one and has hosts"
        )
    if limit and "@" not in limit and not set(found) & set(within):
        raise SelectionError(
            f"no host that matches {pattern!s:.200} is within --limit {limit:.200}: correct one of them"
        )
    return pattern


def problem(expression: Any) -> str:
    """What is wrong with `toa_only`, in a sentence, before any host is asked; an empty text where nothing is.

    Beside what jmespath itself finds, a key that neither facts nor plan have: it would choose no host, in silence.
    """
    if expression in (None, ""):
        return ""
    try:
        compiled = _compile(expression)
        compiled.search({"facts": {}, "plan": {}})
    except SelectionError as found:
        return f"toa_only: {found}"
    except (jmespath.exceptions.UnknownFunctionError, jmespath.exceptions.ArityError) as found:
        return f"toa_only: {expression!r} is not a JMESPath expression: {_first_line(found)}"
    except jmespath.exceptions.JMESPathError:
        # A function that does not take null: hosts have more than this.
        pass
    return next(
        (f"toa_only: {expression!r}: {sentence}" for sentence in _unknown_keys(compiled.parsed, _shape(), "")), ""
    )


@cache
def _shape() -> Mapping[str, Any]:
    """Every key that an expression may name: those of a host about which nothing is known."""
    known = facts_of({})
    return {"facts": known, "plan": planner.decide(known, policy_module.policy_of(policy_module.POLICY), [], {}, None)}


def _unknown_keys(node: Mapping[str, Any], shape: Any, path: str) -> Iterator[str]:
    """A sentence for each key in a parsed expression that `shape` (a dict whose keys are known, or anything else) does not have."""
    if node["type"] == "field":
        name = node["value"]
        if isinstance(shape, Mapping) and shape and name not in shape:
            near = difflib.get_close_matches(name, shape, n=1)
            hint = f"did you mean {path}{near[0]}?" if near else f"there are {', '.join(sorted(shape))}"
            yield f"there is no {path}{name}; {hint}"
    elif node["type"] in (
        "subexpression",
        "index_expression",
        "pipe",
        "projection",
        "filter_projection",
        "flatten",
        "value_projection",
    ):
        for child in node["children"]:
            yield from _unknown_keys(child, shape, path)
            # What stands on the right is looked for in what the left gives.
            shape, path = _inside(child, shape, path)
    else:
        for child in node.get("children", []):
            if isinstance(child, Mapping):
                yield from _unknown_keys(child, shape, path)


def _inside(node: Mapping[str, Any], shape: Any, path: str) -> tuple[Any, str]:
    """What a part of an expression gives, as far as it is known."""
    if node["type"] == "field":
        found = shape.get(node["value"]) if isinstance(shape, Mapping) else None
        return found, f"{path}{node['value']}."
    if node["type"] == "subexpression":
        for child in node["children"]:
            shape, path = _inside(child, shape, path)
        return shape, path
    return None, ""


def _compile(expression: object) -> Any:
    if jmespath is None:
        raise SelectionError(
            "selecting hosts needs the Python library jmespath on the controller: pip install jmespath"
        )
    if not isinstance(expression, str) or not expression.strip():
        raise SelectionError(
            f"a selection is a JMESPath expression such as plan.state == 'pending'; got {expression!r:.80}"
        )
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
