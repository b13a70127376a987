# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In an image the kernel that it boots is the one that counts, and nothing is started, loaded or proved on the one that runs."""

from __future__ import absolute_import, division, print_function

import os

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host import running
from ansible_collections.realip.toa.plugins.module_utils.inspection.image import in_order, kernel_of
from ansible_collections.realip.toa.plugins.module_utils.option_filter.state import UNSEEN, filter_of
from ansible_collections.realip.toa.plugins.module_utils.host import by_init
from ansible_collections.realip.toa.plugins.module_utils.startup.init import init_system

OF_IMAGE = "3.10.0-693.el7.toa.x86_64"


@pytest.fixture
def image(monkeypatch):
    monkeypatch.setattr(running, "_IMAGE", {})
    running.now_in_image(OF_IMAGE)


def test_a_host_runs_what_it_runs():
    assert not running.in_image()
    assert running.uname() == tuple(os.uname()) and running.kernel() == os.uname()[2]


def test_an_image_runs_its_own(image):
    assert running.in_image() and running.kernel() == OF_IMAGE
    assert [os.uname()[place] for place in (1, 3) if os.uname()[place] in running.uname()] == []


def test_an_image_without_a_kernel_is_one(monkeypatch):
    monkeypatch.setattr(running, "_IMAGE", {})
    running.now_in_image("")
    assert running.in_image() and running.kernel() == ""


def test_nothing_is_started_in_it(image, monkeypatch):
    monkeypatch.setattr(by_init, "run", lambda *words, **more: pytest.fail("ran %r" % (words,)))
    by_init.start_by_init("x.service", ())


def test_its_init_is_the_one_that_will_start_it(image, tmp_path):
    for name in ("sbin", "lib/systemd", "etc"):
        (tmp_path / name).mkdir(parents=True)
    assert init_system(str(tmp_path)) == "other"
    (tmp_path / "lib" / "systemd" / "systemd").write_bytes(b"")
    os.symlink("../lib/systemd/systemd", str(tmp_path / "sbin" / "init"))
    assert init_system(str(tmp_path)) == "systemd"
    running._IMAGE.clear()
    assert init_system(str(tmp_path)) == "other"


@pytest.mark.parametrize(
    ("shown", "loaded", "active"),
    [("", "", False), ("abc", "abc", True), ("abc", "abd", False), (UNSEEN, "", False), (UNSEEN, "abc", True)],
)
def test_rules_that_came_in_an_image_count_once_they_are_loaded(monkeypatch, shown, loaded, active):
    module = "ansible_collections.realip.toa.plugins.module_utils.option_filter.state.digest_of_rules"
    monkeypatch.setattr(module, lambda script: loaded)
    assert filter_of({"method": "nft", "shown": shown}, [])["active"] is active


@pytest.mark.parametrize(
    "releases",
    [
        ["3.10.0-693.el7.x86_64", "3.10.0-1160.119.1.el7.x86_64"],
        ["4.19.0-9-amd64", "4.19.0-27-amd64", "5.10.0-8-amd64", "6.1.0-18-amd64"],
        ["5.10.134-16.3.al8.x86_64", "5.10.134-16.10.al8.x86_64"],
    ],
)
def test_without_a_boot_loader_the_newest_boots(tmp_path, releases):
    assert kernel_of(str(tmp_path)) == ""
    assert sorted(reversed(releases), key=in_order) == releases
    (tmp_path / "boot").mkdir()
    for release in releases:
        (tmp_path / "boot" / ("vmlinuz-" + release)).write_bytes(b"x")
        (tmp_path / "lib" / "modules" / release).mkdir(parents=True)
    # An image without its modules boots nothing.
    (tmp_path / "boot" / "vmlinuz-9.9.9").write_bytes(b"x")
    assert kernel_of(str(tmp_path)) == releases[-1]
