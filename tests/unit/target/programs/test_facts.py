# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at a host, on folders that look like one. Nothing in here asks the machine the tests run on, but where a test says so."""

from __future__ import absolute_import, division, print_function

import json
import os
import subprocess
import sys

import fake_hosts
import pytest
from ansible_collections.realip.toa.plugins.module_utils.host import io as hostio
from ansible_collections.realip.toa.plugins.module_utils.programs import facts as inspect_host
from fake_hosts import (
    EXECUTABLE,
    FOLDER,
    LINK,
    UBUNTU1604,
)
from look_samples import HOSTS, KERNELS, KEYS, look


@pytest.mark.parametrize("name", sorted(HOSTS))
def test_every_host_gives_every_key_and_nothing_is_unread(tmpdir, name):
    facts = look(tmpdir, name)
    assert set(facts) == KEYS
    assert facts["unread"] == []
    assert facts["uname"] == {"sysname": "Linux", "release": KERNELS[name], "version": "#1 SMP", "machine": "x86_64"}
    json.dumps(facts)


def test_no_command_is_run_and_nothing_is_written(tmpdir, monkeypatch):
    def refuse(*unused, **unused_too):
        raise AssertionError("a look at a host runs no command")

    monkeypatch.setattr(hostio, "run", refuse)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(os, "system", refuse)
    monkeypatch.setattr(os, "fork", refuse)
    root = fake_hosts.build(tmpdir, UBUNTU1604)
    before = tree(root)
    assert inspect_host.main({"check": True, "root": root})["unread"] == []
    assert tree(root) == before


def tree(root):
    found = []
    for folder, folders, files in os.walk(root):
        found.extend(
            (os.path.join(folder, name), os.lstat(os.path.join(folder, name)).st_mtime) for name in folders + files
        )
    return sorted(found)


@pytest.mark.parametrize(
    "name, manager, init, files",
    [
        ("ubuntu1604", "deb", "systemd", ["/etc/debian_version", "/etc/lsb-release", "/etc/os-release"]),
        ("debian8", "deb", "systemd", ["/etc/debian_version", "/etc/os-release"]),
        ("centos7", "rpm", "systemd", ["/etc/centos-release", "/etc/os-release", "/etc/redhat-release"]),
        ("centos6", "rpm", "upstart", ["/etc/centos-release", "/etc/redhat-release", "/etc/system-release"]),
        ("rocky9", "rpm", "systemd", ["/etc/os-release", "/etc/redhat-release"]),
    ],
)
def test_what_it_is(tmpdir, name, manager, init, files):
    facts = look(tmpdir, name)
    assert (facts["package_manager"], facts["init"], sorted(facts["os_files"])) == (manager, init, files)


def test_release_files_are_capped(tmpdir):
    facts = look(tmpdir, "debian8", {"/etc/os-release": "ID=debian\n" + "#" * 10000})
    assert len(facts["os_files"]["/etc/os-release"]) == 4096


@pytest.mark.parametrize(
    "layer, manager",
    [
        ({"/var/lib/rpm/Packages": "db"}, "deb"),  # Debian with the tool rpm
        ({"/var/lib/rpm/Packages": "db", "/etc/os-release": 'ID="centos"\nID_LIKE="rhel fedora"\n'}, "rpm"),
        (
            {
                "/var/lib/rpm/Packages": "db",
                "/etc/os-release": None,
                "/etc/redhat-release": "CentOS release 6.10 (Final)\n",
            },
            "rpm",
        ),
        ({"/var/lib/dpkg/status": ""}, "none"),
        ({"/var/lib/dpkg/status": None, "/usr/lib/sysimage/rpm/rpmdb.sqlite": "db"}, "rpm"),
    ],
)
def test_package_manager(tmpdir, layer, manager):
    assert look(tmpdir, "debian8", layer)["package_manager"] == manager


# -- hostile hosts

