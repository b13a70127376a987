# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads one file, and lets it have its name only when size and SHA-256 are those that were reviewed.

Vendor packages come over plain HTTP and without signatures worth the name (field guide, fact 6), so the digest
is the only thing that says what the bytes are. A file under its final name is therefore always a verified one.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import errno
import hashlib
import os
import re
import socket
import tempfile
import time

try:
    import ssl
except ImportError:  # a Python built without OpenSSL
    ssl = None

try:
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.parse import unquote, urlsplit, urlunsplit
    from urllib.request import HTTPRedirectHandler, HTTPSHandler, Request, build_opener
except ImportError:
    from urllib import unquote

    from httplib import HTTPException
    from urlparse import urlsplit, urlunsplit

    # By name: ansible-test would have it from Ansible's own code, which hosts do not have.
    urllib2 = __import__("urllib2")
    HTTPError, HTTPSHandler, Request = urllib2.HTTPError, urllib2.HTTPSHandler, urllib2.Request
    HTTPRedirectHandler, URLError, build_opener = urllib2.HTTPRedirectHandler, urllib2.URLError, urllib2.build_opener

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.writing import (
    remove_file,
    restore_labels,
    sync_dir,
)
from ansible_collections.realip.toa.plugins.module_utils.packaging.time_limit import TimeLimit, TimeUp

# Nobody's kernel package comes near this; it only stops a server that never stops sending.
SIZE_CAP = 512 << 20
# Seconds without a byte before a server counts as gone.
SILENCE = 30
CHUNK = 1 << 18
PARTIAL = ".partial-"


