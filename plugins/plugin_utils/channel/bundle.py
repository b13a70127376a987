# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs target modules into one program that any Python from 2.6 to 3.14 can run from its standard input.

The program is made of three parts: a shim that even Python 2.4 can parse, so that an old interpreter answers with
its version instead of a SyntaxError; the call (arguments, nonce, limits), different each time; and the modules,
compressed, the same for every host.
"""

from __future__ import annotations

import ast
import base64
import functools
import json
import re
import textwrap
import typing as t
import zlib
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.realip.toa.plugins.plugin_utils.channel.shrink import shrunk

PACKAGE = "ansible_collections.realip.toa.plugins.module_utils"
TARGET_DIR = Path(__file__).resolve().parents[2] / "module_utils"
RUNNER = "runner"
IMAGE = "inspection.image"
_USUAL_IMPORT = re.compile(
    rb"^from " + PACKAGE.replace(".", r"\.").encode("ascii") + rb"\.([\w.]+) import ", re.MULTILINE
)
# What host/scripts.py is asked for.
_SCRIPT = re.compile(rb"\bscript\(\s*\"([\w/]+\.sh)\"")
_RELATIVE_IMPORT = re.compile(rb"^\s*from\s*\.", re.MULTILINE)

OLDEST_PYTHON = (2, 6)

# The longest answer that is accepted, in bytes of JSON, and the deepest nesting; both ends of the channel check.
ANSWER_LIMIT = 4 << 20

# Nothing but syntax that Python 2.4 knows. "" and "." leave sys.path before the first import that reads a file,
# so that a json.py in the current directory is never run. -S leaves site out; an old virtualenv needs it to find zlib.
# Once the answer is on its way there is nothing to tidy up, which takes Python a tenth of all its time here.
_SHIM = """\
import sys
sys.path[:] = [p for p in sys.path if p not in ("", ".")]
sys.dont_write_bytecode = True
if sys.version_info[:2] < (%(major)d, %(minor)d):
    sys.stdout.write("\\n@realip-toa-old %(nonce)s %%d.%%d.%%d %%s\\n" %% (tuple(sys.version_info[:3]) + (sys.executable,)))
    sys.stdout.flush()
    sys.exit(0)
try:
    import binascii, json, os, zlib
except ImportError:
    import site
    if sys.version_info[0] > 2:
        site.main()
    sys.path[:] = [p for p in sys.path if p not in ("", ".")]
    import binascii, json, os, zlib
