# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloads from servers that send elsewhere, trickle, or never say anything; and what is told of URLs."""

from __future__ import absolute_import, division, print_function

import base64
import hashlib
import os
import signal
import socket
import threading
import time

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.packaging import download

try:
    from http.server import BaseHTTPRequestHandler, HTTPServer
except ImportError:
    from BaseHTTPServer import BaseHTTPRequestHandler, HTTPServer

BODY = b"package"
DIGEST = hashlib.sha256(BODY).hexdigest()


class Server(object):
    """An HTTP server; paths in `leads_to` lead elsewhere. `asked` is (path, Authorization) of each request."""

    def __init__(self, address):
        self.leads_to = {}
        self.asked = []
        ours = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                ours.asked.append((self.path, self.headers.get("Authorization")))
                place = ours.leads_to.get(self.path)
                self.send_response(302 if place else 200)
                if place:
                    self.send_header("Location", place)
                self.send_header("Content-Length", "0" if place else str(len(BODY)))
                self.end_headers()
                if not place:
                    self.wfile.write(BODY)

            def log_message(self, *unused):
                pass

        self.server = HTTPServer((address, 0), Handler)
        self.host = "%s:%d" % self.server.server_address[:2]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def servers(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    both = [Server("127.0.0.1"), Server("127.0.0.2")]
    yield both
    for one in both:
        one.close()


def fetch(tmpdir, url, timeout=60):
    path = str(tmpdir.join("x.rpm"))
    download.adopt(url, path, "x.rpm", DIGEST, len(BODY), timeout)
    return path


def basic(text):
    return "Basic " + base64.b64encode(text).decode("ascii")


@pytest.mark.parametrize(
    "written, sent",
    [
        ("deploy:s3cr3t", b"deploy:s3cr3t"),
        ("deploy:p@ss@w0rd", b"deploy:p@ss@w0rd"),
        ("de%40ploy:a%3Ab%2Fc", b"de@ploy:a:b/c"),
    ],
)
def test_a_password_goes_to_its_server(tmpdir, servers, written, sent):
    one, _two = servers
    fetch(tmpdir, "http://%s@%s/x.rpm?y=@1" % (written, one.host))
    assert one.asked == [("/x.rpm?y=@1", basic(sent))]


def test_a_password_stays_with_its_server(tmpdir, servers):
    one, two = servers
    one.leads_to["/x.rpm"] = "/pool/x.rpm"
    one.leads_to["/pool/x.rpm"] = "http://%s/x.rpm" % two.host
    two.leads_to["/x.rpm"] = "http://%s/back.rpm" % one.host
    fetch(tmpdir, "http://deploy:s3cr3t@%s/x.rpm" % one.host)
    word = basic(b"deploy:s3cr3t")
    assert one.asked == [("/x.rpm", word), ("/pool/x.rpm", word), ("/back.rpm", None)]
    assert two.asked == [("/x.rpm", None)]


def test_another_port_is_another_server(tmpdir, servers):
    one, _two = servers
    other = Server("127.0.0.1")
    try:
        one.leads_to["/x.rpm"] = "http://u:p@%s/x.rpm" % other.host
        fetch(tmpdir, "http://deploy:s3cr3t@%s/x.rpm" % one.host)
        assert other.asked == [("/x.rpm", None)]
    finally:
        other.close()


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/x.rpm", "file:///etc/passwd", "gopher://127.0.0.1/"])
def test_a_server_that_sends_elsewhere_than_to_the_web(tmpdir, servers, place):
    servers[0].leads_to["/x.rpm"] = place
    with pytest.raises(TargetError) as caught:
        fetch(tmpdir, "http://u:s3cr3t@%s/x.rpm" % servers[0].host)
    assert caught.value.code == "package_unavailable" and "s3cr3t" not in caught.value.message
    assert os.listdir(str(tmpdir)) == []


def test_no_way_leads_from_https_to_http():
    request = download._request("https://u:s3cr3t@mirror.example.org/x.rpm")
    assert request.unredirected_hdrs["Authorization"] == basic(b"u:s3cr3t")
    handler = download._Redirect()
    with pytest.raises(download.URLError) as caught:
        handler.redirect_request(request, None, 302, "Found", {}, "http://v:s3cr3t@mirror.example.org/x.rpm?token")
    assert "s3cr3t" not in str(caught.value) and "token" not in str(caught.value)
    kept = handler.redirect_request(request, None, 302, "Found", {}, "https://mirror.example.org:443/y.rpm")
    assert kept.unredirected_hdrs["Authorization"] == basic(b"u:s3cr3t")
    for place in (
        "https://mirror.example.org:8443/y.rpm",
        "https://other.example.org/",
        "https://mirror.example.org.x/",
    ):
        gone = handler.redirect_request(request, None, 302, "Found", {}, place)
        assert "Authorization" not in dict(gone.header_items())


@pytest.mark.parametrize(
    "url, told",
    [
        ("https://mirror.example.org/a@b/x.rpm", "https://mirror.example.org/a@b/x.rpm"),
        ("https://deploy:p@ssw0rd@mirror:8443/x", "https://mirror:8443/x"),
        ("https://token@mirror/x?key=s3cr3t", "https://mirror/x?..."),
        ("https://mirror/x#s3cr3t", "https://mirror/x?..."),
        ("http://u:p/ssw0rd@mirror/x", "http://..."),
        ("http://u:p?ssw0rd@mirror/x", "http://..."),
        ("http://u:12#ssw0rd@mirror/x", "http://..."),
        ("http://[::1]:80/x", "http://[::1]:80/x"),
        ("http://u:p@[::1/x", "http://..."),
        ("toa.tar?token", "toa.tar?..."),
        ("/srv/toa.tar", "/srv/toa.tar"),
    ],
)
def test_no_secret_of_a_url_is_told(url, told):
    assert download.public_url(url) == told


# ---- time


class Trickle(object):
    """A server that sends one piece each 20 ms and never gets to the end."""

    def __init__(self, head, piece):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(1)
        self.url = "http://127.0.0.1:%d/x.rpm" % self.listener.getsockname()[1]
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.serve, args=(head, piece))
        self.thread.start()

    def serve(self, head, piece):
        connection = self.listener.accept()[0]
        try:
            connection.sendall(head)
            while not self.over.wait(0.02):
                connection.sendall(piece)
        except (IOError, OSError):
            pass
        finally:
            connection.close()

    def close(self):
        self.over.set()
        self.thread.join()
        self.listener.close()


