# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine of the lab, and beside it copies of its stock disk on other kernels: QEMU loads those, and everything else starts from the disk."""

from __future__ import annotations

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from conftest import ROOT, Lab

from lab import images, kernels, mirror, qemu, ssh
from lab.hosts import HOSTS


@dataclass
class OtherKernels(Lab):
    """`hosts` are the machine and its copies, once they are booted; `copies` maps the names of these to their SSH ports."""

    copies: dict[str, int] = field(default_factory=dict)

    @property
    def machine(self) -> str:
        return self.hosts[0]

    @property
    def inventory(self) -> Path:
        return self.work / "inventory.yml"

    def boot(self, releases: dict[str, str]) -> None:
        """Start one copy for each {name: kernel} and wait for all; the machine itself is up."""
        host = HOSTS[self.machine]
        stock = images.stock(host)
        settings = (ROOT / "lab/dress" / host.name / "etc/default/grub").read_text()
        words = re.search('^GRUB_CMDLINE_LINUX="(.*)"$', settings, re.MULTILINE)
        assert words, settings
        for name, release in releases.items():
            kernel = kernels.ensure(release).bzimage
            place = self.work / name
            place.mkdir()
            qemu.overlay(stock / "disk.qcow2", place / "disk.qcow2")
            network = qemu.Network(ssh.free_port(), mirror.port() or 0)
            extra = ["-kernel", str(kernel), "-append", f"root=/dev/vda1 ro {words[1]}"]
            accelerator = qemu.accelerator(lambda kernel=kernel: kernel)
            qemu.launch(place, qemu.command(name, place, host.memory_mib, accelerator, network, extra, host.cpu))
            self.copies[name] = network.ssh_port
        self._write_inventory()
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: images.wait_for_ssh(name, self.work / name, self.copies[name]), self.copies))
        self.hosts = (self.machine, *self.copies)

    def close(self) -> None:
        """End the copies."""
        for name in self.copies:
            qemu.kill(self.work / name)
            shutil.rmtree(self.work / name)

    def _write_inventory(self) -> None:
        inventory = yaml.safe_load(super().inventory.read_text())
        known = self.work / "known_hosts"
        key = ssh.public(ssh.host_key(self.machine))
        ports = [inventory["lab"]["hosts"][self.machine]["ansible_port"], *self.copies.values()]
        known.write_text("".join(f"[127.0.0.1]:{port} {key}\n" for port in ports))
        for name, port in self.copies.items():
            inventory["lab"]["hosts"][name] = {**inventory["lab"]["hosts"][self.machine], "ansible_port": port}
        inventory["lab"]["vars"]["ansible_ssh_common_args"] = " ".join(ssh.options(known))
        self.inventory.write_text(yaml.safe_dump(inventory))

    def ssh(self, host: str, script: str, check: bool = True) -> str:
        if host not in self.copies:
            return super().ssh(host, script, check)
        return ssh.run(self.copies[host], self.work / "known_hosts", script)

    def install_kernel(self, host: str, release: str) -> None:
        """The package of the kernel that a copy runs, without its scripts: the boot loader is not what started it."""
        words = ssh.command(self.copies[host], self.work / "known_hosts", ["cat >/run/kernel.rpm"])
        with open(kernels.ensure(release).image, "rb") as package:
            subprocess.run(words, stdin=package, check=True, timeout=600)
        self.ssh(host, f"rpm -i --oldpackage --noscripts /run/kernel.rpm && rm /run/kernel.rpm && depmod {release}")
