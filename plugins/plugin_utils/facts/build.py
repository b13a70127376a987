# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`ansible_facts.toa` of a host, out of what it answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils.facts import distribution, kernel_release
from ansible_collections.realip.toa.plugins.plugin_utils.facts.clean import (
    LIST_LIMIT,
    NETWORKS_LIMIT,
    Cleaner,
    anything,
    flag,
    many,
    mapping,
    number,
    one_of,
    optional,
    record,
    records,
    text,
    tristate,
)

SCHEMA = 1


# One line for each key of the table in docs/contracts.md, but for `os` and `kernel`, which are read out of raw text.
CLEAN: dict[str, Cleaner] = {
    "image": flag,
    "python": record(executable=text, version=many(number)),
    "init": one_of("systemd", "upstart", "sysvinit", "other"),
    "boot": record(
        boot_id=text, loader=one_of("grub2", "grub2_bls", "grub_legacy", "other"), config=text, default=text, next=text,
        env_writable=flag, one_shot=flag, reason=text, free_kib=number, oopses=number,
    ),
    "hardware": record(firmware=one_of("uefi", "bios", ""), root_driver=text, nic_driver=text, machine=text),
    "kernels": records(release=text, image=text, toa_modules=many(text), package=text, lacks=many(text), signers=many(text)),
    "modules": records(name=text, file=text, loaded=flag, live=flag, parameters=mapping(text), stats=text, refcount=number, state=text,
                       signers=many(text)),
    "counters": mapping(number),
    "ebpf": record(
        possible=flag, reason=text, cgroup2=text, bpftool=text, attached=many(anything), complete=flag, object=text,
        option_kinds=many(text), trusted_sources=many(text, NETWORKS_LIMIT), getsockopt=flag,
        packets=many(text), place=text, ports=many(number, 1024), getsockopt_nat64=flag, generation=text,
        foreign=records(hook=text, id=number, name=text, cgroup=text), alone=records(hook=text, id=number, name=text, cgroup=text),
    ),
    "persistence": records(path=text, kind=text, module=text, line=text, line_number=number, effective=flag, reason=text, ours=flag),
    "service": optional(record(name=text, enabled=flag, active=tristate)),
    "security": record(
        secure_boot=flag, lockdown=text, sig_enforce=flag, modules_disabled=flag, trusted_keys=many(text), selinux=text, selinux_domain=text, fapolicyd=flag,
    ),
    "build": record(headers=flag, compiler=flag, make=flag, dkms=flag, noexec=flag, headers_package=text, headers_available=tristate),
    "container": text,
    "conflicts": records(code=text, detail=text),
    "firewall": record(
        backend=one_of("nft", "iptables", "none"), forwards=flag, filter_partial=many(text),
        option_filter=optional(record(
            active=flag, method=text, kinds=many(number), trusted_sources=many(text, NETWORKS_LIMIT), ports=many(number), at_boot=text,
        )),
    ),
    "held": many(text),
    "traffic": optional(record(
        translated=number, connections=number, trusted=flag, others=mapping(number), since=text, last=text, quiet=number, idle=flag,
    )),
    "ahead": records(release=text, detail=text),
    "drift": records(code=text, detail=text, since=text),
    "unread": records(section=text, problem=text),
    "state": lambda value: anything(value) if isinstance(value, dict) else {},
}  # fmt: skip


_CLEAN_PROBE = record(
    verdict=one_of("translating", "inert", "wrong_kind", "partial", "absent", "unprovable"), reason=text,
    matrix=many(anything), summary=anything, option_kinds=many(text), wanted_kinds=many(text), capabilities=mapping(tristate),
    claims=many(text), counters_before=mapping(number), counters_after=mapping(number), elapsed_ms=number,
)  # fmt: skip


def probe_of(raw: Any) -> dict[str, Any] | None:
    """The proof as the host told it, cleaned like the facts; None where it was not run."""
    return _CLEAN_PROBE(raw) if isinstance(raw, dict) else None


def facts_of(raw: Any) -> dict[str, Any]:
    """The facts of a host, out of the answer of programs/facts.py."""
    answer = raw if isinstance(raw, dict) else {}
    files = {path: content for path, content in _pairs(answer.get("os_files")) if isinstance(content, str)}
    facts = {key: clean(answer.get(key)) for key, clean in CLEAN.items()}
    facts["os"] = record_of_os(distribution.identify(files), answer.get("package_manager"))
    facts["kernel"] = kernel_of(dict(_pairs(answer.get("uname"))))
    facts["ebpf"]["cgroup2"] = facts["ebpf"]["cgroup2"] or None
    facts["schema"] = SCHEMA
    return facts


def record_of_os(entry: Mapping[str, Any], package_manager: Any) -> dict[str, Any]:
    """`os` of the facts, cleaned as everything that a host says."""
    cleaned = {key: text(value) if isinstance(value, str) else value for key, value in entry.items()}
    cleaned["id_like"] = many(text)(entry["id_like"])
    cleaned["package_manager"] = one_of("rpm", "deb", "none")(package_manager)
    return cleaned


def kernel_of(uname: Mapping[str, Any]) -> dict[str, Any]:
    """`kernel` of the facts; the machine's own word on its architecture counts more than the release's."""
    kernel = kernel_release.parse(text(uname.get("release")))
    machine = text(uname.get("machine"))
    kernel["arch"] = kernel_release.normal_arch(machine) if machine else kernel["arch"]
    return kernel


def _pairs(value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return []
    return [(key, item) for key, item in list(value.items())[:LIST_LIMIT] if isinstance(key, str)]
