# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was tried on which distribution, out of the tests themselves: the table of docs/guides/distributions.md.

A machine's row has the tests that name it; a distribution without one was told from its os-release alone (tests/unit/vectors).
"""

from __future__ import annotations

import importlib.util
import re
import sys
import types
from pathlib import Path

import yaml

from lab.hosts import HOSTS, IMAGES, Host
from tests.found import found

ROOT = Path(__file__).resolve().parents[1]
GUIDE = ROOT / "docs" / "guides" / "distributions.md"
HEAD = "| distribution | what it is | boots by | what was tried |"
LOADERS = {
    "grub_legacy": "GRUB legacy",
    "grub2": "GRUB 2",
    "grub2_el": "GRUB 2, names of Enterprise Linux",
    "grub2_bls": "GRUB 2 with `blscfg`",
    "grub2_partuuid": "GRUB 2, `GRUB_FORCE_PARTUUID`",
    "grub2_efi": "UEFI, Secure Boot, shim and GRUB 2",
    "grub2_lvm": "GRUB 2, /boot on LVM",
    "grub2_raid": "GRUB 2, /boot on mdraid",
}
# Folders of tests on machines, and the target of make that runs them.
FOLDERS = {"tests/lab": "lab", "tests/source": "lab-source", "tests/jobs": "jobs", "tests/newcomer": "quick-start"}
# Machines whose test has not been seen to pass from end to end. Whoever sees it takes the name out.
UNFINISHED = {"el8", "el9", "ubuntu2204", "selinux12", "efi12", "lvm12", "raid12"}


def page() -> str:
    """The guide, with the table as the tests have it."""
    text = GUIDE.read_text(encoding="utf-8")
    table = re.search(rf"^{re.escape(HEAD)}\n(?:\|.*\n)+", text, re.MULTILINE)
    assert table, f"{GUIDE} has no table that begins with {HEAD}"
    return text.replace(table[0], made())


def made() -> str:
    lines = [" | ".join((host.dressed_as, kind(host), LOADERS[host.loader], tried(host))) for host in HOSTS.values()]
    lines += [" | ".join((name, "its os-release", "", "`make unit`: what it would get")) for name in decided_only()]
    return "\n".join([HEAD, "|---|---|---|---|", *(f"| {line} |" for line in lines)]) + "\n"


def kind(host: Host) -> str:
    image = IMAGES[host.image]
    return "real" if image.kernel else "dressed: Debian 12, kernels of the lab"


def tried(host: Host) -> str:
    """By make target: the scenarios and files of tests that name the machine."""
    runs = []
    if (ROOT / f"tests/machines/test_{host.name}.py").exists():
        unfinished = " (has not passed yet)" if host.name in UNFINISHED else ""
        runs = [f"`make lab-machine-{host.name}`{unfinished}"]
    scenarios = [
        path.parent.name
        for path in found(ROOT, "molecule/*/molecule.yml")
        if host.name in [platform["name"] for platform in yaml.safe_load(path.read_text(encoding="utf-8"))["platforms"]]
    ]
    runs += [f"`make molecule`: {', '.join(scenarios)}"] if scenarios else []
    for folder, target in FOLDERS.items():
        names = [path.stem.removeprefix("test_") for path in found(ROOT, f"{folder}/test_*.py") if names_it(path, host)]
        runs += [f"`make {target}`: {', '.join(names)}"] if names else []
    rows = sum(case.on == host.name for case in cases().CASES)
    runs += [f"`make faults`: {rows} rows"] if rows else []
    return "; ".join(runs) or "nothing yet"


def names_it(path: Path, host: Host) -> bool:
    return re.search(rf"[\"']{re.escape(host.name)}[\"']", path.read_text(encoding="utf-8")) is not None


def cases() -> types.ModuleType:
    """tests/faults/cases.py, whose folder is no package."""
    if "fault_cases" not in sys.modules:
        spec = importlib.util.spec_from_file_location("fault_cases", ROOT / "tests/faults/cases.py")
        assert spec and spec.loader
        module = sys.modules["fault_cases"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules["fault_cases"]


def decided_only() -> list[str]:
    """Names of distributions that no machine of the lab plays, in any of their minor versions."""
    played = {branch(host.dressed_as) for host in HOSTS.values()}
    names = []
    for path in found(ROOT, "tests/unit/vectors/os-release/*"):
        name = re.search(r'^PRETTY_NAME="?([^"\n]*)', path.read_text(encoding="utf-8"), re.MULTILINE)
        assert name, path
        names += [name[1]] if branch(name[1]) not in played else []
    return names


def branch(name: str) -> str:
    """`Rocky Linux 8` of "Rocky Linux 8.10 (Green Obsidian)"; Ubuntu's version is year and month."""
    short = re.match(r"Ubuntu \d+\.\d+|\D*\d+", name)
    return short[0] if short else name
