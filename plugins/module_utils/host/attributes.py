# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extended attributes of a file, ACLs and security labels among them, for the file that takes its place.

Python has calls for them from 3.3 on; before, the C library is asked. Names and values are bytes.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import os

# Signatures over the content, which the kernel makes anew.
_OF_THE_CONTENT = (b"security.ima", b"security.evm")
# What has none, or does not say.
_NONE = (errno.ENOTSUP, errno.ENOSYS, errno.EACCES, errno.EPERM)
_LARGEST = 65536


def attributes_of(path):
    """{name: value} of a path, which is not followed where it is a link."""
    try:
        names = _names(path)
    except EnvironmentError as problem:
        if problem.errno in _NONE:
            return {}
        raise
    found = {}
    for name in names:
        if name not in _OF_THE_CONTENT:
            found[name] = _value(path, name)
    return found


def give_attributes(path, wanted):
    """Give a new file the attributes in `wanted`; returns the names of those that it did not take."""
    lost = []
    for name, value in sorted(wanted.items()):
        try:
            _give(path, name, value)
        except EnvironmentError:
            lost.append(name.decode("ascii", "replace"))
    return lost


if hasattr(os, "listxattr"):

    def _names(path):
        return [name.encode("utf-8", "surrogateescape") for name in os.listxattr(path, follow_symlinks=False)]

    def _value(path, name):
        return os.getxattr(path, name, follow_symlinks=False)

    def _give(path, name, value):
        os.setxattr(path, name, value, follow_symlinks=False)

else:

    def _library():
        try:
            import ctypes
        except ImportError:
            raise OSError(errno.ENOSYS, "this Python has no ctypes")
        return ctypes, ctypes.CDLL(None, use_errno=True)

    def _bytes(path):
        return path.encode("utf-8") if not isinstance(path, bytes) else path

    def _asked(what, call):
        ctypes, library = _library()
        buffer = ctypes.create_string_buffer(_LARGEST)
        size = call(library, buffer, ctypes.c_size_t(_LARGEST))
        if size < 0:
            raise OSError(ctypes.get_errno(), "%s: %s" % (what, os.strerror(ctypes.get_errno())))
        return buffer.raw[:size]

    def _names(path):
        found = _asked("llistxattr", lambda library, buffer, size: library.llistxattr(_bytes(path), buffer, size))
        return [name for name in found.split(b"\0") if name]

    def _value(path, name):
        return _asked("lgetxattr", lambda library, buffer, size: library.lgetxattr(_bytes(path), name, buffer, size))

    def _give(path, name, value):
        ctypes, library = _library()
        if library.lsetxattr(_bytes(path), name, value, ctypes.c_size_t(len(value)), 0) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
