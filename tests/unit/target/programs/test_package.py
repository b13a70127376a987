# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages that are installed, held and removed, with a real dpkg (deb_samples.py)."""

from __future__ import absolute_import, division, print_function

import os
import subprocess

from ansible_collections.realip.toa.plugins.module_utils.host.state import load
from deb_samples import (
    NAME,
    RELEASE,
    STATE,
    build_deb,
    call,
    item_for,
    mirror_of_debs,  # noqa: F401
    read,
    refused,
    root_of_debs,  # noqa: F401
    status_of,
    tree_of,
    write,
)

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
