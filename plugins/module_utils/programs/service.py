# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service of vtoa: started, stopped, restarted, enabled, disabled, looked at.

What the package contains is not public, so its unit and its modules are read from the package itself (rpm -ql). A unit counts as started
when systemd says so and its module is there: one that only loads a module stays active when somebody has unloaded that by hand.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

from ansible_collections.realip.toa.plugins.module_utils.host.running import kernel
from ansible_collections.realip.toa.plugins.module_utils.common.kernels import HELPER_MODULES
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, run
from ansible_collections.realip.toa.plugins.module_utils.host.lock import LOCK_FILE, HostLock
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import (
    STATS_FILES,
    loaded_modules,
    module_of_file,
    stats,
    toa_files,
    under,
)
from ansible_collections.realip.toa.plugins.module_utils.startup.init import init_system

NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
UNIT_FILE = re.compile(r"^(?:/usr)?/(?:lib|etc)/systemd/system/([A-Za-z0-9._-]+\.service)$")
SCRIPT = re.compile(r"^/etc/(?:rc\.d/)?init\.d/([A-Za-z0-9._-]+)$")
SHOWN = ("LoadState", "ActiveState", "UnitFileState", "Type", "RemainAfterExit", "Result", "NeedDaemonReload")
# What systemd shows of a unit that it makes out of a script of System V; systemctl is-enabled asks the script's links then.
FROM_SCRIPT = ("", "bad", "generated")
# Seconds; systemd itself gives a unit 90 to start and as many to stop.
TIME_LIMIT = 200


def main(args):
    """args: name, unit, state, check; see plugins/modules/toa_service.py. `root`, `running` and `init` are for tests."""
    service = Service(args)
    now = service.look()
    if args["state"] == "status":
        return service.result(now, now, False)
    verb, wanted = CHANGES[args["state"]](service, now)
    if verb is None:
        return service.result(now, now, False)
    if now["load"] in UNUSABLE and args["state"] in ("started", "restarted", "enabled"):
        raise service.unusable(now)
    if args["check"]:
        return service.result(now, dict(now, **wanted), True)
    with service.lock():
        service.order(verb, now)
        after = service.look()
    missed = [key for key in wanted if after[key] != wanted[key]]
    if missed:
        raise service.failed(
            verb,
            "afterwards it is %s"
            % " and ".join("%s%s" % ("" if after[key] else "not ", key) for key in sorted(missed)),
        )
    return service.result(now, after, True)


