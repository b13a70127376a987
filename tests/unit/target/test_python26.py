# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Target code is clean for Python 2.6, and the checker that says so (python26.py) finds what it is there to find."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import glob
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from python26 import check

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
HEADER = "from __future__ import absolute_import, division, print_function\n__metaclass__ = type\n"
TARGET = os.path.join(ROOT, "plugins", "module_utils")


def sources():
    """Every file of target code, in the rooms as well, and the target code that tests bring."""
    found = [
        os.path.join(folder, name)
        for folder, _folders, names in os.walk(TARGET)
        for name in names
        if name.endswith(".py")
    ]
    # ansible-test wants the __init__.py of a room to be empty, and in an empty file there is nothing to check.
    found = [path for path in found if os.path.getsize(path) or os.path.basename(path) != "__init__.py"]
    assert len(found) > 50, "there is no target code in %s" % TARGET
    brought = sorted(glob.glob(os.path.join(ROOT, "tests", "integration", "target", "*.py")))
    assert brought, "tests bring no target code"
    return sorted(found) + brought


SOURCES = sources()


def findings(text):
    return check((HEADER + text + "\n").encode("utf-8"))


def test_there_is_target_code_to_check():
    assert len(SOURCES) > 5


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: os.path.relpath(path, ROOT))
def test_target_code_is_clean(path):
    with open(path, "rb") as handle:
        assert check(handle.read(), path) == []


# What the running Python parses is found in the tree or the tokens, what it does not parse by its compile(): either way it is found.
BAD = [
    # syntax
    "x = {1, 2}",
    "x = {i for i in y}",
    "x = {i: i for i in y}",
    "with a() as b, c() as d:\n    pass",
    "with a(b, c), d():\n    pass",
    "for x in y:\n    if x: \n        with a, b: pass",
    "with (a() as b, c() as d):\n    pass",
    "x = f'{y}'",
    "x = rb'y'",
    "x = ur'y'",
    "x = 1_000",
    "x = 0777",
    "x = 10L",
    "raise A, 'x'",
    "def f(*, a): pass",
    "def f(a, /): pass",
    "def f(a: int): pass",
    "def f(*a: int): pass",
    "def f() -> int: pass",
    "def f((a, b)): pass",
    "def f():\n    x = 1\n    def g():\n        nonlocal x",
    "def f():\n    yield 1\n    return 2",
    "def f():\n    yield from g()",
    "async def f(): pass",
    "x: int = 1",
    "if (x := 1): pass",
    "class A(B, metaclass=C): pass",
    "try:\n    pass\nexcept A, e:\n    pass",
    "try:\n    pass\nexcept* A:\n    pass",
    "match x:\n    case 1: pass",
    "raise A from B",
    "print 'x'",
    "exec 'x' in {}",
    "x = `y`",
    "x <> y",
    "a, *b = c",
    "x = [*a, *b]",
    "x = {**a}",
    "f(*a, *b)",
    "f(*a, b)",
    "f(**a, **b)",
    "x = a @ b",
    "super().f()",
    # format()
    "'{}'.format(1)",
    "'{:>5}'.format(1)",
    "'{.a}'.format(1)",
    "'{!r}'.format(1)",
    "'{0:{1}}'.format(1, 2)",
    "'{0:,}'.format(1)",
    "x.format(1)",
    # modules and names
    "import argparse",
    "import importlib",
    "import concurrent.futures",
    "from pathlib import Path",
    "import configparser",
    "import ConfigParser",
    "import urllib.request",
    "import urllib2",
    "import distutils.version",
    "from ansible.module_utils.basic import AnsibleModule",
    "from . import hostio",
    "import subprocess\nsubprocess.run(x)",
    "import subprocess\nsubprocess.check_output(x)",
    "from subprocess import DEVNULL",
    "from collections import OrderedDict",
    "import collections\ncollections.Counter()",
    "from functools import lru_cache",
    "import itertools\nitertools.zip_longest(a, b)",
    "import itertools\nitertools.izip(a, b)",
    "import time\ntime.monotonic()",
    "import time\ntime.clock()",
    "import os\nos.replace(a, b)",
    "import os\nos.fsencode(a)",
    "import re\nre.fullmatch(a, b)",
    "import shlex\nshlex.quote(a)",
    "import platform\nplatform.dist()",
    "import sys\nsys.version_info.major",
    "import os\nos.uname().release",
    "memoryview(x)",
    "unicode(x)",
    "xrange(3)",
    "try:\n    pass\nexcept FileNotFoundError:\n    pass",
    "x.iteritems()",
    "x.bit_length()",
    "x.total_seconds()",
    "int.from_bytes(x, 'big')",
    # keyword arguments
    "x.decode(encoding='utf-8')",
    "x.encode('utf-8', errors='replace')",
    "open(x, encoding='utf-8')",
    "x.split(maxsplit=1)",
    "import re\nre.sub(a, b, c, flags=re.M)",
    "import os\nos.makedirs(a, exist_ok=True)",
    "import subprocess\nsubprocess.Popen(a, text=True)",
    "p.communicate(timeout=1)",
    "max(x, default=1)",
    "zip(a, b, strict=True)",
    "print(x, flush=True)",
    # context managers
    "import gzip\nwith gzip.open(x) as y:\n    pass",
    "import tarfile\nwith tarfile.open(x) as y:\n    pass",
    "import subprocess\nwith subprocess.Popen(x) as y:\n    pass",
    # a guard for something else
    "import os\nif hasattr(os, 'fsdecode'):\n    os.fsencode(a)",
    "import os\nif not hasattr(os, 'fsencode'):\n    os.fsencode(a)",
    "try:\n    import argparse\nexcept ValueError:\n    pass",
]


