# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""state: the record on the host."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import stat

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host import state


@pytest.fixture
def path(tmpdir):
    return str(tmpdir.join("realip-toa", "state.json"))


def test_no_record_is_an_empty_one(path):
    assert state.load(path) == {}
    assert state.section("boot", path) == {}


def test_sections_are_kept_apart(path):
    state.save_section("boot", {"default": u"caf\xe9"}, path)
    state.save_section("packages", {"held": ["linux-image"]}, path)
    assert state.section("boot", path) == {"default": u"caf\xe9"}
    assert state.section("packages", path) == {"held": ["linux-image"]}
    assert state.load(path)["schema"] == state.SCHEMA


def test_record_is_for_root_alone(path):
    state.save_section("boot", {"default": "0"}, path)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


def test_file_and_folder_go_with_the_last_section(path):
    state.save_section("boot", {"default": "0"}, path)
    state.save_section("packages", {"held": []}, path)
    state.save_section("boot", {}, path)
    assert state.section("packages", path) == {"held": []}
    state.save_section("packages", None, path)
    assert not os.path.exists(os.path.dirname(path))


def test_folder_that_holds_more_stays(path):
    state.save_section("boot", {"default": "0"}, path)
    beside = os.path.join(os.path.dirname(path), "log")
    open(beside, "w").close()
    state.save_section("boot", {}, path)
    assert not os.path.exists(path) and os.path.exists(beside)


def test_dropping_what_is_not_there_does_nothing(path):
    state.save_section("boot", {}, path)
    assert not os.path.exists(os.path.dirname(path))


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"boot": 3}', b"7" * 100])
def test_damage_is_never_fatal(path, damage):
    os.makedirs(os.path.dirname(path))
    with open(path, "wb") as handle:
        handle.write(damage)
    assert state.section("boot", path) == {}
    state.save_section("boot", {"default": "0"}, path)
    with open(path) as handle:
        assert json.load(handle)["boot"] == {"default": "0"}


def test_damage_by_nesting_is_never_fatal(path):
    os.makedirs(os.path.dirname(path))
    with open(path, "wb") as handle:
        handle.write(b"[" * 200000)
    assert state.load(path) == {}
