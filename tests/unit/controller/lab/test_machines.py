# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the lab that need no machine: tables, command lines, images, inventory, the monitor's protocol, processes."""

from __future__ import annotations

import http.client
import io
import json
import os
import socket
import struct
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import cli, hosts, images, inventory, machines, mirror, progress, qemu, ssh
from lab.hosts import HOSTS, IMAGES, SETTLED, Host, Image, dress, select
from lab.paths import CHECKOUT, HERE, cache_dir, locked, run_dir
from lab.progress import LabError


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees, or touches, the machines and images of whoever runs it."""
    monkeypatch.setenv("REALIP_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("REALIP_LAB_RUN", str(tmp_path / "run"))
    monkeypatch.delenv("REALIP_LAB_ACCEL", raising=False)


# -- the table --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(HOSTS))
def test_every_row_is_complete(name: str) -> None:
    host = HOSTS[name]
    assert host.image in IMAGES
    assert host.init in SETTLED
    assert (HERE / "guest" / "loader" / f"{host.loader}.sh").is_file()
    assert (HERE / "guest" / "packages" / f"{host.packages}.sh").is_file()
    itself = bool(IMAGES[host.image].kernel)
    assert ("usr/lib/os-release" in [*dress(host).files, *dress(host).absent]) != itself
    assert ("stock" in host.layers) == ("*" in host.kernel) == itself
    assert all((HERE / "dress" / layer).is_dir() for layer in (*host.layers, *([] if itself else [host.name])))
    assert (host.release_package is not None) == (host.packages in ("rpm", "rpm_set"))


def test_dress_is_common_files_with_the_hosts_own_over_them() -> None:
    ubuntu, debian = dress(HOSTS["ubuntu1604"]).files, dress(HOSTS["debian8"]).files
    assert b'VERSION_ID="16.04"' in ubuntu["usr/lib/os-release"][1]
    assert b"echo Ubuntu" in ubuntu["etc/default/grub"][1] and b"echo Debian" in debian["etc/default/grub"][1]
    assert ubuntu["etc/rc.local"][0] == 0o755 and ubuntu["etc/debian_version"][0] == 0o644


def test_dress_has_layers_links_and_what_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosts, "HERE", tmp_path)
    for name in (
        "common/etc/default/grub",
        "common/etc/issue",
        "family/etc/.absent.default",
        "family/etc/rc.d/rc.local",
        "machine/etc/issue",
    ):
        (tmp_path / "dress" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "dress" / name).write_text(name)
    (tmp_path / "dress/family/etc/rc.local").symlink_to("rc.d/rc.local")
    worn = dress(Host("machine", "a machine", "bookworm", "1", layers=("family",)))
    assert worn.absent == ["etc/default"]
    assert worn.files == {
        "etc/issue": (0o644, b"machine/etc/issue"),
        "etc/rc.d/rc.local": (0o644, b"family/etc/rc.d/rc.local"),
        "etc/rc.local": (0o120777, b"rc.d/rc.local"),
    }


def _fields(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


@pytest.mark.parametrize(("name", "vector"), [("ubuntu1604", "ubuntu-16.04"), ("debian8", "debian-8")])
def test_dress_says_what_the_distribution_says(name: str, vector: str) -> None:
    worn = _fields(dress(HOSTS[name]).files["usr/lib/os-release"][1].decode())
    genuine = _fields((CHECKOUT / "tests" / "unit" / "vectors" / "os-release" / vector).read_text())
    assert worn.items() >= genuine.items()
    assert worn["PRETTY_NAME"].strip('"') == HOSTS[name].dressed_as


def test_unknown_names_are_named() -> None:
    with pytest.raises(LabError, match=r"no such host: centos5; the lab has .*debian8"):
        select(["centos5"])
    assert [host.name for host in select([], extra=True)] == list(HOSTS)
    assert [host.name for host in select([])] == [name for name, host in HOSTS.items() if not host.extra]


def test_a_distributions_own_kernel_is_in_the_image_with_an_initramfs_that_finds_the_disk() -> None:
    words = images._install_words(IMAGES["debian12"], Path("/a b"))
    assert any(word.startswith("--include=") and word.endswith(",linux-image-cloud-amd64") for word in words)
    assert any("cp -R --no-preserve=ownership '/a b/initramfs-tools'/. " in word for word in words)
    assert {"conf.d/lab", "hooks/blkid", "hooks/virtio"} <= set(images._initramfs_files())
    assert any(word.endswith('offer "$1" bpftool') for word in words)
    assert not any("--essential-hook" in word for word in images._install_words(IMAGES["bookworm"], Path("/x")))


def test_the_kernel_of_an_image_is_taken_out_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = {
        "boot/vmlinuz-6.1.0-1-cloud-amd64": (0o644, b"kernel"),
        "boot/initrd.img-6.1.0-1-cloud-amd64": (0o644, b"initramfs"),
        "etc/x": (0o644, b""),
    }
    (tmp_path / "root.tar").write_bytes(images.tar_of(root))
    (tmp_path / "made").mkdir()
    images._take_kernel(tmp_path / "root.tar", tmp_path / "made")
    monkeypatch.setattr(images, "root_image", lambda name: tmp_path / "made")
    kernel = images.stock_kernel(HOSTS["debian12"])
    assert (kernel.release, kernel.packages) == ("6.1.0-1-cloud-amd64", ())
    assert kernel.image.read_bytes() == b"kernel" and kernel.initrd and kernel.initrd.read_bytes() == b"initramfs"


# -- disks ------------------------------------------------------------------------------------------------------------------


def test_partition_table_holds_one_bootable_linux_partition() -> None:
    sector = images.partition_table(Image("bookworm", (), size_mib=64))
    active, kind, first, count = struct.unpack_from("<B3xB3xII", sector, 446)
    assert (len(sector), sector[510:]) == (512, b"\x55\xaa")
    assert (active, kind, first, first + count) == (0x80, 0x83, 2048, 64 * 2048)
    assert not any(sector[462:510])


def test_a_second_partition_lies_behind_the_first() -> None:
    sector = images.partition_table(Image("bookworm", (), size_mib=512, second=0xEF))
    first, second = (struct.unpack_from("<B3xB3xII", sector, place) for place in (446, 462))
    assert (second[0], second[1], first[2] + first[3], second[2] + second[3]) == (0, 0xEF, second[2], 512 * 2048)
    assert second[3] == images.SECOND_MIB * 2048


def test_content_key_changes_with_every_part() -> None:
    base = images.content_key("stock", {"a": (0o644, b"x")})
    assert base == images.content_key("stock", {"a": (0o644, b"x")})
    assert (
        len(
            {base, images.content_key("stock", {"a": (0o644, b"y")}), images.content_key("stock", {"a": (0o600, b"x")})}
        )
        == 3
    )


def test_payload_archive_is_roots() -> None:
    content = images.tar_of(
        {"etc/rc.local": (0o755, b"exit 0\n"), "a": (0o600, b""), "etc/link": (0o120777, b"rc.local")}
    )
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        entry = archive.getmember("etc/rc.local")
        assert (entry.mode, entry.uid, entry.gid, entry.size) == (0o755, 0, 0, 7)
        link = archive.getmember("etc/link")
        assert (link.issym(), link.linkname, link.uid) == (True, "rc.local", 0)
        assert archive.getnames() == ["a", "etc/link", "etc/rc.local"]


def test_what_is_made_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "cache" / "roots" / "thing"
    with pytest.raises(ZeroDivisionError), images._making(path) as scratch:
        assert scratch
        (scratch / "thing").write_text("half")
        raise ZeroDivisionError
    assert list(path.parent.iterdir()) == []
    with images._making(path) as scratch:
        assert scratch
        (scratch / "thing").write_text("whole")
    assert path.read_text() == "whole"
    with images._making(path) as scratch:
        assert scratch is None
    assert list(path.parent.iterdir()) == [path]


# -- the command line of QEMU -----------------------------------------------------------------------------------------------


def test_command_names_only_what_may_differ_between_saving_and_loading() -> None:
    directory = Path("/x")
    one = qemu.command("h", directory, 512, "tcg", qemu.Network(2222, 8000))
    two = qemu.command("h", directory, 512, "tcg", qemu.Network(2223, 8001))
    differing = [pair for pair in zip(one, two, strict=True) if pair[0] != pair[1]]
    assert len(differing) == 1 and differing[0][0].startswith("user,id=net,")


def test_a_machine_reaches_nothing_but_the_mirror() -> None:
    words = qemu.command("h", Path("/x"), 512, "tcg", qemu.Network(2222, 8000))
    assert "restrict=on" in words[words.index("-netdev") + 1]
    assert "hostfwd=tcp:127.0.0.1:2222-:22" in words[words.index("-netdev") + 1]
    assert "-netdev" not in qemu.command("h", Path("/x"), 512, "tcg")


def test_firmware_with_secure_boot_is_for_those_that_ask_for_it() -> None:
    words = qemu.command("h", Path("/a,b"), 512, "tcg", uefi=True)
    assert "if=pflash,unit=1,file=/a,,b/variables.qcow2,format=qcow2" in words
    assert words[words.index("-machine") + 1] == "q35,smm=on"
    assert not any("pflash" in word for word in qemu.command("h", Path("/x"), 512, "tcg"))


def test_commas_in_paths_are_doubled() -> None:
    words = qemu.command("h", Path("/a,b"), 512, "tcg")
    assert any(word.startswith("file=/a,,b/disk.qcow2,") for word in words)


def test_a_machine_restarts_when_it_reboots() -> None:
    assert "-no-reboot" not in qemu.command("h", Path("/x"), 512, "tcg", qemu.Network(1, 2))


def test_accelerator_is_emulation_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert qemu.accelerator(lambda: tmp_path).startswith("tcg,thread=multi")
    monkeypatch.setenv("REALIP_LAB_ACCEL", "fast")
    with pytest.raises(LabError, match="'fast'; it can be tcg"):
        qemu.accelerator(lambda: tmp_path)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo Kernel panic - not syncing: no root", "kvm"),
        ("echo could not open /dev/kvm >&2; exit 1", "tcg"),
        ("exec tail -f /dev/null", "tcg"),
    ],
    ids=["works", "missing", "hangs"],
)
def test_kvm_is_used_only_when_a_kernel_has_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], script: str, expected: str
) -> None:
    fake = tmp_path / "qemu"
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setattr(qemu, "BINARY", str(fake))
    monkeypatch.setattr(qemu, "KVM_TRIAL_SECONDS", 1.0)
    monkeypatch.setenv("REALIP_LAB_ACCEL", "kvm")
    assert qemu.accelerator(lambda: tmp_path).split(",")[0] == expected
    assert ("going on with emulation" in capfd.readouterr().err) == (expected == "tcg")


# -- processes --------------------------------------------------------------------------------------------------------------


def test_a_process_is_known_until_it_ends(tmp_path: Path) -> None:
    qemu.launch_process(tmp_path, ["tail", "-f", "/dev/null"], cwd=tmp_path, log=tmp_path / "log")
    pid = qemu.pid_of(tmp_path)
    assert pid and Path(f"/proc/{pid}").exists()
    qemu.kill(tmp_path)
    assert qemu.pid_of(tmp_path) is None
    qemu.kill(tmp_path)


def test_another_process_with_the_same_number_is_left_alone(tmp_path: Path) -> None:
    other = subprocess.Popen(["tail", "-f", "/dev/null"])
    try:
        (tmp_path / "pid").write_text(f"{other.pid} 1\n")
        assert not qemu.alive(tmp_path)
        qemu.kill(tmp_path)
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_qemu_that_does_not_start_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="did not start: no such luck"):
        qemu.launch(tmp_path, ["sh", "-c", "echo no such luck; exit 1"])
    with pytest.raises(LabError, match="not installed; lab/apt-packages.txt"):
        qemu.launch(tmp_path, ["/nonexistent/qemu"])


def test_waiting_ends_with_the_condition_or_with_an_error() -> None:
    answers = iter([0, 0, 7])
    assert progress.wait_until(lambda: next(answers), "seven", every=0.001) == 7
    with pytest.raises(LabError, match="in vain for never"):
        progress.wait_until(lambda: None, "never", limit=0.01, every=0.001)


# -- the monitor ------------------------------------------------------------------------------------------------------------


class FakeMonitor(threading.Thread):
    """Speaks QMP to one client in a directory with a name too long for a socket's address."""

    def __init__(self, directory: Path, answers: dict[str, Any], listening: bool = True) -> None:
        super().__init__(daemon=True)
        self.answers, self.heard, self.descriptors = answers, [], 0
        self.server = socket.socket(socket.AF_UNIX)
        here = os.getcwd()
        os.chdir(directory)
        try:
            self.server.bind("qmp.sock")
        finally:
            os.chdir(here)
        if listening:
            self.server.listen(1)

    def run(self) -> None:
        connection, _ = self.server.accept()
        connection.sendall(b'{"QMP": {}}\n')
        while True:
            data, descriptors, _, _ = socket.recv_fds(connection, 65536, 1)
            if not data:
                return
            self.descriptors += len(descriptors)
            message = json.loads(data)
            self.heard.append(message["execute"])
            answer = self.answers.get(message["execute"], {"return": {}})
            connection.sendall(b'{"event": "NOISE"}\n' + json.dumps(answer).encode() + b"\n")