@pytest.mark.parametrize(
    "head, piece",
    [
        (b"HTTP/1.0 200 OK\r\nContent-Length: 400000000\r\n\r\n", b"x"),
        (b"HTTP/1.0 200 OK\r\n", b"X: y\r\n"),
        (b"", b"H"),
    ],
)
def test_a_server_that_trickles_has_no_more_time_than_another(tmpdir, monkeypatch, head, piece):
    monkeypatch.setattr(download, "SILENCE", 5)
    server = Trickle(head, piece)
    began = time.time()
    try:
        with pytest.raises(TargetError) as caught:
            download.adopt(server.url, str(tmpdir.join("x.rpm")), "x.rpm", "", 0, 1)
    finally:
        took = time.time() - began
        server.close()
    assert caught.value.code == "package_unavailable" and took < 4
    assert os.listdir(str(tmpdir)) == []


def test_an_alarm_that_was_set_before_still_rings(tmpdir, servers):
    rung = []
    handler = signal.signal(signal.SIGALRM, lambda *unused: rung.append(1))
    try:
        signal.alarm(3)
        fetch(tmpdir, "http://%s/x.rpm" % servers[0].host, timeout=1)
        left = signal.getitimer(signal.ITIMER_REAL)[0]
        assert 0 < left <= 3 and rung == []
        signal.pause()
        assert rung == [1]
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, handler)
