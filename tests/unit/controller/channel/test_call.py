# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel's reading of answers, which never trusts them, and its shell command; the rest is tests/integration/test_channel.py."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.channel import answer, bundle
from ansible_collections.realip.toa.plugins.plugin_utils.channel import call as channel
from hypothesis import given, settings
from hypothesis import strategies as st

NONCE = "0123456789abcdef"


def outcome(stdout: str, stderr: str = "", rc: int = 0, become: bool = False) -> dict[str, t.Any]:
    return {"stdout": stdout, "stderr": stderr, "rc": rc, "become": become}


def understand(stdout: str, **more: t.Any) -> dict[str, t.Any]:
    try:
        return answer.understand(outcome(stdout, **more), NONCE, ["python3"])
    except answer.NoAnswer as problem:
        return problem.answer


def frame(body: str, length: int | str | None = None) -> str:
    return f"\n@realip-toa {NONCE} {len(body) if length is None else length} {body} @end {NONCE}\n"


def test_answer_is_found_among_noise() -> None:
    assert understand("motd" + frame('{"a": 1}') + "bye") == {"a": 1}
    assert understand("@realip-toa other 2 {} @end other" + frame('{"a": 1}')) == {"a": 1}


@pytest.mark.parametrize(
    "stdout",
    [
        frame("{}") * 2,
        frame("{}", 1),
        frame("{}", 3),
        frame("{}", -2),
        frame("{}", ""),
        frame("{}", "2.0"),
        frame("{}", "٢"),
        frame("{}", bundle.ANSWER_LIMIT + 1),
        frame("{}", "9" * 5000),
        frame("[]"),
        frame("null"),
        frame('"x"'),
        frame('{"a": NaN}'),
        frame('{"a": -Infinity}'),
        frame('{"a": 1e400}'),
        frame("{'a': 1}"),
        frame("{" * 100000),
        frame("[" * 100000),
        frame('{"a":' * 80 + "1" + "}" * 80),
        frame('{"a": ' + "1" * 10000 + "}"),
        frame("{}")[:-30],
    ],
)
def test_answers_that_cannot_be_used(stdout: str) -> None:
    result = understand(answer.STARTED + stdout)
    assert result["failed"] and result["code"] == "bad_answer"
    assert len(result["msg"]) < 1000


@settings(max_examples=300, deadline=None)
@given(st.text(), st.text(), st.integers(0, 255))
def test_any_output_is_an_answer_or_a_failure(before: str, body: str, rc: int) -> None:
    result = understand(before + frame(body) + before, rc=rc)
    assert isinstance(result, dict)
    json.dumps(result, ensure_ascii=False).encode("utf-8")


PRINTABLE = st.text(st.characters().filter(str.isprintable) | st.sampled_from("\n\t"))


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | PRINTABLE,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PRINTABLE, inner, max_size=4),
        max_leaves=20,
    )
)
def test_what_a_target_says_arrives(value: t.Any) -> None:
    assert understand(frame(json.dumps({"value": value})))["value"] == value


@settings(max_examples=300, deadline=None)
@given(st.text())
def test_only_what_can_be_printed_arrives(value: str) -> None:
    got = understand(frame(json.dumps({"value": value})))["value"]
    assert got.replace("\n", "").replace("\t", "").isprintable()


def test_surrogates_are_replaced() -> None:
    result = understand(frame(r'{"a\ud800": ["x\udfffy"]}'))
    assert result == {"a?": ["x?y"]}


def test_a_host_cannot_steer_ansible() -> None:
    body = dict.fromkeys(answer._RESERVED, True) | {"_ansible_no_log": True, "kept": 1}
    assert understand(frame(json.dumps(body))) == {"kept": 1}


@pytest.mark.parametrize(
    ("told", "code", "words"),
    [
        (outcome("", "Connection closed", 255), "connection_lost", "Connection closed"),
        (outcome("", "", 255), "connection_lost", "said nothing"),
        (outcome("", "web1: Permission denied (publickey).", 255), "auth_failed", "does not let us in"),
        (outcome("", "Host key verification failed.", 255), "host_key", "another key"),
        (outcome("This account is not available.", "", 1), "connection_lost", "not available"),
        (outcome("", "sudo: a terminal is required", 1, become=True), "become_failed", "terminal is required"),
        (outcome(answer.STARTED, "Segmentation fault", 139), "bad_answer", "139"),
        (outcome(answer.STARTED, "x" * 100000, 1), "bad_answer", "..."),
        (outcome(f"{answer.STARTED}\n{answer.NO_PYTHON}"), "no_python", "looked for python3"),
        (
            outcome(f"{answer.STARTED}\n@realip-toa-old {NONCE} 2.4.3 /usr/bin/python\n"),
            "no_python",
            "Python 2.4.3 (/usr/bin/python) is too old",
        ),
    ],
)
def test_silence_is_explained(told: dict[str, t.Any], code: str, words: str) -> None:
    with pytest.raises(answer.NoAnswer) as problem:
        answer.understand(told, NONCE, ["python3"])
    got = problem.value.answer
    assert got["failed"] and got["code"] == code and got["remedy"]
    assert words in got["msg"] and len(got["msg"]) < 2000
    assert ("toa_state" in got) == (code in ("connection_lost", "auth_failed", "host_key"))