def public_url(url):
    """A URL fit for messages and logs: without user, password, query and fragment, where mirrors keep their secrets."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return re.sub(r"[?#].*$", "?...", url)
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        port = host.rpartition(":")[2] if ":" in re.sub(r"^\[.*\]", "", host) else ""
    except ValueError:
        return scheme + "://..."
    # A `/`, `?` or `#` in a password that is not written as % and its number ends the host's part, and the rest looks like a path.
    if (port and not port.isdigit()) or ("@" in rest and "@" not in parts.netloc and ":" in host):
        return scheme + "://..."
    return urlunsplit((parts.scheme, host, parts.path, "", "")) + ("?..." if parts.query or parts.fragment else "")


def digest_of(path):
    """(SHA-256 in hex, size in bytes) of a file."""
    digest = hashlib.sha256()
    size = 0
    handle = open(path, "rb")
    try:
        while True:
            data = handle.read(CHUNK)
            if not data:
                return digest.hexdigest(), size
            digest.update(data)
            size += len(data)
    finally:
        handle.close()


def matches(path, sha256, size):
    """Whether a file is there and is the one that was asked for; what is not declared ("" or 0) is not compared."""
    try:
        there = os.stat(path).st_size
    except OSError:
        return False
    if size and there != size:
        return False
    return not sha256 or digest_of(path)[0] == sha256


def verify(path, name, sha256, size):
    """TargetError unless the file has the declared size and digest. A short file is named as such: it says what to look for."""
    got, length = digest_of(path)
    if size and length < size:
        raise TargetError(
            "package_truncated",
            "%s has %d bytes where %d were expected: it was cut off on the way, or on the mirror"
            % (name, length, size),
            "fetch it again on the mirror, or write its lock entry anew with realip.toa.lock",
        )
    if size and length > size:
        raise TargetError(
            "package_too_large",
            "%s has %d bytes where %d were expected" % (name, length, size),
            "find out which file the mirror serves, then write its lock entry anew with realip.toa.lock",
        )
    if sha256 and got != sha256:
        raise TargetError(
            "digest_mismatch",
            "%s is not the file that was reviewed: expected sha256 %s, got %s" % (name, sha256, got),
            "find out why the mirror serves other bytes; if they are right, review them and write the lock entry anew with realip.toa.lock",
            expected=sha256,
            got=got,
        )


def adopt(source, path, name, sha256, size, timeout=600):
    """Put a verified copy of `source` (a path on the host or an http(s) URL) at `path`.

    `sha256` and `size` (bytes) may be "" and 0 where the caller accepts unverified files. `timeout` in seconds is for the
    whole transfer. The folder of `path` must exist. Nothing is left behind on failure.
    """
    handle, partial = tempfile.mkstemp(prefix=PARTIAL, dir=os.path.dirname(path))
    try:
        try:
            if "://" in source:
                _within(timeout, source, lambda: _download(source, handle, name, size, time.time() + timeout))
            else:
                _copy(source, handle, name)
            os.fsync(handle)
        finally:
            os.close(handle)
        verify(partial, name, sha256, size)
        os.rename(partial, path)
        restore_labels([path])
    except BaseException:
        remove_file(partial)
        raise
    sync_dir(os.path.dirname(path))


def sweep_partials(folder):
    """Remove what a run that was killed in the middle of a download left."""
    for name in os.listdir(folder):
        if name.startswith(PARTIAL):
            remove_file(os.path.join(folder, name))


def _copy(source, handle, name):
    try:
        given = open(source, "rb")
    except (IOError, OSError) as problem:
        raise TargetError(
            "package_unavailable",
            "%s cannot be read: %s" % (source, problem.strerror),
            "push %s to the host first" % name,
        )
    try:
        data = given.read(CHUNK)
        while data:
            _write(handle, data, name)
            data = given.read(CHUNK)
    finally:
        given.close()


def _within(timeout, url, work):
    """The clock runs from the look-up of the name to the last byte."""
    try:
        with TimeLimit(timeout):
            work()
    except TimeUp:
        raise _unavailable(url, "it did not come within %d seconds" % timeout)


def _download(url, handle, name, size, deadline):
    cap = size or SIZE_CAP
    response = _open(url)
    try:
        length = 0
        while True:
            data = _read(response, url)
            if not data:
                break
            length += len(data)
            if length > cap:
                raise TargetError(
                    "package_too_large",
                    "%s sends more than the %d bytes that %s may have" % (public_url(url), cap, name),
                    "find out which file the mirror serves, then write its lock entry anew with realip.toa.lock",
                )
            if time.time() > deadline:
                raise _unavailable(url, "only %d bytes came before the time was up" % length)
            _write(handle, data, name)
        _check_announced(response, length, url, name)
    finally:
        response.close()


def _open(url):
    if not re.match(r"https?://[^/]", url):
        raise TargetError(
            "bad_url", "%s is not an http or https URL" % public_url(url), "give the package an http:// or https:// URL"
        )
    handlers = [_Redirect()]
    if url.startswith("https:"):
        if not hasattr(ssl, "create_default_context"):
            raise TargetError(
                "https_unverifiable",
                "this host's Python cannot verify the certificate behind %s" % public_url(url),
                "serve the package from an http mirror (its digest is checked all the same), or push it from the controller",
            )
        handlers.append(HTTPSHandler(context=ssl.create_default_context()))
    try:
        return build_opener(*handlers).open(_request(url), timeout=SILENCE)
    except HTTPError as problem:
        raise _unavailable(url, "HTTP %s %s" % (problem.code, problem.msg))
    except URLError as problem:
        raise _unavailable(url, problem.reason)
    except (HTTPException, IOError, OSError, ValueError) as problem:
        raise _unavailable(url, problem or problem.__class__.__name__)


def _request(url):
    """A request for a URL; USER:PASSWORD@ in it goes where HTTP wants it."""
    parts = urlsplit(url)
    user, separator, host = parts.netloc.rpartition("@")
    request = Request(
        urlunsplit((parts.scheme, host, parts.path, parts.query, "")), headers={"User-Agent": "realip.toa"}
    )
    if separator:
        word = base64.b64encode(unquote(user).encode("utf-8")).decode("ascii")
        # Not among the headers that urllib takes along wherever a server sends it.
        request.add_unredirected_header("Authorization", "Basic " + word)
    return request


class _Redirect(HTTPRedirectHandler):
    """Follows a mirror to other places, and takes its password along only where that stays with the same server, as well protected."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        old, new = urlsplit(req.get_full_url()), urlsplit(newurl)
        if new.scheme not in ("http", "https") or (old.scheme == "https" and new.scheme == "http"):
            raise URLError("it leads from %s to %s" % (old.scheme, public_url(newurl)))
        request = HTTPRedirectHandler.redirect_request(self, req, fp, code, msg, headers, _without_user(new))
        word = req.unredirected_hdrs.get("Authorization")
        if request is not None and word and _origin(old) == _origin(new):
            request.add_unredirected_header("Authorization", word)
        return request


def _origin(parts):
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, port


def _without_user(parts):
    """What a server puts there is no secret of ours, and no part of a host's name."""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))


def _read(response, url):
    try:
        return response.read(CHUNK)
    except (HTTPException, socket.error, IOError, OSError) as problem:
        raise _unavailable(url, problem or problem.__class__.__name__)


def _check_announced(response, length, url, name):
    """A server that announced more than it sent died in the middle; read(n) does not say so."""
    announced = response.info().get("Content-Length")
    if announced and announced.isdigit() and length < int(announced):
        raise TargetError(
            "package_truncated",
            "%s: the connection ended after %d of %s bytes of %s" % (public_url(url), length, announced, name),
            "run again; if it happens again, the mirror's copy or its network is broken",
        )


def _write(handle, data, name):
    view = data
    try:
        while view:
            view = view[os.write(handle, view) :]
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise TargetError("disk_full", "no space left for %s" % name, "make room in /var/cache, then run again")


def _unavailable(url, why):
    return TargetError(
        "package_unavailable",
        "%s cannot be fetched: %s" % (public_url(url), why),
        "see that this host reaches the mirror, or set toa_package_mirror to one that it reaches",
        url=public_url(url),
    )
