# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the maps of the eBPF backend hold, byte for byte; the loader and its settings as text; where bpftool comes from."""

from __future__ import absolute_import, division, print_function

import os
import re
import struct
import subprocess

import pytest
from ansible_collections.realip.toa.plugins.module_utils.bpf import loader as ebpf_loader
from ansible_collections.realip.toa.plugins.module_utils.bpf import maps as ebpf_maps
from ansible_collections.realip.toa.plugins.module_utils.bpf import settings as ebpf_settings
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.packaging import bpftool as ebpf_tool
from ansible_collections.realip.toa.plugins.module_utils.packaging import repository
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import KNOWN_FORMATS


LIST = {"trusted_sources": [], "ports": [], "getsockopt_nat64": False}


def settings(option_kinds, **more):
    return ebpf_settings.settings_of(dict(more, option_kinds=option_kinds))


def test_settings():
    wanted = settings(
        ["200/8", "254/20", "254/8", "28/7", "28/19"],
        packets=["data", "ack"],
        place="end",
        trusted_sources=["::1/128", "10.0.0.0/8", "10.0.0.0/8"],
        ports=[443, 80, 80],
    )
    value = ebpf_settings.config_value(wanted)
    assert len(value) == 6 * 8 + 256 * 8 == ebpf_maps.CONFIG_SIZE
    assert struct.unpack("<6Q", value[:48]) == (1, 6, 2, 1, 1, 0)
    lengths = struct.unpack("<256Q", value[48:])
    assert [(kind, lengths[kind]) for kind in (28, 200, 253, 254)] == [
        (28, 1 << 7 | 1 << 19),
        (200, 1 << 8),
        (253, 0),
        (254, 1 << 8 | 1 << 20),
    ]
    assert ebpf_maps.checks_of(value) == (True, True)
    assert wanted == {
        "option_kinds": ["28/7", "28/19", "200/8", "254/8", "254/20"],
        "packets": ["ack", "data"],
        "place": "end",
        "trusted_sources": ["10.0.0.0/8", "::1/128"],
        "ports": [80, 443],
        "getsockopt_nat64": False,
    }


def test_nothing_is_read_but_what_is_known_of_every_load_balancer():
    assert dict(settings(["200/8"]), option_kinds=[]) == dict(LIST, packets=["ack"], place="unknown", option_kinds=[])


def test_settings_that_are_not_active_read_nothing():
    nothing = ebpf_maps.read_config(b"\0" * ebpf_maps.CONFIG_SIZE)
    assert nothing == {"option_kinds": [], "packets": [], "place": "unknown", "getsockopt_nat64": False}


def test_formats_have_one_order():
    everything = settings(list(KNOWN_FORMATS) * 2 + ["249/40"])
    assert everything["option_kinds"] == [
        "28/7",
        "28/19",
        "200/8",
        "249/40",
        "253/8",
        "253/20",
        "254/8",
        "254/20",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"packets": ["fin"]},
        {"place": "middle"},
        {"ports": [0]},
        {"ports": [65536]},
        {"ports": range(1, 1026)},
        {"trusted_sources": ["10.0.0.0"]},
        {"trusted_sources": ["10.%d.%d.0/24" % (number >> 8, number & 255) for number in range(4097)]},
    ],
)
def test_what_cannot_be_set(wrong):
    with pytest.raises(ValueError):
        settings(["200/8"], **wrong)


@pytest.mark.parametrize(
    "text, key",
    [
        ("10.0.0.0/8", b"\x28\0\0\0\x04\0\0\0\x0a\0\0\0" + b"\0" * 12),
        ("0.0.0.0/0", b"\x20\0\0\0\x04\0\0\0" + b"\0" * 16),
        ("192.0.2.7/32", b"\x40\0\0\0\x04\0\0\0\xc0\0\x02\x07" + b"\0" * 12),
        ("::/0", b"\x20\0\0\0\x06\0\0\0" + b"\0" * 16),
        ("2001:db8::/32", b"\x40\0\0\0\x06\0\0\0\x20\x01\x0d\xb8" + b"\0" * 12),
        ("2001:db8::7/128", b"\xa0\0\0\0\x06\0\0\0\x20\x01\x0d\xb8" + b"\0" * 11 + b"\x07"),
    ],
)
def test_networks(text, key):
    assert ebpf_settings.network_key(text) == key
    assert ebpf_maps.read_network(key) == text


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.0",
        "10.0.0.0/33",
        "10.0.0/8",
        "2001:db8::/129",
        "/8",
        "",
        "10.0.0.0/-1",
        "x/8",
        "10.0.0.0/8/8",
        "10.0.0.0/ 8",
    ],
)
def test_what_is_no_network(text):
    with pytest.raises(ValueError):
        ebpf_settings.network_key(text)


def test_a_list_is_complete_before_it_counts():
    wanted = settings(["200/8"], trusted_sources=["10.0.0.0/8", "::1/128"], ports=[443])
    lines = ebpf_settings.fill_text(wanted, "/sys/fs/bpf/x").splitlines()
    assert [line.split()[3].rsplit("/", 1)[1] for line in lines] == [
        "realip_trusted",
        "realip_trusted",
        "realip_ports",
        "realip_config",
    ]
    assert all(line.startswith("map update pinned /sys/fs/bpf/x/realip_") for line in lines)
    assert "key hex 28 00 00 00 04 00 00 00 0a 00 " in lines[0] and lines[0].endswith(" value hex 01 00 00 00")
    assert "key hex bb 01 00 00 value" in lines[2]
    assert " value hex 01 00 00 00 00 00 00 00 02 00 " in lines[3]
    assert all(len(line.split()) < 4096 for line in lines), "bpftool takes no more words in a line"


