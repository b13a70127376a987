# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command that goes on after a run was paused, stopped or cancelled; and variables of many hosts."""

from __future__ import annotations

import shlex

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.go_on import command
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.host_variables import HostVariables

PAUSED = {"toa_pause_after_canary": "false"}


@pytest.mark.parametrize(
    ("words", "changed", "told"),
    [
        ("/opt/venv/bin/ansible-playbook -i inventory realip.toa.rollout", {}, "ansible-playbook -i inventory realip.toa.rollout"),
        ("ansible-playbook rollout.yml", PAUSED, "ansible-playbook rollout.yml -e toa_pause_after_canary=false"),
        ("ansible-playbook r.yml -e toa_pause_after_canary=true", PAUSED, "ansible-playbook r.yml -e toa_pause_after_canary=false"),
        ("ansible-playbook r.yml --extra-vars=toa_pause_after_canary=true -l web", PAUSED, "ansible-playbook r.yml -l web -e toa_pause_after_canary=false"),
        ("ansible-playbook -e 'toa_pause_after_canary=1 a=1'", PAUSED, "ansible-playbook -e 'toa_pause_after_canary=1 a=1' -e toa_pause_after_canary=false"),
        ("ansible-playbook r.yml -e db_password=hunter2", {}, "ansible-playbook r.yml -e ..."),
        ("ansible-playbook r.yml -e '{\"api_key\": 1}' -e @secrets.yml", {}, "ansible-playbook r.yml -e ... -e @secrets.yml"),
        ("ansible-playbook r.yml -e toa_package_mirror=https://u:p@m/x", {}, "ansible-playbook r.yml -e 'toa_package_mirror=https://***@m/x'"),
        ("ansible-playbook r.yml --limit 'web a'", {}, "ansible-playbook r.yml --limit 'web a'"),
        ("", {}, "ansible-playbook"),
    ],
)  # fmt: skip
def test_the_command(words, changed, told):
    assert command(shlex.split(words), {}, changed) == told


def test_in_awx_it_is_the_job_template():
    found = command(["ansible-playbook", "x"], {"AWX_ISOLATED_DATA_DIR": "/x"}, PAUSED)
    assert found == "launch the job template again with toa_pause_after_canary: false"


class Hostvars(dict):
    """As Ansible's: templates are resolved by what one gets by name, and not by raw_get."""

    asked = 0

    def raw_get(self, host):
        self.asked += 1
        return super().__getitem__(host)

    def __getitem__(self, host):
        return {key: str(value).replace("{{ x }}", "made") for key, value in super().__getitem__(host).items()}


def test_variables_are_read_once_and_only_templates_are_resolved():
    known = Hostvars(web={"toa_domain": "{{ x }}", "toa_waves": [1]})
    reader = HostVariables(known)
    assert reader.value("web", "toa_domain") == "made" and reader.value("web", "toa_waves") == [1]
    assert reader.value("web", "toa_soak") is None and known.asked == 1


def test_what_the_play_brings_counts_for_all_and_what_the_inventory_says_for_its_host():
    reader = HostVariables(
        {"a": {"toa_max_failures": 5}, "b": {}, "c": {"toa_max_failures": 1}}, lambda value, host: f"rack of {host}"
    )
    seen = {"toa_max_failures": 5, "toa_waves": [1, "5%", "25%", "100%"], "toa_soak": "9m", "toa_window": None}
    reader.take_from_the_play("a", {name: (value, value) for name, value in seen.items()})
    assert [reader.value(host, "toa_max_failures") for host in "abc"] == [5, None, 1]
    assert [reader.value(host, "toa_soak") for host in "abc"] == ["9m"] * 3
    assert reader.value("b", "toa_waves") is None and reader.value("a", "toa_window") is None
    reader.take_from_the_play("a", {"toa_max_failures": (2, 2), "toa_domain": ("{{ rack }}", "rack of a")})
    assert [reader.value(host, "toa_max_failures") for host in "abc"] == [2, 2, 2]
    assert [reader.value(host, "toa_domain") for host in "abc"] == ["rack of a", "rack of b", "rack of c"]
