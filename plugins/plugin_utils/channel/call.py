# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sends a program to whatever Python a host has, in one round trip, and reads one JSON object back.

Whatever goes wrong on the way is an answer too: a dict with `failed`, `code`, `msg` and `remedy`. A host that cannot
be reached is `toa_state: lost`, never UNREACHABLE, which Ansible's limits do not count.
What a host says is data: answer.py checks it for size, depth and form, and it is never templated.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import secrets
import shlex
import typing as t
from pathlib import Path

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.release import __version__ as core_version
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.realip.toa.plugins.plugin_utils.channel import bundle, time_limit
from ansible_collections.realip.toa.plugins.plugin_utils.channel.answer import (
    EXTRA_PATH,
    NO_IMAGE,
    NO_PYTHON,
    STARTED,
    NoAnswer,
    become_failed,
    lost,
    tail,
    understand,
)

if t.TYPE_CHECKING:
    from ansible.plugins.action import ActionBase

DEFAULT_TIMEOUT = 600
# Seconds that a host gets beyond its timeout, in which it should have said so itself; after that nobody waits for it any more.
GRACE = 15
# A host whose power goes closes no connection. Last of ssh's arguments, so that what the operator has set counts.
KEEPALIVE = "-o ServerAliveInterval=15 -o ServerAliveCountMax=8"

# Set by the role image: where the image is.
IMAGE_VARIABLE = "__toa_image"
# Programs that look, and run nothing.
LOOKS = ("programs.facts", "programs.plan")

