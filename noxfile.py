# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is checked, once: `make`, `.ci/run` and the workflows in .github call these sessions. `nox --list` shows them.

Sessions share the virtual environments that tests/setup.sh makes, one for each ansible-core: a single test of a fleet starts controllers of all of
them. `run` says what a session needs of the machine, and installs it first. What has the tag `test` runs in `make test`: every layer once, on the
newest ansible-core and three Pythons. What has the tag `rest` runs on top in `make test-all`: the other Pythons and ansible-cores, and all machines.
Those that are `long` begin first. What stands behind `--` goes to the tests: `nox -s "unit_target(3.6)" -- tests/unit/target/host`.
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
# Those of `make test` come first. The oldest is that of CentOS 7; 3.6 is that of EL 8, 3.13 that of Debian 13.
PYTHONS = {"test": ("2.7", "3.6", "3.13"), "rest": ("3.5", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.14")}


def machines(scenario: str) -> int:
    """How many machines a scenario has."""
    return (ROOT / "molecule" / scenario / "molecule.yml").read_text(encoding="utf-8").count("  - name: ")


# Those with the most machines take the longest, and begin first.
SCENARIOS = sorted(
    (path.parent.name for path in ROOT.glob("molecule/*/molecule.yml")), key=lambda name: (-machines(name), name)
)

# Machines that are no part of the fleet, each with a file of its own; those that take minutes are not run with all others.
MACHINES = sorted(path.stem.removeprefix("test_") for path in ROOT.glob("tests/machines/test_*.py"))
SHORT_MACHINES: tuple[str, ...] = ()

# What `make test` has of real machines: a host without a reboot, and one that boots another kernel.
LAB_TEST = ("test_ebpf_hosts",)
MOLECULE_TEST = ("kernel_deb",)

# For nox as well as for what it runs: it looks a command up in its own PATH.
os.environ.update(
    PATH=f"{DEV}{os.pathsep}{os.environ['PATH']}",
    REALIP_VENVS=str(VENVS),
    ANSIBLE_COLLECTIONS_PATH=str(ROOT / "collections"),
    ANSIBLE_HOME=str(CACHE / "ansible"),
)

nox.options.default_venv_backend = "none"
nox.options.sessions = ["quick"]


def run(session: nox.Session, *words: str, needs: str = "lab") -> None:
    """Run a command of the checkout in the environment of development. What it needs is made first, as tests/setup.sh names it, unless
    somebody has said that all is there: every environment of Python and no Debian package (`python`), what tests of this machine use
    (`tests`), what lab machines use (`lab`)."""
    if not os.environ.get("REALIP_READY"):
        session.run("tests/setup.sh", needs, external=True)
    session.run(*words, external=True)


def on_machines(session: nox.Session, *words: str, tests: list[str]) -> None:
    """Run tests that use lab machines, which end with them: those given, or what was named behind `--`."""
    if not tests:
        session.error("no tests")
    try:
        run(session, "python", "-m", "pytest", "-p", "no:cacheprovider", "-q", *words, *(session.posargs or tests))
    finally:
        run(session, "lab/lab", "down")


@nox.session
def quick(session: nox.Session) -> None:
    """what to run first: style, types, imports, unit tests on one Python; needs nothing but Python"""
    run(session, "tests/quick.sh", *session.posargs, needs="quick")


# The part of a layer that `make test` has, and the one that `make test-all` adds.
PARTS = [nox.param(part, id=part, tags=[part]) for part in ("test", "rest")]


@nox.session(tags=["test"])
def lint(session: nox.Session) -> None:
    """ruff, mypy, yamllint, shellcheck, ansible-lint, licences, changelog"""
    run(session, "tests/lint.sh", needs="python")


@nox.session
@nox.parametrize(
    "version",
    [nox.param(version, id=version, tags=[part]) for part, versions in PYTHONS.items() for version in versions],
)
def unit_target(session: nox.Session, version: str) -> None:
    """pure logic of what runs on hosts, on each Python that is found"""
    run(session, "tests/unit.sh", "target", version, *session.posargs, needs="python")


@nox.session
@nox.parametrize("core", [nox.param(core, id=core, tags=["test" if core == CORES[-1] else "rest"]) for core in CORES])
def unit_controller(session: nox.Session, core: str) -> None:
    """pure logic of the controller, on each ansible-core"""
    run(session, "tests/unit.sh", "controller", core, *session.posargs, needs="python")


@nox.session(tags=["test"])
def docs(session: nox.Session) -> None:
    """the documentation site, from modules, roles and guides"""
    run(session, "tests/docs.sh", needs="tests")


@nox.session(tags=["long"])
@nox.parametrize("part", PARTS)
def integration(session: nox.Session, part: str) -> None:
    """this machine: sshd on loopback, namespaces, real tools; the rest is what an ansible-core has a say in, on the oldest"""
    run(session, "tests/integration.sh", part, *session.posargs)


@nox.session
@nox.parametrize("core", [nox.param(core, id=core, tags=["rest"] if core == CORES[0] else []) for core in CORES])
def sanity(session: nox.Session, core: str) -> None:
    """ansible-test sanity of the built collection"""
    run(session, "tests/sanity.sh", core, needs="tests")


@nox.session(tags=["rest"])
def release_check(session: nox.Session) -> None:
    """a release is rehearsed: tools by digest, artefact, bill of materials, signature; and what was changed in between is refused"""
    run(session, "release/check.sh", needs="tests")


@nox.session(tags=["rest"])
def importer(session: nox.Session) -> None:
    """galaxy-importer, as Galaxy and Automation Hub run it on an upload"""
    run(session, "tests/importer.sh", needs="tests")


@nox.session(tags=["test"])
def hostile_user(session: nox.Session) -> None:
    """what a user without rights could leave in every path that root reads or writes"""
    run(session, "tests/integration.sh", "--durations=5", *(session.posargs or ["tests/hostile_user"]))


@nox.session(tags=["test"])
def fuzz(session: nox.Session) -> None:
    """words of hosts against the parsers that read them, for REALIP_FUZZ_SECONDS: one minute, ten with `make fuzz`"""
    os.environ.setdefault("REALIP_FUZZ_SECONDS", "60")
    run(session, "tests/fuzz.sh", needs="tests")


@nox.session(tags=["long"])
@nox.parametrize("part", PARTS)
def lab(session: nox.Session, part: str) -> None:
    """real machines: rollout, second run, reboot, removal, bad input"""
    files = [path for path in sorted(ROOT.glob("tests/lab/test_*.py")) if (path.stem in LAB_TEST) == (part == "test")]
    on_machines(session, "--durations=20", tests=[str(path) for path in files])


@nox.session
@nox.parametrize(
    "name", [nox.param(name, id=name, tags=["rest"] if name in SHORT_MACHINES else []) for name in MACHINES]
)
def lab_machines(session: nox.Session, name: str) -> None:
    """a host as its vendor ships it, from stock to translating, through one more reboot, and back to stock"""
    on_machines(session, "--durations=10", tests=[f"tests/machines/test_{name}.py"])


@nox.session
@nox.parametrize(
    "scenario", [nox.param(name, id=name, tags=["test" if name in MOLECULE_TEST else "rest"]) for name in SCENARIOS]
)
def molecule(session: nox.Session, scenario: str) -> None:
    """a molecule scenario, with testinfra"""
    run(session, "tests/molecule.sh", scenario)


@nox.session
def lab_source(session: nox.Session) -> None:
    """from source at full length: DKMS through kernel updates, a real Linux as rpm, as deb and compiled on a machine"""
    on_machines(session, "-s", "--durations=20", tests=["tests/source"])


@nox.session
def lab_image(session: nox.Session) -> None:
    """disks that are prepared without being booted; two copies of each boot, and translate with no controller"""
    on_machines(session, "-s", "--durations=5", tests=["tests/images"])


@nox.session
def faults(session: nox.Session) -> None:
    """break machines in every way of docs/faults.md, and see that none is lost"""
    run(session, "python", "tests/faults/lanes.py", *session.posargs)


@nox.session(tags=["test"])
def adversary(session: nox.Session) -> None:
    """forged handshakes by the thousand against the eBPF programs and the option filter, on this machine"""
    run(session, "python", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-s", "tests/adversary", *session.posargs)


@nox.session
def adversary_lab(session: nox.Session) -> None:
    """the same on lab machines: vtoa and a vendor's kernel; Redis, nginx, sshd and PostgreSQL on a machine of each backend"""
    on_machines(session, "-s", tests=["tests/lab/test_adversary.py", "tests/lab/adversary_servers.py"])


@nox.session
def bench(session: nox.Session) -> None:
    """what the collection costs: measures, and makes docs/benchmarks.md anew"""
    try:
        on_machines(session, "-s", tests=["tests/bench"])
    finally:
        run(session, "python", "tests/bench/page.py")


@nox.session
def jobs(session: nox.Session) -> None:
    """the jobs and the workflow of AWX, under ansible-runner, on lab machines"""
    on_machines(session, "-s", "--durations=5", tests=["tests/jobs"])


@nox.session
def quick_start(session: nox.Session) -> None:
    """the quick start, literally: a Debian with nothing on it, two lab machines, the report in a browser"""
    run(session, "python", "-m", "pytest", "-p", "no:cacheprovider", "-q", "-s", "tests/newcomer", *session.posargs)
