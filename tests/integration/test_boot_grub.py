# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""boot.py as it runs on a host, with GRUB's real tools: update-grub, grub-editenv, grub-script-check, update-rc.d.

Each test has a root of its own (chroot in a private mount namespace) with this machine's /usr; only grub-probe is told what to say,
because nothing here is a disk.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.realip.toa.plugins.module_utils.bootloader.environment import parse_grubenv
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_script import boot_order

COLLECTION = Path(__file__).resolve().parents[2]
STOCK, NEW = "4.4.0-31-generic", "4.4.87.toa"

PROBE = """#!/bin/sh
# A plain ext4 partition, whatever is asked about.
while [ $# -gt 0 ]; do
    case $1 in
    --target=*) target=${1#--target=} ;;
    --target | -t) target=$2; shift ;;
    esac
    shift
done
case $target in
device) echo /dev/sda1 ;;
fs_uuid) echo 0ac5c7b6-6b9c-4e0e-9a3e-6d1f4b1f2a11 ;;
partuuid) echo 5e2d1c3a-01 ;;
fs) echo ext2 ;;
partmap) echo msdos ;;
compatibility_hint) echo hd0,msdos1 ;;
hints_string) echo --hint-bios=hd0,msdos1 ;;
esac
"""

# One call of the target module, as the channel makes it, without the channel.
CALL = """
import json, sys
sys.path.insert(0, "/collection/tests")
import conftest
from ansible_collections.realip.toa.plugins.module_utils.programs import boot
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
try:
    print(json.dumps(boot.main(json.loads(sys.argv[1]))))
except TargetError as error:
    print(json.dumps({"failed": True, "code": error.code, "msg": error.message}))
"""

ENTER = """
set -e
root=$1; shift
mount --bind /usr "$root/usr"
mount --bind "$root/probe" "$root/usr/sbin/grub-probe"
mount --bind COLLECTION "$root/collection"
mount --bind /dev "$root/dev"
exec chroot "$root" "$@"
""".replace("COLLECTION", str(COLLECTION))


class Root:
    def __init__(self, folder: Path, systemd: bool) -> None:
        self.folder = folder
        self.boots = 0
        for name in (
            "usr",
            "collection",
            "dev",
            "tmp",
            "run",
            "var/lib",
            "boot/grub",
            "etc/default",
            "etc/init.d",
            "proc/sys/kernel/random",
            "proc/self",
            "lib/modules",
            *(f"etc/rc{level}.d" for level in "0123456S"),
            *(["run/systemd/system"] if systemd else []),
        ):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name in ("bin", "sbin", "lib64"):
            (folder / name).symlink_to(f"usr/{name}")
        for path in Path("/usr/lib").iterdir():  # all of it but the kernels' modules
            if path.name != "modules":
                (folder / "lib" / path.name).symlink_to(path)
        (folder / "probe").write_text(PROBE)
        (folder / "probe").chmod(0o755)
        shutil.copytree("/etc/grub.d", folder / "etc/grub.d")
        shutil.copytree("/etc/alternatives", folder / "etc/alternatives", symlinks=True)
        for name in ("ld.so.cache", "passwd", "group"):
            shutil.copy(f"/etc/{name}", folder / "etc" / name)
        shutil.copy("/usr/share/grub/default/grub", folder / "etc/default/grub")
        (folder / "proc/self/mountinfo").write_text("22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n")
        self.install(STOCK)
        self.runs(STOCK)

    def enter(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["unshare", "-m", "--propagation", "private", "sh", "-c", ENTER, "enter", str(self.folder), *argv],
            text=True,
            capture_output=True,
            timeout=120,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )

    def must(self, *argv: str) -> str:
        done = self.enter(*argv)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def do(self, state: str, kernel: str | None = None, **more: Any) -> dict[str, Any]:
        return json.loads(
            self.must("/usr/bin/python3", "-B", "-c", CALL, json.dumps({"state": state, "kernel": kernel, **more}))
        )

    def install(self, release: str) -> None:
        (self.folder / f"boot/vmlinuz-{release}").write_text("kernel")
        (self.folder / f"boot/initrd.img-{release}").write_text("initramfs")
        (self.folder / "lib/modules" / release).mkdir()
        self.must("update-grub")

    def remove(self, release: str) -> None:
        (self.folder / f"boot/vmlinuz-{release}").unlink()
        (self.folder / f"boot/initrd.img-{release}").unlink()
        (self.folder / "lib/modules" / release).rmdir()
        self.must("update-grub")

    def runs(self, release: str) -> None:
        self.boots += 1
        (self.folder / "proc/sys/kernel/osrelease").write_text(release + "\n")
        (self.folder / "proc/sys/kernel/random/boot_id").write_text(f"boot-{self.boots}\n")

    def boot(self) -> dict[str, Any]:
        """Power on: the entry GRUB takes; what was armed is cleared."""
        grub = self.folder / "boot/grub"
        text = (grub / "grub.cfg").read_text() + (
            (grub / "custom.cfg").read_text() if (grub / "custom.cfg").exists() else ""
        )
        order = boot_order(text, self.environment())
        entry = order["next"] or order["default"]
        if order["next"]:
            subprocess.run(["grub-editenv", grub / "grubenv", "set", "next_entry="], check=True)
        self.runs(entry["release"])
        return entry

    def environment(self) -> dict[str, str] | None:
        path = self.folder / "boot/grub/grubenv"
        return parse_grubenv(path.read_text()) if path.exists() else None

    def files(self) -> dict[str, bytes | str]:
        """Everything below /etc, /boot and /var."""
        found: dict[str, bytes | str] = {}
        for top in ("etc", "boot", "var"):
            for path in (self.folder / top).rglob("*"):
                if path.is_symlink():
                    found[str(path)] = os.readlink(path)
                elif path.is_file():
                    found[str(path)] = path.read_bytes()
        return found