@pytest.mark.parametrize("text", BAD)
def test_what_26_lacks_is_found(text):
    assert findings(text) != []


GOOD = [
    "x = set([1, 2])",
    "x = dict((i, i) for i in y)",
    "with a() as b:\n    with c() as d:\n        pass",
    "x = b'y' + br'z'",
    "x = u'y'",
    "x = 0o777 + 0 + 0x10 + 0.5 + 00",
    "raise A(b, c)",
    "x.exec_ = 1",
    "try:\n    pass\nexcept (A, B):\n    pass",
    "def f(a, b=1, *c, **d): pass",
    "def f():\n    yield 1\n    return",
    "def f():\n    def g():\n        yield 1\n    return g()",
    "try:\n    pass\nexcept A as e:\n    pass\nfinally:\n    pass",
    "exec(x, {})",
    "f(a, *b)",
    "f(*a, **b)",
    "f(*a, b=1)",
    "'{0} {a[1]} {1:>5}'.format(1, 2, a=3)",
    "x = '{}' % ()",
    "import xml.etree.ElementTree as ET",
    "try:\n    from urllib.request import urlopen\nexcept ImportError:\n    from urllib2 import urlopen",
    "try:\n    text = unicode\nexcept NameError:\n    text = str",
    "import os\nx = os.fsencode(a) if hasattr(os, 'fsencode') else a",
    "import os\ndef f():\n    if not hasattr(os, 'fsencode'):\n        raise ValueError()\n    os.fsencode(a)",
    "import os\ndef f():\n    if str is bytes:\n        return a\n    return os.fsencode(a)",
    "import sys\nif sys.version_info[0] > 2:\n    x = memoryview(y)",
    "import sys\nx = unicode(y) if sys.version_info[0] < 3 else y",
    "def apply(x): pass\napply(1)",
    "def f(buffer): return buffer",
    "import io\nio.open(x, encoding='utf-8')",
    "x = y.decode('utf-8', 'replace')",
    "import subprocess\nsubprocess.Popen(a, stdin=b, close_fds=True, preexec_fn=c, env=d)",
    "from ansible_collections.realip.toa.plugins.module_utils.host.io import run",
    "with open(x, 'rb') as y:\n    pass",
    "print('x', file=y)",
]


@pytest.mark.parametrize("text", GOOD)
def test_what_26_has_is_let_pass(text):
    assert findings(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "from __future__ import absolute_import, division, print_function\n",
        "from __future__ import absolute_import, print_function\n__metaclass__ = type\n",
        "from __future__ import absolute_import, division, print_function, unicode_literals\n__metaclass__ = type\n",
        "from __future__ import annotations\n__metaclass__ = type\n",
    ],
)
def test_header_is_asked_for(text):
    assert check(text.encode("ascii")) != []


def test_a_finding_names_its_line():
    assert findings("\n\nx = {1}")[0][0] == 5
