# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches, checks, installs, holds and removes kernel packages, beside the running kernel and never over it.

What can be known before the package manager starts is known before it starts: digest, name, version, architecture, release,
room in /boot, the lock. What fails after that is taken back, so a host is either as it was or complete.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re
import shutil
from functools import reduce

from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import look
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.writing import make_dirs
from ansible_collections.realip.toa.plugins.module_utils.host.machine import Machine
from ansible_collections.realip.toa.plugins.module_utils.packaging.brought import CACHE, UNFINISHED, Host, along_of
from ansible_collections.realip.toa.plugins.module_utils.packaging.checks import need_room, preflight, refuse_bricking
from ansible_collections.realip.toa.plugins.module_utils.packaging.default_kernel import DefaultStays
from ansible_collections.realip.toa.plugins.module_utils.packaging.download import adopt, sweep_partials
from ansible_collections.realip.toa.plugins.module_utils.packaging.leftovers import (
    releases_of,
    sweep_release,
    sweep_unowned,
    take_back,
)
from ansible_collections.realip.toa.plugins.module_utils.packaging.wanted import (
    checked,
    refuse_doubles,
    refuse_unreviewed,
)
from ansible_collections.realip.toa.plugins.module_utils.programs.boot import Boot
from ansible_collections.realip.toa.plugins.module_utils.programs.boot import checked as boot_arguments


def main(args):
    """args: packages, state, accept_unverified, accept_downgrade, src, timeout and lock_timeout (seconds), check; see plugins/modules/toa_package.py."""
    items = [checked(item) for item in args.get("packages") or []]
    refuse_doubles(items)
    results = [STATES[args["state"]](Host(args, some), some, args) for some in _groups(items, args)]
    return reduce(_together, results)


def _groups(items, args):
    """Files and packages of repositories go different ways. No items at all stand for what we brought."""
    if items:
        kinds = ([item for item in items if not item["repository"]], [item for item in items if item["repository"]])
        return [some for some in kinds if some]
    record = Host(args, []).record() if args["state"] == "absent" else {}
    brought = [checked({"name": name, "repository": True}) for name in sorted(record) if record[name].get("repository")]
    return [[], brought] if brought else [[]]


def _together(one, other):
    """One result out of those of two groups."""
    result = {"changed": one["changed"] or other["changed"]}
    for key, value in list(one.items()) + list(other.items()):
        if key not in ("changed", "before", "after"):
            result[key] = (
                dict(result.get(key) or {}, **value) if isinstance(value, dict) else (result.get(key) or []) + value
            )
    for side in ("before", "after"):
        result[side] = {"installed": dict(one[side]["installed"], **other[side]["installed"])}
        for key in ("held", "cached"):
            result[side][key] = sorted(set(one[side][key]) | set(other[side][key]))
    return result


# -- states ------------------------------------------------------------------------------------------------------------


def _present(host, items, args):
    names = [item["name"] for item in items]
    inventory = host.manager.inventory()
    before = host.snapshot(names, inventory)
    missing = [item for item in items if not host.is_complete(item, inventory)]
    refuse_unreviewed(missing, args)
    if not missing:
        return _result(before, before)
    after = _predict(host, before, missing, installed=True)
    if args["check"]:
        preflight(host, [item for item in missing if not item["repository"] and host.is_cached(item)], inventory)
        return _result(before, after, changed=True)
    with host.lock():
        _fetch(host, missing, args)
        with host.manager.locked(args.get("lock_timeout") or 120):
            inventory = host.manager.inventory()
            preflight(host, [item for item in missing if not item["repository"]], inventory)
            _install(host, missing, inventory)
        return _signed(host, items, _result(before, host.snapshot(names), changed=True))


def _staged(host, items, args):
    names = [item["name"] for item in items]
    before = host.snapshot(names)
    missing = [item for item in items if not (item["repository"] or host.is_cached(item))]
    refuse_unreviewed(missing, args)
    if not missing or args["check"]:
        return _result(before, _predict(host, before, missing, installed=False))
    with host.lock():
        _fetch(host, missing, args)
        return _signed(host, items, _result(before, host.snapshot(names)))


