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

from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, to_text, which
from ansible_collections.realip.toa.plugins.module_utils.host.lock import LOCK_FILE, HostLock
from ansible_collections.realip.toa.plugins.module_utils.host.managed_files import (
    Originals,
    data_of,
    digest_of,
    file_image,
    link_image,
    runnable,
    tell_daemons,
)
from ansible_collections.realip.toa.plugins.module_utils.host.marks import MARKER, OUR_SCRIPTS
from ansible_collections.realip.toa.plugins.module_utils.host.state import STATE_FILE, save_section, section
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import STATS_FILES, TOA_MODULES, under
from ansible_collections.realip.toa.plugins.module_utils.startup.boot_places import find_places
from ansible_collections.realip.toa.plugins.module_utils.startup.clearing import (
    ETC_MODULES,
    MODULES_LOAD,
    SYSCONFIG,
    UNIT,
    UNIT_LINK,
    all_ours,
    stripped,
    without_loads,
)
from ansible_collections.realip.toa.plugins.module_utils.startup.confinement import confined
from ansible_collections.realip.toa.plugins.module_utils.startup.init import (
    UNIT_DIRS,
    boot_script,
    etc_modules_reason,
    init_system,
    modules_load_reason,
    sysconfig_modules_reason,
    unit_enabled,
)
from ansible_collections.realip.toa.plugins.module_utils.startup.own_scripts import ended, with_rc_line

# Folders that exist only because somebody followed a recipe for another distribution.
RECIPE_FOLDERS = ("/etc/rc.d", "/etc/sysconfig/modules")

WHY = MARKER + ": loads the module that shows the real client address; managed, do not edit"
# The method that adds nothing: a package's own unit loads the module.
SERVICE = "service"
UNIT_TEXT = """%(why)s
[Unit]
Description=Load %(module)s, which shows the real client address behind the load balancer
DefaultDependencies=no
After=systemd-modules-load.service
Before=network.target shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=%(modprobe)s %(module)s
%(confined)s

[Install]
WantedBy=multi-user.target
"""


def main(args):
    """args: name, method, state, check; see plugins/modules/toa_persistence.py. `root` and `init` are for tests."""
    return {"present": _present, "absent": _absent}[args["state"]](Persistence(args), args)


class Persistence:
    """What loads TOA at boot on this host, and what should."""

    def __init__(self, args):
        self.root = args.get("root") or "/"
        self.init = args.get("init") or init_system(self.root)
        self.module = (args.get("name") or "").replace("-", "_")
        if self.module not in STATS_FILES:
            raise TargetError(
                "bad_option", "name: %s is no TOA module" % self.module, "use one of %s" % ", ".join(TOA_MODULES)
            )
        self.state_file = under(self.root, STATE_FILE)
        self.originals = Originals(section("persistence", self.state_file), self.root)
        self.notes = []

    def places(self):
        """Without our own scripts, which belong to toa_ebpf and toa_option_filter."""
        return [place for place in find_places(self.root, None, self.init) if place["module"] not in OUR_SCRIPTS]

    def lock(self):
        return HostLock(LOCK_FILE if self.root == "/" else under(self.root, LOCK_FILE))

    def save(self):
        save_section("persistence", self.originals.record(), self.state_file)

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


# -- states ------------------------------------------------------------------------------------------------------------


def _present(host, args):
    method, path = _choose(host, args.get("method") or "auto")
    wanted = without_loads(host, method, path)
    _add_place(host, method, path, wanted)
    changes = dict(
        (name, image) for name, image in wanted.items() if digest_of(host.originals.now(name)) != digest_of(image)
    )
    result = _result(host, sorted(set(changes) | set([path])), changes)
    result.update(method=method, path=path)
    if changes and not args["check"]:
        with host.lock():
            kept = dict((name, host.originals.now(name)) for name in changes)
            record = host.originals.copy_of_record()
            _apply(host, changes)
            why = "" if method == SERVICE else _why_ineffective(host, path)
            if why:
                _undo(host, kept, record)
                raise TargetError(
                    "persistence_ineffective",
                    "%s would not be loaded from %s at boot: %s" % (host.module, path, why),
                    "remove that obstacle, or choose another method",
                )
    return result


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
            for name in sorted(changes):
                if name not in back:
                    host.originals.change(name, changes[name])
            host.originals.restore()
            host.save()
            _tell_daemons(host, changes)
    return result


def _result(host, names, changes):
    before, after = {}, {}
    for name in names:
        now = host.originals.now(name)
        before[name] = _shown(now)
        after[name] = _shown(changes.get(name, now))
    return {"changed": bool(changes), "before": {"files": before}, "after": {"files": after}, "notes": host.notes}


def _shown(image):
    if image is None:
        return None
    if image["kind"] == "link":
        return {"link": image["target"]}
    return {"mode": "%04o" % image["mode"], "content": to_text(data_of(image))}