class Service:
    """The unit of one package, as systemd and the package itself show it."""

    def __init__(self, args):
        self.root = args.get("root") or "/"
        self.running = args.get("running") or kernel()
        self.name = args.get("name") or "vtoa"
        for key in ("name", "unit"):
            if args.get(key) and not NAME.match(args[key]):
                raise TargetError(
                    "bad_option", "%s: %r is no name of a package or unit" % (key, args[key]), "leave it out for vtoa"
                )
        init = args.get("init") or init_system(self.root)
        if init != "systemd":
            raise TargetError(
                "no_systemd",
                "%s is a service of systemd, and systemd did not start this host (init is %s)" % (self.name, init),
                "use a backend that needs no service here (toa_plan says which)",
            )
        self.version, files = self._package()
        self.modules = sorted(set(module_of_file(path) for path in files) & set(STATS_FILES)) or [self.name]
        self.unit = self._unit(args.get("unit"), files)

    def _package(self):
        """(version, files) of the package; ("", []) where rpm does not know it."""
        rc, out, _err = run(["rpm", "-q", "--qf", "%{VERSION}-%{RELEASE}\n[%{FILENAMES}\n]", self.name])
        lines = out.splitlines()
        return (lines[0], lines[1:]) if rc == 0 and lines else ("", [])

    def _unit(self, wanted, files):
        if wanted:
            return wanted if wanted.endswith(".service") else wanted + ".service"
        units = sorted(set(match.group(1) for match in map(UNIT_FILE.match, files) if match))
        scripts = sorted(set(match.group(1) + ".service" for match in map(SCRIPT.match, files) if match))
        found = units or scripts
        usual = self.name + ".service"
        if not found or usual in found:
            return usual
        if len(found) > 1:
            raise TargetError(
                "unit_ambiguous",
                "package %s has several units, and none is called %s: %s" % (self.name, usual, ", ".join(found)),
                "name the right one in `unit`",
            )
        return found[0]

    def look(self):
        """{name, active, enabled, load, reload}: how the unit is now; a unit that is not there is neither active nor enabled."""
        rc, out, err = run(["systemctl", "show", "--no-pager"] + ["--property=" + name for name in SHOWN] + [self.unit])
        if rc != 0:
            raise self.failed("show", (err or out).strip() or "systemctl ended with %d" % rc)
        shown = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
        return {
            "name": self.unit[: -len(".service")],
            "active": shown.get("ActiveState") in ("active", "reloading") or self._has_run(shown),
            "enabled": self._is_enabled(shown),
            "load": shown.get("LoadState", ""),
            "reload": shown.get("NeedDaemonReload") == "yes",
        }

    def _has_run(self, shown):
        """A unit that runs once and is then inactive again has done its work where its module is there."""
        once = (
            shown.get("Type") == "oneshot" and shown.get("RemainAfterExit") == "no" and shown.get("Result") == "success"
        )
        return once and self.is_loaded()

    def _is_enabled(self, shown):
        state = shown.get("UnitFileState", "")
        if state in FROM_SCRIPT and shown.get("LoadState") == "loaded":
            return run(["systemctl", "is-enabled", "--quiet", self.unit])[0] == 0
        return state in ("enabled", "alias")

    def is_loaded(self):
        """Whether a module of the package that changes addresses is in the kernel."""
        return bool([module for module in self.module_states() if module["loaded"]])

    def module_states(self):
        """[{name, loaded, live}] of the modules that change addresses."""
        loaded = loaded_modules(self.root)
        builtin = [name for name, file in toa_files(self.running, self.root).items() if file == "builtin"]
        states = []
        for name in self.modules:
            if name in STATS_FILES and name not in HELPER_MODULES:
                there = name in loaded or name in builtin
                states.append(
                    {
                        "name": name,
                        "loaded": there,
                        "live": there and (STATS_FILES[name] is None or stats(name, self.root) is not None),
                    }
                )
        return states

    def lock(self):
        return HostLock(LOCK_FILE if self.root == "/" else under(self.root, LOCK_FILE))

    def order(self, verb, now):
        if now["reload"]:
            run(["systemctl", "daemon-reload"], timeout=TIME_LIMIT)
        rc, out, err = run(["systemctl", verb, self.unit], timeout=TIME_LIMIT)
        if rc != 0:
            raise self.failed(verb, (err or out).strip() or "systemctl ended with %d" % rc)

    def failed(self, verb, why):
        _rc, journal, _err = run(
            ["journalctl", "--no-pager", "--quiet", "--lines=5", "--output=cat", "--unit=" + self.unit]
        )
        last = " / ".join(line.strip() for line in journal.splitlines() if line.strip())
        return TargetError(
            "service_failed",
            "systemctl %s %s: %s%s"
            % (verb, self.unit, why, "; its journal ends with: %s" % last[-600:] if last else ""),
            "see `systemctl status %s` and dmesg on the host" % self.unit,
        )

    def unusable(self, now):
        code, why, remedy = UNUSABLE[now["load"]]
        return TargetError(code, "%s %s" % (self.unit, why), remedy % {"unit": self.unit, "name": self.name})

    def result(self, before, after, changed):
        return {
            "changed": changed,
            "before": dict((key, before[key]) for key in ("name", "active", "enabled")),
            "after": dict((key, after[key]) for key in ("name", "active", "enabled")),
            "unit": self.unit,
            "version": self.version,
            "modules": self.module_states(),
        }


UNUSABLE = {
    "not-found": (
        "service_missing",
        "is not on this host",
        "install its package: toa_package with name: %(name)s and repository: true",
    ),
    "masked": (
        "service_masked",
        "is masked: somebody has forbidden that it runs",
        "systemctl unmask %(unit)s, if it may run after all",
    ),
}


# -- state -> (verb of systemctl or None, what it must come to) ----------------------------------------------------------


def _started(service, now):
    if not now["active"]:
        return "start", {"active": True}
    return ("restart", {"active": True}) if not service.is_loaded() else (None, {})


def _stopped(_service, now):
    return ("stop", {"active": False}) if now["active"] else (None, {})


def _restarted(_service, _now):
    return "restart", {"active": True}


def _enabled(_service, now):
    return (None, {}) if now["enabled"] else ("enable", {"enabled": True})


def _disabled(_service, now):
    return ("disable", {"enabled": False}) if now["enabled"] else (None, {})


CHANGES = {
    "started": _started,
    "stopped": _stopped,
    "restarted": _restarted,
    "enabled": _enabled,
    "disabled": _disabled,
}
