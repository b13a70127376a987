# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's package mirror: a web server on 127.0.0.1 with the packages under the names the vendors' documents give them.

Machines reach it as http://10.0.2.100/ through QEMU's user network, the controller as http://127.0.0.1:PORT/.
"""

from __future__ import annotations

import http.client
import http.server
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from lab import qemu, ssh
from lab.paths import CHECKOUT, run_dir
from lab.progress import LabError, wait_until


def directory() -> Path:
    """Where the running mirror keeps its port, its process and its log of requests."""
    return run_dir() / "mirror"


def port() -> int | None:
    """The port of the running mirror, or None."""
    return int(_state("port")) if qemu.alive(directory()) else None


def url() -> str | None:
    """The mirror as the controller sees it, or None when it is not running."""
    number = port()
    return f"http://127.0.0.1:{number}" if number else None


def start(files: Path) -> int:
    """Serve the directory `files`; returns the port. A mirror that serves it already goes on, and a restarted one keeps its port."""
    place = directory()
    place.mkdir(parents=True, exist_ok=True)
    if qemu.alive(place) and _state("files") == str(files):
        return int(_state("port"))
    stop()
    number = int(_state("port") or 0) or ssh.free_port()
    (place / "port").write_text(str(number), encoding="ascii")
    (place / "files").write_text(str(files), encoding="utf-8")
    words = [sys.executable, "-m", "lab.mirror", str(number), str(files), str(place / "requests.jsonl")]
    qemu.launch_process(place, words, cwd=CHECKOUT, log=place / "mirror.log")
    wait_until(lambda: not qemu.alive(place) or _answers(number), "the mirror to answer", every=0.05)
    if not qemu.alive(place):
        raise LabError(f"the mirror did not start: {qemu.tail(place / 'mirror.log')}")
    return number


def stop() -> None:
    """End the mirror; nothing where it is not running."""
    qemu.kill(directory())


def _state(name: str) -> str:
    try:
        return (directory() / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def _answers(number: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", number, timeout=5)
    try:
        connection.request("HEAD", "/")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Files of one directory, one line of JSON in the log for each request, and the ways in which downloads go wrong.

    /altered/NAME has one byte changed, /truncated/NAME breaks off in the middle; what is gone is gone at any other path.
    """

    log_file: Path

    def do_GET(self) -> None:
        """The file, or the fault that the first part of the path asks for."""
        fault, _, name = self.path.lstrip("/").partition("/")
        if fault in ("altered", "truncated"):
            self._fail(fault, name)
        else:
            super().do_GET()

    def _fail(self, fault: str, name: str) -> None:
        path = Path(self.translate_path(f"/{name}"))
        if not path.is_file():
            self.send_error(404)
            return
        content = bytearray(path.read_bytes())
        middle = len(content) // 2
        content[middle] ^= 0xFF
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[:middle] if fault == "truncated" else content)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Append the request to the log; one write, so that lines of several threads do not mix."""
        entry: dict[str, Any] = {
            "time": round(time.time(), 3),
            "method": self.command,
            "path": self.path,
            "status": int(code),
        }
        descriptor = os.open(self.log_file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, (json.dumps(entry) + "\n").encode("ascii"))
        finally:
            os.close(descriptor)


def serve(number: int, files: Path, log_file: Path) -> None:
    """Answer on 127.0.0.1:`number` until the process is ended."""
    Handler.log_file = log_file

    def handler(*arguments: Any) -> Handler:
        return Handler(*arguments, directory=str(files))

    with http.server.ThreadingHTTPServer(("127.0.0.1", number), handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
