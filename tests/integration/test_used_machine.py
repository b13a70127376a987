# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests hold on a machine that is used: it is rolled out itself, its shell prints, and other sessions of tests run beside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sshd import ROOT
from stage import Stage

# A machine of its own around the stage: what lies on it is put there in a mount namespace, and the machine itself stays as it is.
ROLLED_OUT = """
set -e
mount --make-rprivate /
for folder in /etc /var; do
    mkdir -p "$0$folder/new" "$0$folder/work"
    mount -t overlay overlay -o "lowerdir=$folder,upperdir=$0$folder/new,workdir=$0$folder/work" "$folder"
done
mkdir -p /var/lib/realip-toa/ebpf /etc/modules-load.d
echo '{}' >/var/lib/realip-toa/state.json
echo toa >/etc/modules-load.d/realip-toa.conf
exec "$@"
"""
ON_THE_STAGE = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from stage import Stage
with Stage(Path(sys.argv[1]), "127.0.45.9") as stage:
    print(stage.sh("ls -d /var/lib/realip-toa /etc/modules-load.d/realip-toa.conf 2>&1 | grep -v 'cannot access'"))
    stage.sh("mkdir /var/lib/realip-toa; echo {} >/var/lib/realip-toa/state.json; echo toa >/etc/modules-load.d/realip-toa.conf")
    print({name: text for name, text in stage.written().items() if "realip" in name and "lock" not in name})
"""


def test_a_stage_has_nothing_of_a_machine_that_is_rolled_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    machine, stage = tmp_path_factory.mktemp("machine"), tmp_path_factory.mktemp("stage")
    helpers = [str(ROOT / "tests/integration"), str(ROOT)]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", ROLLED_OUT, machine, sys.executable, "-c", ON_THE_STAGE, stage, *helpers],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(
        {"/etc/modules-load.d/realip-toa.conf": "toa\n", "/var/lib/realip-toa/state.json": "{}\n"}
    )


def test_a_session_leaves_no_temporary_folder(tmp_path: Path) -> None:
    """It has one of its own, which goes with it, and takes nothing of pytest-of-USER."""
    done = subprocess.run(
        [
            sys.executable,
            "-B",
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "-q",
            str(ROOT / "tests/unit/target/host/test_state.py"),
        ],
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_login_reads_no_profile(tmp_path: Path) -> None:
    """Root's shell prints on this machine; a login of a test says only what it was asked."""
    with Stage(tmp_path, "127.0.45.8") as stage:
        (config,) = (tmp_path / "sshd").glob("passwd")
        root = next(line for line in config.read_text().splitlines() if line.startswith("root:"))
        assert root.endswith(":/bin/sh") and stage.sh("echo here") == "here\n"
