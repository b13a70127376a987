# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What results say of files: a digest, and their text nowhere but in a diff."""

from __future__ import annotations

import hashlib
import types

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.action import ToaAction

SECRET = "mysql -u root -phunter2\n"


class Action(ToaAction):
    SPEC = {}

    def act(self, args, task_vars):
        files = {"/etc/rc.local": {"mode": "0700", "content": SECRET}, "/etc/modules": None, "/x": {"link": "/y"}}
        return {
            "changed": True,
            "before": {"files": files},
            "after": {"files": dict.fromkeys(files)},
            "content": "a word",
        }


@pytest.mark.parametrize("diff", [True, False])
def test_a_result_has_digests_and_a_diff_has_texts(diff, monkeypatch):
    monkeypatch.setattr("ansible.plugins.action.ActionBase.run", lambda *words: {})
    action = Action.__new__(Action)
    action._task = types.SimpleNamespace(check_mode=False, diff=diff)
    monkeypatch.setattr(Action, "options", lambda *words: {})
    result = action.run(None, {})
    found = result["before"]["files"]["/etc/rc.local"]
    assert found == {"mode": "0700", "content": "sha256:" + hashlib.sha256(SECRET.encode()).hexdigest()}
    assert result["before"]["files"]["/x"] == {"link": "/y"} and result["content"] == "a word"
    assert ("hunter2" in str(result)) is diff
    if diff:
        assert "hunter2" in result.pop("diff")["before"] and "hunter2" not in str(result)
