# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What does not touch a host: bad input, which is told in one clear message, a dry run, and a removal of nothing. Each on a machine from stock.

The molecule scenarios have the way from stock to translating and back, on every host of the documents.
"""

from __future__ import annotations

import pytest
import yaml

from lab import disks

HOST = "debian8"


@pytest.fixture(scope="module")
def stock(lab):
    """What the host looks like before anything was tried."""
    lab.reset(HOST)
    return disks.look(HOST)


@pytest.fixture
def host(lab, stock):
    yield HOST
    lab.reset(HOST)


def test_a_dry_run(lab, stock, host):
    code, report, output = lab.playbook("rollout.yml", HOST, check=True)
    assert code == 0, output
    assert report["hosts"][0]["state"] == "planned"
    assert disks.look(HOST) == stock


def test_a_removal_where_nothing_is(lab, stock, host):
    boot = lab.one_line(HOST, "cat /proc/sys/kernel/random/boot_id")
    code, report, output = lab.playbook("realip.toa.remove", HOST)
    assert code == 0, output
    assert report["hosts"][0]["state"] == "converged" and "changed=0" in output
    assert lab.one_line(HOST, "cat /proc/sys/kernel/random/boot_id") == boot
    assert disks.look(HOST) == stock


def refused_unasked(lab, stock, *words, **variables):
    """The run ends with these words before any host is asked."""
    exit_code, _report, output = lab.playbook("rollout.yml", HOST, **variables)
    assert exit_code != 0 and "Inspect" not in output, output
    for word in words:
        assert word in output, output
    assert disks.look(HOST) == stock


def changed_lock(lab, **change):
    lock = yaml.safe_load(lab.lockfile.read_text())
    for package in lock["packages"]:
        package.update(change)
    path = lab.work / "changed.lock.yml"
    path.write_text(yaml.safe_dump(lock))
    return str(path)


def refused(lab, stock, code, *words, **variables):
    """The rollout fails with this code, says these words, and the host is the one of before."""
    exit_code, report, output = lab.playbook("rollout.yml", HOST, **variables)
    assert exit_code != 0, output
    entry = report["hosts"][0]
    told = " ".join(
        [
            entry["message"],
            entry["remedy"],
            *(reason["message"] + " " + reason["remedy"] for reason in entry["reasons"]),
        ]
    )
    assert code in {entry["code"], *(reason["code"] for reason in entry["reasons"])}, entry
    for word in words:
        assert word in told, told
    assert disks.look(HOST) == stock
    assert lab.one_line(HOST, "uname -r") == "3.16.0-11-amd64"
    return entry


def test_digest_wrong(lab, stock, host):
    lock = changed_lock(lab, sha256="0" * 64)
    refused(lab, stock, "digest_mismatch", "linux-image-3.16.43.toa_1.0_amd64.deb", "0" * 64, toa_lockfile=lock)


def test_package_truncated(lab, stock, host):
    refused(
        lab,
        stock,
        "package_truncated",
        "linux-image-3.16.43.toa_1.0_amd64.deb",
        toa_package_mirror="http://10.0.2.100/truncated",
    )


def test_url_gone(lab, stock, host):
    refused(lab, stock, "package_unavailable", "http://10.0.2.100/gone", toa_package_mirror="http://10.0.2.100/gone")


def test_no_space_in_boot(lab, stock, host):
    # A small file system of its own, as many machines have it; mounted over a copy of what is there.
    lab.ssh(
        host,
        "cp -a /boot /run/boot && mount -t tmpfs -o size=$(($(du -sm /boot | cut -f1) + 6))m none /boot && cp -a /run/boot/. /boot/",
    )
    exit_code, report, output = lab.playbook("rollout.yml", HOST, toa_accept=["no_fallback"])
    assert exit_code != 0, output
    entry = report["hosts"][0]
    assert "boot_full" in {entry["code"], *(reason["code"] for reason in entry["reasons"])}, entry
    assert lab.one_line(host, "umount /boot; rm -rf /run/boot; uname -r") == "3.16.0-11-amd64"
    assert disks.look(HOST) == stock


def test_no_python(lab, stock, host):
    lab.ssh(host, "for p in /usr/bin/python3*; do mv $p /run/$(basename $p).away; done")
    exit_code, report, output = lab.playbook("rollout.yml", HOST)
    lab.ssh(host, "for p in /run/python3*.away; do mv $p /usr/bin/$(basename $p .away); done")
    # What this test has moved has another time of change.
    moved = {name for name in stock if name.startswith("/usr/bin/python3")}
    assert exit_code != 0, output
    assert report["hosts"][0]["code"] == "no_python"
    assert "apt-get install python3" in report["hosts"][0]["remedy"]
    after = disks.look(HOST)
    assert set(after) == set(stock) and {name for name in stock if after[name] != stock[name]} <= moved


def test_unknown_distribution(lab, stock, host):
    lab.ssh(
        host,
        "printf 'ID=plan9\\nVERSION_ID=4\\nPRETTY_NAME=\"Plan 9\"\\n' >/run/other; mount --bind /run/other $(readlink -f /etc/os-release)",
    )
    exit_code, report, output = lab.playbook("realip.toa.plan", HOST)
    lab.ssh(host, "umount $(readlink -f /etc/os-release); rm -f /run/other")
    entry = report["hosts"][0]
    assert exit_code == 0, output
    assert entry["state"] == "unsupported"
    assert "no_module_package" in {reason["code"] for reason in entry["reasons"]}, entry
    assert "Plan 9" in output
    assert disks.look(HOST) == stock


def test_misspelt_variable(lab, stock, host):
    refused_unasked(lab, stock, "toa_wavse", "did you mean toa_wave", toa_wavse=[1])


def test_variable_of_the_wrong_kind(lab, stock, host):
    refused_unasked(lab, stock, "toa_vendor", "tencnt", toa_vendor="tencnt")


def test_no_digest(lab, stock, host):
    refused(lab, stock, "no_digest", "realip.toa.lock", toa_lockfile="/nonexistent/toa.lock.yml")
