# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""SELinux: what a host says of it, and labels after a rename. Denials are as Debian 12, CentOS 7 and CentOS 6 write them."""

from __future__ import absolute_import, division, print_function

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host import writing
from ansible_collections.realip.toa.plugins.module_utils.host import selinux

LOG = """type=AVC msg=audit(1763000000.123:99): avc:  denied  { read } for  pid=812 comm="nft" name="rules.nft" dev="vda1" ino=3 \
scontext=system_u:system_r:iptables_t:s0 tcontext=system_u:object_r:var_lib_t:s0 tclass=file permissive=0
type=AVC msg=audit(1763000000.124:99): avc:  denied  { read } for  pid=813 comm="nft" name="rules.nft" dev="vda1" ino=3 \
scontext=system_u:system_r:iptables_t:s0 tcontext=system_u:object_r:var_lib_t:s0 tclass=file permissive=0
type=AVC msg=audit(1763000000.125:99): avc:  denied  { read } for  pid=1 comm="other" name="x" dev="vda1" ino=4 \
scontext=a:b:c_t:s0 tcontext=a:object_r:d_t:s0 tclass=file
audit: type=1400 audit(17.1:4): avc:  denied  { search dac_override } for  pid=9 comm="iptables-restor" path="/var/lib/realip-toa" \
scontext=system_u:system_r:iptables_t:s0-s0:c0.c1023 tcontext=system_u:object_r:var_lib_t:s0 tclass=dir
"""


def test_denials_name_domain_and_label_once():
    assert selinux.told(LOG, ("nft", "realip-toa")) == [
        "SELinux does not let domain iptables_t (nft) read the file rules.nft labelled var_lib_t",
        "SELinux does not let domain iptables_t (iptables-restor) search and dac_override the dir /var/lib/realip-toa labelled var_lib_t",
    ]
    assert selinux.told(LOG, ("bpftool",)) == selinux.told("", ("nft",)) == []


@pytest.mark.parametrize(
    "files, mode, domain, confined",
    [
        ({}, "", "", False),
        ({"sys/fs/selinux/enforce": "1", "proc/self/attr/current": "u:sysadm_r:sysadm_t:s0\0"}, "enforcing", "sysadm_t", True),
        ({"sys/fs/selinux/enforce": "0", "proc/self/attr/current": "u:sysadm_r:sysadm_t:s0"}, "permissive", "sysadm_t", False),
        ({"selinux/enforce": "1", "proc/self/attr/current": "u:r:unconfined_t:s0-s0:c0.c9\n"}, "enforcing", "unconfined_t", False),
        ({"sys/fs/selinux/enforce": "1", "proc/self/attr/current": "unconfined\n"}, "enforcing", "", False),
    ],
)  # fmt: skip
def test_who_we_are(tmpdir, files, mode, domain, confined):
    for name, text in files.items():
        tmpdir.join(*name.split("/")).write(text, ensure=True)
    root = str(tmpdir)
    assert (selinux.mode(root), selinux.domain(root), selinux.is_confined(root)) == (mode, domain, confined)


@pytest.mark.parametrize("confined", [True, False])
def test_a_confined_administrator_is_told_by_name(monkeypatch, confined):
    monkeypatch.setattr(selinux, "mode", lambda root="": "enforcing")
    monkeypatch.setattr(selinux, "domain", lambda root="": "sysadm_t" if confined else "unconfined_t")
    said = selinux.confinement()
    assert ("sysadm_t" in said and "unconfined_t" in said and "sudo" in said) if confined else said == ""


@pytest.mark.parametrize("there", [True, False])
def test_what_is_renamed_into_its_place_gets_the_label_of_the_place(tmpdir, monkeypatch, there):
    """/etc/default/grub ended as etc_t."""
    ran = []
    if there:
        tmpdir.join("selinux", "enforce").write("1", ensure=True)
    monkeypatch.setattr(writing, "SELINUX_FOLDERS", (str(tmpdir.join("selinux")),))
    monkeypatch.setattr(writing, "which", lambda name: "/sbin/" + name)
    monkeypatch.setattr(writing, "run", lambda argv, **unused: ran.append((argv, tmpdir.join("grub").read())))
    writing.write_atomic(str(tmpdir.join("grub")), "new")
    assert ran == ([(["restorecon", str(tmpdir.join("grub"))], "new")] if there else [])
