# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs as Debian's packages have them, in roots of their own that can be unpacked and chrooted into, on any machine.

    from lab import debian_roots
    debian_roots.SERVERS.unpack("ubuntu1604", "/srv/servers")

The machines are dressed as distributions whose archives are no more. So the programs are Debian 12's everywhere, and what is the machine's own is its
kernel, and the network that it gives them. Packages are extracted, not installed: none of their scripts runs, here or there.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab import kernels, machines, qemu
from lab.debian_archive import DEBIAN_MIRROR
from lab.images import content_key
from lab.paths import cache_dir, locked
from lab.progress import LabError, say

SUITE = "bookworm"

_BEGIN = """\
set -e
cd "$1"
mkdir -p dev proc sys srv tmp
cat >etc/passwd <<.
root:x:0:0::/root:/bin/sh
www-data:x:33:33::/var/www:/usr/sbin/nologin
sshd:x:101:65534::/run/sshd:/usr/sbin/nologin
postgres:x:102:102::/var/lib/postgresql:/bin/sh
messagebus:x:103:103::/nonexistent:/usr/sbin/nologin
nobody:x:65534:65534::/:/usr/sbin/nologin
.
cat >etc/group <<.
root:x:0:
www-data:x:33:
postgres:x:102:
messagebus:x:103:
docker:x:104:
nogroup:x:65534:
.
ldconfig -r .
rm -rf usr/lib/*/gconv usr/share/i18n usr/share/doc usr/share/man usr/share/locale
"""


@dataclass(frozen=True)
class Root:
    """packages: what is extracted, with all that it depends on. finish: what their scripts would do that is needed, as shell; $1 is the root."""

    name: str
    packages: tuple[str, ...]
    finish: str

    def archive(self) -> Path:
        """The root as a tar archive, made once."""
        script = _BEGIN + self.finish
        path = (
            cache_dir() / "debian-roots" / f"{self.name}-{content_key(SUITE, self.packages, script, DEBIAN_MIRROR)}.tar"
        )
        with locked(cache_dir() / "locks" / path.name):
            if not path.exists():
                say(f"extracting {', '.join(self.packages)} with mmdebstrap")
                path.parent.mkdir(exist_ok=True)
                with tempfile.TemporaryDirectory(dir=path.parent, prefix=".making-") as scratch:
                    made = Path(scratch) / "root.tar"
                    words = [
                        "mmdebstrap",
                        "--quiet",
                        "--variant=extract",
                        f"--include={','.join((*self.packages, 'dash'))}",
                    ]
                    words += [f"--extract-hook={script}", SUITE, str(made), DEBIAN_MIRROR]
                    done = subprocess.run(words, capture_output=True, text=True, check=False)
                    if done.returncode != 0:
                        raise LabError(f"mmdebstrap answered {done.returncode}:\n{done.stderr[-4000:]}")
                    made.replace(path)
        return path

    def unpack(self, machine: str, folder: str) -> None:
        """Unpack the root on a running machine, which gets it from the lab's mirror; a folder that is there already is that of before."""
        served = kernels.mirror_dir() / "debian-roots" / self.archive().name
        served.parent.mkdir(exist_ok=True)
        if not served.exists():
            partial = served.with_name(f".{os.getpid()}")
            os.link(self.archive(), partial)
            partial.replace(served)
        url = f"http://{qemu.MIRROR_ADDRESS}/debian-roots/{served.name}"
        fetch = f"import shutil, sys, urllib.request; shutil.copyfileobj(urllib.request.urlopen({url!r}), sys.stdout.buffer, 1 << 20)"
        place, new = shlex.quote(folder), shlex.quote(folder + ".new")
        take = (
            f"mkdir -p {new} && python3 -c {shlex.quote(fetch)} | tar -x -C {new} --numeric-owner && mv {new} {place}"
        )
        machines.run(machine, f"test -e {place} || {{ {take}; }}")


SERVERS = Root(
    "servers",
    ("redis-server", "nginx-light", "openssh-server", "postgresql-15"),
    r"""
mkdir -p var/lib/nginx var/log/nginx var/lib/postgresql
chown 102:102 var/lib/postgresql
chroot --userspec=102:102 . /usr/lib/postgresql/15/bin/initdb --no-sync --auth=reject --locale=C --encoding=UTF8 -D /var/lib/postgresql/data >/dev/null
chroot . ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key
# Nobody here compiles queries, and no script runs.
rm -rf usr/lib/*/libLLVM* usr/lib/*/libz3* usr/lib/llvm* usr/lib/postgresql/15/lib/bitcode usr/lib/postgresql/15/lib/llvmjit* \
    usr/lib/*/perl* usr/share/perl* usr/bin/perl*
""",
)

# What changes a host's firewall behind everybody's back.
FIREWALLS = Root(
    "firewalls",
    (
        "firewalld", "ufw", "docker.io", "iptables", "nftables", "iproute2", "kmod", "procps", "dbus",
        "grep", "sed", "coreutils", "python3", "base-files", "mawk",
    ),
    r"""
for name in iptables ip6tables; do
    for tool in "" -save -restore; do ln -sf xtables-nft-multi "usr/sbin/$name$tool"; done
done
test -e usr/bin/awk || ln -s mawk usr/bin/awk
cp usr/share/ufw/iptables/*.rules usr/share/ufw/ufw.conf usr/share/ufw/before.init usr/share/ufw/after.init etc/ufw/
rm -rf usr/lib/*/perl* usr/share/perl*
""",
)  # fmt: skip
