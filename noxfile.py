# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is checked, once: `make`, `.ci/run` and the workflows in .github call these sessions. `nox --list` shows them.

Sessions share the virtual environments that tests/setup.sh makes, one for each ansible-core, so nox itself installs nothing. What has a tag
runs in `make test`, which begins with the `long` ones. Of sanity, that is the oldest ansible-core, whose targets go back the furthest; of integration
and unit, the channel on every ansible-core and all else on the oldest and the newest. The forge runs all.
"""

from __future__ import annotations

import os
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "realip-toa"
VENVS = Path(os.environ.get("REALIP_VENVS") or CACHE / "venvs")
DEV = VENVS / "dev" / "bin"
CORES = ("2.16", "2.19", "2.21")


def machines(scenario: str) -> int:
    """How many machines a scenario has."""
    return (ROOT / "molecule" / scenario / "molecule.yml").read_text(encoding="utf-8").count("  - name: ")


# Those with the most machines take the longest, and begin first.
SCENARIOS = sorted(
    (path.parent.name for path in ROOT.glob("molecule/*/molecule.yml")), key=lambda name: (-machines(name), name)
)

# For nox as well as for what it runs: it looks a command up in its own PATH.
os.environ.update(
    PATH=f"{DEV}{os.pathsep}{os.environ['PATH']}",
    REALIP_VENVS=str(VENVS),
    ANSIBLE_COLLECTIONS_PATH=str(ROOT / "collections"),
    ANSIBLE_HOME=str(CACHE / "ansible"),
)

nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "unit", "docs"]


def run(session: nox.Session, *words: str) -> None:
    """Run a command of the checkout in the environment of development, which is made first unless make has done so."""
    if not os.environ.get("REALIP_READY"):
        session.run("tests/setup.sh", "lab", external=True)
        os.environ["REALIP_READY"] = "1"
    session.run(*words, external=True)


def on_machines(session: nox.Session, tests: str, *words: str) -> None:
    """Run tests that use lab machines, which end with them: those of a folder, or what was named behind `--`."""
    try:
        run(session, "python", "-m", "pytest", "-p", "no:cacheprovider", "-q", *words, *(session.posargs or [tests]))
    finally:
        run(session, "lab/lab", "down")


@nox.session
def quick(session: nox.Session) -> None:
    """what to run first: style, types, imports, unit tests on one Python"""
    session.run("tests/quick.sh", external=True)


@nox.session(tags=["short"])
def lint(session: nox.Session) -> None:
    """ruff, mypy, yamllint, shellcheck, ansible-lint, licences, changelog"""
    run(session, "tests/lint.sh")


@nox.session(tags=["short"])
def unit(session: nox.Session) -> None:
    """pure logic, on every Python found"""
    run(session, "tests/unit.sh")


@nox.session(tags=["short"])
def docs(session: nox.Session) -> None:
    """the documentation site, from modules, roles and guides"""
    run(session, "tests/docs.sh")


@nox.session(tags=["long"])
def integration(session: nox.Session) -> None:
    """this machine: sshd on loopback, namespaces, real tools"""
    run(session, "tests/integration.sh", *session.posargs)


@nox.session
@nox.parametrize("core", [nox.param(core, id=core, tags=["short"] if core == CORES[0] else []) for core in CORES])
def sanity(session: nox.Session, core: str) -> None:
    """ansible-test sanity of the built collection"""
    run(session, "tests/sanity.sh", core)


@nox.session(tags=["short"])
def importer(session: nox.Session) -> None:
    """galaxy-importer, as Galaxy and Automation Hub run it on an upload"""
    run(session, "tests/importer.sh")


@nox.session(tags=["long"])
def lab(session: nox.Session) -> None:
    """real machines: rollout, second run, reboot, removal, bad input"""
    on_machines(session, "tests/lab", "--durations=20")


@nox.session(tags=["short"])
@nox.parametrize("scenario", SCENARIOS, ids=SCENARIOS)
def molecule(session: nox.Session, scenario: str) -> None:
    """a molecule scenario, with testinfra"""
    run(session, "tests/molecule.sh", scenario)


@nox.session
def lab_source(session: nox.Session) -> None:
    """from source at full length: DKMS through kernel updates, a real Linux as rpm, as deb and compiled on a machine"""
    on_machines(session, "tests/source", "-s", "--durations=20")


@nox.session
def faults(session: nox.Session) -> None:
    """break machines in every way of docs/faults.md, and see that none is lost"""
    run(session, "python", "tests/faults/lanes.py", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """what the collection costs: measures, and makes docs/benchmarks.md anew"""
    try:
        on_machines(session, "tests/bench", "-s")
    finally:
        run(session, "python", "tests/bench/page.py")


@nox.session
def jobs(session: nox.Session) -> None:
    """the jobs and the workflow of AWX, under ansible-runner, on lab machines"""
    on_machines(session, "tests/jobs", "-s", "--durations=5")


@nox.session
def quick_start(session: nox.Session) -> None:
    """the quick start, literally: a Debian with nothing on it, two lab machines, the report in a browser"""
    run(session, "python", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-s", "tests/newcomer", *session.posargs)
