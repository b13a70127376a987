# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The eBPF backend on a host: attached now and at every boot, its lists changed in place, detached without a trace.

What is attached is read from the kernel itself (bpf/in_force.py); what changes it is one script, the same at boot (bpf/loader.py).
The record (section `ebpf` of host/state.py) says how every file was before, and which packages came for it.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import base64
import hashlib
import os
import zlib

from ansible_collections.realip.toa.plugins.module_utils.bpf.backend import Backend, asked
from ansible_collections.realip.toa.plugins.module_utils.bpf.host_checks import REMEDIES, check_conflicts, check_host
from ansible_collections.realip.toa.plugins.module_utils.bpf.in_force import NOTHING, RESTORED, in_force
from ansible_collections.realip.toa.plugins.module_utils.bpf.loader import (
    BOOT_COMMAND,
    FILL,
    LOADER,
    OBJECT,
    SCRIPT_TEXT,
    SETTINGS,
)
from ansible_collections.realip.toa.plugins.module_utils.bpf.maps import PINS, maps_of
from ansible_collections.realip.toa.plugins.module_utils.bpf.settings import (
    fill_text,
    generation_of,
    settings_of,
    settings_text,
)
from ansible_collections.realip.toa.plugins.module_utils.bpf.units import (
    SERVICE,
    TIMER,
    TIMER_LINK,
    TIMER_TEXT,
    TIMER_UNIT,
    UNIT,
    UNIT_LINK,
    UNIT_TEXT,
    WATCH_TEXT,
    WATCH_UNIT,
)
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, read_text, remove_file, run
from ansible_collections.realip.toa.plugins.module_utils.host.lock import HostLock
from ansible_collections.realip.toa.plugins.module_utils.host.managed_files import file_image, link_image, tell_daemons
from ansible_collections.realip.toa.plugins.module_utils.host.marks import EBPF
from ansible_collections.realip.toa.plugins.module_utils.packaging.bpftool import (
    install,
    packages,
    problem,
    remove,
    require,
)
from ansible_collections.realip.toa.plugins.module_utils.startup.by_init import start_by_init
from ansible_collections.realip.toa.plugins.module_utils.startup.own_scripts import boot_files, without_line

OURS = (LOADER, OBJECT, SETTINGS, FILL, UNIT, UNIT_LINK, WATCH_UNIT, TIMER_UNIT, TIMER_LINK)


def main(args):
    """args: state, object (base64 of the compressed object), option_kinds, packets, place, trusted_sources, ports, getsockopt,
    getsockopt_nat64, cgroup, accept_conflicts, install_bpftool, check; see plugins/modules/toa_ebpf.py."""
    return {"attached": _attached, "detached": _detached, "status": _status}[args["state"]](Backend(args), args)


# -- states ------------------------------------------------------------------------------------------------------------


def _status(host, args):
    state, counters = host.now()
    return {"changed": False, "before": state, "after": state, "counters": counters, "notes": host.notes}


def _attached(host, args):
    check_host(host)
    check_conflicts(host, args)
    code = zlib.decompress(base64.b64decode(args["object"]))
    before, counters = host.now()
    # What nobody says stays as it is.
    args = dict(
        args,
        trusted_sources=trusted_by(host, args),
        packets=args.get("packets") or before["packets"],
        place=args.get("place") or before["place"],
    )
    wanted = wanted_state(host, args, code)
    files = wanted_files(host, args, wanted, before, code)
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
        host.trusted, host.reads = wanted["trusted_sources"], _reads(wanted)
        host.put(files)
        _load("attach")
        if host.init == "systemd":
            start_by_init(SERVICE, ("bpftool", OBJECT, PINS))
            start_by_init(TIMER, (LOADER,))
    except BaseException:
        if not before["attached"]:
            _unload()
        for name, image in old_files.items():
            host.originals.change(name, image)
        host.originals.return_to(old_record)
        host.trusted, host.reads = before["trusted_sources"], _reads(before)
        if before["attached"] or moves:
            _restore()
        if brought:
            remove(brought)
            host.packages = [name for name in host.packages if name not in brought]
        host.save()
        tell_daemons(old_files)
        raise


def _reads(state):
    return dict((key, state[key]) for key in ("ports", "packets"))


