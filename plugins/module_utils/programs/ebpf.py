# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The eBPF backend on a host: attached now and at every boot, its lists changed in place, detached without a trace.

What is attached is read from the kernel itself (bpf/maps.py); what changes it is one script, the same at boot (bpf/loader.py).
The record (section `ebpf` of host/state.py) says how every file was before, and which packages came for it.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import hashlib
import os
import re
import sys
import zlib

from ansible_collections.realip.toa.plugins.module_utils.bpf.loader import (
    BOOT_COMMAND,
    DROP,
    FILL,
    LOADER,
    OBJECT,
    SCRIPT_TEXT,
    SERVICE,
    SETTINGS,
    UNIT,
    UNIT_LINK,
    UNIT_TEXT,
    settings_text,
)
from ansible_collections.realip.toa.plugins.module_utils.bpf.maps import (
    MAPS,
    MOST_NETWORKS,
    PINS,
    drop_text,
    fill_text,
    in_force,
    in_order,
    network_key,
    networks,
    read_network,
)
from ansible_collections.realip.toa.plugins.module_utils.bpf.syscalls import (
    GETPEERNAME_HOOKS,
    HOOKS,
    OUR_PREFIX,
    BpfError,
    programs_on,
)
from ansible_collections.realip.toa.plugins.module_utils.common.kernels import EBPF_KERNEL
from ansible_collections.realip.toa.plugins.module_utils.host.io import (
    TargetError,
    read_line,
    read_text,
    remove_file,
    run,
    write_own,
)
from ansible_collections.realip.toa.plugins.module_utils.host.lock import HostLock
from ansible_collections.realip.toa.plugins.module_utils.host.managed_files import (
    Originals,
    digest_of,
    file_image,
    link_image,
    tell_daemons,
)
from ansible_collections.realip.toa.plugins.module_utils.host.marks import EBPF
from ansible_collections.realip.toa.plugins.module_utils.host.state import save_section, section
from ansible_collections.realip.toa.plugins.module_utils.packaging.bpftool import (
    install,
    packages,
    problem,
    remove,
    require,
)
from ansible_collections.realip.toa.plugins.module_utils.startup.by_init import start_by_init
from ansible_collections.realip.toa.plugins.module_utils.startup.init import init_system
from ansible_collections.realip.toa.plugins.module_utils.startup.own_scripts import boot_files, places_of, without_line

OURS = (LOADER, OBJECT, SETTINGS, FILL, UNIT, UNIT_LINK)

_CGROUP = r"/[A-Za-z0-9_./@:-]*\Z"

REMEDIES = {
    "bpftool_missing": "install bpftool, or set toa_install_bpftool: true",
    "no_cgroup2": "boot with systemd.unified_cgroup_hierarchy=1, or mount cgroup2 somewhere",
    "pins_not_ours": "find out who made it, and remove it on the host",
    "no_bpffs": "mount it: mount -t bpf bpf /sys/fs/bpf",
    "conflict_ebpf_getpeername": "remove the other program (Cilium: its socket load balancer), or set toa_accept_conflicts: true",
    "load_failed": "see the kernel's words; a kernel without BPF_SYSCALL, CGROUP_BPF or the BPF JIT cannot do it",
    "lockdown": "boot with lockdown=integrity, or choose another backend",
    "attach_refused": "another program holds the hook exclusively: see `bpftool cgroup show` on the host",
    "maps_refused": "see the words of bpftool; the list of trusted sources may have %d networks" % MOST_NETWORKS,
}


def main(args):
    """args: state, object (base64 of the compressed object), option_kinds, trusted_sources, getsockopt, cgroup, accept_conflicts,
    install_bpftool, check; see plugins/modules/toa_ebpf.py."""
    return {"attached": _attached, "detached": _detached, "status": _status}[args["state"]](Backend(args), args)


