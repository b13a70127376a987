# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One round trip for the planner: the proof is run where something claims to be active, and nowhere else."""

from __future__ import absolute_import, division, print_function

import pytest
from ansible_collections.realip.toa.plugins.module_utils.programs import plan as survey

QUIET = {"modules": [], "ebpf": {"attached": []}, "service": None}


def module(name, loaded):
    return {"name": name, "loaded": loaded}


@pytest.fixture
def surveyed(monkeypatch):
    """survey.main() on a host with these facts; gives the answer and the arguments that the proof was called with."""

    def run(facts, **args):
        proofs = []
        monkeypatch.setattr(survey, "inspect", lambda given: dict(QUIET, **facts))
        monkeypatch.setattr(
            survey, "prove", lambda given: proofs.append(given) or {"probe": {"verdict": "translating"}}
        )
        return survey.main(
            dict({"probe": True, "check": False, "probe_args": {"option_kinds": ["200/8"], "peers": []}}, **args)
        ), proofs

    return run


@pytest.mark.parametrize(
    "facts, claims",
    [
        ({"modules": [module("toa", True)]}, []),
        ({"ebpf": {"attached": [{"id": 1}]}}, ["the eBPF programs are attached"]),
        ({"service": {"name": "vtoa", "active": True}}, ["service vtoa is active"]),
    ],
)
def test_a_claim_is_proved(surveyed, facts, claims):
    answer, proofs = surveyed(facts)
    assert answer["probe"] == {"verdict": "translating"}
    assert proofs == [{"option_kinds": ["200/8"], "peers": [], "claims": claims, "check": False}]


@pytest.mark.parametrize(
    "more, peers, families",
    [
        ({}, [], [4, 6]),
        ({"ebpf": {"attached": [{"id": 1}], "trusted_sources": ["10.7.0.0/16"]}}, ["10.7.0.1"], [4]),
        (
            {"firewall": {"option_filter": {"trusted_sources": ["10.8.0.0/16", "2001:db8:9::/48"]}}},
            ["10.8.0.1", "2001:db8:9::1"],
            [4, 6],
        ),
        ({"state": {"ebpf": {"trusted_sources": ["192.0.2.0/24"]}}}, [], [4]),
        ({"state": {"option_filter": {"trusted_sources": ["fd00::/8"]}}}, ["fd00::1"], [6]),
    ],
)
def test_a_proof_that_is_told_no_peers_follows_the_list_of_the_host(surveyed, more, peers, families):
    """The operator left the choice out, so that the list of before stays, and a proof from elsewhere would find nothing."""
    facts = dict({"modules": [module("toa", True)]}, **more)
    _answer, proofs = surveyed(facts, probe_args={"option_kinds": []})
    assert (proofs[0]["peers"], proofs[0]["families"]) == (peers, families)
    assert not [text for text in proofs[0]["untrusted_peers"] if text in peers]


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"modules": [module("toa", False), module("hookers", True)]},
        {"service": {"name": "vtoa", "active": False}},
        {"service": {"name": "vtoa", "active": None}},
    ],
)
def test_nothing_to_prove(surveyed, facts):
    answer, proofs = surveyed(facts)
    assert answer["probe"] is None and not proofs
    assert answer["facts"] == dict(QUIET, **facts) and answer["changed"] is False


def test_no_proof_where_none_is_wanted(surveyed):
    answer, proofs = surveyed({"modules": [module("toa", True)]}, probe=False)
    assert answer["probe"] is None and not proofs


def test_this_machine():
    answer = survey.main({"check": True, "probe": True, "probe_args": {}})
    assert answer["facts"]["uname"]["release"]
    claims = survey.claims_of(answer["facts"])
    assert (answer["probe"] is not None) == bool(claims["modules"] or claims["others"])
