# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""kmod.py on a made-up host, whose modprobe and rmmod do to its /proc what the kernel would."""

from __future__ import absolute_import, division, print_function

import os

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.programs import module as kmod

RUNNING, OTHER = "4.4.87.toa", "4.4.0-210-generic"
STATS = "                             CPU0       CPU1\nsyn_recv_sock_toa          : %d          0\nsyn_recv_sock_no_toa       : 7          1\n"
TCP_HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


class Machine(object):
    """Files below a directory, and what modprobe and rmmod are asked for."""

    def __init__(self, base):
        self.base = str(base)
        self.asked = []
        self.dead = False
        self.answer = (0, "", "")
        for folder in ("run", "proc/net", "sys/module"):
            os.makedirs(os.path.join(self.base, folder))
        self.put("proc/modules", "ext4 778240 1 - Live 0x0\nnottoa 4096 0 - Live 0x0\n")
        self.put("proc/net/if_inet6", "")
        self.put("lib/modules/%s/modules.dep" % RUNNING, "kernel/net/toa/toa.ko:\nkernel/fs/ext4.ko:\n")
        self.put("lib/modules/%s/modules.dep" % OTHER, "kernel/fs/ext4.ko:\n")

    def put(self, name, text):
        path = os.path.join(self.base, name)
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path))
        handle = open(path, "w")
        handle.write(text)
        handle.close()

    def load(self, params=(), translated=0):
        self.put("proc/modules", "toa 16384 0 - Live 0x0 (OE)\next4 778240 1 - Live 0x0\n")
        if not self.dead:
            self.put("proc/net/toa_stats", STATS % translated)
        for param in params:
            key, value = param.split("=")
            self.put("sys/module/toa/parameters/" + key, value + "\n")

    def run(self, argv, **unused):
        self.asked.append(argv)
        if self.answer[0] == 0 and argv[0] == "modprobe":
            self.load(argv[2:])
        elif self.answer[0] == 0:
            self.put("proc/modules", "ext4 778240 1 - Live 0x0\n")
            if os.path.exists(self.base + "/proc/net/toa_stats"):
                os.unlink(self.base + "/proc/net/toa_stats")
        return self.answer

    def connections(self, *states):
        """IPv4 sockets: one listener on port 80 and connections to it in these states."""
        lines = ["   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1\n"]
        for number, state in enumerate(states):
            peer = "0100007F:%04X %s" % (5000 + number, state)
            lines.append(
                "   1: 0100007F:0050 %s 00000000:00000000 00:00000000 00000000     0        0 %d 1\n"
                % (peer, 200 + number)
            )
        self.put("proc/net/tcp", TCP_HEAD + "".join(lines))

    def call(self, state="loaded", check=False, **more):
        return kmod.main(
            dict({"name": "toa", "state": state, "check": check, "root": self.base, "running": RUNNING}, **more)
        )


@pytest.fixture
def machine(tmpdir, monkeypatch):
    made = Machine(tmpdir.mkdir("host"))
    monkeypatch.setattr(kmod, "run", made.run)
    return made


def refused(machine, *args, **more):
    with pytest.raises(TargetError) as caught:
        machine.call(*args, **more)
    return caught.value


def test_loads_once(machine):
    predicted = machine.call(check=True)
    assert machine.asked == []
    done = machine.call()
    assert machine.asked == [["modprobe", "toa"]]
    assert done["changed"] and done["after"] == {"name": "toa", "loaded": True, "live": True, "parameters": {}}
    assert done["counters"] == {"syn_recv_sock_toa": 0, "syn_recv_sock_no_toa": 8}
    assert (predicted["before"], predicted["after"], predicted["changed"]) == (done["before"], done["after"], True)
    again = machine.call()
    assert not again["changed"] and again["before"] == again["after"] and len(machine.asked) == 1


def test_a_name_that_only_contains_it_is_not_it(machine):
    assert not machine.call("status")["before"]["loaded"]


def test_dead_module_is_named_with_what_is_missing(machine):
    machine.dead = True
    machine.load()
    problem = refused(machine)
    assert problem.code == "module_inert" and "/proc/net/toa_stats" in problem.message and "reload" in problem.remedy
    assert machine.asked == []
    assert refused(machine, check=True).code == "module_inert"


def test_dead_on_arrival(machine):
    machine.dead = True
    os.unlink(machine.base + "/proc/net/if_inet6")
    problem = refused(machine)
    assert problem.code == "module_inert" and "IPv6 is off" in problem.message


def test_two_modules_with_one_file(machine):
    machine.dead = True
    machine.load()
    machine.put("proc/modules", "toa 16384 0 - Live 0x0\ntcp_toa 16384 0 - Live 0x0\n")
    assert "tcp_toa is loaded too" in refused(machine).message


