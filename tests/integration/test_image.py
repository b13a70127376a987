# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `image` on a root file system that is not running: this machine's own programs under another distribution's name and kernel.

The root is a folder with an overlay of this machine's /usr, in a mount namespace that ends with the run. What Debian's own tools say of it counts.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from ansible_collections.realip.toa.plugins.plugin_utils.variables.table import KNOWN
from sshd import ROOT, VENVS

KERNEL = "6.1.0-18-amd64"
OS_RELEASE = 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
UNITS = ("realip-toa-ebpf.service", "realip-toa-ebpf-watch.timer", "realip-toa-monitor.timer")
CONFIG = "CONFIG_64BIT=y\nCONFIG_BPF_SYSCALL=y\nCONFIG_CGROUP_BPF=y\n"

# A connection that works in a chroot, as community.general.chroot does, which nobody has to install.
CONNECTION = """\
from ansible.plugins.connection.local import Connection as Local
import os, shlex
DOCUMENTATION = '''
name: in_chroot
short_description: a shell in a chroot
description: a shell in a chroot
author: realip.toa
options:
  become_strip_preamble:
    description: of the connection local
    type: bool
    default: true
    vars: [{name: ansible_local_become_strip_preamble}]
  become_success_timeout:
    description: of the connection local
    type: int
    default: 10
    vars: [{name: ansible_local_become_success_timeout}]
'''
class Connection(Local):
    transport = 'in_chroot'
    def exec_command(self, cmd, in_data=None, sudoable=True):
        return super().exec_command(f"chroot {os.environ['TEST_CHROOT']} /bin/sh -c {shlex.quote(cmd)}", in_data, sudoable)
"""

# $1: the stage; the rest is what to do there.
MOUNTED = """\
set -e
mount --make-rprivate /
cd "$1"
shift
mount -t overlay -o lowerdir=/usr,upperdir="$PWD/upper",workdir="$PWD/work" overlay root/usr
sort /proc/self/mountinfo >mounts.before
rc=0
"$@" || rc=$?
sort /proc/self/mountinfo >mounts.after
umount root/usr
exit $rc
"""


@dataclass
class Stage:
    """A root file system in a folder, and a controller that knows of it."""

    folder: Path
    core: str

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def inside(self, *words: str, check: bool = True, **environment: str) -> str:
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", MOUNTED, "sh", str(self.folder), *words],
            env={**os.environ, "ANSIBLE_HOME": str(self.folder / "home"), "ANSIBLE_NOCOLOR": "1", **environment},
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300,
        )  # fmt: skip
        assert not check or done.returncode == 0, done.stdout
        return done.stdout

    def ansible(
        self, command: str, *words: str, check: bool = True, root: str | None = None, **variables: t.Any
    ) -> str:
        given = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "auto_silent",
            "toa_image_root": str(self.root) if root is None else root,
            "toa_trusted_sources": ["192.0.2.0/24"],
            "toa_vendor": "tencent",
            **variables,
        }
        inventory = self.folder / "inventory.yml"
        inventory.write_text(json.dumps({"all": {"hosts": {"image": given}}}))
        program = str(VENVS / self.core / "bin" / command)
        return self.inside(
            program, "-i", str(inventory), *words, check=check, ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"),
            ANSIBLE_COLLECTIONS_PATH=str(ROOT / "collections"), TEST_CHROOT=str(self.root),
            ANSIBLE_CONNECTION_PLUGINS=str(self.folder / "plugins"),
        )  # fmt: skip

    def prepare(self, *words: str, **more: t.Any) -> str:
        return self.ansible("ansible-playbook", "realip.toa.image", *words, **more)

    def files(self) -> dict[str, bytes | str]:
        """All that is in it, and in what was written over /usr."""
        return {
            str(path.relative_to(self.folder)): os.readlink(path) if path.is_symlink() else path.read_bytes()
            for top in ("root", "upper")
            for path in (self.folder / top).rglob("*")
            if path.is_symlink() or path.is_file()
        }