def test_monitor_talks_past_events_and_quotes_refusals(tmp_path: Path) -> None:
    directory = tmp_path / ("d" * 120)
    directory.mkdir()
    fake = FakeMonitor(
        directory, {"query-status": {"return": {"status": "running"}}, "cont": {"error": {"desc": "not now"}}}
    )
    fake.start()
    with qemu.Monitor(directory) as monitor:
        assert monitor.execute("query-status") == {"status": "running"}
        with pytest.raises(LabError, match="refused cont in .*: not now"):
            monitor.execute("cont")
        with open(os.devnull, "rb") as handle:
            monitor.execute("getfd", fd=handle.fileno(), fdname="x")
    fake.join(timeout=10)
    assert fake.heard == ["qmp_capabilities", "query-status", "cont", "getfd"] and fake.descriptors == 1


def test_monitor_that_has_its_name_and_does_not_listen_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeMonitor(tmp_path, {}, listening=False)
    asked = []

    def alive(directory: Path) -> bool:
        asked.append(directory)
        if len(asked) == 2:
            fake.server.listen(1)
            fake.start()
        return True

    monkeypatch.setattr(qemu, "alive", alive)
    with qemu.Monitor(tmp_path) as monitor:
        assert monitor.execute("cont") == {}
    monkeypatch.setattr(qemu, "alive", lambda directory: False)
    fake.join(timeout=10)
    fake.server.close()
    with pytest.raises(LabError, match="does not answer"):
        qemu.Monitor(tmp_path)


