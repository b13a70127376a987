# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers of a probe mean: every verdict, from receivers that this file makes up."""

from __future__ import absolute_import, division, print_function

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.programs.probe import read_questions
from ansible_collections.realip.toa.plugins.module_utils.testbench import cases as probe_cases
from ansible_collections.realip.toa.plugins.module_utils.testbench import questions
from ansible_collections.realip.toa.plugins.module_utils.testbench import verdict as verdict_module
from ansible_collections.realip.toa.plugins.module_utils.testbench.packets import KNOWN_FORMATS, endpoint

CLIENT, PORT = probe_cases.CLIENTS, probe_cases.CLIENT_PORT


class Receiver:
    """A made-up kernel: answers each case as a receiver of certain formats, packets and listeners would."""

    def __init__(
        self, kinds=(), packets=("ack",), listeners=("inet", "inet6"), calls=("accept", "getpeername"), sockopt=False
    ):
        self.kinds, self.packets, self.listeners, self.calls, self.sockopt = kinds, packets, listeners, calls, sockopt
        self.port = 20000
        self.asked = []

    def reads(self, case):
        return case.kind in self.kinds and case.packet in self.packets and case.listener in self.listeners

    def client(self, case):
        return case.shown(CLIENT[case.format.family], PORT if case.format.has_port else case.peer_port)

    def peer(self, case):
        return case.shown(case.peer, case.peer_port)

    def answer(self, case):
        for call in ("accept", "getpeername"):
            setattr(case, call, self.client(case) if self.reads(case) and call in self.calls else self.peer(case))
        if self.sockopt and self.reads(case):
            case.getsockopt_1348 = endpoint(CLIENT[case.format.family], PORT)

    def run(self, cases):
        for case in cases:
            self.port += 1
            case.peer_port = self.port
            self.answer(case)
        self.asked.extend(cases)
        return cases


class NoIpv6(Receiver):
    """A kernel without IPv6."""

    def answer(self, case):
        if case.listener == "inet6":
            case.untestable = "this kernel has no IPv6"
        else:
            Receiver.answer(self, case)


class Rewriter(Receiver):
    """Something that shows another address for every connection."""

    def peer(self, case):
        return case.shown("10.9.8.7", 1)


class Greedy(Receiver):
    """Takes any kind for an address."""

    def reads(self, case):
        return case.format is not None


class Mangler(Receiver):
    """Puts the four bytes of an IPv4 client at the start of an IPv6 address."""

    def client(self, case):
        return "[cb00:7107::]:4242" if case.listener == "inet6" else Receiver.client(self, case)


class Silent(Receiver):
    """A kernel in which connections with an option do not come about; `plain`: nor do those without."""

    plain = False

    def answer(self, case):
        if self.plain or case.kind == "200/8":
            case.problem = "no answer to the SYN"
        else:
            Receiver.answer(self, case)


def judge(receiver, kinds=("200/8",), claims=(), **more):
    """(verdict, reason, cases) for a receiver."""
    plan = read_questions(dict(more, option_kinds=list(kinds)))
    cases = plan.put(receiver.run)
    word, reason = verdict_module.verdict(cases, plan.wanted, list(claims))
    return word, reason, cases


def case_named(cases, name):
    return [case for case in cases if case.name == name][0]


def test_translating():
    word, reason, cases = judge(Receiver(["200/8"]))
    assert word == "translating" and "200/8" in reason
    assert verdict_module.summary(cases) == {"cases": 9, "ok": 9, "failed": [], "untestable": []}
    assert verdict_module.capabilities(cases) == {"getpeername": True, "getsockopt_1348": False, "ipv6": False}


def test_the_default_cases_are_those_of_the_contract():
    names = [case.name for case in judge(Receiver(["200/8"]))[2]]
    assert names == [
        "no option inet",
        "no option inet6",
        "111/8 ack inet",
        "200/8 ack inet",
        "200/8 syn inet",
        "200/8 data inet",
        "200/8 ack inet6",
        "200/8 syn inet6",
        "200/8 data inet6",
    ]


