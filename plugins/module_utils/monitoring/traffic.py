# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What real connections have moved the counters: those of the load balancer, without the proofs' own.

The kernel counts every connection, a proof's too. So each proof notes by how much it has moved the counters, in a file that goes with the boot, as the
counters do. What is left is traffic. Connections of others that came while a proof ran (a tenth of a second) are taken for its own.

The note: {"boot_id", "base" {counter: what does not count}, "began" (uptime at which counting began), "looked" (uptime of this note),
"seen" (connections with an option by then), "last" (uptime at which there was a new one, or null)}.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os

from ansible_collections.realip.toa.plugins.module_utils.monitoring.drift import utc
from ansible_collections.realip.toa.plugins.module_utils.monitoring.files import read_json

NOTE = "realip-toa/traffic.json"
# Without a real connection for this long, a host that translates is idle.
IDLE_AFTER = 3600

EBPF = "ebpf_"
EBPF_TRANSLATED, EBPF_TRUSTED = EBPF + "translated", EBPF + "from_trusted"
# What became of other connections, as a reason for silence.
EBPF_OTHERS = ("no_option", "untrusted", "malformed", "impossible", "ambiguous", "misplaced", "other_port")
MODULE_TRANSLATED, MODULE_PLAIN = "syn_recv_sock_toa", "syn_recv_sock_no_toa"


def relevant(counters):
    """Those that say something of connections, and are there as long as what counts is."""
    told = (EBPF_TRANSLATED, EBPF_TRUSTED) + tuple(EBPF + name for name in EBPF_OTHERS)
    return dict(
        (name, counters[name]) for name in counters if name in told or name.startswith(("syn_recv_sock_", "getname_"))
    )


def seen_in(counters):
    """Connections that carried an option that was translated; None where nothing here counts them.

    ANCK's vtoa does not count all of them, but what programs were shown of them, so that any of these moves.
    """
    if EBPF_TRANSLATED in counters:
        return counters[EBPF_TRANSLATED]
    if MODULE_TRANSLATED not in counters:
        return None
    shown = [name for name in counters if name.startswith("getname_") and "_ok" in name]
    return counters[MODULE_TRANSLATED] + sum(counters[name] for name in shown)


def real(counters, base):
    """Counters without what does not count; None where they have begun anew since."""
    left = dict((name, counters[name] - base.get(name, 0)) for name in counters)
    return left if not [name for name in base if left.get(name, -1) < 0] else None


def standing(counters, note, boot_id, uptime):
    """The note, as it stands at these counters: kept, or begun anew where boot, module or programs are others."""
    counters = relevant(counters)
    base, began, last, seen = {}, 0, None, 0
    if note.get("boot_id") == boot_id:
        left = real(counters, note["base"])
        if left is None:
            began = note["looked"]
        else:
            base, began, last, seen = note["base"], note["began"], note["last"], note["seen"]
    now = seen_in(real(counters, base)) or 0
    return {
        "boot_id": boot_id,
        "base": base,
        "began": began,
        "looked": uptime,
        "seen": now,
        "last": uptime if now > seen else last,
    }


def after_proof(before, after, note, boot_id, uptime):
    """The note after a proof, which has moved the counters from `before` to `after`."""
    counted = standing(before, note, boot_id, uptime)
    before, after = relevant(before), relevant(after)
    if not [name for name in before if before[name]]:
        counted["began"] = uptime  # what counts has just come
    moved = dict((name, max(after[name] - before.get(name, 0), 0)) for name in after)
    counted["base"] = dict((name, counted["base"].get(name, 0) + moved[name]) for name in moved)
    return counted


def traffic_of(counters, note, boot_id, uptime, now):
    """`traffic` of the facts, None where nothing counts connections.

    {"translated", "connections" (None where nobody knows which were the load balancer's, or how many), "trusted" (they are those of trusted
    sources), "others" {why: connections that were not translated}, "since" (UTC), "last" (UTC of a connection with an option, "" for none),
    "quiet" (seconds without one), "idle" (that is an hour)}
    """
    if seen_in(counters) is None:
        return None
    note = standing(counters, note, boot_id, uptime)
    left = real(relevant(counters), note["base"])
    programs = EBPF_TRANSLATED in left
    others = dict((name, left.get(EBPF + name, 0)) for name in EBPF_OTHERS) if programs else {}
    translated = left[EBPF_TRANSLATED if programs else MODULE_TRANSLATED]
    whole = left.get(EBPF_TRUSTED) if programs else translated + left.get(MODULE_PLAIN, 0)
    if not programs:
        others["no_option"] = left.get(MODULE_PLAIN, 0)
    seen_at = note["last"]
    quiet = int(uptime - max(note["began"], note["began"] if seen_at is None else seen_at))
    return {
        "translated": translated,
        "connections": whole,
        "trusted": programs,
        "others": others,
        "since": utc(now - (uptime - note["began"])),
        "last": utc(now - (uptime - seen_at)) if seen_at is not None else "",
        "quiet": quiet,
        "idle": quiet >= IDLE_AFTER,
    }


def read_note(path):
    """The note of the last proof; an empty one where there is none that can be read."""
    note = read_json(path)
    numbers = [note.get(key) for key in ("began", "looked", "seen")] + [note.get("last") or 0]
    base = note.get("base")
    if not isinstance(base, dict) or [
        one for one in numbers + list(base.values()) if not isinstance(one, (int, float))
    ]:
        return {}
    return note


def note_path(root=""):
    """Below /run, which is empty after a boot; CentOS 6 has it in /var."""
    folder = "/run" if os.path.isdir(root + "/run") else "/var/run"
    return "%s%s/%s" % (root, folder, NOTE)
