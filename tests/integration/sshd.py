# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real sshd on loopback, and ansible runs against it.

One sshd plays many hosts: it listens on one port of several 127.x.y.z addresses, and what makes an address special
(a csh login shell, a noisy login, no Python) is a `Match LocalAddress` with a ForceCommand that treats
$SSH_ORIGINAL_COMMAND as that host's login would. Nothing outside the given folder is written but /run/sshd.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
HERE = Path(__file__).resolve().parent
# The most addresses that one sshd listens on (MAX_LISTEN_SOCKS in its source).
LISTEN_LIMIT = 16
VENVS = Path(os.environ.get("REALIP_VENVS", Path.home() / ".cache/realip-toa/venvs"))


def cores() -> list[str]:
    """Names of the virtual environments with an ansible-core: core-2.16 and so on."""
    found = sorted(path.name for path in VENVS.glob("core-*") if (path / "bin/ansible").exists())
    if not found:
        raise RuntimeError(f"no ansible-core in {VENVS}: run `make setup`")
    return found


def tried(everywhere: bool = False) -> list[str]:
    """Those that a test is run with. REALIP_PART is what `make test` and `make test-all` say: `test` has the newest, `rest` the oldest.

    `everywhere`: of the channel, `test` has both ends, and `rest` those between.
    """
    found = cores()
    ends = sorted({found[0], found[-1]})
    part = os.environ.get("REALIP_PART")
    if part == "test":
        return ends if everywhere else found[-1:]
    if part == "rest":
        return (
            [core for core in found if core not in ends]
            if everywhere
            else [core for core in found[:1] if core != found[-1]]
        )
    return found