def test_messages_carry_no_control_characters() -> None:
    result = understand(answer.STARTED, stderr="\x1b[31mred\x07 \udcff \u202e text\r\n", rc=1)
    assert "\x1b" not in result["msg"] and "\u202e" not in result["msg"] and "\udcff" not in result["msg"]
    assert "red" in result["msg"]


# ---- the shell command


SHELLS = [
    [path, *more]
    for name, *more in (["dash"], ["bash"], ["bash", "--posix"], ["busybox", "sh"])
    if (path := shutil.which(name))
]


def sh(shell: list[str], command: str, text: bytes, path: str) -> str:
    done = subprocess.run(
        [*shell, "-c", command], input=text, capture_output=True, check=False, timeout=60, env={"PATH": path}
    )
    return done.stdout.decode()


def program() -> bytes:
    return bundle.build("host.io").render({}, NONCE, 30)


def test_command_survives_login_shells() -> None:
    """Inside of single quotes, csh takes a newline or ! and fish a backslash for more than they are."""
    command = channel.shell_command(channel.PYTHONS)
    assert not set(command) & set("\n'\\!")
    assert len(command) < 1000


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_first_python_that_runs_is_used(shell: list[str], tmp_path: Path) -> None:
    for name, text in {
        "python3": "#!/bin/sh\nexit 127\n",
        "python3.14": "#!/nowhere/python\n",
        "python3.13": f'#!/bin/sh\nexec {sys.executable} "$@"\n',
        "python3.12": "#!/bin/sh\necho wrong one\n",
    }.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "python3.11").symlink_to("/nowhere")
    pythons = [name for name in channel.PYTHONS if name != "/usr/libexec/platform-python"]
    out = sh(shell, channel.shell_command(pythons), program(), str(tmp_path))
    assert "wrong one" not in out
    assert f"@realip-toa {NONCE} " in out and f"@end {NONCE}" in out
    assert answer.NO_PYTHON not in out


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_no_python_is_said(shell: list[str], tmp_path: Path) -> None:
    out = sh(shell, channel.shell_command([str(tmp_path / "nowhere"), "/nowhere/a b"]), program(), "/usr/bin:/bin")
    assert out.splitlines() == [answer.STARTED, answer.NO_PYTHON]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_file_is_removed_before_the_program_runs(shell: list[str], tmp_path: Path) -> None:
    path = tmp_path / "it's a program"
    path.write_bytes(program())
    out = sh(shell, channel.shell_command([sys.executable], stdin=str(path)), b"", "/usr/bin:/bin")
    assert f"@end {NONCE}" in out
    assert not path.exists()


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("name", ["golden", "it's golden"])
def test_a_folder_without_a_root_file_system_is_said(shell: list[str], tmp_path: Path, name: str) -> None:
    (tmp_path / name / "dev").mkdir(parents=True)
    out = sh(shell, channel.shell_command(channel.PYTHONS, root=str(tmp_path / name)), program(), "/usr/bin:/bin")
    assert out.splitlines() == [answer.STARTED, answer.NO_IMAGE]
    with pytest.raises(answer.NoAnswer) as caught:
        answer.understand({"stdout": out, "stderr": "", "rc": 1, "become": False}, NONCE, [])
    assert caught.value.answer["code"] == "image_incomplete"


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_environment_is_passed_on(shell: list[str], tmp_path: Path) -> None:
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\necho "<$TOA_TEST>"\n')
    fake.chmod(0o755)
    out = sh(shell, channel.shell_command([str(fake)], environment="TOA_TEST='a b'"), b"", "/usr/bin:/bin")
    assert "<a b>" in out


def test_hostile_interpreter_name_is_a_name(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    for name in (f"$(touch {mark})", f"`touch {mark}`", f"x; touch {mark}", f"x | touch {mark}", "*", "-x"):
        sh(["/bin/sh"], channel.shell_command([name]), b"", "/usr/bin:/bin")
    assert not mark.exists()


def test_unbalanced_interpreter_name_is_refused_or_a_name() -> None:
    assert answer.NO_PYTHON in sh(["/bin/sh"], channel.shell_command(["it's"]), b"", "/usr/bin:/bin")


@pytest.mark.parametrize("code", sorted(answer.CONTROLLER_CODES))
def test_codes_of_the_controller_come_from_the_controller_only(code: str) -> None:
    with pytest.raises(answer.NoAnswer, match=code):
        answer.parse(json.dumps({"failed": True, "code": code, "msg": "later"}))


def test_a_host_does_not_say_whether_it_can_be_reached() -> None:
    assert "toa_state" not in answer.parse(json.dumps({"failed": True, "code": "c", "toa_state": "lost"}))


def test_no_text_of_an_answer_moves_a_terminals_cursor() -> None:
    """C0 and C1 controls (CSI, OSC, NEL), and marks that turn the direction of text, at any depth and in keys."""
    bad = "A\x1b[31m\u009b31m\u009d0;title\u009c\u202e\u2066\u0085\u200b\ufeff\x07"
    got = answer.parse(json.dumps({"msg": bad, "before": {"x": [bad]}, bad: "a\tb\nc\r\nd"}))
    texts = [got["msg"], got["before"]["x"][0], next(key for key in got if key not in ("msg", "before"))]
    for text in texts:
        assert text.isprintable() and text.startswith("A\ufffd[31m")
    assert got[texts[2]] == "a\tb\nc\nd"