class Backend:
    """The backend on this host, as it is."""

    def __init__(self, args):
        self.record = section("ebpf")
        self.originals = Originals(self.record)
        self.packages = list(self.record.get("packages") or [])
        self.trusted = list(self.record.get("trusted_sources") or [])
        self.init = init_system()
        self.notes = []
        self.given = args.get("cgroup") or ""
        self.top = cgroup2()
        # Attaching goes where the operator says, everything else where the programs are.
        recorded = self.record.get("cgroup") if args["state"] != "attached" else ""
        self.cgroup = self.given or recorded or self.top

    def now(self):
        """How it is, in the words of `before` and `after`, and the counters."""
        found = _asked(lambda: in_force(self.programs()))
        counters = found.pop("counters")
        attached = found.pop("complete")
        place = [place["path"] for place in places_of(EBPF, self.init)]
        state = {"attached": attached, "cgroup": self.cgroup if attached else "", "at_boot": place[0] if place else ""}
        state.update(found)
        return state, counters

    def programs(self, ours=True, hooks=None):
        """Our programs on the cgroup's hooks, or other people's."""
        if not self.cgroup or not os.path.isdir(self.cgroup):
            return []
        found = programs_on(self.cgroup, hooks or sorted(HOOKS))
        return [program for program in found if program["name"].startswith(OUR_PREFIX) == ours]

    def save(self):
        record = self.originals.record()
        if record:
            record.update(cgroup=self.cgroup, packages=self.packages, trusted_sources=self.trusted)
        save_section("ebpf", record)

    def put(self, wanted):
        """Record first, then change; only what differs."""
        changes = self.differing(wanted)
        for name, image in sorted(changes.items()):
            self.originals.keep(name, image)
        self.save()
        for name, image in sorted(changes.items()):
            self.originals.change(name, image)
        tell_daemons(changes)
        return changes

    def differing(self, wanted):
        return dict(
            (name, image) for name, image in wanted.items() if digest_of(self.originals.now(name)) != digest_of(image)
        )


# -- states ------------------------------------------------------------------------------------------------------------


def _status(host, args):
    state, counters = host.now()
    return {"changed": False, "before": state, "after": state, "counters": counters, "notes": host.notes}


def _attached(host, args):
    check_host(host)
    check_conflicts(host, args)
    args = dict(args, trusted_sources=trusted_by(host, args))
    code = zlib.decompress(base64.b64decode(args["object"]))
    before, counters = host.now()
    wanted = wanted_state(host, args, code)
    files = wanted_files(host, args, wanted, code)
    missing = problem() is not None
    if missing and not args.get("install_bpftool"):
        require()
    wanted["at_boot"] = UNIT if UNIT in files else [name for name in files if name not in OURS][0]
    changed = before != wanted or bool(host.differing(files)) or missing
    if missing:
        host.notes.append("installs %s" % " ".join(packages()))
    if changed and not args["check"]:
        with HostLock():
            _change(host, args, files, wanted, before, missing)
        after, counters = host.now()
        if after != wanted:
            raise TargetError(
                "not_attached",
                "the loader said nothing, and yet it is %r in place of %r" % (after, wanted),
                "see `bpftool cgroup show %s` on the host" % host.cgroup,
            )
    return {"changed": changed, "before": before, "after": wanted, "counters": counters, "notes": host.notes}


def _change(host, args, files, wanted, before, missing):
    """Install, write, attach; whatever fails, the host ends as it was."""
    brought = install() if missing else []
    host.packages += brought
    moves = host.record.get("cgroup", host.cgroup) != host.cgroup
    old_record, old_files = host.originals.copy_of_record(), dict((name, host.originals.now(name)) for name in files)
    try:
        if moves:
            _load("detach")
        host.trusted = wanted["trusted_sources"]
        host.put(files)
        _drop_all_but(wanted["trusted_sources"])
        _load("attach")
        if host.init == "systemd":
            start_by_init(SERVICE, ("bpftool", OBJECT, PINS))
    except BaseException:
        remove_file(DROP)
        if not before["attached"]:
            _unload()
        for name, image in old_files.items():
            host.originals.change(name, image)
        host.originals.return_to(old_record)
        host.trusted = before["trusted_sources"]
        if before["attached"] or moves:
            _restore(before)
        if brought:
            remove(brought)
            host.packages = [name for name in host.packages if name not in brought]
        host.save()
        tell_daemons(old_files)
        raise


def _unload():
    try:
        _load("detach")
    except TargetError:
        pass  # what failed first is what the operator is told


