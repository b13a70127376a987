# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module in the hands of DKMS, which builds it again for each kernel that comes."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import shutil

from ansible_collections.realip.toa.plugins.module_utils.building.module_host import module_file, record_of
from ansible_collections.realip.toa.plugins.module_utils.building.tools import BuildPackages, bring
from ansible_collections.realip.toa.plugins.module_utils.building.tree import build_failed
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, read_bytes, which
from ansible_collections.realip.toa.plugins.module_utils.host.writing import (
    make_dirs,
    remove_empty,
    remove_file,
    write_own,
)

# Where modprobe looks first, whatever depmod.d says.
FOLDER = "updates"
# How DKMS knows what is ours, whatever the source calls itself.
PACKAGE = "realip-toa"
DKMS_CONF = """
# Written by realip.toa.
PACKAGE_NAME="%(package)s"
PACKAGE_VERSION="%(version)s"
BUILT_MODULE_NAME[0]="%(module)s"
BUILT_MODULE_LOCATION[0]="%(location)s"
DEST_MODULE_NAME[0]="%(module)s"
DEST_MODULE_LOCATION[0]="/%(folder)s/dkms"
MAKE[0]="make -C $kernel_source_dir M=$dkms_tree/$module/$module_version/build/%(location)s %(words)s"
AUTOINSTALL="yes"
"""


def use_dkms(host, wanted, notes):
    """Whether DKMS builds. What is not to be had becomes a note."""
    if wanted.method == "plain":
        return False
    said = ""
    if not which("dkms"):
        said = bring(host, BuildPackages(), ["dkms"]) if host.args.get("install_tools") else "it is not installed"
    if not which("dkms"):
        if wanted.method == "dkms":
            raise TargetError("dkms_missing", "DKMS cannot be had: %s" % said, "install dkms, or use method: plain")
        notes.append(
            "built without DKMS, which cannot be had (%s): build again after each kernel update"
            % (said or "no package")
        )
        return False
    if host.args.get("install_tools"):
        _follow_updates(host, notes)
    return True


def _follow_updates(host, notes):
    """See that a kernel update brings its headers along: without them DKMS cannot build for it."""
    name, version = BuildPackages().following_headers(host.running)
    if not name or name in BuildPackages().installed():
        return
    said = bring(host, BuildPackages(), ["%s=%s" % (name, version)])
    if said:
        notes.append(
            "%s in version %s cannot be had (%s): DKMS builds for the next kernel only where its headers come with it"
            % (name, version, said)
        )


def with_dkms(host, wanted, tree):
    """Build with the next version in DKMS beside the present one, then let it take its place."""
    version = wanted.identity()
    old = host.record()
    folder = host.path("/usr/src/%s-%s" % (PACKAGE, version))
    again = old.get("version") == version
    if again:
        forget_dkms(host, old)
    make_dirs(os.path.dirname(folder))
    shutil.rmtree(folder, True)
    _write_conf(wanted, tree, version)
    shutil.copytree(tree, folder, symlinks=True)
    try:
        for step in (("add",), ("build", "-k", host.running)):
            rc, out = host.dkms(step[0], "-m", PACKAGE, "-v", version, *step[1:])
            if rc != 0 and not (step[0] == "add" and "already" in out):
                raise build_failed(
                    wanted.module,
                    _make_log(host, version) or out,
                    _dkms_folder(host, version) + "/build",
                    timed_out=rc == 124,
                )
    except TargetError:
        forget_dkms(host, {"version": version})
        raise
    if old.get("module"):
        forget_module(host, old)
    record = record_of(wanted, "dkms", old)
    record["version"] = version
    host.save(record)
    rc, out = host.dkms("install", "-m", PACKAGE, "-v", version, "-k", host.running, "--force")
    if host.root != "/":
        host.depmod(host.running)
    if rc != 0 or not module_file(host, record):
        forget_dkms(host, record)
        host.save({"packages": record["packages"]} if record["packages"] else {})
        raise TargetError(
            "build_failed",
            "DKMS built the module and did not install it: %s" % " ".join(out.split())[-400:],
            "see `dkms status` on the host",
        )


def _write_conf(wanted, tree, version):
    """dkms.conf is a script, in which the last word counts: a source's own one keeps what ours does not say."""
    path = os.path.join(tree, "dkms.conf")
    given = (read_bytes(path) or b"").decode("utf-8", "replace") if wanted.own_dkms else ""
    words = {
        "package": PACKAGE,
        "version": version,
        "module": wanted.module,
        "location": wanted.folder + "/" if wanted.folder else "",
        "folder": FOLDER,
        "words": " ".join("'%s'" % word if re.search(r"[^\w=./:+-]", word) else word for word in wanted.words),
    }
    ours = DKMS_CONF % words
    if given:
        ours = re.sub(r"(?m)^MAKE\[0\].*\n", "", ours) if re.search(r"(?m)^\s*MAKE", given) else ours
    write_own(path, given + ours)


def _dkms_folder(host, version):
    return host.path("/var/lib/dkms/%s/%s" % (PACKAGE, version))


def _make_log(host, version):
    """What make said: DKMS itself only names the file, in one of two places by its age."""
    base = _dkms_folder(host, version)
    for place in ("build/make.log", "%s/%s/log/make.log" % (host.running, host.arch)):
        text = (read_bytes(os.path.join(base, place), 1 << 20) or b"").decode("utf-8", "replace")
        if text:
            return text
    return ""


def forget_dkms(host, record):
    version = record.get("version")
    if not version or not re.match(r"^[0-9a-f]+$", version):
        return
    if which("dkms"):
        host.dkms("remove", "-m", PACKAGE, "-v", version, "--all")
    shutil.rmtree(_dkms_folder(host, version), True)
    remove_empty(host.path("/var/lib/dkms/" + PACKAGE))
    shutil.rmtree(host.path("/usr/src/%s-%s" % (PACKAGE, version)), True)


def forget_module(host, record):
    """Take the module away from every kernel that has it of us."""
    forget_dkms(host, record)
    for release, entry in sorted((record.get("files") or {}).items()):
        place = host.path("/lib/modules/%s/%s/%s.ko" % (release, FOLDER, record["module"]))
        if entry.get("path") and remove_file(place):
            remove_empty(os.path.dirname(place))
            host.depmod(release)
