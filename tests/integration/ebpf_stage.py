# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stage (stage.py) for the eBPF backend: what looks like the whole machine's cgroup v2 there is a cgroup of the test's own.

So everything runs as on a host, defaults included, and only processes of the stage see what is attached.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
import re
import shlex
import struct
import subprocess
import tempfile
import typing as t
import zlib
from pathlib import Path

from ansible_collections.realip.toa.plugins.module_utils.bpf import syscalls as bpf_query
from ansible_collections.realip.toa.plugins.plugin_utils import ebpf_object
from ansible_collections.realip.toa.plugins.plugin_utils.channel import bundle
from sshd import ROOT, VENVS
from stage import Stage

# The BPF file system and the init are the stage's own; without /proc/1 being systemd, systemctl has nobody to talk to.
SETUP = """
set -e
mount --bind {cgroup} {mount}
test -e {mount}/cgroup.type
mkdir -p /sys/fs/bpf
mount -t bpf bpf /sys/fs/bpf
rm -rf /run/systemd /var/lib/realip-toa
mkdir -p /run/systemd/system
printf '#!/bin/sh\\necho "$@" >>/run/systemctl.log\\n' >/usr/local/sbin/systemctl
chmod 755 /usr/local/sbin/systemctl
"""


def cgroup2_mount() -> str:
    return next(
        line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines() if line.split()[2] == "cgroup2"
    )


