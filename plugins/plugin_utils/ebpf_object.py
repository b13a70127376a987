# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The object of the eBPF backend, built from ebpf/toa.bpf.c (`make ebpf`) and read once, when Ansible imports this file."""

from __future__ import annotations

import base64
import hashlib
import zlib
from pathlib import Path

OBJECT = (Path(__file__).parent / "ebpf" / "toa.bpf.o").read_bytes()

DIGEST = hashlib.sha256(OBJECT).hexdigest()[:12]
"""As facts and toa_ebpf name what is attached."""

PACKED = base64.b64encode(zlib.compress(OBJECT, 9)).decode("ascii")
"""As ebpf.main() of the target code takes it."""
