# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value as inventories, surveys and command lines give it, made into what an argument spec says. Pure.

Extra variables are texts on ansible-core 2.16 (`-e toa_stage_all=false` is the text "false"), and a survey of AWX answers an empty text for
what nobody has filled in. Ansible's own conversion lets too much pass: it makes texts of lists, and numbers of booleans.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import yaml

Spec: TypeAlias = Mapping[str, Any]

TRUE = frozenset(("y", "yes", "on", "1", "true", "t"))
FALSE = frozenset(("n", "no", "off", "0", "false", "f"))

# How much of a value a message shows, in characters.
SHOWN = 60
# Digits of a number; what has more is no number of seconds, hosts or ports.
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


class Secret(str):
    """A text that was encrypted by ansible-vault: no message shows it."""

    __slots__ = ()


def is_unset(value: Any) -> bool:
    """Whether a variable says nothing: null, and a text without a character, which is how AWX passes an empty answer."""
    return value is None or (isinstance(value, str) and not value.strip())


def is_left_out(value: Any, spec: Spec) -> bool:
    """Whether a task leaves an option out. An empty text is a value where a text is expected."""
    if value is None:
        return True
    takes_text = spec.get("type", "str") in ("str", "path", "raw") and (
        not spec.get("choices") or "" in spec["choices"]
    )
    return is_unset(value) and not takes_text


def settled(name: str, value: Any, spec: Spec) -> Any:
    """What `name` is set to, in the type of `spec`; ValueError is a whole sentence, or one for each option of it that is wrong."""
    if has_options(spec):
        return _options(name, value, spec["options"])
    try:
        return convert(value, spec)
    except ValueError as problem:
        raise ValueError(f"{name} is {shown(value)}; {problem}") from None


def has_options(spec: Spec) -> bool:
    """Whether it is a mapping whose keys are known."""
    return spec.get("type") == "dict" and "options" in spec


def default(spec: Spec) -> Any:
    """What something is that nobody has set: of one with options, a mapping with the default of each."""
    if has_options(spec):
        return {key: default(inner) for key, inner in spec["options"].items()}
    return spec.get("default")


def convert(value: Any, spec: Spec, bounds: tuple[int, int] | None = None) -> Any:
    """The value in the type of `spec`, one of its choices, within `bounds` where it is a number; ValueError says what was expected."""
    value = _plain_text(value)
    bounds = bounds or spec.get("bounds")
    kind = spec.get("type", "str")
    found = _CONVERT[kind](value, spec, bounds)
    choices = spec.get("choices")
    if choices and kind != "list" and found not in choices:
        raise ValueError(f"expected {expected(spec, bounds)}{meant(found, choices)}")
    return found


def described(item: Mapping[str, Any], specs: Mapping[str, Spec]) -> dict[str, Any]:
    """A mapping with the keys of `specs`, each in its type, with defaults; ValueError is a sentence that names the key.

    As Ansible's ArgumentSpecValidator, whose words differ from core to core and name types of Python, and which takes a mapping for a text.
    """
    for key in item:
        if key not in specs:
            raise ValueError(f"unknown key {key}; expected some of {', '.join(specs)}{meant(key, specs)}")
    found = {}
    for key, spec in specs.items():
        value = item.get(key)
        try:
            found[key] = spec.get("default") if is_unset(value) else convert(value, spec)
        except ValueError as problem:
            raise ValueError(f"{key} is {shown(value)}; {problem}") from None
    return found


def expected(spec: Spec, bounds: tuple[int, int] | None = None) -> str:
    """In words, what a value has to be."""
    choices = [str(choice) for choice in spec.get("choices") or [] if choice != ""]
    kind, bounds = spec.get("type", "str"), bounds or spec.get("bounds")
    if has_options(spec):
        return f"a mapping with some of {', '.join(spec['options'])}"
    if kind == "list":
        return f"a list with some of {', '.join(choices)}" if choices else f"a list of {_ITEMS[spec.get('elements')]}"
    if choices:
        return f"one of {', '.join(choices)}"
    if kind == "int" and bounds:
        low, high = bounds
        return f"a whole number from {low}" + (f" to {high}" if high else "")
    return _WORDS[kind]


def meant(value: Any, choices: Iterable[Any]) -> str:
    """The end of a sentence about a value that is nearly one of the choices."""
    near = difflib.get_close_matches(str(value).lower(), [str(choice) for choice in choices if choice != ""], n=1)
    return f"; did you mean {near[0]}?" if near else ""


