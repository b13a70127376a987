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

from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    LOCK_FILE,
    TEXT,
    HostLock,
    TargetError,
    list_dir,
    make_dirs,
    remove_file,
    which,
)
from ansible_collections.realip.toa.plugins.module_utils.host.machine import Machine
from ansible_collections.realip.toa.plugins.module_utils.host.state import STATE_FILE, save_section, section
from ansible_collections.realip.toa.plugins.module_utils.packaging.download import adopt, matches, sweep_partials
from ansible_collections.realip.toa.plugins.module_utils.packaging.dpkg import Dpkg
from ansible_collections.realip.toa.plugins.module_utils.packaging.rpm import Repository, Rpm

CACHE = "var/cache/realip-toa"
MANAGERS = {"deb": Dpkg, "rpm": Rpm}
# Who brings packages from the repositories that a host has; vtoa is the only package that comes that way.
REPOSITORIES = {"rpm": Repository}
TOOLS = {"deb": "dpkg", "rpm": "rpm"}

FILE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9.+~_:%^-]*\.(deb|rpm)$")
RELEASE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._+~-]*$")
SHA256 = re.compile(r"^[0-9a-f]{64}$")

# What a host without any initramfs to measure by is expected to need for one, in bytes.
INITRAMFS_GUESS = 48 << 20
INITRAMFS_MAKERS = ("usr/sbin/update-initramfs", "usr/bin/dracut", "usr/sbin/dracut", "sbin/dracut", "sbin/mkinitrd")
# In the record of a package from the moment its installation begins until its end was seen.
UNFINISHED = "unfinished"
# Kept free on every file system that is written to (grub.cfg, dpkg's own database), in bytes.
SLACK = 1 << 20
BLOCK = 4096

# depmod(8) makes these in /lib/modules/RELEASE after the package is unpacked, so no package owns them.
DEPMOD_FILES = re.compile(
    r"^modules\.(dep|alias|symbols|builtin|softdep|devname|weakdep|builtin\.alias|builtin\.modinfo|order)(\.bin)?$"
)


def main(args):
    """args: packages, state, accept_unverified, accept_downgrade, src, timeout and lock_timeout (seconds), check; see plugins/modules/toa_package.py."""
    items = [_checked(item) for item in args.get("packages") or []]
    _refuse_doubles(items)
    results = [STATES[args["state"]](Host(args, some), some, args) for some in _groups(items, args)]
    return reduce(_together, results)


def _groups(items, args):
    """Files and packages of repositories go different ways. No items at all stand for what we brought."""
    if items:
        kinds = ([item for item in items if not item["repository"]], [item for item in items if item["repository"]])
        return [some for some in kinds if some]
    record = Host(args, []).record() if args["state"] == "absent" else {}
    brought = [
        _checked({"name": name, "repository": True}) for name in sorted(record) if record[name].get("repository")
    ]
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


