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
from ansible_collections.realip.toa.plugins.plugin_utils import option_formats

DATA = Path(__file__).with_name("trees.yml")
# What is assumed of a source of which nothing is said.
DEFAULT = "plain"

# Fields that an operator may give; the others are about where a public tree is to be found.
FIELDS = ("module", "subdirectory", "variables", "dkms", "option_kinds")

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
    """`toa_source_tree`: the key of a known tree, or a description; nothing stands for a plain one. Raises TreeError."""
    if wanted in (None, "", {}):
        return known()[DEFAULT]
    if isinstance(wanted, str):
        if wanted not in known():
            raise TreeError(
                f"toa_source_tree: no source tree {wanted!r:.40} is described; known are {', '.join(known())}; "
                "or describe it, as in {module: toa, subdirectory: src}"
            )
        return known()[wanted]
    if not isinstance(wanted, Mapping):
        raise TreeError(
            f"toa_source_tree is the name of a known tree or a description with some of {', '.join(FIELDS)}; got {wanted!r:.80}"
        )
    strange = sorted(str(key) for key in wanted if key not in FIELDS)
    if strange:
        raise TreeError(f"toa_source_tree: unknown {', '.join(strange)}; expected some of {', '.join(FIELDS)}")
    return _tree("", wanted, "toa_source_tree")


def _tree(key: str, item: Mapping[str, Any], where: str) -> Tree:
    module, folder = item.get("module") or "toa", item.get("subdirectory") or ""
    variables, dkms = item.get("variables") or {}, item.get("dkms") or False
    if not isinstance(module, str) or not _MODULE.match(module):
        raise TreeError(f"{where}: module {module!r:.60} is not the name of a module, as in `toa` for toa.ko")
    if not isinstance(folder, str) or folder.startswith("/") or ".." in folder.split("/"):
        raise TreeError(f"{where}: subdirectory {folder!r:.60} is not a directory of the source")
    if not isinstance(variables, Mapping) or not all(
        isinstance(name, str) and _VARIABLE.match(name) for name in variables
    ):
        raise TreeError(f"{where}: variables are those of make, as in {{CONFIG_TOA: m}}; got {variables!r:.80}")
    if not isinstance(dkms, bool):
        raise TreeError(f"{where}: dkms is true where the source has a dkms.conf of its own to keep; got {dkms!r:.40}")
    try:
        kinds = tuple(option_formats.normalise(item.get("option_kinds") or []))
    except ValueError as problem:
        raise TreeError(f"{where}: {problem}") from problem
    values = {str(name): str(value) for name, value in variables.items()}
    return Tree(
        key, module.replace("-", "_"), folder.strip("/"), values, dkms, kinds, str(item.get("repository") or "")
    )