PYTHONS = (
    "python3",
    "/usr/libexec/platform-python",
    *(f"python3.{minor}" for minor in range(14, 5, -1)),
    "python2.7",
    "python2.6",
    "python2",
    "python",
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
    root = _image_root(action, task_vars)
    image = {"look": entry in LOOKS} if root else None
    program = bundle.build(entry, search, bool(root)).render(args, nonce, timeout or DEFAULT_TIMEOUT, image)
    pythons = _pythons(action, task_vars)
    try:
        with time_limit.within((timeout or DEFAULT_TIMEOUT) + GRACE):
            return understand(_send(action, program, pythons, root), nonce, pythons)
    except NoAnswer as problem:
        return problem.answer
    except time_limit.Exceeded as problem:
        time_limit.end_children()
        return lost(f"nobody waits for this host any more: {problem}").answer


def _image_root(action: ActionBase, task_vars: t.Mapping[str, t.Any]) -> str:
    """Where a play that prepares an image (role image) has it: a folder of the host, "/" where the connection is inside; "" in every other play."""
    return to_text(action._templar.template(task_vars.get(IMAGE_VARIABLE) or "")).strip()


def _pythons(action: ActionBase, task_vars: t.Mapping[str, t.Any]) -> list[str]:
    """Command words to try, best first; an interpreter that the inventory names is used alone."""
    delegate = action._task.delegate_to
    source = (task_vars.get("ansible_delegated_vars") or {}).get(delegate, {}) if delegate else task_vars
    wanted = to_text(action._templar.template(source.get("ansible_python_interpreter") or "")).strip()
    if wanted and not wanted.startswith("auto"):
        return [wanted]
    return list(PYTHONS)


def shell_command(pythons: t.Sequence[str], stdin: str = "", environment: str = "", root: str = "") -> str:
    """The one-line POSIX sh command that finds a Python and lets it run the program.

    It passes through the login shell, which may be csh or fish: no newline, single quote, backslash or exclamation mark of our own.
    A Python that cannot be executed (126, 127: a dangling link, a version manager's stub) has read nothing, so the next one is tried.
    `stdin`: file to read the program from (and remove) where stdin cannot be used. `environment`: `K=V K=V`, quoted.
    `root`: folder of an image, whose Python it then is.
    """
    words = " ".join(_interpreter_words(python) for python in pythons)
    steps = [f"echo {STARTED}", f"PATH=$PATH:{EXTRA_PATH}"]
    if environment:
        steps.append(f"export {environment}")
    if stdin:
        steps.append(f"exec <{shlex.quote(stdin)} || exit 1")
        steps.append(f"rm -f {shlex.quote(stdin)}")
    find = (
        f"for p in {words}; do "
        "command -v ${p%% *} >/dev/null 2>&1 || continue; "
        "$p -ES -; r=$?; "
        "test $r = 126 || test $r = 127 || exit $r; "
        f"done; echo {NO_PYTHON}"
    )
    return "; ".join([*steps, _in_folder(root, find) if root.strip("/") else find])


def _in_folder(root: str, command: str) -> str:
    """A command in a chroot, with devices that are nobody else's business; what goes on from there is for inspection/image.py."""
    folder = shlex.quote(root)
    inside = f"PATH=$PATH:{EXTRA_PATH}; {command}"
    chroot = f"mount --make-rprivate / && mount --bind /dev {folder}/dev && exec chroot {folder} /bin/sh -c {shlex.quote(inside)}"
    return f"test -x {folder}/bin/sh && test -d {folder}/dev || {{ echo {NO_IMAGE}; exit 1; }}; exec unshare -m /bin/sh -c {shlex.quote(chroot)}"


def _interpreter_words(python: str) -> str:
    # `/usr/bin/env python3` is one candidate of two words: $p is left unquoted on purpose, and split there.
    return shlex.quote(" ".join(python.split()))


def _send(action: ActionBase, program: bytes, pythons: t.Sequence[str], root: str = "") -> dict[str, t.Any]:
    """Run the program on the host, through stdin where the connection can, else through a file."""
    _keep_alive(action)
    if _can_use_stdin(action):
        outcome = _execute(action, shell_command(pythons, environment=_environment(action), root=root), program)
        if STARTED in outcome["stdout"] or not _NEEDS_TTY.search(outcome["stdout"] + outcome["stderr"]):
            return outcome
    return _send_as_file(action, program, pythons, root)


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


def _send_as_file(action: ActionBase, program: bytes, pythons: t.Sequence[str], root: str) -> dict[str, t.Any]:
    """The same program through a temporary file, which the host removes as it opens it, and we remove in any case."""
    shell = action._connection._shell
    folder = None
    try:
        folder = _guarded(action, action._make_tmp_path)
        path = shell.join_path(folder, "program")
        _guarded(action, lambda: action._transfer_data(path, program))
        _guarded(action, lambda: action._fixup_perms2((folder, path), execute=False))
        command = shell_command(pythons, stdin=path, environment=_environment(action), root=root)
        return _execute(action, command, None)
    finally:
        if folder is not None:
            # Where the connection has gone, what happened before is what counts.
            with contextlib.suppress(AnsibleError):
                _remove(action, folder)
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
    except NoAnswer as problem:
        return problem.answer
    finally:
        if folder is not None:
            # Where the connection has gone, what happened before is what counts.
            with contextlib.suppress(AnsibleError):
                _remove(action, folder)
            shell.tmpdir = None


def _remove(action: ActionBase, folder: str) -> None:
    """Also where ANSIBLE_KEEP_REMOTE_FILES is set: there are arguments in it. Mitogen's strategy has a method of its own, which cannot be told so."""
    if "force" in inspect.signature(action._remove_tmp_path).parameters:
        action._remove_tmp_path(folder, force=True)
    else:
        action._remove_tmp_path(folder)


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
            raise become_failed(_reason(problem)) from problem
        raise lost(_reason(problem)) from problem
    except AnsibleError as problem:
        if action._connection.become and _BECOME_WORDS.search(to_text(problem)):
            raise become_failed(_reason(problem)) from problem
        raise lost(_reason(problem)) from problem


def _reason(problem: Exception) -> str:
    return tail(to_text(problem)).rstrip(" :") or type(problem).__name__


def as_data(value: T) -> T:
    """A value marked so that no core takes a text in it for a template.

    For filters and the like: every core marks the result of an action by itself.
    """
    return wrap_var(value) if _MUST_MARK_UNSAFE else value
