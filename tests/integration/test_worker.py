# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible's worker of one host need not do, because it is the same for all of them and was done before the fork."""

from __future__ import annotations

import json
from pathlib import Path

from sshd import Controller

# Loaded by every Python of the run. Which of yaml's entry points is called does not matter: each makes a loader.
WATCHER = """
import multiprocessing, os, yaml
def watch(loader):
    old = loader.__init__
    def made(self, stream):
        who = "worker" if multiprocessing.parent_process() else "main"
        with open(os.environ["TOA_TEST_YAML"], "a") as file:
            file.write(who + chr(10))
        old(self, stream)
    loader.__init__ = made
for name in ("Loader", "SafeLoader", "CLoader", "CSafeLoader", "FullLoader"):
    if hasattr(yaml, name):
        watch(getattr(yaml, name))
"""
LOCK = {"packages": [{"file": "linux-image-4.4.87.toa_1.0_amd64.deb", "url": "", "size": 1, "sha256": "0" * 64}]}
KERNEL = {
    "key": "own", "vendor": "tencent", "backend": "source_kernel", "match": {"id": "debian", "major": 12, "arch": "x86_64"},
    "release": "6.1.99.toa", "module": "toa", "option_kinds": ["200/8"], "format": "deb", "packages": [{"role": "image", "file": "own_1_amd64.deb"}],
}  # fmt: skip


def test_a_worker_parses_no_yaml(core: str, tmp_path: Path) -> None:
    """The worker of a plan, with a lock file and a catalog of the operator's own, as real fleets have them."""
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks/sitecustomize.py").write_text(WATCHER)
    (tmp_path / "toa.lock.yml").write_text(json.dumps(LOCK))
    (tmp_path / "toa.catalog.yml").write_text(json.dumps([KERNEL]))
    log = tmp_path / "yaml.log"
    settings = {"PYTHONPATH": str(tmp_path / "hooks"), "TOA_TEST_YAML": str(log)}
    hosts = {f"web{number}": {"ansible_connection": "local"} for number in range(2)}
    assume = {"os_release": "ID=debian\nVERSION_ID=12\n", "kernel": "6.1.0-18-amd64", "arch": "x86_64"}
    args = {"assume": assume, "trusted_sources": "all", "backends": ["source_kernel"]}
    run = Controller(core, tmp_path, settings).task(hosts, "realip.toa.toa_plan", args)
    assert run.rc == 0 and [result["status"] for result in run.results] == ["ok", "ok"], run.output
    assert "own_1_amd64.deb" in json.dumps(run.results), "the catalog was not read"
    parsed = log.read_text().split()
    assert "main" in parsed, "nothing was watched"
    assert "worker" not in parsed
