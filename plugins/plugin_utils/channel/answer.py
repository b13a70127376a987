# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host printed -> its answer, or why there is none. What a host says is data: its size, depth and form are checked here."""

from __future__ import annotations

import json
import math
import re
import typing as t

from ansible_collections.realip.toa.plugins.plugin_utils import host_text
from ansible_collections.realip.toa.plugins.plugin_utils.channel import bundle

EXTRA_PATH = "/usr/bin:/usr/local/bin:/bin"


# Deeper than anything of ours, and far from Python's recursion limit.
MAX_DEPTH = 64


STARTED = "@realip-toa-started"


NO_PYTHON = "@realip-toa-no-python"
NO_IMAGE = "@realip-toa-no-image"


# What the controller alone decides. A host with such a code would pass for one that was left alone on purpose, or that nobody could ask.
CONTROLLER_CODES = frozenset((
    "outside_window",
    "gate_closed",
    "kind_unproved",
    "domain_full",
    "same_machine",
    "went_bad",
    "awaiting_approval",
    "undrain_failed",
    "connection_lost",
    "auth_failed",
    "host_key",
    "become_failed",
    "become_timeout",
    "no_python",
    "bad_policy",
    "unknown_variable",
    "lost_after_reboot",
    "reboot_of_controller",
))  # fmt: skip

# Keys by which a result steers Ansible itself. A host has no say in that.
_RESERVED = frozenset(
    (
        "unreachable",
        "skipped",
        "invocation",
        "exception",
        "warnings",
        "deprecations",
        "add_host",
        "add_group",
        "results",
        "ansible_job_id",
        "ansible_facts",
        "failed_when_result",
        "module_stdout",
        "module_stderr",
        "attempts",
        "retries",
        "diff",
        # Whether a host can be reached is not for the host to say.
        "toa_state",
    )
)


class NoAnswer(Exception):
    """There is no answer from the host; `answer` says why, in the form of one."""

    def __init__(self, code: str, msg: str, remedy: str, **more: t.Any) -> None:
        super().__init__(msg)
        self.answer: dict[str, t.Any] = {
            "failed": True,
            "changed": False,
            "code": code,
            "msg": msg,
            "remedy": remedy,
            **more,
        }