def test_every_setting_makes_another_generation():
    one = settings(["200/8"])
    others = [
        settings(["200/8"], **more)
        for more in (
            {"packets": ["syn"]},
            {"place": "front"},
            {"ports": [80]},
            {"trusted_sources": ["10.0.0.0/8"]},
            {"getsockopt_nat64": True},
        )
    ]
    names = [
        ebpf_settings.generation_of("0123456789ab", each)
        for each in [one, settings(["254/8"]), dict(one, again=True)] + others
    ]
    names.append(ebpf_settings.generation_of("ab0123456789", one))
    assert len(set(names)) == len(names) == 9 and all(re.match("[0-9a-f]{12}-[0-9a-f]{12}$", name) for name in names)


def test_what_is_needed_of_the_programs():
    assert ebpf_maps.NEEDED == set(("realip_peer4", "realip_peer6", "realip_sockops"))
    assert [hook for name, hook in ebpf_maps.PROGRAMS][-1] == "sock_ops", (
        "what finds addresses is attached after what shows them"
    )
    assert all(len(name) < 16 for name, hook in ebpf_maps.PROGRAMS), "the kernel keeps 15 characters"


def test_the_loader_knows_every_program_and_its_hook():
    for name, hook in ebpf_maps.PROGRAMS:
        assert "\n    %s) echo %s ;;\n" % (name, hook) in ebpf_loader.SCRIPT_TEXT


@pytest.mark.parametrize("shell", [["dash"], ["bash"], ["busybox", "sh"]])
def test_the_loader_is_posix_sh(shell, tmpdir):
    script = tmpdir.join("loader.sh")
    script.write(ebpf_loader.SCRIPT_TEXT)
    assert subprocess.call(shell + ["-n", str(script)]) == 0
    assert subprocess.call(shell + [str(script)], stderr=open(os.devnull, "w")) == 2


def test_the_loader_passes_shellcheck(tmpdir):
    script = tmpdir.join("loader.sh")
    script.write(ebpf_loader.SCRIPT_TEXT)
    child = subprocess.Popen(["shellcheck", str(script)], stdout=subprocess.PIPE)
    assert child.communicate()[0].decode() == "" and child.returncode == 0


def test_settings_are_shell_assignments():
    text = ebpf_settings.settings_text("0123456789ab-0123456789ab", "/sys/fs/cgroup/web.slice", False, True)
    assert (
        text
        == "generation=0123456789ab-0123456789ab\ncgroup=/sys/fs/cgroup/web.slice\ngetsockopt=0\naccept_conflicts=1\n"
    )


@pytest.mark.parametrize(
    "told, packages",
    [
        ('ID=debian\nVERSION_ID="12"\n', ["bpftool"]),
        ('ID=ubuntu\nVERSION_ID="22.04"\n', ["linux-tools-common", "linux-tools-" + os.uname()[2]]),
        ('ID=ubuntu\nVERSION_ID="24.04"\n', ["linux-tools-common", "linux-tools-" + os.uname()[2]]),
        ('ID=ubuntu\nVERSION_ID="24.10"\n', ["bpftool"]),
        ('ID="rocky"\nVERSION_ID="9.5"\n', ["bpftool"]),
        (None, ["bpftool"]),
    ],
)
def test_where_bpftool_comes_from(monkeypatch, told, packages):
    monkeypatch.setattr(ebpf_tool, "read_text", lambda path, limit: told)
    assert ebpf_tool.packages() == packages


@pytest.mark.parametrize(
    "answer, code",
    [
        ((0, "bpftool v5.10.223\n", ""), None),
        ((0, "bpftool v7.5.0\nusing libbpf v1.5\n", ""), None),
        ((0, "bpftool v6.8.12\n", ""), None),
        ((0, "bpftool v5.9.0\n", ""), "bpftool_too_old"),
        ((0, "bpftool v4.18.0\n", ""), "bpftool_too_old"),
        ((2, "", "WARNING: bpftool not found for kernel 6.8.0-31\n"), "bpftool_missing"),
        ((0, "", ""), "bpftool_missing"),
        ((127, "", "no such file"), "bpftool_missing"),
    ],
)
def test_which_bpftool_will_do(monkeypatch, answer, code):
    monkeypatch.setattr(ebpf_tool, "which", lambda name: "/usr/sbin/bpftool")
    monkeypatch.setattr(ebpf_tool, "run", lambda argv, timeout: answer)
    assert (ebpf_tool.problem() or (None,))[0] == code
    if code:
        with pytest.raises(TargetError) as refusal:
            ebpf_tool.require()
        assert refusal.value.code == code and "bpftool" in refusal.value.remedy


def test_no_package_manager(monkeypatch):
    monkeypatch.setattr(repository, "which", lambda name: None)
    with pytest.raises(TargetError) as refusal:
        ebpf_tool.install()
    assert refusal.value.code == "bpftool_missing"
