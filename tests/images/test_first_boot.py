# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make lab-image`: disks that are prepared without being booted, and what their copies are from the first boot on, with no controller.

The disk of a stock machine is mounted here, in a mount namespace of its own, and its identity is taken out as builders of images do it. Two copies boot
at once: each in a lab of its own, for a lab has each machine once. Each test needs the one before.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
import subprocess
import sys
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import images, kernels, qemu
from lab.hosts import HOSTS
from lab.progress import wait_until

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "lab" / "lab"
COPIES = ("first", "second")
METRICS = "/var/lib/node_exporter/textfile_collector/realip_toa.prom"
UNITS = ("realip-toa-ebpf.service", "realip-toa-ebpf-watch.timer", "realip-toa-monitor.timer")
TOA_KERNEL = "3.10.0-693.el7.centos.toa.x86_64"

# $1: the disk, $2: where to mount it; then commands, each in a line of stdin. What is mounted here, nobody else sees, so that it is unmounted at the end.
MOUNTED = f"""\
set -e
mount --make-rprivate /
mount -o loop,offset={images.FIRST_SECTOR * images.SECTOR} "$1" "$2"
trap 'sync -f "$2"; umount "$2"' EXIT
root=$2
"""


@dataclasses.dataclass
class Image:
    """A disk on this machine, and its copies that run."""

    name: str
    work: Path
    said: str = ""

    @property
    def root(self) -> Path:
        return self.work / "root"

    def mounted(self, script: str) -> str:
        words = ["unshare", "--mount", "sh", "-c", MOUNTED + script, "sh", str(self.work / "disk.raw"), str(self.root)]
        done = subprocess.run(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=2400)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def lab(self, copy: str, *words: str) -> str:
        environment = {**os.environ, "REALIP_LAB_RUN": str(self.work / copy)}
        return subprocess.run(
            [str(LAB), *words], env=environment, text=True, capture_output=True, check=True, timeout=3000
        ).stdout

    def ssh(self, copy: str, script: str) -> str:
        return self.lab(copy, "ssh", self.name, script)

    def on_copies(self, work: t.Callable[[str], str]) -> dict[str, str]:
        with ThreadPoolExecutor() as pool:
            return dict(zip(COPIES, pool.map(work, COPIES), strict=True))

    def playbook(self, name: str, inventory: Path, **variables: t.Any) -> str:
        """The command line of a playbook, as an operator gives it."""
        given = {
            "toa_report_dir": str(self.work / "reports"),
            "toa_lockfile": str(self.work / "toa.lock.yml"),
            **variables,
        }
        words = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i",
            str(inventory),
            "-e",
            json.dumps(given),
            name,
        ]
        return f"cd {ROOT} && ANSIBLE_CONFIG={ROOT}/ansible.cfg ANSIBLE_NOCOLOR=1 {shlex.join(words)}"

    def run(self, name: str, copy: str) -> tuple[str, dict[str, t.Any]]:
        done = subprocess.run(
            ["sh", "-c", self.playbook(name, self.work / copy / "inventory.yml", **variables(self))],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=2400,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        newest = max((self.work / "reports").glob("*/2*/*.json"), key=lambda path: path.stat().st_mtime_ns)
        return done.stdout, json.loads(newest.read_text())["hosts"][0]


def variables(image: Image) -> dict[str, t.Any]:
    return {
        "toa_vendor": "tencent",
        "toa_trusted_sources": ["10.0.2.0/24"],
        "toa_accept": ["kernel_downgrade", "unverified_packages"],
    }


@pytest.fixture(scope="module", params=["debian12", "centos7"])
def image(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Image]:
    host = HOSTS[request.param]
    if host.toa_kernel:
        kernels.ensure(host.toa_kernel)
    made = Image(host.name, tmp_path_factory.mktemp(host.name))
    made.root.mkdir()
    qemu.image_tool("convert", "-f", "qcow2", "-O", "raw", images.stock(host) / "disk.qcow2", made.work / "disk.raw")
    made.mounted(': >"$root/etc/machine-id"')
    for copy in COPIES:
        made.lab(copy, "mirror", "start")
    try:
        yield made
    finally:
        for copy in COPIES:
            made.lab(copy, "down")


def assert_changes_nothing(output: str) -> None:
    assert re.search(r"changed=0 .*failed=0", output) and not re.search("changed=[1-9]", output), output


def test_is_prepared_without_being_booted(image: Image) -> None:
    inventory = image.work / "image.yml"
    entry = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "auto_silent",
        "toa_image_root": str(image.root),
    }
    inventory.write_text(json.dumps({"all": {"hosts": {"image": entry}}}))
    mirror = image.lab(COPIES[0], "mirror", "url").strip()
    command = image.playbook("realip.toa.image", inventory, toa_package_mirror=mirror, **variables(image))
    said = image.mounted(f"{command}; echo AGAIN; {command}; echo IDENTITY; cat $root/etc/machine-id")
    first, again = said.split("AGAIN")
    again, identity = again.split("IDENTITY")
    assert re.search(r"changed=[1-9].*failed=0", first), first
    assert_changes_nothing(again)
    assert not identity.strip()


