# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel against a real sshd, with every ansible-core and every Python found here.

Needs root, for the chroot of the host without Python.
"""

from __future__ import annotations

import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from sshd import Controller, Run, Sshd, pythons, result_of

PYTHONS = pythons()
NET = "127.0.41"
PLAIN, CSH, FISH, NOISY, BANNER, NOLOGIN, BARE, ANCIENT, HOSTILE_CWD, STUB, OTHER, VICTIM = (
    f"{NET}.{last}" for last in range(1, 13)
)
NOBODY_LISTENS = f"{NET}.99"

OLD_PYTHON = """#!/bin/sh
exec {python} -c '
import sys
sys.version_info = (2, 4, 3, "final", 0)
exec(compile(sys.stdin.read(), "<stdin>", "exec"))
'
"""


@pytest.fixture(scope="module")
def sshd(place: Path) -> t.Iterator[Sshd]:
    scripts = place / "logins"
    characters = {
        CSH: 'exec tcsh -c "$SSH_ORIGINAL_COMMAND"',
        FISH: 'exec fish -c "$SSH_ORIGINAL_COMMAND"',
        NOISY: "cat "
        + str(noise_file(place))
        + "; sh -c \"$SSH_ORIGINAL_COMMAND\"; rc=$?; echo 'logout {{ 7 * 7 }}'; exit $rc",
        BANNER: "cat " + str(noise_file(place)) + '; exec sh -c "$SSH_ORIGINAL_COMMAND"',
        NOLOGIN: "echo This account is currently not available.; exit 1",
        BARE: f'exec chroot {chroot(place / "bare")} /bin/sh -c "$SSH_ORIGINAL_COMMAND"',
        ANCIENT: f'PATH={old_python_dir(place)}; exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"',
        HOSTILE_CWD: f'cd {hostile_dir(place)} && exec sh -c "$SSH_ORIGINAL_COMMAND"',
        STUB: f'PATH={stub_dir(place)}:$PATH; exec sh -c "$SSH_ORIGINAL_COMMAND"',
    }
    scripts.mkdir()
    lines = {}
    for address, script in characters.items():
        path = scripts / address
        path.write_text(script + "\n")
        lines[address] = [f"ForceCommand . {path}"]
    with Sshd(place / "sshd", lines, [PLAIN, OTHER, VICTIM]) as server:
        yield server


def noise_file(place: Path) -> Path:
    path = place / "motd"
    path.write_bytes(
        b"Welcome to \xff\xfe\x00 {{ 7 * 7 }}\n"
        b"@realip-toa 0123456789abcdef 2 {} @end 0123456789abcdef\n"
        b'{"changed": true}\n'
        b"no newline at the end"
    )
    return path


def chroot(folder: Path) -> Path:
    """A file system with busybox and nothing else."""
    busybox = shutil.which("busybox") or pytest.fail("busybox is missing: apt-get install busybox")
    (folder / "bin").mkdir(parents=True)
    shutil.copy(busybox, folder / "bin/busybox")
    for name in ("sh", "rm", "cat", "echo", "mkdir"):
        (folder / "bin" / name).symlink_to("busybox")
    for word in subprocess.run(["ldd", busybox], capture_output=True, text=True, check=False).stdout.split():
        if word.startswith("/"):
            (folder / word[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(word, folder / word[1:])
    return folder


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def old_python_dir(place: Path) -> Path:
    return executable(place / "ancient/python3", OLD_PYTHON.format(python=PYTHONS["3.11"])).parent


def hostile_dir(place: Path) -> Path:
    """A current directory whose modules leave a mark when they are imported."""
    for name in ("json", "zlib", "binascii", "re", "os", "subprocess", "site", "signal", "ansible_collections"):
        executable(
            place / f"hostile/{name}.py",
            f"open({str(place / 'hostile.mark')!r}, 'a').write(__name__)\nraise SystemExit('hostile')\n",
        )
    return place / "hostile"


def stub_dir(place: Path) -> Path:
    """A version manager's stub: there is a python3 in PATH, but it cannot run."""
    executable(place / "stub/python3", "#!/bin/sh\necho 'no version of python3 is set' >&2\nexit 127\n")
    return place / "stub"


