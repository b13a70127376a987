# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_source: build a TOA module from source on a host, or give it what a twin has built; build a TOA kernel on a build host."""

from __future__ import annotations

import base64
import time
import typing as t
from pathlib import Path

from ansible_collections.realip.toa.plugins.plugin_utils import host_text, places
from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import archive as source_archive
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import store as source_store
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import trees as source_trees

# A private key or certificate is a few kilobytes; what has more is something else, in bytes.
KEY_LIMIT = 1 << 16
# A TOA patch has a few hundred kilobytes, in bytes.
PATCH_LIMIT = 8 << 20
# Seconds between two questions to a build host, and between two lines about the same step.
ASK_EVERY = 3
PROGRESS_EVERY = 60


# Stands for a private key where a host has to know only that there is one.
NOT_SENT = "kept on the controller"


class ActionModule(ToaAction):
    """Sends plugins/module_utils/programs/source.py."""

    ENTRY = "programs.source"
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "what": {"type": "str", "choices": ["module", "rpm", "deb", "tree"], "default": "module"},
        "state": {"type": "str", "choices": ["present", "absent", "status"], "default": "present"},
        "url": {"type": "str"},
        "sha256": {"type": "str"},
        "commit": {"type": "str"},
        "tree": {"type": "raw"},
        "method": {"type": "str", "choices": ["auto", "dkms", "plain"], "default": "auto"},
        "install_tools": {"type": "bool", "default": True},
        "build_once": {"type": "bool", "default": False},
        "store": {"type": "path", "default": "~/.cache/realip-toa/builds"},
        "signing_key": {"type": "path"},
        "signing_certificate": {"type": "path"},
        "accept_unverified": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 1800},
        "patches": {"type": "list", "elements": "path", "default": []},
        "config": {"type": "list", "elements": "str", "default": []},
        "config_file": {"type": "str"},
        "buildid": {"type": "str"},
        "arch": {"type": "str"},
        "jobs": {"type": "int"},
        "work": {"type": "path"},
        "spec_options": {"type": "list", "elements": "str"},
        "release": {"type": "str"},
        "room": {"type": "int"},
    }
    RULES: t.ClassVar[dict[str, t.Any]] = {
        "required_if": [("state", "present", ("url",))],
        "required_together": [("signing_key", "signing_certificate")],
    }
    # Compiler and headers come first, on a machine that may be slow.
    TIMEOUT = 5400

    def act(self, args: Result, task_vars: Variables) -> Result:
        args["url"] = self.usable(args["url"] or "", task_vars) or None
        if args["what"] != "module":
            return self._build_kernel(args, task_vars)
        if args["state"] != "present":
            return self.call({"state": args["state"], "check": args["check"]}, task_vars)
        wanted = self._wanted(args, task_vars)
        if wanted["signing_key"]:
            # A host is sent the key only where it signs with it: not to look, and not for a module that it has or is given.
            key, wanted["signing_key"] = wanted["signing_key"], NOT_SENT
            asked = self.call({**wanted, "check": True}, task_vars)
            # Without headers nothing can be built here, and what an identical host has built can still be taken.
            hopeless = asked.get("failed") and not args["build_once"]
            if args["check"] or hopeless or not (asked.get("failed") or asked.get("changed")):
                return _plain(asked)
            wanted["signing_key"] = key
        if args["build_once"] and not args["check"]:
            return self._build_once(wanted, Path(args["store"]).expanduser(), task_vars)
        return _plain(self.call(wanted, task_vars))

    def _wanted(self, args: Result, task_vars: Variables) -> Result:
        """The arguments of main()."""
        try:
            tree = source_trees.find(args["tree"])
            source = self._source(args, task_vars)
        except ValueError as problem:
            raise ToaError("bad_source", str(problem), "see `ansible-doc realip.toa.toa_source`") from problem
        return {
            "state": "present",
            "check": args["check"],
            "source": {**source, "tree": tree.key},
            "module": tree.module,
            "subdirectory": tree.subdirectory,
            "variables": dict(tree.variables),
            "own_dkms": tree.dkms,
            "method": args["method"],
            "install_tools": args["install_tools"],
            "signing_key": _secret(args["signing_key"]),
            "signing_certificate": _secret(args["signing_certificate"]),
            "timeout": args["timeout"],
        }

    def _source(self, args: Result, task_vars: Variables) -> dict[str, str]:
        """{url, sha256, commit, archive}: what the host fetches itself has no archive."""
        url, commit, sha256 = args["url"], args["commit"] or "", (args["sha256"] or "").lower()
        if source_archive.is_for_host(url, commit):
            if not sha256 and not args["accept_unverified"]:
                raise ToaError(
                    "no_digest",
                    f"no SHA-256 of {url} is known, so what the server sends could be anything",
                    "name it in toa_source_sha256, or set toa_accept_unverified_packages: true",
                )
            return {"url": url, "sha256": sha256, "commit": "", "archive": ""}
        archive = source_store.archive(url, commit, sha256, places.folders(task_vars), Path(args["store"]).expanduser())
        return {
            "url": url,
            "sha256": archive.sha256,
            "commit": commit,
            "archive": base64.b64encode(archive.data).decode("ascii"),
        }

    # ---- kernels

    def _build_kernel(self, args: Result, task_vars: Variables) -> Result:
        """Ask the build host until it is done, and say now and then how far it is."""
        if args["what"] == "tree" and args["state"] == "absent":
            return self.call({"state": "absent", "check": args["check"]}, task_vars, entry="programs.kernel_build")
        if args["state"] != "present":
            raise ToaError(
                "bad_option",
                "a kernel is built (state: present); a package of it is installed and removed by toa_package",
                "leave `state` out",
            )
        if "://" in args["url"] and not args["sha256"] and not args["accept_unverified"]:
            raise ToaError(
                "no_digest",
                f"no SHA-256 of {args['url']} is known, so what the server sends could be anything",
                "name it (sha256), or set toa_accept_unverified_packages: true",
            )
        request = {
            name: args[name]
            for name in ("check", "config", "config_file", "buildid", "arch", "jobs", "work", "spec_options", "release")
        }
        request["room_kib"] = (args["room"] or 0) << 10
        request["patches"] = [
            {"name": Path(path).name, "data": _packed(path, places.folders(task_vars))} for path in args["patches"]
        ]
        request.update(format=args["what"], source={"url": args["url"], "sha256": (args["sha256"] or "").lower()})
        changed, told, said_at = False, "", 0.0
        while True:
            answer = self.call(request, task_vars, entry="programs.kernel_build", timeout=1800)
            if answer.get("failed"):
                return answer
            changed = changed or answer.get("changed") is True
            if answer.get("finished") or args["check"]:
                return {**answer, "changed": changed}
            step = f"step {answer.get('number')} of {answer.get('of')}"
            if step != told or time.monotonic() - said_at > PROGRESS_EVERY:
                self._say(
                    f"{task_vars.get('inventory_hostname')}: {step}: {answer.get('step')}; {answer.get('detail')}"
                )
                told, said_at = step, time.monotonic()
            time.sleep(ASK_EVERY)

    def _say(self, line: str) -> None:
        """A line of progress; what a host has put into it cannot move the cursor."""
        self._display.display(host_text.line(line)[:200])

    # ---- built on one host for all that are alike

    def _build_once(self, wanted: Result, store: Path, task_vars: Variables) -> Result:
        """Whoever of several equal hosts comes first builds; the others wait for it and take what it has built."""
        now = self.call({"state": "status", "check": False}, task_vars)
        if now.get("failed"):
            return now
        place = store / f"{source_store.key(wanted, now.get('key'))}.ko"
        with source_store.locked(place):
            if place.exists():
                built = place.read_bytes()
                answer = self.call(
                    {
                        **wanted,
                        "source": {**wanted["source"], "archive": ""},
                        "signing_key": NOT_SENT if wanted["signing_key"] else "",
                        "built": base64.b64encode(built).decode("ascii"),
                    },
                    task_vars,
                )
                return _plain(answer, taken=answer.get("changed") is True)
            answer = self.call({**wanted, "method": "plain", "return_module": True}, task_vars)
            if not answer.get("failed"):
                source_store.keep(place, answer, str(task_vars.get("inventory_hostname") or ""))
        return _plain(answer)


