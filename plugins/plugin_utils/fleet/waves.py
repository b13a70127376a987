# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates between the parts of a wave. Pure: no I/O, no clock.

A part is a batch of the play: hosts that may all be out at once. The gate looks after each part: it closes as soon as more hosts of the wave than
`toa_max_failures` have not ended well, whatever the reason, those that vanished from the play included. Where it stays open, a host still does not
begin if nobody of its kind was proved, or if its failure domain has meanwhile lost so many others that none may be taken out beside them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from ansible_collections.realip.toa.plugins.plugin_utils.fleet import records
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.host_variables import HostVariables
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.run_order import domain_full

Outcomes: TypeAlias = Mapping[str, Mapping[str, Any]]

# With these a host has been through the sequence, and proves its kind.
WELL = ("proved", "planned", "removed", "rolled_back", "converged")
# Outcomes with which a host is no failure of its wave: nothing was begun with it, for its change window is over, or for reasons beside it.
# `converged`: another run has been here since it was planned.
FINE = (*WELL, "pending", "waiting")

# ---- the hosts of a run's waves

# A host of it carries the order of a run. Groups outlive their playbook.
CARRIERS = "toa_order"
# Matches no host, and is not an error where a pattern that matches nothing is one.
NOBODY = "all:!all"


def current(groups: Mapping[str, Sequence[str]], hostvars: HostVariables) -> dict[str, Any]:
    """The order of the run whose waves are to begin; empty where there is none: it is spent when its first host has begun."""
    for carrier in reversed(groups.get(CARRIERS) or []):
        order = records.order_of(hostvars.raw(carrier))
        first = next(iter(order.get("slots") or {}), None)
        if first is not None and not records.of(hostvars.raw(first))["outcome"]:
            return order
    return {}


# ---- those that need attention

CONCERNED = "toa_attention"


def attention_group(run: str) -> str:
    """The group of the hosts because of which a run fails."""
    return f"{CONCERNED}_{run or 'none'}"


def concerned_group(groups: Mapping[str, Sequence[str]], hostvars: HostVariables) -> str:
    """The group of the hosts that the report of the last run is worried about; a pattern without hosts where there is none.

    A host that has taken part in another run since is that run's concern.
    """
    names = [name for name in groups if name.startswith(f"{CONCERNED}_")]
    if not names or not groups[names[-1]]:
        return NOBODY
    runs = {records.of(hostvars.raw(host))["run"] for host in groups[names[-1]]} - {""}
    return names[-1] if not runs or runs == {names[-1].removeprefix(f"{CONCERNED}_")} else NOBODY


# ---- before a part


