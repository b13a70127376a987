# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundle: what is packed, in which order, and what is refused."""

from __future__ import annotations

import ast
import base64
import json
import subprocess
import sys
import typing as t
import zlib
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.channel import bundle
from ansible_collections.realip.toa.plugins.plugin_utils.channel.bundle import BundleError, Program, build

from tests.found import found

OURS = "from ansible_collections.realip.toa.plugins.module_utils"


@pytest.fixture
def folder(tmp_path: Path) -> t.Iterator[Path]:
    yield tmp_path
    build.cache_clear()


def write(folder: Path, **modules: str) -> tuple[str, ...]:
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(text)
    return (str(folder),)


def run(program: Program, args: dict[str, t.Any], **variables: t.Any) -> str:
    """What a Python prints that gets the program on its stdin."""
    text = program.render(args, "abc", 30)
    return subprocess.run(
        [sys.executable, "-ES", "-"], input=text, capture_output=True, check=True, timeout=60
    ).stdout.decode()


def test_every_entry_of_the_collection_packs() -> None:
    modules = [
        path.relative_to(bundle.TARGET_DIR).with_suffix("").parts for path in found(bundle.TARGET_DIR, "**/*.py")
    ]
    names = [".".join(parts) for parts in modules if parts[-1] != "__init__" and parts != (bundle.RUNNER,)]
    assert "host.io" in names and "programs.plan" in names
    for name in names:
        program = build(name)
        assert program.modules[-1] == name
        assert len(program.payload) < 100_000, (
            "Ansible sends 133 kB for a ping (2.16); a program of ours must stay below that"
        )


def test_modules_come_after_what_they_import(folder: Path) -> None:
    search = write(
        folder,
        top=f"{OURS}.left import a\n{OURS}.right import (\n    b,\n    c,\n)\n",
        left=f"{OURS}.base import a\n",
        right=f"{OURS}.base import a as b\nc = 1\n",
        base="import os\na = 1\n",
    )
    assert build("top", search).modules == ("base", "left", "right", "top")


def test_search_path_comes_first_but_ours_is_found_too(folder: Path) -> None:
    search = write(
        folder, entry=f"{OURS}.host.writing import make_dirs\n{OURS}.state import load\n", state="def load(): pass\n"
    )
    program = build("entry", search)
    assert set(program.modules) == {"host.attributes", "host.pipes", "host.io", "host.writing", "state", "entry"}
    parts = zlib.decompress(base64.b64decode(program.payload)).split(b"\0")
    assert parts[parts.index(b"state") + 1] == b"def load(): pass\n"


def test_a_shell_script_comes_with_the_module_that_leaves_it(folder: Path) -> None:
    """As it stands in its file, but for the head about our sources, and with what the module sets in it."""
    text = '# about our sources\n\n# realip.toa\ndir=/nowhere\necho "$dir" # said\n'
    (folder / "left.sh").write_text(text)
    entry = f'{OURS}.host.scripts import script\nTEXT = script("left.sh", dir="/var/lib/a b")\n\n\ndef main(args):\n    return {{"text": TEXT}}\n'
    program = build("entry", write(folder, entry=entry))
    assert program.modules[-2:] == ("left.sh", "entry")
    told = json.loads(run(program, {}).partition("@realip-toa abc ")[2].partition(" ")[2].partition(" @end")[0])
    assert told["text"] == "#!/bin/sh\n# realip.toa\ndir='/var/lib/a b'\necho \"$dir\" # said\n"


def test_a_shell_script_that_is_not_there_is_a_defect_of_ours(folder: Path) -> None:
    with pytest.raises(BundleError, match=r"missing\.sh"):
        build("entry", write(folder, entry='x = script("missing.sh")\n'))


def test_every_shell_script_is_packed_with_some_program() -> None:
    scripts = {str(path.relative_to(bundle.TARGET_DIR)) for path in found(bundle.TARGET_DIR, "**/*.sh")}
    programs = [
        f"programs.{path.stem}" for path in found(bundle.TARGET_DIR, "programs/*.py") if path.stem != "__init__"
    ]
    packed = {name for program in programs for name in build(program).modules if name.endswith(".sh")}
    assert packed == scripts
    for name in scripts:
        text = (bundle.TARGET_DIR / name).read_text(encoding="ascii")
        assert not text.startswith("#!") and "SPDX-License-Identifier" in text.partition("\n\n")[0], name


