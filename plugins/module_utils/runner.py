# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The far end of the channel: runs the modules that came with it and answers with one framed JSON object.

Started by the shim of plugin_utils/channel/bundle.py, once per call, with nothing of ours on the host's disk.
Python 2.6 to 3.14, standard library only; imports nothing of ours, because it is what makes our imports work.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import gc
import json
import os
import signal
import sys

PACKAGE = "ansible_collections.realip.toa.plugins.module_utils"

# unicode on Python 2; the formatter would take the prefix from a literal.
TEXT = type(b"".decode("ascii"))

# How tracebacks name our code: the path inside the collection.
FILE_PREFIX = "realip/toa/plugins/module_utils/"

# Containers nested deeper than this in an answer are a bug; the controller refuses them as well.
MAX_DEPTH = 60

# Past its time a call has this long to put things back, in seconds, before it is cut off.
GRACE = 10

TRACEBACK_LIMIT = 8000


# Where a host's file system says no, which is no defect of ours: (code, what is the matter, remedy).
FULL = ("disk_full", "the file system is full", "make room on it, then run again")
IN_THE_WAY = (
    "in_the_way",
    "something else (a file, a folder or a link) stands where a file or folder of ours should be",
    "find out who made it, move it out of the way on the host, then run again",
)
FILE_SYSTEM_SAYS_NO = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: ("disk_full", "the disk quota is used up", FULL[2]),
    errno.EISDIR: IN_THE_WAY,
    errno.ENOTDIR: IN_THE_WAY,
    errno.EEXIST: IN_THE_WAY,
    errno.ELOOP: IN_THE_WAY,
    errno.EROFS: (
        "read_only",
        "the file system is read-only",
        "find out why (dmesg), mount it writable, then run again",
    ),
}
# Where nobody says which file it was, the others may be anything.
NEEDS_NO_NAME = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
IMMUTABLE = (
    "immutable",
    "not even root may change this file or folder",
    "see `lsattr -d` of it; take the attribute away (chattr -i or -a) or the security module's rule, then run again",
)


class CallTimeout(BaseException):
    """The call's time is over. Not an Exception, so that no `except Exception` in target code swallows it."""


def serve(sources, call):
    """Run one call and write its answer; never raises.

    `sources`: list of (module name, source bytes), in the order in which they must run, the entry module last; before a module that leaves a shell
    script on hosts, the path of that and its bytes.
    `call`: dict of `args`, `nonce` (text), `timeout` (seconds) and `limit` (the longest answer, in bytes); `image` for one that works in an image.
    """
    # What we and the commands that we run make is as it should be for everybody else, whatever the login's umask is.
    os.umask(0o022)
    answer_fd = _take_over_descriptors()
    _arm_timeout(call, answer_fd)
    try:
        try:
            answer = run(sources, call["args"], call.get("image") and (lambda: _into_image(call, answer_fd)))
            signal.alarm(0)
        except CallTimeout:
            signal.alarm(0)
            answer = _timed_out(call)
    except BaseException:  # target code may raise anything, SystemExit included; each must reach the operator
        signal.alarm(0)
        answer = _problem(sources)
    _send(answer_fd, call, answer)


def _take_over_descriptors():
    """Nobody but _send may write the answer's stream, and no child may read what is left of our stdin."""
    answer_fd = os.dup(1)
    _close_on_exec(answer_fd)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return answer_fd


def _close_on_exec(descriptor):
    # A daemon that inherited it would keep the SSH session open for ever.
    import fcntl

    fcntl.fcntl(descriptor, fcntl.F_SETFD, fcntl.fcntl(descriptor, fcntl.F_GETFD) | fcntl.FD_CLOEXEC)


def _arm_timeout(call, answer_fd):
    owner = os.getpid()
    rings = []

    def ring(unused_signal, unused_frame):
        if os.getpid() != owner:
            return
        rings.append(1)
        if len(rings) > 1:
            _send(answer_fd, call, _timed_out(call))
            os._exit(0)
        signal.alarm(GRACE)
        raise CallTimeout()

    signal.signal(signal.SIGALRM, ring)
    signal.alarm(max(1, int(call["timeout"])))