class Host:
    """The machine that packages go to: its package manager, its cache, its running kernel."""

    def __init__(self, args, items):
        self.root = args.get("root") or "/"
        self.running = args.get("running") or os.uname()[2]
        self.cache = os.path.join(self.root, CACHE)
        self.state_file = os.path.join(self.root, STATE_FILE.lstrip("/"))
        self.manager = _manager_for(items or self.recorded())(self.root)
        self.manager.accept_downgrade = bool(args.get("accept_downgrade"))

    def path(self, name):
        return os.path.join(self.root, name)

    def lock(self):
        return HostLock(LOCK_FILE if self.root == "/" else self.path(LOCK_FILE.lstrip("/")))

    def settle(self):
        """The boot loader sees what was done to /boot, even if the power goes now."""
        Machine(self.root.rstrip("/")).settle([])

    def record(self):
        return record_of(self.state_file)

    def recorded(self):
        """What we brought as files, by name."""
        entries = [(name, entry) for name, entry in sorted(self.record().items()) if not entry.get("repository")]
        return [
            {"name": name, "format": entry["file"].rsplit(".", 1)[-1], "repository": False} for name, entry in entries
        ]

    def save_record(self, record, held=None):
        """What we brought, and what we hold against updates, in the words in which the facts tell of holds."""
        held = section("packages", self.state_file).get("held") if held is None else sorted(held)
        save_section(
            "packages",
            dict({"installed": record}, **({"held": held} if held else {})) if record else {},
            self.state_file,
        )

    def cached_path(self, item):
        return os.path.join(self.cache, item["file"])

    def source(self, item):
        """What the package manager is given to install an item."""
        return item["name"] if item["repository"] else self.cached_path(item)

    def is_cached(self, item):
        return matches(self.cached_path(item), item["sha256"], item["size"])

    def snapshot(self, names, inventory=None):
        """What `before` and `after` show: versions installed, names held, files in the cache."""
        inventory = self.manager.inventory() if inventory is None else inventory
        versions = [(name, self.manager.installed_version(inventory.get(name))) for name in names]
        return {
            "installed": dict((name, version) for name, version in versions if version),
            "held": sorted(name for name in names if inventory.get(name, {}).get("held")),
            "cached": [name for name in list_dir(self.cache) if not name.startswith(".")],
        }

    def is_complete(self, item, inventory):
        """Installed to the end and in the planned version, with the kernel and the modules it is for really there."""
        version = self.manager.installed_version(inventory.get(item["name"]))
        if not version or not self.manager.same_version(version, item["version"]):
            return False
        return not self.missing_files(item) and not self.is_unfinished(item)

    def is_unfinished(self, item):
        """Whether our installation began and nobody has seen its end: rpm has entered a package before its last script makes initramfs and boot entry.

        A kernel that runs has been booted, so it had both.
        """
        return UNFINISHED in self.record().get(item["name"], {}) and item["release"] != self.running

    def missing_files(self, item):
        """Which of the two things a kernel image must bring are not on the host."""
        if item["role"] != "image" or not item["release"]:
            return []
        wanted = ("boot/vmlinuz-" + item["release"], "lib/modules/" + item["release"])
        return ["/" + name for name in wanted if not os.path.exists(self.path(name))]


def record_of(state_file):
    """What we brought, by name: {file, version, release, role, sha256: texts, repository}; entries that are not of that shape are left out."""
    installed = section("packages", state_file).get("installed")
    entries = installed.items() if isinstance(installed, dict) else []
    return dict(
        (name, entry)
        for name, entry in entries
        if isinstance(entry, dict) and all(_is_text(entry.get(key)) for key in ("file", "release"))
    )


def _is_text(value):
    return isinstance(value, (TEXT, str))


# -- states ------------------------------------------------------------------------------------------------------------


def _present(host, items, args):
    names = [item["name"] for item in items]
    inventory = host.manager.inventory()
    before = host.snapshot(names, inventory)
    missing = [item for item in items if not host.is_complete(item, inventory)]
    _refuse_unreviewed(missing, args)
    if not missing:
        return _result(before, before)
    after = _predict(host, before, missing, installed=True)
    if args["check"]:
        _preflight(host, [item for item in missing if not item["repository"] and host.is_cached(item)], inventory)
        return _result(before, after, changed=True)
    with host.lock():
        _fetch(host, missing, args)
        with host.manager.locked(args.get("lock_timeout") or 120):
            inventory = host.manager.inventory()
            _preflight(host, [item for item in missing if not item["repository"]], inventory)
            _install(host, missing, inventory)
        return _signed(host, items, _result(before, host.snapshot(names), changed=True))


def _staged(host, items, args):
    names = [item["name"] for item in items]
    before = host.snapshot(names)
    missing = [item for item in items if not (item["repository"] or host.is_cached(item))]
    _refuse_unreviewed(missing, args)
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
    releases = _releases(host, known, [item for item in items if item["repository"]])
    _refuse_bricking(host, releases)
    stale = [name for name in names if name in record]
    if not (known or stale or os.path.isdir(host.cache)):
        return _result(before, before)
    after = {"installed": {}, "held": [], "cached": []}
    if args["check"]:
        return _result(before, after, changed=True)
    with host.lock():
        if known:
            with host.manager.locked(args.get("lock_timeout") or 120):
                _remove(host, known, releases)
        for name in stale:
            if name not in known:
                _sweep_unowned(host, record[name])
        shutil.rmtree(host.cache, True)
        host.save_record(dict((name, entry) for name, entry in record.items() if name not in names))
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
    change = [name for name in names if (name in before["held"]) != wanted and name not in gone]
    after = dict(before, held=sorted(set(before["held"]) | set(change)) if wanted else [])
    if change and not args["check"]:
        with host.lock():
            with host.manager.locked(args.get("lock_timeout") or 120):
                host.manager.hold(change, wanted)
            after = host.snapshot(names)
            host.save_record(host.record(), host.manager.hold_words(after["held"]))
    return _result(before, after)