ODD = [
    b"",
    b"\0" * 4096,
    b"\xff\xfe\x80" * 500,
    b"{" * 20000,
    b"-" * 70000,
    b"\n" * 5000,
    b"%s %d {0}\n" * 50,
    u"\u202e\u2028\U0001f600".encode("utf-8") * 99,
]


@pytest.mark.parametrize("number", range(len(ODD)))
@pytest.mark.parametrize("name", sorted(HOSTS))
def test_odd_content_costs_nothing_else(tmpdir, name, number):
    """Every file of a host replaced by rubbish: all keys are there, and nothing is left to the option filter of last resort."""
    layer = {}
    for path, content in HOSTS[name].items():
        kept = isinstance(content, tuple) and content[0] in (LINK, FOLDER)
        layer[path] = (
            content
            if kept
            else ((content[0], ODD[number].decode("latin-1")) if isinstance(content, tuple) else ODD[number])
        )
    layer.update(
        {
            "/proc/modules": ODD[number],
            "/proc/net/toa_stats": ODD[number],
            "/etc/modules-load.d/a.conf": ODD[number] + b"\ntoa\n",
            "/etc/sysconfig/modules/a.modules": ODD[number] + b"\nmodprobe toa\n",
            "/etc/rc.local": ODD[number] + b"\nmodprobe toa\n",
            "/etc/yum.conf": ODD[number],
            "/etc/dracut.conf.d/a.conf": ODD[number] + b" toa",
        }
    )
    facts = look(tmpdir, name, layer)
    assert set(facts) == KEYS
    assert facts["unread"] == []
    json.dumps(facts)


def test_folders_in_place_of_files(tmpdir):
    layer = dict((path, (FOLDER, "")) for path, content in UBUNTU1604.items() if not isinstance(content, tuple))
    facts = look(tmpdir, "ubuntu1604", layer)
    assert (set(facts), facts["unread"]) == (KEYS, [])


def test_links_that_turn_in_circles(tmpdir):
    layer = {
        "/etc/rc.local": (LINK, "rc.local"),
        "/boot/grub/grubenv": (LINK, "grubenv"),
        "/etc/os-release": (LINK, "../etc/os-release"),
    }
    assert look(tmpdir, "ubuntu1604", layer)["unread"] == []


STRANGE = u"\u6d4b\u8bd5-\xe9"
CHILD = """
import json, sys
sys.path.insert(0, %r)
import conftest
from ansible_collections.realip.toa.plugins.module_utils.programs import facts as inspect_host
sys.stdout.write(json.dumps(inspect_host.main({"check": False, "root": %r})))
"""


def test_names_that_are_not_ascii_in_the_c_locale(tmpdir):
    """Python 2 and 3.6 take the C locale for ASCII."""
    strange = STRANGE if sys.version_info[0] > 2 else STRANGE.encode("utf-8")
    layer = {
        "/etc/rc.local": (EXECUTABLE, u"#!/bin/sh\ninsmod /root/%s/toa.ko\ninsmod /a\0b/toa.ko\n" % STRANGE),
        "/lib/systemd/system/rc-local.service": "[Service]\nExecStart=/etc/rc.local start\n",
        "/boot/grub/grub.cfg": (u"set default=0\nmenuentry x {\n linux /%s root=x\n}\n" % STRANGE).encode("utf-8"),
    }
    for folder in (
        "/etc/modules-load.d/",
        "/etc/modprobe.d/",
        "/boot/vmlinuz-1.",
        "/etc/sysconfig/modules/",
        "/etc/systemd/system/",
        "/boot/loader/entries/",
        "/etc/systemd/system/x.wants/",
        "/sys/module/toa/parameters/",
        "/etc/dracut.conf.d/",
    ):
        layer[folder + strange] = "toa\n"
        layer[folder + strange + ".conf"] = "toa\n"
    layer["/lib/modules/1." + strange] = (FOLDER, "")
    layer["/proc/modules"] = "toa 1 0 - Live 0x0\n"
    root = fake_hosts.build(tmpdir, UBUNTU1604, layer)
    tests = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    environment = dict(
        (name, value) for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHON"))
    )
    environment.update(LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONDONTWRITEBYTECODE="1")
    child = subprocess.Popen([sys.executable, "-c", CHILD % (tests, root)], env=environment, stdout=subprocess.PIPE)
    facts = json.loads(child.communicate()[0].decode("ascii"))
    assert facts["unread"] == []
    effective = [place["path"] for place in facts["persistence"] if place["effective"]]
    # Python 3.6 shows the bytes of such a name as they are (surrogates).
    assert effective == [(u"/etc/modules-load.d/%s.conf" % STRANGE)] or (
        sys.version_info[:2] == (3, 6) and len(effective) == 1
    )
    assert [place["reason"] for place in facts["persistence"] if place["kind"] == "rc_local"] == [
        u"there is no /root/%s/toa.ko" % STRANGE,
        u"there is no /a\0b/toa.ko",
    ]