def test_monitor_that_has_no_name_while_the_machine_resets_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def alive(directory: Path) -> bool:
        FakeMonitor(directory, {}).start()
        return True

    monkeypatch.setattr(qemu, "alive", alive)
    with qemu.Monitor(tmp_path) as monitor:
        assert monitor.execute("cont") == {}


def test_monitor_of_a_dead_machine(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="does not answer"):
        qemu.Monitor(tmp_path)


# -- SSH and the inventory --------------------------------------------------------------------------------------------------


def test_keys_are_made_once_and_known() -> None:
    first = ssh.public(ssh.host_key("debian8"))
    assert first.startswith("ssh-ed25519 ") and first == ssh.public(ssh.host_key("debian8"))
    assert first != ssh.public(ssh.host_key("ubuntu1604"))
    assert ssh.known_hosts({"debian8": 2222}) == f"[127.0.0.1]:2222 {first}\n"
    assert ssh.login_key().stat().st_mode & 0o777 == 0o600


def test_only_a_greeting_counts_as_ssh() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(1)
        port = server.getsockname()[1]
        assert not ssh.greets(port, time_limit=0.1)
        server.accept()[0].close()

        def greet() -> None:
            connection, _ = server.accept()
            connection.sendall(b"SSH-2.0-x\r\n")
            connection.close()

        thread = threading.Thread(target=greet)
        thread.start()
        assert ssh.greets(port, time_limit=10)
        thread.join()


