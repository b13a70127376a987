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
import zlib

from ansible_collections.realip.toa.plugins.module_utils.host.running import in_image
from ansible_collections.realip.toa.plugins.module_utils.bpf.asking import asked
from ansible_collections.realip.toa.plugins.module_utils.bpf.backend import Backend, load
from ansible_collections.realip.toa.plugins.module_utils.bpf.host_checks import check_conflicts, check_host
from ansible_collections.realip.toa.plugins.module_utils.bpf.in_force import NOTHING, in_force
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
from ansible_collections.realip.toa.plugins.module_utils.host.file_image import file_image, link_image
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.managed_files import Step
from ansible_collections.realip.toa.plugins.module_utils.host.marks import EBPF
from ansible_collections.realip.toa.plugins.module_utils.packaging.bpftool import (
    install,
    missing,
    packages,
    problem,
    require,
)
from ansible_collections.realip.toa.plugins.module_utils.startup.own_scripts import boot_files


def main(args):
    """args: state, object (base64 of the compressed object), option_kinds, packets, place, trusted_sources, ports, getsockopt,
    getsockopt_nat64, cgroup, accept_conflicts, install_bpftool, check; see plugins/modules/toa_ebpf.py."""
    host = Backend(args)
    return {"attached": _attached, "detached": _detached, "status": _status}[args["state"]](host, args)


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
    installs = problem() is not None
    if installs and not args.get("install_bpftool"):
        require()
    wanted["at_boot"] = UNIT if UNIT in files else [name for name in files if name not in host.OWN][0]
    changed = bool(host.differing(files)) or installs or (before != wanted and not in_image())
    if installs:
        host.notes.append("installs %s" % " ".join(packages()))
    if in_image():
        # What the files say is so once the image boots.
        wanted["attached"] = False
        before = before if changed else wanted
    if changed and not args["check"]:
        with host.lock():
            _change(host, files, wanted, installs)
        counters = host.now()[1]
    return host.answer({"changed": changed, "before": before, "after": wanted, "counters": counters})


def _change(host, files, wanted, installs):
    """Everything that is left on the host; whatever fails, it ends as it was."""
    # Ports and packets are for the proof, which must ask where the programs read.
    facts = dict((key, wanted[key]) for key in ("cgroup", "trusted_sources", "ports", "packets"))
    facts["packages"] = host.packages() + (missing() if installs else [])

    def bring():
        facts["packages"] = host.packages() + install()
        host.save()

    def verify():
        after = host.now()[0]
        if after != wanted and not in_image():
            raise TargetError(
                "not_attached",
                "the loader said nothing, and yet it is %r in place of %r" % (after, wanted),
                "see `bpftool cgroup show %s` on the host" % host.cgroup,
            )

    steps = [Step(run=bring)] if installs else []
    if (host.facts.get("cgroup") or host.cgroup) != host.cgroup:
        steps.append(Step(run=lambda: load("detach")))
    units = ((SERVICE, ("bpftool", OBJECT, PINS)), (TIMER, (LOADER,)))
    host.establish(steps + [Step(files, run=lambda: load("attach"), units=units, check=verify)], facts)


def _detached(host, args):
    before, counters = host.now()
    loaded = host.is_loaded()
    after = dict(before, attached=False, cgroup="", at_boot="")
    after.update((key, NOTHING[key]) for key in before if key in NOTHING)
    changed = bool(loaded or host.originals.files or host.left() or host.packages())
    if changed and not args["check"]:
        if loaded:
            require()
        with host.lock():
            host.take_away()
    return host.answer({"changed": changed, "before": before, "after": after, "counters": counters})


# -- what is wanted ----------------------------------------------------------------------------------------------------


def trusted_by(host, args):
    """Whom to trust: as was said, else as it is. Nobody is trusted by accident."""
    if args.get("trusted_sources") is not None:
        return args["trusted_sources"]
    now = asked(lambda: in_force(host.programs()))["trusted_sources"] or host.trusted()
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
