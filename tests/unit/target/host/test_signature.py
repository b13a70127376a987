# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has signed modules and kernel images; signatures are cut down to what is read of them. test_source.py has whole ones."""

from __future__ import absolute_import, division, print_function

import struct

import pytest
from ansible_collections.realip.toa.plugins.module_utils.bootloader.image_signature import need_signature
from ansible_collections.realip.toa.plugins.module_utils.host import signature
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.machine import Machine

MAGIC = b"~Module signature appended~\n"
RELEASE = "5.10.0-toa"
# As Debian 12, CentOS 7 and a host with a key of its owner write /proc/keys.
KEYS = """\
0b1c2d3e I------     1 perm 1f030000     0     0 asymmetri Debian Secure Boot CA: 6ccece7e4c6c0d1f6149f3dd27dfcc5cbb419ea1: X509.rsa bb419ea1 []
1b1c2d3e I------     1 perm 1f030000     0     0 asymmetri CentOS Linux kernel signing key: 65aa: ea0413152cde1d98ebdca3fe6f0230904c9ef717: X509.RSA 904c9ef7 []
2b1c2d3e I------     2 perm 1f0b0000     0     0 keyring   .builtin_trusted_keys: 2
"""
NAMES = ["Debian Secure Boot CA", "CentOS Linux kernel signing key: 65aa"]
FIRMWARE = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"


def name_of(text):
    return b"\x30\x0d\x06\x03\x55\x04\x03\x0c" + struct.pack("B", len(text)) + text


def module(text=b"", kind=2, signer=b"", key_id=b""):
    body = text if kind == 2 else signer + key_id + b"signature"
    size = len(text) if kind == 2 else len(b"signature")
    return b"\x7fELF" + body + struct.pack(">BBBBB3xI", 0, 0, kind, len(signer), len(key_id), size) + MAGIC


def image(signed, wide=True):
    head = b"MZ" + b"\0" * 58 + struct.pack("<I", 64) + b"PE\0\0" + b"\0" * 20 + (b"\x0b\x02" if wide else b"\x0b\x01")
    place = 64 + 24 + (144 if wide else 128)
    head += b"\0" * (place - len(head))
    return head + struct.pack("<II", place + 8 if signed else 0, len(signed)) + signed


@pytest.mark.parametrize(
    "content, signers",
    [
        (module(name_of(b"Debian Secure Boot CA")), ["Debian Secure Boot CA"]),
        (module(name_of(b"A") + name_of(b"B") + name_of(b"A")), ["A", "B"]),
        (
            module(kind=1, signer=b"CentOS Linux kernel signing key", key_id=b"\x65\xaa"),
            ["CentOS Linux kernel signing key"],
        ),
        (b"\x7fELF" + name_of(b"in its text, and no signature"), []),
        (MAGIC, []),
        (b"", []),
        (None, []),
        (b"\xff" * 12 + MAGIC, []),
    ],
)
def test_modules(content, signers):
    assert signature.signers_of_module(content) == signers


@pytest.mark.parametrize("wide", [True, False])
def test_images(tmpdir, wide):
    path = tmpdir.join("vmlinuz")
    for data, signers in (
        (image(name_of(b"Me"), wide), ["Me"]),
        (image(b"", wide), []),
        (b"MZ", []),
        (b"\x1f\x8b gz", []),
    ):
        path.write_binary(data)
        assert signature.signers_of_image(str(path)) == signers
    assert signature.signers_of_image(str(tmpdir.join("none"))) == []


def test_keys(tmpdir):
    tmpdir.join("proc", "keys").write(KEYS, ensure=True)
    assert signature.trusted_keys(str(tmpdir)) == NAMES


@pytest.mark.parametrize(
    "signed, keys, on, armed",
    [
        (b"", KEYS, True, False),
        (name_of(b"Somebody"), KEYS, True, False),
        (name_of(b"Debian Secure Boot CA"), KEYS, True, True),
        (name_of(b"Somebody"), "", True, True),
        (b"", KEYS, False, True),
    ],
)
def test_what_shim_would_refuse_is_not_armed(tmpdir, signed, keys, on, armed):
    tmpdir.join("boot", "vmlinuz-" + RELEASE).write_binary(image(signed), ensure=True)
    tmpdir.join("proc", "keys").write(keys, ensure=True)
    tmpdir.join(*FIRMWARE.strip("/").split("/")).write_binary(b"\x06\0\0\0" + (b"\1" if on else b"\0"), ensure=True)
    machine = Machine(str(tmpdir))
    if armed:
        need_signature(machine, RELEASE)
        return
    with pytest.raises(TargetError) as caught:
        need_signature(machine, RELEASE)
    assert caught.value.code == "secure_boot_unsigned" and RELEASE in caught.value.message
