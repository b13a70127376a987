# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parsers of grub_config against GRUB itself: one machine boots a chain of menus and says which entry it took in each.

GRUB runs in QEMU from a disk of its own, reads and writes environment blocks on an ext2 file system on a second one, and each entry
tells its release on the serial line before it goes on to the next menu. No kernel is started.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit" / "target"))
import fake_hosts
from ansible_collections.realip.toa.plugins.module_utils.bootloader.environment import parse_grubenv
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_script import boot_order, run_grub_cfg
from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import entry_of_release

GRUB_MODULES = "biosdisk ext2 normal configfile echo test true serial terminal halt loadenv reboot"
# GRUB refuses to nest configurations much deeper than this; the machine starts anew then.
CHAIN = 12
A, B, C = "4.4.87.toa", "4.4.0-210-generic", "3.16.0-11-amd64"


def entry(title: str, identity: str, release: str) -> str:
    name = f" $menuentry_id_option '{identity}'" if identity else ""
    return f"menuentry '{title}' --class os{name} {{\n\techo BOOTS {release} END\n\tconfigfile $next_case\n\tlinux /boot/vmlinuz-{release} ro\n}}\n"


def submenu(title: str, identity: str, *entries: str) -> str:
    return f"submenu '{title}' $menuentry_id_option '{identity}' {{\n{''.join(entries)}}}\n"


MENU = (
    entry("Ubuntu", "gnulinux-simple-1", A)
    + submenu(
        "Advanced options for Ubuntu", "gnulinux-advanced-1",
        entry(f"Ubuntu, with Linux {A}", f"gnulinux-{A}-advanced-1", A),
        entry(f"Ubuntu, with Linux {B}", f"gnulinux-{B}-advanced-1", B),
        submenu("Older", "older", entry("first", "o1", B), entry("second", "o2", C)),
    )
    + entry("a > b", "", C)
    + entry("say hi", "", C)
)  # fmt: skip
SAVED, FIRST = "${saved_entry}", "0"
SPECS = [
    "0", "1", "1>0", "1>1", "1>2", "1>2>1", "1>99", "99", "2", "no such entry", "Ubuntu", "Advanced options for Ubuntu>1",
    f"gnulinux-advanced-1>gnulinux-{B}-advanced-1", f"Advanced options for Ubuntu>Ubuntu, with Linux {B}", f"gnulinux-{B}-advanced-1",
    "gnulinux-advanced-1>older>o2", "gnulinux-advanced-1>Older>second", "gnulinux-advanced-1>older", "a >> b", "a > b", "say hi", "1>",
    "gnulinux-advanced-1>nothing", ">1", "Ubuntu>x",
]  # fmt: skip
SCRIPT = f"""
function pick {{ set default=2; }}
x="a b"; set y="${{x}}c"
if [ "$y" = 'a bc' -a -n "$feature_menuentry_id" ] ; then
  if [ -z "$nothing" ]; then pick; fi
elif true; then set default=0
else set default=1; fi  # a comment; set default=1
if [ 2 -gt 10 -o ! a = a ]; then set default=3; fi
{entry("zero", "", A)}{entry("one", "", B)}{entry("two", "", C)}{entry("three", "", A)}
"""
UNDER_WRAPS = """
if [ "${boot_counter}" -a "${boot_success}" = "0" ]; then
  if [ "${boot_counter}" = "0" -o "${boot_counter}" = "-1" ]; then set default=3; set boot_counter=-1; fi
  save_env boot_counter
fi
"""

# (name, text after the usual header, value of `default` in the header, environment block or None)
CASES: list[tuple[str, str, str, dict[str, str] | None]] = [
    *((f"saved {spec}", MENU, SAVED, {"saved_entry": spec}) for spec in SPECS),
    ("number in the configuration", MENU, "1>1", {"saved_entry": "0"}),
    ("no block", MENU, SAVED, None),
    ("empty block", MENU, SAVED, {}),
    ("armed", MENU, SAVED, {"saved_entry": "1>1", "next_entry": "gnulinux-advanced-1>older>o2"}),
    ("armed over a number", MENU, FIRST, {"next_entry": "1>1"}),
    ("armed by old grub", MENU, SAVED, {"saved_entry": "1>2>1", "prev_saved_entry": "1>1"}),
    ("protected characters", MENU, SAVED, {"saved_entry": "1>1", "note": "back\\slash"}),
    ("script", SCRIPT, FIRST, {}),
    ("boot counting, used up", UNDER_WRAPS + MENU, FIRST, {"boot_counter": "0", "boot_success": "0"}),
    ("boot counting, good", UNDER_WRAPS + MENU, FIRST, {"boot_counter": "0", "boot_success": "1"}),
]


