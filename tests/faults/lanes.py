# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole fault matrix in two lanes, each with lab machines of its own, so that neither of two cores idles. Words are handed to pytest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from cases import LANES

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# pytest's, for a lane in which nothing was to be run.
NOTHING_TO_RUN = 5


def main(words: list[str]) -> int:
    """Exit code 0 when every row is green."""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder, "results")
        results.touch()
        codes: dict[str, int] = {}
        lanes = [threading.Thread(target=_lane, args=(lane, words, results, codes)) for lane in LANES]
        for thread in lanes:
            thread.start()
        for thread in lanes:
            thread.join()
        rows = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    width = max((len(row[0]) for row in rows), default=0)
    print("fault matrix")
    for name, result, ended, seconds in rows:
        print(f"{name:{width}}  {result:5}  {seconds:5.0f} s  {ended}")
    bad = sum(row[1] != "ok" for row in rows)
    print(f"{len(rows)} rows, {len(rows) - bad} green")
    return int(bad > 0 or not rows or any(code not in (0, NOTHING_TO_RUN) for code in codes.values()))


def _lane(lane: str, words: list[str], results: Path, codes: dict[str, int]) -> None:
    run = Path(os.environ.get("REALIP_LAB_RUN") or ROOT / ".lab") / f"faults-{lane}"
    environment = {**os.environ, "REALIP_LAB_RUN": str(run), "REALIP_FAULTS_RESULTS": str(results)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--lane", lane, str(HERE), *words]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    for line in process.stdout:
        print(f"{lane}: {line}", end="", flush=True)
    codes[lane] = process.wait()
    subprocess.run([str(ROOT / "lab" / "lab"), "down"], env=environment, check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