def test_a_row_says_what_was_expected_and_what_was_seen():
    rows = verdict_module.matrix(judge(Receiver(["200/8"]))[2])
    assert rows[3] == {
        "case": "200/8 ack inet",
        "kind": "200/8",
        "packet": "ack",
        "listener": "inet",
        "family": 4,
        "expected": "client",
        "accept": "203.0.113.7:4242",
        "getpeername": "203.0.113.7:4242",
        "getsockopt_1348": None,
        "ok": True,
    }
    assert rows[6]["accept"] == "[::ffff:203.0.113.7]:4242"
    assert rows[0]["accept"] == "192.0.2.2:20001" and rows[0]["expected"] == "peer" and rows[0]["packet"] == "none"


def test_absent_and_inert_differ_by_a_claim():
    assert judge(Receiver())[0] == "absent"
    word, reason, _cases = judge(Receiver(), claims=["module toa is loaded"])
    assert word == "inert" and "module toa is loaded" in reason


def test_wrong_kind_names_both():
    word, reason, cases = judge(Receiver(["254/8"]), claims=["module toa is loaded"])
    assert word == "wrong_kind" and "reads 254/8" in reason and "200/8 is wanted" in reason
    assert verdict_module.translated(cases) == ["254/8"]


def test_a_wrong_kind_is_in_the_matrix_and_silent_ones_are_not():
    kinds = set(row["kind"] for row in verdict_module.matrix(judge(Receiver(["254/8"]))[2]))
    assert kinds == set(["", "111/8", "200/8", "254/8"])


@pytest.mark.parametrize("listeners, missing", [(("inet",), "200/8 ack inet6"), (("inet6",), "200/8 ack inet")])
def test_partial_names_the_listener(listeners, missing):
    word, reason, _cases = judge(Receiver(["200/8"], listeners=listeners))
    assert word == "partial" and missing + ":" in reason


@pytest.mark.parametrize("kinds", [["254/8"], []])
@pytest.mark.parametrize("groups", [[], ["spoof", "mptcp"]])
def test_a_host_of_which_only_ipv4_listeners_are_asked(kinds, groups):
    """A module that knows AF_INET alone is then as it should be, and one that does not even know that is still found out."""
    receiver = Receiver(["254/8"], listeners=["inet"])
    receiver.answer = lambda case: (
        Receiver.answer(receiver, case)
        if case.variant != "spoof"
        else [setattr(case, call, receiver.peer(case)) for call in ("accept", "getpeername")]
    )
    word, _reason, cases = judge(receiver, kinds=kinds, groups=groups, listeners=["inet"])
    assert word == "translating" and set(case.listener for case in cases) == set(["inet"])
    assert judge(Receiver(["254/8"], listeners=["inet6"]), kinds=["254/8"], listeners=["inet"])[0] != "translating"


def test_partial_names_the_format():
    word, reason, _cases = judge(Receiver(["254/8"]), kinds=["254/8", "253/20"])
    assert word == "partial" and "253/20 ack inet6 from ipv6" in reason


@pytest.mark.parametrize(
    "calls, words", [(("accept",), "accept() has the client"), (("getpeername",), "getpeername() has the client")]
)
def test_one_call_of_two_is_partial(calls, words):
    word, reason, _cases = judge(Receiver(["200/8"], calls=calls))
    assert word == "partial" and words in reason


def test_getsockopt_alone_is_partial_and_a_capability():
    word, reason, cases = judge(Receiver(["254/8"], calls=(), sockopt=True), kinds=["254/8"])
    assert word == "partial" and "getsockopt(1348)" in reason
    assert verdict_module.capabilities(cases)["getsockopt_1348"] is True
    assert verdict_module.capabilities(cases)["getpeername"] is False


def test_both_ways_to_read():
    word, _reason, cases = judge(Receiver(["254/8", "253/20"], sockopt=True), kinds=["254/8", "253/20"])
    assert word == "translating"
    assert verdict_module.capabilities(cases) == {"getpeername": True, "getsockopt_1348": True, "ipv6": True}


