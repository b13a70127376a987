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

from ansible_collections.realip.toa.plugins.module_utils.host.running import in_image
from ansible_collections.realip.toa.plugins.module_utils.bpf.maps import read_network
from ansible_collections.realip.toa.plugins.module_utils.bpf.settings import network_key
from ansible_collections.realip.toa.plugins.module_utils.common.trusted_sources import list_in_force
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError, run, which
from ansible_collections.realip.toa.plugins.module_utils.host.writing import write_own
from ansible_collections.realip.toa.plugins.module_utils.host.file_image import file_image, link_image
from ansible_collections.realip.toa.plugins.module_utils.host.managed_files import Managed, Step
from ansible_collections.realip.toa.plugins.module_utils.host.marks import OPTION_FILTER
from ansible_collections.realip.toa.plugins.module_utils.host.state import load, section
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
    UNSEEN,
    digest_of_listing,
    digest_of_rules,
    filter_of,
)
from ansible_collections.realip.toa.plugins.module_utils.option_filter.trial import try_out
from ansible_collections.realip.toa.plugins.module_utils.startup.init import init_system
from ansible_collections.realip.toa.plugins.module_utils.startup.own_scripts import boot_files, places_of, without_line
from ansible_collections.realip.toa.plugins.module_utils.testbench.namespace import Refused
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import STANDARD_KINDS

# What a denial of SELinux would name.
TOOLS = ("nft", "iptables", "xtables", FOLDER)


def main(args):
    """args: state, method, kinds (ints), trusted_sources, ports, check; see plugins/modules/toa_option_filter.py."""
    option_filter = OptionFilter(args)
    return {"present": _present, "absent": _absent, "status": _status}[args["state"]](option_filter, args)


class OptionFilter(Managed):
    """The option filter on this host, as it is."""

    SECTION = SECTION
    OWN = (SCRIPT, UNIT) + UNIT_LINKS + tuple("%s/%s" % (FOLDER, name) for name in RULES)
    WATCHES = (SERVICE,)

    def __init__(self, args):
        Managed.__init__(self, init_system())
        self.recover(args["check"] or args["state"] == "status")

    def now(self):
        return filter_of(section(SECTION), places_of(OPTION_FILTER, self.init)) or dict(NONE)

    # -- what differs from others that leave something (host/managed_files.py) -----------------------------------------------

    def rest(self, facts, keeps):
        if keeps:
            return  # Not before those rules stand again: there is no moment without any.
        method = facts.get("method")
        if method in METHODS:
            self.put({SCRIPT: file_image(script_text(method).encode("ascii"), 0o755)})
        if self.originals.now(SCRIPT):
            _run_script("stop")

    def resume(self, facts, instead_of):
        _run_script("start")
        _stop_other(instead_of, facts.get("method"))

    def without_ours(self, name):
        return None if name in self.OWN else without_line(self.originals.now(name), SCRIPT)

    def result(self, before, after, changed, checks=()):
        return self.answer({"changed": changed, "before": before, "after": after, "checks": list(checks)})


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
    places = [name for name in files if name not in option_filter.OWN] or [UNIT]
    after = dict(wish, active=True, method=method, at_boot=places[0])
    if not args["check"]:
        with option_filter.lock():
            _change(option_filter, after, files, trial)
        after = option_filter.now()
    return option_filter.result(before, after, True, trial["checks"])


def _is_met(option_filter, wish, before):
    """Is all of this so already? Then nothing need be tried."""
    same = all(before[key] == value for key, value in wish.items() if key != "method")
    if not (same and before["active"] and before["at_boot"] and wish["method"] in ("auto", before["method"])):
        return False
    files = wanted_files(option_filter, wish, before["method"])
    return not option_filter.differing(files)


def choose(option_filter, wish):
    """(method, what the trial showed): the first that works here; TargetError that says why none does."""
    failures = []
    for method in METHODS if wish["method"] == "auto" else (wish["method"],):
        if not which("iptables-restore" if method == IPTABLES else "nft"):
            failures.append(TargetError("option_filter_unusable", "%s is not installed" % method, ""))
            continue
        if in_image():  # on another kernel
            return method, {"shown": "", "checks": []}
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
    """Loaded by what loads them at boot, and then read back."""
    facts = dict(after, shown="")

    def read_back():
        facts["shown"] = UNSEEN if in_image() else digest_of_rules()
        if not facts["shown"] or (trial["shown"] and facts["shown"] != digest_of_listing(trial["shown"])):
            raise TargetError(
                "option_filter_not_loaded",
                "the rules are loaded otherwise than they were in the trial",
                "see `/bin/sh %s show` on the host" % SCRIPT,
            )
        # Not before the new rules stand: there is no moment without any.
        _stop_other(option_filter.facts, after["method"])

    start = Step(files, run=lambda: _run_script("start"), units=[(SERVICE, TOOLS)], check=read_back)
    option_filter.establish([start], facts)


def _stop_other(facts, method):
    """Take away the rules of before where they are another firewall's than those of `method`."""
    before = facts.get("method")
    if before not in METHODS or before == method or in_image():
        return
    folder = tempfile.mkdtemp(prefix="realip-toa-")
    try:
        script = os.path.join(folder, "filter.sh")
        write_own(script, script_text(before), 0o700)
        _run_script("stop", script)
    finally:
        shutil.rmtree(folder, True)


def _absent(option_filter, args):
    before = option_filter.now()
    changed = bool(option_filter.originals.files or option_filter.left())
    if changed and not args["check"]:
        with option_filter.lock():
            option_filter.take_away()
    return option_filter.result(before, dict(NONE), changed)


def _run_script(verb, script=SCRIPT):
    """Run the script; what it says becomes a TargetError."""
    if in_image():
        return  # the firewall here is the build host's
    code, out, err = run(["/bin/sh", script, verb], timeout=60)
    if code != 0:
        raise TargetError(
            "option_filter_not_loaded" if verb == "start" else "option_filter_not_removed",
            "`%s %s` failed: %s" % (SCRIPT, verb, " ".join((err or out).split())[:500]),
            "see what keeps the host's firewall from changing",
        )


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
