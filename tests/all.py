# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers of `make test`, or with the word `rest` those that `make test-all` adds, three at a time: much of each is waiting for
somebody's answer, and neither of two cores shall idle.

The longest begin first. A layer that fails does not keep the others from saying what they find. Each line of output begins with its layer.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

NOX = [str(Path(sys.executable).with_name("nox")), "-f", str(ROOT / "noxfile.py")]


def layers(part: str) -> list[str]:
    """The sessions of noxfile.py that carry a tag, those first that are long as well."""
    listed = subprocess.run(
        [*NOX, "--list", "--json", "-t", part], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    found = [(entry["session"], "long" in entry["tags"]) for entry in json.loads(listed)]
    if not found:
        raise SystemExit(f"test: no session of noxfile.py has the tag {part}")
    return [name for name, _long in sorted(found, key=lambda entry: not entry[1])]


AT_ONCE = 3
PART = "rest" if "rest" in sys.argv[1:] else "test"
LAYERS = layers(PART)


class Run:
    """The layers still to be run, what has been run, and the processes of those under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = deque(LAYERS)
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self.seconds: dict[str, float] = {}
        self.computed: dict[str, float] = {}
        self.failed: list[str] = []

    def work(self) -> None:
        """Until nothing is left to take."""
        while layer := self._take():
            self._run(layer)

    def stop(self) -> None:
        """End what is under way, in good order."""
        with self._lock:
            self._left.clear()
            for process in self._processes.values():
                os.kill(process.pid, signal.SIGTERM)

    def _take(self) -> str | None:
        with self._lock:
            return self._left.popleft() if self._left else None

    def _run(self, layer: str) -> None:
        begin = time.monotonic()
        process = subprocess.Popen(
            [*NOX, "-s", layer],
            env={**os.environ, "REALIP_READY": "1"},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        with self._lock:
            self._processes[layer] = process
        assert process.stdout is not None
        for line in process.stdout:
            print(f"{layer}: {line}", end="", flush=True)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            # Until here the id is its own, so that `stop` never ends another's process.
            _, status, used = os.wait4(process.pid, 0)
            code = process.returncode = os.waitstatus_to_exitcode(status)
            del self._processes[layer]
            self.seconds[layer] = time.monotonic() - begin
            self.computed[layer] = used.ru_utime + used.ru_stime
            if code != 0:
                self.failed.append(layer)
        print(f"{layer}: {'passed' if code == 0 else f'FAILED ({code})'} after {self.seconds[layer]:.0f} s", flush=True)


def processor() -> tuple[int, int]:
    """(ticks in which something was computed, all ticks) of all cores since the machine came up, by proc(5)."""
    user, nice, system, idle, waiting, *others = map(
        int, Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]
    )
    busy = user + nice + system + sum(others)
    return busy, busy + idle + waiting


def main() -> int:
    """Exit code 0 when every layer passed."""
    run = Run()
    begin, ticks = time.monotonic(), processor()
    workers = [threading.Thread(target=run.work) for _ in range(AT_ONCE)]
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            worker.join()
    except KeyboardInterrupt:
        run.stop()
        for worker in workers:
            worker.join()
    busy, total = (now - then for now, then in zip(processor(), ticks, strict=True))
    # Lab machines are nobody's children: what they compute is in the sum alone.
    print(
        "\n".join(
            f"test: {layer:24} {seconds:5.0f} s, {run.computed[layer]:5.0f} s computed"
            for layer, seconds in run.seconds.items()
        )
    )
    left = [layer for layer in LAYERS if layer not in run.seconds]
    verdict = f"FAILED: {', '.join(run.failed)}" if run.failed else "all passed"
    took = f"{time.monotonic() - begin:.0f} s in all, processors busy {100 * busy / max(total, 1):.0f}%"
    print(f"test: {took}; {verdict}" + (f"; not run: {', '.join(left)}" if left else ""))
    return 1 if run.failed or left else 0


if __name__ == "__main__":
    sys.exit(main())