def test_packed_once_per_process(folder: Path) -> None:
    search = write(folder, entry="x = 1\n")
    first = build("entry", search)
    (folder / "entry.py").write_text("x = 2\n")
    assert build("entry", search) is first


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("from . import io\n", "relative"),
        ("from .io import run\n", "relative"),
        ("import ansible_collections.realip.toa.plugins.module_utils.host.io\n", "`import` statement"),
        ("from ansible_collections.realip.toa.plugins.module_utils import host\n", "module_utils"),
        ("from ansible_collections.realip.toa.plugins.plugin_utils.channel.call import call\n", "plugin_utils"),
        (f"{OURS}.a.b import c\n", "a.b"),
        (f"def f():\n    {OURS}.host.io import run\n", "top level"),
        (f"if True:\n    {OURS}.host.io import run\n", "top level"),
        (f"{OURS}.nowhere import x\n", "no target module nowhere.py"),
    ],
)
def test_imports_that_cannot_be_packed_are_refused(folder: Path, text: str, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        build("entry", write(folder, entry=text))


def test_circle_is_named(folder: Path) -> None:
    search = write(folder, a=f"{OURS}.b import x\n", b=f"{OURS}.c import x\n", c=f"{OURS}.a import x\n")
    with pytest.raises(BundleError, match="a -> b -> c -> a"):
        build("a", search)


def test_nul_byte_is_refused(folder: Path) -> None:
    (folder / "entry.py").write_bytes(b"x = 1\n")
    (folder / "other.py").write_bytes(b"y = '''\0'''\n")
    with pytest.raises((BundleError, SyntaxError, ValueError)):
        build("other", (str(folder),))


def test_program_runs_and_answers(folder: Path) -> None:
    search = write(
        folder,
        entry="# -*- coding: utf-8 -*-\nNAME = u'caf\u00e9'\ndef main(args):\n    return {'name': NAME, 'args': args}\n",
    )
    args = {"text": 'it\'s "é" \\ \n ☃ 😀 {{ x }} %s %(call)s', "none": None, "list": [1, 2.5, True]}
    out = run(build("entry", search), args)
    body = out.split(" ", 3)[3].rsplit(" @end", 1)[0]
    assert json.loads(body) == {"name": "café", "args": args}


def test_program_is_ascii_whatever_the_arguments_say(folder: Path) -> None:
    search = write(folder, entry="def main(args): return {}\n")
    build("entry", search).render({"text": "é\ud800\0"}, "abc", 1).decode("ascii")


def test_shim_is_syntax_that_python_24_knows() -> None:
    """No Python 2.4 can be had, so: only nodes and names that it has."""
    text = bundle._SHIM % {"major": 2, "minor": 6, "nonce": "abc", "call": "'{}'", "payload": ""}
    allowed = {
        "Module",
        "Import",
        "alias",
        "Assign",
        "Subscript",
        "Slice",
        "Attribute",
        "Name",
        "Load",
        "Store",
        "ListComp",
        "comprehension",
        "Compare",
        "NotIn",
        "Tuple",
        "Constant",
        "If",
        "Lt",
        "Gt",
        "Expr",
        "Call",
        "BinOp",
        "Mod",
        "Add",
        "Try",
        "ExceptHandler",
        "Dict",
    }
    used = {type(node).__name__ for node in ast.walk(ast.parse(text))}
    assert used <= allowed
    handlers = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ExceptHandler)]
    assert all(handler.name is None for handler in handlers), "2.4 has no `except A as e`"
    assert "b'" not in text and 'b"' not in text
    # The last line runs only where the version has been found to be good.
    assert text.index("sys.exit(0)") < text.index("import binascii")


def test_old_python_is_told_apart_before_anything_is_unpacked(folder: Path) -> None:
    program = build("entry", write(folder, entry="def main(args): return {}\n"))
    old = "import sys; sys.version_info = (2, 5, 1); exec(sys.stdin.read())"
    done = subprocess.run(
        [sys.executable, "-c", old], input=program.render({}, "abc", 1), capture_output=True, check=True, timeout=60
    )
    assert done.stdout.decode() == f"\n@realip-toa-old abc 2.5.1 {sys.executable}\n"


def test_python_without_its_library_on_the_path_asks_site(folder: Path) -> None:
    """An old virtualenv, run with -S, knows its library only after `import site`."""
    program = build("entry", write(folder, entry="def main(args): return {}\n"))
    late = (
        "import sys; kept = [p for p in sys.path if p]; "
        "site = type(sys)('site'); site.main = lambda: sys.path.extend(kept); sys.modules['site'] = site; "
        "text = sys.stdin.read(); sys.path[:] = ['']; exec(text)"
    )
    env = {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-ES", "-c", late],
        input=program.render({}, "abc", 30),
        capture_output=True,
        check=False,
        timeout=60,
        env=env,
    )
    assert b"@realip-toa abc 2 {} @end abc" in done.stdout, done.stderr
