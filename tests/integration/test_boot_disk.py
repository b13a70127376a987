# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What GRUB's own filesystem code (grub-fstest) finds on a disk whose power goes, before and after boot_disk.settle()."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sshd import pythons

TESTS = Path(__file__).resolve().parents[1]

# Without the features that GRUB 2.06 cannot read, as the distributions make them for /boot.
MAKE = {
    "ext4": ["mkfs.ext4", "-q"],
    "xfs": ["mkfs.xfs", "-q", "-m", "bigtime=0,inobtcount=0", "-i", "nrext64=0"],
}

# As target code does it: a new file in the place of the old one, through fsync() of file and folder.
WRITE = """
import sys
sys.path.insert(0, sys.argv[1])
import conftest
from ansible_collections.realip.toa.plugins.module_utils.host import disk_sync as boot_disk
from ansible_collections.realip.toa.plugins.module_utils.host import writing
if sys.argv[3]:
    writing.write_atomic(sys.argv[2] + "/grub/grub.cfg", sys.argv[3])
if sys.argv[4] == "settled":
    boot_disk.settle([(sys.argv[2] + "/grub/none", sys.argv[5]), (sys.argv[2] + "/grub", sys.argv[5])])
if sys.argv[4] == "killed":
    freeze = boot_disk._ioctl
    boot_disk._ioctl = lambda handle, request: freeze(handle, request) and boot_disk.os.kill(boot_disk.os.getpid(), 9)
    boot_disk.settle([(sys.argv[2] + "/grub", sys.argv[5])])
"""


class Disk:
    def __init__(self, folder: Path, filesystem: str) -> None:
        self.filesystem = filesystem
        self.image = folder / "disk"
        self.mounted = folder / "mounted"
        self.mounted.mkdir()
        with self.image.open("wb") as image:
            image.truncate(400 << 20)
        subprocess.run([*MAKE[filesystem], str(self.image)], check=True)
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.mounted)], check=True)
        (self.mounted / "grub").mkdir()
        self.write("the old one", "settled")

    def write(self, text: str, way: str, python: str = sys.executable) -> int:
        return subprocess.run(
            [python, "-c", WRITE, str(TESTS), str(self.mounted), text, way, self.filesystem], timeout=60
        ).returncode

    def as_grub_sees_it(self) -> str:
        done = subprocess.run(["grub-fstest", str(self.image), "cat", "/grub/grub.cfg"], capture_output=True, text=True)
        return done.stdout or done.stderr


@pytest.fixture(params=sorted(MAKE))
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path, request.param)
    yield made
    subprocess.run(["umount", str(made.mounted)], check=True)


def test_without_it_grub_sees_the_disk_of_before(disk: Disk) -> None:
    assert disk.as_grub_sees_it() == "the old one"
    assert disk.write("the new one", "left") == 0
    assert (disk.mounted / "grub/grub.cfg").read_text() == "the new one"
    assert disk.as_grub_sees_it() != "the new one"


def test_settled_means_that_grub_sees_it(disk: Disk) -> None:
    for version, python in pythons().items():
        assert disk.write(f"of Python {version}", "settled", python) == 0
        assert disk.as_grub_sees_it() == f"of Python {version}"


def test_a_call_that_is_killed_leaves_nothing_frozen(disk: Disk) -> None:
    killed = disk.write("the new one", "killed")
    assert killed == (-signal.SIGKILL if disk.filesystem == "xfs" else 0)
    # A frozen filesystem holds whoever writes, for ever.
    assert disk.write("one more", "settled") == 0
    assert disk.as_grub_sees_it() == "one more"


def test_a_freeze_of_somebody_else_stays(disk: Disk) -> None:
    subprocess.run(["fsfreeze", "--freeze", str(disk.mounted)], check=True)
    try:
        assert disk.write("", "settled") == 0
    finally:
        thawed = subprocess.run(["fsfreeze", "--unfreeze", str(disk.mounted)])
    assert thawed.returncode == 0, "it was thawed by us"
