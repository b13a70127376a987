# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the collection. One that is misspelt would be ignored in silence, on every host of a fleet."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from ansible_collections.realip.toa.plugins.plugin_utils.planner.policy import POLICY

# What roles and playbooks read beside the policy; held equal to their argument specs by a test.
OPERATION = frozenset(
    (
        "toa_build_host",
        "toa_build_store",
        "toa_catalog",
        "toa_catalog_file",
        "toa_confirm_timeout",
        "toa_domain",
        "toa_drain_tasks",
        "toa_option_filter_method",
        "toa_health_tasks",
        "toa_hosts",
        "toa_kernel_buildid",
        "toa_kernel_config",
        "toa_kernel_config_file",
        "toa_kernel_format",
        "toa_kernel_jobs",
        "toa_kernel_match",
        "toa_kernel_option_kinds",
        "toa_kernel_patches",
        "toa_kernel_room",
        "toa_kernel_sha256",
        "toa_kernel_source",
        "toa_kernel_work",
        "toa_lock_cache",
        "toa_lock_mirror",
        "toa_lock_update",
        "toa_lockfile",
        "toa_max_failures",
        "toa_max_rebooting",
        "toa_max_unavailable",
        "toa_mirror_dir",
        "toa_monitor_interval",
        "toa_monitor_textfile_dir",
        "toa_on_failure",
        "toa_only",
        "toa_pause_after_canary",
        "toa_persistence_method",
        "toa_reboot_timeout",
        "toa_report_dir",
        "toa_report_formats",
        "toa_report_kinds",
        "toa_report_parts",
        "toa_signing_certificate",
        "toa_soak",
        "toa_source_method",
        "toa_stage_all",
        "toa_takeover",
        "toa_undrain_tasks",
        "toa_wave_tasks",
        "toa_waves",
        "toa_window",
    )
)

# What our own jobs hand on to the next job; never an operator's. What plays hand on to each other begins with __toa_.
RESULTS = frozenset(("toa_report",))

KNOWN = OPERATION | RESULTS | {f"toa_{key}" for key in POLICY}


def misspelt(names: Iterable[str]) -> list[str]:
    """A sentence for each name that begins with toa_ and is not a variable of the collection."""
    sentences = []
    for name in sorted(set(names) - KNOWN):
        if name.startswith("toa_"):
            near = difflib.get_close_matches(name, KNOWN - RESULTS, n=1)
            sentences.append(f"{name} is not a variable of realip.toa" + (f"; did you mean {near[0]}?" if near else ""))
    return sentences
