# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loads and unloads a TOA module, and tells a live one from one that is only listed.

Most TOA modules return 1 where their initialisation fails. The kernel takes that for success: the module is in /proc/modules
and does nothing (field guide, fact 3). It is live when it has made its statistics file, and only then.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import re

from ansible_collections.realip.toa.plugins.module_utils.host.running import kernel
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    TargetError,
    list_dir,
    read_line,
    read_text,
    run,
)
from ansible_collections.realip.toa.plugins.module_utils.host.lock import LOCK_FILE, HostLock
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import (
    STATS_FILES,
    TOA_MODULES,
    loaded_modules,
    parameters,
    parse_counters,
    stats,
    toa_files,
    under,
)

PARAMETER = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")

# Kinds of refusal that modprobe only passes on from the kernel: what it says -> code, remedy.
REFUSALS = (
    (
        "key not available",
        "secure_boot_unsigned",
        "sign the module with a key that the firmware knows, or switch secure boot off",
    ),
    (
        "key was rejected",
        "secure_boot_unsigned",
        "sign the module with a key that the firmware knows, or switch secure boot off",
    ),
    ("invalid module format", "module_wrong_kernel", "install the module that was built for the running kernel"),
    ("unknown symbol", "module_wrong_kernel", "install the module that was built for the running kernel"),
    (
        "operation not permitted",
        "module_loading_disabled",
        "load it on the host itself: this place (a container, or kernel.modules_disabled=1) may not",
    ),
)

# States of a TCP socket in /proc/net/tcp (include/net/tcp_states.h).
ESTABLISHED, LISTEN = "01", "0A"


def main(args):
    """args: name, state, params, kernel, reload, force, check; see plugins/modules/toa_module.py."""
    module = Module(args)
    return {"loaded": _loaded, "unloaded": _unloaded, "status": _status}[args["state"]](module, args)


class Module:
    """One TOA module on this host, under this kernel."""

    def __init__(self, args):
        self.root = args.get("root") or "/"
        self.running = args.get("running") or kernel()
        self.name = (args.get("name") or "").replace("-", "_")
        self.params = dict((key, _parameter_text(value)) for key, value in (args.get("params") or {}).items())
        if self.name not in STATS_FILES:
            raise TargetError(
                "bad_option", "name: %s is no TOA module" % self.name, "use one of %s" % ", ".join(TOA_MODULES)
            )
        for key, value in self.params.items():
            if not PARAMETER.match(key) or not value or re.search(r"\s", value):
                raise TargetError(
                    "bad_option", "params: %s=%s is not a module parameter" % (key, value), "give words without spaces"
                )

    def file(self, release=None):
        """Where a kernel has the module: a path, "builtin", or "" where it has none."""
        return toa_files(release or self.running, self.root).get(self.name, "")

    def look(self):
        """What `before` and `after` show; parameters are those that were asked for."""
        shown = parameters(self.name, self.root)
        builtin = self.file() == "builtin"
        entry = loaded_modules(self.root).get(self.name)
        loaded = builtin or (entry is not None and entry["state"] == "Live")
        return {
            "name": self.name,
            "loaded": loaded,
            "live": loaded and (STATS_FILES[self.name] is None or stats(self.name, self.root) is not None),
            "parameters": dict((key, shown[key]) for key in self.params if key in shown),
        }

    def wrong_parameters(self, now):
        """Asked-for parameters that the loaded module has otherwise. One that the kernel does not show cannot be compared."""
        return sorted(key for key, value in now["parameters"].items() if _plain(value) != _plain(self.params[key]))

    def lock(self):
        return HostLock(LOCK_FILE if self.root == "/" else under(self.root, LOCK_FILE))

    def insert(self):
        rc, out, err = run(["modprobe", self.name] + ["%s=%s" % pair for pair in sorted(self.params.items())])
        if rc == 0:
            return
        said = (err or out).strip() or "modprobe ended with %d" % rc
        for words, code, remedy in REFUSALS:
            if words in said.lower():
                raise TargetError(code, "the kernel %s refuses module %s: %s" % (self.running, self.name, said), remedy)
        raise TargetError(
            "module_load_failed",
            "module %s cannot be loaded: %s" % (self.name, said),
            "see the kernel's log (dmesg) on the host",
        )

    def take_out(self):
        rc, out, err = run(["rmmod", self.name])
        if rc != 0:
            raise TargetError(
                "module_in_use",
                "module %s cannot be unloaded: %s" % (self.name, (err or out).strip() or "rmmod ended with %d" % rc),
                "take away what loads it at boot (toa_persistence state: absent) and reboot (toa_reboot)",
            )


# -- states ------------------------------------------------------------------------------------------------------------


def _status(module, args):
    now = module.look()
    release = args.get("kernel") or module.running
    return _result(module, now, now, kernel=release, file=module.file(release))


def _loaded(module, args):
    _need_running(module, args)
    before = module.look()
    again = before["loaded"] and (not before["live"] or bool(module.wrong_parameters(before)))
    if before["loaded"] and not again:
        return _result(module, before, before)
    if again and not args.get("reload"):
        raise _inert(module) if not before["live"] else _other_parameters(module, before)
    if not module.file():
        raise _missing(module)
    if args["check"]:
        return _result(module, before, dict(before, loaded=True, live=True, parameters=dict(module.params)))
    with module.lock():
        if again:
            _refuse_busy(module, before, args)
            module.take_out()
        module.insert()
        after = module.look()
        if not after["live"]:
            raise _inert(module)
    return _result(module, before, after, changed=True)