@pytest.fixture
def stage(tmp_path: Path, core: str) -> Stage:
    if os.geteuid():
        pytest.skip("mounts need root")
    made = Stage(tmp_path, core)
    for name in ("work", "plugins", "upper/lib/modules/" + KERNEL, "upper/sbin"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("boot", "dev", "etc/systemd/system", "proc", "root", "run", "sys", "tmp", "usr", "var/lib"):
        (made.root / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (made.root / name).symlink_to("usr/" + name)
    (tmp_path / "upper/sbin/init").symlink_to("/lib/systemd/systemd")
    for name, text in (
        ("etc/os-release", OS_RELEASE),
        ("etc/machine-id", ""),
        ("etc/hostname", "golden\n"),
        (f"boot/vmlinuz-{KERNEL}", "a kernel"),
        (f"boot/config-{KERNEL}", CONFIG),
    ):
        (made.root / name).write_text(text)
    (tmp_path / "plugins/in_chroot.py").write_text(CONNECTION)
    return made


def test_it_is_prepared_once_and_the_tools_agree(stage: Stage) -> None:
    before = stage.files()
    said = stage.prepare("--check")
    assert "changed=2" in said and stage.files() == before, said
    said = stage.prepare()
    assert "changed=2" in said, said
    # Nothing of ours is mounted afterwards, and the image has no other identity than before.
    assert (stage.folder / "mounts.before").read_text() == (stage.folder / "mounts.after").read_text()
    after = stage.files()
    assert {name: after[name] for name in before} == before
    assert not [path for name in ("dev", "proc", "run", "sys", "tmp") for path in (stage.root / name).iterdir()]
    enabled = stage.inside("systemctl", "--root", str(stage.root), "is-enabled", *UNITS)
    assert enabled.split() == ["enabled"] * 3, enabled
    said = stage.prepare()
    assert "changed=0" in said and stage.files() == after, said


def test_nothing_of_the_build_host_leaks(stage: Stage) -> None:
    said = stage.ansible("ansible", "image", "-m", "realip.toa.toa_facts", "-e", f"__toa_image={stage.root}")
    facts = json.loads(said.partition("=>")[2])["ansible_facts"]["toa"]
    assert (facts["image"], facts["kernel"]["release"], facts["init"]) == (True, KERNEL, "systemd")
    assert facts["boot"]["boot_id"] == "" and facts["hardware"] == {
        "firmware": "bios",
        "root_driver": "",
        "nic_driver": "",
        "machine": "",
    }
    assert (facts["modules"], facts["counters"], facts["container"], facts["conflicts"], facts["unread"]) == (
        [],
        {},
        "",
        [],
        [],
    )
    assert facts["ebpf"]["possible"] and not facts["ebpf"]["attached"] and not facts["firewall"]["forwards"]
    stage.prepare()
    written = b"\0".join(text if isinstance(text, bytes) else text.encode() for text in stage.files().values())
    for path in ("/proc/sys/kernel/random/boot_id", "/proc/sys/kernel/osrelease"):
        assert Path(path).read_bytes().strip() not in written
    assert str(stage.folder).encode() not in written


def test_a_connection_that_works_in_a_chroot(stage: Stage) -> None:
    said = stage.prepare(root="", ansible_connection="in_chroot")
    assert "changed=2" in said, said
    one = stage.files()
    assert "changed=0" in stage.prepare() and stage.files() == one


@pytest.mark.parametrize(
    ("spoilt", "code"),
    [
        ("", "image_is_running"),
        ("rm -r root/proc", "image_incomplete"),
        ("rm root/bin", "image_incomplete"),
        ("rm root/boot/vmlinuz*", "there is no kernel in this image"),
        (f"sed -i /BPF/d root/boot/config-{KERNEL}", "no cgroup v2"),
    ],
    ids=lambda value: shlex.split(value)[-1].replace("/", "_") if " " in value else value[:16],
)
def test_what_cannot_be_prepared_is_left_alone(stage: Stage, spoilt: str, code: str) -> None:
    subprocess.run(spoilt, shell=True, check=True, cwd=stage.folder)
    before = stage.files()
    said = stage.prepare(check=False, root=None if spoilt else "")
    assert code in said and "changed=0" in said, said
    assert stage.files() == before and not Path("/var/lib/realip-toa").exists()


# ---- machines of a stock image: the guide's cloud-init, as a dry run on this machine


def cloud_config() -> dict[str, t.Any]:
    page = (ROOT / "docs/guides/images.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```yaml\n(#cloud-config\n.*?)^```", page, re.MULTILINE | re.DOTALL)
    return t.cast("dict[str, t.Any]", yaml.safe_load(text))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The collection as a repository to pull from."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for name in ("ansible.cfg", "galaxy.yml", "rollout.yml", "collections", "meta", "playbooks", "plugins", "roles"):
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(
            ROOT / name, folder / name, **({"symlinks": True} if (ROOT / name).is_dir() else {})
        )
    git = ["git", "-c", "user.name=me", "-c", "user.email=me@example.com", "-C", str(folder)]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"], ["tag", "1.0.0"]):
        subprocess.run([*git, *words], check=True)
    return folder


@pytest.mark.parametrize(
    ("more", "state", "word"),
    [
        ({"toa_accept": ["conflicts"]}, "pending", "attach the eBPF programs"),
        ({"toa_backends": ["vtoa"]}, "unsupported", "vtoa: "),
    ],
    ids=["ebpf", "refused"],
)
def test_a_stock_image_rolls_out_to_itself(
    repository: Path, core: str, tmp_path: Path, more: dict[str, t.Any], state: str, word: str
) -> None:
    config = cloud_config()
    (settings,) = config["write_files"]
    given = yaml.safe_load(settings["content"])
    assert given["toa_backends"] == ["ebpf"] and given.keys() <= KNOWN
    words = config["runcmd"][-1]
    assert words[0] == "/opt/ansible/bin/ansible-pull" and f"@{settings['path']}" in words
    variables = tmp_path / "variables.yml"
    variables.write_text(json.dumps({**given, "toa_report_dir": str(tmp_path / "reports"), **more}))
    program = VENVS / core / "bin" / "ansible-pull"
    here = {
        words[0]: str(program),
        "https://git.example.com/realip-toa.git": f"file://{repository}",
        "/opt/realip-toa": str(tmp_path / "pulled"),
        f"@{settings['path']}": f"@{variables}",
        # This machine boots nothing, so of what would be attached here the plan alone is made.
        **({"rollout.yml": "playbooks/plan.yml"} if state == "pending" else {}),
    }
    done = subprocess.run(
        [*(here.get(word, word) for word in words), "--check"], text=True, capture_output=True, timeout=280,
        env={"PATH": f"{program.parent}:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(tmp_path), "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    (report,) = (tmp_path / "reports").glob("*/2*/*.json")
    (host,) = json.loads(report.read_text())["hosts"]
    # A host for which there is nothing is no failure of a rollout; the report and the output say why.
    assert done.returncode == 0, done.stdout + done.stderr
    assert host["state"] == state and word in json.dumps(host), host
    assert not [step for step in host["steps"] if "reboot" in step], host
