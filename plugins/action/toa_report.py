# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_report: what the run has seen and done, as files on the controller. Asks no host."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import tempfile
import typing as t
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.fleet import records
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.selection import SelectionError
from ansible_collections.realip.toa.plugins.plugin_utils.report import data as report
from ansible_collections.realip.toa.plugins.plugin_utils.report import writers

# What a report is made of; the other variables of a host are left where they are.
READ = (records.NAME, records.ORDER, records.GATE, "inventory_hostname", "ansible_facts")

# The report of before is read whole; what is larger is none of ours.
LARGEST = 256 << 20


class ActionModule(ToaAction):
    """Runs on the controller alone."""

    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "kind": {"type": "str", "required": True, "choices": list(report.FAILURES)},
        "dir": {"type": "path", "required": True},
        "formats": {
            "type": "list",
            "elements": "str",
            "choices": list(writers.FORMATS),
            "default": ["html", "json"],
        },
        "only": {"type": "str", "default": ""},
        "reread": {"type": "bool", "default": False},
        "parts": {"type": "list", "elements": "path", "default": []},
    }
    _requires_connection = False

    def act(self, args: Result, task_vars: Variables) -> Result:
        folder = Path(args["dir"])
        stored = folder / f"{args['kind']}.json"
        before = _read(stored)
        parts = _parts(args["parts"], args["kind"])
        if not parts and args["reread"] and before is None:
            return {
                "files": [],
                "lines": [f"no report of a {args['kind']} in {folder}"],
                "summary": {},
                "attention": False,
                "verdict": "",
            }
        try:
            if parts:
                data = _merged(parts, before, args["only"])
            else:
                data = _again(before or {}, args["only"]) if args["reread"] else self._made(args, before, task_vars)
        except SelectionError as problem:
            raise ToaError(
                "bad_selection", f"toa_only: {problem}", "correct the expression; see docs/guides/selections.md"
            ) from problem
        # A report that was narrowed must not become what the next run is compared with.
        narrowed = args["only"] if parts else args["reread"]
        formats = [name for name in args["formats"] if not (narrowed and name == "json")]
        files = _write(folder, args["kind"], {name: writers.FORMATS[name] for name in formats}, data)
        return {
            "changed": False,
            "files": files,
            "lines": [*report.lines(data), *(f"report: {name}" for name in files)],
            "summary": data["summary"],
            "attention": data["failed"],
            "verdict": data["verdict"],
        }

    def _made(self, args: Result, before: t.Any, task_vars: Variables) -> Result:
        return report.build(
            _hosts(task_vars["hostvars"]),
            args["kind"],
            at=datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            check=args["check"],
            only=args["only"],
            before=before,
            run=_run(task_vars),
        )


def _run(task_vars: Variables) -> str:
    """The run that this play is the end of. Its first host may have nothing to say: one whose variables are broken was never looked at."""
    hostvars = task_vars["hostvars"]
    for host in task_vars.get("ansible_play_hosts") or []:
        seen = hostvars.raw_get(host).get(records.NAME)
        if isinstance(seen, Mapping) and seen.get("run"):
            return str(seen["run"])
    return ""


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
    found = [_read(folder / f"{kind}.json") for folder in folders]
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


def _read(path: Path) -> Result | None:
    """A report that an earlier run wrote; None where there is none. One that is damaged is the same as none: nothing but a comparison depends on it."""
    try:
        if path.stat().st_size > LARGEST:
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return (
        content
        if isinstance(content, dict)
        and content.get("schema") == report.SCHEMA
        and isinstance(content.get("hosts"), list)
        else None
    )


def _write(
    folder: Path, kind: str, formats: dict[str, tuple[str, t.Callable[[Result], str]]], data: Result
) -> list[str]:
    """Each file is there in whole, new or old, at every moment: somebody may be looking at it."""
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for ending, writer in formats.values():
            path = folder / f"{kind}.{ending}"
            handle, name = tempfile.mkstemp(dir=folder, prefix=f".{kind}.")
            try:
                with os.fdopen(handle, "w", encoding="utf-8", errors="replace", newline="") as file:
                    file.write(writer(data))
                Path(name).chmod(0o644)
                Path(name).replace(path)
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(name).unlink()
                raise
            written.append(str(path))
    except OSError as problem:
        words = f"the report cannot be written to {folder}: {problem}"
        raise ToaError("report_not_written", words, "set toa_report_dir to a folder you may write to") from problem
    return written
