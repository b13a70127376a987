# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_plan: what a host is, and what shall be done to it, decided on the controller."""

from __future__ import annotations

import datetime
import hashlib
import typing as t
from collections.abc import Mapping
from pathlib import Path

from ansible import context
from ansible_collections.realip.toa.plugins.module_utils.common.option_formats import PACKETS, PLACES
from ansible_collections.realip.toa.plugins.module_utils.common.probe_groups import LISTENERS
from ansible_collections.realip.toa.plugins.plugin_utils import operator_files, option_formats, places, probe_addresses
from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog
from ansible_collections.realip.toa.plugins.plugin_utils.facts.assumed import assumed_facts
from ansible_collections.realip.toa.plugins.plugin_utils.facts.build import CLEAN, facts_of, probe_of
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.limits import seconds
from ansible_collections.realip.toa.plugins.plugin_utils.planner import decide as planner
from ansible_collections.realip.toa.plugins.plugin_utils.planner import own_machine, published, removal
from ansible_collections.realip.toa.plugins.plugin_utils.planner import policy as policy_module
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends import registry
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backends.packaged_kernel import backend_of
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import archive as source_archive
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import trees
from ansible_collections.realip.toa.plugins.plugin_utils.variables import table


def _first_line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


# Read once, when Ansible imports this file, and not again in the worker of each host.
CATALOG = catalog.load()
trees.known()
_GIVEN = context.CLIARGS.get("args") or ()
# A command for one module has a pattern there.
operator_files.read_ahead(() if isinstance(_GIVEN, str) else _GIVEN, context.CLIARGS.get("inventory") or ())

# Of the kernel that this runs on; "" where no Linux tells it.
OWN_BOOT = _first_line(Path("/proc/sys/kernel/random/boot_id"))


def _checked(entries: list[catalog.Entry]) -> list[catalog.Entry]:
    """The entries, each of which is for a backend that there is; CatalogError otherwise."""
    for entry in entries:
        backend_of(entry)
    return entries


