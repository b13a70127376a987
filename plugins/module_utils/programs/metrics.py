# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The monitor's program: one look at the host, one proof, one file of metrics for the node exporter's textfile collector.

A timer or cron runs it on the host, without the controller (programs/monitor.py puts it there). It reads what the facts read and proves as the
probe proves, with the very same code; nothing is changed but the metrics, in one step, and the times at which drift was seen first.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import json
import os
import time

from ansible_collections.realip.toa.plugins.module_utils.host.foreign_folder import ForeignFolder
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.writing import write_own
from ansible_collections.realip.toa.plugins.module_utils.monitoring.drift import (
    CODES,
    is_live,
    proof_of,
    seconds_of,
    translators,
)
from ansible_collections.realip.toa.plugins.module_utils.monitoring.files import (
    METRICS,
    SEEN,
    SETTINGS,
    read_json,
    seen_drift,
)
from ansible_collections.realip.toa.plugins.module_utils.programs.plan import main as survey

# Name of a metric without its prefix -> (type, what it says).
HELP = {
    "info": ("gauge", "The running kernel, and what translates on this host."),
    "proved_info": ("gauge", "What the last rollout proved."),
    "live": ("gauge", "Whether a TOA module is loaded and alive, or the eBPF programs are attached."),
    "translating": ("gauge", "Whether the monitor's own proof has just seen the kernel translate."),
    "verdict_info": ("gauge", "Verdict of the monitor's own proof."),
    "proof_time_seconds": ("gauge", "When the monitor last ran a proof."),
    "rollout_time_seconds": ("gauge", "When the last rollout was proved."),
    "drift": ("gauge", "Whether the host has moved away from what was proved, by kind."),
    "drift_since_seconds": ("gauge", "Since when, where that is known."),
    "option_filter_active": (
        "gauge",
        "Whether the rules that strip options of strangers are loaded as they were left.",
    ),
    "trusts_all_sources": (
        "gauge",
        "Whether something translates and takes a client's address from whoever sends it.",
    ),
    "connections_total": (
        "counter",
        "Real connections since counting began, without the proofs' own: of them all, and those that came translated.",
    ),
    "idle": ("gauge", "Whether no real connection has carried an option for an hour."),
    "quiet_seconds": (
        "gauge",
        "Seconds since the last real connection that carried an option, or since counting began.",
    ),
    "events_total": ("counter", "Counters of the TOA module or the eBPF programs, summed over the CPUs."),
    "run_time_seconds": ("gauge", "When the monitor last ran."),
}
ORDER = (
    "info",
    "proved_info",
    "live",
    "translating",
    "verdict_info",
    "proof_time_seconds",
    "rollout_time_seconds",
    "drift",
    "drift_since_seconds",
    "option_filter_active",
    "trusts_all_sources",
    "connections_total",
    "idle",
    "quiet_seconds",
    "events_total",
    "run_time_seconds",
)


def main(args):
    """`args["folder"]` holds the settings: {textfile_dir, probe (bool), probe_args}."""
    path = os.path.join(args["folder"], SETTINGS)
    settings = read_json(path)
    if not isinstance(settings, dict) or not settings.get("textfile_dir"):
        raise TargetError(
            "bad_option",
            "%s is not what the monitor was set up with" % path,
            "run realip.toa.rollout again, or the role monitor",
        )
    now = int(time.time())
    found = survey(
        {"check": False, "probe": bool(settings.get("probe")), "probe_args": settings.get("probe_args") or {}}
    )
    since = remember(os.path.join(args["folder"], SEEN), found["facts"]["drift"], now)
    samples = samples_of(found["facts"], found["probe"], since, now, settings.get("probe"))
    with ForeignFolder(settings["textfile_dir"]) as folder:
        folder.write(METRICS, exposition(samples), 0o644)
    return {"changed": False}


def remember(path, drift, now):
    """{code: seconds} of when each finding was first seen; kept, and written only when there is something new to know."""
    before = seen_drift(path)
    after = dict((item["code"], before.get(item["code"]) or seconds_of(item["since"]) or now) for item in drift)
    if after != before:
        write_own(path, json.dumps(after, sort_keys=True) + "\n", 0o644)
    return after


def samples_of(facts, probe, since, now, asked=True):
    """[(name, {label: text}, number)] in the order of ORDER.

    `since`: {code: seconds} of what has drifted; `asked`: a proof was to be made where anything claims to translate.
    """
    proof = proof_of(facts["state"])
    samples = [
        (
            "info",
            {
                "release": facts["uname"]["release"],
                "translator": ",".join(translators(facts, "loaded")),
                "boot_id": facts["boot"].get("boot_id") or "",
            },
            1,
        )
    ]
    if proof and not proof["prepared"]:
        samples.append(("proved_info", {"backend": proof["backend"], "release": proof["kernel"]}, 1))
        samples.append(("rollout_time_seconds", {}, seconds_of(proof["time"])))
    samples.append(("live", {}, int(is_live(facts))))
    if asked:
        samples.append(("translating", {}, int(bool(probe) and probe["verdict"] == "translating")))
    if probe:
        samples.append(("verdict_info", {"verdict": probe["verdict"]}, 1))
        samples.append(("proof_time_seconds", {}, now))
    for code in CODES:
        samples.append(("drift", {"code": code}, int(code in since)))
    for code in sorted(since):
        samples.append(("drift_since_seconds", {"code": code}, since[code]))
    if facts["firewall"]["option_filter"]:
        samples.append(("option_filter_active", {}, int(facts["firewall"]["option_filter"]["active"])))
    samples.append(("trusts_all_sources", {}, int(trusts_all_sources(facts))))
    samples.extend(traffic_samples(facts["traffic"]))
    for counter in sorted(facts["counters"]):
        samples.append(("events_total", {"event": counter}, facts["counters"][counter]))
    samples.append(("run_time_seconds", {}, now))
    return sorted(samples, key=lambda sample: ORDER.index(sample[0]))


def traffic_samples(traffic):
    """None where nothing counts connections."""
    if not traffic:
        return []
    samples = [("connections_total", {"which": "translated"}, traffic["translated"])]
    if traffic["connections"] is not None:
        which = "trusted" if traffic["trusted"] else "all"
        samples.append(("connections_total", {"which": which}, traffic["connections"]))
    return samples + [("idle", {}, int(traffic["idle"])), ("quiet_seconds", {}, traffic["quiet"])]


def trusts_all_sources(facts):
    """Of the eBPF programs and of a module, what translates here has to have its list of networks."""
    filtered = (facts["firewall"]["option_filter"] or {}).get("active")
    names = translators(facts, "live")
    programs = "ebpf" in names and not facts["ebpf"].get("trusted_sources")
    return bool(programs or [name for name in names if name != "ebpf"]) and not filtered


def exposition(samples):
    """Samples in the text format of Prometheus (version 0.0.4)."""
    lines = []
    told = set()
    for name, labels, value in samples:
        if name not in told:
            told.add(name)
            lines.append("# HELP realip_toa_%s %s" % (name, HELP[name][1]))
            lines.append("# TYPE realip_toa_%s %s" % (name, HELP[name][0]))
        shown = ",".join('%s="%s"' % (label, escaped(labels[label])) for label in sorted(labels))
        lines.append("realip_toa_%s%s %d" % (name, "{%s}" % shown if shown else "", value))
    return "\n".join(lines) + "\n"


def escaped(text):
    """A label's value: printable, and short."""
    text = ("%s" % (text,))[:200].replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return "".join(char if char >= " " else "?" for char in text)