def pythons() -> dict[str, str]:
    """Every Python that target code may meet here: "2.7" -> the path of one, from PATH and from pyenv."""
    names = ["python2.6", "python2.7", *(f"python3.{minor}" for minor in range(4, 15))]
    candidates = [
        found for name in names if (found := shutil.which(name, path=os.environ["PATH"] + ":/usr/bin:/usr/local/bin"))
    ]
    candidates += map(str, sorted(Path.home().glob(".pyenv/versions/*/bin/python")))
    found = {}
    for path in candidates:
        answer = subprocess.run(
            [path, "-c", "import sys; sys.stdout.write('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        if answer.returncode == 0 and re.fullmatch(r"\d+\.\d+", answer.stdout):
            found.setdefault(answer.stdout, path)
    return found


@dataclass
class Sshd:
    """sshd as the user who runs the tests; `characters` maps an address to the sshd_config lines that make it special."""

    folder: Path
    characters: dict[str, list[str]] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=lambda: ["127.0.0.1"])
    port: int = 0
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    accounts: list[str] = field(default_factory=list)
    """Further names by which root may log in; nobody else on this machine knows of them."""

    def __enter__(self) -> Sshd:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        for name in ("host_key", "user_key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", self.folder / name], check=True
            )
        for user in (getpass.getuser(), *self.accounts):
            self.authorise(user)
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        addresses = [*self.addresses, *self.characters]
        for start in range(0, len(addresses), LISTEN_LIMIT):
            self._start(addresses[start : start + LISTEN_LIMIT])
        return self

    def __exit__(self, *unused: object) -> None:
        """Sessions are ended too: kept open by ControlPersist, they would hold on to the accounts that they are of."""
        sessions = [
            int(pid)
            for process in self.processes
            for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        ]
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(30)
        for pid in sessions:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _start(self, addresses: list[str]) -> None:
        sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ["PATH"])
        if sshd is None:
            raise RuntimeError("sshd is missing: apt-get install openssh-server")
        config = self.folder / f"sshd_config.{addresses[0]}"
        config.write_text("\n".join(self._config(addresses)) + "\n")
        with open(self.folder / f"sshd.log.{addresses[0]}", "wb") as log:
            process = subprocess.Popen(
                [*self._known(), sshd, "-D", "-e", "-f", config], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self.processes.append(process)
        self._wait_until_it_listens(process, addresses[0])

    def _known(self) -> list[str | Path]:
        """Words before a command for which the accounts are in /etc/passwd: a file of its own lies over it there.

        Root has /bin/sh in it: unlike bash and others it reads no profile of this machine, which may print something.
        """
        if os.getuid() != 0:
            return []
        accounts = [line.split(":") for line in Path("/etc/passwd").read_text().splitlines()]
        known = [":".join([*entry[:-1], "/bin/sh" if entry[0] == "root" else entry[-1]]) for entry in accounts]
        passwd = self.folder / "passwd"
        passwd.write_text("\n".join([*known, *(f"{name}:x:0:0::/root:/bin/sh" for name in self.accounts)]) + "\n")
        return [
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            'mount --bind "$0" /etc/passwd && exec "$@"',
            passwd,
        ]

    def authorise(self, user: str) -> None:
        keys = self.folder / f"authorized_keys.{user}"
        shutil.copy(self.folder / "user_key.pub", keys)
        keys.chmod(0o644)

    def _config(self, addresses: list[str]) -> t.Iterator[str]:
        for address in addresses:
            yield f"ListenAddress {address}:{self.port}"
        yield f"HostKey {self.folder}/host_key"
        yield "PidFile none"
        yield f"AuthorizedKeysFile {self.folder}/authorized_keys.%u"
        yield from (
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin yes",
            "PermitUserRC no",
            "MaxStartups 200",
            "MaxSessions 200",
            "LogLevel ERROR",
            "PrintMotd no",
            "UseDNS no",
        )
        # A program, not internal-sftp: so a ForceCommand gets it as the command that it is for an ordinary account.
        yield "Subsystem sftp " + next(
            filter(os.path.exists, ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server"))
        )
        for address, lines in self.characters.items():
            yield f"Match LocalAddress {address}"
            yield from (f"    {line}" for line in lines)

    def _wait_until_it_listens(self, process: subprocess.Popen[bytes], address: str) -> None:
        for _attempt in range(200):
            with socket.socket() as client:
                if client.connect_ex((address, self.port)) == 0:
                    return
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            raise RuntimeError("sshd ended: " + (self.folder / f"sshd.log.{address}").read_text())
        raise RuntimeError(f"sshd does not listen on {address}")

    def host(self, name: str, address: str, **variables: t.Any) -> dict[str, t.Any]:
        """Inventory entry of one host."""
        common = "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR -o IdentitiesOnly=yes"
        return {
            name: {
                "ansible_host": address,
                "ansible_port": self.port,
                "ansible_user": getpass.getuser(),
                "ansible_ssh_private_key_file": str(self.folder / "user_key"),
                "ansible_ssh_common_args": common,
                **variables,
            }
        }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@dataclass
class Run:
    """What one ansible command did: per task and host {host, status, result}; all that it printed; seconds of wall and CPU."""

    rc: int
    results: list[dict[str, t.Any]] = field(repr=False)
    output: str = field(repr=False)
    seconds: float
    cpu: float


@dataclass
class Controller:
    """ansible of one virtual environment, with a configuration, a home and temporary files of its own."""

    core: str
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    time_limit: float = 120
    """Seconds after which a command has not ended."""

    def environment(self) -> dict[str, str]:
        home = self.folder / "controller"
        home.mkdir(parents=True, exist_ok=True)
        (home / "ansible.cfg").touch()
        kept = {
            key: value
            for key, value in os.environ.items()
            if key in ("PATH", "HOME", "LANG", "USER", "LOGNAME", "TERM")
        }
        return {
            **kept,
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_CONFIG": str(home / "ansible.cfg"),
            "ANSIBLE_HOME": str(home),
            "ANSIBLE_LOCAL_TEMP": str(home / "tmp"),
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_ACTION_PLUGINS": str(HERE / "action_plugins"),
            "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback_plugins"),
            "ANSIBLE_CALLBACKS_ENABLED": "results_file",
            "TOA_TEST_RESULTS": str(self.folder / "results"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": f"/tmp/.toa-test-{os.getpid()}",
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=20s",
            "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
            "ANSIBLE_DEPRECATION_WARNINGS": "true",
            "ANSIBLE_TIMEOUT": "20",
            **self.settings,
        }

    def task(
        self,
        hosts: dict[str, dict[str, t.Any]],
        action: str,
        args: dict[str, t.Any] | None = None,
        keywords: dict[str, t.Any] | None = None,
        options: t.Sequence[str] = (),
        more_tasks: t.Sequence[dict[str, t.Any]] = (),
    ) -> Run:
        """One task on all `hosts`, as a playbook; `results` holds what it returned."""
        self.folder.mkdir(parents=True, exist_ok=True)
        inventory = self.folder / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
        playbook = self.folder / "playbook.json"
        task = {"name": "the task", action: args or {}, "register": "answer", "ignore_errors": True, **(keywords or {})}
        playbook.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task, *more_tasks]}]))
        return self.command(["ansible-playbook", "-i", str(inventory), *options, str(playbook)])

    def command(self, words: t.Sequence[str], stdin: str = "") -> Run:
        """Run a command of the virtual environment; `cpu` is user and system time of it and its children, in seconds."""
        program = VENVS / self.core / "bin" / words[0]
        results = self.folder / "results"
        results.write_bytes(b"")
        before = os.times()
        child = subprocess.Popen(
            [program, *words[1:]],
            env=self.environment(),
            cwd=self.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _none = child.communicate(stdin, timeout=self.time_limit)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            output, _none = child.communicate()
            raise AssertionError(f"{' '.join(words)} did not end:\n{output}") from None
        after = os.times()
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        return Run(
            child.returncode,
            list(map(json.loads, results.read_text().splitlines())),
            output,
            after.elapsed - before.elapsed,
            cpu,
        )


def result_of(run: Run, name: str = "host") -> dict[str, t.Any]:
    """The result of the only task on a host; UNREACHABLE and deprecation warnings are never right."""
    found = [line for line in run.results if line["host"] == name]
    assert len(found) == 1, run.output
    assert found[0]["status"] in ("ok", "failed")
    assert "[DEPRECATION WARNING]" not in run.output, run.output
    return {"failed": found[0]["status"] == "failed", **found[0]["result"]}
