# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what somebody has set is right, for a whole run at once: one sentence for all hosts that share a fault. Asks no host."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.realip.toa.plugins.plugin_utils import host_text, trusted_lists, trusted_networks, typed
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import change_window, hook_files, limits, selection
from ansible_collections.realip.toa.plugins.plugin_utils.planner.policy import POLICY, policy_of
from ansible_collections.realip.toa.plugins.plugin_utils.variables import table

Values = Mapping[str, Any]

# Read once for all hosts of a run. Of limits the strictest counts, as fleet/agreement.py says; of these, two values would be one too many.
ONE_FOR_ALL = (
    "toa_lock_mirror", "toa_lock_update", "toa_only", "toa_report_dir", "toa_report_formats", "toa_report_keep",
    "toa_report_parts", "toa_report_tasks", "toa_wave_tasks",
)  # fmt: skip
HOOKS = ("toa_hooks.drain", "toa_hooks.health", "toa_hooks.undrain", "toa_report_tasks", "toa_wave_tasks")
# How many hosts a sentence names.
NAMED = 3


class Broken(NamedTuple):
    """Stands for the value of a variable whose template cannot be evaluated."""

    text: str
    why: str


def problems(hosts: Mapping[str, Values], folders: Sequence[Path] = (), by_type: Sequence[str] = ()) -> list[str]:
    """A sentence for each fault in the variables of a run's hosts ({host: {name: value, templates resolved}}), the hosts that share it named.

    Of those `by_type` nothing but the type is looked at.
    """
    found: dict[str, list[str]] = {}
    known: dict[str, list[str]] = {}
    for host, values in hosts.items():
        key = repr(sorted((name, value) for name, value in values.items()))
        if key not in known:
            known[key] = list(dict.fromkeys(faults(values, folders, by_type)))
        for sentence in known[key]:
            found.setdefault(sentence, []).append(host)
    told = [sentence + _who(names, len(hosts)) for sentence, names in sorted(found.items())]
    return told or list(disagreements(hosts))


def faults(values: Values, folders: Sequence[Path] = (), by_type: Sequence[str] = ()) -> Iterable[str]:
    """A sentence for each fault in the variables of one host."""
    yield from table.misspelt(values)
    if "toa_trusted_sources" in values and typed.is_unset(values["toa_trusted_sources"]):
        yield trusted_networks.NULL
    settled: dict[str, Any] = {}
    for name, value in sorted(values.items()):
        if name not in table.SPECS or typed.is_unset(value):
            continue
        if isinstance(value, Broken):
            yield f"{name} is {typed.shown(value.text)}, which cannot be evaluated: {value.why}"
            continue
        try:
            settled[name] = table.convert(name, value)
        except ValueError as problem:
            yield str(problem)
    policy = {key: settled[f"toa_{key}"] for key in POLICY if f"toa_{key}" in settled}
    yield from _of_policy(policy)
    yield from _of_builder(settled)
    for name, check in CHECKS.items():
        if name in settled and name not in by_type:
            yield from _refused(check, settled[name])
    for name in HOOKS:
        if (file := table.setting_of(settled, name)) and (sentence := hook_files.problem({name: file}, folders)):
            yield sentence


def _of_policy(policy: Values) -> Iterable[str]:
    """What is wrong with each policy by itself, the variable named; with several together where each is right."""
    alone = [
        sentence if "toa_" in sentence else f"toa_{key}: {sentence}"
        for key, value in policy.items()
        if key != "vendor"
        for sentence in _refused(policy_of, {key: value})
    ]
    yield from alone or _refused(policy_of, policy)


def _of_builder(settled: Values) -> Iterable[str]:
    """What is signed is not built by just anybody."""
    source = table.setting_of(settled, "toa_source")
    if source["url"] and source["signing_key"] and not settled.get("toa_builder"):
        yield "toa_source.signing_key is set and toa_builder is not; expected the inventory name of the host that builds what is signed"


def disagreements(hosts: Mapping[str, Values]) -> Iterable[str]:
    """A sentence for each variable that has several values where a run takes one."""
    for name in ONE_FOR_ALL:
        if name not in table.SPECS:
            continue
        said: dict[str, list[str]] = {}
        for host, values in hosts.items():
            said.setdefault(typed.shown(table.setting(name, values.get(name))), []).append(host)
        if len(said) > 1:
            each = "; ".join(f"{value}{_who(names, 0)}" for value, names in said.items())
            yield f"{name} is one value for all hosts of a run, and there are {len(said)}: {each}; set it for all of them, or with -e"


def _refused(check: Callable[[Any], object], value: Any) -> Iterable[str]:
    try:
        check(value)
    except ValueError as problem:
        yield str(problem)


def _who(hosts: list[str], total: int) -> str:
    if len(hosts) == total:
        return ""
    return f" ({host_text.some(hosts, NAMED)})"


# ---- what a type does not say


def _window(value: Any) -> None:
    change_window.closed(value, datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc))


def _only(value: str) -> None:
    if sentence := selection.problem(value):
        raise ValueError(sentence)


def _address(value: str) -> None:
    try:
        parts = urlsplit(value)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        fine = False
    if not fine:
        raise ValueError(
            f"toa_package_mirror is {typed.shown(value)}; expected the address of a mirror, as in http://mirror.example/toa"
        )


def _pattern(name: str) -> Callable[[Any], None]:
    """Hosts as `hosts` of a play takes them."""

    def check(value: Any) -> None:
        listed = value if isinstance(value, list) else [value]
        if not listed or not all(isinstance(item, str) and item.strip() for item in listed):
            raise ValueError(
                f"{name} is {typed.shown(value)}; expected a pattern of hosts, as in web:!web3, or a list of them"
            )

    return check


CHECKS: dict[str, Callable[[Any], object]] = {
    "toa_catalog": entries.load,
    "toa_hosts": _pattern("toa_hosts"),
    "toa_max_failures": lambda value: limits.amount(value, 100, "toa_max_failures"),
    "toa_max_unavailable": lambda value: limits.at_least_one(value, 100, "toa_max_unavailable"),
    "toa_only": _only,
    "toa_package_mirror": _address,
    "toa_soak": lambda value: limits.seconds(value, "toa_soak"),
    "toa_sources_max_age": lambda value: limits.seconds(value, "toa_sources_max_age"),
    "toa_trusted_sources_url": trusted_lists.published,
    "toa_wait_for_traffic": lambda value: limits.seconds(value, "toa_wait_for_traffic"),
    "toa_waves": lambda value: limits.wave_targets(1000, value),
    "toa_window": _window,
}
"""Of a value in its type, what is wrong with it: ValueError is a whole sentence."""


def missing(hosts: Mapping[str, Values], required: Iterable[str]) -> list[str]:
    """A sentence for each variable that a playbook cannot do without and that some host does not have."""
    found = []
    for name in required:
        without = [host for host, values in hosts.items() if typed.is_unset(table.setting_of(values, name))]
        if without:
            found.append(f"{name} is not set; expected {table.expected(name)}{_who(without, len(hosts))}")
    return found
