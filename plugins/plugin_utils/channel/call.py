# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends a program to whatever Python a host has, in one round trip, and reads one JSON object back.

Whatever goes wrong on the way is an answer too: a dict with `failed`, `code`, `msg` and `remedy`. A host that cannot
be reached is `code: connection_lost, toa_state: lost`, never UNREACHABLE, which Ansible's limits do not count.
What a host says is data: it is checked for size, depth and form here, and never templated.
"""

from __future__ import annotations

import contextlib
import functools
import json
import math
import re
import secrets
import shlex
import typing as t
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.release import __version__ as core_version
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.realip.toa.plugins.plugin_utils.channel import bundle
from ansible_collections.realip.toa.plugins.plugin_utils.channel import time_limit as patience

if t.TYPE_CHECKING:
    from ansible.plugins.action import ActionBase

DEFAULT_TIMEOUT = 600
# Seconds that a host gets beyond its timeout, in which it should have said so itself; after that nobody waits for it any more.
GRACE = 15
# A host whose power goes closes no connection. Last of ssh's arguments, so that what the operator has set counts.
KEEPALIVE = "-o ServerAliveInterval=15 -o ServerAliveCountMax=8"

PYTHONS = (
    "python3",
    "/usr/libexec/platform-python",
    *(f"python3.{minor}" for minor in range(14, 5, -1)),
    "python2.7",
    "python2.6",
    "python2",
    "python",
)
EXTRA_PATH = "/usr/bin:/usr/local/bin:/bin"

# Deeper than anything of ours, and far from Python's recursion limit.
MAX_DEPTH = 64

_STARTED = "@realip-toa-started"
_NO_PYTHON = "@realip-toa-no-python"

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
    )
)

# In 2.16 and 2.18 any text may be taken for a template unless it is marked; later cores trust nothing that is not.
_MUST_MARK_UNSAFE = tuple(int(part) for part in re.findall(r"\d+", core_version)[:2]) < (2, 19)

_NEEDS_TTY = re.compile(r"must have a tty", re.IGNORECASE)
_BECOME_WORDS = re.compile(r"password|become|escalation|sudo|authentication", re.IGNORECASE)


def call(
    action: ActionBase,
    entry: str,
    args: t.Mapping[str, t.Any],
    task_vars: t.Mapping[str, t.Any],
    timeout: int | None = None,
    search: tuple[str, ...] = (),
) -> dict[str, t.Any]:
    """Run main(args) of a target module on the task's host and return its answer.

    `timeout`: seconds that the host may take (default 600). `search`: see bundle.build().
    Never raises for what a host or a connection does.
    """
    nonce = secrets.token_hex(8)
    program = bundle.build(entry, search).render(args, nonce, timeout or DEFAULT_TIMEOUT)
    pythons = _pythons(action, task_vars)
    try:
        with patience.within((timeout or DEFAULT_TIMEOUT) + GRACE):
            return _understand(_send(action, program, pythons), nonce, pythons)
    except _NoAnswer as problem:
        return problem.answer
    except patience.Exceeded as problem:
        patience.end_children()
        return _lost(f"nobody waits for this host any more: {problem}").answer


class _NoAnswer(Exception):
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


def _lost(reason: str) -> _NoAnswer:
    return _NoAnswer(
        "connection_lost",
        f"the connection to the host failed: {reason}",
        "check that the host is up and that `ssh` to it works, then run again",
        toa_state="lost",
    )


def _become_failed(reason: str) -> _NoAnswer:
    return _NoAnswer(
        "become_failed",
        f"the host did not give us the rights we asked for: {reason}",
        "check ansible_become_password (or --ask-become-pass), ansible_become_method and the host's sudo rules",
    )


def _pythons(action: ActionBase, task_vars: t.Mapping[str, t.Any]) -> list[str]:
    """Command words to try, best first; an interpreter that the inventory names is used alone."""
    delegate = action._task.delegate_to
    source = (task_vars.get("ansible_delegated_vars") or {}).get(delegate, {}) if delegate else task_vars
    wanted = to_text(action._templar.template(source.get("ansible_python_interpreter") or "")).strip()
    if wanted and not wanted.startswith("auto"):
        return [wanted]
    return list(PYTHONS)


def shell_command(pythons: t.Sequence[str], stdin: str = "", environment: str = "") -> str:
    """The one-line POSIX sh command that finds a Python and lets it run the program.

    It passes through the login shell, which may be csh or fish: no newline, single quote, backslash or exclamation mark of our own.
    A Python that cannot be executed (126, 127: a dangling link, a version manager's stub) has read nothing, so the next one is tried.
    `stdin`: file to read the program from (and remove) where stdin cannot be used. `environment`: `K=V K=V`, quoted.
    """
    words = " ".join(_interpreter_words(python) for python in pythons)
    steps = [f"echo {_STARTED}", f"PATH=$PATH:{EXTRA_PATH}"]
    if environment:
        steps.append(f"export {environment}")
    if stdin:
        steps.append(f"exec <{shlex.quote(stdin)} || exit 1")
        steps.append(f"rm -f {shlex.quote(stdin)}")
    steps.append(
        f"for p in {words}; do "
        "command -v ${p%% *} >/dev/null 2>&1 || continue; "
        "$p -ES -; r=$?; "
        "test $r = 126 || test $r = 127 || exit $r; "
        "done"
    )
    steps.append(f"echo {_NO_PYTHON}")
    return "; ".join(steps)


def _interpreter_words(python: str) -> str:
    # `/usr/bin/env python3` is one candidate of two words: $p is left unquoted on purpose, and split there.
    return shlex.quote(" ".join(python.split()))


def _send(action: ActionBase, program: bytes, pythons: t.Sequence[str]) -> dict[str, t.Any]:
    """Run the program on the host, through stdin where the connection can, else through a file."""
    _keep_alive(action)
    if _can_use_stdin(action):
        outcome = _execute(action, shell_command(pythons, environment=_environment(action)), program)
        if _STARTED in outcome["stdout"] or not _NEEDS_TTY.search(outcome["stdout"] + outcome["stderr"]):
            return outcome
    return _send_as_file(action, program, pythons)


def _environment(action: ActionBase) -> str:
    """The task's `environment:` as quoted assignments."""
    return to_text(action._compute_environment_string()).strip()


def _can_use_stdin(action: ActionBase) -> bool:
    connection = action._connection
    if not getattr(connection, "has_pipelining", False):
        return False
    if hasattr(connection, "_is_tty_requested") and connection._is_tty_requested():
        return False
    become = connection.become
    if become is None:
        return True
    if not getattr(become, "pipelining", become.name != "su"):
        return False
    # The local connection answers a password prompt through a terminal in place of stdin, unless told to pipeline.
    return (
        connection.transport != "local"
        or not become.get_option("become_pass")
        or bool(action.get_connection_option("pipelining"))
    )


def _send_as_file(action: ActionBase, program: bytes, pythons: t.Sequence[str]) -> dict[str, t.Any]:
    """The same program through a temporary file, which the host removes as it opens it, and we remove in any case."""
    shell = action._connection._shell
    folder = None
    try:
        folder = _guarded(action, action._make_tmp_path)
        path = shell.join_path(folder, "program")
        _guarded(action, lambda: action._transfer_data(path, program))
        _guarded(action, lambda: action._fixup_perms2((folder, path), execute=False))
        return _execute(action, shell_command(pythons, stdin=path, environment=_environment(action)), None)
    finally:
        if folder is not None:
            # Where the connection has gone, what happened before is what counts.
            with contextlib.suppress(AnsibleError):
                action._remove_tmp_path(folder, force=True)
            shell.tmpdir = None


def with_files(
    action: ActionBase, files: t.Sequence[Path], use: t.Callable[[str], dict[str, t.Any]]
) -> dict[str, t.Any]:
    """use(folder), where that folder of the host holds copies of these files meanwhile. A connection that fails is an answer."""
    shell = action._connection._shell
    folder = None
    try:
        folder = _guarded(action, action._make_tmp_path)
        copies = {path: shell.join_path(folder, path.name) for path in files}
        for path, copy in copies.items():
            _guarded(action, functools.partial(action._transfer_file, str(path), copy))
        _guarded(action, lambda: action._fixup_perms2((folder, *copies.values()), execute=False))
        return use(folder)
    except _NoAnswer as problem:
        return problem.answer
    finally:
        if folder is not None:
            # Where the connection has gone, what happened before is what counts.
            with contextlib.suppress(AnsibleError):
                action._remove_tmp_path(folder, force=True)
            shell.tmpdir = None


def _keep_alive(action: ActionBase) -> None:
    """Have ssh notice that the other end has gone."""
    connection = action._connection
    if connection.has_option("ssh_args"):
        given = connection.get_option("ssh_args") or ""
        if "ServerAliveInterval" not in given:
            connection.set_option("ssh_args", f"{given} {KEEPALIVE}".strip())


def _execute(action: ActionBase, command: str, in_data: bytes | None) -> dict[str, t.Any]:
    # Naming the shell keeps cores before 2.20 from adding a `sleep 0`, one process more on each host.
    executable = action._play_context.executable or "/bin/sh"
    outcome = _guarded(
        action, lambda: action._low_level_execute_command(command, in_data=in_data, executable=executable)
    )
    return {**outcome, "become": action._connection.become is not None}


T = t.TypeVar("T")


def _guarded(action: ActionBase, step: t.Callable[[], T]) -> T:
    """Run something that talks to the host; its failures become answers."""
    try:
        return step()
    except AnsibleConnectionFailure as problem:
        if action._connection.become and re.search("become|escalation", to_text(problem)):
            raise _become_failed(_reason(problem)) from problem
        raise _lost(_reason(problem)) from problem
    except AnsibleError as problem:
        if action._connection.become and _BECOME_WORDS.search(to_text(problem)):
            raise _become_failed(_reason(problem)) from problem
        raise _lost(_reason(problem)) from problem


def _reason(problem: Exception) -> str:
    return _tail(to_text(problem)).rstrip(" :") or type(problem).__name__


def _tail(text: str, limit: int = 800) -> str:
    """The end of what a host printed, fit for a message: no control characters, nothing that UTF-8 cannot carry."""
    text = "".join(char if char.isprintable() or char in "\n\t" else "\ufffd" for char in text[-2 * limit :]).strip()
    return text if len(text) <= limit else "..." + text[-limit:]


def _understand(outcome: dict[str, t.Any], nonce: str, pythons: t.Sequence[str]) -> dict[str, t.Any]:
    """What the host printed -> its answer; raises _NoAnswer where there is none that can be believed."""
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
    """JSON text from a host -> dict, with nothing in it that could steer Ansible; raises _NoAnswer (bad_answer)."""
    try:
        answer = json.loads(body, parse_constant=_no_constant, parse_int=_integer)
    except (ValueError, RecursionError) as problem:
        raise _bad_answer(
            f"it is not JSON that we accept ({type(problem).__name__}: {_tail(str(problem), 200)})"
        ) from None
    if not isinstance(answer, dict):
        raise _bad_answer(f"it is a JSON {type(answer).__name__}, not an object")
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
    """The same value with text that UTF-8 can carry; refuses what is nested too deep or not a number."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, float) and not math.isfinite(value):
        raise _bad_answer("it holds a number that is too large")
    if isinstance(value, (dict, list)) and depth >= MAX_DEPTH:
        raise _bad_answer(f"it is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return {_clean(key, depth): _clean(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, depth + 1) for item in value]
    return value


def _bad_answer(why: str) -> _NoAnswer:
    return _NoAnswer(
        "bad_answer",
        f"the host's answer cannot be used: {why}",
        "run again with -vvv to see what the host printed; if it is always so, report it",
    )


def _explain_silence(outcome: dict[str, t.Any], nonce: str, pythons: t.Sequence[str]) -> t.NoReturn:
    stdout, stderr, rc = outcome["stdout"], outcome["stderr"], outcome["rc"]
    said = _tail(stderr) or _tail(stdout.replace(_STARTED, "").replace(_NO_PYTHON, "")) or "it said nothing"
    oldest = ".".join(map(str, bundle.OLDEST_PYTHON))
    install = "install one (EL: yum install python3 or python; Debian, Ubuntu: apt-get install python3), or name it in ansible_python_interpreter"
    old = re.search(rf"@realip-toa-old {nonce} (\d+\.\d+\.\d+) (\S{{0,200}})", stdout)
    if old:
        raise _NoAnswer(
            "no_python",
            f"Python {old[1]} ({old[2]}) is too old: {oldest} or later is needed",
            install,
            python_version=old[1],
        )
    if _NO_PYTHON in stdout:
        raise _NoAnswer(
            "no_python",
            f"no Python {oldest} or later found; looked for {', '.join(pythons)} in PATH and {EXTRA_PATH}",
            install,
        )
    if rc == 255:
        raise _lost(said)
    if _STARTED not in stdout:
        if outcome["become"]:
            raise _become_failed(f"exit status {rc}: {said}")
        raise _lost(f"the login did not run our command (exit status {rc}): {said}")
    raise _NoAnswer(
        "bad_answer",
        f"the program on the host ended with exit status {rc} and no answer: {said}",
        "an exit status of 137 means that it was killed, mostly for want of memory: look at the host's kernel log",
    )


def as_data(value: T) -> T:
    """A value marked so that no core takes a text in it for a template.

    For filters and the like: every core marks the result of an action by itself.
    """
    return wrap_var(value) if _MUST_MARK_UNSAFE else value
