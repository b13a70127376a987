# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option filter on a host: address options of strangers are stripped, now and from every boot on, or everything is as it was.

The rules are tried in a namespace first (option_filter/trial.py), then loaded by the very script that loads them at boot (option_filter/rules.py), and
then read back: they must be listed as they were in the namespace. The record (section `option_filter` of state.json) says what was asked for, how
the loaded rules are listed, and how every file was before.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import os
import shutil
import tempfile

from ansible_collections.realip.toa.plugins.module_utils.bpf.maps import read_network
from ansible_collections.realip.toa.plugins.module_utils.bpf.settings import network_key
from ansible_collections.realip.toa.plugins.module_utils.common.trusted_sources import list_in_force
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, run, which, write_own
from ansible_collections.realip.toa.plugins.module_utils.host.lock import HostLock
from ansible_collections.realip.toa.plugins.module_utils.host.managed_files import (
    Originals,
    digest_of,
    file_image,
    link_image,
    tell_daemons,
)
from ansible_collections.realip.toa.plugins.module_utils.host.marks import OPTION_FILTER
from ansible_collections.realip.toa.plugins.module_utils.host.state import load, save_section, section
from ansible_collections.realip.toa.plugins.module_utils.option_filter.rules import (
    BOOT_COMMAND,
    FOLDER,
    IPTABLES,
    METHODS,
    RULES,
    SCRIPT,
    SERVICE,
    UNIT,
    UNIT_LINKS,
    UNIT_TEXT,
    rules_of,
    script_text,
)
from ansible_collections.realip.toa.plugins.module_utils.option_filter.state import (
    NONE,
    SECTION,
    digest_of_listing,
    digest_of_rules,
    filter_of,
)
from ansible_collections.realip.toa.plugins.module_utils.option_filter.trial import try_out
from ansible_collections.realip.toa.plugins.module_utils.startup.by_init import start_by_init
from ansible_collections.realip.toa.plugins.module_utils.startup.init import init_system
from ansible_collections.realip.toa.plugins.module_utils.startup.own_scripts import boot_files, places_of, without_line
from ansible_collections.realip.toa.plugins.module_utils.testbench.namespace import Refused
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import STANDARD_KINDS

# What a denial of SELinux would name.
TOOLS = ("nft", "iptables", "xtables", FOLDER)

OURS = (SCRIPT, UNIT) + UNIT_LINKS + tuple("%s/%s" % (FOLDER, name) for name in RULES)


def main(args):
    """args: state, method, kinds (ints), trusted_sources, ports, check; see plugins/modules/toa_option_filter.py."""
    return {"present": _present, "absent": _absent, "status": _status}[args["state"]](OptionFilter(), args)


class OptionFilter:
    """The option filter on this host, as it is."""

    def __init__(self):
        self.record = section(SECTION)
        self.originals = Originals(self.record)
        self.init = init_system()
        self.notes = []

    def now(self):
        return filter_of(section(SECTION), places_of(OPTION_FILTER, self.init)) or dict(NONE)

    def save(self, facts):
        """The files' record, and with it what was asked for."""
        record = self.originals.record()
        if record:
            record.update(facts)
        save_section(SECTION, record)

    def left(self):
        """Our own files that are there, recorded or not."""
        return [name for name in OURS if self.originals.now(name) is not None]

    def facts(self):
        """What the record says beside the files."""
        return dict((key, value) for key, value in section(SECTION).items() if key in NONE or key == "shown")

    def result(self, before, after, changed, checks=()):
        return {"changed": changed, "before": before, "after": after, "checks": list(checks), "notes": self.notes}


# -- states ------------------------------------------------------------------------------------------------------------


def _status(option_filter, args):
    now = option_filter.now()
    return option_filter.result(now, now, False)


def _present(option_filter, args):
    before = option_filter.now()
    if args.get("trusted_sources") is None:  # not said: as it is
        args = dict(args, trusted_sources=list_in_force({"state": load()}))
    wish = wish_of(args)
    if _is_met(option_filter, wish, before):
        return option_filter.result(before, before, False)
    method, trial = choose(option_filter, wish)
    files = wanted_files(option_filter, wish, method)
    places = [name for name in files if name not in OURS] or [UNIT]
    after = dict(wish, active=True, method=method, at_boot=places[0])
    if not args["check"]:
        with HostLock():
            _change(option_filter, after, files, trial)
        after = option_filter.now()
    return option_filter.result(before, after, True, trial["checks"])