def _missing(host, items, args):
    """Which files this host would have to fetch for the state `wanted`: the controller then pushes those and no others."""
    inventory = host.manager.inventory() if args["wanted"] == "present" else None
    files = [item for item in items if item["file"] and not host.is_cached(item)]
    lacking = [item for item in files if inventory is None or not host.is_complete(item, inventory)]
    _refuse_unreviewed(lacking, args)
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


# -- input -------------------------------------------------------------------------------------------------------------


def _checked(item):
    """One entry of `packages` with every key there; TargetError names the key that is wrong."""
    name = item.get("name") or ""
    filename = item.get("file") or (item.get("url") or "").split("?")[0].rsplit("/", 1)[-1]
    suffix = filename.rsplit(".", 1)[-1] if filename else ""
    known = REPOSITORIES if item.get("repository") else MANAGERS
    kind = item.get("format") or (suffix if suffix in TOOLS else "") or _host_format(known)
    if kind not in known:
        raise TargetError(
            "format_unsupported",
            "package %s is in format %s; %s are installed" % (name, kind, ", ".join(sorted(known))),
            "name a package in a format that the host installs",
        )
    if item.get("repository") and (filename or item.get("sha256")):
        raise TargetError(
            "bad_package",
            "packages: %s comes from a repository and has a file as well" % name,
            "give it either repository or url",
        )
    manager = known[kind]()
    given = {
        "name": manager.identity(name, filename),
        "repository": bool(item.get("repository")),
        "file": filename,
        "url": item.get("url") or "",
        "sha256": (item.get("sha256") or "").lower(),
        "size": int(item.get("size") or 0),
        "format": kind,
        "role": item.get("role") or ("image" if item.get("release") else "other"),
        "release": item.get("release") or "",
        "version": manager.version_in_name(filename) if filename else "",
    }
    for key, pattern, needed in (
        ("name", manager.NAME, True),
        ("file", FILE_NAME, False),
        ("sha256", SHA256, False),
        ("release", RELEASE, False),
    ):
        if (given[key] or needed) and not pattern.match(given[key]):
            raise TargetError(
                "bad_package",
                "packages: %s of %s is %r, which is not a valid one"
                % (key, name or filename or "an entry", given[key]),
                "correct %s in the catalog, the lock file or the task" % key,
            )
    return given


def _refuse_doubles(items):
    names = sorted(item["name"] for item in items)
    for first, second in zip(names, names[1:]):
        if first == second:
            raise TargetError("bad_package", "packages: %s is named twice" % first, "name each package once")


def _refuse_unreviewed(items, args):
    """Without a digest nobody knows what is installed: only with the operator's word."""
    for item in items:
        if not (item["sha256"] or item["repository"] or args.get("accept_unverified")):
            raise TargetError(
                "no_digest",
                "no sha256 is known for %s, so what the mirror serves could be anything" % item["file"],
                "run the playbook realip.toa.lock and review toa.lock.yml, or set toa_accept_unverified_packages: true",
            )


def _host_format(known):
    """The first of the known formats that this host has a tool for."""
    return ([kind for kind in sorted(known) if which(TOOLS[kind])] or ["none"])[0]


def _manager_for(items):
    formats = sorted(set(item["format"] for item in items)) or [_host_format(MANAGERS)]
    if len(formats) > 1:
        raise TargetError(
            "bad_package",
            "packages: formats are mixed (%s)" % ", ".join(formats),
            "name packages of one format per task",
        )
    if formats[0] not in MANAGERS or not which(TOOLS[formats[0]]):
        raise TargetError(
            "format_unsupported",
            "this host has no package manager for format %s" % formats[0],
            "name a package in a format that the host installs",
        )
    return REPOSITORIES[formats[0]] if items and items[0]["repository"] else MANAGERS[formats[0]]


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
        _need_room(host, [(CACHE, item["size"])], item["file"])
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


# -- before the package manager starts ---------------------------------------------------------------------------------


