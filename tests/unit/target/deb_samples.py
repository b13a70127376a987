# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""packages.py with real .debs, a real dpkg in a root of its own, and a real HTTP server on loopback.

The machine's own package database is never opened for writing: every call names a scratch root.
"""

from __future__ import absolute_import, division, print_function

import hashlib
import os
import shutil
import subprocess
import threading

import pytest

try:
    from http.server import BaseHTTPRequestHandler, HTTPServer
except ImportError:
    from BaseHTTPServer import BaseHTTPRequestHandler, HTTPServer

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.programs import package as packages

NAME = "realip-toa-test-image"
RELEASE = "4.4.87.toatest"
RUNNING = "9.9.9-running"
STATE = "var/lib/realip-toa/state.json"


def build_deb(folder, name=NAME, version="1.0", arch="all", release=RELEASE, scripts=None, kernel_size=5000, fields=""):
    """A package like a kernel's, under the name that Debian gives its file."""
    tree = os.path.join(str(folder), "tree-%s-%s" % (name, version))
    shutil.rmtree(tree, True)
    os.makedirs(os.path.join(tree, "DEBIAN"))
    if release:
        os.makedirs(os.path.join(tree, "boot"))
        os.makedirs(os.path.join(tree, "lib/modules", release, "kernel/net/toa"))
        write(os.path.join(tree, "boot/vmlinuz-" + release), "k" * kernel_size)
        write(os.path.join(tree, "lib/modules", release, "kernel/net/toa/toa.ko"), "module")
    control = "Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: nobody <nobody@example.org>\n" % (
        name,
        version,
        arch,
    )
    write(os.path.join(tree, "DEBIAN/control"), control + fields + "Description: test\n")
    for script, body in (scripts or {}).items():
        write(os.path.join(tree, "DEBIAN", script), body)
        os.chmod(os.path.join(tree, "DEBIAN", script), 0o755)
    path = os.path.join(str(folder), "%s_%s_%s.deb" % (name, version, arch))
    subprocess.check_call(["dpkg-deb", "--root-owner-group", "-Zgzip", "-b", tree, path], stdout=subprocess.PIPE)
    return path


def write(path, text):
    handle = open(path, "w")
    handle.write(text)
    handle.close()


def read(path):
    handle = open(path, "rb")
    try:
        return handle.read()
    finally:
        handle.close()


def tree_of(root):
    """Every path below root with its bytes, but for dpkg's own bookkeeping and our lock file."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            below = os.path.relpath(path, root)
            if not below.startswith(("var/lib/dpkg", "var/log", "run/realip-toa")):
                found[below] = None if os.path.isdir(path) else read(path)
    return found


def without_cache(tree):
    return dict((name, body) for name, body in tree.items() if not name.startswith("var/cache/realip-toa"))


@pytest.fixture(name="root")
def root_of_debs(tmpdir):
    """An empty Debian: a dpkg database that knows nothing, and a running kernel in /boot."""
    base = tmpdir.mkdir("root")
    for folder in (
        "boot",
        "run",
        "lib/modules/" + RUNNING,
        "var/lib/dpkg/info",
        "var/lib/dpkg/updates",
        "var/log",
        "var/cache",
    ):
        base.ensure(folder, dir=True)
    for name in ("status", "available", "lock", "lock-frontend"):
        base.join("var/lib/dpkg", name).write("")
    base.join("boot/vmlinuz-" + RUNNING).write("running")
    return str(base)


class Mirror(object):
    """An HTTP server on loopback; `cut` maps a path to the number of bytes after which the connection ends."""

    def __init__(self):
        self.files = {}
        self.cut = {}
        self.private = []
        self.asked = []
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mirror.asked.append(self.path)
                name = self.path.split("?")[0].lstrip("/")
                if name in mirror.private and self.headers.get("Authorization") != "Basic dXNlcjpzZWNyZXQ=":
                    self.send_error(401)
                    return
                if name not in mirror.files:
                    self.send_error(404)
                    return
                body = mirror.files[name]
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: mirror.cut.get(name, len(body))])

            def log_message(self, *unused):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d/" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def serve(self, path):
        self.files[os.path.basename(path)] = read(path)
        return item_for(path, self.url + os.path.basename(path))

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(name="mirror")
def mirror_of_debs(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Mirror()
    yield server
    server.close()


def item_for(path, url):
    body = read(path)
    name = os.path.basename(path)
    return {
        "name": name.split("_")[0],
        "file": name,
        "url": url,
        "sha256": hashlib.sha256(body).hexdigest(),
        "size": len(body),
        "format": "deb",
        "role": "image",
        "release": RELEASE,
    }


def call(root, items, state="present", check=False, **more):
    args = {"packages": items, "state": state, "check": check, "root": root, "running": RUNNING, "lock_timeout": 1}
    args.update(more)
    return packages.main(args)


def refused(root, items, state="present", **more):
    """The TargetError of a call, and that it left the host as it was, cache aside."""
    before = without_cache(tree_of(root))
    with pytest.raises(TargetError) as caught:
        call(root, items, state, **more)
    assert without_cache(tree_of(root)) == before
    return caught.value


def status_of(root, name=NAME):
    query = ["dpkg-query", "--admindir=" + os.path.join(root, "var/lib/dpkg"), "-W", "-f=${Status}", name]
    child = subprocess.Popen(query, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return child.communicate()[0].decode("utf-8")
