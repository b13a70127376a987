# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input and bad luck with packages: one clear error, an untouched host (deb_samples.py)."""

from __future__ import absolute_import, division, print_function

import fcntl
import json
import os
import subprocess
import sys
import textwrap

import pytest

from ansible_collections.realip.toa.plugins.module_utils.host.lock import HostLock
from deb_samples import (
    NAME,
    RELEASE,
    RUNNING,
    STATE,
    build_deb,
    call,
    item_for,
    mirror_of_debs,  # noqa: F401
    read,
    refused,
    root_of_debs,  # noqa: F401
    status_of,
    write,
)

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
    monkeypatch.setattr(HostLock, "TIME_LIMIT", 0)
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


@pytest.mark.parametrize(
    "name, code",
    [
        ("initramfs-0-rescue-0f3ad1a0c2c74d4f.img", ""),
        ("initramfs-%s.img" % RUNNING, "boot_full"),
        ("initramfs-%skdump.img" % RUNNING, ""),
    ],
)
def test_room_for_an_initramfs_is_measured_by_those_that_are_alike(root, name, code):
    """A rescue image is four times as large as any other one, and filled a /boot that had room enough."""
    from ansible_collections.realip.toa.plugins.module_utils.packaging import checks

    class Host:
        root = ""

        @staticmethod
        def path(below):
            return os.path.join(root, below)

    for place, size in (
        (checks.INITRAMFS_MAKERS[0], 1),
        ("boot/initramfs-4.18.0.img", 4 << 20),
        ("boot/" + name, 80 << 20),
    ):
        if not os.path.isdir(os.path.dirname(os.path.join(root, place))):
            os.makedirs(os.path.dirname(os.path.join(root, place)))
        with open(os.path.join(root, place), "wb") as handle:
            handle.truncate(size)
    assert checks._initramfs_size(Host) == (80 << 20 if code else 4 << 20)


def test_no_space_for_the_download(root, mirror, tmpdir):
    item = mirror.serve(build_deb(tmpdir))
    mirror.files[item["file"]] += b"x" * (3 << 20)
    for size, told in ((len(mirror.files[item["file"]]), "disk_full"), (0, "disk_full")):
        answer = on_small_disk(root, dict(item, size=size), "var/cache", 2 << 20)
        assert answer["code"] == told and "realip-toa-test-image" in answer["message"]