def _is_met(option_filter, wish, before):
    """Is all of this so already? Then nothing need be tried."""
    same = all(before[key] == value for key, value in wish.items() if key != "method")
    if not (same and before["active"] and before["at_boot"] and wish["method"] in ("auto", before["method"])):
        return False
    files = wanted_files(option_filter, wish, before["method"])
    return not [
        name for name, image in files.items() if digest_of(option_filter.originals.now(name)) != digest_of(image)
    ]


def choose(option_filter, wish):
    """(method, what the trial showed): the first that works here; TargetError that says why none does."""
    failures = []
    for method in METHODS if wish["method"] == "auto" else (wish["method"],):
        if not which("iptables-restore" if method == IPTABLES else "nft"):
            failures.append(TargetError("option_filter_unusable", "%s is not installed" % method, ""))
            continue
        try:
            return method, try_out(method, wish["kinds"], wish["trusted_sources"], wish["ports"])
        except Refused as problem:
            # Rules of ours only ever strip options, so they may be loaded untried; the listing is still compared with what is wanted.
            option_filter.notes.append("the rules could not be tried in a namespace first: %s" % problem)
            return method, {"shown": "", "checks": []}
        except TargetError as problem:
            failures.append(problem)
    worst = ([problem for problem in failures if problem.code == "option_filter_unreliable"] + failures)[0]
    raise TargetError(
        worst.code,
        "options of strangers cannot be stripped on this host: %s" % "; ".join(problem.message for problem in failures),
        "install nftables (with Linux 5.18 or newer) or iptables, filter at the network's edge instead, or set toa_option_filter: none",
    )


def _change(option_filter, after, files, trial):
    """Record, write, load, read back; whatever fails, the host ends as it was."""
    facts, record = option_filter.facts(), option_filter.originals.copy_of_record()
    kept = dict((name, option_filter.originals.now(name)) for name in files)
    stale = [name for name in option_filter.left() if name not in files]
    kept.update((name, option_filter.originals.now(name)) for name in stale)
    try:
        for name in stale + [name for name in files if name in OURS and name not in option_filter.originals.files]:
            option_filter.originals.change(name, None)
        for name, image in sorted(files.items()):
            option_filter.originals.keep(name, image)
        option_filter.save(facts)
        for name, image in sorted(files.items()):
            option_filter.originals.change(name, image)
        tell_daemons(kept)
        _run_script("start")
        if option_filter.init == "systemd":
            start_by_init(SERVICE, TOOLS)
        shown = digest_of_rules()
        if not shown or (trial["shown"] and shown != digest_of_listing(trial["shown"])):
            raise TargetError(
                "option_filter_not_loaded",
                "the rules are loaded otherwise than they were in the trial",
                "see `/bin/sh %s show` on the host" % SCRIPT,
            )
        # Not before the new rules stand: there is no moment without any.
        _stop_other(facts, after["method"])
    except BaseException:
        _put_back(option_filter, kept, record, facts, after["method"])
        raise
    option_filter.save(dict(after, shown=shown))


def _stop_other(facts, method):
    """Take away the rules of before where they are another firewall's than those of `method`."""
    before = facts.get("method")
    if before not in METHODS or before == method:
        return
    folder = tempfile.mkdtemp(prefix="realip-toa-")
    try:
        script = os.path.join(folder, "filter.sh")
        write_own(script, script_text(before), 0o700)
        _run_script("stop", script)
    finally:
        shutil.rmtree(folder, True)


def _put_back(option_filter, kept, record, facts, method):
    if not facts:
        _end_rules(option_filter)
    for name, image in kept.items():
        option_filter.originals.change(name, image)
    option_filter.originals.return_to(record)
    option_filter.save(facts)
    tell_daemons(kept)
    if facts:
        _run_script("start")
        if option_filter.init == "systemd":
            _systemctl(option_filter, "reload-or-restart")
        _stop_other({"method": method}, facts.get("method"))


def _end_rules(option_filter):
    """Whatever of the new rules is there goes; what failed first is what the operator is told."""
    if option_filter.init == "systemd" and option_filter.originals.now(UNIT):
        _systemctl(option_filter, "stop")
    try:
        _run_script("stop")
    except TargetError:
        pass


