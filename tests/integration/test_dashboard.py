# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/monitoring: the rules by promtool, the dashboard by Grafana's own types, its queries by a real Prometheus that a real monitor feeds."""

from __future__ import annotations

import functools
import http.server
import json
import re
import subprocess
import threading
import time
import typing as t
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from ebpf_stage import EbpfStage
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import dashboard as grafana
from sshd import ROOT, _free_port
from test_monitor import metrics, monitor

FOLDER = ROOT / "docs" / "monitoring"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())
QUERIES = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel["targets"]]


def test_the_rules() -> None:
    """Prometheus takes them, and they fire for what they are about and for nothing else."""
    for words in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run(["promtool", *words], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stdout + done.stderr


def test_every_rule_is_tried() -> None:
    rules = [
        rule["alert"]
        for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
        for rule in group["rules"]
    ]
    tests = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert rules and set(rules) == fired


def test_the_dashboard_is_one_for_grafana() -> None:
    """Read and written again by Grafana's own types it is the same: nothing in it that Grafana does not know."""
    register_default_plugins()
    again = json.loads(JSONEncoder(sort_keys=True).encode(grafana.Dashboard.from_json(DASHBOARD)))
    assert lost(DASHBOARD, again) == []
    broken = json.loads(json.dumps(DASHBOARD))
    broken["panels"][0]["gridPosition"] = broken["panels"][0].pop("gridPos")
    assert lost(broken, json.loads(JSONEncoder(sort_keys=True).encode(grafana.Dashboard.from_json(broken))))


def lost(mine: t.Any, theirs: t.Any, at: str = "") -> list[str]:
    """What of one value another does not have."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return [
            found
            for key, value in mine.items()
            for found in ([f"{at}/{key}"] if key not in theirs else lost(value, theirs[key], f"{at}/{key}"))
        ]
    if isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        return [
            found
            for number, pair in enumerate(zip(mine, theirs, strict=True))
            for found in lost(*pair, f"{at}/{number}")
        ]
    return [] if mine == theirs else [at]


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus that has scraped what the monitor of a rolled-out host has written."""
    folder = tmp_path_factory.mktemp("prometheus")
    with EbpfStage(folder / "host") as stage:
        stage.ebpf()
        assert monitor(stage)["changed"]
        assert metrics(stage)["realip_toa_translating"] == 1
        (folder / "metrics").write_text(stage.sh("cat /var/lib/node_exporter/textfile_collector/realip_toa.prom"))
    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    config = {
        "global": {"scrape_interval": "1s"},
        "rule_files": [str(FOLDER / "alerts.yml")],
        "scrape_configs": [
            {"job_name": "node", "static_configs": [{"targets": [f"127.0.0.1:{server.server_address[1]}"]}]}
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = _free_port()
    words = [
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(["prometheus", *words], stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 60
        while not _ready(address):
            assert time.monotonic() < until and process.poll() is None, (folder / "log").read_text()
            time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(30)
        server.shutdown()
        server.server_close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *unused: object) -> None:
        pass


def _ready(address: str) -> bool:
    try:
        return (
            len(ask(address, "realip_toa_translating")) == 1
            and len(ask(address, "count_over_time(realip_toa_translating[1m]) >= 3")) == 1
        )
    except OSError:
        return False


def ask(address: str, query: str) -> list[t.Any]:
    with urllib.request.urlopen(
        f"{address}/api/v1/query?{urllib.parse.urlencode({'query': query})}", timeout=10
    ) as answer:
        found = json.load(answer)
    assert found["status"] == "success", found
    return found["data"]["result"]


@pytest.mark.parametrize(("title", "query"), QUERIES, ids=[title for title, _query in QUERIES])
def test_the_queries(prometheus: str, title: str, query: str) -> None:
    """Each is answered by a Prometheus that knows one healthy host; what nothing is wrong with has no rows."""
    found = ask(prometheus, query.replace("$instance", ".*").replace("[5m]", "[10s]"))
    assert bool(found) == (title != "Drift"), found
    values = {"Hosts that translate": "1", "Hosts that do not": "0", "Hosts that have drifted": "0"}
    if title in values:
        assert found[0]["value"][1] == values[title]


def test_every_metric_of_the_files_is_one_of_the_monitor(prometheus: str) -> None:
    used = set(re.findall(r"realip_toa_[a-z_]+", json.dumps(DASHBOARD) + (FOLDER / "alerts.yml").read_text()))
    known = set(re.findall(r"`(realip_toa_[a-z_]+)", Path(ROOT, "docs", "monitoring.md").read_text()))
    assert used and used <= known