def _apply(host, changes):
    """Record first, then change: a run that dies in between leaves a record that still says how to go back."""
    for name, image in sorted(changes.items()):
        host.originals.keep(name, image)
    host.save()
    for name, image in sorted(changes.items()):
        host.originals.change(name, image)
    for folder in RECIPE_FOLDERS:
        if [name for name, image in changes.items() if image is None and os.path.dirname(name) == folder]:
            if host.originals.remove_folder(folder):
                host.notes.append("%s was empty after that, and is removed" % folder)
    host.save()
    _tell_daemons(host, changes)


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


def _undo(host, kept, record):
    """Back to how it was before this call, which need not be how it was before the first."""
    for name, image in kept.items():
        host.originals.change(name, image)
    host.originals.return_to(record)
    host.save()
    _tell_daemons(host, kept)


def _tell_daemons(host, changes):
    if host.root == "/":
        tell_daemons(changes)


# -- the place ---------------------------------------------------------------------------------------------------------


def _choose(host, method):
    """(method, path) that this host runs at boot; TargetError with every reason where none is, or where the wished one is not."""
    if method != "auto":
        path, why = _place(host, method)
        if why:
            raise TargetError(
                "method_unusable", "method %s does not load anything here: %s" % (method, why), "use method auto"
            )
        return method, path
    reasons = []
    for method in ("modules_load", "sysconfig_modules", "rc_local"):
        path, why = _place(host, method)
        if not why:
            return method, path
        reasons.append("%s: %s" % (method, why))
    raise TargetError(
        "no_persistence",
        "nothing on this host would load a module at boot (%s)" % "; ".join(reasons),
        "let the operator's own boot script run `modprobe %s`" % host.module,
    )


def _place(host, method):
    """(path, "") of a method, or ("", why it would not run)."""
    if method == "modules_load":
        why = modules_load_reason(host.root, host.init)
        if not why:
            return MODULES_LOAD, ""
        return ("", why) if etc_modules_reason(host.root, host.init) else (host.resolve(ETC_MODULES), "")
    if method == "sysconfig_modules":
        why = sysconfig_modules_reason(host.root, host.init)
        return ("", why) if why else (SYSCONFIG, "")
    if method == SERVICE:
        return _service_place(host)
    if method == "systemd":
        return (
            (UNIT, "") if host.init == "systemd" else ("", "systemd did not start this host (init is %s)" % host.init)
        )
    path, why = boot_script(host.root, host.init)
    return (host.resolve(path), "") if path else ("", why)


def _service_place(host):
    """The unit that a package brought to load the module itself (vtoa's): it is looked at and never written."""
    unit = host.module + ".service"
    if host.init != "systemd":
        return "", "systemd did not start this host (init is %s)" % host.init
    folders = [folder for folder in UNIT_DIRS if os.path.exists(under(host.root, "%s/%s" % (folder, unit)))]
    if not folders:
        return "", "there is no %s on this host" % unit
    return ("%s/%s" % (folders[0], unit), "") if unit_enabled(host.root, unit) else ("", "%s is not enabled" % unit)


def _add_place(host, method, path, wanted):
    """Add our own place to the images in `wanted`."""
    if method == SERVICE:
        return
    module = {"why": WHY, "module": host.module, "modprobe": which("modprobe") or "/sbin/modprobe"}
    if path == MODULES_LOAD:
        wanted[path] = file_image(("%(why)s\n%(module)s\n" % module).encode("ascii"), 0o644)
    elif method == "sysconfig_modules":
        wanted[path] = file_image(
            ("#!/bin/sh\n%(why)s\nmodprobe %(module)s >/dev/null 2>&1\n" % module).encode("ascii"), 0o755
        )
    elif method == "systemd":
        module["confined"] = confined(
            ("CAP_SYS_MODULE",),
            ("AF_UNIX",),
            loads_modules=True,
            more=(
                "ProtectProc=invisible",
                "PrivateDevices=yes",
                "RestrictNamespaces=yes",
                "MemoryDenyWriteExecute=yes",
            ),
        )
        wanted[path] = file_image((UNIT_TEXT % module).encode("ascii"), 0o644)
        wanted[UNIT_LINK] = link_image(UNIT)
    else:
        kept = data_of(wanted[path]) if path in wanted else host.data(path)
        if method == "rc_local":
            wanted[path] = host.keep_owner(path, with_rc_line(kept, "modprobe " + host.module), _runnable(host, path))
        else:
            text = "%s\n%s\n" % (MARKER, host.module)
            wanted[path] = host.keep_owner(path, ended(kept) + text.encode("ascii"), host.mode(path, 0o644))


def _runnable(host, path):
    mode = host.mode(path, 0o755)
    if not mode & 0o111:
        host.notes.append("%s was not executable, so nothing in it ran at boot; it is executable now" % path)
    return runnable(mode)