@pytest.fixture
def controller(core: str, place: Path) -> Controller:
    return make_controller(core, place)


def make_controller(core: str, place: Path) -> Controller:
    remote_tmp = place / "remote_tmp"
    shutil.rmtree(remote_tmp, ignore_errors=True)
    return Controller(
        core, place / core, {"ANSIBLE_REMOTE_TMP": str(remote_tmp), "ANSIBLE_PIPELINING": "true", "ANSIBLE_FORKS": "8"}
    )


def left_on_hosts(place: Path) -> list[Path]:
    """Everything under the remote temporary directory."""
    return list((place / "remote_tmp").rglob("*"))


AWKWARD_TEXT = 'it\'s "so" $HOME `id` \\ \\n ! % %s héllo ☃ 😀'
SAID = {"text": AWKWARD_TEXT, "list": [1, 2.5, None, True]}
TERMINAL = {"ansible_ssh_extra_args": "-o RequestTTY=yes"}


LIAR = """#!{python}
import re, sys
nonce = re.search(r'"nonce": "([0-9a-f]+)"', sys.stdin.read()).group(1)
out = getattr(sys.stdout, "buffer", sys.stdout)
def answer(body, length=None, end=True):
    out.write(("\\n@realip-toa %s %s " % (nonce, len(body) if length is None else length)).encode() + body + (" @end %s\\n" % nonce).encode() * end)
{lie}
"""
LIES = {
    "list": ("answer(b'[]')", "not an object"),
    "nan": ("answer(b'{\"a\": NaN}')", "NaN"),
    "infinity": ("answer(b'{\"a\": 1e999}')", "too large"),
    "deep": ("answer(b'{\"a\": ' + b'[' * 100 + b']' * 100 + b'}')", "deeper"),
    "very_deep": ("answer(b'[' * 200000 + b']' * 200000)", "JSON"),
    "binary": ("answer(bytes(bytearray(range(256))) * 10)", ""),
    "twice": ("answer(b'{}'); answer(b'{}')", "more than one"),
    "no_end": ("answer(b'{}', end=False)", "end is missing"),
    "short": ("answer(b'{}', length=1)", "end is missing"),
    "long": ("answer(b'{}', length=99999999)", "length"),
    "not_a_length": ("answer(b'{}', length='²')", "length"),
    "giant": ("answer(b'{\"a\": \"' + b'x' * (6 << 20) + b'\"}')", "length"),
    "huge_number": ("answer(b'{\"a\": ' + b'9' * 100000 + b'}')", "JSON"),
    "silence": ("", "no answer"),
    "steer": (
        'answer(b\'{"changed": "{{ 1 }}", "_ansible_x": 1, "a": "\\\\ud800", "ansible_facts": {"a": 1}, '
        '"unreachable": true, "b": "{{ 7 * 7 }}"}\')',
        "",
    ),
    "noise": ("out.write(bytes(bytearray(range(256))) * 40000)", "no answer"),
}


