# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""packages.py with real .debs, a real dpkg in a root of its own, and a real HTTP server on loopback.

The machine's own package database is never opened for writing: every call names a scratch root.
"""

from __future__ import absolute_import, division, print_function

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading

import pytest

try:
    from http.server import BaseHTTPRequestHandler, HTTPServer
except ImportError:
    from BaseHTTPServer import BaseHTTPRequestHandler, HTTPServer

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.lock import HostLock
from ansible_collections.realip.toa.plugins.module_utils.host.state import load
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


@pytest.fixture
def root(tmpdir):
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


@pytest.fixture
def mirror(monkeypatch):
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


# -- the way it goes well ----------------------------------------------------------------------------------------------


def test_installs_what_was_reviewed_and_then_has_nothing_to_do(root, mirror, tmpdir):
    item = mirror.serve(build_deb(tmpdir))
    predicted = call(root, [item], check=True)
    assert mirror.asked == []
    done = call(root, [item])
    assert done.pop("signatures") == {item["file"]: "none"}
    assert done == predicted
    assert done["changed"] and done["before"]["installed"] == {} and done["after"]["installed"] == {NAME: "1.0"}
    assert status_of(root) == "install ok installed"
    assert read(os.path.join(root, "boot/vmlinuz-" + RELEASE)) == b"k" * 5000
    again = call(root, [item])
    assert not again["changed"] and again["before"] == again["after"] == done["after"]
    assert len(mirror.asked) == 1


def test_cache_is_private_and_used_again(root, mirror, tmpdir):
    item = mirror.serve(build_deb(tmpdir))
    assert call(root, [item], "staged", check=True)["after"]["cached"] == [item["file"]]
    staged = call(root, [item], "staged")
    assert staged["changed"] and staged["after"] == {"installed": {}, "held": [], "cached": [item["file"]]}
    assert os.stat(os.path.join(root, "var/cache/realip-toa")).st_mode & 0o777 == 0o700
    assert not call(root, [item], "staged")["changed"]
    call(root, [item])
    assert len(mirror.asked) == 1


def test_a_damaged_cached_file_is_fetched_again(root, mirror, tmpdir):
    item = mirror.serve(build_deb(tmpdir))
    call(root, [item], "staged")
    write(os.path.join(root, "var/cache/realip-toa", item["file"]), "damaged")
    call(root, [item])
    assert len(mirror.asked) == 2 and status_of(root) == "install ok installed"


def test_pushed_files_need_no_mirror(root, tmpdir):
    path = build_deb(tmpdir)
    item = item_for(path, "http://127.0.0.1:1/unused.deb")
    assert call(root, [item], src=str(tmpdir))["changed"]
    assert (
        refused(root, [dict(item, name="realip-toa-other", file="realip-toa-other_1.0_all.deb")], src=str(tmpdir)).code
        == "package_unavailable"
    )


def test_absent_takes_package_record_and_cache_away(root, mirror, tmpdir):
    bare = tree_of(root)
    item = mirror.serve(build_deb(tmpdir))
    call(root, [item])
    assert NAME in load(os.path.join(root, STATE))["packages"]["installed"]
    made = os.path.join(root, "lib/modules", RELEASE, "modules.dep")
    write(made, "made by depmod")
    write(os.path.join(root, "boot/initrd.img-" + RELEASE), "made by a hook")
    assert call(root, [], "absent", check=True)["changed"] and os.path.exists(made)
    gone = call(root, [], "absent")
    assert gone["changed"] and gone["before"]["installed"] == {NAME: "1.0"} and gone["after"]["installed"] == {}
    left = tree_of(root)
    left.pop("var/lib/realip-toa", None)
    assert left == bare
    assert not call(root, [item], "absent")["changed"]


def test_hold_and_unhold(root, mirror, tmpdir):
    item = mirror.serve(build_deb(tmpdir))
    assert refused(root, [item], "held").code == "package_not_installed"
    call(root, [item])
    assert (
        call(root, [item], "held", check=True)["after"]["held"] == [NAME] and status_of(root) == "install ok installed"
    )
    assert call(root, [item], "held")["changed"] and status_of(root) == "hold ok installed"
    assert not call(root, [item], "held")["changed"]
    assert not call(root, [item])["changed"]
    assert call(root, [item], "unheld")["changed"] and status_of(root) == "install ok installed"
    call(root, [item], "held")
    assert call(root, [item], "absent")["changed"] and status_of(root) == ""


def test_kernel_files_that_went_missing_are_put_back(root, mirror, tmpdir):
    item = mirror.serve(build_deb(tmpdir))
    call(root, [item])
    os.unlink(os.path.join(root, "boot/vmlinuz-" + RELEASE))
    assert call(root, [item])["changed"]
    assert os.path.exists(os.path.join(root, "boot/vmlinuz-" + RELEASE))


def test_an_interrupted_install_of_ours_is_taken_up(root, mirror, tmpdir):
    item = mirror.serve(build_deb(tmpdir))
    subprocess.check_call(
        [
            "dpkg",
            "--root=" + root,
            "--log=" + root + "/var/log/dpkg.log",
            "--unpack",
            os.path.join(str(tmpdir), item["file"]),
        ],
        stdout=subprocess.PIPE,
    )
    assert status_of(root) == "install ok unpacked"
    assert call(root, [item])["changed"]
    assert status_of(root) == "install ok installed"


# -- bad input and bad luck: one clear error, an untouched host -----------------------------------------------------------


def test_wrong_digest(root, mirror, tmpdir):
    item = mirror.serve(build_deb(tmpdir))
    wanted = "0" * 64
    problem = refused(root, [dict(item, sha256=wanted)])
    assert problem.code == "digest_mismatch"
    for part in (item["file"], wanted, item["sha256"]):
        assert part in problem.message
    assert os.listdir(os.path.join(root, "var/cache/realip-toa")) == []


@pytest.mark.parametrize("declared", [True, False])
def test_truncated_on_the_way(root, mirror, tmpdir, declared):
    item = mirror.serve(build_deb(tmpdir))
    mirror.cut[item["file"]] = 200
    problem = refused(root, [item if declared else dict(item, size=0)])
    assert problem.code == "package_truncated" and item["file"] in problem.message
    assert os.listdir(os.path.join(root, "var/cache/realip-toa")) == []


def test_truncated_on_the_mirror(root, mirror, tmpdir):
    item = mirror.serve(build_deb(tmpdir))
    mirror.files[item["file"]] = mirror.files[item["file"]][:300]
    problem = refused(root, [item])
    assert problem.code == "package_truncated" and "300 bytes" in problem.message


def test_more_than_declared(root, mirror, tmpdir):
    item = mirror.serve(build_deb(tmpdir))
    mirror.files[item["file"]] += b"more"
    assert refused(root, [item]).code == "package_too_large"


def test_url_gone_names_the_url_without_its_secrets(root, mirror):
    url = mirror.url.replace("127", "user:secret@127", 1) + "gone_1.0_all.deb?token=secret"
    item = {"name": "gone", "url": url, "sha256": "0" * 64, "format": "deb"}
    problem = refused(root, [item])
    assert problem.code == "package_unavailable" and "404" in problem.message
    assert "gone_1.0_all.deb" in problem.message and "secret" not in problem.message


def test_mirror_with_a_password(root, mirror, tmpdir):
    item = mirror.serve(build_deb(tmpdir))
    mirror.private.append(item["file"])
    assert "401" in refused(root, [item]).message
    assert call(root, [dict(item, url=item["url"].replace("127", "user:secret@127", 1))])["changed"]


def test_url_404(root, mirror):
    problem = refused(root, [{"name": "gone", "url": mirror.url + "gone_1.0_all.deb", "sha256": "0" * 64}])
    assert problem.code == "package_unavailable" and "404" in problem.message and mirror.url in problem.message


def test_mirror_unreachable(root, mirror, tmpdir):
    item = item_for(build_deb(tmpdir), "http://127.0.0.1:1/" + NAME + "_1.0_all.deb")
    problem = refused(root, [item])
    assert problem.code == "package_unavailable" and "127.0.0.1:1" in problem.message


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x.deb", "http:///x.deb"])
def test_other_schemes(root, url):
    assert refused(root, [{"name": "other", "file": "other_1_all.deb", "url": url, "sha256": "0" * 64}]).code in (
        "bad_url",
        "package_unavailable",
    )


def test_another_package_inside(root, mirror, tmpdir):
    path = build_deb(tmpdir, name="realip-toa-test-other")
    os.rename(path, os.path.join(str(tmpdir), NAME + "_1.0_all.deb"))
    problem = refused(root, [mirror.serve(os.path.join(str(tmpdir), NAME + "_1.0_all.deb"))])
    assert problem.code == "package_mismatch" and "realip-toa-test-other" in problem.message


def test_another_architecture(root, mirror, tmpdir):
    problem = refused(root, [mirror.serve(build_deb(tmpdir, arch="s390x"))])
    assert problem.code == "package_mismatch" and "s390x" in problem.message


def test_another_release_inside(root, mirror, tmpdir):
    problem = refused(root, [mirror.serve(build_deb(tmpdir, release="5.5.5"))])
    assert problem.code == "package_mismatch" and RELEASE in problem.message


def test_another_version_inside(root, mirror, tmpdir):
    path = build_deb(tmpdir, version="2.0")
    os.rename(path, os.path.join(str(tmpdir), NAME + "_1.0_all.deb"))
    assert refused(root, [mirror.serve(os.path.join(str(tmpdir), NAME + "_1.0_all.deb"))]).code == "package_mismatch"


def test_not_a_package_at_all(root, mirror, tmpdir):
    path = os.path.join(str(tmpdir), NAME + "_1.0_all.deb")
    write(path, "<html>please log in</html>")
    problem = refused(root, [mirror.serve(path)])
    assert problem.code == "package_corrupt" and NAME in problem.message


def test_never_over_the_running_kernel(root, mirror, tmpdir):
    item = dict(mirror.serve(build_deb(tmpdir, release=RUNNING)), release=RUNNING)
    assert refused(root, [item]).code == "running_kernel"


def test_what_conflicts_with_the_running_kernel_would_remove_it(root, mirror, tmpdir):
    """Seen with dpkg 1.21: `Conflicts` and `Replaces` together make `dpkg --install` remove an installed package unasked."""
    stock = build_deb(tmpdir, name="realip-toa-test-stock", release=RUNNING)
    os.unlink(os.path.join(root, "boot/vmlinuz-" + RUNNING))
    subprocess.check_call(
        ["dpkg", "--root=" + root, "--log=" + root + "/var/log/dpkg.log", "--install", stock], stdout=subprocess.PIPE
    )
    fields = "Conflicts: realip-toa-test-stock (<< 2), other\nReplaces: realip-toa-test-stock\n"
    problem = refused(root, [mirror.serve(build_deb(tmpdir, fields=fields))])
    assert problem.code == "running_kernel" and RUNNING in problem.message
    assert status_of(root, "realip-toa-test-stock") == "install ok installed"


def test_running_kernel_is_not_removed(root, mirror, tmpdir):
    item = mirror.serve(build_deb(tmpdir))
    call(root, [item])
    problem = refused(root, [item], "absent", running=RELEASE)
    assert problem.code == "running_kernel" and RELEASE in problem.message
    assert status_of(root) == "install ok installed"


def test_last_kernel_is_not_removed(root, mirror, tmpdir):
    item = mirror.serve(build_deb(tmpdir))
    call(root, [item])
    os.unlink(os.path.join(root, "boot/vmlinuz-" + RUNNING))
    assert refused(root, [item], "absent").code == "last_kernel"


@pytest.mark.parametrize("script", ["preinst", "postinst"])
def test_a_failed_install_is_taken_back(root, mirror, tmpdir, script):
    """dpkg runs the script inside the root, where there is no shell for it: a real failure in a real place."""
    item = mirror.serve(build_deb(tmpdir, scripts={script: "#!/bin/sh\nexit 0\n"}))
    problem = refused(root, [item])
    assert problem.code == "install_failed" and item["file"] in problem.message and script[:4] in problem.message
    assert status_of(root) == "" and read(os.path.join(root, "var/lib/dpkg/status")) == b""
    assert not os.path.exists(os.path.join(root, STATE))


def test_no_digest_needs_consent(root, mirror, tmpdir):
    item = dict(mirror.serve(build_deb(tmpdir)), sha256="", size=0)
    problem = refused(root, [item])
    assert problem.code == "no_digest" and mirror.asked == []
    assert refused(root, [item], check=True).code == "no_digest"
    assert call(root, [item], accept_unverified=True)["changed"]


@pytest.mark.parametrize("lock", ["lock", "lock-frontend"])
def test_locked_database_names_who_locks_it(root, mirror, tmpdir, lock):
    item = mirror.serve(build_deb(tmpdir))
    path = os.path.join(root, "var/lib/dpkg", lock)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl,sys; f=open(%r,'r+'); fcntl.lockf(f,fcntl.LOCK_EX); print('held'); sys.stdout.flush(); sys.stdin.read()"
            % path,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert holder.stdout.readline().strip() == b"held"
        problem = refused(root, [item])
        assert problem.code == "package_lock_held" and "pid %d" % holder.pid in problem.message
    finally:
        holder.communicate()
    assert call(root, [item])["changed"]


def test_another_run_of_ours(root, mirror, tmpdir, monkeypatch):
    monkeypatch.setattr(HostLock, "PATIENCE", 0)
    item = mirror.serve(build_deb(tmpdir))
    os.mkdir(os.path.join(root, "run/realip-toa"), 0o700)
    handle = open(os.path.join(root, "run/realip-toa/lock"), "a+")
    fcntl.flock(handle.fileno(), fcntl.LOCK_EX)
    try:
        assert refused(root, [item]).code == "host_locked"
    finally:
        handle.close()


def test_somebody_elses_interrupted_package_is_left_alone(root, mirror, tmpdir):
    other = build_deb(tmpdir, name="realip-toa-test-other", release=None)
    subprocess.check_call(
        ["dpkg", "--root=" + root, "--log=" + root + "/var/log/dpkg.log", "--unpack", other], stdout=subprocess.PIPE
    )
    problem = refused(root, [mirror.serve(build_deb(tmpdir))])
    assert problem.code == "package_tool_interrupted" and "realip-toa-test-other" in problem.message


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Bad Name"},
        {"name": ""},
        {"file": "../../etc/cron.d/x.deb"},
        {"file": "x.tar"},
        {"sha256": "abc"},
        {"release": "../../etc"},
    ],
)
def test_garbage_is_named(root, change):
    good = {
        "name": NAME,
        "file": NAME + "_1.0_all.deb",
        "url": "http://127.0.0.1:1/",
        "sha256": "0" * 64,
        "format": "deb",
        "release": RELEASE,
    }
    problem = refused(root, [dict(good, **change)])
    assert problem.code == "bad_package" and list(change)[0] in problem.message


def test_same_package_twice(root):
    item = {"name": NAME, "file": NAME + "_1.0_all.deb", "sha256": "0" * 64}
    assert "twice" in refused(root, [item, item]).message


SMALL_BOOT = """
    import json, os, subprocess, sys
    sys.path.insert(0, sys.argv[1])
    import conftest
    from ansible_collections.realip.toa.plugins.module_utils.programs import package as packages
    from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
    args = json.loads(sys.argv[2])
    target = os.path.join(args["root"], sys.argv[3])
    if not os.path.isdir(target):
        os.makedirs(target)
    subprocess.check_call(["mount", "-t", "tmpfs", "-o", "size=%s" % sys.argv[4], "none", target])
    open(os.path.join(args["root"], "boot/vmlinuz-" + args["running"]), "w").close()
    try:
        print(json.dumps(packages.main(args)))
    except TargetError as problem:
        print(json.dumps({"code": problem.code, "message": problem.message, "left": os.listdir(target)}))
