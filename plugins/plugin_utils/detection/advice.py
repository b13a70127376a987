# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the findings: the lines of an inventory, and sentences about what contradicts it or is missing."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ansible_collections.realip.toa.plugins.plugin_utils import host_text, option_formats, trusted_networks
from ansible_collections.realip.toa.plugins.plugin_utils.detection.findings import FEW, Findings, Sent

# Where a client's address is switched on at the vendor's; sources: the vendors' pages, as of 2025 (field guide, 1.2 to 1.5).
SWITCHES = (
    "Tencent: TOA is a setting of the listener or layer-4 rule (EdgeOne, GAAP, CLB across clouds: off by default; Anti-DDoS: always on)",
    "Alibaba: Anti-DDoS Proxy always sends it; CDN and DCDN need it switched on for the domain",
    'Huawei: "Transfer Client IP Address" of the ELB listener, or of the Global Accelerator endpoint group',
    "LVS: net.ipv4.vs.fullnat_toa_entry; DPVS: always, unless the service uses Proxy Protocol",
)
# Huawei's shared ELB connects from this network and no other (its documentation, elb_faq_0068).
HUAWEI = ipaddress.IPv4Network("100.125.0.0/16")
WORDS = {
    "syn": "the SYN",
    "ack": "the last packet of the handshake",
    "data": "the first data",
    "later": "later packets",
}


@dataclass(frozen=True)
class Settings:
    """What the inventory says today; None where it says nothing."""

    vendor: str = ""
    option_kinds: tuple[str, ...] = ()
    trusted_sources: tuple[str, ...] | None = None
    ports: tuple[int, ...] = ()


def vendors(found: Findings) -> list[str]:
    """Vendors that send all formats that were seen, the likeliest first; empty where none does."""
    formats = {str(sent.format) for sent in found.sent}
    packets = {packet for sent in found.sent for packet in sent.packets}
    fitting = [
        name
        for name, profile in option_formats.VENDORS.items()
        if formats
        and formats <= set(profile.option_kinds)
        and (("syn" in packets) == ("syn" in profile.packets) or not formats & {"28/7", "28/19"})
    ]

    def unlikely(name: str) -> tuple[bool, int, int]:
        missing = len(set(option_formats.VENDORS[name].option_kinds) - formats)
        elsewhere = name != "huawei" if _all_inside(found.sources, HUAWEI) else False
        # Alibaba's nodes put it on the last packet of the handshake alone, those made after LVS on the data as well.
        data = int((name == "alibaba") == ("data" in packets))
        return elsewhere, data, missing

    return sorted(fitting, key=unlikely)


def lines(found: Findings) -> list[str]:
    """YAML for the inventory; empty where nothing was seen that could be suggested."""
    if not found.sent:
        return []
    names = vendors(found)
    formats = [str(sent.format) for sent in found.sent]
    custom = ["toa_vendor: custom", f"toa_option_kinds: {_listed(formats)}"]
    written = [f"toa_vendor: {names[0]}{_others(names)}"] if names else custom
    written.append(f"toa_trusted_sources: {_listed(found.sources)}  # compare with the list of your balancer")
    if found.ports:
        written.append(f"toa_ports: [{', '.join(map(str, found.ports))}]  # leave it out for all ports")
    return written


def _others(names: Sequence[str]) -> str:
    """Vendors that what was seen may be of as well. They send the same only where formats, packets and place are the same."""
    first, *rest = [option_formats.VENDORS[name]._replace(source="") for name in names]
    same = [name for name, one in zip(names[1:], rest, strict=True) if one == first]
    other = [name for name in names[1:] if name not in same]
    told = [f"or {', '.join(same)}: they send the same"] if same else []
    told += [f"or {', '.join(other)}, with other formats, packets or place beside"] if other else []
    return f"  # {'; '.join(told)}" if told else ""


def notes(found: Findings, settings: Settings | None = None) -> list[str]:
    """Sentences, the gravest first: contradictions, what was seen and not suggested, what is missing."""
    said = [*_contradictions(found, settings or Settings()), *_oddities(found)]
    if not found.sent:
        said += _absence(found)
    if found.totals["udp_datagrams"] and not found.totals["established"]:
        said.append(
            f"{found.totals['udp_datagrams']} UDP datagrams arrived: TOA is an option of TCP. For UDP there is UOA of DPVS or Proxy Protocol v2, "
            "which this collection does not do."
        )
    return said


def summary(found: Findings) -> list[str]:
    """Lines that say what arrived, for a terminal."""
    said = [
        f"{len(found.hosts)} host(s) listened for up to {found.seconds:g} s: {found.totals['established']} connections, "
        f"{found.totals['with_option']} of them with an option that may be TOA"
        + (
            f"; {found.totals['sampled']} host(s) looked at a part of their connections"
            if found.totals["sampled"]
            else ""
        )
    ]
    for sent in found.sent:
        said.append(_sent(sent))
    return said