@pytest.fixture(params=["systemd", "sysvinit"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Root]:
    yield Root(tmp_path, request.param == "systemd")


def test_update_grub_is_real_here(root: Root) -> None:
    root.install(NEW)
    text = (root.folder / "boot/grub/grub.cfg").read_text()
    assert f"linux\t/boot/vmlinuz-{NEW}" in text.replace(str(root.folder), "")
    assert root.boot()["release"] == NEW, "a newer kernel is the default where nobody pins one"


def test_whole_sequence(root: Root) -> None:
    before = root.files()
    assert root.do("default", STOCK)["changed"]
    root.install(NEW)
    armed = root.do("armed", NEW)
    assert armed["after"] == {
        "default": STOCK,
        "next": NEW,
        "trial": NEW,
        "watchdog": True,
        "grub_default_setting": "saved",
    }, armed
    assert not root.do("armed", NEW)["changed"]
    links = {path: target for path, target in root.files().items() if path not in before and isinstance(target, str)}
    assert len(links) == (5 if (root.folder / "run/systemd").exists() else 4), links
    root.must("grub-script-check", "/boot/grub/custom.cfg")
    root.must("grub-script-check", "/boot/grub/grub.cfg")

    trial = root.boot()
    assert trial["release"] == NEW
    assert re.search(r" realip_toa\.trial=[0-9a-f]{12} panic=30 .*rd\.emergency=reboot .*=1$", trial["options"])
    assert root.do("confirmed", NEW)["after"]["default"] == NEW
    assert not root.do("confirmed", NEW)["changed"]
    assert root.boot()["release"] == NEW

    assert root.do("reverted")["after"]["default"] == STOCK
    assert root.boot()["release"] == STOCK
    root.remove(NEW)
    foretold = root.do("reverted", restore=True, check=True)
    done = root.do("reverted", restore=True)
    assert foretold["after"] == done["after"] and done["record"] == {}
    assert root.files() == before
    assert not root.do("reverted", restore=True)["changed"]


def test_unconfirmed_boots_the_old_kernel_and_the_menu_may_change_meanwhile(root: Root) -> None:
    root.do("default", STOCK)
    root.install(NEW)
    root.do("armed", NEW)
    root.install("9.9.9-1-generic")
    assert root.boot()["release"] == NEW
    assert root.boot()["release"] == STOCK
    assert root.do("reverted")["changed"]
    assert root.boot()["release"] == STOCK


def test_grubs_own_commands_write_what_we_write(root: Root) -> None:
    root.do("default", STOCK)
    ours = root.environment()
    assert ours
    root.must("grub-set-default", ours["saved_entry"])
    assert root.environment() == ours
    root.install(NEW)
    root.do("armed", NEW)
    ours = root.environment()
    root.must("grub-reboot", "realip-toa-trial")
    assert root.environment() == ours


def test_custom_cfg_with_an_error_in_it_is_refused_by_grub_and_stays(root: Root) -> None:
    root.do("default", STOCK)
    root.install(NEW)
    broken = root.folder / "boot/grub/custom.cfg"
    broken.write_text("menuentry 'unfinished' {\n")
    before = root.files()
    answer = root.do("armed", NEW)
    assert answer["code"] == "loader_not_supported" and "GRUB refuses /boot/grub/custom.cfg" in answer["msg"]
    assert root.files() == before


def test_update_grub_that_fails_leaves_everything_as_it_was(root: Root) -> None:
    (root.folder / "etc/grub.d/99_broken").write_text("#!/bin/sh\necho broken on purpose >&2\nexit 1\n")
    (root.folder / "etc/grub.d/99_broken").chmod(0o755)
    before = root.files()
    answer = root.do("default", STOCK)
    assert answer["code"] == "grub_mkconfig_failed" and "broken on purpose" in answer["msg"]
    assert {path: data for path, data in root.files().items() if not path.endswith("grub.cfg.new")} == before


def test_menu_is_generated_in_the_language_of_the_host(root: Root) -> None:
    """Titles are translated, and an operator's GRUB_DEFAULT may be a title."""
    (root.folder / "etc/default/locale").write_text('LANG="de_DE.UTF-8"\n')
    root.do("default", STOCK)
    assert "set lang=de_DE\n" in (root.folder / "boot/grub/grub.cfg").read_text()
