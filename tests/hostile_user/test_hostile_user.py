# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user without rights could leave in every path that our target code reads or writes as root: a clear answer, and nothing outside touched.

The paths are not listed by hand: each call is made once with nothing hostile, and says what it opens, lists, makes, renames and removes. Then it is
made again for each of these paths and each kind of thing.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins import module_utils

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = module_utils.__name__
# Kernel file systems have nothing that a user can plant; names with something random in them have nothing that he can know.
UNPLANTABLE = re.compile(
    r"/(proc|sys|dev|mnt|tmp|run/systemd)(/|$)|/$|.*/\.(realip-toa|staged|partial)-|(/usr)?/lib/python|/lib/modules$|" + re.escape(f"{ROOT}/")
    + "|" + re.escape(f"{sys.prefix}/") + "|" + re.escape(f"{sys.base_prefix}/lib/")
)  # fmt: skip
OURS = re.compile(r"realip")
# Elsewhere a user has no rights, and whoever administers the host may make a link; what can still be there by accident must not hold us up.
EVERYWHERE = ("pipe", "device", "sparse", "foreign")
IN_OURS = (*EVERYWHERE, "link", "dangling", "link_to_folder", "folder", "their_folder")

FILTER = {"state": "present", "method": "nft", "kinds": [200], "trusted_sources": ["10.0.0.0/8"], "ports": []}
MONITOR = {
    "state": "present",
    "minutes": 5,
    "probe": False,
    "probe_args": {},
    "program": "eJwDAAAAAAE=",
    "textfile_dir": None,
}
CLAIM = {"state": "taken", "owner": "a", "key": "k", "ended": [], "takeover": False, "drained": None}
# Nobody serves it: what is read and made before the source is there is tried here, compiling in tests/integration/test_kernel_build.py.
BUILD = {
    "format": "deb", "source": {"url": "http://127.0.0.1:9/linux.tar.xz", "sha256": "ab" * 32}, "patches": [], "config": ["CONFIG_TOA=m"],
    "config_file": None, "buildid": ".toa", "arch": "x86_64", "jobs": 1, "work": "/var/lib/realip-toa/build", "spec_options": [], "release": "",
    "room_kib": 1, "root": False,
}  # fmt: skip
PERSISTENCE = {"state": "present", "name": "toa", "method": "auto"}
# Name of the test -> (calls that make the host what it is before, the call).
CALLS: dict[str, tuple[list[t.Any], str, dict[str, t.Any]]] = {
    "facts": ([], "facts", {}),
    "plan": ([], "plan", {"probe": False, "probe_args": {}}),
    "claim": ([], "claim", CLAIM),
    "claim-released": ([["claim", CLAIM]], "claim", {**CLAIM, "state": "released", "drained": False}),
    "option_filter": ([], "option_filter", FILTER),
    "option_filter-iptables": ([], "option_filter", {**FILTER, "method": "iptables"}),
    "option_filter-sysvinit": ([], "option_filter", FILTER),
    "monitor-sysvinit": ([], "monitor", MONITOR),
    "option_filter-absent": ([["option_filter", FILTER]], "option_filter", {"state": "absent"}),
    "persistence": ([], "persistence", PERSISTENCE),
    "persistence-systemd": ([], "persistence", {**PERSISTENCE, "method": "systemd"}),
    "persistence-absent": ([["persistence", PERSISTENCE]], "persistence", {"state": "absent", "name": "toa", "method": "auto"}),
    "monitor": ([], "monitor", MONITOR),
    "monitor-recorded": ([], "monitor", {"state": "recorded", "proved": {"backend": "vtoa"}}),
    "monitor-absent": ([["monitor", MONITOR]], "monitor", {"state": "absent"}),
    "package-absent": ([], "package", {"state": "absent", "packages": []}),
    "source-absent": ([], "source", {"state": "absent"}),
    "ebpf": ([], "ebpf", {"state": "status"}),
    "boot": ([], "boot", {"state": "reverted", "kernel": None}),
    "reboot": ([], "reboot", {"op": "identity"}),
    "service": ([], "service", {"state": "status", "name": "vtoa"}),
    "module": ([], "module", {"state": "status", "name": "toa"}),
    "metrics": ([["monitor", MONITOR]], "metrics", {"folder": "/var/lib/realip-toa/monitor"}),
    "probe": ([["option_filter", FILTER]], "probe", {"option_kinds": ["200/8"], "rows": "none", "option_filter": True}),
    "traffic": ([], "traffic", {"seconds": 0}),
    "detect": ([], "detect", {"seconds": 1, "enough": 0}),
    "kernel_build": ([], "kernel_build", BUILD),
    "kernel_build-tree": ([], "kernel_build", {**BUILD, "format": "tree", "release": "6.1.0"}),
    "kernel_build-absent": ([], "kernel_build", {**BUILD, "state": "absent"}),
}  # fmt: skip
# Of these calls no answer is better than a clear refusal.
ENDS_WITH = {"kernel_build": "package_unavailable", "kernel_build-tree": "package_unavailable"}


