# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_report: what the run has seen and done, as files on the controller. Asks no host."""

from __future__ import annotations

import getpass
import glob
import os
import socket
import typing as t
from datetime import datetime, timezone
from pathlib import Path

from ansible import context
from ansible_collections.realip.toa.plugins.plugin_utils import places
from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import records, waves
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.selection import SelectionError
from ansible_collections.realip.toa.plugins.plugin_utils.report import artifact, history, ran, terminal, writers
from ansible_collections.realip.toa.plugins.plugin_utils.report import data as report

# What a report is made of; the other variables of a host are left where they are.
READ = (records.NAME, records.ORDER, records.GATE, "inventory_hostname", "ansible_facts")


class ActionModule(ToaAction):
    """Runs on the controller alone."""

    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "kind": {"type": "str", "required": True, "choices": list(report.GOOD)},
        "dir": {"type": "path", "default": "reports"},
        "formats": {
            "type": "list",
            "elements": "str",
            "choices": list(writers.FORMATS),
            "default": ["html", "json"],
        },
        "only": {"type": "str", "default": ""},
        "reread": {"type": "bool", "default": False},
        "parts": {"type": "list", "elements": "path", "default": []},
        "keep": {"type": "int", "default": 50},
        "write": {"type": "bool", "default": True},
    }
    VARIABLES: t.ClassVar[dict[str, str]] = {
        "dir": "toa_report_dir",
        "formats": "toa_report_formats",
        "only": "toa_only",
        "keep": "toa_report_keep",
    }
    _requires_connection = False

    def act(self, args: Result, task_vars: Variables) -> Result:
        where = places.folders(task_vars)
        folder = places.target(args["dir"], where)
        before = history.read(folder / f"{args['kind']}.json")
        parts = _parts([str(places.found(name, where) or name) for name in args["parts"]], args["kind"])
        if not parts and args["reread"] and before is None:
            return {**_NOTHING, "lines": [f"no report of a {args['kind']} in {folder}"]}
        try:
            if parts:
                data = _merged(parts, before, args["only"])
            else:
                data = _again(before or {}, args["only"]) if args["reread"] else self._made(args, before, task_vars)
        except SelectionError as problem:
            raise ToaError(
                "bad_selection", f"toa_only: {problem}", "correct the expression; see docs/guides/selections.md"
            ) from problem
        written = self._written(args, folder, data, before, bool(parts), task_vars) if args["write"] else {}
        return {
            "changed": False,
            "files": [],
            "folder": "",
            "lines": [ran.line(data), *terminal.lines(data)],
            "summary": data["summary"],
            "attention": data["failed"],
            "verdict": data["verdict"],
            "concerned": [
                {**item, "group": waves.attention_group(self._run(task_vars))} for item in report.concerned(data)
            ],
            "artifact": artifact.artifact(data),
            **written,
        }

    def _written(
        self, args: Result, folder: Path, data: Result, before: Result | None, merged: bool, task_vars: Variables
    ) -> Result:
        try:
            if args["only"] if merged else args["reread"]:
                # A report that was narrowed must not become what the next run is compared with.
                formats = [name for name in args["formats"] if not (args["only"] and name == "json")]
                return {"files": history.rewrite(folder, data, formats), "folder": str(folder)}
            # Slices make the whole.
            latest = merged or history.takes_place_of(data, before, task_vars["hostvars"])
            place, files = history.store(folder, data, args["formats"], latest, args["keep"])
        except OSError as problem:
            words = f"the report cannot be written to {folder}: {problem}"
            raise ToaError("report_not_written", words, "set toa_report_dir to a folder you may write to") from problem
        return {"files": files, "folder": str(place)}

    def _run(self, task_vars: Variables) -> str:
        """The run that this play is the end of."""
        return records.run_of(task_vars.get("ansible_play_hosts_all") or [], task_vars["hostvars"])

    def _made(self, args: Result, before: t.Any, task_vars: Variables) -> Result:
        return report.build(
            _hosts(task_vars["hostvars"]),
            args["kind"],
            at=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            check=args["check"],
            only=args["only"],
            before=before,
            run=self._run(task_vars),
            ran=self._ran(task_vars),
        )

    def _ran(self, task_vars: Variables) -> dict[str, str]:
        """Who ran what. A job of AWX is run by its own user, and names whoever has launched it."""
        job = {name: self._job(name, task_vars) for name in ("user_name", "job_id", "job_template_name")}
        sources = task_vars.get("ansible_inventory_sources") or []
        chosen = self.variable("toa_hosts", task_vars)
        return {
            "by": job["user_name"] or os.environ.get("SUDO_USER", "") or _user(),
            "on": socket.gethostname(),
            "playbook": ", ".join(map(str, context.CLIARGS.get("args") or ())),
            "inventory": ", ".join(map(str, sources)),
            "hosts": "" if chosen in (None, "all") else str(chosen),
            "limit": str(task_vars.get("ansible_limit") or ""),
            "job": f"job {job['job_id']} {job['job_template_name']}".strip() if job["job_id"] else "",
        }

    def _job(self, name: str, task_vars: Variables) -> str:
        return next((str(task_vars[key]) for key in (f"awx_{name}", f"tower_{name}") if task_vars.get(key)), "")


_NOTHING: Result = {
    "changed": False,
    "files": [],
    "folder": "",
    "summary": {},
    "attention": False,
    "verdict": "",
    "concerned": [],
    "artifact": {},
}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _hosts(hostvars: t.Any) -> dict[str, dict[str, t.Any]]:
    """The variables of every host that a report reads, untemplated: they are results, and words of hosts are in them."""
    found = {}
    for host in hostvars:
        variables = hostvars.raw_get(host)
        found[str(host)] = {name: variables[name] for name in READ if name in variables}
    return found


def _again(before: Result, only: str) -> Result:
    return report.narrowed(before, only) if only else before


def _parts(patterns: list[str], kind: str) -> list[Result]:
    """The reports of this kind in some folders, which may be given as `jobs/*`; all of them have one, or none: half a fleet must not pass for the whole."""
    folders = [Path(name) for pattern in patterns for name in sorted(glob.glob(pattern))]
    if patterns and not folders:
        raise ToaError("part_missing", f"there is no folder {', '.join(patterns)}", "correct toa_report_parts")
    found = [history.read(folder / f"{kind}.json") for folder in folders]
    missing = [str(folder) for folder, part in zip(folders, found, strict=True) if part is None]
    if missing and len(missing) < len(found):
        words = f"there is no report of a {kind} in {', '.join(missing[:5])}, and there is one in the other parts"
        raise ToaError(
            "part_missing",
            words,
            "run that part again, or name the kinds of report that all parts have in toa_report_kinds",
        )
    return [part for part in found if part is not None]


def _merged(parts: list[Result], before: Result | None, only: str) -> Result:
    try:
        whole = report.merged(parts, before)
    except ValueError as problem:
        raise ToaError(
            "bad_parts", str(problem), "name the reports of the slices of one run, and no others"
        ) from problem
    return _again(whole, only)