def test_a_mangled_address_is_partial():
    word, reason, _cases = judge(Mangler(["200/8"]))
    assert word == "partial" and "cb00:7107::" in reason


@pytest.mark.parametrize("packets", [("syn",), ("data",), ("syn", "data")])
def test_reading_the_wrong_packet_is_partial(packets):
    word, reason, _cases = judge(Receiver(["200/8"], packets=packets))
    assert word == "partial" and "200/8 %s inet" % packets[0] in reason


@pytest.mark.parametrize("packets", [("ack",), ("syn",), ("syn", "ack"), ("syn", "ack", "data")])
def test_the_cdn_kind_may_be_read_from_syn_or_ack(packets):
    word, _reason, cases = judge(Receiver(["28/7"], packets=packets), kinds=["28/7"])
    assert word == "translating"
    case = [case for case in cases if case.kind == "28/7" and case.packet == packets[0] and case.listener == "inet"][0]
    assert case.accept == "203.0.113.7:%d" % case.peer_port


def test_the_cdn_kind_from_data_alone_is_not_enough():
    assert judge(Receiver(["28/7"], packets=("data",)), kinds=["28/7"])[0] == "partial"


def test_more_packets_than_needed_are_no_fault():
    assert judge(Receiver(["200/8"], packets=("syn", "ack", "data")))[0] == "translating"


def test_rewritten_controls_prove_nothing():
    word, reason, cases = judge(Rewriter(["200/8"]))
    assert word == "unprovable" and "10.9.8.7" in reason
    assert len(cases) == 3, "nothing more is asked"


def test_a_receiver_of_every_kind_proves_nothing():
    word, reason, _cases = judge(Greedy())
    assert word == "unprovable" and "111/8" in reason


def test_no_plain_connection_proves_nothing():
    receiver = Silent()
    receiver.plain = True
    word, reason, _cases = judge(receiver)
    assert word == "unprovable" and "no answer to the SYN" in reason


def test_connections_lost_with_the_option_are_not_translated():
    word, _reason, cases = judge(Silent(), claims=["module toa is loaded"])
    assert word == "inert"
    assert case_named(cases, "200/8 ack inet").row()["note"] == "no answer to the SYN"


def test_without_ipv6_the_rest_is_proven():
    word, reason, cases = judge(NoIpv6(["200/8"]))
    assert word == "translating" and "not tested: this kernel has no IPv6" in reason
    row = case_named(cases, "200/8 ack inet6").row()
    assert row["ok"] is None and row["note"] == "this kernel has no IPv6" and row["accept"] is None
    assert verdict_module.summary(cases)["failed"] == []
    assert verdict_module.summary(cases)["untestable"] == ["this kernel has no IPv6 (inet6)"]


def test_without_ipv6_an_ipv6_format_is_unprovable():
    assert judge(NoIpv6(["253/20"]), kinds=["253/20"])[0] == "unprovable"


def test_without_a_wish_what_is_read_counts():
    word, reason, cases = judge(Receiver(["254/8", "253/20"]), kinds=[])
    assert word == "translating" and "254/8, 253/20" in reason
    assert verdict_module.translated(cases) == ["254/8", "253/20"]
    assert judge(Receiver(["254/8"], listeners=["inet"]), kinds=[])[0] == "partial"
    assert judge(Receiver(), kinds=[])[0] == "absent"
    assert judge(Receiver(), kinds=[], claims=["x"])[0] == "inert"


def test_unknown_formats_do_not_hinder_the_rest():
    plan = read_questions({"option_kinds": ["254/8", "252/20"]})
    assert [option.name for option in plan.wanted] == ["254/8"] and plan.unknown == ["252/20"]


def test_the_control_kind_is_never_a_wanted_one():
    _word, _reason, cases = judge(Receiver(["111/8"]), kinds=["111/8"])
    assert [case.kind for case in cases[:3]] == ["", "", "112/8"]


def test_full_tries_every_format_even_where_all_is_well():
    assert set(case.kind for case in judge(Receiver(["200/8"]), cases="full")[2]) == set(KNOWN_FORMATS) | set(
        ["", "111/8"]
    )


