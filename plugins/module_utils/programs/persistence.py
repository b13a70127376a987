# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads a TOA module at every boot, in the one place that really runs on this host, and clears away the places that do not.

The vendors' `echo "modprobe toa" >> /etc/rc.d/rc.local` works on few of the systems that it is told for: Debian and Ubuntu never look
into /etc/rc.d, a line after `exit 0` is never reached, an rc.local without the x bit is never run, typographic quotes become part of
the command, and a path with a kernel's release in it dies with that kernel (field guide, 7, row 8). startup/boot_places.py knows which is which.
What is changed here is recorded with its original bytes (host/managed_files.py), and `absent` puts exactly those back.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

from ansible_collections.realip.toa.plugins.module_utils.host.running import kernel
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, to_text
from ansible_collections.realip.toa.plugins.module_utils.host.file_image import (
    data_of,
    digest_of,
    file_image,
)
from ansible_collections.realip.toa.plugins.module_utils.host.managed_files import Managed, Step
from ansible_collections.realip.toa.plugins.module_utils.host.marks import OUR_SCRIPTS
from ansible_collections.realip.toa.plugins.module_utils.host.module_file import index
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import STATS_FILES, TOA_MODULES, under
from ansible_collections.realip.toa.plugins.module_utils.startup.boot_places import find_places
from ansible_collections.realip.toa.plugins.module_utils.startup.clearing import (
    UNIT,
    UNIT_LINK,
    all_ours,
    stripped,
    without_loads,
)
from ansible_collections.realip.toa.plugins.module_utils.startup.init import init_system
from ansible_collections.realip.toa.plugins.module_utils.startup.methods import SERVICE, add_place, choose
from ansible_collections.realip.toa.plugins.module_utils.startup.module_found import wanted_module, why_not_found

# Folders that exist only because somebody followed a recipe for another distribution.
RECIPE_FOLDERS = ("/etc/rc.d", "/etc/sysconfig/modules")


def main(args):
    """args: name, method, state, check; see plugins/modules/toa_persistence.py. `root`, `init` and `release` are for tests."""
    host = Persistence(args)
    return {"present": _present, "absent": _absent}[args["state"]](host, args)


class Persistence(Managed):
    """What loads TOA at boot on this host, and what should."""

    SECTION = "persistence"

    def __init__(self, args):
        root = args.get("root") or "/"
        Managed.__init__(self, args.get("init") or init_system(root), root)
        self.release = args.get("release") or kernel()
        self.module = (args.get("name") or "").replace("-", "_")
        if self.module not in STATS_FILES:
            raise TargetError(
                "bad_option", "name: %s is no TOA module" % self.module, "use one of %s" % ", ".join(TOA_MODULES)
            )
        self.recover(args["check"])

    def places(self):
        """Without our own scripts, which belong to toa_ebpf and toa_option_filter."""
        return [
            place for place in find_places(self.root, self.release, self.init) if place["module"] not in OUR_SCRIPTS
        ]

    def resolve(self, name):
        """Where a path really is: CentOS has /etc/rc.local as a link to rc.d/rc.local. Stays below the root."""
        for _hop in range(8):
            if not os.path.islink(under(self.root, name)):
                return name
            name = os.path.normpath(os.path.join(os.path.dirname(name), os.readlink(under(self.root, name))))
        raise TargetError("bad_link", "%s is a link that leads in a circle" % name, "repair that link on the host")

    def data(self, name):
        return data_of(self.originals.now(name))

    def mode(self, name, default):
        now = self.originals.now(name)
        return now["mode"] if now and now["kind"] == "file" else default

    def keep_owner(self, name, data, mode):
        """The image of a file with new bytes; its owner stays."""
        image = file_image(data, mode)
        now = self.originals.now(name)
        if now and now["kind"] == "file":
            image.update(uid=now["uid"], gid=now["gid"])
        return image

    # -- what differs from others that leave something (host/managed_files.py) -----------------------------------------------

    def returned(self, facts, instead_of, names):
        if _of_kernel(names):
            _index(self)

    def without_ours(self, name):
        return self.originals.now(name)


# -- states ------------------------------------------------------------------------------------------------------------