def test_tools_of_the_distribution_agree(image: Image) -> None:
    enabled = image.mounted(
        f'systemctl --root "$root" is-enabled {" ".join(UNITS if image.name == "debian12" else UNITS[2:])}'
    )
    assert set(enabled.split()) == {"enabled"}, enabled
    if image.name == "centos7":
        said = image.mounted(
            f'chroot "$root" grub2-editenv list; grep ^GRUB_DEFAULT "$root/etc/default/grub"; depmod -b "$root" -n {TOA_KERNEL} | grep -c toa.ko; '
            'chroot "$root" rpm -q kernel'
        )
        assert re.search(rf"^saved_entry=.*{re.escape(TOA_KERNEL)}", said, re.M), said
        assert "GRUB_DEFAULT=saved" in said and f"kernel-{TOA_KERNEL}" in said, said


def test_nothing_of_the_build_host_is_in_it(image: Image) -> None:
    """Neither its name, its kernel, its boot nor its disks, in whatever was written."""
    words = [
        Path("/proc/sys/kernel/hostname").read_text().strip(), os.uname().release, str(image.work),
        Path("/proc/sys/kernel/random/boot_id").read_text().strip(), "/dev/loop", "/dev/image",
    ]  # fmt: skip
    patterns = " ".join(f"-e {shlex.quote(word)}" for word in words if len(word) > 3)
    found = image.mounted(
        f'(cd "$root"; find etc boot var -xdev -type f -newer etc/hostname -not -path "var/log/journal/*" -print0 | '
        f"xargs -0 grep -lF {patterns} || true; ls -A sys proc dev | grep -v : || true)"
    )
    # Templates of GRUB's own name loop devices.
    assert not [line for line in found.split() if not line.startswith("etc/grub.d/")], found


def test_copies_translate_with_no_controller(image: Image) -> None:
    qemu.image_tool("convert", "-f", "raw", "-O", "qcow2", image.work / "disk.raw", image.work / "disk.qcow2")
    for copy in COPIES:
        place = image.work / copy / "hosts" / image.name
        place.mkdir(parents=True)
        qemu.overlay(image.work / "disk.qcow2", place / "disk.qcow2")
        (place / "machine.json").write_text('{"ssh_port": null}')
    image.on_copies(lambda copy: image.lab(copy, "up", image.name))
    identities = image.on_copies(lambda copy: image.ssh(copy, "cat /etc/machine-id"))
    assert len(set(identities.values())) == len(COPIES) and all(
        re.fullmatch(r"[0-9a-f]{32}\n", one) for one in identities.values()
    ), identities
    if image.name == "centos7":
        assert set(image.on_copies(lambda copy: image.ssh(copy, "uname -r").strip()).values()) == {TOA_KERNEL}
    for copy in COPIES:
        # The timer fires a minute after the boot.
        wait_until(
            lambda copy=copy: "realip_toa_translating 1\n" in image.ssh(copy, f"cat {METRICS} || true"),
            f"the metrics of the {copy}",
        )
        boot = image.ssh(copy, "cat /proc/sys/kernel/random/boot_id").strip()
        metrics = image.ssh(copy, f"cat {METRICS}")
        assert f'boot_id="{boot}"' in metrics and not re.search(r"realip_toa_drift\{[^}]*\} 1", metrics), metrics


def test_verify_finds_them_converged_and_a_rollout_leaves_them(image: Image) -> None:
    for copy in COPIES:
        _output, host = image.run("realip.toa.verify", copy)
        assert host["state"] == "converged", host
        mark = image.ssh(copy, "touch /run/mark; echo made")
        assert mark
        output, host = image.run("realip.toa.rollout", copy)
        assert_changes_nothing(output)
        assert host["state"] == "converged", host
        assert not image.ssh(
            copy, "find /etc /boot /var/lib/realip-toa -xdev -type f -newer /run/mark -not -path '*/seen.json'"
        ).strip()
