# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What hosts need to build a module, out of Debian's archive: their kernel's headers, a compiler, DKMS, and a kernel update."""

from __future__ import annotations

from typing import Any

from conftest import ROOT, Lab

from lab import debian_packages
from lab.hosts import IMAGES

# The lab's own module, as a vendor's source lies on a controller.
SOURCE = {
    "toa_backends": ["source_module"],
    "toa_vendor": "tencent",
    "toa_source": {"url": str(ROOT / "lab" / "module")},
}
KERNEL = IMAGES["debian12"].kernel
HEADERS = KERNEL.replace("image", "headers")


def offer(lab: Lab, host: str, *tools: str, update: bool = False, headers: bool = True) -> None:
    """Have apt on a stock host find `tools`, the headers of its kernel, and with `update` the newest kernel with its headers as well."""
    # Of the same source package as the headers, it would have to be updated with them, to a version that Debian 11's archive names and has not.
    lab.ssh(host, "dpkg --purge bpftool >/dev/null 2>&1 || true")
    release = lab.one_line(host, "uname -r")
    installed = lab.one_line(host, f"dpkg-query -W -f '${{Version}}' {KERNEL}")
    wishes = [tools] if tools else []
    if headers:
        wishes += [(*tools, f"linux-headers-{release}"), (*tools, f"{HEADERS}={installed}")]
    if update:
        newest = debian_packages.newest(host, KERNEL)
        assert newest != installed, (
            f"{host} has the newest kernel of its suite already, {installed}: there is nothing to update to"
        )
        wishes += [(f"{KERNEL}={newest}",)] + (
            [(*tools, f"{KERNEL}={newest}", f"{HEADERS}={newest}")] if headers else []
        )
    debian_packages.offer(host, *wishes)


def update_kernel(lab: Lab, host: str) -> str:
    """The kernel update of the distribution, as an operator has it, and a reboot; returns the new `uname -r`."""
    before = lab.one_line(host, "uname -r")
    lab.command(
        "ssh", host, "DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends dist-upgrade >&2 && sync"
    )
    lab.command("reboot", host)
    after = lab.one_line(host, "uname -r")
    assert after != before
    return after


def only(report: dict[str, Any]) -> dict[str, Any]:
    """The one host of a report."""
    (entry,) = report["hosts"]
    return dict(entry)
