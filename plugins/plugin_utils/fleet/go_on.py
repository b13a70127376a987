# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one command that goes on where a run has ended, made of the one that it was started with. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from ansible_collections.realip.toa.plugins.plugin_utils import redaction

_AWX = ("AWX_ISOLATED_DATA_DIR", "JOB_ID", "AWX_HOST")
_SECRET = re.compile(r"(?i)[\w.-]*(?:token|secret|passw|pwd|api_?key|credential)[\w.-]*(?:=|\"?\s*:)")


def command(words: Sequence[str], environment: Mapping[str, str], variables: Mapping[str, str] | None = None) -> str:
    """What to do to go on; `words` are those of the process (sys.argv), `variables` what has to be different.

    An extra variable that is, or may hold, a password is not shown.
    """
    changed = dict(variables or {})
    if any(environment.get(name) for name in _AWX):
        more = " with " + ", ".join(f"{name}: {value}" for name, value in changed.items()) if changed else ""
        return f"launch the job template again{more}"
    told = [PurePath(words[0]).name if words else "ansible-playbook", *_without(list(words[1:]), set(changed))]
    told += [word for name, value in changed.items() for word in ("-e", f"{name}={value}")]
    return shlex.join([redaction.text(word) for word in told])


def _without(words: list[str], names: set[str]) -> list[str]:
    """The words but for extra variables of these names, and with secrets hidden."""
    kept: list[str] = []
    while words:
        word = words.pop(0)
        if word in ("-e", "--extra-vars") and words:
            value = words.pop(0)
            if not _is_only(value, names):
                kept += [word, _hidden(value)]
        elif word.startswith("--extra-vars="):
            value = word.partition("=")[2]
            if not _is_only(value, names):
                kept.append(f"--extra-vars={_hidden(value)}")
        else:
            kept.append(word)
    return kept


def _is_only(value: str, names: set[str]) -> bool:
    """Whether this sets one of these variables and no other; of those it sets with others, the last word counts anyhow."""
    return value.partition("=")[0].strip() in names and len(value.split()) == 1


def _hidden(value: str) -> str:
    return value if value.startswith("@") or not _SECRET.search(value) else "..."
