# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""runner: one call from its sources to its framed answer, in a process of its own as on a host."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import subprocess
import sys

import pytest
from ansible_collections.realip.toa.plugins.module_utils import runner
from ansible_collections.realip.toa.plugins.module_utils.runner import plain

FILE = os.path.splitext(runner.__file__)[0] + ".py"
HEADER = "from __future__ import absolute_import, division, print_function\n"

START = """
import sys
sys.path.insert(0, %r)
import runner
runner.GRACE = 1
runner.serve(%r, %r)
print("not seen on stdout")
"""


def serve(text, timeout=30, limit=10000, before=()):
    """(stdout, stderr) of a call of a module with this text."""
    sources = [(name, (HEADER + source).encode("utf-8")) for name, source in before] + [
        ("entry", (HEADER + text).encode("utf-8"))
    ]
    call = {"args": {"check": True, "n": 5}, "nonce": "abc", "timeout": timeout, "limit": limit}
    child = subprocess.Popen(
        [sys.executable, "-c", START % (os.path.dirname(FILE), sources, call)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        close_fds=True,
    )
    out, err = child.communicate(b"rest of the program")
    assert child.returncode == 0, err
    return out.decode("utf-8"), err.decode("utf-8")


def answer(*given, **more):
    out = serve(*given, **more)[0]
    assert out.startswith("\n@realip-toa abc ") and out.endswith(" @end abc\n"), out
    length, _space, rest = out[len("\n@realip-toa abc ") :].partition(" ")
    body = rest[: int(length)]
    assert rest[int(length) :] == " @end abc\n"
    return json.loads(body)


def test_answer_is_framed():
    assert answer("def main(args): return {'got': args['n'], 'text': u'\\xe9'}") == {"got": 5, "text": u"\xe9"}


def test_modules_import_each_other_by_their_full_name():
    first = ("first", "VALUE = 41\n")
    second = "from ansible_collections.realip.toa.plugins.module_utils.first import VALUE\ndef main(args): return {'got': VALUE + 1}"
    assert answer(second, before=[first]) == {"got": 42}


def test_output_of_target_code_goes_to_stderr():
    out, err = serve("import os\ndef main(args):\n    print('noise')\n    os.system('echo more noise')\n    return {}")
    assert out == "\n@realip-toa abc 2 {} @end abc\n"
    assert "noise" in err and "more noise" in err and "not seen on stdout" in err


@pytest.mark.parametrize("umask", [0, 0o027, 0o077])
def test_the_umask_of_the_login_does_not_count(umask):
    old = os.umask(umask)
    try:
        assert answer("import os\ndef main(args): return {'got': os.popen('umask').read()}") == {"got": "0022\n"}
    finally:
        os.umask(old)


@pytest.mark.parametrize("words", ["os.mkdir('/proc')", "os.listdir('/proc/version')", "open('/proc', 'w')"])
def test_something_in_the_way_is_no_defect_of_ours(words):
    assert answer("import os\ndef main(args): " + words)["code"] == "in_the_way"


def test_children_cannot_read_what_is_left_of_our_input():
    assert answer("import os\ndef main(args): return {'got': os.popen('cat').read()}") == {"got": ""}


def test_children_do_not_hold_the_answer_open():
    text = "import os\ndef main(args):\n    return {'got': os.popen('ls -l /proc/self/fd').read()}"
    assert answer(text)["got"].count("pipe:") == 2  # ls's own stdout, and stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def main(args): return undefined_name", "undefined_name"),
        ("def main(args): raise KeyboardInterrupt()", "KeyboardInterrupt"),
        ("import sys\ndef main(args): sys.exit(1)", "SystemExit"),
        ("def main(args): return None", "NoneType, not a dict"),
        ("import nowhere\ndef main(args): return {}", "nowhere"),
        ("def main(args) return {}", "SyntaxError"),
        ("x = 1", "main"),
        ("class Bad(Exception):\n    def __str__(self): raise ValueError()\ndef main(args): raise Bad()", "Bad"),
        ("def main(args): return main(args)", "recursion"),
    ],
)
def test_bug_is_told_with_its_traceback(text, words):
    result = answer(text, limit=100000)
    assert result["failed"] and result["code"] == "target_bug"
    assert words in result["msg"]
    assert 50 < len(result["traceback"]) <= runner.TRACEBACK_LIMIT


@pytest.mark.parametrize(
    ("number", "code"), [("ENOSPC", "disk_full"), ("EDQUOT", "disk_full"), ("EROFS", "read_only")]
)
@pytest.mark.parametrize("kind", ["OSError", "IOError"])
def test_file_system_that_says_no_is_no_bug(kind, number, code):
    text = "import errno\ndef main(args): raise %s(errno.%s, 'no', '/etc/there')" % (kind, number)
    result = answer(text)
    assert result["failed"] and result["code"] == code
    assert "/etc/there" in result["msg"] and result["remedy"] and "traceback" not in result