def _into_image(call, answer_fd):
    """Whoever goes there is another process, and takes the time with it."""
    signal.alarm(0)
    leave = sys.modules[PACKAGE + ".inspection.image"].enter(call["image"])
    _arm_timeout(call, answer_fd)
    return leave


def _timed_out(call):
    return {
        "failed": True,
        "code": "timeout",
        "msg": "the host did not finish within %d seconds" % call["timeout"],
        "remedy": "look at what keeps the host busy (load, hung mounts, package manager locks), then run again",
    }


def run(sources, args, enter=None):
    """main(args) of the last of these modules; whatever it raises goes through. A program that stays on a host (bundle.alone) begins here.

    `enter` goes where the work is, and returns what to call at the end of it.
    """
    _register_packages()
    module = None
    gc.disable()  # compiling makes many objects and no garbage
    try:
        for name, source in sources:
            if name.endswith(".sh"):
                sys.modules[PACKAGE].SCRIPTS[name] = source
            else:
                module = _load(name, source)
    finally:
        gc.enable()
    leave = enter() if enter else None
    try:
        answer = module.main(args)
    finally:
        if leave:
            leave()
    if not isinstance(answer, dict):
        raise TypeError("main() of %s returned %s, not a dict" % (module.__name__, type(answer).__name__))
    return answer


def _register_packages():
    """Make `ansible_collections.realip.toa.plugins.module_utils` importable without a file behind it."""
    parts = PACKAGE.split(".")
    parent = None
    for depth in range(1, len(parts) + 1):
        package = _new_module(".".join(parts[:depth]))
        package.__path__ = []
        if parent is not None:
            setattr(parent, parts[depth - 1], package)
        parent = package
    parent.SCRIPTS = {}  # shell scripts that came with it, for host/scripts.py


def _room(name):
    """The package of this name, made where it is not there yet."""
    if name not in sys.modules:
        parent = _room(name.rpartition(".")[0])
        setattr(parent, name.rpartition(".")[2], _new_module(name))
        sys.modules[name].__path__ = []
    return sys.modules[name]


def _new_module(name):
    module = type(sys)(str(name))
    sys.modules[str(name)] = module
    return module


def _load(name, source):
    full_name = "%s.%s" % (PACKAGE, name)
    parent = _room(full_name.rpartition(".")[0])
    module = _new_module(full_name)
    module.__package__ = parent.__name__
    module.__file__ = _file_name(name)
    setattr(parent, name.rpartition(".")[2], module)
    exec(compile(source, module.__file__, "exec", 0, 1), module.__dict__)  # nosec B102 # our own modules, which came with it
    return module


def _file_name(name):
    return FILE_PREFIX + name.replace(".", "/") + ".py"


def _problem(sources):
    """What the exception being handled means to the operator."""
    problem = sys.exc_info()[1]
    hostio = sys.modules.get(PACKAGE + ".host.io")
    if hostio is not None and isinstance(problem, hostio.TargetError):
        answer = {"failed": True, "code": problem.code, "msg": problem.message, "remedy": problem.remedy}
        for key, value in problem.data.items():
            answer.setdefault(key, value)
        return answer
    if isinstance(problem, EnvironmentError) and (problem.filename or problem.errno in NEEDS_NO_NAME):
        reason = FILE_SYSTEM_SAYS_NO.get(problem.errno)
        if problem.errno == errno.EPERM and problem.filename and os.geteuid() == 0:
            reason = IMMUTABLE
        if problem.errno == errno.EACCES and os.geteuid() == 0:
            reason = _refused(problem.filename)
        if reason:
            where = _text(problem.filename) if problem.filename else "a file of this call"
            return {"failed": True, "code": reason[0], "msg": "%s: %s" % (where, reason[1]), "remedy": reason[2]}
    return {
        "failed": True,
        "code": "target_bug",
        "msg": "%s: %s" % (type(problem).__name__, _text(problem)),
        "remedy": "this is a defect of the collection: report it with the traceback",
        "traceback": _traceback(sources),
    }


