# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of networks that vendors publish, as the playbook lock keeps them for review: toa.sources.yml. Pure.

`toa_trusted_sources_url` is an address, {url, select} for JSON, or a list of these. The file has, by address, when it was fetched and the
networks: a change of the list is a change of that file, which somebody reads before it is committed.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml
from ansible_collections.realip.toa.plugins.plugin_utils import trusted_networks

try:
    import jmespath
except ImportError:
    jmespath = None

FILE = "toa.sources.yml"
# As many as the eBPF programs have room for.
MOST = 4096
# Bytes of a list; 4096 networks of IPv6 are 200,000.
LONGEST = 1 << 20
EXPECTED = "toa_trusted_sources_url is the address of a list of networks, {url: ADDRESS, select: JMESPATH} where that is JSON, or a list of these"
HEAD = "# Networks of the load balancers, as their vendors publish them. Written by the playbook realip.toa.lock; review it and commit it.\n"


class Published(NamedTuple):
    """One list."""

    url: str
    select: str = ""


def published(given: object) -> list[Published]:
    """The lists that a variable names, [] for none. Raises ValueError with one sentence."""
    if given in (None, "", []):
        return []
    items = given if isinstance(given, list) else [given]
    return [_published(item) for item in items]


def _published(item: object) -> Published:
    known = {"url": item} if isinstance(item, str) else item
    if not isinstance(known, Mapping) or set(known) - {"url", "select"} or not _is_address(known.get("url")):
        raise ValueError(f"{EXPECTED}; got {item!r:.120}")
    select = known.get("select") or ""
    if not select:
        return Published(str(known["url"]))
    if jmespath is None:
        raise ValueError(
            "toa_trusted_sources_url: select needs the Python library jmespath on the controller: pip install jmespath"
        )
    try:
        jmespath.compile(str(select))
    except jmespath.exceptions.JMESPathError as problem:
        raise ValueError(
            f"toa_trusted_sources_url: select {select!r:.80} is no JMESPath expression: {problem}"
        ) from None
    return Published(str(known["url"]), str(select))


def _is_address(text: object) -> bool:
    return isinstance(text, str) and text.startswith(("https://", "http://"))


def networks_in(content: str, of: Published) -> list[str]:
    """The networks in what a server has sent; ValueError with one sentence for anything else."""
    if len(content) > LONGEST:
        raise ValueError(f"{of.url} has more than {LONGEST} bytes, which no list of networks has")
    found = _selected(content, of) if of.select else _lines(content, of)
    if not found:
        raise ValueError(f"{of.url} names no network")
    if len(found) > MOST:
        raise ValueError(f"{of.url} names {len(found)} networks; there is room for {MOST}")
    try:
        return trusted_networks.normalise(found)
    except ValueError as problem:
        raise ValueError(f"{of.url} is no list of networks: {problem}") from None


def _lines(content: str, of: Published) -> list[str]:
    if content.lstrip()[:1] in ("{", "["):
        raise ValueError(f"{of.url} is JSON: say where its networks are, {{url: {of.url}, select: JMESPATH}}")
    return [word for line in content.splitlines() if (word := line.partition("#")[0].strip())]


def _selected(content: str, of: Published) -> list[Any]:
    try:
        found = jmespath.search(of.select, json.loads(content))
    except (ValueError, jmespath.exceptions.JMESPathError) as problem:
        raise ValueError(f"{of.url} is no JSON in which {of.select!r:.80} could be looked for: {problem}") from None
    if not isinstance(found, list):
        raise ValueError(f"{of.select!r:.80} gives {type(found).__name__} in {of.url}; expected a list of networks")
    return found


# ---- the file


def read(text: str) -> dict[str, dict[str, Any]]:
    """{address: {fetched, networks}} of the file; ValueError with one sentence where it is no such file."""
    try:
        known = yaml.safe_load(text) or {}
        lists = known.get("sources") or {}
        return {
            str(url): {
                "fetched": datetime.date.fromisoformat(str(item["fetched"])),
                "networks": trusted_networks.normalise(item["networks"]),
            }
            for url, item in lists.items()
        }
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as problem:
        raise ValueError(f"{FILE} cannot be read: {problem}; write it anew with the playbook realip.toa.lock") from None


def write(lists: Mapping[str, Mapping[str, Any]]) -> str:
    """The text of the file: a network a line, so that a diff shows which came and went."""
    plain = {
        url: {"fetched": str(item["fetched"]), "networks": list(item["networks"])}
        for url, item in sorted(lists.items())
    }
    return HEAD + yaml.safe_dump({"sources": plain}, sort_keys=False, width=1000)


def changes(before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A sentence for each list that is another one than at the last review."""
    said = []
    for url, item in sorted(after.items()):
        old = before.get(url)
        if old is None:
            said.append(f"{url}: {len(item['networks'])} networks, not reviewed before")
            continue
        came = [network for network in item["networks"] if network not in old["networks"]]
        went = [network for network in old["networks"] if network not in item["networks"]]
        told = [f"{words} {', '.join(some)}" for words, some in (("new", came), ("gone", went)) if some]
        if told:
            said.append(f"{url}, since {old['fetched']}: {'; '.join(told)}")
    return said


def reviewed(lists: Mapping[str, Mapping[str, Any]], wanted: list[Published]) -> tuple[list[str], datetime.date | None]:
    """(the networks of the wanted lists, when the oldest was fetched); ValueError where one was never fetched."""
    missing = [one.url for one in wanted if one.url not in lists]
    if missing:
        raise ValueError(
            f"{FILE} does not hold {', '.join(missing)}: run the playbook realip.toa.lock, review the file, and commit it"
        )
    items = [lists[one.url] for one in wanted]
    networks = list(dict.fromkeys(network for item in items for network in item["networks"]))
    return networks, min((item["fetched"] for item in items), default=None)
