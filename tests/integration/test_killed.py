# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed while they leave something on a host: the next one, whatever it wants, comes to where it would have come without that."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.action import toa_monitor
from ansible_collections.realip.toa.plugins.plugin_utils import ebpf_object
from ebpf_stage import EbpfStage
from sshd import pythons

# Before the Nth thing that changes the host: a file, or a command.
KILLER = """
import os, signal, subprocess
_left = [%d]
def _counted(real):
    def called(*args, **more):
        if _left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        _left[0] -= 1
        return real(*args, **more)
    return called
for _name in ("rename", "unlink", "symlink", "mkdir", "rmdir"):
    setattr(os, _name, _counted(getattr(os, _name)))
subprocess.Popen.__init__ = _counted(subprocess.Popen.__init__)
"""
MOMENTS = tuple(range(40))
PYTHONS = {version: path for version, path in pythons().items() if version in ("2.7", "3.6", "3.13")}
Wish = dict[str, t.Any]
USERS: dict[str, tuple[str, Wish, Wish, Wish]] = {
    "ebpf": (
        "programs.ebpf",
        {"state": "attached", "option_kinds": ["200/8"], "trusted_sources": ["192.0.2.0/24"], "object": ebpf_object.PACKED},
        {"state": "attached", "option_kinds": ["254/8"], "trusted_sources": ["10.0.0.0/8"], "object": ebpf_object.PACKED},
        {"state": "detached"},
    ),
    "option_filter": (
        "programs.option_filter",
        {"state": "present", "kinds": [200], "trusted_sources": ["192.0.2.0/24"], "method": "iptables"},
        {"state": "present", "kinds": [254], "trusted_sources": ["10.0.0.0/8"], "method": "nft"},
        {"state": "absent"},
    ),
    "monitor": (
        "programs.monitor",
        {"state": "present", "minutes": 5, "program": toa_monitor.packed(), "textfile_dir": "/srv/one"},
        {"state": "present", "minutes": 7, "program": toa_monitor.packed(), "textfile_dir": "/srv/two"},
        {"state": "absent"},
    ),
}  # fmt: skip


class KilledStage(EbpfStage):
    NAMESPACES = ("-m", "-n")

    def picture(self) -> tuple[dict[str, str], str, list[str], str]:
        """All that could be left on a host, but for times, and what tools leave there."""
        noise = ("/run/systemctl.log", "/run/realip-toa/lock", "/run/xtables.lock")
        written = {name: text for name, text in self.written().items() if name not in noise and not name.endswith((".prom", "seen.json"))}  # fmt: skip
        # What it remembers of files that are gone again depends on the way; that nothing is under way any more does not.
        record = written.pop("/var/lib/realip-toa/state.json", "")
        written["record"] = "begun" if '"begun"' in record else "there" if record else "none"
        pins = self.sh("find /sys/fs/bpf -mindepth 1 | grep -v debug")
        rules = self.sh("nft -s list ruleset; iptables-save -t mangle; ip6tables-save -t mangle")
        ours = "\n".join(
            sorted(line for line in rules.splitlines() if "REALIP" in line or "realip" in line or "reset" in line)
        )
        return written, pins, sorted(self.programs()), ours

    def call(self, entry: str, python: str, **args: t.Any) -> None:
        answer = self.target(entry, python=python, **args)
        assert not answer.get("failed"), answer

    def killed(self, entry: str, python: str, moment: int, **args: t.Any) -> bool:
        """Begin a change and be killed in the middle of it; False where it came to its end before."""
        done = self.run(python, "-", input=KILLER % moment + self.program(entry, **args))
        return "@realip-toa stage" not in done.stdout


@pytest.mark.parametrize("version", PYTHONS)
@pytest.mark.parametrize("user", USERS)
def test_the_next_run_undoes_it(tmp_path: Path, user: str, version: str) -> None:
    entry, old, new, gone = USERS[user]
    python, place = PYTHONS[version], list(PYTHONS).index(version)
    with KilledStage(tmp_path) as stage:
        pictures = [stage.picture()]
        for wish in (old, new):
            stage.call(entry, python, **wish)
            pictures.append(stage.picture())
        stage.call(entry, python, **gone)
        assert stage.picture() == pictures[0]
        # Each Python takes every third moment, so that all have them all.
        for number, moment in enumerate(MOMENTS[place::3]):
            was = number % 2
            if was:
                stage.call(entry, python, **old)
            if not stage.killed(entry, python, moment, **new):
                break
            following = (new, gone, old)[number % 3]
            stage.call(entry, python, **following)
            assert stage.picture() == pictures[(2, 0, 1)[number % 3]], (moment, was)
            stage.call(entry, python, **gone)
            assert stage.picture() == pictures[0], (moment, was)
        assert number > 1, "it was not killed at all"