def test_inventory_says_the_same_in_both_forms(tmp_path: Path) -> None:
    built = inventory.build({"debian8": 2222}, tmp_path / "with space" / "known_hosts", "http://127.0.0.1:8000")
    group = yaml.safe_load(inventory.as_yaml(built))["lab"]
    listed = json.loads(inventory.as_list(built))
    assert group["hosts"]["debian8"] == listed["_meta"]["hostvars"]["debian8"]
    assert group["hosts"]["debian8"]["ansible_port"] == 2222
    assert group["vars"] == listed["lab"]["vars"]
    assert group["vars"]["toa_package_mirror"] == "http://10.0.2.100"
    assert group["vars"]["toa_lock_mirror"] == "http://127.0.0.1:8000"
    assert f"'UserKnownHostsFile={tmp_path}/with space/known_hosts'" in group["vars"]["ansible_ssh_common_args"]


def test_an_empty_inventory_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["inventory", "--list"]) == 1
    out, err = capfd.readouterr()
    assert out == "" and "no machine is running" in err


# -- states and commands ----------------------------------------------------------------------------------------------------


def test_states_of_a_machine() -> None:
    place = machines.place("debian8")
    assert machines._state("debian8") == "absent"
    place.mkdir(parents=True)
    (place / "disk.qcow2").touch()
    assert machines._state("debian8") == "absent"
    (place / "machine.json").write_text('{"ssh_port": 2222}')
    assert machines._state("debian8") == "off"
    qemu.launch_process(place, ["tail", "-f", "/dev/null"], cwd=place, log=place / "log")
    assert machines._state("debian8") == "running" and machines.running() == {"debian8": 2222}
    machines.power_off("debian8")
    assert machines._state("debian8") == "off"
    machines.down(["debian8"])
    assert machines._state("debian8") == "absent"


