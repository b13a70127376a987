# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel with sudo and su, with and without passwords and terminals.

Needs root: it makes two accounts and a file in /etc/sudoers.d, and removes them again.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
from sshd import Controller, Run, Sshd, result_of

ADDRESS = "127.0.42.1"


@dataclass
class Account:
    """A local account of this test."""

    name: str
    password: str

    @property
    def uid(self) -> int:
        return int(subprocess.run(["id", "-u", self.name], capture_output=True, check=True).stdout)


def make_account(name: str) -> Account:
    account = Account(name, secrets.token_hex(8))
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", name], check=True)
    subprocess.run(["chpasswd"], input=f"{name}:{account.password}\n", text=True, check=True)
    return account


def remove_account(account: Account) -> None:
    """userdel refuses while a session of the account is about to end, so it is asked again for some seconds."""
    deadline = time.monotonic() + 20
    while (
        done := subprocess.run(["userdel", "--remove", account.name], capture_output=True, text=True, check=False)
    ).returncode == 8:
        assert time.monotonic() < deadline, done.stderr
        time.sleep(0.1)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def accounts() -> t.Iterator[dict[str, Account]]:
    """Accounts that differ in the sudo rules that they get; `other` is one to become."""
    made = {}
    try:
        for role in ("free", "asked", "tty", "other"):
            made[role] = make_account(f"toatest-{os.getpid()}-{role}"[:31])
        yield made
    finally:
        for account in made.values():
            remove_account(account)


@pytest.fixture(scope="module")
def sudo_rules(accounts: dict[str, Account]) -> t.Iterator[None]:
    """sudo without a password for `free`, with one for `asked`, only from a terminal for `tty`; none for `other`."""
    path = Path(f"/etc/sudoers.d/toa-test-{os.getpid()}")
    path.write_text(
        f"{accounts['free'].name} ALL=(ALL) NOPASSWD: ALL\n"
        f"{accounts['asked'].name} ALL=(ALL) ALL\n"
        f"{accounts['tty'].name} ALL=(ALL) NOPASSWD: ALL\n"
        f"Defaults:{accounts['tty'].name} requiretty\n"
    )
    path.chmod(0o440)
    try:
        subprocess.run(["visudo", "-cqf", path], check=True)
        yield
    finally:
        path.unlink()


@pytest.fixture(scope="module")
def sshd(place: Path, accounts: dict[str, Account]) -> t.Iterator[Sshd]:
    with Sshd(place / "sshd", addresses=[ADDRESS]) as server:
        for account in accounts.values():
            server.authorise(account.name)
        yield server


@pytest.fixture(scope="module")
def fleet(core: str, sshd: Sshd, sudo_rules: None, accounts: dict[str, Account], place: Path) -> Run:
    """One run of one task; hosts differ in who logs in and who they become."""

    def host(name: str, role: str, **variables: t.Any) -> dict[str, t.Any]:
        variables = {"ansible_become": True, **variables}
        return sshd.host(name, ADDRESS, **{"ansible_user": accounts[role].name, **variables})

    other = {"ansible_become_user": accounts["other"].name}
    # Becoming an ordinary account needs ACLs or this, as with any module of Ansible; becoming root does not.
    su = {"ansible_become_method": "su", "ansible_shell_allow_world_readable_temp": True, **other}
    hosts = host("free", "free")
    hosts |= host("password", "asked", ansible_become_password=accounts["asked"].password)
    hosts |= host("no-password", "asked")
    hosts |= host("wrong-password", "asked", ansible_become_password="wrong")
    hosts |= host("no-rule", "other", ansible_become_password=accounts["other"].password)
    hosts |= host("requiretty", "tty")
    hosts |= host("terminal", "free", ansible_ssh_extra_args="-o RequestTTY=yes")
    hosts |= host("another-user", "free", **other)
    hosts |= host("su", "free", ansible_become_password=accounts["other"].password, **su)
    hosts |= host("su-wrong-password", "free", ansible_become_password="wrong", **su)
    hosts |= host("no-sudo", "free", ansible_become_exe="/nowhere/sudo")
    local = {"ansible_connection": "local", "ansible_become": True}
    hosts["local"] = {**local, **other}
    hosts["refused"] = {**host("refused", "free")["refused"], "ansible_host": "127.0.42.99"}
    (place / "tmp").mkdir(exist_ok=True)
    (place / "tmp").chmod(0o1777)
    settings = {"ANSIBLE_REMOTE_TMP": str(place / "tmp/${USER}"), "ANSIBLE_FORKS": "8"}
    run = Controller(core, place / core, settings).task(hosts, "toa_echo", {"say": "x"})
    assert "unreachable=1" not in run.output
    return run


@pytest.mark.parametrize("name", ["free", "password", "requiretty", "terminal"])
def test_becomes_root(fleet: Run, name: str) -> None:
    result = result_of(fleet, name)
    assert not result["failed"], result
    assert result["uid"] == 0


@pytest.mark.parametrize("name", ["another-user", "su", "local"])
def test_becomes_another_user(fleet: Run, accounts: dict[str, Account], name: str) -> None:
    result = result_of(fleet, name)
    assert not result["failed"], result
    assert result["uid"] == accounts["other"].uid


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no-password", "password"),
        ("wrong-password", "Incorrect sudo password"),
        ("no-rule", "not in the sudoers file"),
        ("su-wrong-password", "su"),
        ("no-sudo", "/nowhere/sudo"),
    ],
)
def test_no_rights_is_said_as_such(fleet: Run, name: str, words: str) -> None:
    result = result_of(fleet, name)
    assert result["failed"] and result["code"] == "become_failed", result
    assert words in result["msg"]
    assert "ansible_become_password" in result["remedy"]
    assert "toa_state" not in result


def test_lost_is_lost_with_become_too(fleet: Run) -> None:
    result = result_of(fleet, "refused")
    assert result["code"] == "connection_lost" and result["toa_state"] == "lost"


def test_nothing_is_left_on_the_hosts(fleet: Run, accounts: dict[str, Account], place: Path) -> None:
    folders = list((place / "tmp").iterdir())
    assert folders, "no host needed a temporary file: this test looks at the wrong place"
    assert [path for folder in folders for path in folder.rglob("*")] == []
    ours = {account.uid for account in accounts.values()}
    system = [*Path("/tmp").glob("ansible-tmp-*"), *Path("/var/tmp").glob("ansible-tmp-*")]
    assert [path for path in system if path.stat().st_uid in ours] == []