@pytest.fixture(scope="module")
def fleet(core: str, sshd: Sshd, place: Path) -> Run:
    """One run of one task over a fleet in which every host is special, by its Python, its login, or what its target code does."""
    hosts: dict[str, dict[str, t.Any]] = {}
    for version, path in PYTHONS.items():
        for mode in ("plain", *CHECKS):
            hosts |= sshd.host(f"{mode}-{version}", PLAIN, ansible_python_interpreter=path, mode=mode)
    for name, address in {
        "csh": CSH,
        "fish": FISH,
        "noisy": NOISY,
        "banner": BANNER,
        "stub": STUB,
        "cwd": HOSTILE_CWD,
    }.items():
        hosts |= sshd.host(name, address)
        if address != NOISY:  # Ansible itself cannot make a temporary directory where a login prints after the command
            hosts |= sshd.host(name + "-file", address, **TERMINAL)
    for name, shell in {"dash": "/bin/dash", "bash": "/bin/bash", "busybox": "/bin/busybox sh"}.items():
        hosts |= sshd.host(name, PLAIN, ansible_shell_executable=shell)
    hosts |= sshd.host("two-words", PLAIN, ansible_python_interpreter="/usr/bin/env python3")
    hosts |= (
        sshd.host("bare", BARE)
        | sshd.host("ancient", ANCIENT)
        | sshd.host("nologin", NOLOGIN)
        | sshd.host("refused", NOBODY_LISTENS)
    )
    hosts |= sshd.host("named", PLAIN, ansible_python_interpreter="/nowhere/python3")
    hosts |= sshd.host("wrong-key", OTHER, ansible_ssh_private_key_file=str(wrong_key(place, core)))
    hosts |= sshd.host("killed", PLAIN, mode="die") | sshd.host("slow", PLAIN, mode="hang", time=1)
    hosts |= sshd.host("slow-child", PLAIN, mode="hang_in_child", time=2, say=str(place / f"child.{core}"))
    hosts["local"] = {"ansible_connection": "local"}
    for name, (lie, _words) in LIES.items():
        path = executable(place / f"liars/{name}", LIAR.format(python=PYTHONS["3.11"], lie=lie))
        hosts |= sshd.host(f"lie-{name}", PLAIN, ansible_python_interpreter=str(path))
    for host in hosts.values():
        host.setdefault("mode", "plain")
        host.setdefault("say", SAID)
    run = make_controller(core, place).task(
        hosts, "toa_echo", {"mode": "{{ mode }}", "say": "{{ say }}", "time": "{{ time | default(omit) }}"}
    )
    assert left_on_hosts(place) == []
    assert "unreachable=1" not in run.output
    return run


def wrong_key(place: Path, core: str) -> Path:
    path = place / f"wrong_key.{core}"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


# ---- it works


def test_pythons_of_every_age_are_here() -> None:
    assert {"2.7", "3.6", "3.13"} <= set(PYTHONS)


@pytest.mark.parametrize("version", PYTHONS)
def test_every_python_answers(fleet: Run, version: str) -> None:
    result = result_of(fleet, f"plain-{version}")
    assert not result["failed"], result
    assert ".".join(map(str, result["python"])) == version
    assert result["said"] == SAID
    assert result["stdin"] == ""
    assert "" not in result["path"] and "." not in result["path"]
    assert result["changed"] is False


def check_awkward(result: dict[str, t.Any]) -> None:
    assert result["bytes"] == result["name"] == "caf\ufffd"
    assert result["set"] == [1, 2]
    assert result["nan"] == "nan"
    assert result["big"] == 1 << 70
    assert "TargetError" in result["object"]
    assert result["template"] == "{{ 7 * 7 }}"
    assert result["5"] == [1, 2]
    assert not result["failed"]
    assert not set(result) & {"unreachable", "ansible_facts", "skipped", "warnings"}


def check_noise(result: dict[str, t.Any]) -> None:
    assert (result["rc"], result["out"], result["err"], result["orphan"]) == (0, "child\n", "error\n", 0)


def check_bug(result: dict[str, t.Any]) -> None:
    assert result["failed"] and result["code"] == "target_bug"
    assert "undefined_name" in result["msg"]
    assert 'realip/toa/plugins/module_utils/echo.py", line' in result["traceback"]
    assert "return undefined_name" in result["traceback"]


def check_refuse(result: dict[str, t.Any]) -> None:
    assert result["failed"] and result["code"] == "no_space" and result["free"] == 3
    assert result["msg"] == "/boot has 3 MiB free, {{ 7 * 7 }} are needed"
    assert result["remedy"] == "remove old kernels"


def check_leave(result: dict[str, t.Any]) -> None:
    assert result["failed"] and result["code"] == "target_bug" and "SystemExit" in result["msg"]


def check_wrong_type(result: dict[str, t.Any]) -> None:
    assert result["failed"] and result["code"] == "target_bug" and "list, not a dict" in result["msg"]


def check_deep(result: dict[str, t.Any]) -> None:
    assert result["failed"] and result["code"] == "bad_answer" and "nested deeper" in result["msg"]


