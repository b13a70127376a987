# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What toa_source adds to the time that make takes for a module: the same source, the same headers, alternating."""

from __future__ import annotations

import base64
import shutil
import statistics
import subprocess
import time
from pathlib import Path

import ledger
import pytest
from ansible_collections.realip.toa.plugins.module_utils.programs import source
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import archive as source_archive

ROOT = Path(__file__).resolve().parents[2]
HEADERS = sorted(Path("/usr/src").glob("linux-headers-*-amd64"))[-1]
RELEASE = HEADERS.name.removeprefix("linux-headers-")
ROUNDS = 5
LIMIT = 1.10


@pytest.fixture
def root(tmp_path):
    """A root with the real headers, and no other module than the one that is built."""
    made = tmp_path / "root"
    for name in ("run", "proc/net", f"lib/modules/{RELEASE}"):
        (made / name).mkdir(parents=True)
    (made / f"lib/modules/{RELEASE}/build").symlink_to(HEADERS)
    return made


def test_a_build_takes_as_long_as_make(root, tmp_path):
    archive = source_archive.take(str(ROOT / "lab" / "module"))
    named = {"url": "toa", "sha256": archive.sha256, "archive": base64.b64encode(archive.data).decode()}
    args = {"root": str(root), "running": RELEASE, "module": "toa", "source": named, "method": "plain", "check": False}

    def make():
        folder = tmp_path / "bare"
        shutil.copytree(ROOT / "lab" / "module", folder)
        begin = time.monotonic()
        subprocess.run(["make", "-C", HEADERS, "-j2", f"M={folder}", "modules"], check=True, capture_output=True)
        took = time.monotonic() - begin
        shutil.rmtree(folder)
        return took

    def ours():
        begin = time.monotonic()
        assert source.main({**args, "state": "present"})["changed"]
        took = time.monotonic() - begin
        source.main({**args, "state": "absent"})
        return took

    make(), ours()
    pairs = [(make(), ours()) for _round in range(ROUNDS)]
    ratio = statistics.median(mine / bare for bare, mine in pairs)
    ledger.put(
        "module build",
        "toa",
        make=[round(bare, 2) for bare, _mine in pairs],
        ours=[round(mine, 2) for _bare, mine in pairs],
    )
    print(
        f"\nmodule build: {statistics.median(mine for _bare, mine in pairs):.2f} s, make alone {statistics.median(bare for bare, _mine in pairs):.2f} s, "
        f"ratio {ratio:.3f} (goal {LIMIT})"
    )
    begin = time.monotonic()
    source.main({**args, "state": "present"})
    built = time.monotonic() - begin
    begin = time.monotonic()
    assert not source.main({**args, "state": "present"})["changed"]
    again = time.monotonic() - begin
    print(f"a second run: {again * 1000:.0f} ms after {built:.2f} s")
    assert ratio <= LIMIT and again < built / 10
