# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From source, at full length: the lab's machines, and this one as the build host. `make lab-source`."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
_spec = importlib.util.spec_from_file_location("lab_machines_of_tests", HERE.parent / "lab" / "conftest.py")
_module = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = _module
_spec.loader.exec_module(_module)
Lab, ROOT = _module.Lab, _module.ROOT

from lab import kernel_source, kernels, qemu  # noqa: E402 found by tests/conftest.py


class BuildHost:
    """This machine, and where what it builds is published: the lab's mirror, a lock file, a catalog."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mirror = kernels.mirror_dir() / f"built-{os.getpid()}"
        self.tree = kernel_source.stock_tree(folder)
        self.patch = folder / "toa.patch"
        self.patch.write_text(kernel_source.toa_patch())
        self.published = {
            "toa_lockfile": str(folder / "toa.lock.yml"),
            "toa_catalog_file": str(folder / "toa.catalog.yml"),
        }

    def build(self, source: Path, **options: Any) -> str:
        """Play realip.toa.build_kernel, as an operator would; returns what it said. The options are those of toa_kernel."""
        kernel = {
            "source": str(source),
            "mirror_dir": str(self.mirror),
            "patches": [str(self.patch)],
            "work": str(self.folder / "work"),
            **options,
        }
        variables = {
            "toa_hosts": "builder",
            "ansible_python_interpreter": sys.executable,
            "toa_kernel": kernel,
            **self.published,
        }
        words = [
            Path(sys.executable).with_name("ansible-playbook"),
            "-i",
            "builder,",
            "-c",
            "local",
            "-e",
            json.dumps(variables),
            "realip.toa.build_kernel",
        ]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        begin = time.monotonic()
        done = subprocess.run(
            words, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=5400
        )
        print(f"{done.stdout}\nbuild_kernel: {time.monotonic() - begin:.0f} s")
        assert done.returncode == 0, done.stdout
        return done.stdout

    def rollout(self) -> dict[str, Any]:
        """Variables of the rollout that goes by what was published."""
        return {
            **self.published,
            "toa_backends": ["source_kernel"],
            "toa_package_mirror": f"http://{qemu.MIRROR_ADDRESS}/{self.mirror.name}",
        }


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuildHost]:
    made = BuildHost(tmp_path_factory.mktemp("builder"))
    yield made
    # A kernel's tree and its objects are gigabytes.
    shutil.rmtree(made.folder)
    shutil.rmtree(made.mirror, ignore_errors=True)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Machines of the lab, none of them started yet; a test starts what it names."""
    return Lab((), tmp_path_factory.mktemp("source"))
