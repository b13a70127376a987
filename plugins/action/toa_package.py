# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_package: fetch, push, check, install, hold and remove kernel packages, and install what comes from a host's own repositories."""

from __future__ import annotations

import hashlib
import typing as t
from pathlib import Path

from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.channel import call as channel


class ActionModule(ToaAction):
    """Sends plugins/module_utils/programs/package.py."""

    ENTRY = "programs.package"
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "packages": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "file": {"type": "str"},
                "url": {"type": "str"},
                "sha256": {"type": "str"},
                "size": {"type": "int"},
                "format": {"type": "str", "choices": ["deb", "rpm"]},
                "role": {"type": "str"},
                "release": {"type": "str"},
                "repository": {"type": "bool", "default": False},
            },
        },
        "state": {"type": "str", "choices": ["present", "absent", "held", "unheld", "staged"], "default": "present"},
        "accept_unverified": {"type": "bool", "default": False},
        "accept_downgrade": {"type": "bool", "default": False},
        "src": {"type": "str"},
        "push_from": {"type": "path"},
        "timeout": {"type": "int", "default": 600},
        "lock_timeout": {"type": "int", "default": 120},
    }
    RULES: t.ClassVar[dict[str, t.Any]] = {
        "required_if": [("state", "present", ("packages",)), ("state", "staged", ("packages",))],
        "mutually_exclusive": [("src", "push_from")],
    }
    # A kernel's installation may wait for a lock, and then makes an initramfs on a slow machine.
    TIMEOUT = 3600

    def act(self, args: Result, task_vars: Variables) -> Result:
        for item in args["packages"]:
            item["url"] = self.usable(item["url"] or "", task_vars) or None
        folder = args.pop("push_from")
        if not folder or args["state"] not in ("present", "staged") or args["check"]:
            return super().act(args, task_vars)
        asked = self.call({**args, "state": "missing", "wanted": args["state"]}, task_vars)
        if asked.get("failed"):
            return asked
        # What the host names is only looked up among what the task names.
        missing = set(map(str, asked.get("missing") or []))
        files = [_checked(Path(folder), item) for item in args["packages"] if file_of(item) in missing]
        if not files:
            return super().act(args, task_vars)
        return channel.with_files(self, files, lambda there: self.call({**args, "src": there}, task_vars))


def file_of(item: t.Mapping[str, t.Any]) -> str:
    """Name of a package's file, as programs/package.py finds it; empty for what comes from a repository."""
    return "" if item["repository"] else item["file"] or (item["url"] or "").split("?")[0].rsplit("/", 1)[-1]


def _checked(folder: Path, item: t.Mapping[str, t.Any]) -> Path:
    """The file on the controller, which must be the one that was reviewed; the host checks what arrives once more."""
    path = folder / Path(file_of(item)).name
    try:
        with path.open("rb") as handle:
            got = hashlib.sha256()
            while block := handle.read(1 << 20):
                got.update(block)
    except OSError as problem:
        raise ToaError(
            "package_unavailable",
            f"{path} cannot be read on the controller: {problem.strerror}",
            "run the playbook realip.toa.lock where there is a network, and copy its folder (toa_lock_cache) to this controller",
        ) from problem
    wanted = (item["sha256"] or "").lower()
    if wanted and got.hexdigest() != wanted:
        raise ToaError(
            "digest_mismatch",
            f"{path} is not the file that was reviewed: expected sha256 {wanted}, got {got.hexdigest()}",
            "find out why; if the file is right, review it and write the lock entry anew with realip.toa.lock",
        )
    return path
