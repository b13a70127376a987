# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a UEFI machine's firmware remembers: the keys of Debian's package ovmf, Microsoft's among them, and the lab's own as a machine owner's.

The owner's key (MOK) is what the signed shim accepts beside its vendor's. An operator enrols one with mokutil and at the console, on the next
start; shim then writes the variable that is written here.
"""

from __future__ import annotations

import struct
import subprocess
import tempfile
import uuid
from pathlib import Path

from lab import qemu
from lab.paths import cache_dir, locked
from lab.progress import LabError

MICROSOFT = Path("/usr/share/OVMF/OVMF_VARS_4M.ms.fd")

_SHIM = uuid.UUID("605dab50-e046-4300-abb6-3dd810dd8b23")
_X509 = uuid.UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
# Who has put the key in; shim does not look at it.
_OWNER = uuid.UUID("3a1e7c1c-5a3f-4bb2-9d65-1c1e0f2f8b6d")
# Non-volatile, and seen by the firmware alone: shim throws one away that an operating system could have written.
_ATTRIBUTES = 0x3
# struct AUTHENTICATED_VARIABLE_HEADER: start, state, reserved, attributes, count, time, key, length of name and data, vendor.
_HEADER = "<HBBIQ16sIII16s"
_START, _ADDED = 0x55AA, 0x3F


def key() -> Path:
    """The owner's key (PEM); its certificate lies beside it, as key.der and key.pem."""
    folder = cache_dir() / "keys" / "mok"
    with locked(cache_dir() / "keys" / "lock"):
        if not folder.exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as scratch:
                made = Path(scratch) / "mok"
                made.mkdir(mode=0o700)
                _openssl(made, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "36500", "-sha256", "-subj", "/CN=realip.toa lab",
                         "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=digitalSignature",
                         "-keyout", "key", "-out", "key.pem")  # fmt: skip
                _openssl(made, "x509", "-in", "key.pem", "-outform", "der", "-out", "key.der")
                made.rename(folder)
    return folder / "key"


def _openssl(folder: Path, *words: str) -> None:
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"openssl {words[0]} failed: {done.stderr[-500:]}")


def certificate() -> bytes:
    """The owner's certificate (DER)."""
    return key().with_suffix(".der").read_bytes()


def recipe() -> list[bytes]:
    """All that the variables of a new machine are made of."""
    if not MICROSOFT.exists():
        raise LabError(f"{MICROSOFT} is missing; install ovmf (lab/apt-packages.txt)")
    return [MICROSOFT.read_bytes(), certificate()]


def make_variables(path: Path) -> None:
    """Write the variables of a new machine (qcow2)."""
    store, owner = recipe()
    with tempfile.NamedTemporaryFile(dir=path.parent) as raw:
        raw.write(with_variable(store, "MokList", _SHIM, signature_list(owner)))
        raw.flush()
        qemu.image_tool("convert", "-f", "raw", "-O", "qcow2", raw.name, path)


def signature_list(der: bytes) -> bytes:
    """EFI_SIGNATURE_LIST of one certificate."""
    size = 16 + len(der)
    return _X509.bytes_le + struct.pack("<III", 28 + size, 0, size) + _OWNER.bytes_le + der


def with_variable(volume: bytes, name: str, vendor: uuid.UUID, data: bytes) -> bytes:
    """A firmware volume of variables, with one more of them behind those that it has."""
    start = int(struct.unpack_from("<H", volume, 0x30)[0])
    size = int(struct.unpack_from("<I", volume, start + 16)[0])
    place = start + 28
    while struct.unpack_from("<H", volume, place)[0] == _START:
        fields = struct.unpack_from(_HEADER, volume, place)
        place = _aligned(place + struct.calcsize(_HEADER) + fields[7] + fields[8])
    text = name.encode("utf-16-le") + b"\0\0"
    header = struct.pack(
        _HEADER, _START, _ADDED, 0, _ATTRIBUTES, 0, bytes(16), 0, len(text), len(data), vendor.bytes_le
    )
    added = header + text + data
    if place + len(added) > start + size:
        raise LabError("the firmware's store of variables is full")
    return volume[:place] + added + volume[place + len(added) :]


def _aligned(offset: int) -> int:
    return (offset + 3) & ~3