def _plain(answer: Result, taken: bool = False) -> Result:
    """An answer without the module itself."""
    more = {} if answer.get("failed") else {"taken": taken}
    return {**{key: value for key, value in answer.items() if key not in ("built", "built_sha256", "key")}, **more}


def _secret(path: str | None) -> str:
    """The text of a key or certificate on the controller; raises ToaError."""
    if not path:
        return ""
    try:
        data = Path(path).read_bytes()
    except OSError as problem:
        raise ToaError(
            "bad_option", f"{path} cannot be read: {problem.strerror}", "name a file on the controller"
        ) from problem
    if len(data) > KEY_LIMIT or b"-----BEGIN" not in data:
        raise ToaError(
            "bad_option",
            f"{path} holds no key or certificate in PEM form",
            "convert it: openssl x509 -inform der, openssl pkey",
        )
    return data.decode("ascii", "replace")


def _packed(path: str, where: list[Path]) -> str:
    """A patch on the controller as base64: its bytes count, whatever they spell; raises ToaError."""
    found = next((base / path for base in where if (base / path).is_file()), None)
    if found is None or found.stat().st_size > PATCH_LIMIT:
        raise ToaError(
            "bad_option",
            f"there is no patch {path} on the controller"
            if found is None
            else f"{path} has more than {PATCH_LIMIT} bytes",
            "name a file, relative to the playbook or the inventory",
        )
    return base64.b64encode(found.read_bytes()).decode("ascii")