def test_an_empty_root(tmpdir):
    facts = inspect_host.main({"check": False, "root": str(tmpdir)})
    assert (set(facts), facts["unread"], facts["package_manager"], facts["init"]) == (KEYS, [], "none", "other")


def test_what_nobody_thought_of_is_named_and_costs_one_section(tmpdir, monkeypatch):
    def broken(*unused):
        raise KeyError("surprise")

    monkeypatch.setattr(inspect_host, "find_places", broken)
    facts = look(tmpdir, "debian8")
    assert facts["persistence"] == []
    assert facts["unread"] == [{"section": "persistence", "problem": "KeyError: 'surprise'"}]
    assert facts["boot"]["loader"] == "grub2"


def test_this_machine():
    """The real thing: whatever the tests run on."""
    facts = inspect_host.main({"check": False})
    assert set(facts) == KEYS
    assert facts["unread"] == []
    assert facts["uname"]["release"] == os.uname()[2]
    json.dumps(facts)


PROOF = {
    "proof": {"backend": "kernel_package", "kernel": "3.16.43.toa", "boot_id": "x", "time": "2026-11-20T10:00:00Z", "brings_kernel": True}
}


def test_drift_from_what_was_proved(tmpdir):
    """Which kernel, since which boot, and whether it came after the proof: read from files alone."""
    state = "/var/lib/realip-toa/state.json"
    assert look(tmpdir.mkdir("new"), "debian8")["drift"] == []
    facts = look(
        tmpdir.mkdir("drifted"), "debian8", {state: json.dumps(PROOF), "/proc/stat": "cpu 1\nbtime 1795230000\n"}
    )
    found = dict((item["code"], item) for item in facts["drift"])
    assert (
        found["kernel_without_toa"]["since"] == "2026-11-21T03:00:00Z"
        and facts["uname"]["release"] in found["kernel_without_toa"]["detail"]
    )
    assert (
        "was installed at" in found["kernel_without_toa"]["detail"]
        and "3.16.43.toa is not installed any more" in found["kernel_without_toa"]["detail"]
    )


def test_an_option_filter_is_known_by_its_record(tmpdir):
    """Whether its rules are loaded is asked of the host's own tools, and in a made-up tree there is nobody to ask."""
    record = {
        "option_filter": {
            "method": "nft",
            "shown": "0123",
            "kinds": [200],
            "trusted_sources": ["10.0.0.0/8"],
            "ports": [80],
        }
    }
    option_filter = look(tmpdir, "debian8", {"/var/lib/realip-toa/state.json": json.dumps(record)})["firewall"][
        "option_filter"
    ]
    assert option_filter == {
        "active": False,
        "method": "nft",
        "kinds": [200],
        "trusted_sources": ["10.0.0.0/8"],
        "ports": [80],
        "at_boot": "",
    }
