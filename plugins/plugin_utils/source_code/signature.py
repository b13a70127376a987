# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signature of a kernel module, made on the controller, which is the only place where the private key is.

It is what the kernel's own scripts/sign-file makes: the module, a detached PKCS#7 signature without attributes, and a trailer
(kernel/module_signing.c). cryptography comes with ansible-core.
"""

from __future__ import annotations

import re
import struct
from typing import Any

try:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import pkcs7
except ImportError:  # of an ansible-core that was installed without what it depends on
    HAS_CRYPTOGRAPHY = False
else:
    HAS_CRYPTOGRAPHY = True

MAGIC = b"~Module signature appended~\n"
# Before, the trailer named signer and key by itself.
FIRST_PKCS7 = (4, 3)
_PKCS7 = 2
_HASHES = {"sha224": "SHA224", "sha256": "SHA256", "sha384": "SHA384", "sha512": "SHA512"}


def signed(module: bytes, release: str, digest: str, key: bytes, certificate: bytes) -> bytes:
    """A module for the kernel `release`, signed. `digest`: CONFIG_MODULE_SIG_HASH of that kernel; key and certificate are PEM. Raises ValueError."""
    if not HAS_CRYPTOGRAPHY:
        raise ValueError("the Python of ansible-core has no package cryptography; install it beside ansible-core")
    number = re.match(r"(\d+)\.(\d+)", release)
    if not number or (int(number[1]), int(number[2])) < FIRST_PKCS7:
        raise ValueError(f"kernel {release} takes signatures of an older form than that of Linux 4.3")
    if module.endswith(MAGIC):
        raise ValueError("the module is signed already")
    private, public = _pair(key, certificate)
    options = [pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary]
    options += [pkcs7.PKCS7Options.NoAttributes, pkcs7.PKCS7Options.NoCerts]
    # A kernel that signs with SHA-1 takes others as well.
    algorithm: Any = getattr(hashes, _HASHES.get(digest, "SHA256"))()
    builder = pkcs7.PKCS7SignatureBuilder().set_data(module).add_signer(public, private, algorithm)
    signature = builder.sign(serialization.Encoding.DER, options)
    return module + signature + struct.pack(">BBBBB3xI", 0, 0, _PKCS7, 0, 0, len(signature)) + MAGIC


def _pair(key: bytes, certificate: bytes) -> tuple[Any, x509.Certificate]:
    try:
        private = serialization.load_pem_private_key(key, None)
        public = x509.load_pem_x509_certificate(certificate)
    except TypeError:
        raise ValueError("the private key has a passphrase, and nobody is there to type it") from None
    except ValueError as problem:
        raise ValueError(f"key or certificate cannot be read: {problem}") from None
    if not isinstance(private, rsa.RSAPrivateKey):
        raise ValueError("the private key is no RSA key, which is what kernels take")
    if private.public_key() != public.public_key():
        raise ValueError("the certificate is not that of the private key")
    return private, public
