# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_source: build a TOA module from source on a host, or give it what its builder has built; build a TOA kernel on a build host."""

from __future__ import annotations

import base64
import re
import time
import typing as t
from pathlib import Path

from ansible_collections.realip.toa.plugins.plugin_utils import host_text, places
from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import archive as source_archive
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import signature
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import store as source_store
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import trees as source_trees

# A private key or certificate is a few kilobytes; what has more is something else, in bytes.
KEY_LIMIT = 1 << 16
# A TOA patch has a few hundred kilobytes, in bytes.
PATCH_LIMIT = 8 << 20
# Seconds between two questions to a build host, and between two lines about the same step.
ASK_EVERY = 3
PROGRESS_EVERY = 60


class ActionModule(ToaAction):
    """Sends plugins/module_utils/programs/source.py."""

    ENTRY = "programs.source"
    SPEC: t.ClassVar[dict[str, t.Any]] = {
        "what": {"type": "str", "choices": ["module", "rpm", "deb", "tree"], "default": "module"},
        "state": {"type": "str", "choices": ["present", "built", "absent", "status"], "default": "present"},
        "url": {"type": "str"},
        "sha256": {"type": "str"},
        "commit": {"type": "str"},
        "tree": {"type": "raw"},
        "method": {"type": "str", "choices": ["auto", "dkms", "plain"], "default": "auto"},
        "install_tools": {"type": "bool", "default": True},
        "build_once": {"type": "bool", "default": False},
        "builder": {"type": "str", "default": ""},
        "kernel": {"type": "dict"},
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
        "required_if": [("state", "present", ("url",)), ("state", "built", ("url", "kernel"))],
        "required_together": [("signing_key", "signing_certificate")],
    }
    # Compiler and headers come first, on a machine that may be slow.
    TIMEOUT = 5400

    def act(self, args: Result, task_vars: Variables) -> Result:
        args["url"] = self.usable(args["url"] or "", task_vars) or None
        if args["what"] != "module":
            return self._build_kernel(args, task_vars)
        if args["state"] in ("absent", "status"):
            return self.call({"state": args["state"], "check": args["check"]}, task_vars)
        elsewhere = bool(args["build_once"] or args["signing_key"])
        if elsewhere and not args["builder"]:
            raise ToaError(
                "no_builder",
                "what is signed, or built for several hosts, is built by a host that the inventory names, and none is named",
                "set toa_builder to the inventory name of a host that you trust with it",
            )
        wanted = self._wanted(args, task_vars)
        if args["state"] == "built":
            return self._built(args, wanted, args["kernel"], task_vars)
        if elsewhere:
            return _plain(self._take(args, {**wanted, "elsewhere": True}, task_vars))
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
                    "name it in toa_source.reference, or set toa_accept: [unverified_packages]",
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
                "name it (sha256), or set toa_accept: [unverified_packages]",
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

    # ---- built by one host for all that are alike

    def _built(self, args: Result, wanted: Result, kernel: t.Any, task_vars: Variables) -> Result:
        """Have the builder, which is the host of this call, build for a kernel; sign what it has built, and keep it."""
        host = str(self._task.delegate_to or task_vars.get("inventory_hostname") or "")
        if host != args["builder"]:
            raise ToaError(
                "not_the_builder",
                f"{host} is not the builder {args['builder']}",
                "delegate the task to it (delegate_to: '{{ toa_builder }}')",
            )
        kernel = _kernel(kernel)
        place = self._place(args, wanted, kernel)
        with source_store.locked(place):
            if source_store.take(place) is not None:
                return {"changed": False, "before": {}, "after": {}}
            if args["check"]:
                return {"changed": True, "before": {}, "after": {}}
            request = {**wanted, "state": "built", "method": "plain", "signing_certificate": ""}
            answer = self.call({**request, "running": kernel["release"], "arch": kernel["arch"]}, task_vars)
            if answer.get("failed"):
                return answer
            module = source_store.bytes_of(answer)
            if args["signing_key"]:
                module = _signed(module, kernel["release"], answer.get("signing_hash"), args)
            origin = {"host": host, "kernel": kernel, "source": {**wanted["source"], "archive": ""}}
            source_store.keep(place, module, origin)
        return {"changed": True, "before": {}, "after": {}}

    def _take(self, args: Result, wanted: Result, task_vars: Variables) -> Result:
        """Give a host what its builder has built for its kernel."""
        asked = self.call({**wanted, "check": True}, task_vars)
        if asked.get("failed") or args["check"] or not asked.get("changed"):
            return asked
        now = self.call({"state": "status", "check": False}, task_vars)
        if now.get("failed"):
            return now
        kernel = _kernel(now.get("key"))
        if args["builder"] == str(task_vars.get("inventory_hostname") or ""):
            built = self._built({**args, "check": False}, wanted, kernel, task_vars)
            if built.get("failed"):
                return built
        place = self._place(args, wanted, kernel)
        with source_store.locked(place):
            module = source_store.take(place)
        if module is None:
            raise ToaError(
                "not_built",
                f"{args['builder']} has not built this module for {kernel['release']} ({kernel['version']})",
                f"have it do so first: the role source_module does, and so does state: built on {args['builder']}",
            )
        request = {**wanted, "source": {**wanted["source"], "archive": ""}}
        answer = self.call({**request, "built": base64.b64encode(module).decode("ascii")}, task_vars)
        return answer if answer.get("failed") else {**answer, "taken": answer.get("changed") is True}

    @staticmethod
    def _place(args: Result, wanted: Result, kernel: dict[str, str]) -> Path:
        return Path(args["store"]).expanduser() / f"{source_store.key(wanted, kernel)}.ko"


# What a host says of its kernel becomes a path and a package's name on the builder.
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,127}\Z")


def _kernel(said: t.Any) -> dict[str, str]:
    """{release, arch, version} of a kernel, as state: status tells them; raises ToaError."""
    parts = said if isinstance(said, dict) else {}
    kernel = {name: str(parts.get(name) or "") for name in ("release", "arch", "version")}
    if not _WORD.match(kernel["release"]) or not _WORD.match(kernel["arch"]) or len(kernel["version"]) > 400:
        raise ToaError(
            "bad_option",
            f"kernel: {host_text.line(str(kernel))[:300]} is no kernel",
            "give the key that state: status returns",
        )
    return kernel


def _signed(module: bytes, release: str, digest: t.Any, args: Result) -> bytes:
    try:
        key, certificate = _secret(args["signing_key"]), _secret(args["signing_certificate"])
        return signature.signed(module, release, str(digest), key.encode(), certificate.encode())
    except ValueError as problem:
        raise ToaError(
            "sign_failed",
            f"the module cannot be signed: {problem}",
            "give a private RSA key without passphrase and its certificate, both as PEM (toa_source.signing_key, toa_source.signing_certificate); "
            "for a kernel before 4.3 sign by hand, and deliver the module as a package",
        ) from problem


def _plain(answer: Result) -> Result:
    """An answer without what only the action needs."""
    more = {} if answer.get("failed") else {"taken": answer.get("taken", False)}
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
