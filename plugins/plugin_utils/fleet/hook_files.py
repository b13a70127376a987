# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with tasks of the operator (drain, health, undrain): found on the controller, and never inside a role of ours.

Ansible looks for an included file in the role that includes it first, so that `drain.yml` would be our own file, which includes itself for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml
from ansible_collections.realip.toa.plugins.plugin_utils import places


def resolve(name: str, folders: Iterable[Path]) -> Path:
    """The absolute path of an operator's file: as given, or below the first of these folders that has it. ValueError where none has."""
    tried = places.candidates(name, folders)
    for path in tried:
        if path.is_file():
            return path.absolute()
    raise ValueError(f"there is no file {name}; looked for {', '.join(map(str, tried))}")


def problem(hooks: Mapping[str, object], folders: Sequence[Path]) -> str:
    """One sentence about the first of these variables ({name: file}) that names no file with tasks; "" where all do, or are not set."""
    for variable, name in hooks.items():
        if not name:
            continue
        if not isinstance(name, str):
            return f"{variable} is {name!r:.80}; expected the path of a file with tasks"
        try:
            path = resolve(name, folders)
            # Not loaded, since tags such as !vault are Ansible's: what counts here is that it is YAML, and a list.
            content = yaml.compose(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ValueError) as error:
            return f"{variable}: {error}"
        except yaml.YAMLError as error:
            return f"{variable}: {path} is no YAML: {' '.join(str(error).split())}"
        if content is not None and not isinstance(content, yaml.SequenceNode):
            return f"{variable}: {path} is no list of tasks"
    return ""