def _preflight(host, items, inventory):
    """Everything that can be refused while the host is still untouched; `items` are in the cache."""
    _refuse_interrupted(host, [item["name"] for item in items], inventory)
    needs = []
    for item in items:
        package = host.manager.describe(host.cached_path(item))
        _refuse_other_package(host, item, package)
        needs.extend(package["files"])
        if item["role"] == "image":
            needs.append(("boot/initramfs", _initramfs_size(host)))
    if items:
        _need_room(host, needs, ", ".join(item["file"] for item in items))
    host.manager.rehearse([host.cached_path(item) for item in items])


def _refuse_interrupted(host, names, inventory):
    """Our own half-done packages are simply done again; those of others are not ours to touch."""
    others = [name for name in host.manager.broken(inventory) if name not in names and name not in host.record()]
    if others:
        raise TargetError(
            "package_tool_interrupted",
            "an earlier installation was interrupted and left half done: %s" % ", ".join(others[:10]),
            "repair it on the host (dpkg --configure -a), then run again",
        )


def _refuse_other_package(host, item, package):
    problems = []
    if package["name"] != item["name"]:
        problems.append("it is the package %s, not %s" % (package["name"], item["name"]))
    if not host.manager.same_version(package["version"], item["version"]):
        problems.append("it is version %s, not %s" % (package["version"], item["version"]))
    if not host.manager.fits(package["arch"]):
        problems.append("it is for %s, and this host is %s" % (package["arch"], host.manager.native_arch()))
    paths = [re.sub(r"^usr/", "", path) for path, _size in package["files"]]
    if item["role"] == "image" and item["release"]:
        if "boot/vmlinuz-" + item["release"] not in paths:
            problems.append("it has no /boot/vmlinuz-%s" % item["release"])
        if not [path for path in paths if path.startswith("lib/modules/%s/" % item["release"])]:
            problems.append("it has no modules for %s" % item["release"])
    if problems:
        raise TargetError(
            "package_mismatch",
            "%s is not what was planned: %s" % (item["file"], "; ".join(problems)),
            "correct the catalog entry or the lock file, or serve the right file",
        )
    _refuse_loss_of_running(host, item, package, paths)


def _refuse_loss_of_running(host, item, package, paths):
    """dpkg removes without a question what a new package conflicts with and replaces, and overwrites what it brings anew."""
    running = "boot/vmlinuz-" + host.running
    over = [path for path in paths if path == running or path.startswith("lib/modules/%s/" % host.running)]
    if over or set(package["conflicts"]) & set(host.manager.owners("/" + running)):
        raise TargetError(
            "running_kernel",
            "%s would replace the kernel that is running, %s" % (item["file"], host.running),
            "boot another kernel first, then run again",
        )


def _initramfs_size(host):
    """Bytes that the new kernel's initramfs will take: as much as the largest that is there."""
    if not [name for name in INITRAMFS_MAKERS if os.path.exists(host.path(name))]:
        return 0
    sizes = [
        os.path.getsize(host.path("boot/" + name))
        for name in list_dir(host.path("boot"))
        if re.match(r"^init(rd|ramfs)", name)
    ]
    return max(sizes) if sizes else INITRAMFS_GUESS


