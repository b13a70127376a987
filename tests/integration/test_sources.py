# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists of the load balancers' networks that a vendor publishes: fetched by lock, reviewed, trusted, and found to be old."""

from __future__ import annotations

import functools
import http.server
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from sshd import ROOT, VENVS

CORE = "core-2.21"


@pytest.fixture
def vendor(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """(the folder that a web server serves, its address)."""
    (tmp_path / "www").mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "www"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield tmp_path / "www", f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def play(folder: Path, playbook: str, *options: str) -> str:
    done = subprocess.run(
        [VENVS / CORE / "bin/ansible-playbook", "-i", "inventory.yml", f"realip.toa.{playbook}", *options],
        cwd=folder, capture_output=True, text=True, check=False, timeout=300,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": f"{ROOT}/collections", "ANSIBLE_NOCOLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def plan(folder: Path) -> tuple[dict[str, str], str]:
    """{code: message} of the one host, and what the terminal says. Nothing is changed on it."""
    output = play(folder, "plan")
    (host,) = json.loads((folder / "reports/plan.json").read_text())["hosts"]
    return {item["code"]: item["message"] for item in host["reasons"]}, output


def test_fetched_reviewed_trusted_and_old(tmp_path: Path, vendor: tuple[Path, str]) -> None:
    served, address = vendor
    (served / "ips").write_text("198.51.100.0/24\n203.0.113.0/25\n")
    (served / "api").write_text('{"ips": [{"cidr": "2001:db8::/32"}]}')
    lists = [f"{address}/ips", {"url": f"{address}/api", "select": "ips[].cidr"}]
    host = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3"}
    known = {"all": {"hosts": {"web1": host}, "vars": {"toa_vendor": "tencent", "toa_trusted_sources_url": lists}}}
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump(known))

    said, _output = plan(tmp_path)
    assert "run the playbook realip.toa.lock" in said["sources_not_reviewed"] and "spoofable" in said

    output = play(tmp_path, "lock")
    assert f"{address}/ips: 2 networks, not reviewed before" in output
    kept = tmp_path / "toa.sources.yml"
    assert yaml.safe_load(kept.read_text())["sources"][f"{address}/api"]["networks"] == ["2001:db8::/32"]
    said, _output = plan(tmp_path)
    assert not {"spoofable", "sources_not_reviewed", "sources_old"} & set(said)

    (served / "ips").write_text("198.51.100.0/24\n192.0.2.128/25\n")
    before = kept.read_text()
    for options in (("--check",), ()):
        assert kept.read_text() == before
        output = play(tmp_path, "lock", *options)
        assert f"{address}/ips, since " in output and "new 192.0.2.128/25; gone 203.0.113.0/25" in output
    assert "192.0.2.128/25" in kept.read_text()

    fetched = str(yaml.safe_load(kept.read_text())["sources"][f"{address}/ips"]["fetched"])
    kept.write_text(kept.read_text().replace(fetched, "2020-02-29"))
    said, output = plan(tmp_path)
    assert (
        "days ago" in said["sources_old"] and "warning: web1: the list of trusted sources in toa.sources.yml" in output
    )