class Driver:
    """A process in namespaces of its own that makes calls as root."""

    def __init__(self) -> None:
        entries = [f"programs.{entry}" for _before, entry, _args in CALLS.values()]
        words = [
            "unshare",
            "--mount",
            "--net",
            sys.executable,
            "-B",
            str(Path(__file__).with_name("driver.py")),
            *sorted(set(entries)),
        ]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, name: str, plant: list[str] | None = None) -> dict[str, t.Any]:
        before, entry, args = CALLS[name]
        calls = [[f"programs.{step}", {**more, "check": False}] for step, more in before]
        case = {
            "before": calls,
            "call": [f"programs.{entry}", {**args, "check": False}],
            "plant": plant,
            "trace": plant is None,
            "init": "sysvinit" if name.endswith("sysvinit") else "systemd",
        }
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(case) + "\n")
        self.process.stdin.flush()
        answer: dict[str, t.Any] = json.loads(self.process.stdout.readline())
        assert "broken" not in answer, (name, plant, answer)
        return answer


@pytest.fixture(scope="module")
def driver() -> t.Iterator[Driver]:
    driver = Driver()
    yield driver
    driver.process.stdin.close()
    driver.process.wait(30)


PATHS: dict[str, dict[str, str]] = {}
# Folders that driver.py lays something over.
ON_STAGE = ("boot", "etc", "var", "usr", "run")


def paths_of(driver: Driver, name: str) -> dict[str, str]:
    """{path: file or folder} of what a call reads or writes, with nothing hostile anywhere."""
    if name not in PATHS:
        answer = driver.ask(name)
        assert answer["answer"]["code"] == ENDS_WITH.get(name), answer["answer"]
        # What lies elsewhere (/proc, /sys, /selinux) no user can make, and it would be made on this machine.
        seen = {path: kind for path, kind in answer["seen"].items() if path.split("/")[1] in ON_STAGE}
        PATHS[name] = {path: kind for path, kind in sorted(seen.items()) if not UNPLANTABLE.match(path)}
    return PATHS[name]


def wrong(kind: str, path: str, answer: dict[str, t.Any]) -> str:
    """What is wrong with an answer, or ""."""
    if answer.get("hung"):
        return "did not end"
    told = answer["answer"]
    if answer["touched"]:
        return "something outside was touched"
    if told["failed"] and (told["code"] in (None, "target_bug", "timeout") or not told["msg"] or not told["remedy"]):
        return f"no clear answer: {told['code']}: {told['msg']} {(told['traceback'] or '')[-300:]}"
    after = answer["after"]
    if kind == "foreign" and OURS.search(path) and told["changed"] and after and after["file"] and after["uid"] != 0:
        return "a file of ours stays somebody else's"
    return ""


@pytest.mark.parametrize("name", CALLS)
def test_nothing_that_a_user_leaves_harms(driver: Driver, name: str) -> None:
    found, tried = [], 0
    paths = paths_of(driver, name)
    for path, what in paths.items():
        # A link of the same name in five folders (PartOf= of five firewalls) is one link that is made five times.
        if [other for other in paths if Path(other).name == Path(path).name].index(path) > 1:
            continue
        kinds = IN_OURS if OURS.search(path) else () if what == "folder" else EVERYWHERE
        for kind in (*kinds, "newline") if what == "folder" else kinds:
            tried += 1
            problem = wrong(kind, path, driver.ask(name, [path, kind]))
            if problem:
                found.append(f"{kind} at {path}: {problem}")
    assert not found, "\n".join(found)
    # These read what the kernel and systemd say, which nobody can plant.
    assert tried or name in ("module", "service", "detect", "traffic"), "no path was found"


def test_every_module_has_a_call() -> None:
    programs = importlib.import_module(f"{PACKAGE}.programs")
    names = {module.name for module in pkgutil.iter_modules(programs.__path__)}
    assert {entry for _before, entry, _args in CALLS.values()} >= names


def test_the_list_has_every_file_that_is_ours(driver: Driver) -> None:
    """The constants of the code name files of ours: each is in the list, or of a part that has a layer of its own."""
    known = {path for name in CALLS for path in paths_of(driver, name)}
    named = set()
    for module in pkgutil.walk_packages(module_utils.__path__, PACKAGE + "."):
        for value in vars(importlib.import_module(module.name)).values():
            for text in value if isinstance(value, (tuple, list)) else [value]:
                if isinstance(text, str) and re.fullmatch(r"/(etc|var|run|usr)/[\w./-]*realip[\w./-]*", text):
                    named.add(text)
    assert len(named) > 15
    missing = {path for path in named if not any(other == path or other.startswith(path + "/") for other in known)}
    elsewhere = re.compile(
        # Written while a kernel is tried (tests/faults, tests/lab), while programs are attached (test_ebpf_host), by builds and at reboots.
        r".*/cgroup2$|.*-reboot-asked$|.*(watchdog|/confirmed|/trial|realip-toa-trial)|.*/ebpf|.*realip-toa-ebpf|.*/build$|.*/var/cache/realip-toa.*|.*realip-toa-module.*|.*\.modules$"
    )
    assert {path for path in missing if not elsewhere.match(path)} == set()