def test_spoofed_options_are_told():
    word, reason, _cases = judge(Receiver(["200/8"]), groups=["spoof"])
    assert word == "partial" and "198.51.100.66" in reason


def test_every_forgery_is_tried_and_told():
    """A filter that takes one option of two is passed by the second; broken packets that the kernel drops are no fault."""

    class Behind(Receiver):
        trick, lost = "twice", ("behind a length of zero", "behind a length of one")

        def reads(self, case):
            return Receiver.reads(self, case) and (case.variant != "spoof" or case.trick == self.trick)

        def answer(self, case):
            Receiver.answer(self, case)
            if case.trick in self.lost:
                case.accept, case.problem = None, "no answer"

    word, reason, cases = judge(Behind(["200/8"]), groups=["spoof"])
    assert word == "partial" and "200/8 ack inet spoof twice" in reason
    assert len([case for case in cases if case.variant == "spoof"]) >= 12
    careful = Behind(["200/8"])
    careful.trick = None
    assert judge(careful, groups=["spoof"])[0] == "translating"


def test_a_receiver_that_trusts_only_its_load_balancers():
    class Careful(Receiver):
        def reads(self, case):
            return Receiver.reads(self, case) and case.peer == "10.0.0.1"

    more = {"peers": ["10.0.0.1"], "untrusted_peers": ["10.1.0.1"], "groups": ["spoof"]}
    assert judge(Careful(["200/8"]), **more)[0] == "translating"
    assert judge(Careful(["200/8"]), groups=["spoof"])[0] == "absent"


@pytest.mark.parametrize(
    "families, expected",
    [
        ((4, 6), [("inet", 4), ("inet6", 4), ("inet6", 6)]),
        ((4,), [("inet", 4), ("inet6", 4), ("inet6", 4)]),
        ((6,), [("inet6", 6), ("inet6", 6)]),
    ],
)
def test_formats_travel_over_the_families_in_which_somebody_is_believed(families, expected):
    plan = read_questions({"option_kinds": ["200/8", "253/20"], "families": list(families)})
    assert [(case.listener, case.family) for case in plan.wanted_cases() if case.packet == "ack"] == expected
    receiver = Receiver(["200/8", "253/20"])
    cases = plan.put(receiver.run)
    assert verdict_module.verdict(cases, plan.wanted, [])[0] == "translating"


@pytest.mark.parametrize("group", questions.GROUPS)
def test_each_group_adds_cases(group):
    plain = judge(Receiver(["200/8", "253/20"]), kinds=["200/8", "253/20"])[2]
    more = judge(Receiver(["200/8", "253/20"]), kinds=["200/8", "253/20"], groups=[group])[2]
    assert len(more) > len(plain)
    assert len(set(case.name for case in more)) == len(more), "each case has a name of its own"


def test_a_group_that_fails_is_named():
    class Plain(Receiver):
        def reads(self, case):
            return Receiver.reads(self, case) and case.variant != "mptcp"

    word, reason, _cases = judge(Plain(["200/8"]), groups=["mptcp"])
    assert word == "partial" and "200/8 ack inet mptcp" in reason


@pytest.mark.parametrize("rows, count", [("all", 9), ("failed", 1), ("none", 0)])
def test_rows(rows, count):
    cases = judge(Receiver(["200/8"], listeners=["inet"]))[2]
    assert len(verdict_module.matrix(cases, rows)) == count


@pytest.mark.parametrize(
    "args, code",
    [
        ({"option_kinds": ["200"]}, "bad_option_kind"),
        ({"also_kinds": ["x/y"]}, "bad_option_kind"),
        ({"groups": ["udp"]}, "bad_group"),
        ({"peers": ["lb.example"]}, "bad_peer"),
        ({"peers": ["192.0.2.1"]}, "bad_peer"),
        ({"untrusted_peers": ["1.2.3.4.5"]}, "bad_peer"),
    ],
)
def test_bad_arguments_are_refused(args, code):
    with pytest.raises(TargetError) as caught:
        read_questions(args)
    assert caught.value.code == code and caught.value.remedy
