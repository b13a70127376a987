# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole sequence with GRUB legacy, each boot by GRUB 0.97 itself in QEMU; parsers, and the stand-in of the unit tests, against it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import watchdog_switches

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit" / "target"))
from ansible_collections.realip.toa.plugins.module_utils.bootloader.legacy_menu import (
    parse_legacy_default,
    parse_menu_lst,
    pick_legacy,
)
from boot_samples import NEW, STOCK, Died
from grub_legacy import Grub
from legacy_samples import DEFAULT_FILE, NEW6, STOCK6, El6, El6Gnu, LegacyHost, OldDebian

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "realip-toa"
KERNELS = {El6: (STOCK6, NEW6), El6Gnu: (STOCK6, NEW6), OldDebian: (STOCK, NEW)}


@pytest.fixture(scope="module")
def grub(tmp_path_factory: pytest.TempPathFactory) -> Grub:
    return Grub(CACHE, tmp_path_factory.mktemp("grub-legacy"))


class Booted:
    """A host in a folder whose boots are GRUB's own; each is compared with what the stand-in would have done."""

    def __init__(self, grub: Grub, host: LegacyHost) -> None:
        self.grub, self.host = grub, host
        self.own_partition = isinstance(host, El6)
        # GRUB's real second stage, by which the host is recognised. (The disk has the one that GRUB has set up.)
        host.write("/boot/grub/stage2", grub.stage2())
        self.unloadable: set[str] = set()

    def power_on(self) -> str:
        host = self.host
        before = host.files()
        expected = host.boot(loads=lambda image: image.split("vmlinuz-")[-1] not in self.unloadable)
        line, left = host.text("/proc/cmdline").split(), host.files().get("/boot/grub/default")
        if "/boot/grub/default" in before:
            host.write("/boot/grub/default", before["/boot/grub/default"])
        disk = self.disk()
        release, cmdline = self.grub.boot(disk)
        found = self.grub.read(disk, "/grub/default" if self.own_partition else "/boot/grub/default")
        assert (release, cmdline.split(), found) == (expected, line, left)
        if found is not None:
            host.write("/boot/grub/default", found)
        return release

    def disk(self) -> Path:
        tree = self.grub.scratch / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        boot = tree if self.own_partition else tree / "boot"
        shutil.copytree(self.host.path("/boot"), boot, symlinks=True)
        for path in boot.glob("vmlinuz-*"):
            release = path.name.removeprefix("vmlinuz-")
            path.write_bytes(b"not a kernel\n" * 200 if release in self.unloadable else self.grub.kernel(release))
        menu = boot / "grub" / Path(self.host.CONFIG).name
        # No time to wait, and no splash image, for which this GRUB would wait for a key where it is missing.
        menu.write_bytes(
            re.sub(rb"(?m)^(timeout\s*=?\s*)5$", rb"\g<1>0", menu.read_bytes()).replace(
                b"\nsplashimage", b"\n#splashimage"
            )
        )
        return self.grub.disk(tree, "/grub" if self.own_partition else "/boot/grub")


@pytest.fixture(params=[El6Gnu, OldDebian], ids=["CentOS 6", "Debian"])
def booted(request: pytest.FixtureRequest, grub: Grub, tmp_path: Path) -> Booted:
    return Booted(grub, request.param(tmp_path))


def test_the_sequence(booted: Booted) -> None:
    host = booted.host
    stock, new = KERNELS[type(host)]
    before = host.files()
    host.do("default", stock)
    host.install(new)
    assert booted.power_on() == stock
    assert host.do("armed", new)["one_shot"]["possible"]
    assert booted.power_on() == new
    assert host.told_of_trial()
    assert booted.power_on() == stock
    host.do("armed", new)
    assert booted.power_on() == new
    host.do("confirmed", new)
    assert booted.power_on() == new
    assert "panic=" not in host.text("/proc/cmdline")
    host.do("reverted")
    assert booted.power_on() == stock
    host.uninstall(new)
    host.do("reverted", restore=True)
    assert host.files() == before


