# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to hosts out of ssh's own files, asked of the real ssh."""

from __future__ import annotations

from ansible_collections.realip.toa.plugins.plugin_utils.channel import ssh_config
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.machines import levels


def test_what_ssh_says_of_its_files(tmp_path):
    config = tmp_path / "config"
    config.write_text(
        "Host bastion web9\n  ProxyJump none\nHost web*\n  ProxyJump ops@bastion:2222\nHost old\n  ProxyCommand nc -x gate:1080 %h %p\n"
    )
    found = ssh_config.ways(
        ["web1", "web9", "old", "bastion", "db", "-oProxyCommand=x", ""], [config], ["-F", str(config)]
    )
    assert set(found) == {"web1", "old"}
    names = {name: [name] for name in ("web1", "old", "bastion", "gate")}
    assert levels(names, {name: [way] for name, way in found.items()}) == {"bastion": 1, "gate": 1}


def test_where_no_file_speaks_of_a_way_nobody_is_asked(tmp_path, monkeypatch):
    def refuse(*words, **more):
        raise AssertionError("ssh was asked")

    monkeypatch.setattr(ssh_config.subprocess, "run", refuse)
    config = tmp_path / "config"
    config.write_text("Host *\n  User ops\n  # ProxyJump bastion\nInclude more/*.conf\n")
    assert ssh_config.ways(["web1"], [config, tmp_path / "none"]) == {}


def test_files_that_are_taken_in_speak_too(tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.conf").write_text("Host web1\n  proxyjump=bastion\n")
    config = tmp_path / "config"
    config.write_text(f"Include {tmp_path}/more/*.conf\nInclude {config}\n")
    (tmp_path / "relative").write_text("Include more/*.conf\n")
    assert set(ssh_config.ways(["web1"], [config], ["-F", str(tmp_path / "more" / "a.conf")])) == {"web1"}
    assert set(ssh_config.ways(["web1"], [tmp_path / "relative"], ["-F", str(tmp_path / "more" / "a.conf")])) == {
        "web1"
    }