def _refused(path):
    """Root is refused what its capabilities allow: by a security module, or by a file system that another host decides about (NFS)."""
    label, domain = _security_label(path), ""
    try:
        handle = open("/proc/self/attr/current", "rb")
        try:
            domain = handle.read(256).split(b"\0")[0].decode("utf-8", "replace").strip()
        finally:
            handle.close()
    except EnvironmentError:
        pass
    if not label or not domain:
        return (
            "access_refused",
            "root may not use it",
            "see the mount options (NFS: root_squash) and what runs as root here",
        )
    return (
        "access_refused",
        "a security module refuses it: this call runs as %s, and the file is labelled %s" % (domain, label),
        "see `ausearch -m avc -ts recent` on the host; run with a role that may do this (sudo -r unconfined_r -t unconfined_t), or `restorecon` "
        "the file if its label is wrong",
    )


def _security_label(path):
    """The SELinux label of a file, or of the folder that it would be in; "" where there is none."""
    import subprocess

    while path and not os.path.lexists(path):
        path = os.path.dirname(path) if os.path.dirname(path) != path else ""
    if not path:
        return ""
    try:
        child = subprocess.Popen(["stat", "-c", "%C", path], stdout=subprocess.PIPE, stderr=open(os.devnull, "w"))
        out = child.communicate()[0].decode("utf-8", "replace").strip()
    except EnvironmentError:
        return ""
    return out if child.returncode == 0 and ":" in out else ""


def _text(problem):
    try:
        return str(problem)
    except Exception:
        return repr(problem)


def _traceback(sources):
    import linecache
    import traceback

    for name, source in sources:
        lines = source.decode("utf-8", "replace").splitlines(True)
        linecache.cache[_file_name(name)] = (len(source), None, lines, _file_name(name))
    return traceback.format_exc()[-TRACEBACK_LIMIT:]


def plain(value, depth=0):
    """Any value as what JSON can say: undecodable bytes become U+FFFD, sets sorted lists, NaN and the unknown their repr."""
    if value is None or isinstance(value, bool) or isinstance(value, int):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, TEXT):
        return _without_surrogates(value)
    if isinstance(value, float):
        return value if value - value == 0 else repr(value)
    if depth > MAX_DEPTH:
        raise ValueError("the answer is nested deeper than %d levels" % MAX_DEPTH)
    if isinstance(value, dict):
        return dict((_key(key), plain(item, depth + 1)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item, depth + 1) for item in value), key=repr)
    if type(value).__name__ == "long":
        return value
    return repr(value)


def _key(key):
    text = plain(key)
    return text if isinstance(text, TEXT) else str(text)


def _without_surrogates(text):
    # os.listdir() of Python 3 puts undecodable bytes of a file name into lone surrogates, which no UTF-8 can carry.
    if sys.version_info[0] < 3:
        return text
    try:
        text.encode("utf-8")
        return text
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogateescape" if _only_escapes(text) else "replace").decode("utf-8", "replace")


def _only_escapes(text):
    return not any(0xD800 <= ord(char) < 0xDC80 or 0xDCFF < ord(char) <= 0xDFFF for char in text)


def _send(answer_fd, call, answer):
    """Write the frame: marker, nonce, length and JSON in one line, so that a noisy login cannot break it."""
    try:
        body = json.dumps(plain(answer))
    except Exception:
        body = json.dumps(
            {
                "failed": True,
                "code": "bad_answer",
                "msg": "the answer cannot be written as JSON: %s" % _text(sys.exc_info()[1]),
            }
        )
    if len(body) > call["limit"]:
        body = json.dumps(
            {
                "failed": True,
                "code": "bad_answer",
                "msg": "the host's answer has %d bytes; at most %d are accepted" % (len(body), call["limit"]),
            }
        )
    data = ("\n@realip-toa %s %d %s @end %s\n" % (call["nonce"], len(body), body, call["nonce"])).encode("ascii")
    try:
        while data:
            data = data[os.write(answer_fd, data) :]
    except OSError:
        pass  # the controller has gone; there is nobody to tell