def _drop_all_but(sources):
    """Let the next run of the loader take every other network out of the list."""
    wanted = set(sources)
    stale = [text for text in _asked(lambda: networks() if os.path.isdir(MAPS) else []) if text not in wanted]
    if stale:
        write_own(DROP, drop_text(stale), 0o600)


def _restore(before):
    """The files are the old ones again; so shall the maps be, networks that were added half-way above all."""
    try:
        _drop_all_but(before["trusted_sources"])
        _load("attach")
    except TargetError:
        remove_file(DROP)  # what failed first is what the operator is told


def _detached(host, args):
    before, counters = host.now()
    programs = _asked(host.programs)
    after = dict(
        before, attached=False, cgroup="", at_boot="", object="", option_kinds=[], trusted_sources=[], getsockopt=False
    )
    changed = bool(programs or os.path.isdir(PINS) or host.originals.files or host.packages)
    if changed and not args["check"]:
        if programs or os.path.isdir(PINS):
            require()
        with HostLock():
            _take_back(host, bool(programs or os.path.isdir(PINS)))
    return {"changed": changed, "before": before, "after": after, "counters": counters, "notes": host.notes}


def _take_back(host, loaded):
    if loaded:
        host.put(
            {
                LOADER: file_image(SCRIPT_TEXT.encode("ascii"), 0o755),
                SETTINGS: file_image(settings_text("", host.cgroup, 1, 0).encode("ascii"), 0o644),
            }
        )
        _load("detach")
    if host.init == "systemd" and os.path.exists(UNIT):
        _systemctl(host, "stop")
    back, foreign = host.originals.restorable()
    changes = dict.fromkeys(host.originals.files)
    for name in foreign:
        host.originals.change(name, None if name in OURS else without_line(host.originals.now(name), LOADER))
    host.originals.restore()
    tell_daemons(changes)
    if host.packages:
        remove(host.packages)
        host.packages = []
    host.save()


def _systemctl(host, verb):
    code, out, err = run(["systemctl", verb, SERVICE], timeout=60)
    if code != 0:
        host.notes.append("systemctl %s %s: %s" % (verb, SERVICE, " ".join((err or out).split())[:300]))


def _load(verb):
    """Run the loader; what it says becomes a TargetError."""
    code, out, err = run(["/bin/sh", LOADER, verb], timeout=120)
    if code != 0:
        words = [line for line in (err or out).split("\n") if line.strip()] or ["load_failed: exit status %d" % code]
        name, _colon, text = words[-1].partition(": ")
        if name not in REMEDIES:
            name, text = "load_failed", words[-1]
        if name == "load_failed" and "[confidentiality]" in (read_text("/sys/kernel/security/lockdown", 256) or ""):
            # Kernels of today do not mind programs that read no kernel memory (measured on 6.1); one that does means this.
            name, text = "lockdown", "the kernel is locked down (confidentiality); " + text
        raise TargetError(name, "the eBPF programs: %s" % text.strip()[:2000], REMEDIES[name])


# -- what is wanted ----------------------------------------------------------------------------------------------------


def trusted_by(host, args):
    """Whom to trust: as was said, else as it is. Nobody is trusted by accident."""
    if args.get("trusted_sources") is not None:
        return args["trusted_sources"]
    now = (_asked(lambda: in_force(host.programs())) if host.programs() else {}).get("trusted_sources") or host.trusted
    if not now:
        raise TargetError(
            "spoofable",
            "trusted_sources is not set, so anybody who can reach a port could forge a client address in an option",
            "list the load balancers' networks, or say trusted_sources: all where the network in front lets nobody else through",
        )
    return now


def wanted_state(host, args, code):
    """`after`, but for the place that attaches at boot."""
    try:
        sources = [read_network(network_key(text)) for text in args.get("trusted_sources") or []]
    except ValueError as wrong:
        raise TargetError(
            "bad_option", "trusted_sources: %s" % wrong, "list networks as in 10.0.0.0/8 or 2001:db8::/32"
        )
    if len(set(sources)) > MOST_NETWORKS:
        raise TargetError(
            "bad_option",
            "trusted_sources: %d networks; at most %d fit" % (len(set(sources)), MOST_NETWORKS),
            "list larger networks",
        )
    return {
        "attached": True,
        "cgroup": host.cgroup,
        "object": hashlib.sha256(code).hexdigest()[:12],
        "option_kinds": in_order(args["option_kinds"]),
        "trusted_sources": sorted(set(sources)),
        "getsockopt": bool(args.get("getsockopt", True)),
    }