def _absent(option_filter, args):
    before = option_filter.now()
    changed = bool(option_filter.originals.files or option_filter.left())
    if changed and not args["check"]:
        with HostLock():
            _take_away(option_filter)
    return option_filter.result(before, dict(NONE), changed)


def _take_away(option_filter):
    method = option_filter.record.get("method")
    if method in METHODS:
        option_filter.originals.change(SCRIPT, file_image(script_text(method).encode("ascii"), 0o755))
    # The watch first, which would put the rules back.
    if option_filter.init == "systemd" and option_filter.originals.now(UNIT):
        _systemctl(option_filter, "stop")
    if option_filter.originals.now(SCRIPT):
        _run_script("stop")
    foreign = option_filter.originals.restorable()[1]
    changes = dict.fromkeys(option_filter.originals.files)
    for name in foreign:
        option_filter.originals.change(
            name, None if name in OURS else without_line(option_filter.originals.now(name), SCRIPT)
        )
    option_filter.originals.restore()
    for name in option_filter.left():
        option_filter.originals.change(name, None)
    option_filter.originals.remove_folder(FOLDER)
    tell_daemons(changes)
    option_filter.save({})


def _run_script(verb, script=SCRIPT):
    """Run the script; what it says becomes a TargetError."""
    code, out, err = run(["/bin/sh", script, verb], timeout=60)
    if code != 0:
        raise TargetError(
            "option_filter_not_loaded" if verb == "start" else "option_filter_not_removed",
            "`%s %s` failed: %s" % (SCRIPT, verb, " ".join((err or out).split())[:500]),
            "see what keeps the host's firewall from changing",
        )


def _systemctl(option_filter, verb):
    code, out, err = run(["systemctl", verb, SERVICE], timeout=60)
    if code != 0:
        option_filter.notes.append("systemctl %s %s: %s" % (verb, SERVICE, " ".join((err or out).split())[:300]))


# -- what is wanted ----------------------------------------------------------------------------------------------------


def wish_of(args):
    """The options, checked and in order: {method, kinds, trusted_sources, ports}."""
    try:
        networks = sorted(set(read_network(network_key(text)) for text in args.get("trusted_sources") or []))
    except ValueError as wrong:
        raise TargetError(
            "bad_option", "trusted_sources: %s" % wrong, "list networks as in 10.0.0.0/8 or 2001:db8::/32"
        )
    if not networks:
        raise TargetError(
            "bad_option",
            "trusted_sources names nobody, so that the load balancers' options would be stripped as well",
            "list the load balancers' networks in toa_trusted_sources; where all sources are trusted, state: absent takes the rules away",
        )
    kinds, ports = sorted(set(args.get("kinds") or [])), sorted(set(args.get("ports") or []))
    wrong = [kind for kind in kinds if not 5 < kind < 256 or kind in STANDARD_KINDS]
    if wrong or not kinds:
        raise TargetError(
            "bad_option",
            "kinds: %s; expected kinds from 6 to 255 that TCP itself does not use" % (wrong or "none"),
            "name kinds of address options, as in [200, 254]",
        )
    wrong = [port for port in ports if not 0 < port < 65536]
    if wrong:
        raise TargetError(
            "bad_option",
            "ports: %s; expected ports from 1 to 65535" % wrong,
            "correct ports, or leave it out for all of TCP",
        )
    return {"method": args.get("method") or "auto", "kinds": kinds, "trusted_sources": networks, "ports": ports}


def wanted_files(option_filter, wish, method):
    """{path: image} of every file that the option filter takes."""
    rules = rules_of(method, wish["kinds"], wish["trusted_sources"], wish["ports"])
    files = dict(("%s/%s" % (FOLDER, name), file_image(text.encode("ascii"), 0o644)) for name, text in rules.items())
    files[SCRIPT] = file_image(script_text(method).encode("ascii"), 0o755)
    units = dict((link, link_image(UNIT)) for link in UNIT_LINKS)
    units[UNIT] = file_image(UNIT_TEXT.encode("ascii"), 0o644)
    files.update(boot_files(option_filter.originals, option_filter.init, OPTION_FILTER, BOOT_COMMAND, units))
    return files
