# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to hosts that stand in configuration files of ssh, and in no inventory. ssh itself says what holds for a host."""

from __future__ import annotations

import glob
import re
import shlex
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FILES = (Path("~/.ssh/config"), Path("/etc/ssh/ssh_config"))
_PROXY = re.compile(r"(?im)^\s*proxy(jump|command)\b")
_INCLUDE = re.compile(r"(?im)^\s*include[\s=]+(.+)$")
_DEEPEST = 8
_SECONDS = 10


def ways(targets: Iterable[str], files: Sequence[Path] = FILES, options: Sequence[str] = ()) -> dict[str, str]:
    """{target: arguments of ssh that would say the same} of those for which the files have a ProxyJump or ProxyCommand.

    Where no file speaks of one, which is the usual case, ssh is not asked at all. `options` are given to it beside the target.
    """
    if not any(_speaks(path.expanduser(), _DEEPEST) for path in files):
        return {}
    asked = sorted({target for target in targets if target and not target.startswith("-")})
    with ThreadPoolExecutor(8) as pool:
        found = zip(asked, pool.map(lambda target: _way(target, options), asked), strict=True)
        return {target: way for target, way in found if way}


def _speaks(path: Path, depth: int) -> bool:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    if _PROXY.search(text) or depth == 0:
        return bool(_PROXY.search(text))
    return any(
        _speaks(Path(name), depth - 1)
        for line in _INCLUDE.findall(text)
        for pattern in line.split()
        for name in glob.glob(str(path.parent / Path(pattern.strip('"')).expanduser()))
    )


def _way(target: str, options: Sequence[str]) -> str:
    try:
        done = subprocess.run(
            ["ssh", "-G", *options, "--", target],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    told = re.search(r"(?m)^(proxyjump|proxycommand) (.+)$", done.stdout)
    return f"-o {shlex.quote(f'{told[1]}={told[2]}')}" if told and told[2] != "none" else ""