def _unload():
    try:
        _load("detach")
    except TargetError:
        pass  # what failed first is what the operator is told


def _restore():
    """The files are the old ones again; so shall the programs be."""
    try:
        _load("attach")
    except TargetError:
        pass  # what failed first is what the operator is told


def _detached(host, args):
    before, counters = host.now()
    programs = asked(host.programs)
    after = dict(before, attached=False, cgroup="", at_boot="")
    after.update((key, NOTHING[key]) for key in before if key in NOTHING)
    changed = bool(programs or os.path.isdir(PINS) or host.originals.files or host.packages)
    if changed and not args["check"]:
        if programs or os.path.isdir(PINS):
            require()
        with HostLock():
            _take_back(host, bool(programs or os.path.isdir(PINS)))
    return {"changed": changed, "before": before, "after": after, "counters": counters, "notes": host.notes}


def _take_back(host, loaded):
    if host.init == "systemd" and os.path.exists(TIMER_UNIT):
        _systemctl(host, "stop", TIMER)  # first: it would attach again
    if loaded:
        host.put(
            {
                LOADER: file_image(SCRIPT_TEXT.encode("ascii"), 0o755),
                SETTINGS: file_image(settings_text("", host.cgroup, 1, 0).encode("ascii"), 0o644),
            }
        )
        _load("detach")
    if host.init == "systemd" and os.path.exists(UNIT):
        _systemctl(host, "stop", SERVICE)
    back, foreign = host.originals.restorable()
    changes = dict.fromkeys(host.originals.files)
    for name in foreign:
        host.originals.change(name, None if name in OURS else without_line(host.originals.now(name), LOADER))
    # A note of the loader's own; the folder goes only when it is empty.
    remove_file(RESTORED)
    host.originals.restore()
    tell_daemons(changes)
    if host.packages:
        remove(host.packages)
        host.packages = []
    host.save()


def _systemctl(host, verb, unit):
    code, out, err = run(["systemctl", verb, unit], timeout=60)
    if code != 0:
        host.notes.append("systemctl %s %s: %s" % (verb, unit, " ".join((err or out).split())[:300]))


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
    now = asked(lambda: in_force(host.programs()))["trusted_sources"] or host.trusted
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
        wanted = settings_of(args)
    except ValueError as wrong:
        raise TargetError("bad_option", str(wrong), "see `ansible-doc realip.toa.toa_ebpf`")
    wanted.update(
        attached=True,
        cgroup=host.cgroup,
        object=hashlib.sha256(code).hexdigest()[:12],
        getsockopt=bool(args.get("getsockopt", True)),
    )
    return wanted


def _generation(host, wanted, before):
    """The name of what is wanted: another one than that in force, wherever anything of it differs."""
    if all(before.get(key) == wanted[key] for key in wanted if key not in ("getsockopt", "cgroup", "attached")):
        return host.generation
    name = generation_of(wanted["object"], wanted)
    return name if name != host.generation else generation_of(wanted["object"], dict(wanted, again=True))


def wanted_files(host, args, wanted, before, code):
    """{path: image} of every file that attaching takes."""
    generation = _generation(host, wanted, before)
    settings = settings_text(generation, host.given, wanted["getsockopt"], bool(args.get("accept_conflicts")))
    files = {
        LOADER: file_image(SCRIPT_TEXT.encode("ascii"), 0o755),
        OBJECT: file_image(code, 0o644),
        SETTINGS: file_image(settings.encode("ascii"), 0o644),
        FILL: file_image(fill_text(wanted, maps_of(generation)).encode("ascii"), 0o644),
    }
    files.update(_boot_files(host))
    return files


def _boot_files(host):
    units = {
        UNIT: file_image(UNIT_TEXT.encode("ascii"), 0o644),
        UNIT_LINK: link_image(UNIT),
        WATCH_UNIT: file_image(WATCH_TEXT.encode("ascii"), 0o644),
        TIMER_UNIT: file_image(TIMER_TEXT.encode("ascii"), 0o644),
        TIMER_LINK: link_image(TIMER_UNIT),
    }
    return boot_files(host.originals, host.init, EBPF, BOOT_COMMAND, units)