def test_reload_of_a_dead_module_helps_or_says_so(machine):
    machine.dead = True
    machine.load()
    assert refused(machine, reload=True).code == "module_inert"
    assert machine.asked == [["rmmod", "toa"], ["modprobe", "toa"]]
    machine.dead = False
    os.unlink(machine.base + "/proc/modules")
    machine.put("proc/modules", "toa 16384 0 - Live 0x0\n")
    assert machine.call(reload=True)["after"]["live"]


def test_module_missing_names_the_kernels_that_have_it(machine):
    problem = refused(machine, running=OTHER)
    assert (
        problem.code == "module_missing"
        and OTHER in problem.message
        and RUNNING in problem.message
        and problem.data["kernels"] == [RUNNING]
    )
    assert machine.asked == []
    problem = refused(machine, running=OTHER, name="vtoa")
    assert problem.code == "module_missing" and "no installed kernel has it" in problem.message


def test_parameters(machine):
    done = machine.call(params={"debug": True, "size": 4})
    assert machine.asked == [["modprobe", "toa", "debug=Y", "size=4"]]
    assert done["after"]["parameters"] == {"debug": "Y", "size": "4"}
    assert not machine.call(params={"debug": 1, "size": "4"})["changed"]
    problem = refused(machine, params={"size": 5})
    assert problem.code == "module_parameters" and "size is 4, not 5" in problem.message
    assert machine.call(params={"size": 5}, reload=True)["after"]["parameters"] == {"size": "5"}
    assert refused(machine, params={"a b": "c"}).code == "bad_option"


def test_wrong_kernel(machine):
    problem = refused(machine, kernel=OTHER)
    assert problem.code == "wrong_kernel" and RUNNING in problem.message and OTHER in problem.message
    assert machine.call("status", kernel=OTHER)["file"] == ""
    assert machine.call("status", kernel=RUNNING)["file"] == "/lib/modules/%s/kernel/net/toa/toa.ko" % RUNNING


@pytest.mark.parametrize(
    "said,code",
    [
        ("modprobe: ERROR: could not insert 'toa': Required key not available", "secure_boot_unsigned"),
        ("modprobe: ERROR: could not insert 'toa': Invalid module format", "module_wrong_kernel"),
        ("modprobe: ERROR: could not insert 'toa': Operation not permitted", "module_loading_disabled"),
        ("modprobe: ERROR: could not insert 'toa': Cannot allocate memory", "module_load_failed"),
    ],
)
def test_what_the_kernel_refuses(machine, said, code):
    machine.answer = (1, "", said)
    problem = refused(machine)
    assert problem.code == code and said in problem.message


def test_built_in(machine):
    machine.put("lib/modules/%s/modules.dep" % RUNNING, "")
    machine.put("lib/modules/%s/modules.builtin" % RUNNING, "kernel/net/toa/toa.ko\n")
    machine.put("proc/net/toa_stats", STATS % 0)
    assert not machine.call()["changed"]
    assert refused(machine, "unloaded").code == "module_builtin"


def test_unloads_when_nobody_was_translated(machine):
    machine.load()
    machine.connections("01")
    assert machine.call("unloaded", check=True)["after"] == {
        "name": "toa",
        "loaded": False,
        "live": False,
        "parameters": {},
    }
    assert machine.asked == []
    assert machine.call("unloaded")["changed"]
    assert not machine.call("unloaded")["changed"]


def test_busy_host_keeps_its_module(machine):
    machine.load(translated=3)
    machine.connections("01", "01", "06")
    problem = refused(machine, "unloaded")
    assert problem.code == "module_busy" and "translated 3 connections, and 2 " in problem.message
    assert machine.asked == []
    assert refused(machine, "unloaded", check=True).code == "module_busy"
    assert machine.call("unloaded", force=True)["changed"]


def test_our_own_connection_does_not_count(machine):
    """A socket that one of our ancestors holds, as sshd holds that of the session."""
    machine.load(translated=3)
    machine.connections("01")
    folder = "proc/%d" % os.getppid()
    machine.put("proc/%d/stat" % os.getpid(), "%d (python) S %d 1 1" % (os.getpid(), os.getppid()))
    machine.put(folder + "/stat", "%d (sshd) S 1 1 1" % os.getppid())
    os.makedirs(os.path.join(machine.base, folder, "fd"))
    os.symlink("socket:[200]", os.path.join(machine.base, folder, "fd/3"))
    assert machine.call("unloaded")["changed"]


def test_in_use(machine):
    machine.load()
    machine.answer = (1, "", "rmmod: ERROR: Module toa is in use")
    problem = refused(machine, "unloaded")
    assert problem.code == "module_in_use" and "in use" in problem.message


def test_a_name_that_is_no_toa_module(machine):
    assert refused(machine, name="ext4").code == "bad_option"
