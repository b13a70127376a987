# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every layer, in two lanes: what computes on this machine beside what waits for emulated ones, so that neither of two cores idles.

A lane takes its own layers in order; one that has nothing left takes from the end of the other's. A layer that fails does not keep the
others from saying what they find. Each line of output begins with its layer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

NOX = [str(Path(sys.executable).with_name("nox")), "-f", str(ROOT / "noxfile.py")]


def layers(tag: str) -> list[str]:
    """The sessions of noxfile.py that carry a tag, in its order."""
    listed = subprocess.run([*NOX, "--list", "--json", "-t", tag], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [entry["session"] for entry in json.loads(listed)]


HERE, MACHINES = layers("here"), layers("machines")


class Run:
    """The layers still to be run, what has been run, and the processes of those under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lanes = (deque(HERE), deque(MACHINES))
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self.seconds: dict[str, float] = {}
        self.failed: list[str] = []

    def lane(self, number: int) -> None:
        """Work until nothing is left to take."""
        while layer := self._take(number):
            self._run(layer)

    def stop(self) -> None:
        """End what is under way, in good order."""
        with self._lock:
            for lane in self._lanes:
                lane.clear()
            for process in self._processes.values():
                process.terminate()

    def _take(self, number: int) -> str | None:
        with self._lock:
            own, other = self._lanes[number], self._lanes[1 - number]
            return own.popleft() if own else other.pop() if other else None

    def _run(self, layer: str) -> None:
        begin = time.monotonic()
        process = subprocess.Popen(
            [*NOX, "-s", layer], env={**os.environ, "REALIP_READY": "1"},
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )
        with self._lock:
            self._processes[layer] = process
        assert process.stdout is not None
        for line in process.stdout:
            print(f"{layer}: {line}", end="", flush=True)
        code = process.wait()
        with self._lock:
            del self._processes[layer]
            self.seconds[layer] = time.monotonic() - begin
            if code != 0:
                self.failed.append(layer)
        print(f"{layer}: {'passed' if code == 0 else f'FAILED ({code})'} after {self.seconds[layer]:.0f} s", flush=True)


def main() -> int:
    """Exit code 0 when every layer passed."""
    run = Run()
    begin = time.monotonic()
    lanes = [threading.Thread(target=run.lane, args=(number,)) for number in (0, 1)]
    for lane in lanes:
        lane.start()
    try:
        for lane in lanes:
            lane.join()
    except KeyboardInterrupt:
        run.stop()
        for lane in lanes:
            lane.join()
    print("\n".join(f"test: {layer:24} {seconds:5.0f} s" for layer, seconds in run.seconds.items()))
    left = [layer for layer in (*HERE, *MACHINES) if layer not in run.seconds]
    verdict = f"FAILED: {', '.join(run.failed)}" if run.failed else "all passed"
    print(f"test: {time.monotonic() - begin:.0f} s in all; {verdict}" + (f"; not run: {', '.join(left)}" if left else ""))
    return 1 if run.failed or left else 0


if __name__ == "__main__":
    sys.exit(main())
