# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters that the playbooks use to look at a fleet as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible import constants, context
from ansible.errors import AnsibleFilterError
from ansible.release import __version__ as ansible_version
from ansible_collections.realip.toa.plugins.plugin_utils import places
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import lockfile
from ansible_collections.realip.toa.plugins.plugin_utils.channel.call import as_data
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import changed_since, run_settings, selection
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import waves as fleet
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.host_variables import HostVariables
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.looked_at import select
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.outcome import (
    after_revert,
    outcome_of,
    still_drained,
    went_bad,
)
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.schedule import batches
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.selection import SelectionError, matching
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.wanted_packages import wanted_packages
from ansible_collections.realip.toa.plugins.plugin_utils.report import history, of_wave


def toa_hosts(hostvars: Mapping[str, Any], state: str = "pending", only: str = "", run: str = "") -> list[str]:
    """Hosts whose plan has `state`, narrowed by the JMESPath expression `only`."""
    chosen = select(hostvars, state, run)
    try:
        return matching(chosen, only) if only else list(chosen)
    except SelectionError as problem:
        raise AnsibleFilterError(str(problem)) from problem


def toa_pick(value: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Those of `keys` that a mapping has."""
    return as_data({key: value[key] for key in keys if key in value})


def toa_packages(hostvars: Mapping[str, Any], mirror: str = "", only: str = "") -> list[dict[str, str]]:
    """Every package that a plan of this run names, with the address to fetch it from; of hosts for which `only` is true."""
    try:
        return wanted_packages(hostvars, mirror, only)
    except ValueError as problem:
        raise AnsibleFilterError(str(problem)) from problem


def toa_lock(fetched: Iterable[Mapping[str, Any]], before: str, update: bool = False) -> str:
    """The text of the lock file after these packages were fetched."""
    try:
        return lockfile.render(fetched, before, update)
    except ValueError as problem:
        raise AnsibleFilterError(str(problem)) from problem


def toa_wave_hosts(groups: Mapping[str, Any], hostvars: Mapping[str, Any]) -> str:
    """The hosts of the run whose waves are to begin, for `hosts` of a play; a pattern that matches nobody where there is none."""
    return ",".join(fleet.current(groups, HostVariables(hostvars)).get("slots") or [fleet.NOBODY])


def toa_batches(groups: Mapping[str, Any], hostvars: Mapping[str, Any]) -> list[int]:
    """`serial` for these hosts."""
    return batches((fleet.current(groups, HostVariables(hostvars)).get("slots") or {}).values())


def toa_somebody(pattern: Any, found: Iterable[str], limit: str = "", within: Iterable[str] = ()) -> Any:
    """The pattern, where it matches a host; Ansible itself would end well with nothing done. Raises for settings with which it would do something else."""
    refused = run_settings.problem(context.CLIARGS, undefined_is_kept=_keeps_undefined()) if _is_run() else ""
    if refused:
        raise AnsibleFilterError(refused)
    try:
        return selection.somebody(pattern, list(found), limit or "", list(within), dry=not _is_run())
    except SelectionError as problem:
        raise AnsibleFilterError(str(problem)) from problem


def toa_of_wave(
    wave: Any,
    hostvars: Mapping[str, Any],
    pattern: Any = "",
    limit: str = "",
    within: Iterable[str] = (),
    directory: str = "",
    playbook_dir: str = "",
) -> Any:
    """The hosts of a wave of the last rollout, by its report, for `hosts` of a play; without a wave those of the pattern."""
    names = [str(host) for host in hostvars]
    own = hostvars[names[0]] if names else {}
    wave = wave or own.get("toa_wave")
    if wave in (None, "") or not _is_run():
        return pattern or "all"
    where = places.folders({
        "playbook_dir": playbook_dir, "inventory_dir": own.get("inventory_dir"), "ansible_inventory_sources": own.get("ansible_inventory_sources"),
    })  # fmt: skip
    folder = places.target(str(directory or own.get("toa_report_dir") or "reports"), where)
    try:
        if pattern:
            raise ValueError(
                f"toa_wave is {wave!s:.80} and toa_hosts is {pattern!s:.80}: both choose hosts; give one of them"
            )
        hosts = of_wave.hosts_of(wave, history.read(folder / "rollout.json"), folder, names)
        return selection.somebody(",".join(hosts), hosts, limit or "", list(within))
    except ValueError as problem:
        raise AnsibleFilterError(str(problem)) from problem


def _keeps_undefined() -> bool:
    """Since ansible-core 2.19 nothing reads this setting any more."""
    old = tuple(int(part) for part in ansible_version.split(".")[:2]) < (2, 19)
    return old and not constants.DEFAULT_UNDEFINED_VAR_BEHAVIOR


def _is_run() -> bool:
    """Whether plays are run, and not only checked or listed, for which no inventory is needed."""
    return not any(context.CLIARGS.get(name) for name in ("syntax", "listhosts", "listtasks", "listtags"))


def toa_concerned(groups: Mapping[str, Any], hostvars: Mapping[str, Any]) -> str:
    """The group of the hosts that need attention after this run, for `hosts` of a play; a pattern that matches nobody where there is none."""
    return fleet.concerned_group(groups, HostVariables(hostvars)) if hostvars else fleet.NOBODY


def toa_gone_bad(groups: Mapping[str, Any], hostvars: Mapping[str, Any]) -> str:
    """The hosts of the last run that went bad while their wave soaked, for `hosts` of a play."""
    return ",".join(fleet.gone_bad(groups, HostVariables(hostvars)) or [fleet.NOBODY])


def toa_failure(task: Any, result: Any, code: str = "") -> dict[str, Any]:
    """What a failed task means for its host; `ansible_failed_task | toa_failure(ansible_failed_result)`."""
    return as_data(outcome_of(task, result, code))


def toa_changed_since(plan: Mapping[str, Any], before: Mapping[str, Any], what: Iterable[str]) -> dict[str, Any]:
    """The outcome of a host that has changed since its plan was made and is left alone; {} for one that is taken by its new plan."""
    return as_data(changed_since.outcome(before, plan, [str(item) for item in what]))


def toa_after_revert(outcome: Mapping[str, Any], reverted: Any, back: Any) -> dict[str, Any]:
    """The outcome of a host that was taken back."""
    return as_data(after_revert(outcome, reverted, back))


def toa_still_drained(outcome: Mapping[str, Any], why: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The outcome of a host that stays out of service."""
    return as_data(still_drained(outcome, why))


def toa_went_bad(outcome: Mapping[str, Any], why: str, back: Any) -> dict[str, Any]:
    """The outcome of a host that went bad while its wave soaked."""
    return as_data(went_bad(outcome, why, back))


class FilterModule:
    """Filters over a fleet."""

    def filters(self) -> dict[str, Any]:
        return {
            "toa_after_revert": toa_after_revert,
            "toa_changed_since": toa_changed_since,
            "toa_batches": toa_batches,
            "toa_concerned": toa_concerned,
            "toa_somebody": toa_somebody,
            "toa_gone_bad": toa_gone_bad,
            "toa_hosts": toa_hosts,
            "toa_lock": toa_lock,
            "toa_failure": toa_failure,
            "toa_of_wave": toa_of_wave,
            "toa_packages": toa_packages,
            "toa_pick": toa_pick,
            "toa_still_drained": toa_still_drained,
            "toa_wave_hosts": toa_wave_hosts,
            "toa_went_bad": toa_went_bad,
        }