class ActionModule(ToaAction):
    """Sends plugins/module_utils/programs/plan.py, or nothing at all for a machine that is not there."""

    ENTRY = "programs.plan"
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "goal": {"type": "str", "choices": ["install", "remove", "rollback"], "default": "install"},
        "assume": {
            "type": "dict",
            "options": {
                "os_release": {"type": "str", "required": True},
                "kernel": {"type": "str", "required": True},
                "arch": {"type": "str", "default": ""},
            },
        },
        "probe": {"type": "bool", "default": True},
        "rows": {"type": "str", "choices": ["all", "failed"], "default": "failed"},
        "vendor": {"type": "str", "choices": ["", *option_formats.VENDOR_CHOICES]},
        "backends": {"type": "list", "elements": "str", "choices": list(registry.BACKENDS)},
        "option_kinds": {"type": "list", "elements": "str"},
        "package_mirror": {"type": "str"},
        "source": {
            "type": "dict",
            "options": {
                "url": {"type": "str", "default": ""},
                "reference": {"type": "str", "default": ""},
                "tree": {"type": "raw", "default": ""},
                "method": {"type": "str", "choices": ["auto", "dkms", "plain"], "default": "auto"},
                "signing_key": {"type": "path", "default": ""},
                "signing_certificate": {"type": "path", "default": ""},
            },
        },
        "builder": {"type": "str"},
        "accept": {"type": "list", "elements": "str", "choices": list(policy_module.CONSENTS)},
        "trusted_sources": {"type": "raw"},
        "option_filter": {"type": "str", "choices": list(policy_module.OPTION_FILTERS)},
        "option_packets": {"type": "list", "elements": "str", "choices": list(PACKETS)},
        "option_place": {"type": "str", "choices": list(PLACES)},
        "listeners": {"type": "list", "elements": "str", "choices": list(LISTENERS)},
        "ports": {"type": "list", "elements": "int"},
        "monitor": {"type": "bool"},
        "push_packages": {"type": "bool"},
        "ebpf_getsockopt": {"type": "list", "elements": "int", "choices": [1348, 4096]},
        "install": {"type": "list", "elements": "str", "choices": list(policy_module.INSTALLED)},
        "catalog": {"type": "list", "elements": "dict"},
        "catalog_file": {"type": "path"},
        "lock": {"type": "dict"},
        "lockfile": {"type": "path"},
    }

    VARIABLES: t.ClassVar[dict[str, str]] = {
        key: f"toa_{key}" for key in (*policy_module.POLICY, "catalog", "catalog_file", "lockfile")
    }

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        # The same for every host of this task, and for no other task: a playbook that is imported twice makes two runs.
        return {**super().run(tmp, task_vars), "run": hashlib.sha256(str(self._task._uuid).encode()).hexdigest()[:12]}

    def act(self, args: Result, task_vars: Variables) -> Result:
        strange = table.misspelt(task_vars)
        if strange:
            raise ToaError(
                "unknown_variable",
                "; ".join(strange),
                "correct the name; variables that begin with toa_ belong to this collection",
            )
        try:
            args["trusted_sources"], told = self._sources(args, task_vars)
            policy = policy_module.policy_of({key: args[key] for key in policy_module.POLICY})
            if args["goal"] == "install":
                policy = self._with_digest(policy, task_vars)
            entries, lock = self._entries(args, task_vars), self._lock(args, task_vars)
        except ValueError as problem:
            raise ToaError(
                "bad_policy", str(problem), "correct the option or variable; see `ansible-doc realip.toa.toa_plan`"
            ) from problem
        if args["assume"]:
            known, probe = assumed_facts(**args["assume"]), None
        else:
            answer = self.call(self._survey(args, policy), task_vars)
            if answer.get("failed"):
                return answer
            known, probe = facts_of(answer.get("facts")), probe_of(answer.get("probe"))
        goal = args["goal"]
        plan = (
            planner.decide(known, policy, entries, lock, probe)
            if goal == "install"
            else removal.decide(known, policy, entries, goal)
        )
        if not args["assume"] and planner.wants_headers(plan, known):
            known["build"] = self._ask_for_headers(known, task_vars)
            plan = planner.decide(known, policy, entries, lock, probe)
        plan = own_machine.checked({**plan, "reasons": [*plan["reasons"], *told]}, known, OWN_BOOT)
        return {"changed": False, "plan": plan, "probe": probe, "ansible_facts": {"toa": known}}

    def _sources(self, args: Result, task_vars: Variables) -> tuple[list[str] | None, list[dict[str, str]]]:
        """(the operator's choice, what there is to say of a published list). A list that nobody has reviewed is no choice yet."""
        if args["trusted_sources"] is not None or "toa_trusted_sources" in task_vars:
            return self.trusted_sources(args["trusted_sources"], task_vars), []
        try:
            networks, fetched = self.reviewed_sources(task_vars)
        except ValueError as problem:
            return None, [published.not_reviewed(problem)]
        age = self.setting("toa_sources_max_age", {"type": "raw"}, task_vars)
        limit = seconds(table.SPECS["toa_sources_max_age"]["default"] if age is None else age, "toa_sources_max_age")
        days = (datetime.datetime.now(datetime.timezone.utc).date() - fetched).days if fetched else 0
        return networks, published.out_of_date(days, limit)

    def _survey(self, args: Result, policy: Mapping[str, t.Any]) -> Result:
        """The arguments of survey.main(). Packets of the proof come from where a load balancer's may come from."""
        probe_args = {
            "option_kinds": option_formats.wanted(policy["vendor"], policy["option_kinds"]),
            **probe_addresses.for_proof(policy["trusted_sources"]),
            "rows": args["rows"],
            "listeners": policy["listeners"],
        }
        return {"check": args["check"], "probe": args["probe"], "probe_args": probe_args}

    def _ask_for_headers(self, known: Mapping[str, t.Any], task_vars: Variables) -> dict[str, t.Any]:
        """`build` of the facts with what the host's repositories say: a command, and so a call of its own for the few that need it."""
        answer = self.call({"release": known["kernel"]["release"]}, task_vars, entry="building.tools")
        return t.cast(dict[str, t.Any], CLEAN["build"]({**known["build"], **({} if answer.get("failed") else answer)}))

    def _with_digest(self, policy: dict[str, t.Any], task_vars: Variables) -> dict[str, t.Any]:
        """The digest of a source that lies on the controller is what it has; so a plan sees that it has changed."""
        url, (sha256, commit) = policy["source"]["url"], source_archive.sha256_and_commit(policy["source"]["reference"])
        if not url or commit or "source_module" not in policy["backends"] or source_archive.is_for_host(url, commit):
            return policy
        taken = source_archive.take(url, "", sha256, places.folders(task_vars))
        return {**policy, "source": {**policy["source"], "reference": taken.sha256}}

    def _entries(self, args: Result, task_vars: Variables) -> list[catalog.Entry]:
        """The catalog with the operator's own entries. Raises CatalogError."""
        file = places.found(args["catalog_file"] or operator_files.CATALOG_FILE, places.folders(task_vars))
        if args["catalog"]:
            return _checked(catalog.load([*args["catalog"], *(operator_files.kernels(file) if file else [])]))
        return _checked(operator_files.with_kernels(file)) if file else CATALOG

    def _lock(self, args: Result, task_vars: Variables) -> Mapping[str, catalog.Locked]:
        """What may be installed; nothing where there is no lock file yet. Raises CatalogError."""
        if args["lock"] is not None:
            return catalog.read_lock(args["lock"])
        file = places.found(args["lockfile"] or operator_files.LOCKFILE, places.folders(task_vars))
        return operator_files.lock(file) if file else {}