def other_object() -> str:
    """Another version of the object, as toa_ebpf takes it: the same programs, and a section more."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "object")
        path.write_bytes(ebpf_object.OBJECT)
        Path(folder, "note").write_text("another version")
        subprocess.run(["llvm-objcopy", f"--add-section=.note={folder}/note", path], check=True)
        return base64.b64encode(zlib.compress(path.read_bytes(), 9)).decode("ascii")


class EbpfStage(Stage):
    """One such host."""

    def __init__(self, folder: Path, address: str = "127.0.77.1") -> None:
        self.mount = cgroup2_mount()
        self.cgroup = Path(tempfile.mkdtemp(prefix="realip-ebpf-", dir=self.mount))
        super().__init__(folder, address)
        done = self.run("sh", "-c", SETUP.format(cgroup=self.cgroup, mount=self.mount), inside=False)
        assert done.returncode == 0, done.stderr

    def put(self, path: str, text: str, mode: int = 0o644) -> None:
        """Write a file on the stage."""
        packed = base64.b64encode(text.encode()).decode("ascii")
        assert self.sh(f"rm -f {path}; echo {packed} | base64 -d >{path} && chmod {mode:o} {path}") == ""

    def be_refused_by_the_init(self) -> None:
        """From now on systemctl fails to start what it is told to, and says why as systemd does."""
        self.put(
            "/usr/local/sbin/systemctl",
            '#!/bin/sh\necho "$@" >>/run/systemctl.log\n'
            'case $1 in *start) echo "Job failed: Permission denied" >&2; exit 1 ;; esac\n',
            0o755,
        )

    def __enter__(self) -> EbpfStage:
        return self

    def __exit__(self, *unused: object) -> None:
        self.holder.stdin.close()
        self.holder.wait(30)
        self.cgroup.rmdir()  # programs go with their cgroup

    def command(self, *words: t.Any) -> list[str]:
        """A command line that runs something on the stage, in its cgroup."""
        script = f"echo $$ >{shlex.quote(self.mount)}/cgroup.procs && exec " + shlex.join(map(str, words))
        return ["nsenter", "-t", str(self.holder.pid), *self.NAMESPACES, "--wd=" + str(ROOT), "sh", "-c", script]

    def run(self, *words: t.Any, inside: bool = True, **more: t.Any) -> subprocess.CompletedProcess[str]:
        line = (
            self.command(*words)
            if inside
            else ["nsenter", "-t", str(self.holder.pid), *self.NAMESPACES, *map(str, words)]
        )
        return subprocess.run(line, capture_output=True, text=True, check=False, timeout=300, **more)

    def target(
        self, entry: str, python: str = "/usr/bin/python3", before: str = "", inside: bool = True, **args: t.Any
    ) -> dict[str, t.Any]:
        """The answer of a target module, run as the channel does; `before` is Python that goes first."""
        done = self.run(python, "-", input=before + self.program(entry, **args), inside=inside)
        frame = re.search(r"\n@realip-toa stage \d+ (.*) @end stage\n", done.stdout)
        assert frame, done.stdout + done.stderr
        return json.loads(frame[1])

    @staticmethod
    def program(entry: str, **args: t.Any) -> str:
        """What the channel would send to run a target module, ours or one of tests/integration/target."""
        return (
            bundle.build(entry, (str(Path(__file__).parent / "target"),))
            .render({"check": False, **args}, "stage", 120)
            .decode()
        )

    def ebpf(self, state: str = "attached", kinds: t.Sequence[str] = ("200/8",), **args: t.Any) -> dict[str, t.Any]:
        """toa_ebpf without the controller, for speed."""
        return self.target(
            "programs.ebpf",
            **{
                "state": state,
                "option_kinds": list(kinds),
                "trusted_sources": [],
                "object": ebpf_object.PACKED,
                **args,
            },
        )

    def crafted(self, cases: t.Iterable[t.Sequence[t.Any]], between: str = "") -> list[list[t.Any]]:
        """Rows of target/crafted.py; a case may leave out what is usual: option, packet, listener, family, variant, peer."""
        usual = ["", "ack", "inet", 4, "", ""]
        complete = [[*case, *usual[len(case) :]] for case in cases]
        return self.target("crafted", cases=complete, between=["/bin/sh", "-c", between] if between else [])["rows"]

    def programs(self, cgroup: str = "") -> dict[str, int]:
        """{name: id} of what is attached to the stage's cgroup, as bpftool sees it from outside."""
        folder = str(self.cgroup) + cgroup.removeprefix(self.mount)
        shown = subprocess.run(
            ["bpftool", "-j", "cgroup", "show", folder], capture_output=True, text=True, check=True
        ).stdout
        return {program["name"]: program["id"] for program in json.loads(shown.strip() or "[]")}

    def detach_by_hand(self) -> None:
        """As a reboot does: the programs and what is pinned are gone, the files stay."""
        hooks = {
            "realip_peer4": "getpeername4",
            "realip_peer6": "getpeername6",
            "realip_getopt": "getsockopt",
            "realip_sockops": "sock_ops",
        }
        for name, number in self.programs().items():
            subprocess.run(["bpftool", "cgroup", "detach", self.cgroup, hooks[name], "id", str(number)], check=True)
        self.sh("rm -rf /sys/fs/bpf/realip-toa")

    def attach_foreign(self, hook: str, flags: str) -> None:
        """A program of somebody else's, which allows everything."""
        kind, attach_type = {"getpeername4": (18, 29), "sock_ops": (13, 3)}[hook]
        instructions = ctypes.create_string_buffer(
            struct.pack("=BBhiBBhi", 0xB7, 0, 0, 1, 0x95, 0, 0, 0)
        )  # r0 = 1; exit
        licence = ctypes.create_string_buffer(b"GPL")
        code, gpl = ctypes.addressof(instructions), ctypes.addressof(licence)
        attributes = struct.pack("=IIQQIIQII16sII", kind, 2, code, gpl, 0, 0, 0, 0, 0, b"cil_peer4", 0, attach_type)
        program = bpf_query.bpf(5, attributes)[0]  # BPF_PROG_LOAD
        folder = os.open(self.cgroup, os.O_RDONLY)
        try:
            bpf_query.bpf(
                8, struct.pack("=IIII", folder, program, attach_type, 2 if flags == "multi" else 0)
            )  # BPF_PROG_ATTACH
        finally:
            os.close(program)
            os.close(folder)

    def module(
        self,
        name: str,
        core: str = "core-2.21",
        check: bool = False,
        variables: dict[str, t.Any] | None = None,
        **args: t.Any,
    ) -> dict[str, t.Any]:
        """The result of one module, run by Ansible itself over the local connection."""
        words = [
            VENVS / core / "bin/ansible",
            "localhost",
            "-c",
            "local",
            "-i",
            "localhost,",
            "-m",
            f"realip.toa.{name}",
        ]
        words += ["-a", json.dumps(args)] if args else []
        words += ["-e", json.dumps({"ansible_python_interpreter": "/usr/bin/python3", **(variables or {})})]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
        done = self.run(*words, *(["--check"] if check else []), env=environment)
        _words, arrow, result = done.stdout.rpartition(" => {")
        assert arrow, done.stdout + done.stderr
        return json.loads("{" + result)