def check_giant(result: dict[str, t.Any]) -> None:
    assert result["failed"] and result["code"] == "bad_answer" and "at most 4194304" in result["msg"]


CHECKS = {name[6:]: check for name, check in list(globals().items()) if name.startswith("check_")}


@pytest.mark.parametrize("mode", CHECKS)
@pytest.mark.parametrize("version", PYTHONS)
def test_every_python_behaves_alike(fleet: Run, version: str, mode: str) -> None:
    CHECKS[mode](result_of(fleet, f"{mode}-{version}"))


@pytest.mark.parametrize(
    "name", ["csh", "fish", "noisy", "banner", "stub", "csh-file", "fish-file", "banner-file", "stub-file"]
)
def test_any_login(fleet: Run, name: str) -> None:
    assert result_of(fleet, name)["said"] == SAID


@pytest.mark.parametrize("name", ["dash", "bash", "busybox", "two-words", "local"])
def test_any_sh_and_way_to_python(fleet: Run, name: str) -> None:
    assert result_of(fleet, name)["said"] == SAID


@pytest.mark.parametrize("name", ["cwd", "cwd-file"])
def test_current_directory_is_never_imported_from(fleet: Run, place: Path, name: str) -> None:
    assert result_of(fleet, name)["said"] == SAID
    assert not (place / "hostile.mark").exists()


def test_environment_of_the_task(sshd: Sshd, controller: Controller) -> None:
    run = controller.task(sshd.host("host", PLAIN), "toa_echo", keywords={"environment": {"TOA_TEST": 'it\'s "$HOME"'}})
    assert result_of(run)["environment"] == 'it\'s "$HOME"'


def test_delegated_task_uses_the_delegates_python(sshd: Sshd, controller: Controller) -> None:
    hosts = sshd.host("host", NOBODY_LISTENS, ansible_python_interpreter="/nowhere")
    hosts |= sshd.host("helper", PLAIN, ansible_python_interpreter=PYTHONS["3.9"])
    run = controller.task(hosts, "toa_echo", keywords={"delegate_to": "helper"})
    assert result_of(run)["python"] == [3, 9]


# ---- check, diff, options


@pytest.mark.parametrize("options", [[], ["--check"]], ids=["real", "check"])
def test_check_mode_reaches_the_host(sshd: Sshd, controller: Controller, options: list[str]) -> None:
    assert result_of(controller.task(sshd.host("host", PLAIN), "toa_echo", options=options))["check"] is bool(options)


def test_diff_mode_shows_before_and_after(sshd: Sshd, controller: Controller) -> None:
    hosts = sshd.host("change", PLAIN, mode="change") | sshd.host("same", PLAIN, mode="same")
    run = controller.task(hosts, "toa_echo", {"mode": "{{ mode }}"}, options=["--diff", "--check"])
    assert result_of(run, "change")["diff"]["before"] == '{\n  "lines": [\n    "a",\n    "{{ 7 * 7 }}"\n  ]\n}\n'
    assert '-    "{{ 7 * 7 }}"' in run.output and '+    "b"' in run.output
    assert "diff" not in result_of(run, "same")
    assert "diff" not in result_of(controller.task(sshd.host("host", PLAIN), "toa_echo", {"mode": "change"}))


def test_bad_option_is_named_and_no_host_is_touched(controller: Controller) -> None:
    hosts = {
        "unknown": {"args": {"sya": 1}},
        "type": {"args": {"count": "many"}},
        "two": {"args": {"count": "many", "time": "x"}},
    }
    for name, words in {"unknown": "sya", "type": "count", "two": "time"}.items():
        result = result_of(controller.task({"host": {"ansible_host": NOBODY_LISTENS}}, "toa_echo", hosts[name]["args"]))
        assert result["failed"] and result["code"] == "bad_option"
        assert words in result["msg"]
        assert "toa_state" not in result


# ---- no Python


def test_no_python(fleet: Run) -> None:
    result = result_of(fleet, "bare")
    assert result["failed"] and result["code"] == "no_python"
    assert "platform-python" in result["msg"] and "python2.6" in result["msg"]
    assert "apt-get install python3" in result["remedy"] and "ansible_python_interpreter" in result["remedy"]


