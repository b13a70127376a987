# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Habits that code which runs as root must not have, and that no linter knows: how files are written, read and named."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.found import found

ROOT = Path(__file__).resolve().parents[3]
TARGET = ROOT / "plugins" / "module_utils"

# Where a file is opened for writing by hand, and why that is right.
WRITERS = {
    "host/writing.py": "writes the new file that then takes the old one's place",
    "host/foreign_folder.py": "the same, in a folder of somebody else",
    "host/lock.py": "opens without following links, and looks at the owner",
    "host/image_room.py": "in file systems that it has just mounted",
    "host/pipes.py": "/dev/null, for what nobody listens to",
    "host/machine.py": "a word of the boot loader's, by its place on the disk",
    "building/tree.py": "in a folder of root alone (host/own_folder.py)",
    "building/stepwise.py": "in a folder of root alone (host/own_folder.py)",
    "option_filter/trial.py": "in a folder that mkdtemp has made",
    "packaging/download.py": "a partial file with a name that nobody can know, in a folder of root alone",
    "programs/reboot.py": "in /run, when there is nobody left to tell",
    "runner.py": "/dev/null, to read from",
    "testbench/namespace.py": "a device, and sysctls of a network namespace of its own",
    "packaging/database_lock.py": "the package manager's own lock, which is not written",
}
# write_atomic follows links: for files that are not ours alone.
SHARED = {"host/writing.py", "host/machine.py", "packaging/rpm_hold.py", "packaging/default_kernel.py"}


def sources() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(TARGET.rglob("*.py")):
        yield str(path.relative_to(TARGET)), ast.parse(path.read_text(encoding="utf-8"))


def name_of(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{name_of(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield name_of(node.func), node


def opens_to_write(name: str, call: ast.Call) -> bool:
    words = ast.unparse(call)
    if name in ("open", "io.open", "codecs.open"):
        mode = next(
            (
                ast.unparse(item)
                for item in [*call.args[1:2], *(key.value for key in call.keywords if key.arg == "mode")]
            ),
            "'r'",
        )
        return any(letter in mode for letter in "wax+") or not mode.startswith(("'", '"'))
    return name == "os.open" and any(flag in words for flag in ("O_WRONLY", "O_RDWR", "O_CREAT", "O_APPEND"))


def test_files_are_written_in_one_place_but_for_those_that_say_why() -> None:
    writing = {file for file, tree in sources() if any(opens_to_write(name, call) for name, call in calls(tree))}
    assert len(writing) > 3 and writing <= set(WRITERS), writing - set(WRITERS)


def test_links_are_followed_only_where_a_file_is_shared() -> None:
    following = {file for file, tree in sources() if any(name == "write_atomic" for name, _call in calls(tree))}
    following |= {
        file
        for file, tree in sources()
        if any(isinstance(node, ast.Name) and node.id == "write_atomic" for node in ast.walk(tree))
    }
    assert following and following <= SHARED, following - SHARED


def test_a_file_that_is_made_is_made_without_following_a_link() -> None:
    for file, tree in sources():
        for name, call in calls(tree):
            words = ast.unparse(call)
            if name == "os.open" and "O_CREAT" in words:
                assert "O_NOFOLLOW" in words and ("O_EXCL" in words or file == "host/lock.py"), f"{file}: {words}"


FORBIDDEN = {
    "os.system": "run() has no shell",
    "os.popen": "run() has no shell",
    "tempfile.mktemp": "its name is free only until somebody takes it",
    "os.tempnam": "its name is free only until somebody takes it",
    "os.makedirs": "make_dirs() gives modes that do not follow the umask",
    "shutil.copy2": "it follows links",
    "os.access": None,
}


def test_what_is_not_called_at_all() -> None:
    for file, tree in sources():
        for name, call in calls(tree):
            why = FORBIDDEN.get(name)
            assert not why, f"{file}:{call.lineno}: {name}: {why}"
            assert not any(key.arg == "shell" for key in call.keywords), f"{file}:{call.lineno}: shell="


def test_nothing_is_looked_for_and_then_opened() -> None:
    """Between os.path.exists(x) and open(x), somebody may have put something else there: open it, and see."""
    for file, tree in sources():
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef):
                continue
            asked = {
                ast.unparse(call.args[0])
                for name, call in calls(function)
                if name in ("os.path.exists", "os.path.isfile") and call.args
            }
            opened = {
                ast.unparse(call.args[0]) for name, call in calls(function) if name in ("open", "os.open") and call.args
            }
            assert not asked & opened, (
                f"{file}:{function.lineno}: {function.name} asks for {asked & opened} before it opens it"
            )


def test_no_switch_for_tests_is_in_a_script_that_is_left_on_a_host() -> None:
    """A variable of the environment that moves what a script of root's touches is there for whoever can set one."""
    scripts = [(path.name, path.read_text(encoding="utf-8")) for path in found(TARGET, "**/*.sh")]
    scripts += [
        (file, node.value)
        for file, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("#!/bin/sh")
    ]
    for file, text in scripts:
        for switch in ("WATCHDOG_", "TEST_", "REALIP_"):
            assert f"${{{switch}" not in text, f"{file}: a script reads {switch}... out of its environment"