def _need_room(host, needs, what):
    """TargetError where a file system has not the room for `needs`: (path below the root, bytes) each."""
    wanted = {}
    for name, size in needs:
        folder = _existing_folder(host.path(name), host.root)
        device = os.stat(folder).st_dev
        entry = wanted.setdefault(device, {"bytes": SLACK, "files": 0, "folder": folder, "boot": False})
        entry["bytes"] += -(-size // BLOCK) * BLOCK
        entry["files"] += 1
        entry["boot"] = entry["boot"] or name.startswith("boot/")
    for entry in wanted.values():
        _need_room_on(host, entry, what)


def _need_room_on(host, entry, what):
    there = os.statvfs(entry["folder"])
    free = there.f_bavail * there.f_frsize
    if free >= entry["bytes"] and (not there.f_files or there.f_favail >= entry["files"]):
        return
    place = "/boot" if entry["boot"] else os.path.normpath("/" + os.path.relpath(entry["folder"], host.root))
    if free >= entry["bytes"]:
        need, have, unit = entry["files"], there.f_favail, "inodes"
    else:
        need, have, unit = -(-entry["bytes"] // 1024), free // 1024, "KiB"
    raise TargetError(
        "boot_full" if entry["boot"] else "disk_full",
        "%s has %d %s free, and %s needs %d" % (place, have, unit, what, need),
        "remove kernels that are neither running nor the fallback, then run again"
        if entry["boot"]
        else "make room there, then run again",
        need_kib=need,
        free_kib=have,
    )


def _existing_folder(path, root):
    while not os.path.isdir(path):
        parent = os.path.dirname(path)
        if len(parent) < len(root) or parent == path:
            return root
        path = parent
    return path


# -- changing the host -------------------------------------------------------------------------------------------------


def _install(host, items, inventory):
    """One run of the package manager; whatever it leaves half done is taken back before the error is told."""
    record = host.record()
    entries = dict(
        (item["name"], _record_entry(item)) for item in items if item["name"] not in inventory or item["name"] in record
    )
    host.save_record(dict(record, **dict((name, dict(entry, **{UNFINISHED: True})) for name, entry in entries.items())))
    rc, said = host.manager.install([host.source(item) for item in items])
    gaps = [] if rc != 0 else _gaps(host, items)
    if rc == 0 and not gaps:
        host.settle()
        host.save_record(dict(record, **entries))
        return
    left = _take_back(host, items, inventory)
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


def _take_back(host, items, inventory):
    """Remove what was not there before; returns the names that would not go."""
    fresh = [item for item in items if item["name"] not in inventory]
    now = host.manager.inventory()
    names = [item["name"] for item in fresh if item["name"] in now]
    if names:
        host.manager.remove(names)
    host.manager.forget([item["name"] for item in fresh if item["name"] not in names])
    for item in fresh:
        _sweep_release(host, item["release"])
    now = host.manager.inventory()
    return [name for name in names if name in now]


def _releases(host, names, from_repository):
    """Kernel releases whose image or modules belong to these packages; one from a repository may add modules to the running kernel."""
    owner = (
        r"^(?:/usr)?/boot/vmlinuz-([^/]+)$" if from_repository else r"^(?:/usr)?/(?:boot/vmlinuz-|lib/modules/)([^/]+)$"
    )
    found = set()
    for name in names:
        for path in host.manager.files_of(name):
            owned = re.match(owner, path)
            if owned:
                found.add(owned.group(1))
    return sorted(found)


def _refuse_bricking(host, releases):
    if host.running in releases:
        raise TargetError(
            "running_kernel",
            "the kernel %s is running and cannot be removed" % host.running,
            "boot another kernel first (toa_boot state: reverted, then toa_reboot), then run again",
        )
    others = [
        name
        for name in list_dir(host.path("boot"))
        if name.startswith("vmlinuz-") and name[len("vmlinuz-") :] not in releases
    ]
    if releases and not others:
        raise TargetError(
            "last_kernel",
            "no other kernel would be left in /boot",
            "install the distribution's kernel first, then run again",
        )


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
        _sweep_release(host, release)
    host.settle()


def _sweep_unowned(host, entry):
    """What an rpm that was killed had unpacked: it enters a package in its database only at the end."""
    release = entry.get("release") or ""
    places = ["/boot/vmlinuz-" + release, "/lib/modules/" + release]
    if (
        not RELEASE.match(release)
        or release == host.running
        or [place for place in places if host.manager.owners(place)]
    ):
        return
    left = re.compile(r"^\.?(vmlinuz|System\.map|config|symvers)-%s(\.hmac|\.gz)?(;[0-9a-f]+)?$" % re.escape(release))
    for name in list_dir(host.path("boot")):
        if left.match(name):
            remove_file(host.path("boot/" + name))
    shutil.rmtree(host.path("lib/modules/" + release), True)
    _sweep_release(host, release)


def _sweep_release(host, release):
    """What tools made for a kernel that is gone, and no package owns: initramfs, depmod's files, empty folders."""
    if not release or release == host.running or os.path.exists(host.path("boot/vmlinuz-" + release)):
        return
    for name in list_dir(host.path("boot")):
        if re.match(
            r"^init(rd\.img|rd|ramfs)-%s(kdump)?(\.img)?(\.(old|bak|new|dpkg-bak|old-dkms))?$" % re.escape(release),
            name,
        ):
            remove_file(host.path("boot/" + name))
    remove_file(host.path("var/lib/initramfs-tools/" + release))
    modules = host.path("lib/modules/" + release)
    for name in list_dir(modules):
        if DEPMOD_FILES.match(name):
            remove_file(os.path.join(modules, name))
    for folder, _folders, _files in os.walk(modules, topdown=False):
        try:
            os.rmdir(folder)
        except OSError:
            pass