"""


def on_small_disk(root, item, place, size):
    """packages.main in a mount namespace of its own, where `place` is a tmpfs of `size` bytes."""
    tests = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    args = {"packages": [item], "state": "present", "check": False, "root": root, "running": RUNNING, "lock_timeout": 1}
    argv = [
        "unshare",
        "-m",
        sys.executable,
        "-c",
        textwrap.dedent(SMALL_BOOT),
        tests,
        json.dumps(args),
        place,
        str(size),
    ]
    out = subprocess.Popen(argv, stdout=subprocess.PIPE).communicate()[0].decode("utf-8")
    return json.loads(out.splitlines()[-1])


def test_no_space_in_boot(root, mirror, tmpdir):
    item = mirror.serve(build_deb(tmpdir, kernel_size=4 << 20))
    answer = on_small_disk(root, item, "boot", 2 << 20)
    assert answer["code"] == "boot_full"
    assert "/boot has 20" in answer["message"] and "needs 51" in answer["message"] and item["file"] in answer["message"]
    assert answer["left"] == ["vmlinuz-" + RUNNING]
    assert status_of(root) == ""
    assert on_small_disk(root, item, "boot", 8 << 20)["after"]["installed"] == {NAME: "1.0"}


def test_no_space_for_the_download(root, mirror, tmpdir):
    item = mirror.serve(build_deb(tmpdir))
    mirror.files[item["file"]] += b"x" * (3 << 20)
    for size, told in ((len(mirror.files[item["file"]]), "disk_full"), (0, "disk_full")):
        answer = on_small_disk(root, dict(item, size=size), "var/cache", 2 << 20)
        assert answer["code"] == told and "realip-toa-test-image" in answer["message"]
