# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A distribution whose kernel ships `toa`: TencentOS, which also says here and there that it is CentOS. Each test needs the one before."""

from __future__ import annotations

import pytest

HOST = "tencentos"


@pytest.fixture(scope="module")
def before(tencentos):
    tencentos.reset()
    return tencentos.files(HOST)


def test_rollout_uses_the_module_that_is_there(tencentos, before):
    boot = tencentos.one_line(HOST, "cat /proc/sys/kernel/random/boot_id")
    code, report, output = tencentos.playbook("rollout.yml")
    assert code == 0, output
    (entry,) = report["hosts"]
    assert (entry["state"], entry["backend"], entry["verdict"]) == ("proved", "in_tree", "translating"), entry
    assert entry["os"].startswith("TencentOS")
    assert tencentos.one_line(HOST, "cat /proc/sys/kernel/random/boot_id") == boot
    assert int(tencentos.one_line(HOST, "awk '/syn_recv_sock_toa/ { for (i = 2; i <= NF; i++) n += $i } END { print n }' /proc/net/toa_stats")) > 0


def test_after_a_reboot_it_is_loaded_and_nothing_is_left_to_do(tencentos, before):
    tencentos.command("reboot", HOST)
    tencentos.ssh(HOST, "systemctl is-system-running --wait >/dev/null; touch /run/second")
    code, report, output = tencentos.playbook("rollout.yml")
    assert code == 0, output
    (entry,) = report["hosts"]
    assert (entry["state"], entry["verdict"]) == ("converged", "translating"), entry
    assert tencentos.written_since(HOST, "/run/second") == []


def test_remove_leaves_nothing(tencentos, before):
    code, report, output = tencentos.playbook("realip.toa.remove")
    assert code == 0, output
    assert report["hosts"][0]["state"] == "removed"
    after = tencentos.files(HOST)
    assert {path: (before.get(path), after.get(path)) for path in before.keys() | after.keys() if before.get(path) != after.get(path)} == {}
    assert tencentos.one_line(HOST, "grep -c '^toa ' /proc/modules || true") == "0"