def test_what_not_even_root_may_change_is_no_bug():
    text = "import errno, os\nos.geteuid = lambda: %d\ndef main(args): raise OSError(errno.EPERM, 'no', '/etc/there')"
    assert answer(text % 0)["code"] == "immutable"
    assert answer(text % 1, limit=100000)["code"] == "target_bug"


def test_what_a_security_module_refuses_names_domain_and_label(tmpdir):
    """`stat` and /proc/self/attr/current are as on a host with SELinux."""
    text = """
import errno, io, os, subprocess
real = open
def opened(path, *more):
    return io.BytesIO(b"unconfined_u:sysadm_r:sysadm_t:s0\\0") if path == "/proc/self/attr/current" else real(path, *more)
class Child:
    returncode = 0
    def __init__(self, argv, **unused): assert argv == ["stat", "-c", "%%C", "/etc"]
    def communicate(self): return (b"system_u:object_r:var_lib_t:s0\\n", b"")
def main(args):
    os.geteuid = lambda: %d
    subprocess.Popen = Child
    try:
        import builtins
    except ImportError:
        import __builtin__ as builtins
    builtins.open = opened
    raise IOError(errno.EACCES, "no", "/etc/not-there/at-all")
"""
    result = answer(text % 0)
    assert result["code"] == "access_refused", result
    for words in ("/etc/not-there/at-all", "sysadm_t", "var_lib_t"):
        assert words in result["msg"]
    assert "ausearch" in result["remedy"] and answer(text % 1)["code"] == "target_bug"


def test_traceback_shows_lines_of_our_source():
    assert "    return 1 / 0\n" in answer("def main(args):\n    return 1 / 0\n")["traceback"]


def test_time_is_up():
    result = answer("import time\ndef main(args):\n    time.sleep(600)", timeout=1)
    assert result["code"] == "timeout" and "1 seconds" in result["msg"]


def test_work_is_put_back_when_time_is_up(tmpdir):
    mark = tmpdir.join("mark")
    text = (
        "import time\ndef main(args):\n    try:\n        time.sleep(600)\n    finally:\n        open(%r, 'w').close()"
        % str(mark)
    )
    assert answer(text, timeout=1)["code"] == "timeout"
    assert mark.check()


def test_code_that_will_not_end_is_cut_off():
    text = "import time\ndef main(args):\n    while True:\n        try:\n            time.sleep(600)\n        except BaseException:\n            pass"
    assert answer(text, timeout=1)["code"] == "timeout"


def test_answer_that_is_too_long_is_not_sent():
    result = answer("def main(args): return {'text': 'x' * 20000}")
    assert result["code"] == "bad_answer" and "at most 10000" in result["msg"]


def test_answer_that_holds_itself_is_not_sent():
    result = answer("def main(args):\n    x = {}\n    x['x'] = x\n    return x")
    assert result["code"] == "bad_answer" and "nested" in result["msg"]


def test_controller_that_has_gone_is_no_error():
    sources = [("entry", (HEADER + "def main(args): return {'text': 'x' * 1000000}").encode("utf-8"))]
    call = {"args": {}, "nonce": "abc", "timeout": 30, "limit": 1 << 21}
    child = subprocess.Popen(
        [sys.executable, "-c", START % (os.path.dirname(FILE), sources, call)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    child.stdout.close()
    err = child.stderr.read()
    assert child.wait() == 0, err
    assert b"Traceback" not in err
    child.stderr.close()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"caf\xe9", u"caf\ufffd"),
        (u"\xe9", u"\xe9"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (1.5, 1.5),
        (True, True),
        (None, None),
        (1 << 70, 1 << 70),
        ((1, [2]), [1, [2]]),
        (set(["b", "a"]), ["a", "b"]),
        ({1: {b"a": None}}, {"1": {"a": None}}),
        (object, repr(object)),
    ],
)
def test_any_value_can_be_said_in_json(value, expected):
    assert plain(value) == expected
    json.dumps(plain(value), allow_nan=False)


@pytest.mark.skipif(sys.version_info[0] < 3, reason="Python 2 has bytes where Python 3 has surrogates")
@pytest.mark.parametrize(
    ("value", "expected"), [(u"caf\udce9", u"caf\ufffd"), (u"a\ud800b", u"a?b"), (u"\udce9\ud800", u"??")]
)
def test_surrogates_become_what_utf8_can_carry(value, expected):
    assert plain(value) == expected