def _sent(sent: Sent) -> str:
    layout = sent.format.layout or "a layout that nobody has described"
    where = " and ".join(WORDS[name] for name in WORDS if sent.packets[name])
    version = f", version {', '.join(map(str, sorted(sent.versions)))}" if sent.versions else ""
    example = f", such as {sent.samples[0]}" if sent.samples else ""
    return (
        f"{sent.format} ({layout}{version}) on {where}: {sent.connections} connections from {len(sent.sources)} address(es) "
        f"to port {', '.join(map(str, sorted(sent.ports)[:8]))}{example}"
    )


def _contradictions(found: Findings, settings: Settings) -> list[str]:
    said: list[str] = []
    if not found.sent:
        return said
    try:
        wanted = option_formats.wanted(settings.vendor, settings.option_kinds)
    except ValueError as problem:
        wanted = []
        said.append(f"{problem}.")
    arriving = [str(sent.format) for sent in found.sent]
    other = [text for text in arriving if text not in wanted]
    if wanted and other:
        by = f"toa_vendor {settings.vendor}" if not settings.option_kinds else "toa_option_kinds"
        said.append(f"{', '.join(other)} arrives, and {by} says {', '.join(wanted)}.")
    if settings.trusted_sources is not None and settings.trusted_sources:
        outside = [text for text in found.sources if not _trusted(text, settings.trusted_sources)]
        if outside:
            said.append(
                f"The option comes from {_short(outside)} as well, which toa_trusted_sources does not hold: "
                "add it if it is your balancer, else somebody forges the option and the list keeps him out."
            )
    missing = [port for port in found.ports if settings.ports and port not in settings.ports]
    if missing:
        said.append(f"The option comes to port {', '.join(map(str, missing))} as well, which toa_ports does not hold.")
    return said


def _oddities(found: Findings) -> list[str]:
    said = []
    if found.rare_sources:
        ranked = [f"{source} ({number})" for source, number in found.rare_sources.most_common()]
        said.append(
            f"Not suggested, because they sent so few: {_short(ranked)}. A client can send the option too; add one only if it is your balancer."
        )
    # A balancer has a few of these whenever listening begins in the middle; whoever has little else forges.
    unproved = {
        s
        for sent in [*found.sent, *found.rare]
        for s, number in sent.unproved.items()
        if number >= FEW + 10 * sent.sources[s]
    }
    if unproved:
        said.append(
            f"Packets with the option came from {_short(sorted(unproved))} on connections that were never established: "
            "the sender's address may be forged."
        )
    several = sum(sent.several for sent in found.sent)
    if several:
        said.append(
            f"{several} packets carried the option more than once: a client that forges it behind a balancer that leaves it there, "
            "or two balancers in a row."
        )
    if found.elsewhere:
        said.append(
            f"{', '.join(sorted(found.elsewhere))} also came for addresses that are not a host's own (containers or virtual machines): "
            "nothing is suggested for those."
        )
    for sent in found.sent:
        if not sent.format.layout:
            said.append(
                f"What {sent.format} carries is not known: ask who sends it before you name it in toa_option_kinds."
            )
    return said


def _absence(found: Findings) -> list[str]:
    for (port, version), number in found.proxy.most_common(3):
        return [
            f"{number} connections to port {port} begin with Proxy Protocol v{version}: switch it on in the program that listens there "
            "(nginx: listen … proxy_protocol); TOA is not needed for it."
        ]
    if not found.totals["established"]:
        if found.totals["half_open"]:
            return [
                "Connections were begun and none was established: is anything listening, and does a firewall let it in?"
            ]
        return [
            "No connection was begun while the hosts listened. Send some through the balancer meanwhile, or listen for longer (-e toa_detect_seconds=120)."
        ]
    said = [
        f"{found.totals['established']} connections and no option that could be TOA. Either a proxy of layer 7 (HTTP) is in between, which takes options "
        "away and says the client in X-Forwarded-For; or the balancer's own switch is off:",
        *SWITCHES,
    ]
    if len(found.plain_sources) >= 8 and not _few_networks(found.plain_sources):
        said.append(
            "The connections come from many networks: perhaps the balancer leaves the client's address as it is. Look into a log of a program; "
            "if clients are there, no TOA is needed."
        )
    return said


def _few_networks(sources: Iterable[str]) -> bool:
    return (
        len(
            {ipaddress.ip_network((ipaddress.ip_address(s), 16 if ":" not in s else 48), strict=False) for s in sources}
        )
        < 8
    )


def _trusted(network: str, trusted: Sequence[str]) -> bool:
    try:
        listed = trusted_networks.parse(list(trusted))
    except ValueError:
        return False
    inner = ipaddress.ip_network(network)
    return any(inner.version == outer.version and inner.subnet_of(outer) for outer in listed)  # type: ignore[arg-type]


def _all_inside(networks: Sequence[str], outer: ipaddress.IPv4Network) -> bool:
    parsed = [ipaddress.ip_network(text) for text in networks]
    return bool(parsed) and all(isinstance(n, ipaddress.IPv4Network) and n.subnet_of(outer) for n in parsed)


def _listed(texts: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{text}"' for text in texts) + "]"


def _short(texts: Sequence[str], most: int = 8) -> str:
    return host_text.some(texts, most)
