# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of reasons."""

from __future__ import annotations

import re
import string

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.planner import reasons

from tests.unit.controller.planner.cases import ROOT


def test_every_code_that_is_used_is_in_the_table_and_every_one_in_the_table_is_used():
    files = sorted((ROOT / "plugins" / "plugin_utils" / "planner").rglob("*.py"))
    assert len(files) > 3
    text = "".join(path.read_text(encoding="utf-8") for path in files if path.name != "reasons.py")
    used = set(re.findall(r"""(?:reject|block|tell|reason)\(\s*"(\w+)\"""", text))
    used |= set(re.findall(r'"(no_module_package|no_built_kernel|partial|absent)"', text))
    # Given by the channel, before there is anything to plan.
    assert used | {"no_python"} == set(reasons.REASONS)


def test_the_table_is_well_formed():
    for code, kind in reasons.REASONS.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", code)
        assert kind.severity in ("info", "warning", "block")
        words = {
            name
            for text in (kind.message, kind.remedy)
            for _text, name, _spec, _conversion in string.Formatter().parse(text)
            if name
        }
        told = reasons.reason(code, **dict.fromkeys(words, "{x}"))
        assert told["message"] and "\n" not in told["message"] + told["remedy"]
    with pytest.raises(KeyError):
        reasons.reason("never_heard_of")