def test_a_kernel_that_grub_refuses_is_left_for_the_old_one(booted: Booted) -> None:
    stock, new = KERNELS[type(booted.host)]
    booted.host.do("default", stock)
    booted.host.install(new)
    booted.host.do("armed", new)
    booted.unloadable.add(new)
    assert booted.power_on() == stock
    booted.unloadable.clear()
    assert booted.power_on() == stock


@pytest.mark.parametrize("default", [None, "1\n", ""])
def test_a_grub_that_cannot_write_does_not_try(booted: Booted, default: str | None) -> None:
    stock, new = KERNELS[type(booted.host)]
    booted.host.do("default", stock)
    booted.host.install(new)
    booted.host.do("armed", new)
    if default is None:
        booted.host.remove("/boot/grub/default")
    else:
        booted.host.write("/boot/grub/default", default)
    assert booted.power_on() == stock


@pytest.mark.parametrize("kind", [El6Gnu, OldDebian], ids=["CentOS 6", "Debian"])
def test_power_that_goes_while_arming(grub: Grub, tmp_path: Path, kind: type[LegacyHost]) -> None:
    """After every change that arming makes: GRUB boots the old kernel, and arming again boots the new one, once."""
    changes, stock, new = 0, *KERNELS[kind]
    while True:
        booted = Booted(grub, kind(tmp_path / str(changes)))
        booted.host.do("default", stock)
        booted.host.install(new)
        try:
            booted.host.do("armed", new, machine=booted.host.fragile(changes))
        except Died:
            assert booted.power_on() == stock
            booted.host.do("armed", new)
            assert [booted.power_on(), booted.power_on()] == [new, stock]
            changes += 1
        else:
            assert (
                changes >= 6
            )  # the trial's entries, four files of the watchdog, the number and the line that makes it count
            return


def title(name: str, *more: str) -> str:
    return (
        f"title {name}\n\troot (hd0,0)\n" + "".join(f"\t{line}\n" for line in more) + f"\tkernel /vmlinuz-{name} ro\n"
    )


A, B, C = title("1.0-a"), title("2.0-b"), title("3.0-c")
MENUS = [
    ("number", "default=1\n" + A + B + C, None),
    ("spaces and equals", "default = 2\n" + A + B + C, None),
    ("tab, carriage return, comment", "default\t1\r\n#default 2\n" + A + B + C, None),
    ("no value", "default\n" + A + B, None),
    ("not a number", "default x\nfallback 1\n" + A + B, None),
    ("the last one counts", "default 0\ndefault 1\n" + A + B, None),
    ("too big", "default 7\n" + A + B, None),
    ("too big, with fallback", "default 7\nfallback 1\n" + A + B, None),
    ("a title with nothing below it", "default 1\n" + A + "title nothing\n# comment\n" + B + C, None),
    ("a title that only says its root", "default 2\n" + A + "title other systems\nroot\n" + B, None),
    ("saved", "default saved\n" + A + B, DEFAULT_FILE),
    ("saved, without the file", "default saved\n" + A + B, None),
    ("saved, as GRUB writes it", "default saved\n" + A + B, "1\0\n\n\n\n\n\n\n\n#\n"),
    ("saved, armed by Debian's shell", "default saved\n" + A + B, "0:1\n" + DEFAULT_FILE),
]