def text_of(place: int) -> str:
    name, body, default, _env = CASES[place]
    header = (fake_hosts.GRUB_HEADER % default).split("function load_video")[0]
    following = place + 1
    after = f"c{following}/grub.cfg" if following % CHAIN else f"again{following}.cfg"
    after = "(hd1)/" + (after if following < len(CASES) else "end.cfg")
    return f"set prefix=(hd1)/c{place}\nset next_case={after}\nexport next_case\n{header}set timeout=0\n{body}"


def block_of(env: dict[str, str]) -> str:
    return fake_hosts.grubenv(**{name: value.replace("\\", "\\\\") for name, value in env.items()})


@pytest.fixture(scope="module")
def booted(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], dict[int, str]]:
    """Releases that GRUB booted, in order, and the environment blocks it left, by number of the case."""
    folder = tmp_path_factory.mktemp("grub")
    tree = folder / "tree"
    for place, (_name, _body, _default, env) in enumerate(CASES):
        case = tree / f"c{place}"
        case.mkdir(parents=True)
        (case / "grub.cfg").write_text(text_of(place))
        if env is not None:
            (case / "grubenv").write_text(block_of(env))
    for place in range(CHAIN, len(CASES), CHAIN):
        (tree / f"again{place}.cfg").write_text(f"set start=c{place}\nsave_env -f (hd1)/start start\nreboot\n")
    (tree / "start").write_text(fake_hosts.grubenv(start="c0"))
    (tree / "end.cfg").write_text("echo CHAIN ENDS\nhalt\n")
    early = folder / "early.cfg"
    early.write_text(
        "serial --unit=0 --speed=115200\nterminal_output serial\nterminal_input serial\n"
        "load_env -f (hd1)/start\nconfigfile (hd1)/$start/grub.cfg\n"
    )
    core = folder / "core.img"
    subprocess.run(
        ["grub-mkimage", "-O", "i386-pc", "-o", core, "-p", "(hd1)/", "-c", early, *GRUB_MODULES.split()], check=True
    )
    disk, files = folder / "disk", folder / "files"
    disk.write_bytes((Path("/usr/lib/grub/i386-pc/boot.img").read_bytes() + core.read_bytes()).ljust(2 << 20, b"\0"))
    files.write_bytes(b"")
    subprocess.run(["mke2fs", "-q", "-t", "ext2", "-d", tree, files, "8M"], check=True)
    said = folder / "serial"
    subprocess.run(
        ["qemu-system-x86_64", "-accel", "tcg", "-m", "128", "-display", "none", "-monitor", "none", "-nic", "none", "-serial", f"file:{said}",
         "-drive", f"file={disk},format=raw,if=ide", "-drive", f"file={files},format=raw,if=ide"],
        check=True, timeout=180, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    output = said.read_text(errors="replace")
    assert "CHAIN ENDS" in output, output[-2000:]
    blocks = {}
    for place, (_name, _body, _default, env) in enumerate(CASES):
        if env is not None:
            blocks[place] = subprocess.run(
                ["debugfs", "-R", f"cat /c{place}/grubenv", files], check=True, capture_output=True, text=True
            ).stdout
    return [part.split(" END")[0].strip() for part in output.split("BOOTS ")[1:]], blocks


def test_every_menu_was_booted_once(booted: tuple[list[str], dict[int, str]]) -> None:
    assert len(booted[0]) == len(CASES)


@pytest.mark.parametrize("place", range(len(CASES)), ids=[case[0] for case in CASES])
def test_grub_boots_what_the_parser_says(booted: tuple[list[str], dict[int, str]], place: int) -> None:
    releases, blocks = booted
    env = CASES[place][3]
    given = parse_grubenv(block_of(env)) if env is not None else None
    assert given == env
    order = boot_order(text_of(place), given)
    assert releases[place] == (order["next"] or order["default"])["release"]
    if env is not None:
        assert parse_grubenv(blocks[place]) == run_grub_cfg(text_of(place), given)["env"]


def test_what_is_armed_by_our_spec_is_what_grub_boots(booted: tuple[list[str], dict[int, str]]) -> None:
    """entry_of_release names a kernel by ids; that very form is among the cases, with the release that GRUB booted."""
    entries = run_grub_cfg(text_of(0))["entries"]
    spec = entry_of_release(entries, B)["spec"]
    place = [case[0] for case in CASES].index(f"saved {spec}")
    assert booted[0][place] == B