# What ssh says where the way to the host is there and the key or the account is wrong (OpenSSH, sshconnect.c and sshconnect2.c).
_NO_LOGIN = re.compile(
    r"Permission denied|Authentication fail|Too many authentication failures|No supported authentication", re.IGNORECASE
)
_OTHER_HOST = re.compile(r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED")
_TOO_LATE = re.compile(r"time(?:d )?out|Timeout \(", re.IGNORECASE)


def lost(reason: str) -> NoAnswer:
    """The host cannot be reached: `connection_lost`, or `auth_failed` and `host_key` where something answers there."""
    code, what, remedy = (
        "connection_lost",
        "the connection to the host failed",
        "check that the host is up and that `ssh` to it works, then run again",
    )
    if _OTHER_HOST.search(reason):
        code, what = "host_key", "the host shows another key than the one that is known, or none is known"
        remedy = "find out why; where the host was made anew, remove its old key with `ssh-keygen -R HOST`"
    elif _NO_LOGIN.search(reason):
        code, what = "auth_failed", "the host does not let us in"
        remedy = "check ansible_user and its key or password: try `ssh -v USER@HOST`"
    return NoAnswer(code, f"{what}: {reason}", remedy, toa_state="lost")


def become_failed(reason: str) -> NoAnswer:
    """The account may not become root: `become_failed`, or `become_timeout` where the host never asked or answered."""
    late = _TOO_LATE.search(reason)
    return NoAnswer(
        "become_timeout" if late else "become_failed",
        f"the host did not give us the rights we asked for{' in time' if late else ''}: {reason}",
        "check whether sudo waits for something there (a directory service, a second factor), or set ansible_timeout higher"
        if late
        else "check ansible_become_password (or --ask-become-pass), ansible_become_method and the host's sudo rules",
    )


def tail(text: str, limit: int = 800) -> str:
    """The end of what a host printed, fit for a message: no control characters, nothing that UTF-8 cannot carry."""
    text = host_text.lines(text[-2 * limit :]).strip()
    return text if len(text) <= limit else "..." + text[-limit:]


def understand(outcome: dict[str, t.Any], nonce: str, pythons: t.Sequence[str]) -> dict[str, t.Any]:
    """What the host printed -> its answer; raises NoAnswer where there is none that can be believed."""
    stdout = outcome["stdout"]
    body = _body(stdout, nonce)
    if body is not None:
        return parse(body)
    _explain_silence(outcome, nonce, pythons)
    raise AssertionError("unreachable")


def _body(stdout: str, nonce: str) -> str | None:
    """The JSON between the marker and the end, or None where no marker with our nonce is there."""
    marker = f"@realip-toa {nonce} "
    start = stdout.find(marker)
    if start < 0:
        return None
    if stdout.find(marker, start + 1) >= 0:
        raise _bad_answer("it holds more than one answer")
    length, _space, rest = stdout[start + len(marker) : start + len(marker) + bundle.ANSWER_LIMIT + 64].partition(" ")
    if not (length.isascii() and length.isdigit() and len(length) < 9) or int(length) > bundle.ANSWER_LIMIT:
        raise _bad_answer(f"its length is not a number up to {bundle.ANSWER_LIMIT}")
    if rest[int(length) : int(length) + 6 + len(nonce)] != f" @end {nonce}":
        raise _bad_answer("its end is missing")
    return rest[: int(length)]


def parse(body: str) -> dict[str, t.Any]:
    """JSON text from a host -> dict, with nothing in it that could steer Ansible; raises NoAnswer (bad_answer)."""
    try:
        answer = json.loads(body, parse_constant=_no_constant, parse_int=_integer)
    except (ValueError, RecursionError) as problem:
        raise _bad_answer(
            f"it is not JSON that we accept ({type(problem).__name__}: {tail(str(problem), 200)})"
        ) from None
    if not isinstance(answer, dict):
        raise _bad_answer(f"it is a JSON {type(answer).__name__}, not an object")
    if answer.get("code") in CONTROLLER_CODES:
        raise _bad_answer(f"it has the code {answer['code']}, which is for the controller to give")
    return {
        key: value
        for key, value in _clean(answer, 0).items()
        if key not in _RESERVED and not key.startswith("_ansible")
    }


def _no_constant(name: str) -> t.NoReturn:
    raise ValueError(f"{name} is not JSON")


def _integer(digits: str) -> int:
    # The time that int() takes grows with the square of the digits, and Python 3.10 sets no limit.
    if len(digits) > 40:
        raise ValueError("a number has too many digits")
    return int(digits)


def _clean(value: t.Any, depth: int) -> t.Any:
    """The same value with text that can be printed; refuses what is nested too deep or not a number."""
    if isinstance(value, str):
        return host_text.lines(value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8"))
    if isinstance(value, float) and not math.isfinite(value):
        raise _bad_answer("it holds a number that is too large")
    if isinstance(value, (dict, list)) and depth >= MAX_DEPTH:
        raise _bad_answer(f"it is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return {_clean(key, depth): _clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, depth + 1) for item in value]
    return value


def _bad_answer(why: str) -> NoAnswer:
    return NoAnswer(
        "bad_answer",
        f"the host's answer cannot be used: {why}",
        "run again with -vvv to see what the host printed; if it is always so, report it",
    )


def _explain_silence(outcome: dict[str, t.Any], nonce: str, pythons: t.Sequence[str]) -> t.NoReturn:
    stdout, stderr, rc = outcome["stdout"], outcome["stderr"], outcome["rc"]
    said = tail(stderr) or tail(stdout.replace(STARTED, "").replace(NO_PYTHON, "")) or "it said nothing"
    oldest = ".".join(map(str, bundle.OLDEST_PYTHON))
    install = "install one (EL: yum install python3 or python; Debian, Ubuntu: apt-get install python3), or name it in ansible_python_interpreter"
    old = re.search(rf"@realip-toa-old {nonce} (\d+\.\d+\.\d+) (\S{{0,200}})", stdout)
    if old:
        raise NoAnswer(
            "no_python",
            f"Python {old[1]} ({old[2]}) is too old: {oldest} or later is needed",
            install,
            python_version=old[1],
        )
    if NO_IMAGE in stdout:
        raise NoAnswer(
            "image_incomplete",
            "there is no root file system in that folder: it has no /bin/sh, or no /dev",
            "name the folder that the distribution was installed in (toa_image_root), on the host that has it",
        )
    if NO_PYTHON in stdout:
        raise NoAnswer(
            "no_python",
            f"no Python {oldest} or later found; looked for {', '.join(pythons)} in PATH and {EXTRA_PATH}",
            install,
        )
    if rc == 255:
        raise lost(said)
    if STARTED not in stdout:
        if outcome["become"]:
            raise become_failed(f"exit status {rc}: {said}")
        raise lost(f"the login did not run our command (exit status {rc}): {said}")
    raise NoAnswer(
        "bad_answer",
        f"the program on the host ended with exit status {rc} and no answer: {said}",
        "an exit status of 137 means that it was killed, mostly for want of memory: look at the host's kernel log",
    )
