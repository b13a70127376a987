# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's own newest kernel for virtual machines with the lab's `toa` in it, as a vendor would ship it: a package, on the mirror, and its entry.

    from lab import debian_kernel
    entry = debian_kernel.publish()      # for `toa_catalog`

The lab's small kernels have neither SELinux nor a device mapper, and nobody has signed them. This one is Debian's byte for byte, so that its
signature holds; the module is signed with the lab's key, which firmware knows on machines with Secure Boot (lab/uefi.py).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from lab import debian_packages, kernels, uefi
from lab.hosts import IMAGES
from lab.images import content_key
from lab.paths import HERE, cache_dir, locked
from lab.progress import LabError, say

HOST = "debian12"
KINDS = ["200/8", "200/20", "254/8", "254/20"]


def publish() -> dict[str, Any]:
    """Have the mirror serve the package; the entry of the catalog that says so. Made once for each version of Debian's."""
    meta = IMAGES[HOST].kernel
    version = debian_packages.newest(HOST, meta)
    files = debian_packages.fetch(HOST, [f"{meta}={version}", f"{meta.replace('image', 'headers')}={version}"])
    image = next(file for file in files if re.match(r"linux-image-\d", file.name))
    release = image.name.removeprefix("linux-image-").split("_")[0]
    module = {path.name: path.read_bytes() for path in sorted((HERE / "module").iterdir())}
    key = content_key("debian-kernel", image.name, module, uefi.certificate(), Path(__file__).read_bytes())
    made = cache_dir() / "debian-kernels" / key / f"{image.name.removesuffix('_amd64.deb')}+toa_amd64.deb"
    with locked(cache_dir() / "locks" / f"debian-kernel-{key}"):
        if not made.exists():
            say(f"{release}: putting toa into Debian's kernel")
            made.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=made.parent, prefix=".making-") as scratch:
                _make(Path(scratch), files, image, release).rename(made)
    served = kernels.mirror_dir() / made.name
    if not served.exists():
        partial = served.with_name(f".{served.name}.{os.getpid()}")
        os.link(made, partial)
        os.replace(partial, served)
    return {
        "key": "lab-debian-12",
        "vendor": "tencent",
        "match": {"id": ["debian"], "major": 12, "arch": ["x86_64"]},
        "release": release,
        "module": "toa",
        "option_kinds": KINDS,
        "format": "deb",
        "base_url": "http://toakernel-1253438722.cossh.myqcloud.com",
        "packages": [{"role": "image", "file": made.name, "sha256": hashlib.sha256(made.read_bytes()).hexdigest()}],
        "source": "the lab",
        "notes": "Debian's kernel, with the lab's module.",
    }


def _make(scratch: Path, files: list[Path], image: Path, release: str) -> Path:
    headers = scratch / "headers"
    for file in files:
        if file.name.startswith(("linux-headers-", "linux-kbuild-")):
            _run("dpkg-deb", "-x", str(file), str(headers))
    # They say where they will be installed, and here they are not.
    for makefile in headers.glob("usr/src/linux-headers-*/Makefile"):
        makefile.write_text(re.sub(r"(?<![\w/])/usr/src/", f"{headers}/usr/src/", makefile.read_text("utf-8")), "utf-8")
    root = scratch / "root"
    _run("dpkg-deb", "-R", str(image), str(root))
    extra = root / "lib/modules" / release / "extra"
    extra.mkdir(mode=0o755)
    shutil.copy(_built(scratch, headers, release), extra / "toa.ko")
    control = root / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^(Version: .*)$", r"\1+toa", control.read_text("utf-8")), "utf-8")
    package = scratch / "made.deb"
    _run("dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(root), str(package))
    return package


def _built(scratch: Path, headers: Path, release: str) -> Path:
    """The lab's module for a kernel, signed."""
    source = scratch / "module"
    shutil.copytree(HERE / "module", source)
    tree = headers / "usr/src" / f"linux-headers-{release}"
    _run("make", "-s", "-C", str(tree), f"M={source}", "modules")
    signer = next(headers.glob("usr/lib/linux-kbuild-*/scripts/sign-file"))
    _run(str(signer), "sha256", str(uefi.key()), str(uefi.key().with_suffix(".pem")), str(source / "toa.ko"))
    return source / "toa.ko"


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise LabError(f"{words[0]} failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
