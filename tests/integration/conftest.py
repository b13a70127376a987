# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets integration tests import their helpers (sshd.py) by name, and gives them every ansible-core that is here."""

from __future__ import annotations

import functools
import http.server
import os
import sys
import threading
import typing as t
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sshd import tried


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test (or a fixture of it) that takes `core` runs with each ansible-core; what differs between them is what the channel stands on."""
    if "core" in metafunc.fixturenames:
        metafunc.parametrize("core", tried(everywhere=metafunc.module.__name__ == "test_channel"), scope="module")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The rest is what an ansible-core has a say in; everything else has been run by `make test`."""
    if os.environ.get("REALIP_PART") != "rest":
        return
    again = [item for item in items if "core" in getattr(getattr(item, "callspec", None), "params", {})]
    config.hook.pytest_deselected(items=[item for item in items if item not in again])
    items[:] = again


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that any account may enter."""
    folder = tmp_path_factory.mktemp("place")
    for path in (folder, *folder.parents):
        if path.is_relative_to(tmp_path_factory.getbasetemp()):
            path.chmod(path.stat().st_mode | 0o755)
    return folder


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *unused: object) -> None:
        pass


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[tuple[Path, str]]:
    """A folder, and the URL that it is served under."""
    folder = tmp_path_factory.mktemp("mirror")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()
