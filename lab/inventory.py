# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as an Ansible inventory."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path
from typing import Any

from lab import qemu, ssh
from lab.hosts import HOSTS


def build(ports: dict[str, int], known_hosts: Path, mirror_url: str | None) -> dict[str, Any]:
    """The inventory of running machines, `{name: SSH port of 127.0.0.1}`, as Ansible's YAML format has it.

    toa_package_mirror is the mirror as the machines see it, toa_lock_mirror as the controller sees it.
    """
    hosts = {
        name: {
            "ansible_port": port,
            "lab_dressed_as": HOSTS[name].dressed_as,
            "lab_stock_kernel": HOSTS[name].kernel,
            **HOSTS[name].variables,
        }
        for name, port in ports.items()
    }
    variables = {
        "ansible_host": "127.0.0.1",
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(ssh.login_key()),
        "ansible_ssh_common_args": shlex.join(ssh.options(known_hosts)),
        # Nothing but the tests reaches the machines: their network is closed (lab/qemu.py).
        "toa_trusted_sources": "all",
        "toa_package_mirror": f"http://{qemu.MIRROR_ADDRESS}",
        # Beside the machines they are about, whatever the current directory of a run is.
        "toa_lockfile": str(known_hosts.with_name("toa.lock.yml")),
        "toa_report_dir": str(known_hosts.with_name("reports")),
    }
    if mirror_url:
        variables["toa_lock_mirror"] = mirror_url
    return {"lab": {"hosts": hosts, "vars": variables}}


def as_list(inventory: dict[str, Any]) -> str:
    """The same, as an inventory script answers --list."""
    group = inventory["lab"]
    answer = {
        "lab": {"hosts": sorted(group["hosts"]), "vars": group["vars"]},
        "_meta": {"hostvars": group["hosts"]},
    }
    return json.dumps(answer, indent=2, sort_keys=True)


def as_yaml(inventory: dict[str, Any]) -> str:
    """The same, as a file. JSON is YAML, and needs no library."""
    return (
        "# Written by lab/lab for the machines that are running.\n"
        + json.dumps(inventory, indent=2, sort_keys=True)
        + "\n"
    )


def replace(path: Path, text: str) -> None:
    """Write a file so that nobody ever reads half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