def _unloaded(module, args):
    _need_running(module, args)
    before = module.look()
    if not before["loaded"]:
        return _result(module, before, before)
    if module.file() == "builtin":
        raise TargetError(
            "module_builtin",
            "%s is built into the kernel %s" % (module.name, module.running),
            "boot a kernel without it",
        )
    _refuse_busy(module, before, args)
    if args["check"]:
        return _result(module, before, dict(before, loaded=False, live=False, parameters={}))
    with module.lock():
        module.take_out()
        return _result(module, before, module.look())


def _result(module, before, after, changed=None, **more):
    counters = parse_counters(stats(module.name, module.root))
    return dict(
        more, changed=before != after if changed is None else changed, before=before, after=after, counters=counters
    )


# -- refusals ----------------------------------------------------------------------------------------------------------


def _need_running(module, args):
    wanted = args.get("kernel")
    if wanted and wanted != module.running:
        raise TargetError(
            "wrong_kernel",
            "the kernel %s is running, not %s" % (module.running, wanted),
            "boot %s first (toa_boot, toa_reboot)" % wanted,
            expected=wanted,
            kernel=module.running,
        )


def _missing(module):
    carriers = [release for release in list_dir(under(module.root, "/lib/modules")) if module.file(release)]
    return TargetError(
        "module_missing",
        "the running kernel %s has no module %s; %s"
        % (
            module.running,
            module.name,
            "installed kernels that have it: %s" % ", ".join(carriers) if carriers else "no installed kernel has it",
        ),
        "boot one of them (toa_boot, toa_reboot)"
        if carriers
        else "install a kernel or a module that has it (toa_plan says which)",
        kernels=carriers,
    )


def _inert(module):
    causes = []
    others = sorted(
        name
        for name in loaded_modules(module.root)
        if name != module.name and STATS_FILES[name] == STATS_FILES[module.name]
    )
    if others:
        causes.append("%s is loaded too, and makes the same file" % ", ".join(others))
    if (
        not os.path.exists(under(module.root, "/proc/net/if_inet6"))
        or read_line(under(module.root, "/sys/module/ipv6/parameters/disable")) == "1"
    ):
        causes.append("IPv6 is off on this host, and many TOA modules cannot start without it")
    return TargetError(
        "module_inert",
        "module %s is loaded and does nothing: there is no /proc/net/%s, so its initialisation failed%s"
        % (module.name, STATS_FILES[module.name], "; " + "; ".join(causes) if causes else ""),
        "remove the cause, then load it anew (reload: true); the kernel's log may say more (dmesg | grep -i toa)",
        missing="/proc/net/%s" % STATS_FILES[module.name],
    )


def _other_parameters(module, now):
    wrong = [
        "%s is %s, not %s" % (key, now["parameters"][key], module.params[key]) for key in module.wrong_parameters(now)
    ]
    return TargetError(
        "module_parameters",
        "module %s is loaded with other parameters: %s" % (module.name, "; ".join(wrong)),
        "load it anew (reload: true), or set them in /etc/modprobe.d and reboot",
    )


def _refuse_busy(module, now, args):
    """Sockets that carry an address keep pointing at what the module wrote, so it does not go while they live (field guide, 7)."""
    if args.get("force") or not now["live"]:
        return
    counters = parse_counters(stats(module.name, module.root))
    translated = sum(value for key, value in counters.items() if key.startswith("syn_recv_sock_toa"))
    connections = _served_connections(module.root)
    if translated and connections:
        raise TargetError(
            "module_busy",
            "module %s has translated %d connections, and %d that clients opened are still there"
            % (module.name, translated, connections),
            "take away what loads it at boot (toa_persistence state: absent) and reboot (toa_reboot), or drain the host first; force: true overrides",
        )


# -- connections -------------------------------------------------------------------------------------------------------


def _served_connections(root):
    """Established connections to ports that this host listens on, without the one that brought us here."""
    sockets = []
    for name in ("tcp", "tcp6"):
        for line in (read_text(under(root, "/proc/net/" + name), 64 << 20) or "").splitlines()[1:]:
            words = line.split()
            if len(words) > 9:
                sockets.append((words[1].rsplit(":", 1)[-1], words[3], words[9]))
    listening = set(port for port, state, _inode in sockets if state == LISTEN)
    own = _own_sockets(root)
    return len([1 for port, state, inode in sockets if state == ESTABLISHED and port in listening and inode not in own])


def _own_sockets(root):
    """Inodes of sockets that our ancestors hold: among them, the SSH session through which this runs."""
    inodes = set()
    pid = os.getpid()
    while pid > 1:
        folder = under(root, "/proc/%d/fd" % pid)
        for name in list_dir(folder):
            try:
                target = re.match(r"socket:\[(\d+)\]$", os.readlink(os.path.join(folder, name)))
            except OSError:
                continue
            if target:
                inodes.add(target.group(1))
        pid = _parent(pid, root)
    return inodes


def _parent(pid, root):
    words = (read_text(under(root, "/proc/%d/stat" % pid), 4096) or "").rsplit(")", 1)[-1].split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


def _parameter_text(value):
    return ("Y" if value else "N") if isinstance(value, bool) else str(value)


def _plain(value):
    """A parameter as the kernel may show it: booleans are Y and N, whatever was given."""
    return {"y": "1", "n": "0"}.get(value.strip().lower(), value.strip())