@pytest.mark.parametrize(
    "words", [["ssh", "debian8", "true"], ["reboot", "debian8"], ["wait", "debian8"], ["console", "debian8"]]
)
def test_commands_for_a_machine_that_is_not_there(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 1
    assert "lab/lab up debian8" in capfd.readouterr().err


def test_unknown_host_on_the_command_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["up", "windows95"]) == 1
    assert "no such host: windows95" in capfd.readouterr().err


def test_places_follow_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (cache_dir(), run_dir()) == (tmp_path / "cache", tmp_path / "run")
    monkeypatch.delenv("REALIP_LAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/c")
    monkeypatch.delenv("REALIP_LAB_RUN")
    assert (cache_dir(), run_dir()) == (Path("/c/realip-toa/lab"), CHECKOUT / ".lab")


def test_a_lock_is_exclusive(tmp_path: Path) -> None:
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        waiting.set()
        with locked(tmp_path / "lock"):
            order.append("second")

    with locked(tmp_path / "lock"):
        thread = threading.Thread(target=second)
        thread.start()
        waiting.wait()
        thread.join(timeout=0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


# -- the mirror -------------------------------------------------------------------------------------------------------------


def test_mirror_serves_logs_and_keeps_its_port(tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.deb").write_bytes(b"package")
    port = mirror.start(files)
    try:
        assert mirror.url() == f"http://127.0.0.1:{port}" and mirror.start(files) == port
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", "/a.deb")
        assert connection.getresponse().read() == b"package"
        connection.request("GET", "/b.deb")
        assert connection.getresponse().status == 404
        log = [json.loads(line) for line in (mirror.directory() / "requests.jsonl").read_text().splitlines()]
        assert [(entry["path"], entry["status"]) for entry in log if entry["method"] == "GET"] == [
            ("/a.deb", 200),
            ("/b.deb", 404),
        ]
        assert log[-1]["time"] == pytest.approx(time.time(), abs=60)
        other = tmp_path / "other"
        other.mkdir()
        assert mirror.start(other) == port
        connection.close()
        connection.request("GET", "/a.deb")
        assert connection.getresponse().status == 404
        connection.close()
    finally:
        mirror.stop()
    assert mirror.url() is None and mirror.port() is None


@pytest.fixture
def mirror_port(tmp_path: Path) -> Iterator[int]:
    """A mirror with one package of 1,000 bytes."""
    files = tmp_path / "files"
    files.mkdir()
    (files / "a.deb").write_bytes(b"x" * 1000)
    yield mirror.start(files)
    mirror.stop()


def _get(port: int, path: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", path)
    return connection.getresponse()


def test_mirror_alters_a_byte_on_request(mirror_port: int) -> None:
    answer = _get(mirror_port, "/altered/a.deb").read()
    assert len(answer) == 1000 and answer.count(b"x") == 999


def test_mirror_breaks_off_on_request(mirror_port: int) -> None:
    with pytest.raises(http.client.IncompleteRead) as caught:
        _get(mirror_port, "/truncated/a.deb").read()
    assert len(caught.value.partial) == 500


@pytest.mark.parametrize("path", ["/gone/a.deb", "/altered/b.deb", "/truncated/../../../../etc/passwd", "/altered/"])
def test_mirror_has_nothing_else(mirror_port: int, path: str) -> None:
    assert _get(mirror_port, path).status == 404


def test_machines_that_run_are_waited_for_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    place = machines.place("debian8")
    place.mkdir(parents=True)
    (place / "machine.json").write_text('{"ssh_port": 2222}')
    qemu.launch_process(place, ["tail", "-f", "/dev/null"], cwd=place, log=place / "log")
    waited: list[int] = []
    monkeypatch.setattr(images, "wait_for_ssh", lambda name, machine, port: waited.append(port))
    try:
        assert machines._up(HOSTS["debian8"]) is False
        assert waited == [2222]
    finally:
        qemu.kill(place)


# -- moments ----------------------------------------------------------------------------------------------------------------


def test_a_moment_is_one_that_was_kept() -> None:
    with pytest.raises(LabError, match="debian8 has no moment 'installed': lab/lab keep debian8 installed"):
        machines.reset(["debian8"], "installed")
    with pytest.raises(LabError, match="'../x' is no name for a moment"):
        machines.reset(["debian8"], "../x")
    folder = machines.place("debian8") / "moments" / "installed"
    folder.mkdir(parents=True)
    (folder / "memory").touch()
    assert not machines.kept("debian8", "installed"), "its disk comes last"
    (folder / "disk.qcow2").touch()
    assert machines.kept("debian8", "installed")


def test_a_moment_is_never_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    """The running machine's disk may lie over that of the moment."""
    monkeypatch.setattr(machines, "_state", lambda name: "running")
    monkeypatch.setattr(machines, "kept", lambda name, moment: True)
    with pytest.raises(LabError, match="has a moment 'installed' already"):
        machines.keep("debian8", "installed")
