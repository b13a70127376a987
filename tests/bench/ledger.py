# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The raw figures of the benches: every single one that docs/benchmarks.md is made of, with where and when it was taken.

A bench replaces its own entry and leaves the others, so that the page can be measured in pieces. All of a piece was taken in one run.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import typing as t
from pathlib import Path

FIGURES = Path(__file__).with_name("figures.json")

Entry = dict[str, t.Any]


def load() -> dict[str, dict[str, Entry]]:
    """{bench: {piece: entry}}."""
    return json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}


def put(bench: str, piece: str, **figures: t.Any) -> None:
    """Keep the figures of one piece."""
    kept = load()
    kept.setdefault(bench, {})[piece] = {
        "at": f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%dT%H:%MZ}",
        "machine": machine(),
        **figures,
    }
    part = FIGURES.with_suffix(".part")
    part.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    part.replace(FIGURES)


def machine() -> Entry:
    """What it was measured on."""
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+)", Path("/proc/meminfo").read_text(), re.M)
    return {
        "cpus": os.cpu_count(),
        "model": model[1] if model else os.uname().machine,
        "memory": f"{int(memory[1]) / (1 << 20):.0f} GiB" if memory else "unknown",
        "kernel": os.uname().release,
        "openssh": first_line("ssh", "-V"),
        "python": first_line("/usr/bin/python3", "-V"),
    }


def first_line(*words: t.Any) -> str:
    """What a command says of its version."""
    done = subprocess.run(
        list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.stdout.split("\n", 1)[0].strip()