call = json.loads(%(call)s)
parts = zlib.decompress(binascii.a2b_base64("%(payload)s")).split("\\0".encode("ascii"))
runner = {"__name__": "realip_toa_runner"}
exec(compile(parts[0], "realip/toa/plugins/module_utils/runner.py", "exec", 0, 1), runner)
runner["serve"]([(parts[i].decode("ascii"), parts[i + 1]) for i in range(1, len(parts), 2)], call)
os._exit(0)
"""

# The same for a program that stays on the host and runs without us: `python programs/monitor.py`.
_ALONE = """\
# realip.toa: %(entry)s; managed, do not edit. Made of plugins/module_utils of the collection, which has it in a readable form.
import os, sys
folder = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [p for p in sys.path if p not in ("", ".") and os.path.abspath(p) != folder]
sys.dont_write_bytecode = True
import binascii, zlib
payload = \"\"\"
%(payload)s
\"\"\"
parts = zlib.decompress(binascii.a2b_base64(payload.encode("ascii"))).split("\\0".encode("ascii"))
runner = {"__name__": "realip_toa_runner"}
exec(compile(parts[0], "realip/toa/plugins/module_utils/runner.py", "exec", 0, 1), runner)
modules = [(parts[i].decode("ascii"), parts[i + 1]) for i in range(1, len(parts), 2)]
runner["run"](modules, {"check": False, "folder": folder})
"""


class BundleError(Exception):
    """Target modules that cannot be packed: a defect of the collection, found before any host is touched."""


@dataclass(frozen=True)
class Program:
    """What is sent to a host, all but the call."""

    entry: str
    modules: tuple[str, ...]
    """Names in the order in which they run; the entry is the last."""
    payload: str
    """zlib and base64."""

    def render(
        self, args: t.Mapping[str, t.Any], nonce: str, timeout: int, image: t.Mapping[str, t.Any] | None = None
    ) -> bytes:
        """The complete program text, ASCII, for one call. `timeout` in seconds; `image`: arguments of inspection.image.enter()."""
        words = {"args": args, "nonce": nonce, "timeout": timeout, "limit": ANSWER_LIMIT}
        call = json.dumps({**words, **({"image": image} if image else {})}, default=str)
        major, minor = OLDEST_PYTHON
        return (
            _SHIM % {"major": major, "minor": minor, "nonce": nonce, "call": repr(call), "payload": self.payload}
        ).encode("ascii")


def alone(entry: str) -> bytes:
    """A program of its own, ASCII, that calls main({"check": False, "folder": where it lies}) of the module `entry`."""
    payload = "\n".join(textwrap.wrap(build(entry).payload, 120))
    return (_ALONE % {"entry": entry, "payload": payload}).encode("ascii")


@functools.cache
def build(entry: str, search: tuple[str, ...] = (), image: bool = False) -> Program:
    """Pack the module `entry` and everything of ours that it imports.

    `search` names folders that are looked into before plugins/module_utils (tests have target modules of their own).
    `image`: with what it takes to work in a root file system that is not running.
    Cached per process; an action builds when it is imported, before Ansible forks its workers.
    """
    folders = [*map(Path, search), TARGET_DIR]
    sources: dict[str, bytes] = {}
    if image:
        _collect(IMAGE, folders, sources, ())
    _collect(entry, folders, sources, ())
    parts = [shrunk(_find(RUNNER, folders).read_bytes())]
    for name, source in sources.items():
        parts += [name.encode("ascii"), source if name.endswith(".sh") else shrunk(source)]
    if any(b"\0" in part for part in parts):
        raise BundleError(f"a module of {entry} contains a NUL byte")
    payload = base64.b64encode(zlib.compress(b"\0".join(parts), 6)).decode("ascii")
    return Program(entry, tuple(sources), payload)


def _collect(name: str, folders: list[Path], sources: dict[str, bytes], chain: tuple[str, ...]) -> None:
    """Add `name` to `sources` after all that it imports."""
    if name in sources:
        return
    if name in chain:
        raise BundleError("target modules import each other in a circle: " + " -> ".join([*chain, name]))
    path = _find(name, folders)
    source = path.read_bytes()
    for wanted in our_imports(source, path):
        _collect(wanted, folders, sources, (*chain, name))
    for script in _SCRIPT.findall(source):
        script_name = script.decode("ascii")
        sources[script_name] = _file(script_name, folders).read_bytes()
    sources[name] = source


def _find(name: str, folders: list[Path]) -> Path:
    return _file(f"{name.replace('.', '/')}.py", folders)


def _file(name: str, folders: list[Path]) -> Path:
    for folder in folders:
        path = folder / name
        if path.is_file():
            return path
    raise BundleError(f"there is no target module {name} in " + ", ".join(map(str, folders)))


def our_imports(source: bytes, path: Path) -> list[str]:
    """Names of the target modules that a source imports, in order; any import that cannot be packed is refused."""
    usual = _USUAL_IMPORT.findall(source)
    if len(usual) == source.count(b"ansible_collections") and not _RELATIVE_IMPORT.search(source):
        # Nothing but imports in the form that all have. To parse two dozen files takes longer than to look at a host.
        return list(dict.fromkeys(name.decode("ascii") for name in usual))
    names: list[str] = []
    tree = ast.parse(source, str(path))
    top_level = set(tree.body)
    for node in _statements(tree.body):
        if isinstance(node, ast.Import):
            if any(alias.name.split(".")[0] == "ansible_collections" for alias in node.names):
                raise _refused(path, node, "an `import` statement")
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise _refused(path, node, "a relative import")
            module = node.module or ""
            if module.split(".")[0] != "ansible_collections":
                continue
            if not module.startswith(PACKAGE + "."):
                raise _refused(path, node, f"an import from {module}")
            if node not in top_level:
                raise _refused(path, node, "an import that is not at top level")
            name = module[len(PACKAGE) + 1 :]
            if name not in names:
                names.append(name)
    return names


def _statements(body: t.Iterable[ast.AST]) -> t.Iterator[ast.AST]:
    """All statements, at any depth: a fifth of all nodes, and no import is anything else."""
    for node in body:
        yield node
        for field in ("body", "orelse", "finalbody", "handlers"):
            yield from _statements(getattr(node, field, ()))


def _refused(path: Path, node: ast.stmt, what: str) -> BundleError:
    return BundleError(
        f"{path}:{node.lineno}: {what} cannot be sent to a host; write `from {PACKAGE}.NAME import X` at top level"
    )
