# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine consists of: files, packages and the kernel it runs. Whoever says that nothing is left compares two of these."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from lab import machines
from lab.progress import LabError, say

# What a package manager, a boot or a clock changes by itself: bookkeeping and logs, not leftovers of anybody.
NOISE = (
    "/var/log/*", "/var/cache/*", "/var/lib/dpkg/*", "/var/lib/apt/*", "/var/lib/rpm/*", "/var/lib/dnf/*",
    "/var/lib/systemd/*", "/var/run/realip-toa/*", "/var/tmp/*", "/root/.*", "/var/lib/sudo/*",
    "/tmp/systemd-private-*", "/etc/ld.so.cache", "/etc/.updated", "/var/.updated", "/var/lib/initramfs-tools/*", "/boot/initrd.img-*", "/lost+found",
)  # fmt: skip
_NOISE = " -o ".join(f"-path {shlex.quote(pattern)}" for pattern in NOISE)
# A distribution's, kernel modules excepted: an emulated machine is slow to read all of it, so its time of change stands for a digest.
_SYSTEM = "\\( -path '/usr/*' -a -not -path '/usr/lib/modules/*' \\)"
# Lines of a thing, a tab and what it is like.
_LOOK = f"""\
find / -xdev \\( {_NOISE} \\) -prune -o -type f {_SYSTEM} -printf '%p\\tf %m %u %s %C@\\n' -o -type f -printf '%p\\tf %m %u\\n' \\
    -o -type l -printf '%p\\tl %l\\n' -o -type d -printf '%p\\td %m %u\\n'
find / -xdev \\( {_NOISE} \\) -prune -o -type f -not {_SYSTEM} -print0 | xargs -0 md5sum | sed 's/^\\([0-9a-f]*\\)  \\(.*\\)$/\\2\\ts \\1/'
if command -v rpm >/dev/null
then rpm -qa --qf 'package %{{nevra}}\\tinstalled\\n'
else dpkg-query -W -f 'package ${{Package}}\\t${{Version}} ${{Status}}\\n'
fi
printf 'kernel\\t%s\\n' "$(uname -r)"
"""


def look(name: str) -> dict[str, str]:
    """Everything on the disk of a running machine that is not noise, by path (type, mode, owner, digest or target), its packages, and its kernel."""
    found: dict[str, str] = {}
    for line in machines.run(name, _LOOK).splitlines():
        thing, _tab, what = line.partition("\t")
        found[thing] = f"{found.get(thing, '')} {what}".strip()
    return found


def look_at_all(names: Sequence[str]) -> dict[str, dict[str, str]]:
    """look() at several machines side by side."""
    with ThreadPoolExecutor() as pool:
        return dict(zip(names, pool.map(look, names), strict=True))


def written_since(name: str, mark: str) -> list[str]:
    """Files on the disk, noise left out, that were written or made after the file `mark`."""
    return machines.run(
        name, f"find / -xdev \\( {_NOISE} \\) -prune -o \\( -type f -o -type l \\) -cnewer {shlex.quote(mark)} -print"
    ).splitlines()


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str | None, str | None]]:
    """{thing: (before, after)} of what is not the same; None for what is not there."""
    return {
        thing: (before.get(thing), after.get(thing))
        for thing in sorted({*before, *after})
        if before.get(thing) != after.get(thing)
    }


def record(names: list[str]) -> None:
    """Keep what machines are like now, for compare()."""
    for name, found in look_at_all(names).items():
        (machines.place(name) / "record.json").write_text(json.dumps(found), encoding="utf-8")


def compare(names: list[str]) -> None:
    """Raises LabError, with every difference shown, unless machines are as record() found them."""
    differing = 0
    for name, after in look_at_all(names).items():
        path = machines.place(name) / "record.json"
        if not path.exists():
            raise LabError(f"{name} has not been recorded: lab/lab record {name}")
        for thing, (was, now) in differences(json.loads(path.read_text(encoding="utf-8")), after).items():
            say(f"{name}: {thing}: was {was or 'not there'}, is {now or 'gone'}")
            differing += 1
    if differing:
        raise LabError(f"{differing} thing(s) are not as they were recorded")
