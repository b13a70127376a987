# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which lines of a script load TOA, against what a real shell does with them."""

from __future__ import absolute_import, division, print_function

import io
import os
import subprocess

import fake_hosts
import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import STATS_FILES, module_of_file
from ansible_collections.realip.toa.plugins.module_utils.startup.shell_script import script_loads
from fake_hosts import EXECUTABLE

# -- scripts against a real shell

SCRIPTS = [
    u"modprobe toa\n",
    u"modprobe toa",
    u"#!/bin/sh -e\nmodprobe toa\nexit 0\n",
    u"#!/bin/sh -e\nexit 0\nmodprobe toa\n",
    u"exit\nmodprobe toa\n",
    u"[ -f /nothing-here ] && exit 0\nmodprobe toa\n",
    u"[ -f /nothing-here ] || exit 0\nmodprobe toa\n",
    u"if [ -f /nothing-here ]; then\n  exit 0\nfi\nmodprobe toa\n",
    u"\u201cmodprobe toa\u201d\nmodprobe vtoa\n",
    u"#!/bin/sh -e\n\u201cmodprobe toa\u201d\nmodprobe vtoa\n",
    u"modprobe \u201ctoa\u201d\n",
    u'"modprobe toa"\n',
    u"'modprobe' \"toa\"\n",
    u"modprobe\u00a0toa\n",
    u"modprobe toa\r\nmodprobe vtoa\r\n",
    u"# modprobe toa\n  # modprobe vtoa\nx=1 # modprobe ttm\n",
    u'echo modprobe toa\necho "modprobe toa" >> /dev/null\n',
    u"cat > /dev/null <<EOF\nmodprobe toa\nEOF\nmodprobe vtoa\n",
    u"cat > /dev/null <<-'EOF'\n\tmodprobe toa\n\tEOF\nmodprobe vtoa\n",
    u"cat <<A > /dev/null; cat << B > /dev/null\nmodprobe toa\nA\nmodprobe toa\nB\nmodprobe vtoa\n",
    u"load() {\n  modprobe toa\n}\n",
    u"load() {\n  modprobe toa\n}\nload\n",
    u"load() { modprobe toa; }; load\n",
    u"( modprobe toa )\nmodprobe vtoa\n",
    u"{ modprobe toa; }\n",
    u"modprobe \\\n  toa\n",
    u"true && modprobe toa || modprobe vtoa\n",
    u"case a in a) modprobe toa;; esac\nmodprobe vtoa\n",
    u"for m in 1; do modprobe toa; done\n",
    u"while true; do modprobe toa; break; done\nmodprobe vtoa\n",
    u"modprobe -q toa > /dev/null 2>&1\n",
    u"modprobe -a dummy toa\n",
    u"modprobe dummy toa\n",
    u"modprobe -r toa\n",
    u"modprobe tcp-toa x=1\n",
    u"insmod /somewhere/toa.ko\n",
    u'insmod "/lib/modules/`uname -r`/kernel/net/toa.ko"\n',
    u"insmod /lib/modules/$(uname -r)/kernel/net/toa.ko\n",
    u"FOO=1 modprobe toa\n",
    u"exec modprobe toa\nmodprobe vtoa\n",
    u"exec > /dev/null\nmodprobe toa\n",
    u"modprobe toa &\nwait\n",
    u"true; modprobe toa; exit 0; modprobe vtoa\n",
    u"!/bin/bash\nmodprobe vtoa > /dev/null 2>&1\n",
    u"modprobe toad; modprobe xtoa; insmod /x/notoa.ko\n",
    u"function_like_name=1\nmodprobe toa\n",
    u"if true; then modprobe toa; else modprobe vtoa; fi\n",
    u"/bin/true\nmodprobe vtoa\n#",
    u"sh -c 'exit 0'\nmodprobe toa\n",
    u"x='\nmodprobe toa\n'\nmodprobe vtoa\n",
    u"exit 0 # modprobe toa",
]
# Only running them tells which branch a script takes; what may run counts as run.
EITHER_WAY = {
    u"[ -f /nothing-here ] || exit 0\nmodprobe toa\n": ["toa"],
    u"true && modprobe toa || modprobe vtoa\n": ["toa", "vtoa"],
    u"if true; then modprobe toa; else modprobe vtoa; fi\n": ["toa", "vtoa"],
}

RECORDER = u"""#!/bin/sh
for word in "$@"; do printf '%s\\n' "$(basename "$0") $word" >> "$CALLS"; done
"""


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_what_a_shell_really_runs(tmpdir, shell, script):
    """modprobe and insmod are stand-ins that write down what they are given."""
    for name in ("modprobe", "insmod"):
        fake_hosts.build(tmpdir, {"/bin/" + name: (EXECUTABLE, RECORDER)})
    with io.open(str(tmpdir.join("script")), "w", encoding="utf-8", newline="") as handle:
        handle.write(script)
    options = ["-e"] if u" -e\n" in script else []
    environment = dict(
        os.environ, PATH=str(tmpdir.join("bin")) + ":/usr/bin:/bin", CALLS=str(tmpdir.join("calls")), LC_ALL="C.UTF-8"
    )
    child = subprocess.Popen(
        [shell] + options + [str(tmpdir.join("script"))],
        env=environment,
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    child.communicate()
    really = really_loaded(tmpdir.join("calls").read_binary().decode("utf-8") if tmpdir.join("calls").check() else u"")
    told = [load["module"] for load in script_loads(script) if not load["reason"]]
    assert told == EITHER_WAY.get(script, really)


def really_loaded(calls):
    """TOA modules that the stand-ins were asked for: words they got, as modprobe and insmod take them."""
    loaded, words = [], []
    if "modprobe -r" in calls:
        return []
    for call in calls.split("\n")[:-1]:
        command, word = call.split(" ", 1)
        words.append(word)
        name = module_of_file(word) if command == "insmod" else word.replace("-", "_")
        if name in STATS_FILES and ("-a" in words or words[-2:-1] != ["dummy"]):
            loaded.append(name)
    return loaded


def test_every_word_of_why():
    loads = script_loads(
        u"#!/bin/sh -e\nmodprobe toa\n\u201cmodprobe toa\u201d\nmodprobe toa\nexit 0\nmodprobe toa\n"
    )
    assert [(load["line_number"], load["reason"]) for load in loads] == [
        (2, ""),
        (3, u"typographic quotes are part of the word for a shell: \u201cmodprobe"),
        (4, "the script has -e and stops at line 3, which fails"),
        (6, "comes after the exit in line 5"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        u"",
        u"toa",
        u"modprobe",
        u"modprobe toa'",
        u"'modprobe toa",
        u"toa() (",
        u"<<toa",
        u"case toa in",
        u") } fi toa",
        u"modprobe " * 9999 + u"toa",
        u"{ " * 9999 + u"toa",
        u"\0toa\ufffd",
        u"toa <<",
        u"toa;\\ ",
        u"toa; ''",
    ],
)
def test_odd_scripts_never_raise(text):
    assert isinstance(script_loads(text), list)
