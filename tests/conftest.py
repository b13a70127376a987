# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets any Python, 2.7 included, import the checkout under its collection name, with or without Ansible.

Scripts that tests run on a pretended host import this file for that as well, where there is no pytest.
"""

from __future__ import absolute_import, division, print_function

import os
import shutil
import sys
import tempfile
import types

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

PACKAGES = {
    "ansible_collections": os.path.join(ROOT, "collections", "ansible_collections"),
    "ansible_collections.realip": os.path.join(ROOT, "collections", "ansible_collections", "realip"),
    "ansible_collections.realip.toa": ROOT,
}
for room in ("", "module_utils", "plugin_utils", "action", "modules", "filter", "test", "callback"):
    name = ".".join(part for part in ("ansible_collections.realip.toa.plugins", room) if part)
    PACKAGES[name] = os.path.join(ROOT, "plugins", room).rstrip(os.sep)

for name in sorted(PACKAGES):
    module = types.ModuleType(name)
    module.__path__ = [PACKAGES[name]]
    sys.modules[name] = module
    parent, _dot, leaf = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], leaf, module)
sys.path.insert(0, ROOT)

OWN_FOLDER = []


def pytest_cmdline_main(config):
    """Give every session a temporary folder of its own.

    Sessions that share pytest-of-USER take each other's permissions: each new session closes that folder to other accounts,
    and accounts that a test of another session made then cannot reach their keys. A worker of xdist has its folder already.
    """
    if config.option.basetemp is None and not hasattr(config, "workerinput"):
        OWN_FOLDER.append(tempfile.mkdtemp(prefix="toa-tests-"))
        config.option.basetemp = OWN_FOLDER[0]


def pytest_configure(config):
    """No test fails because the machine is busy."""
    try:
        import hypothesis
    except ImportError:  # the oldest Pythons have none, and their tests need none
        return
    # How long one example takes says how busy the machine is, not whether the code is right.
    hypothesis.settings.register_profile("used_machine", deadline=None)
    hypothesis.settings.load_profile("used_machine")


def pytest_sessionfinish(session, exitstatus):
    """A session that passed leaves nothing; one that failed leaves its folder to be looked at."""
    if OWN_FOLDER and not exitstatus:
        shutil.rmtree(OWN_FOLDER[0], ignore_errors=True)