def _signed(host, items, result):
    """What is known of signatures, by file or name: said, since for most vendors it is that there is none."""
    return dict(
        result,
        signatures=dict((item["file"] or item["name"], host.manager.signature(host.source(item))) for item in items),
    )


def _absent(host, items, args):
    """Without `packages`, what the record says that we brought; the cache goes in any case."""
    record = host.record()
    names = [item["name"] for item in items or host.recorded()]
    inventory = host.manager.inventory()
    before = host.snapshot(names, inventory)
    known = [name for name in names if name in inventory]
    releases = releases_of(host, known, [item for item in items if item["repository"]])
    refuse_bricking(host, releases)
    stale = [name for name in names if name in record]
    if not (known or stale or os.path.isdir(host.cache) or (host.recorded_holds() and not items)):
        return _result(before, before)
    after = {"installed": {}, "held": [], "cached": []}
    if args["check"]:
        return _result(before, after, changed=True)
    with host.lock():
        if known:
            with host.manager.locked(args.get("lock_timeout") or 120):
                host.manager.along = along_of(record, names)
                _remove(host, known, releases)
        words = [] if items else host.recorded_holds()
        if words:
            with host.manager.locked(args.get("lock_timeout") or 120):
                host.manager.let_go(words)
        for name in stale:
            if name not in known:
                sweep_unowned(host, record[name])
        shutil.rmtree(host.cache, True)
        DefaultStays(host.root).put_back()
        left = dict((name, entry) for name, entry in record.items() if name not in names)
        host.save_record(left, None if left else [])
        return _result(before, host.snapshot(names), changed=True)


def _held(host, items, args):
    return _hold(host, items, args, True)


def _unheld(host, items, args):
    return _hold(host, items, args, False)


def _hold(host, items, args, wanted):
    names = [item["name"] for item in items or host.recorded()]
    before = host.snapshot(names)
    gone = [name for name in names if name not in before["installed"]]
    if gone and wanted:
        raise TargetError(
            "package_not_installed",
            "cannot hold what is not installed: %s" % ", ".join(gone),
            "install it first (state: present), or leave it out",
        )
    if not host.manager.can_hold():
        return _result(before, before)
    # What we hold and did not bring: the kernel was there before us.
    words = [] if items or wanted else host.recorded_holds()
    change = [name for name in names if (name in before["held"]) != wanted and name not in gone]
    after = dict(before, held=sorted(set(before["held"]) | set(change)) if wanted else [])
    if (change or words) and not args["check"]:
        with host.lock():
            with host.manager.locked(args.get("lock_timeout") or 120):
                if change:
                    host.manager.hold(change, wanted)
                if words:
                    host.manager.let_go(words)
            after = host.snapshot(names)
            host.save_record(host.record(), host.manager.hold_words(after["held"]))
    return _result(before, after, changed=bool(words) or before != after)


def _missing(host, items, args):
    """Which files this host would have to fetch for the state `wanted`: the controller then pushes those and no others."""
    inventory = host.manager.inventory() if args["wanted"] == "present" else None
    files = [item for item in items if item["file"] and not host.is_cached(item)]
    lacking = [item for item in files if inventory is None or not host.is_complete(item, inventory)]
    refuse_unreviewed(lacking, args)
    there = host.snapshot([item["name"] for item in items], inventory)
    return dict(_result(there, there), missing=[item["file"] for item in lacking])


STATES = {
    "present": _present,
    "staged": _staged,
    "absent": _absent,
    "held": _held,
    "unheld": _unheld,
    "missing": _missing,
}


def _result(before, after, changed=None):
    return {"changed": before != after if changed is None else changed, "before": before, "after": after}


def _predict(host, before, missing, installed):
    after = dict(before, cached=sorted(set(before["cached"]) | set(item["file"] for item in missing if item["file"])))
    if installed:
        sources = [(item, "as in " + (item["file"] or "the repositories")) for item in missing]
        planned = [
            (item["name"], item["version"] or before["installed"].get(item["name"], source)) for item, source in sources
        ]
        after["installed"] = dict(before["installed"], **dict(planned))
    return after