@pytest.mark.parametrize(("menu", "default"), [case[1:] for case in MENUS], ids=[case[0] for case in MENUS])
def test_grub_boots_what_the_parser_says(grub: Grub, tmp_path: Path, menu: str, default: str | None) -> None:
    folder = tmp_path / "tree/grub"
    folder.mkdir(parents=True)
    (folder / "menu.lst").write_text("timeout=0\n" + menu)
    if default is not None:
        (folder / "default").write_text(default)
    for release in ("1.0-a", "2.0-b", "3.0-c"):
        (tmp_path / "tree" / f"vmlinuz-{release}").write_bytes(grub.kernel(release))
    release, _cmdline = grub.boot(grub.disk(tmp_path / "tree", "/grub"))
    assert (
        release
        == pick_legacy(parse_menu_lst("timeout=0\n" + menu), parse_legacy_default((default or "")[:10]))["release"]
    )


@pytest.mark.parametrize("shell", ["dash", "bash --posix", "busybox sh"])
@pytest.mark.parametrize("how", ["Red Hat's word", "GNU's file", "no memory"])
def test_the_watchdog_takes_back_what_grub_did_not(tmp_path: Path, shell: str, how: str) -> None:
    host = (El6 if how == "Red Hat's word" else El6Gnu)(tmp_path)
    stock, new = KERNELS[type(host)]
    host.do("default", stock)
    host.install(new)
    if how == "no memory":
        host.write("/boot/grub/stage2", "some other program")
    host.do("armed", new, accept_no_fallback=how == "no memory", confirm_timeout=30)
    armed = host.files()
    assert host.boot() == new
    for name in ("/boot/grub/stage2", "/boot/grub/default"):
        if name in armed:
            host.write(name, armed[name])
    folder = Path(host.path("/var/lib/realip-toa"))
    settings = (folder / "watchdog.conf").read_text()
    (folder / "watchdog.conf").write_text(settings.replace("rewind=", "rewind=" + host.root))
    host.write("/proc/uptime", "31.00 1.00\n")
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "WATCHDOG_DIR": str(folder), "WATCHDOG_PROC": host.path("/proc"), "WATCHDOG_GRACE": "0.1",
                   "WATCHDOG_KMSG": host.path("/kmsg"), "WATCHDOG_CONSOLE": host.path("/console"),
                   "WATCHDOG_REBOOT": "true", "WATCHDOG_FORCE": "true"}  # fmt: skip
    done = subprocess.run(
        [*shell.split(), "-c", watchdog_switches.script()], env=environment, capture_output=True, timeout=60, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert host.record()["state"] == "reverted_by_watchdog"
    assert [host.boot(), host.boot()] == [stock, stock]
    sizes = {name: len(data) for name, data in host.files().items() if name.startswith("/boot/")}
    assert sizes == {name: len(data) for name, data in armed.items() if name.startswith("/boot/")}


def test_the_watchdog_leaves_a_menu_that_has_changed_alone(tmp_path: Path) -> None:
    host = El6Gnu(tmp_path)
    stock, new = KERNELS[type(host)]
    host.write("/boot/grub/stage2", "some other program")
    host.do("default", stock)
    host.install(new)
    host.do("armed", new, accept_no_fallback=True, confirm_timeout=30)
    host.boot()
    host.write(host.CONFIG, "# one line more\n" + host.text(host.CONFIG))
    menu = host.read(host.CONFIG)
    folder = Path(host.path("/var/lib/realip-toa"))
    (folder / "watchdog.conf").write_text(
        (folder / "watchdog.conf").read_text().replace("rewind=", "rewind=" + host.root)
    )
    host.write("/proc/uptime", "31.00 1.00\n")
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "WATCHDOG_DIR": str(folder), "WATCHDOG_PROC": host.path("/proc"), "WATCHDOG_GRACE": "0.1",
                   "WATCHDOG_KMSG": host.path("/kmsg"), "WATCHDOG_CONSOLE": host.path("/console"),
                   "WATCHDOG_REBOOT": "true", "WATCHDOG_FORCE": "true"}  # fmt: skip
    subprocess.run(["sh", "-c", watchdog_switches.script()], env=environment, check=True, timeout=60)
    assert host.record()["state"] == "reverted_by_watchdog"
    assert host.read(host.CONFIG) == menu