def held(order: Mapping[str, Any], slot: Mapping[str, Any], earlier: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """{host: outcome} of those hosts of a part that do not begin after all. `earlier` is what the gate before it has said, {} for the first."""
    unproved, domains = earlier.get("unproved") or {}, {item["domain"]: item for item in order["domains"]}
    found: dict[str, dict[str, Any]] = {}
    out = {name: set(_out(order, earlier, name)) for name in domains}
    taken: dict[str, int] = {}
    for host in part_of(order, slot):
        kind, name = order["slots"][host]["kind"], order["slots"][host]["domain"]
        if kind in unproved:
            found[host] = {
                "state": "waiting", "code": "kind_unproved",
                "message": f"no host of its kind was proved: the canary {unproved[kind]} did not end well ({kind})",
                "remedy": f"put {unproved[kind]} right, and run again",
            }  # fmt: skip
        elif name in domains and host not in out[name]:
            taken[name] = taken.get(name, 0) + 1
            if len(out[name]) + taken[name] > domains[name]["limit"]:
                found[host] = domain_full({**domains[name], "out": sorted(out[name])})
    return found


def part_of(order: Mapping[str, Any], slot: Mapping[str, Any]) -> list[str]:
    """The hosts of a part, in order."""
    slots = order["slots"]
    return [host for host in list(slots)[slot["first"] : slot["until"]] if slots[host]["part"] == slot["part"]]


def _out(order: Mapping[str, Any], earlier: Mapping[str, Any], domain: str) -> list[str]:
    """Hosts of a domain that are out of service as far as the run knows."""
    began: list[str] = next((item["out"] for item in order["domains"] if item["domain"] == domain), [])
    return list((earlier.get("out") or {}).get(domain, began))


# ---- after a part


def gate(
    order: Mapping[str, Any],
    slot: Mapping[str, Any],
    outcomes: Outcomes,
    earlier: Mapping[str, Any],
    bad: Mapping[str, str] | None = None,
    trouble: str = "",
) -> dict[str, Any]:
    """What is behind the part that has just ended: {open, ask, last, why, remedy, words, ...}.

    `outcomes` are those of the part's hosts. `earlier` is what the gate before it has said, {} for the first. `bad`: {host: why} of hosts of the
    wave that ended well and have gone bad while it soaked. `trouble`: why the operator's tasks say that nothing more is to begin. `last`: whether
    the wave ends here. `words` is the outcome of those that do not begin if the run ends here. The rest is for the next gate: `unproven` and `well`
    hosts of this wave, `unproved` {kind: canary}, `out` {domain: hosts}, `bad` of all waves.
    """
    hosts, bad = list(order["slots"]), dict(bad or {})
    same = earlier.get("wave") == slot["wave"]
    unproven = dict(earlier.get("unproven") or {}) if same else {}
    well = list(earlier.get("well") or []) if same else []
    unproved = dict(earlier.get("unproved") or {})
    out = {item["domain"]: _out(order, earlier, item["domain"]) for item in order["domains"]}
    for host in part_of(order, slot):
        outcome = outcomes.get(host) or {}
        state = str(outcome.get("state") or "lost")
        own = order["slots"][host]
        if state not in FINE:
            unproven[host] = state
        if state in WELL:
            well.append(host)
        elif own["canary"]:
            unproved[own["kind"]] = host
        # What did not begin is where it was.
        if own["domain"] in out and state not in ("waiting", "pending"):
            others = [name for name in out[own["domain"]] if name != host]
            gone = state == "lost" or outcome.get("drained") or outcome.get("stuck")
            out[own["domain"]] = [*others, host] if gone else others
    for host in bad:
        unproven[host] = "went bad"
        if order["slots"][host]["canary"]:
            unproved[order["slots"][host]["kind"]] = host
    # Nobody looks at them again in most runs, and every gate would carry all names of a wave.
    well = [host for host in well if host not in bad] if order["looks_again"] else []
    waiting = len(hosts) - slot["until"]
    closed = bool(trouble) or len(unproven) > slot["allowed"]
    last = slot["until"] == slot["first"] + slot["size"]
    ask = order["ask_after"] == slot["wave"] and last and waiting > 0 and not closed
    why = _why_closed(slot, unproven, waiting, trouble) if closed else _why_asked(waiting) if ask else ""
    remedy = "put right what failed, and go on with" if closed else "to go on:" if ask else ""
    remedy = f"{remedy} {order['go_on_approved' if ask else 'go_on']}" if remedy else ""
    words = {
        "state": "pending" if ask else "waiting", "code": "awaiting_approval" if ask else "gate_closed", "message": why, "remedy": remedy,
    }  # fmt: skip
    return {
        "run": order["run"],
        "wave": slot["wave"],
        "part": slot["part"],
        "open": not closed,
        "ask": ask,
        "last": last,
        "why": why,
        "remedy": remedy,
        "words": words if why else {},
        "unproven": unproven,
        "well": well,
        "unproved": unproved,
        "out": out,
        "bad": {**(earlier.get("bad") or {}), **bad},
    }


def _why_closed(slot: Mapping[str, Any], unproven: Mapping[str, str], waiting: int, trouble: str) -> str:
    if len(unproven) <= slot["allowed"]:
        return f"wave {slot['wave']} of {slot['of']}: {trouble}; {_hosts(waiting)} not begun"
    named = ", ".join(f"{host} ({state})" for host, state in list(unproven.items())[:20])
    return (
        f"wave {slot['wave']} of {slot['of']}: {len(unproven)} of {slot['size']} hosts did not end well, and toa_max_failures allows "
        f"{slot['allowed']}: {named}{' and more' if len(unproven) > 20 else ''}; {_hosts(waiting)} not begun"
    )


def _why_asked(waiting: int) -> str:
    return f"the canaries have ended well; {_hosts(waiting)} not begun, because toa_pause_after_canary is set"


def earlier_gate(order: Mapping[str, Any], slot: Mapping[str, Any], hostvars: HostVariables) -> dict[str, Any]:
    """What the gate before a part has said: on a host of that part which Ansible has not given up."""
    hosts = list(order["slots"])
    first = hosts.index(part_of(order, slot)[0])
    for host in reversed(hosts[:first]):
        found = hostvars.raw(host).get(records.GATE)
        if isinstance(found, Mapping) and found.get("run") == order["run"]:
            return dict(found)
    return {}


def bad_hosts(looks: Iterable[Mapping[str, Any]], named: Any) -> dict[str, str]:
    """{host: why} of what was seen when hosts were looked at again, and of what the operator's tasks have named: a list, or {host: why}."""
    found = {}
    for look in looks:
        why = look.get("why") or (look.get("msg") if look.get("failed") else "")
        if why:
            found[str(look.get("host") or look.get("waves_host"))] = str(why)
    theirs = named if isinstance(named, Mapping) else dict.fromkeys(named or [], "")
    for host, why in theirs.items():
        found.setdefault(str(host), str(why or "the operator's tasks say so (toa_wave_tasks)"))
    return found


def shares(well: Sequence[str], batch: Sequence[str]) -> dict[str, list[str]]:
    """{host of the batch: hosts that it looks at}: itself, and its share of those that went in earlier parts of the wave."""
    found: dict[str, list[str]] = {host: [host] for host in batch if host in set(well)}
    others = [host for host in well if host not in found]
    for number, host in enumerate(others):
        found.setdefault(batch[number % len(batch)], []).append(host)
    return found


def _hosts(count: int) -> str:
    return "1 host is" if count == 1 else f"{count} hosts are"


# ---- after the waves


def gone_bad(groups: Mapping[str, Sequence[str]], hostvars: HostVariables) -> dict[str, str]:
    """{host: why} of the hosts that ended well in the last run and went bad while their wave soaked."""
    for carrier in reversed(groups.get(CARRIERS) or []):
        order = records.order_of(hostvars.raw(carrier))
        for host in reversed(list(order.get("slots") or {})):
            found = hostvars.raw(host).get(records.GATE)
            if isinstance(found, Mapping) and found.get("run") == order["run"]:
                return dict(found.get("bad") or {})
    return {}
