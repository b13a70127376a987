# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one package of a dressed host's rpm database that is not a kernel: it says what the host is, and stands for all the rest.

A kernel's scripts need /bin/sh, and dnf learns the release version from whatever provides system-release. What really lies on the
disk came from Debian's packages, of which rpm knows nothing.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from pathlib import Path

from lab.kernel_tree import ENVIRONMENT
from lab.paths import cache_dir, locked
from lab.progress import LabError

SPEC = """\
Name: {name}
Version: {version}
Release: {release}
Summary: What a host of the lab is dressed as
License: GPL-3.0-or-later
Group: System Environment/Base
BuildArch: noarch
AutoReqProv: no
Provides: /bin/sh
Provides: system-release = {version}
Provides: system-release({version})
%description
Provides what the kernel packages of the lab need of a host.
%files
"""

DEFINES = (
    "_build_name_fmt %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
    "_binary_payload w6.gzdio",
    "use_source_date_epoch_as_buildtime 1",
    "_buildhost lab",
)


def ensure(nvr: str) -> Path:
    """The release package NAME-VERSION-RELEASE, as a noarch .rpm of the cache; built at most once. LabError where rpmbuild fails."""
    match = re.fullmatch(r"([a-zA-Z][\w-]*)-([\w.]+)-([\w.]+)", nvr)
    if match is None:
        raise LabError(
            f"{nvr!r} does not name a package; NAME-VERSION-RELEASE was expected, such as centos-release-7-9.2009.1.el7.centos"
        )
    name, version, release = match.groups()
    target = cache_dir() / "release-rpms" / f"{nvr}.noarch.rpm"
    spec = SPEC.format(name=name, version=version, release=release)
    recipe = target.with_suffix(".spec")
    with locked(cache_dir() / "locks" / target.name):
        if not target.exists() or not recipe.exists() or recipe.read_text("utf-8") != spec:
            target.parent.mkdir(parents=True, exist_ok=True)
            _build(spec, target)
            recipe.write_text(spec, "utf-8")
    return target


def _build(spec: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=".making-", dir=target.parent) as scratch:
        (Path(scratch) / "release.spec").write_text(spec, "utf-8")
        words = [
            "rpmbuild",
            "-bb",
            "--quiet",
            "--target",
            "noarch",
            "--dbpath",
            f"{scratch}/db",
            f"{scratch}/release.spec",
        ]
        for define in (*DEFINES, f"_topdir {scratch}", f"_rpmdir {scratch}"):
            words += ["--define", define]
        try:
            done = subprocess.run(words, capture_output=True, text=True, check=False, env=ENVIRONMENT)
        except FileNotFoundError as error:
            raise LabError("rpmbuild is not installed; lab/apt-packages.txt lists what the lab needs") from error
        if done.returncode != 0:
            raise LabError(f"building {target.name} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        os.replace(Path(scratch) / target.name, target)
