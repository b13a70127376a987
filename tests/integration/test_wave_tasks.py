# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example of docs/rollout.md, as it is printed there, against a real Prometheus: a host that answers with errors is taken back."""

from __future__ import annotations

import http.server
import itertools
import json
import re
import shutil
import socket
import subprocess
import threading
import time
import typing as t
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from fleet import ROOT, STOCK, TOA, Fleet
from sshd import cores

NEWEST = cores()[-1]
PROMETHEUS = shutil.which("prometheus")
BAD = "web02"

pytestmark = pytest.mark.skipif(
    PROMETHEUS is None, reason="needs the Debian package prometheus (tests/apt-packages.txt)"
)


class Metrics(http.server.BaseHTTPRequestHandler):
    """What the servers of the fleet count: of a hundred requests, the bad one answers five with an error."""

    scrapes = itertools.count(1)

    def do_GET(self) -> None:
        number = next(self.scrapes)
        lines = [
            f'http_requests_total{{instance="web{host:02}",code="{code}"}} {number * share}'
            for host in range(1, 5)
            for code, share in (("200", 95), ("503", 5 if f"web{host:02}" == BAD else 0))
        ]
        body = ("# TYPE http_requests_total counter\n" + "\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: t.Any) -> None:
        pass


@pytest.fixture
def prometheus(tmp_path: Path) -> t.Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metrics)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    job = {
        "job_name": "web", "honor_labels": True, "scrape_interval": "1s",
        "static_configs": [{"targets": [f"127.0.0.1:{server.server_port}"]}],
    }  # fmt: skip
    (tmp_path / "prometheus.yml").write_text(json.dumps({"scrape_configs": [job]}))
    with open(tmp_path / "log", "wb") as log:
        child = subprocess.Popen(
            [str(PROMETHEUS), f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data", f"--web.listen-address={address}"],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        wait_for_rates(f"http://{address}", tmp_path / "log")
        yield f"http://{address}"
    finally:
        child.terminate()
        child.wait(30)
        server.shutdown()


def wait_for_rates(url: str, log: Path) -> None:
    """Until it has scraped twice, so that there is a rate."""
    query = urllib.parse.quote("rate(http_requests_total[10m]) > 0")
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"{url}/api/v1/query?query={query}", timeout=5) as answer:
                if json.load(answer)["data"]["result"]:
                    return
        except OSError:
            pass
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def example() -> str:
    """wave.yml, out of the page."""
    blocks = re.findall(r"```yaml\n(# wave\.yml.*?)```", (ROOT / "docs" / "rollout.md").read_text(), re.DOTALL)
    assert len(blocks) == 1
    return t.cast(str, blocks[0])


def test_the_example_takes_back_what_answers_with_errors(tmp_path: Path, prometheus: str) -> None:
    (tmp_path / "fleet").mkdir()
    with Fleet(tmp_path / "fleet", 62, 4) as fleet:
        (fleet.folder / "wave.yml").write_text(example())
        run, report = fleet.play(
            NEWEST, toa_waves=[1, 2, 1], toa_wave_tasks=str(fleet.folder / "wave.yml"), prometheus=prometheus
        )
        states = {name: entry["state"] for name, entry in report.items()}
        assert run.rc != 0 and states == {
            "web01": "proved", BAD: "failed", "web03": "proved", "web04": "waiting",
        }, run.output  # fmt: skip
        assert report[BAD]["code"] == "went_bad" and fleet.host(BAD)["kernel"] == STOCK
        assert fleet.host("web03")["kernel"] == TOA and not fleet.hooks("web04")
