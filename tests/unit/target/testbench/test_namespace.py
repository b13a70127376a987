# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Children that answer, refuse, fail, hang or die; and sysctls that are the host's own. Needs no privileges."""

from __future__ import absolute_import, division, print_function

import errno
import os
import signal
import time

import pytest
from ansible_collections.realip.toa.plugins.module_utils.testbench import namespace as netns
from ansible_collections.realip.toa.plugins.module_utils.testbench.namespace import (
    Refused,
    in_child,
    set_namespaced_sysctl,
)


def no_children():
    try:
        os.waitpid(-1, os.WNOHANG)
    except OSError as problem:
        return problem.errno == errno.ECHILD
    return False


def descriptors():
    """What is open: a set of (number, file). The folder that is read here is among what is listed, and gone by then."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add((number, os.readlink("/proc/self/fd/" + number)))
        except OSError:
            pass
    return found


@pytest.fixture(autouse=True)
def nothing_is_left():
    before = descriptors()
    yield
    assert no_children()
    # What somebody else's garbage held may have been closed meanwhile.
    assert descriptors() - before == set()


def test_an_answer_comes_back_from_another_process():
    answer = in_child(lambda: {"pid": os.getpid(), "text": u"\u00e9", "rows": [[1, None]] * 20000}, 10)
    assert answer["pid"] != os.getpid()
    assert answer["text"] == u"\u00e9" and len(answer["rows"]) == 20000


def test_a_refusal_comes_back():
    def work():
        raise Refused("no tun")

    with pytest.raises(Refused) as caught:
        in_child(work, 10)
    assert "%s" % caught.value == "no tun"


def test_a_bug_comes_back_with_its_traceback():
    def work():
        return {}["missing"]

    with pytest.raises(RuntimeError) as caught:
        in_child(work, 10)
    assert "KeyError" in "%s" % caught.value and "in work" in "%s" % caught.value


def test_a_child_that_hangs_is_ended():
    began = time.time()
    with pytest.raises(Refused) as caught:
        in_child(signal.pause, 0.2)
    assert "without an answer" in "%s" % caught.value
    assert time.time() - began < 5


def test_a_child_that_dies_is_told():
    with pytest.raises(Refused):
        in_child(lambda: os.kill(os.getpid(), signal.SIGKILL), 10)


def test_a_child_ends_by_itself_when_its_parent_was_killed():
    """The child holds the pipe open for as long as it lives; after it has said that it works, we kill its parent."""
    reader, writer = os.pipe()
    parent = os.fork()
    if parent == 0:
        try:
            in_child(lambda: os.write(writer, b"x") and signal.pause(), 0.5)
        finally:
            os._exit(0)
    os.close(writer)
    assert os.read(reader, 1) == b"x"
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    assert netns.wait_readable(reader, time.time() + 10) and os.read(reader, 1) == b""
    os.close(reader)


@pytest.mark.parametrize(
    "release",
    ["2.6.32-220.23.1.el6.toa.x86_64", "3.10.0-693.el7.centos.toa.x86_64", "4.4.87.toa", "4.5.9", "", "garbage"],
)
def test_a_sysctl_of_the_whole_host_is_left_alone(release, monkeypatch):
    monkeypatch.setattr(netns.os, "open", lambda *unused: pytest.fail("opened"))
    with pytest.raises(Refused) as caught:
        set_namespaced_sysctl("ipv4/tcp_syncookies", 2, [4, 6], release)
    assert "whole host" in "%s" % caught.value


def test_a_python_without_any_way_to_unshare(monkeypatch):
    monkeypatch.delattr(netns.os, "unshare", raising=False)
    monkeypatch.setattr(netns, "ctypes", None)
    with pytest.raises(Refused) as caught:
        netns.unshare_network()
    assert "ctypes" in "%s" % caught.value


@pytest.mark.parametrize(
    "code, words",
    [
        (errno.EPERM, "no permission"),
        (errno.EINVAL, "CONFIG_NET_NS"),
        (errno.ENOSYS, "CONFIG_NET_NS"),
        (errno.ENOSPC, os.strerror(errno.ENOSPC)),
    ],
)
def test_each_refusal_of_the_kernel_has_its_words(code, words, monkeypatch):
    monkeypatch.setattr(netns, "_unshare", lambda unused: code)
    with pytest.raises(Refused) as caught:
        netns.unshare_network()
    assert words in "%s" % caught.value
