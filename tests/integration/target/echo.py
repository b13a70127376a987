# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A target module for the tests of the channel: says who it is, or misbehaves as it is told."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import select
import signal
import sys

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, read_line, run

BAD_BYTES = b"caf\xe9"


def main(args):
    return MODES[args.get("mode") or "plain"](args)


def plain(args):
    return {
        "changed": False,
        "said": args.get("say"),
        "check": args["check"],
        "python": list(sys.version_info[:2]),
        "executable": sys.executable,
        "uid": os.getuid(),
        "path": sys.path,
        "flags": [sys.flags.no_site, sys.flags.ignore_environment],
        "environment": os.environ.get("TOA_TEST"),
        "stdin": os.read(0, 100),
    }


def noise(args):
    print("a line that only looks like an answer: @realip-toa 0 2 {} @end 0")
    sys.stdout.flush()
    rc, out, err = run(["sh", "-c", "echo child; cat; echo error >&2"])
    return {"rc": rc, "out": out, "err": err, "orphan": os.system("echo straight to the descriptor; cat")}


def change(args):
    return {"changed": True, "before": {"lines": ["a", "{{ 7 * 7 }}"]}, "after": {"lines": ["b"]}}


def same(args):
    return {"changed": False, "before": {"lines": ["a"]}, "after": {"lines": ["a"]}}


def awkward(args):
    answer = {
        "bytes": BAD_BYTES,
        "name": os.fsdecode(BAD_BYTES) if hasattr(os, "fsdecode") else BAD_BYTES,
        "set": set([2, 1]),
    }
    answer.update({"nan": float("nan"), "big": 1 << 70, "object": TargetError, "template": "{{ 7 * 7 }}", 5: (1, 2)})
    answer.update(
        {
            "unreachable": True,
            "_ansible_no_log": True,
            "ansible_facts": {"discovered": 1},
            "skipped": True,
            "warnings": ["x"],
        }
    )
    return answer


def giant(args):
    return {"text": "x" * (5 << 20)}


def deep(args):
    value = []
    for _level in range(300):
        value = [value]
    return {"value": value}


def refuse(args):
    raise TargetError("no_space", "/boot has 3 MiB free, {{ 7 * 7 }} are needed", "remove old kernels", free=3)


def bug(args):
    return undefined_name  # noqa: F821


def leave(args):
    sys.exit(3)


def wrong_type(args):
    return ["not", "a", "dict"]


def hang(args):
    while True:
        try:
            select.select([], [], [], 600)
        except Exception:
            pass


def hang_in_child(args):
    run(["sh", "-c", "echo $$ >%s; exec sleep 600" % args["say"]])


def die(args):
    os.kill(os.getpid(), signal.SIGKILL)


def cut(args):
    """Kill the sshd session that we are in."""
    pid = os.getpid()
    while "sshd" not in read_line("/proc/%d/comm" % pid):
        pid = int(read_line("/proc/%d/stat" % pid).rpartition(")")[2].split()[1])
    os.kill(pid, signal.SIGKILL)
    select.select([], [], [], 600)


MODES = dict(
    (mode.__name__, mode)
    for mode in (
        plain,
        noise,
        change,
        same,
        awkward,
        giant,
        deep,
        refuse,
        bug,
        leave,
        wrong_type,
        hang,
        hang_in_child,
        die,
        cut,
    )
)
