# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host demands of code for its kernel, whose keys it trusts, and who has signed a module or a kernel image.

Signatures are read and not verified: that is for the kernel, shim and GRUB to do. Here it is told beforehand what they would refuse.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re
import struct

from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    read_bytes,
    read_line,
    read_text,
)
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import under

_FIRMWARE = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
_SHIM = "605dab50-e046-4300-abb6-3dd810dd8b23"
_MODULE_MAGIC = b"~Module signature appended~\n"
# The attribute commonName and what follows it: UTF8String, PrintableString, TeletexString or BMPString, and its length.
_COMMON_NAME = re.compile(b"\x06\x03\x55\x04\x03[\x0c\x13\x14]([\x01-\x7f])", re.S)
_MOST_KEYS = 64
_LARGEST_IMAGE = 64 << 20


def secure_boot(root="/"):
    """Whether an unsigned kernel is refused: Secure Boot is on, and shim has not been told to let it pass (`mokutil --disable-validation`)."""
    if _variable("SecureBoot", _FIRMWARE, root) != 1:
        return False
    return _variable("MokSBStateRT", _SHIM, root) != 1 and _variable("MokSBState", _SHIM, root) != 1


def _variable(name, guid, root):
    """A variable of one byte: four bytes of attributes and one of value; older kernels give the value alone."""
    for path, size in (("efivars/%s-%s" % (name, guid), 5), ("vars/%s-%s/data" % (name, guid), 1)):
        value = read_bytes(under(root, "/sys/firmware/efi/" + path), 16)
        if value is not None and len(value) >= size:
            return ord(value[size - 1 : size])
    return None


def lockdown(root="/"):
    match = re.search(r"\[(\w+)\]", read_text(under(root, "/sys/kernel/security/lockdown"), 256) or "")
    return match.group(1) if match else ""


def sig_enforce(root="/"):
    return read_line(under(root, "/sys/module/module/parameters/sig_enforce")) in ("Y", "1")


def modules_disabled(root="/"):
    """No module is loaded until the next boot."""
    return read_line(under(root, "/proc/sys/kernel/modules_disabled")) == "1"


def trusted_keys(root="/"):
    """Names of the keys in the kernel's keyrings (its own, the firmware's, the machine owner's) as /proc/keys describes them."""
    names = []
    for line in (read_text(under(root, "/proc/keys"), 1 << 20) or "").split("\n"):
        match = re.search(r"\sasymmetri\S*\s+(.+?): [0-9a-f]{8,}: X509\.", line)
        if match and match.group(1) not in names:
            names.append(match.group(1)[:200])
    return names[:_MOST_KEYS]


def signers_of_module(content):
    """Who has signed a module's file (unpacked): [] where nobody has."""
    end = len(content or b"") - len(_MODULE_MAGIC)
    if end < 12 or not content.endswith(_MODULE_MAGIC):
        return []
    _algo, _hash, kind, signer, key_id, size = struct.unpack(">BBBBB3xI", content[end - 12 : end])
    if kind == 1:
        # Before Linux 4.3: name and key id stand in front of the signature.
        start = end - 12 - size - key_id - signer
        return [content[start : start + signer].decode("utf-8", "replace")] if start >= 0 else []
    return _common_names(content[max(0, end - 12 - size) : end - 12])


def signers_of_image(path):
    """Who has signed a kernel image, as EFI programs are: [] where nobody has, or where the file is no such program."""
    data = read_bytes(path, _LARGEST_IMAGE) or b""
    if data[:2] != b"MZ" or len(data) < 0x40:
        return []
    try:
        header = struct.unpack("<I", data[0x3C:0x40])[0]
        wide = data[header + 24 : header + 26] == b"\x0b\x02"
        offset, size = struct.unpack("<II", data[header + 24 + (144 if wide else 128) :][:8])
    except struct.error:
        return []
    return _common_names(data[offset : offset + size]) if offset and size else []


def _common_names(der):
    found = []
    for match in _COMMON_NAME.finditer(der):
        length = ord(match.group(1))
        name = der[match.end() : match.end() + length].decode("utf-8", "replace")
        if name not in found:
            found.append(name)
    return found[:_MOST_KEYS]
