# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_source: build a TOA module from source on a host, or give it what a twin has built; build a TOA kernel on a build host."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import json
import os
import tempfile
import time
import typing as t
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.realip.toa.plugins.plugin_utils import source_archive, source_trees
from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables, bases

# A private key or certificate is a few kilobytes; what has more is something else, in bytes.
KEY_LIMIT = 1 << 16
# A TOA patch has a few hundred kilobytes, in bytes.
PATCH_LIMIT = 8 << 20
# Seconds between two questions to a build host, and between two lines about the same step.
ASK_EVERY = 3
PROGRESS_EVERY = 60


class ActionModule(ToaAction):
    """Sends plugins/module_utils/source.py."""

    ENTRY = "source"
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
        if args["what"] != "module":
            return self._build_kernel(args, task_vars)
        if args["state"] != "present":
            return self.call({"state": args["state"], "check": args["check"]}, task_vars)
        wanted = self._wanted(args, task_vars)
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
                raise ToaError("no_digest", f"no SHA-256 of {url} is known, so what the server sends could be anything",
                               "name it in toa_source_sha256, or set toa_accept_unverified_packages: true")
            return {"url": url, "sha256": sha256, "commit": "", "archive": ""}
        archive = _taken(url, commit, sha256, bases(task_vars), Path(args["store"]).expanduser())
        return {"url": url, "sha256": archive.sha256, "commit": commit, "archive": base64.b64encode(archive.data).decode("ascii")}

    # ---- kernels

    def _build_kernel(self, args: Result, task_vars: Variables) -> Result:
        """Ask the build host until it is done, and say now and then how far it is."""
        if args["what"] == "tree" and args["state"] == "absent":
            return self.call({"state": "absent", "check": args["check"]}, task_vars, entry="kernel_build")
        if args["state"] != "present":
            raise ToaError("bad_option", "a kernel is built (state: present); a package of it is installed and removed by toa_package", "leave `state` out")
        if "://" in args["url"] and not args["sha256"] and not args["accept_unverified"]:
            raise ToaError("no_digest", f"no SHA-256 of {args['url']} is known, so what the server sends could be anything",
                           "name it (sha256), or set toa_accept_unverified_packages: true")
        request = {name: args[name] for name in ("check", "config", "config_file", "buildid", "arch", "jobs", "work", "spec_options", "release")}
        request["room_kib"] = (args["room"] or 0) << 10
        request["patches"] = [{"name": Path(path).name, "data": _packed(path, bases(task_vars))} for path in args["patches"]]
        request.update(format=args["what"], source={"url": args["url"], "sha256": (args["sha256"] or "").lower()})
        changed, told, said_at = False, "", 0.0
        while True:
            answer = self.call(request, task_vars, entry="kernel_build", timeout=1800)
            if answer.get("failed"):
                return answer
            changed = changed or answer.get("changed") is True
            if answer.get("finished") or args["check"]:
                return {**answer, "changed": changed}
            step = f"step {answer.get('number')} of {answer.get('of')}"
            if step != told or time.monotonic() - said_at > PROGRESS_EVERY:
                self._say(f"{task_vars.get('inventory_hostname')}: {step}: {answer.get('step')}; {answer.get('detail')}")
                told, said_at = step, time.monotonic()
            time.sleep(ASK_EVERY)

    def _say(self, line: str) -> None:
        """A line of progress; what a host has put into it cannot move the cursor."""
        self._display.display("".join(char if char.isprintable() else " " for char in line)[:200])

    # ---- built on one host for all that are alike

    def _build_once(self, wanted: Result, store: Path, task_vars: Variables) -> Result:
        """Whoever of several equal hosts comes first builds; the others wait for it and take what it has built."""
        now = self.call({"state": "status", "check": False}, task_vars)
        if now.get("failed"):
            return now
        place = store / f"{_key(wanted, now.get('key'))}.ko"
        with _locked(place):
            if place.exists():
                built = place.read_bytes()
                answer = self.call({**wanted, "source": {**wanted["source"], "archive": ""}, "built": base64.b64encode(built).decode("ascii")}, task_vars)
                return _plain(answer, taken=answer.get("changed") is True)
            answer = self.call({**wanted, "method": "plain", "return_module": True}, task_vars)
            if not answer.get("failed"):
                _keep(place, answer, str(task_vars.get("inventory_hostname") or ""))
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
        raise ToaError("bad_option", f"{path} cannot be read: {problem.strerror}", "name a file on the controller") from problem
    if len(data) > KEY_LIMIT or b"-----BEGIN" not in data:
        raise ToaError("bad_option", f"{path} holds no key or certificate in PEM form", "convert it: openssl x509 -inform der, openssl pkey")
    return data.decode("ascii", "replace")


def _packed(path: str, where: list[Path]) -> str:
    """A patch on the controller as base64: its bytes count, whatever they spell; raises ToaError."""
    found = next((base / path for base in where if (base / path).is_file()), None)
    if found is None or found.stat().st_size > PATCH_LIMIT:
        raise ToaError("bad_option", f"there is no patch {path} on the controller" if found is None else f"{path} has more than {PATCH_LIMIT} bytes",
                       "name a file, relative to the playbook or the inventory")
    return base64.b64encode(found.read_bytes()).decode("ascii")


def _taken(url: str, commit: str, sha256: str, where: list[Path], store: Path) -> source_archive.Archive:
    """The archive of a source. A commit is asked for once, not for each host: it never changes."""
    if not commit:
        return source_archive.take(url, "", sha256, where)
    place = store / f"source-{hashlib.sha256(f'{url} {commit}'.encode()).hexdigest()[:16]}.json"
    with _locked(place):
        with contextlib.suppress(OSError, ValueError, KeyError):
            kept = json.loads(place.read_text())
            if not sha256 or kept["sha256"] == sha256:
                return source_archive.Archive(base64.b64decode(kept["data"]), kept["sha256"])
        archive = source_archive.take(url, commit, sha256, where)
        _write(place, json.dumps({"sha256": archive.sha256, "data": base64.b64encode(archive.data).decode("ascii")}).encode())
        return archive


def _key(wanted: Result, host: t.Any) -> str:
    """Names a module by its source, how it is built, who signs it, and the kernel it is for to the last word of `uname -v`."""
    parts = host if isinstance(host, dict) else {}
    kernel = [str(parts.get(name) or "") for name in ("release", "arch", "version")]
    built = [wanted[name] for name in ("module", "subdirectory", "variables", "signing_certificate")]
    source = wanted["source"]["sha256"] or wanted["source"]["url"]
    digest = hashlib.sha256(json.dumps([kernel, source, built], sort_keys=True).encode()).hexdigest()[:24]
    return f"{wanted['module']}-{digest}"


def _keep(place: Path, answer: Result, host: str) -> None:
    """Store a module that a host has built, with a word on where it comes from."""
    with contextlib.suppress(ValueError, TypeError):
        data = base64.b64decode(answer.get("built") or "", validate=True)
        if data and hashlib.sha256(data).hexdigest() == answer.get("built_sha256"):
            origin = {"host": host, "kernel": answer.get("key"), "source": (answer.get("after") or {}).get("source")}
            _write(place.with_suffix(".json"), json.dumps(origin).encode())
            _write(place, data)


def _write(place: Path, data: bytes) -> None:
    handle, draft = tempfile.mkstemp(dir=place.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.replace(draft, place)


@contextlib.contextmanager
def _locked(place: Path) -> Iterator[None]:
    """Hold the lock beside a file of the store; waits for whoever has it. The kernel frees it where a worker dies."""
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(place.with_suffix(".lock"), "a", encoding="ascii") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