def shown(value: Any) -> str:
    """A value as a message shows it; nothing of what is encrypted."""
    if _is_secret(value):
        return "(encrypted)"
    text = repr(str(value)) if isinstance(value, str) else "null" if value is None else str(value)
    if isinstance(value, bool):
        text = text.lower()
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _options(name: str, value: Any, specs: Mapping[str, Spec]) -> dict[str, Any]:
    """A variable with options of its own, as toa_source; a text is what a survey or the command line has of it, `url: /x` or `{url: /x}`."""
    value = _plain_text(value)
    if isinstance(value, str):
        with contextlib.suppress(yaml.YAMLError):
            value = yaml.safe_load(value)
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is {shown(value)}; expected a mapping with some of {', '.join(specs)}")
    wrong = [
        f"{name}.{key} is not an option of {name}; expected some of {', '.join(specs)}{meant(key, specs)}"
        for key in value
        if key not in specs
    ]
    found = {}
    for key, spec in specs.items():
        given = value.get(key)
        if is_unset(given) and spec.get("required"):
            wrong.append(f"{name}.{key} is not set; expected {expected(spec)}")
        try:
            found[key] = default(spec) if is_unset(given) else settled(f"{name}.{key}", given, spec)
        except ValueError as problem:
            wrong.append(str(problem))
    if wrong:
        raise ValueError("; ".join(wrong))
    return found


# ---- one type each


def _bool(value: Any, spec: Spec, bounds: Any) -> bool:
    text = str(value).strip().lower()
    if isinstance(value, (bool, int, str)) and text in TRUE | FALSE:
        return text in TRUE
    raise ValueError(f"expected {_WORDS['bool']}")


def _int(value: Any, spec: Spec, bounds: tuple[int, int] | None) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = str(value).strip()
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not _WHOLE.fullmatch(text):
        raise ValueError(f"expected {expected({'type': 'int'}, bounds)}")
    number = int(text)
    if bounds and (number < bounds[0] or (bounds[1] and number > bounds[1])):
        raise ValueError(f"expected {expected({'type': 'int'}, bounds)}")
    return number


def _str(value: Any, spec: Spec, bounds: Any) -> str:
    if isinstance(value, str):
        return value.strip() if spec.get("choices") else value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    quoted = "; write it in quotes" if isinstance(value, (bool, float)) else ""
    raise ValueError(f"expected {expected(spec)}{quoted}")


def _path(value: Any, spec: Spec, bounds: Any) -> str:
    return os.path.expanduser(os.path.expandvars(_str(value, spec, bounds).strip()))


def _list(value: Any, spec: Spec, bounds: Any) -> list[Any]:
    if isinstance(value, str):
        parsed = _parsed(value, "[")
        value = [part.strip() for part in re.split(r"[,\n]", value) if part.strip()] if parsed is None else parsed
    elif isinstance(value, int) and not isinstance(value, bool):
        value = [value]
    if isinstance(value, (str, Mapping)) or not isinstance(value, Sequence):
        raise ValueError(f"expected {expected(spec)}")
    items = []
    inner = {"type": spec.get("elements", "raw"), "choices": spec.get("choices")}
    for number, item in enumerate(value, 1):
        try:
            if is_unset(item):
                raise ValueError(f"expected {expected(spec)}")
            items.append(convert(item, inner))
        except ValueError as problem:
            raise ValueError(f"item {number} is {shown(item)}; {problem}") from None
    return items


def _dict(value: Any, spec: Spec, bounds: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        value = _parsed(value, "{")
    if not isinstance(value, Mapping):
        raise ValueError(f"expected {expected(spec)}")
    return value


def _raw(value: Any, spec: Spec, bounds: Any) -> Any:
    parsed = _parsed(value, "[{") if isinstance(value, str) else None
    return value if parsed is None else parsed


_CONVERT = {"bool": _bool, "int": _int, "str": _str, "path": _path, "list": _list, "dict": _dict, "raw": _raw}
_WORDS = {
    "bool": "true or false",
    "int": "a whole number",
    "str": "a text",
    "path": "a path",
    "dict": "a mapping, as in {name: value}",
    "list": "a list",
    "raw": "a value",
}
_ITEMS = {
    None: "values",
    "raw": "values",
    "str": "texts",
    "path": "paths",
    "int": "whole numbers",
    "dict": "mappings",
    "bool": "true or false",
}


def _parsed(text: str, brackets: str) -> Any:
    """A list or mapping that was written as a text, as `-e 'toa_waves=[1, 5%]'` gives it; None for any other text."""
    if not text.lstrip().startswith(tuple(brackets)):
        return None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None


def is_encrypted(value: Any) -> bool:
    """A value of ansible-vault: an object of its own on ansible-core 2.16, a kind of text later."""
    return type(value).__name__ in ("AnsibleVaultEncryptedUnicode", "EncryptedString")


def _is_secret(value: Any) -> bool:
    """Whether something of it is encrypted."""
    if isinstance(value, Mapping):
        return any(map(_is_secret, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_is_secret, value))
    return isinstance(value, Secret) or is_encrypted(value)


def _plain_text(value: Any) -> Any:
    return str(value) if is_encrypted(value) and not isinstance(value, str) else value
