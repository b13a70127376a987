# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a vendor's source tree is built: descriptions of the public ones (source_trees.yml), and the operator's own. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.realip.toa.plugins.plugin_utils import option_formats, typed

DATA = Path(__file__).with_name("trees.yml")
# What is assumed of a source of which nothing is said.
DEFAULT = "plain"

# What an operator may say; the other fields are about where a public tree is to be found.
FIELDS: dict[str, dict[str, Any]] = {
    "module": {"type": "str", "default": "toa"},
    "subdirectory": {"type": "str", "default": ""},
    "variables": {"type": "dict", "default": {}},
    "dkms": {"type": "bool", "default": False},
    "option_kinds": {"type": "list", "elements": "str", "default": []},
}

_MODULE = re.compile(r"[A-Za-z0-9_-]+\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class TreeError(ValueError):
    """A description that is wrong; the text names it and what was expected."""


@dataclass(frozen=True)
class Tree:
    """One description. `option_kinds` is empty where nobody but the operator knows what the module reads."""

    key: str
    module: str = "toa"
    subdirectory: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    dkms: bool = False
    option_kinds: tuple[str, ...] = ()
    repository: str = ""


@functools.lru_cache(maxsize=1)
def known() -> dict[str, Tree]:
    """The public trees, by key."""
    return {
        item["key"]: _tree(item["key"], item, f"source_trees.yml, {item['key']}")
        for item in yaml.safe_load(DATA.read_bytes())
    }


def find(wanted: object) -> Tree:
    """`toa_source.tree`: the key of a known tree, or a description; nothing stands for a plain one. Raises TreeError."""
    if wanted in (None, "", {}):
        return known()[DEFAULT]
    if isinstance(wanted, str):
        if wanted not in known():
            raise TreeError(
                f"toa_source.tree: no source tree {wanted!r:.40} is described; known are {', '.join(known())}; "
                "or describe it, as in {module: toa, subdirectory: src}"
            )
        return known()[wanted]
    if not isinstance(wanted, Mapping):
        raise TreeError(
            f"toa_source.tree is the name of a known tree or a description with some of {', '.join(FIELDS)}; got {wanted!r:.80}"
        )
    return _tree("", wanted, "toa_source.tree")


def _tree(key: str, item: Mapping[str, Any], where: str) -> Tree:
    own = {name: value for name, value in item.items() if name in FIELDS or not key}
    try:
        given = typed.described(own, FIELDS)
    except ValueError as problem:
        raise TreeError(f"{where}: {problem}") from None
    if not isinstance(item.get("dkms") or False, bool):
        raise TreeError(f"{where}: dkms is {typed.shown(item['dkms'])}; expected true or false, and no text")
    module, folder, variables = given["module"], given["subdirectory"], given["variables"]
    if not _MODULE.match(module):
        raise TreeError(f"{where}: module {module!r:.60} is not the name of a module, as in `toa` for toa.ko")
    if folder.startswith("/") or ".." in folder.split("/"):
        raise TreeError(f"{where}: subdirectory {folder!r:.60} is not a directory of the source")
    if not all(isinstance(name, str) and _VARIABLE.match(name) for name in variables):
        raise TreeError(f"{where}: variables are those of make, as in {{CONFIG_TOA: m}}; got {variables!r:.80}")
    try:
        kinds = tuple(option_formats.normalise(given["option_kinds"]))
    except ValueError as problem:
        raise TreeError(f"{where}: {problem}") from problem
    values = {str(name): str(value) for name, value in variables.items()}
    return Tree(
        key,
        module.replace("-", "_"),
        folder.strip("/"),
        values,
        given["dkms"],
        kinds,
        str(item.get("repository") or ""),
    )
