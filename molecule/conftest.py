# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the testinfra tests of all scenarios share."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.hosts import HOSTS


def pytest_configure(config):
    """One login for all commands on a host: testinfra asks ssh for that, and does not say where."""
    config.logins = tempfile.TemporaryDirectory(prefix="ssh-")
    os.environ["ANSIBLE_SSH_EXTRA_ARGS"] = f"-o ControlPath={config.logins.name}/%p"


def pytest_unconfigure(config):
    """Log out."""
    for login in Path(config.logins.name).iterdir():
        subprocess.run(["ssh", "-O", "exit", "-o", f"ControlPath={login}", "lab"], capture_output=True, check=False)
    config.logins.cleanup()


@pytest.fixture
def name(host):
    """Name of the host in the inventory."""
    return host.backend.get_pytest_id().rpartition("/")[2]


@pytest.fixture
def machine(name):
    """What the lab says of the host: lab.hosts.Host, with the names of its kernels."""
    return HOSTS[name]


@pytest.fixture
def modules(host):
    """Names of the modules that the kernel has loaded."""
    return {line.split()[0] for line in host.file("/proc/modules").content_string.splitlines()}


@pytest.fixture
def translated(host):
    """How many connections a TOA module has translated since it was loaded, over all processors."""

    def of(module):
        lines = host.file(f"/proc/net/{module}_stats").content_string.splitlines()
        return sum(
            int(count)
            for line in lines
            if line.startswith("syn_recv_sock_toa")
            for count in line.split()[1:]
            if count.isdigit()
        )

    return of


@pytest.fixture
def default_kernel(host, machine):
    """Title of the entry that the boot loader takes by itself; there is no one-shot entry beside it."""
    if machine.loader == "grub_legacy":
        menu = host.file("/boot/grub/grub.conf").content_string.splitlines()
        (number,) = [int(line.removeprefix("default=")) for line in menu if line.startswith("default=")]
        return [line for line in menu if line.startswith("title ")][number]
    tool = "grub2-editenv list" if machine.loader == "grub2_el" else "grub-editenv /boot/grub/grubenv list"
    settings = dict(line.split("=", 1) for line in host.check_output(tool).splitlines())
    # GRUB leaves a spent one-shot entry behind as an empty one.
    assert not settings.get("next_entry")
    return settings["saved_entry"]


@pytest.fixture(scope="module")
def proof(host):
    """The proof that an operator would run, for Tencent's format; once, for all tests of a file that look at it."""
    return host.ansible("realip.toa.toa_probe", "option_kinds=200/8", check=False)["probe"]
