# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the hosts of a run hang together: one machine under several names, and hosts through which others are reached. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

_OPTION = re.compile(r"(?i)^(proxyjump|proxycommand)(?:\s*=\s*|\s+)(.*)$", re.DOTALL)


def identical(facts: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """{host: the first host that is the same machine}. `facts` of the hosts, in order.

    A boot has an id of its own, so two that share one are the same kernel. Containers share it too, and have ids of their own; machines that
    were cloned share the id of the machine, and no boot.
    """
    first: dict[str, list[str]] = {}
    found = {}
    for host, known in facts.items():
        boot_id, machine = _text(known, "boot", "boot_id"), _text(known, "hardware", "machine")
        if not boot_id:
            continue
        others = first.setdefault(boot_id, [])
        for other in others:
            if not machine or _text(facts[other], "hardware", "machine") in ("", machine):
                found[host] = other
                break
        else:
            others.append(host)
    return found


def levels(names: Mapping[str, Iterable[str]], arguments: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """{host: level} of those through which others are reached: one more than the highest level of these, which is 0 where nothing is behind.

    `names`: {host: what it is called in arguments of ssh}; `arguments`: {host: the arguments with which it is reached}.
    """
    known: dict[str, set[str]] = {}
    for host, ways_to_call in names.items():
        for name in ways_to_call:
            known.setdefault(name.lower(), set()).add(host)
    # People leave the domain out.
    short: dict[str, set[str]] = {}
    for name, called in known.items():
        if "." in name and not name.replace(".", "").isdigit():
            short.setdefault(name.partition(".")[0], set()).update(called)
    known.update({name: called for name, called in short.items() if name not in known and len(called) == 1})
    behind: dict[str, set[str]] = {}
    seen: dict[str, list[set[str]]] = {}
    for host, texts in arguments.items():
        for text in texts:
            if text not in seen:
                seen[text] = [set().union(*(known.get(name, ()) for name in hop)) for hop in hops(text)]
            further: set[str] = {host}
            for hop in reversed(seen[text]):
                for jump in hop:
                    behind.setdefault(jump, set()).update(further - {jump})
                further = further | hop
    found: dict[str, int] = {}

    def level(host: str, path: tuple[str, ...]) -> int:
        # Hosts that are reached through each other are nobody's order; one of them is simply first.
        if host in path or not behind.get(host):
            return 0
        if host not in found:
            found[host] = 1 + max(level(other, (*path, host)) for other in behind[host])
        return found[host]

    return {host: level(host, ()) for host in behind if behind[host]}


def hops(arguments: str) -> list[list[str]]:
    """The hosts that ssh goes through, nearest first: [[names that a hop may have]], in lower case and without user and port."""
    try:
        words = shlex.split(arguments)
    except ValueError:
        return []
    found: list[list[str]] = []
    for number, word in enumerate(words):
        following = words[number + 1] if number + 1 < len(words) else ""
        if word == "-J":
            found += _jumps(following)
        elif word.startswith("-J"):
            found += _jumps(word[2:])
        elif word.startswith("-o"):
            option = _OPTION.match((word[2:] or following).strip())
            if option and option[1].lower() == "proxyjump":
                found += _jumps(option[2])
            elif option:
                found += _command(option[2])
    return found


def _jumps(text: str) -> list[list[str]]:
    return [[name] for item in text.strip("\"' ").split(",") if (name := _host(item)) not in ("", "none")]


def _command(text: str) -> list[list[str]]:
    """The hosts that a command may go to: whichever of its words names one; it may be ssh, nc or a script."""
    try:
        words = shlex.split(text.strip())
    except ValueError:
        return []
    if len(words) == 1:
        # Quoted once more, as in an inventory of the INI kind.
        words = words[0].split()
    names = [_host(word) for word in words[1:] if not word.startswith("-")]
    # ssh -J and ssh -o ProxyJump= inside of the command are ways too.
    inner = hops(" ".join(shlex.quote(word) for word in words[1:]))
    return [*inner, [name for name in names if name]]


def _host(text: str) -> str:
    """`ssh://user@host:port` -> `host`"""
    name = text.strip().lower()
    name = name[len("ssh://") :] if name.startswith("ssh://") else name
    name = name.rpartition("@")[2].strip("/")
    bracketed = re.match(r"\[([^\]]*)\](?::\d+)?$", name)
    if bracketed:
        return bracketed[1]
    return re.sub(r":\d+$", "", name) if name.count(":") == 1 else name


def _text(facts: Mapping[str, Any], section: str, key: str) -> str:
    part = facts.get(section)
    value = part.get(key) if isinstance(part, Mapping) else None
    return value if isinstance(value, str) else ""
