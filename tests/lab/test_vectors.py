# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One machine, dressed as every row of the vectors in turn: what toa_plan decides about it is what `assume` says of the same texts.

Real is the way there: the files of a host, its package databases, its mounts and its utsname, read by target code over SSH. Dressed are
/etc/os-release, the release of `uname -r` (the lab's module `dressed`), which package databases lie there, and whether cgroup v2 is mounted,
as it is on a fresh machine of that distribution. Two things a machine cannot wear, or knows more of than `assume` does:

* the architecture: it is x86_64, so its plan is compared with that of an x86_64 machine, and the row's own `assume` may differ in words only;
* what is the default of its boot loader: a TOA kernel that "runs" here is not, which is one more reason and one more step.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from lab import kernels

HOST, KERNEL = "tencentos", "5.4.119-19.0009.28"
VECTORS = ROOT / "tests" / "unit" / "vectors"
ROWS = [
    line.split("\t")
    for line in (VECTORS / "kernels.tsv").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
# Distributions of the rows whose systemd mounts cgroup v2.
UNIFIED = ("debian-11", "debian-12", "rocky-9.5")
KNOWS_MORE = {"not_default"}
COMPARED = (
    "state",
    "backend",
    "kernel_target",
    "reboot",
    "module",
    "service",
    "option_kinds",
    "capabilities",
    "packages",
    "entry",
)

DRESS = """set -e
rmmod dressed 2>/dev/null || true
insmod /run/dressed.ko 'release={release}'
rm -f /etc/*-release /usr/lib/os-release
echo {os_release} | base64 -d >/etc/os-release
umount /run/cgroup2 2>/dev/null || true
{mount}
"""


def dressed_as(name: str, release: str) -> str:
    """The script that dresses the machine as a row."""
    text = base64.b64encode((VECTORS / "os-release" / name).read_bytes()).decode()
    mount = "mount -t cgroup2 none /run/cgroup2" if name in UNIFIED else ":"
    return DRESS.format(release=release, os_release=text, mount=mount)


def assume(name: str, release: str, arch: str) -> dict[str, object]:
    """What is known of a row."""
    return {"os_release": (VECTORS / "os-release" / name).read_text("utf-8"), "kernel": release, "arch": arch}


@pytest.fixture(scope="module")
def plans(tencentos, tmp_path_factory):
    """[real, assumed as x86_64, assumed as the row says] for each row, of one run over one connection."""
    tencentos.reset()
    module = (kernels.ensure(KERNEL).modules / "dressed.ko").read_bytes()
    tencentos.put(HOST, "/run/dressed.ko", module)
    # The database of rpm is there; with both, os-release tells which one counts.
    tencentos.ssh(HOST, "mkdir -p /run/cgroup2 /var/lib/dpkg && echo 'Package: base-files' >/var/lib/dpkg/status")
    folder = tmp_path_factory.mktemp("vectors")
    tasks = []
    for number, (name, release, arch, *_rest) in enumerate(ROWS):
        tasks += [
            {"ansible.builtin.raw": dressed_as(name, release), "changed_when": False},
            {"realip.toa.toa_plan": {"probe": False}, "register": f"real{number}"},
            *(
                {"realip.toa.toa_plan": {"assume": assume(name, release, arch)}, "register": f"{arch}{number}"}
                for arch in {"x86_64", arch}
            ),
        ]
    names = ", ".join(
        f"[real{number}, x86_64{number}, {arch}{number}]" for number, (_name, _release, arch, *_rest) in enumerate(ROWS)
    )
    tasks.append(
        {
            "ansible.builtin.copy": {"content": "{{ [" + names + "] | to_json }}", "dest": str(folder / "plans.json")},
            "delegate_to": "localhost",
        }
    )
    (folder / "play.yml").write_text(json.dumps([{"hosts": HOST, "gather_facts": False, "tasks": tasks}]))
    words = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "-i",
        str(tencentos.inventory),
        str(folder / "play.yml"),
    ]
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(words, cwd=folder, env=environment, text=True, capture_output=True, timeout=900)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    tencentos.command("down", HOST)
    return json.loads((folder / "plans.json").read_text())


def codes(plan):
    return {
        (reason["backend"], reason["severity"], reason["code"])
        for reason in plan["reasons"]
        if reason["code"] not in KNOWS_MORE
    }


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[f"{row[0]} {row[1]}" for row in ROWS])
def test_the_plan_is_the_one_of_assume(plans, number):
    (_name, release, arch, *_rest), (real, same, assumed) = ROWS[number], plans[number]
    facts = real["ansible_facts"]["toa"]
    assert (facts["kernel"]["release"], facts["kernel"]["arch"]) == (release, "x86_64")
    known = same["ansible_facts"]["toa"]
    assert {**facts["os"], "source": ""} == {**known["os"], "source": ""}
    assert facts["kernel"] == known["kernel"]
    assert {key: real["plan"][key] for key in COMPARED} == {key: same["plan"][key] for key in COMPARED}
    assert codes(real["plan"]) == codes(same["plan"])
    if arch != "x86_64":
        assert {key: assumed["plan"][key] for key in COMPARED} == {key: same["plan"][key] for key in COMPARED}
        assert codes(assumed["plan"]) == codes(same["plan"])
