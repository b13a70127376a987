# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The package `vtoa` as Alibaba Cloud Linux's repository would serve it: module, unit, and scripts that make it work at once and at every boot.

What the real package holds is not public. This one does what alibaba-vtoa.txt says of it ("takes effect immediately and is enabled to
start automatically on system boot by default"; removed, "the vtoa feature is disabled"), with a unit of systemd that is called vtoa.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from lab.kernel_tree import ENVIRONMENT
from lab.progress import LabError
from lab.release_rpm import DEFINES

FILE = "vtoa-2.1.0-3.al8.x86_64.rpm"

UNIT = """\
[Unit]
Description=vtoa: the real client address after address translation
Before=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/sbin/modprobe vtoa
ExecStop=/sbin/modprobe -r vtoa

[Install]
WantedBy=multi-user.target
"""

# depmod only for kernels that are there: for another it would leave lists behind.
SPEC = """\
Name: vtoa
Version: 2.1.0
Release: 3.al8
Summary: The real client address after address translation
License: GPL-2.0
AutoReqProv: no
%description
The kernel modules vtoa and hookers, and the service that loads them.
%install
cp -a {root}/. %{{buildroot}}/
%post
for modules in {releases}; do
    [ ! -d /lib/modules/$modules/kernel ] || depmod $modules
done
systemctl daemon-reload
systemctl enable --quiet vtoa.service
systemctl start vtoa.service || :
%preun
if [ $1 -eq 0 ]; then
    systemctl disable --quiet vtoa.service
    systemctl stop vtoa.service || :
fi
%postun
for modules in {releases}; do
    [ ! -d /lib/modules/$modules/kernel ] || depmod $modules
done
systemctl daemon-reload
%files
/usr/lib/systemd/system/vtoa.service
{files}
"""


def repository(modules: Mapping[str, Path], target: Path) -> None:
    """Fill the directory `target` with the package and what makes it a repository. modules: {kernel: directory with its vtoa.ko and hookers.ko}."""
    with tempfile.TemporaryDirectory(prefix=".vtoa-", dir=target.parent) as scratch:
        root = Path(scratch) / "root"
        unit = root / "usr/lib/systemd/system/vtoa.service"
        unit.parent.mkdir(parents=True)
        unit.write_text(UNIT, "utf-8")
        for release, source in modules.items():
            folder = root / "lib/modules" / release / "extra/vtoa"
            folder.mkdir(parents=True)
            for name in ("hookers.ko", "vtoa.ko"):
                shutil.copyfile(source / name, folder / name)
        spec = Path(scratch) / "vtoa.spec"
        spec.write_text(SPEC.format(root=root, releases=" ".join(modules), files="\n".join(_owned(modules))), "utf-8")
        words = ["rpmbuild", "-bb", "--quiet", "--target", "x86_64", "--dbpath", f"{scratch}/db", str(spec)]
        for define in (
            *DEFINES,
            f"_topdir {scratch}",
            f"_rpmdir {target}",
            "__os_install_post %{nil}",
            "_build_id_links none",
        ):
            words += ["--define", define]
        _run(words)
    _run(["createrepo_c", "--quiet", str(target)])


def _owned(releases: Iterable[str]) -> Iterator[str]:
    """Lines of %files: the directories as well, so that none is left behind where their kernel is not installed."""
    for release in releases:
        folder = f"/lib/modules/{release}"
        yield from (f"%dir {folder}", f"%dir {folder}/extra", f"{folder}/extra/vtoa")


def _run(words: list[str]) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    except FileNotFoundError as error:
        raise LabError(f"{words[0]} is not installed; lab/apt-packages.txt lists what the lab needs") from error
    if done.returncode != 0:
        raise LabError(
            f"making the repository of vtoa failed ({words[0]}):\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
