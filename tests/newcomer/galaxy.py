# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Ansible Galaxy: its API (version 3) on loopback, with what `ansible-galaxy collection build` makes of this checkout."""

from __future__ import annotations

import hashlib
import http.server
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from tests.newcomer.guide import ROOT


def exported(folder: Path, without: tuple[str, ...] = ()) -> Path:
    """The checkout as somebody has it who clones it: what git knows or would take, links as links, but for folders named in `without`."""
    words = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in filter(None, subprocess.run(words, capture_output=True, check=True).stdout.decode().split("\0")):
        source, target = ROOT / name, folder / name
        if not name.startswith(without) and (source.is_symlink() or source.is_file()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    return folder


def built(checkout: Path, folder: Path) -> Path:
    """The artefact of a collection."""
    words = [
        str(Path(sys.executable).with_name("ansible-galaxy")),
        "collection",
        "build",
        "--output-path",
        str(folder),
        str(checkout),
    ]
    subprocess.run(words, check=True, capture_output=True, timeout=120)
    return next(folder.glob("*.tar.gz"))


class Galaxy:
    """Serves one artefact, called NAMESPACE-NAME-VERSION.tar.gz. A context manager."""

    def __init__(self, artefact: Path) -> None:
        self.content = artefact.read_bytes()
        self.file = artefact.name
        namespace, name, version = artefact.name.removesuffix(".tar.gz").split("-", 2)
        place = f"/api/v3/collections/{namespace}/{name}/"
        about = {
            "namespace": {"name": namespace}, "collection": {"name": name}, "name": name, "version": version, "href": f"{place}versions/{version}/",
            "download_url": f"/download/{self.file}", "artifact": {"sha256": hashlib.sha256(self.content).hexdigest(), "filename": self.file},
            "metadata": {"dependencies": {}}, "signatures": [],
        }  # fmt: skip
        self.answers = {
            "/api/": {"available_versions": {"v3": "v3/"}},
            place: {
                "namespace": namespace,
                "name": name,
                "created_at": "2026-11-22T00:00:00Z",
                "updated_at": "2026-11-22T00:00:00Z",
            },
            f"{place}versions/": {
                "meta": {"count": 1},
                "links": {"next": None},
                "data": [{"version": version, "href": about["href"]}],
            },
            f"{place}versions/{version}/": about,
        }

    def __enter__(self) -> Galaxy:
        galaxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                known = galaxy.answers.get(path)
                body = galaxy.content if path == f"/download/{galaxy.file}" else json.dumps(known or {}).encode()
                self.send_response(200 if known or body is galaxy.content else 404)
                self.send_header("Content-Type", "application/json" if known else "application/octet-stream")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *unused: object) -> None:
                """Nobody reads it."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.server.shutdown()
        self.server.server_close()