def test_named_python_is_used_alone(fleet: Run) -> None:
    result = result_of(fleet, "named")
    assert result["failed"] and result["code"] == "no_python"
    assert "looked for /nowhere/python3 in" in result["msg"]


def test_old_python_answers_with_its_version(fleet: Run) -> None:
    result = result_of(fleet, "ancient")
    assert result["failed"] and result["code"] == "no_python"
    assert "Python 2.4.3" in result["msg"] and "2.6 or later" in result["msg"]


# ---- the connection fails


@pytest.mark.parametrize(
    ("name", "words"),
    [("refused", "Connection refused"), ("wrong-key", "Permission denied"), ("nologin", "not available")],
)
def test_no_way_in_is_a_lost_host(fleet: Run, name: str, words: str) -> None:
    assert_lost(result_of(fleet, name), words, "auth_failed" if name == "wrong-key" else "connection_lost")


def assert_lost(result: dict[str, t.Any], words: str, code: str = "connection_lost") -> None:
    assert result["failed"] and result["code"] == code and result["toa_state"] == "lost", result
    assert words in result["msg"], result["msg"]
    assert result["remedy"]


@pytest.mark.parametrize("more", [{}, TERMINAL], ids=["stdin", "file"])
def test_connection_cut_in_the_middle(sshd: Sshd, controller: Controller, place: Path, more: dict[str, str]) -> None:
    run = controller.task(sshd.host("host", VICTIM, **more), "toa_echo", {"mode": "cut"})
    assert_lost(result_of(run), "ssh")
    assert "unreachable=0" in run.output
    assert [path for path in left_on_hosts(place) if path.is_file()] == []


def test_program_killed(fleet: Run) -> None:
    result = result_of(fleet, "killed")
    assert result["failed"] and result["code"] == "bad_answer"
    assert "exit status 137" in result["msg"]


def test_time_is_up(fleet: Run) -> None:
    result = result_of(fleet, "slow")
    assert result["failed"] and result["code"] == "timeout"
    assert "within 1 seconds" in result["msg"]


def test_time_is_up_leaves_no_child(fleet: Run, core: str, place: Path) -> None:
    assert result_of(fleet, "slow-child")["code"] == "timeout"
    pid = (place / f"child.{core}").read_text().strip()
    assert pid and not Path(f"/proc/{pid}").exists()


# ---- a host that lies


@pytest.mark.parametrize("name", [name for name in LIES if name != "steer"])
def test_lies(fleet: Run, name: str) -> None:
    result = result_of(fleet, f"lie-{name}")
    assert result["failed"] and result["code"] == "bad_answer"
    assert LIES[name][1] in result["msg"]
    assert len(result["msg"]) < 2000


def test_a_host_cannot_steer_ansible(fleet: Run) -> None:
    result = result_of(fleet, "lie-steer")
    assert result["b"] == "{{ 7 * 7 }}" and result["a"] == "?"
    assert not set(result) & {"ansible_facts", "unreachable"}


def test_what_a_host_says_is_never_a_template(sshd: Sshd, controller: Controller) -> None:
    """Not in the result, and not when a playbook uses the registered result."""
    hosts = sshd.host("refuse", PLAIN, mode="refuse", look="msg") | sshd.host(
        "change", PLAIN, mode="change", look="diff"
    )
    look = {"ansible.builtin.debug": {"msg": "<{{ answer[look] }}>"}}
    run = controller.task(hosts, "toa_echo", {"mode": "{{ mode }}"}, more_tasks=[look], options=["--diff"])
    said = {(line["host"], line["status"]): str(line["result"].get("msg", "")) for line in run.results}
    assert said["refuse", "failed"] == "/boot has 3 MiB free, {{ 7 * 7 }} are needed"
    assert said["refuse", "ok"] == "</boot has 3 MiB free, {{ 7 * 7 }} are needed>"
    assert "{{ 7 * 7 }}" in said["change", "ok"] and "49" not in said["change", "ok"]