# -- fetching ----------------------------------------------------------------------------------------------------------


def _fetch(host, items, args):
    """Every file of `items` verified in the cache, or none of them used."""
    make_dirs(host.cache, 0o700)
    os.chmod(host.cache, 0o700)
    sweep_partials(host.cache)
    for item in items:
        if item["repository"] or host.is_cached(item):
            continue
        if not item["file"]:
            raise TargetError(
                "bad_package", "packages: %s has neither file nor url" % item["name"], "give it a file and a url"
            )
        need_room(host, [(CACHE, item["size"])], item["file"])
        adopt(
            _source(item, args),
            host.cached_path(item),
            item["file"],
            item["sha256"],
            item["size"],
            args.get("timeout") or 600,
        )


def _source(item, args):
    if args.get("src"):
        return os.path.join(args["src"], item["file"])
    if not item["url"]:
        raise TargetError(
            "package_unavailable",
            "no url is known for %s" % item["file"],
            "give it a url, or push it and name its folder in src",
        )
    return item["url"]


# -- changing the host -------------------------------------------------------------------------------------------------


def _install(host, items, inventory):
    """One run of the package manager; whatever it leaves half done is taken back before the error is told."""
    record = host.record()
    entries = dict(
        (item["name"], _record_entry(item)) for item in items if item["name"] not in inventory or item["name"] in record
    )
    host.save_record(dict(record, **dict((name, dict(entry, **{UNFINISHED: True})) for name, entry in entries.items())))
    boots = look(host.root)["default"]
    with DefaultStays(host.root):
        rc, said = host.manager.install([host.source(item) for item in items])
    gaps = [] if rc != 0 else _gaps(host, items)
    if rc == 0 and not gaps:
        _keep_default(host, boots)
        host.settle()
        along = getattr(host.manager, "along", None)
        if along:
            entries = dict((name, dict(entry, along=along)) for name, entry in entries.items())
        host.save_record(dict(record, **entries))
        return
    left = take_back(host, items, inventory)
    host.save_record(dict((name, entry) for name, entry in host.record().items() if name in record or name in left))
    code, remedy = _diagnosis(host, said) or (
        "install_failed",
        "nothing of it is left on the host; find out why on one host before trying again",
    )
    why = "the package manager failed (%d): %s" % (rc, said)
    if gaps:
        code, why = "install_incomplete", "installed, but %s is missing" % " and ".join(gaps)
    if left:
        remedy = "taking it back left %s half installed: repair that on the host before trying again" % ", ".join(left)
    raise TargetError(code, "%s: %s" % (", ".join(item["file"] or item["name"] for item in items), why), remedy)


def _keep_default(host, release):
    """Some kernels make themselves the default whatever the settings say (new-kernel-pkg --make-default): then what booted before is pinned."""
    now = look(host.root)["default"]
    if release and now != release:
        wish = {"state": "default", "kernel": release}
        Boot(Machine(host.root.rstrip("/")), boot_arguments(wish)).result(apply=True)


def _gaps(host, items):
    """What is missing although the package manager is content."""
    inventory = host.manager.inventory()
    absent = [
        "package " + item["name"] for item in items if not host.manager.installed_version(inventory.get(item["name"]))
    ]
    return absent + [gap for item in items for gap in host.missing_files(item)]


def _diagnosis(host, said):
    """(code, remedy) where the package manager knows what it means, else None."""
    for pattern, code, remedy in host.manager.DIAGNOSES:
        if re.search(pattern, said):
            return code, remedy
    return None


def _record_entry(item):
    entry = dict((key, item[key]) for key in ("file", "version", "release", "role", "sha256"))
    return dict(entry, repository=True) if item["repository"] else entry


def _remove(host, names, releases):
    rc, said = host.manager.remove(names)
    left = [name for name in names if name in host.manager.inventory()]
    if rc != 0 or left:
        raise TargetError(
            "remove_failed",
            "the package manager could not remove %s (%d): %s" % (", ".join(left or names), rc, said),
            "repair that on the host, then run again",
        )
    for release in releases:
        sweep_release(host, release)
    host.settle()
