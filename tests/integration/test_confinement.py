# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What our units may not do, as `systemd-analyze security` counts it: at most 3 of 10, but for those that docs/security.md names with the reason."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import types
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins import module_utils
from ansible_collections.realip.toa.plugins.module_utils.bootloader import watchdog_files
from ansible_collections.realip.toa.plugins.module_utils.bpf import units as ebpf_units
from ansible_collections.realip.toa.plugins.module_utils.host.file_image import data_of
from ansible_collections.realip.toa.plugins.module_utils.option_filter import rules
from ansible_collections.realip.toa.plugins.module_utils.programs import monitor
from ansible_collections.realip.toa.plugins.module_utils.startup import methods
from ansible_collections.realip.toa.plugins.module_utils.startup.clearing import UNIT as MODULE_UNIT

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "plugins" / "module_utils"
DOCUMENT = ROOT / "docs" / "security.md"
MOST = 3.0
# They reboot a machine on which little works any more: what confines a unit can itself fail there.
UNCONFINED = {Path(watchdog_files.UNIT).name, Path(watchdog_files.EMERGENCY_UNIT).name}


def monitor_unit() -> str:
    host = types.SimpleNamespace(init="systemd")
    files = monitor.wanted_files(host, {"minutes": 5, "program": "eJwDAAAAAAE="}, "/var/lib")
    return str(data_of(files[f"{monitor.UNITS}/{monitor.SERVICE}"]).decode())


def module_unit() -> str:
    wanted: dict[str, dict[str, str]] = {}
    methods.add_place(types.SimpleNamespace(module="toa"), "systemd", MODULE_UNIT, wanted)
    return str(data_of(wanted[MODULE_UNIT]).decode())


def units(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Every unit of ours, by its name; that of the monitor for a folder of root's and for one of another user."""
    monkeypatch.setattr(monitor, "for_root", lambda: "/usr/bin/python3")
    usual = monitor_unit()
    monkeypatch.setattr(monitor, "owner_of", lambda folder: 65534)
    return {
        ebpf_units.SERVICE: ebpf_units.UNIT_TEXT,
        ebpf_units.WATCH + ".service": ebpf_units.WATCH_TEXT,
        rules.SERVICE: rules.UNIT_TEXT,
        Path(MODULE_UNIT).name: module_unit(),
        monitor.SERVICE: usual,
        f"{monitor.SERVICE}, folder of another user": monitor_unit(),
        Path(watchdog_files.UNIT).name: watchdog_files.UNIT_TEXT,
        Path(watchdog_files.EMERGENCY_UNIT).name: watchdog_files.EMERGENCY_TEXT % {"mark": "realip_toa_trial=x"},
    }


@pytest.fixture
def texts(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    return units(monkeypatch)


def exposure(text: str, folder: Path) -> float:
    """Of 10, as systemd counts; and systemd understands every line."""
    unit = folder / "x.service"
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "security", "--no-pager", "--offline=true", unit],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not re.search("Unknown|Failed to parse|ignoring", done.stderr), done.stderr
    found = re.search(r"Overall exposure level for x.service: ([0-9.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


def test_every_unit_is_in_the_list(texts: dict[str, str]) -> None:
    """A unit is a text with a section [Service], and has a name: no module has one that is not looked at here."""
    sources = [path.read_text(encoding="utf-8") for path in TARGET.rglob("*.py")]
    named = {
        name
        for module in pkgutil.walk_packages(module_utils.__path__, f"{module_utils.__name__}.")
        for value in vars(importlib.import_module(module.name)).values()
        for text in (value if isinstance(value, (tuple, list)) else [value])
        if isinstance(text, str)
        for name in re.findall(r"(?:^|/)(realip-toa[a-z-]*\.service)$", text)
    }
    assert named <= set(texts) and named >= UNCONFINED
    # The monitor's is one text for two kinds of folders.
    assert sum(source.count("\n[Service]\n") for source in sources) == len(texts) - 1


def test_figures_are_those_of_the_page(texts: dict[str, str], tmp_path: Path) -> None:
    found = {name: exposure(text, tmp_path) for name, text in texts.items()}
    page = DOCUMENT.read_text(encoding="utf-8")
    told = {
        name + more: float(figure)
        for name, more, figure in re.findall(
            r"(?m)^\| `(realip-toa-[a-z-]+\.service)`(, [a-z ]+)? \| ([0-9.]+) \|", page
        )
    }
    assert told == found
    reasons = {name for name, figure in found.items() if figure > MOST}
    assert reasons == UNCONFINED | {f"{monitor.SERVICE}, folder of another user"}


@pytest.mark.parametrize(
    "line", ["ProtectSystem=strict", "ProtectHome=", "SystemCallArchitectures=native", "UMask=0077"]
)
def test_every_unit_that_can_bear_it_is_confined(texts: dict[str, str], line: str) -> None:
    for name, text in texts.items():
        if name not in UNCONFINED:
            assert f"\n{line}" in text.partition("[Service]")[2].partition("[Install]")[0], name


def test_system_calls_are_taken_away_and_never_allowed(texts: dict[str, str]) -> None:
    """An old systemd knows fewer groups of calls, and of a list of those that are allowed it would leave nothing."""
    for name, text in texts.items():
        for filter_ in re.findall(r"(?m)^SystemCallFilter=(.*)$", text):
            assert filter_.startswith("~"), name
