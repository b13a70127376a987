# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that reads what a host holds, given damaged and made-up input on every Python: no traceback, no hang, an answer of bounded size.

The generator is our own, with a fixed seed for each case, because hypothesis does not run on the Pythons of hosts;
tests/unit/controller/test_target_fuzz.py does more of this where it does.
"""

from __future__ import absolute_import, division, print_function

import json
import os
import random
import struct
import time

import pytest
from ansible_collections.realip.toa.plugins.module_utils import runner
from ansible_collections.realip.toa.plugins.module_utils.bootloader import detect as boot_loader
from ansible_collections.realip.toa.plugins.module_utils.bootloader import bls, environment, grub_script, legacy_menu, menu
from ansible_collections.realip.toa.plugins.module_utils.bpf import settings as ebpf_settings
from ansible_collections.realip.toa.plugins.module_utils.host import originals
from ansible_collections.realip.toa.plugins.module_utils.host import state, toa_modules
from ansible_collections.realip.toa.plugins.module_utils.monitoring import drift
from ansible_collections.realip.toa.plugins.module_utils.monitoring import files as monitor_files
from ansible_collections.realip.toa.plugins.module_utils.option_filter import state as option_filter_state
from ansible_collections.realip.toa.plugins.module_utils.option_filter import networks as option_filter_networks
from ansible_collections.realip.toa.plugins.module_utils.packaging import download as fetch
from ansible_collections.realip.toa.plugins.module_utils.packaging import brought, dpkg, rpm, rpm_repository, rpm_hold
from ansible_collections.realip.toa.plugins.module_utils.programs import facts as inspect_host
from ansible_collections.realip.toa.plugins.module_utils.programs import service
from ansible_collections.realip.toa.plugins.module_utils.startup.shell_script import script_loads
from ansible_collections.realip.toa.plugins.module_utils.testbench import packets as tcp_packets

ROUNDS = 120
# Seconds of CPU for all rounds of one parser; each takes a few milliseconds.
TIME_LIMIT = 20

GRUB = (
    'set default="0"\nif [ "${next_entry}" ] ; then\n set default="${next_entry}"\nfi\n'
    "menuentry 'Debian' --id gnulinux {\n linux /vmlinuz-4.4.87.toa root=x\n}\n"
)
MENU = "default=0\ntimeout=5\ntitle CentOS (2.6.32-754)\n\troot (hd0,0)\n\tkernel /vmlinuz-2.6.32-754.el6.x86_64 ro\n"
SCRIPT = "#!/bin/sh -e\nif [ -x /x ]; then\n modprobe toa || true\nfi\ncat <<EOF\ntoa\nEOF\n(insmod /lib/modules/`uname -r`/toa.ko)\nexit 0\n"
STATUS = "Package: linux-image-4.4.87.toa\nStatus: hold ok installed\nVersion: 1.0\n\nPackage: x\nStatus: install ok installed\n\n"
RECORD = json.dumps({"schema": 1, "boot": {"state": "armed", "kernel": "4.4.87.toa", "old": "4.4.0"},
                     "proof": {"backend": "ebpf", "kernel": "4.4", "time": "x"},
                     "packages": {"installed": {"x": {"file": "x.deb", "release": "4.4"}}, "held": ["x"]},
                     "option_filter": {"method": "nft", "shown": "0123", "files": {"/etc/x": {"original": None, "written": "nothing"}}, "made": ["/etc"]},
                     "ebpf": {"cgroup": "/sys/fs/cgroup"}})  # fmt: skip
UNIT = "[Unit]\nDescription=vtoa\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/sbin/modprobe vtoa\n"
STATS = "                                  CPU0       CPU1\nsyn_recv_sock_toa                :       12         13\n"
# A file that is read on hosts, and how it looks when it is well.
HEALTHY = {
    "/etc/os-release": "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian\"\n", "/etc/redhat-release": "CentOS release 6.10 (Final)\n",
    "/boot/grub/grub.cfg": GRUB, "/boot/grub/grubenv": environment.ENV_HEADER + "next_entry=gnulinux\n" + "#" * 900, "/boot/grub/menu.lst": MENU,
    "/boot/grub/default": "0\n#\n#\n", "/boot/loader/entries/a.conf": "title A\nversion 5.10\nlinux /vmlinuz-5.10\nid a\n",
    "/etc/default/grub": "GRUB_DEFAULT=saved\nGRUB_CMDLINE_LINUX=\"quiet\"\n", "/etc/rc.local": SCRIPT, "/etc/modules": "toa\nvtoa # x\n",
    "/proc/modules": "toa 16384 1 - Live 0x0000000000000000 (OE)\nvtoa 4096 0 - Live 0x0\n", "/proc/net/toa_stats": STATS, "/proc/net/vtoa_stats": STATS,
    "/proc/mounts": "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n/dev/sda1 / ext4 rw 0 0\n", "/proc/stat": "cpu 1 2\nbtime 1763000000\n",
    "/proc/self/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n", "/proc/1/stat": "1 (systemd) S 0\n", "/proc/1/environ": "container=lxc\0",
    "/var/lib/dpkg/status": STATUS, "/etc/yum.conf": "[main]\nexclude=kernel* x\n", "/etc/systemd/system/vtoa.service": UNIT,
    "/etc/sysconfig/modules/toa.modules": SCRIPT, "/lib/modules/5.10/modules.dep": "kernel/net/toa/toa.ko: kernel/x.ko\n", "/boot/vmlinuz-5.10": "x",
    "/etc/modprobe.d/x.conf": "blacklist toa\ninstall toa /bin/true\n", "/sys/kernel/security/lockdown": "none [integrity] confidentiality\n",
    "/var/lib/realip-toa/state.json": RECORD, "/var/lib/realip-toa/monitor/seen.json": "{\"hold_gone\": 5}",
    "/etc/yum/pluginconf.d/versionlock.list": "0:kernel-3.10.0-693.el7.*\n", "/etc/modules-load.d/toa.conf": "toa\n",
}  # fmt: skip


def damaged(text, chance):
    """A text as a disk, a person or an enemy may leave it, as bytes."""
    data = bytearray(text.encode("utf-8"))
    for _time in range(chance.randint(1, 4)):
        way = chance.randint(0, 7)
        place = chance.randint(0, max(0, len(data) - 1))
        if way == 0:
            del data[place:]
        elif way == 1:
            data[place:place] = bytearray(chance.randint(0, 255) for _byte in range(chance.randint(1, 9)))
        elif way == 2 and data:
            data[place] = chance.randint(0, 255)
        elif way == 3:
            data[place:place] = bytearray(
                chance.choice(
                    [b"\0", b"\xff\xfe", b"\r", b"'", b'"', b"`", b"{{ x }}", b"$(", b"\\\n", b"}\n", b"\xe2\x80\x9c"]
                )
            )
        elif way == 4:
            data[place:place] = data[:200] * chance.randint(1, 20)
        elif way == 5:
            lines = bytes(data).split(b"\n")
            chance.shuffle(lines)
            data = bytearray(b"\n".join(lines))
        elif way == 6:
            data[place:place] = bytearray(
                chance.choice(
                    [b"9" * 400, b"-1", b"1e999", b"[" * 3000, b"{" * 3000, b"if " * 500, b" " * 3000, b"a" * 70000]
                )
            )
        else:
            data = bytearray(bytes(data).replace(b"=", chance.choice([b"", b"==", b" = ", b"\n"])))
    return bytes(data)


def texts(sample, name):
    """ROUNDS damaged texts, always the same ones."""
    chance = random.Random(name)
    for _round in range(ROUNDS):
        yield damaged(sample, chance).decode("utf-8", "replace")


def forge(chance, depth=0):
    """Any JSON value."""
    way = chance.randint(0, 8 if depth < 4 else 5)
    if way < 6:
        return [
            None,
            True,
            chance.randint(-(9**30), 9**30),
            chance.random() * 1e300,
            u"\u201c{{ x }}\0" * chance.randint(0, 50),
            "",
        ][way]
    if way == 6:
        return [forge(chance, depth + 1) for _item in range(chance.randint(0, 5))]
    return dict(
        (
            chance.choice(["files", "made", "removed", "installed", "held", "kernel", "state", "x", "method"]),
            forge(chance, depth + 1),
        )
        for _item in range(chance.randint(0, 6))
    )


LISTING = "table inet realip_toa {\n\tchain option_filter {\n\t\treset tcp option 200\n\t}\n}\n"
# What reads text, and a text as it should be.
READERS = {
    "boot_order": (GRUB, lambda text: grub_script.boot_order(text, {"next_entry": text[:9]})),
    "grubenv": (HEALTHY["/boot/grub/grubenv"], environment.parse_grubenv),
    "menu_lst": (MENU, legacy_menu.parse_menu_lst),
    "bls": (HEALTHY["/boot/loader/entries/a.conf"], lambda text: bls.parse_bls_entry(text, "a")),
    "defaults": (HEALTHY["/etc/default/grub"], environment.parse_assignments),
    "release_of_image": ("vmlinuz-4.4.87.toa", menu.release_of_image),
    "scripts": (SCRIPT, script_loads),
    "statistics": (STATS, toa_modules.parse_counters),
    "module_of_file": ("/lib/modules/5.10/extra/tcp-toa.ko.xz", toa_modules.module_of_file),
    "network": ("2001:db8::/32", lambda text: _refused(ebpf_settings.network_key, text, ValueError)),
    "format": ("200/8", lambda text: _refused(tcp_packets.parse_format, text, Exception)),
    "listing": (LISTING, option_filter_state.digest_of_listing),
    "rpm_refusal": (
        "\tfile /boot/x from install of a conflicts with file from package b\nerror: x is needed by y\n",
        lambda text: rpm.refusal(text, "x").message,
    ),
    "rpm_complaints": ("error: x\nwarning: y\n", rpm.complaints),
    "dpkg_tail": ("dpkg: error\n", dpkg.tail),
    "version_in_name": (
        "kernel-3.10.0-693.el7.x86_64.rpm",
        lambda text: [manager().version_in_name(text) for manager in (rpm.Rpm, dpkg.Dpkg)],
    ),
    "public_url": ("http://u:p@host/x?q", fetch.public_url),
    "times": ("2026-11-22T04:25:00Z", drift.seconds_of),
}


def _refused(reader, text, error):
    """What may be refused, but only in this way."""
    try:
        reader(text)
    except error as problem:
        return "%s" % (problem,)
    return None


@pytest.mark.parametrize("name", sorted(READERS))
def test_texts(name):
    sample, reader = READERS[name]
    began = time.time()
    for text in texts(sample, name):
        found = reader(text)
        if not isinstance(found, (type(None), bytes)):
            assert len(json.dumps(runner.plain(found))) < 200000 + 20 * len(text)
    assert time.time() - began < TIME_LIMIT


def test_hosts(tmpdir):
    """Every file of a host at once: no section is given up, and the answer is JSON of bounded size."""
    began = time.time()
    for number in range(25):
        chance = random.Random(number)
        for path, sample in HEALTHY.items():
            file = str(tmpdir) + path
            if not os.path.isdir(os.path.dirname(file)):
                os.makedirs(os.path.dirname(file))
            with open(file, "wb") as handle:
                handle.write(sample.encode("utf-8") if chance.random() < 0.4 else damaged(sample, chance))
        facts = inspect_host.main(
            {"check": False, "root": str(tmpdir), "uname": ("Linux", "h", "5.10", "#1", "x86_64")}
        )
        assert facts["unread"] == [], number
        assert len(json.dumps(runner.plain(facts))) < runner_limit()
        boot_loader.look(str(tmpdir))
    assert time.time() - began < TIME_LIMIT


def runner_limit():
    """Bytes of an answer; the controller takes no more (plugin_utils/channel/bundle.py)."""
    return 4 << 20


def test_records(tmpdir):
    """state.json with every section of any shape: what its owners make of it is a record, never a traceback."""
    path = str(tmpdir.mkdir("var").mkdir("lib").mkdir("realip-toa").join("state.json"))
    chance = random.Random("records")
    for _round in range(ROUNDS):
        sections = dict(
            (name, forge(chance))
            for name in ("boot", "packages", "persistence", "ebpf", "option_filter", "monitor", "proof", "source")
        )
        with open(path, "w") as handle:
            json.dump(sections, handle)
        for name in sections:
            record = state.section(name, path)
            kept = originals.Originals(record, str(tmpdir))
            assert kept.restorable()[0] == {} and isinstance(kept.record(), dict)
            option_filter_state.filter_of(sections[name], [], "")
        assert isinstance(brought.record_of(path), dict)
        drift.proof_of(sections)
        facts = inspect_host.main(
            {"check": False, "root": str(tmpdir), "uname": ("Linux", "h", "5.10", "#1", "x86_64")}
        )
        assert facts["unread"] == []
    for rubbish in ("", "[]", "{", "[" * 100000, "\0" * 9, json.dumps({"boot": "x" * 100000})):
        with open(path, "w") as handle:
            handle.write(rubbish)
        assert isinstance(state.load(path), dict) and isinstance(state.section("boot", path), dict)
        assert isinstance(monitor_files.seen_drift(path), dict)


def test_databases_of_packages(monkeypatch):
    """What dpkg-query, rpm and systemctl print."""
    said = {}
    for module in (dpkg, rpm, service):
        monkeypatch.setattr(module, "run", lambda argv, *more, **named: (0, said["text"], ""))
    samples = {
        "linux-image\thold ok installed\t1.0\tamd64\n": lambda: [dpkg.Dpkg().inventory(), dpkg.Dpkg().files_of("x"), dpkg.Dpkg().owners("/x")],
        "kernel\t3.10.0-693.el7\tx86_64\n": lambda: [rpm.Rpm().inventory(), rpm.Rpm().files_of("x"), rpm.Rpm().owners("/x"), rpm.Rpm().signature("/x"),
                                                    rpm_repository.RpmRepository().inventory()],
    }  # fmt: skip
    for sample, ask in sorted(samples.items()):
        for text in texts(sample * 5, sample):
            said["text"] = text
            json.dumps(runner.plain(ask()))


def test_exclude_lines(tmpdir):
    """yum.conf with a marker of ours that somebody has damaged: holding and letting go leave a file that says no more than before."""
    sample = (
        "[main]\n# realip.toa: kept through updates: kernel; the line was: exclude=x\nexclude=x kernel\ngpgcheck=1\n"
    )
    path = tmpdir.mkdir("etc").join("yum.conf")
    chance = random.Random("exclude")
    for _round in range(ROUNDS // 3):
        path.write_binary(damaged(sample, chance))
        holds = rpm_hold.Holds(str(tmpdir))
        holds.held()("kernel")
        holds.change(["kernel"], True)
        assert rpm_hold.Holds(str(tmpdir)).held()("kernel")
        holds.change(["kernel"], False)
        assert not rpm_hold.Holds(str(tmpdir)).held()("kernel")


def test_packets():
    """Bytes from a wire, and what a kernel's module gives for an address."""
    chance = random.Random("packets")
    flow = {
        4: tcp_packets.Flow(4, "192.0.2.2", 20001, "192.0.2.1", 80),
        6: tcp_packets.Flow(6, "2001:db8::2", 20001, "2001:db8::1", 80),
    }
    for _round in range(ROUNDS * 5):
        family = chance.choice([4, 6])
        packet = bytearray(flow[family].segment(tcp_packets.SYN, 1, options=b"\x02\x04\x04\xc4"))
        for _byte in range(chance.randint(0, 6)):
            packet[chance.randint(0, len(packet) - 1)] = chance.randint(0, 255)
        cut = bytes(packet[: chance.randint(0, len(packet))])
        assert flow[family].answered_by(cut) is None or len(cut) >= 40
        tcp_packets.read_sockaddr(cut)
        tcp_packets.read_sockaddr(struct.pack("=H", chance.choice([2, 10])) + cut)
    for network in ("0.0.0.0/0", "10.0.0.0/31", "255.255.255.255/32", "::/0", "ff00::/8", "2001:db8::/127", "::1/128"):
        assert option_filter_networks.inside(network) is None or option_filter_networks.is_in(
            option_filter_networks.inside(network), network
        )