def wanted_files(host, args, wanted, code):
    """{path: image} of every file that attaching takes."""
    settings = settings_text(wanted["object"], host.given, wanted["getsockopt"], bool(args.get("accept_conflicts")))
    files = {
        LOADER: file_image(SCRIPT_TEXT.encode("ascii"), 0o755),
        OBJECT: file_image(code, 0o644),
        SETTINGS: file_image(settings.encode("ascii"), 0o644),
        FILL: file_image(fill_text(wanted["option_kinds"], wanted["trusted_sources"]).encode("ascii"), 0o644),
    }
    files.update(_boot_files(host))
    return files


def _boot_files(host):
    units = {UNIT: file_image(UNIT_TEXT.encode("ascii"), 0o644), UNIT_LINK: link_image(UNIT)}
    return boot_files(host.originals, host.init, EBPF, BOOT_COMMAND, units)


# -- what the host must have -------------------------------------------------------------------------------------------


def check_host(host):
    """TargetError where this host cannot have the backend."""
    release = os.uname()[2]
    numbers = re.match(r"(\d+)\.(\d+)", release)
    if not numbers or (int(numbers.group(1)), int(numbers.group(2))) < EBPF_KERNEL:
        raise TargetError(
            "kernel_too_old",
            "kernel %s is older than %d.%d, the first that can do it" % ((release,) + EBPF_KERNEL),
            "update the distribution's kernel, or choose another backend",
        )
    if sys.byteorder != "little":
        raise TargetError(
            "arch_not_supported",
            "the object is for little-endian hosts; this one (%s) is not" % os.uname()[4],
            "choose another backend",
        )
    if "\tbpf\n" not in (read_text("/proc/filesystems", 65536) or ""):
        raise TargetError(
            "no_bpffs", "this kernel has no BPF file system (CONFIG_BPF_SYSCALL)", "boot the distribution's own kernel"
        )
    _check_cgroup(host)


def _check_cgroup(host):
    if not re.match(_CGROUP, host.given or "/"):
        raise TargetError(
            "bad_option",
            "cgroup %r: expected a path of letters, digits and _ . / @ : -" % host.given,
            "leave it out for the whole host",
        )
    if not host.cgroup:
        raise TargetError(
            "no_cgroup2", "no cgroup v2 is mounted, and eBPF programs attach to one", REMEDIES["no_cgroup2"]
        )
    if read_line(host.cgroup + "/cgroup.controllers") is None:
        raise TargetError(
            "no_cgroup2",
            "%s is no cgroup of version 2" % host.cgroup,
            "name a folder below the cgroup2 mount (%s)" % (host.top or "there is none"),
        )


def check_conflicts(host, args):
    """TargetError where somebody else's programs sit on the getpeername hooks."""
    others = _asked(lambda: host.programs(False, GETPEERNAME_HOOKS))
    if others:
        told = ", ".join(
            "%s: %s (id %d)" % (program["hook"], program["name"] or "without a name", program["id"])
            for program in others
        )
        if not args.get("accept_conflicts"):
            raise TargetError(
                "conflict_ebpf_getpeername",
                "another eBPF program sits on the getpeername hooks: %s" % told,
                REMEDIES["conflict_ebpf_getpeername"],
            )
        host.notes.append("accepted: %s" % told)


def _asked(question):
    """A question to the kernel; its refusal becomes a TargetError."""
    try:
        return question()
    except (BpfError, OSError, ImportError) as refusal:
        raise TargetError(
            "ebpf_impossible",
            "the kernel cannot be asked for eBPF programs: %s" % refusal,
            "run as root, with a Python that has ctypes, on a kernel with BPF_SYSCALL and CGROUP_BPF",
        )


def cgroup2():
    """The mount of the cgroup v2 hierarchy, the usual one before others; "" where there is none."""
    points = [
        line.split(" ")[1]
        for line in (read_text("/proc/mounts") or "").split("\n")
        if line.split(" ")[2:3] == ["cgroup2"]
    ]
    return "/sys/fs/cgroup" if "/sys/fs/cgroup" in points else points[0] if points else ""
