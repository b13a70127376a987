# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets any Python, 2.7 included, import the checkout under its collection name, with or without Ansible."""

from __future__ import absolute_import, division, print_function

import os
import sys
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