def _present(host, args):
    method, path = choose(host, args.get("method") or "auto")
    wanted = without_loads(host, method, path)
    add_place(host, method, path, wanted)
    files, unindexed = ({}, False) if method == SERVICE else wanted_module(host)
    wanted.update(files)
    changes = dict(
        (name, image) for name, image in wanted.items() if digest_of(host.originals.now(name)) != digest_of(image)
    )
    result = _result(host, sorted(set(changes) | set([path])), changes)
    result.update(method=method, path=path)
    result["changed"] = bool(changes or unindexed)
    if result["changed"] and not args["check"]:
        with host.lock():
            _change(host, method, path, changes, unindexed)
    return host.answer(result)


def _change(host, method, path, changes, unindexed):
    """What is new comes first and is seen to work before anything that works now is taken away."""
    of_kernel = dict((name, changes[name]) for name in _of_kernel(changes))
    new = dict((name, image) for name, image in changes.items() if name in (path, UNIT_LINK) or name in of_kernel)

    def verify():
        if method != SERVICE:
            _require(why_not_found(host) or _why_ineffective(host, path), host, path)

    steps = []
    if unindexed:
        steps.append(Step(of_kernel, run=lambda: _index(host), check=lambda: _require(why_not_found(host), host, path)))
    units = [(os.path.basename(UNIT), ("modprobe", host.module))] if method == "systemd" else []
    steps.append(Step(new, units=units, check=verify))
    steps.append(Step(changes, empty=_recipe_folders(changes), check=verify))
    host.establish(steps, {})


def _recipe_folders(changes):
    """Those of a recipe out of which something goes."""
    return [
        folder
        for folder in RECIPE_FOLDERS
        if [name for name, image in changes.items() if image is None and os.path.dirname(name) == folder]
    ]


def _require(why, host, path):
    if why:
        raise TargetError(
            "persistence_ineffective",
            "%s would not be loaded from %s at boot: %s" % (host.module, path, why),
            "remove that obstacle, or choose another method",
        )


def _of_kernel(names):
    """Those among the kernel's modules, which depmod has to see."""
    return tuple(sorted(name for name in names if name.startswith("/lib/modules/")))


def _index(host):
    why = index(host.release, host.root)
    if why:
        raise TargetError(
            "depmod_failed",
            "depmod fails for kernel %s: %s" % (host.release, why),
            "run `depmod -a %s` on the host, repair what it complains about, then run again" % host.release,
        )


def _absent(host, args):
    back, foreign = host.originals.restorable()
    for name in foreign:
        host.notes.append("%s was changed by somebody after us: only our own lines are taken out of it" % name)
    wanted = dict(back)
    for name, data in stripped(host, [place for place in host.places() if place["ours"]]).items():
        if name not in back:
            wanted[name] = (
                host.keep_owner(name, data, host.mode(name, 0o644))
                if data.strip() or not all_ours(host, name)
                else None
            )
    if host.originals.now(UNIT_LINK) and UNIT_LINK not in back and wanted.get(UNIT, 1) is None:
        wanted[UNIT_LINK] = None
    changes = dict(
        (name, image) for name, image in wanted.items() if digest_of(host.originals.now(name)) != digest_of(image)
    )
    result = _result(host, sorted(changes), changes)
    result.update(method="none", path="", changed=bool(changes or host.originals.files))
    if result["changed"] and not args["check"]:
        with host.lock():
            host.take_away(dict((name, changes[name]) for name in changes if name not in back))
    return host.answer(result)


def _result(host, names, changes):
    before, after = {}, {}
    for name in names:
        now = host.originals.now(name)
        before[name] = _shown(name, now)
        after[name] = _shown(name, changes.get(name, now))
    return {"changed": bool(changes), "before": {"files": before}, "after": {"files": after}, "notes": host.notes}


def _shown(name, image):
    if image is None:
        return None
    if image["kind"] == "link":
        return {"link": image["target"]}
    if _of_kernel([name]):
        return {"mode": "%04o" % image["mode"], "content": digest_of(image)}
    return {"mode": "%04o" % image["mode"], "content": to_text(data_of(image))}


def _why_ineffective(host, path):
    """After writing, the host is read anew: what we wrote must be seen to run at the next boot. "" where it is."""
    ours = [
        place
        for place in host.places()
        if place["ours"] and place["module"] == host.module and host.resolve(place["path"]) == path
    ]
    if [place for place in ours if place["effective"]]:
        return ""
    return "; ".join(sorted(set(place["reason"] for place in ours))) or "it is not found there any more"
