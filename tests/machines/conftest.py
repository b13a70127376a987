# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One machine that is no part of the fleet for each file: test_NAME.py is about the lab's machine NAME, which begins stock and ends with the file."""

from __future__ import annotations

import importlib.util
import sys
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
# from_source, which offers a machine what a build needs.
sys.path.append(str(HERE.parent / "source"))


@pytest.fixture(scope="module")
def machine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The machine that the file is named after, stock; `machine.name` is what it is called."""
    name = request.path.stem.removeprefix("test_")
    made = Lab((name,), tmp_path_factory.mktemp(name))
    made.name = name
    made.command("up", name)
    made.reset(name)
    yield made
    made.command("down", name)
