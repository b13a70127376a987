# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`ansible_facts.toa`: out of what a host answered, or out of what is known of a machine that is not there.

Hosts are untrusted. What one answers has the shape of the table in docs/architecture.md when it leaves here, whatever
it sent: unknown keys are gone, wrong types have become the empty value, text is short and printable, lists are bounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ansible_collections.realip.toa.plugins.plugin_utils.facts import distribution as osrelease
from ansible_collections.realip.toa.plugins.plugin_utils.facts import kernel_release as kernels

SCHEMA = 1
TEXT_LIMIT = 512
LIST_LIMIT = 256
# Of trusted sources, as many as the eBPF backend has room for.
NETWORKS_LIMIT = 4096
KEY_LIMIT = 64
DEPTH_LIMIT = 6

Cleaner: TypeAlias = Callable[[Any], Any]


# ---- cleaners: any value in, a value of one type out


def text(value: Any) -> str:
    """Text of at most TEXT_LIMIT characters in which nothing can move a terminal's cursor."""
    if not isinstance(value, str):
        return ""
    short = value[:TEXT_LIMIT]
    return short if short.isprintable() else "".join(c if c.isprintable() else "\ufffd" for c in short)


def flag(value: Any) -> bool:
    return value is True


def tristate(value: Any) -> bool | None:
    """True, False, or None where the host does not know."""
    return value if isinstance(value, bool) else None


def number(value: Any) -> int | None:
    """An integer of 64 bits, or None: unknown is not zero."""
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63 else None


def many(clean: Cleaner, limit: int = LIST_LIMIT) -> Cleaner:
    """A list; items that do not survive cleaning (None, empty text) are left out."""

    def clean_list(value: Any) -> list[Any]:
        if not isinstance(value, list):
            return []
        return [kept for item in value[:limit] if (kept := clean(item)) not in (None, "")]

    return clean_list


def record(**fields: Cleaner) -> Cleaner:
    """A dict with exactly these keys."""

    def clean_record(value: Any) -> dict[str, Any]:
        given = value if isinstance(value, dict) else {}
        return {name: clean(given.get(name)) for name, clean in fields.items()}

    return clean_record


def records(**fields: Cleaner) -> Cleaner:
    """A list of dicts with exactly these keys; what is not a dict is left out."""
    clean = record(**fields)
    return many(lambda value: clean(value) if isinstance(value, dict) else None)


def optional(clean: Cleaner) -> Cleaner:
    """A dict, or None where the host sent none."""
    return lambda value: clean(value) if isinstance(value, dict) else None


def mapping(clean: Cleaner) -> Cleaner:
    """A dict from short text to values of one type; values that do not survive (None) are left out."""

    def clean_mapping(value: Any) -> dict[str, Any]:
        pairs = list(value.items())[:LIST_LIMIT] if isinstance(value, dict) else []
        cleaned = {text(key)[:KEY_LIMIT]: clean(item) for key, item in pairs if isinstance(key, str)}
        return {key: item for key, item in cleaned.items() if item is not None}

    return clean_mapping


def one_of(*names: str) -> Cleaner:
    """One of these words, or the last of them."""
    return lambda value: value if value in names else names[-1]


def anything(value: Any, depth: int = 0) -> Any:
    """JSON of any shape within all limits, for what has no fixed shape."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return number(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return text(value)
    if depth >= DEPTH_LIMIT:
        return None
    if isinstance(value, list):
        return [anything(item, depth + 1) for item in value[:LIST_LIMIT]]
    if isinstance(value, dict):
        return mapping(lambda item: anything(item, depth + 1))(value)
    return None


# One line for each key of the table in docs/architecture.md, but for `os` and `kernel`, which are read out of raw text.
CLEAN: dict[str, Cleaner] = {
    "python": record(executable=text, version=many(number)),
    "init": one_of("systemd", "upstart", "sysvinit", "other"),
    "boot": record(
        boot_id=text, loader=one_of("grub2", "grub2_bls", "grub_legacy", "other"), config=text, default=text, next=text,
        env_writable=flag, one_shot=flag, reason=text, free_kib=number,
    ),
    "kernels": records(release=text, image=text, toa_modules=many(text), package=text),
    "modules": records(name=text, file=text, loaded=flag, live=flag, parameters=mapping(text), stats=text, refcount=number, state=text),
    "counters": mapping(number),
    "ebpf": record(
        possible=flag, reason=text, cgroup2=text, bpftool=text, attached=many(anything), complete=flag, object=text,
        option_kinds=many(text), trusted_sources=many(text, NETWORKS_LIMIT), getsockopt=flag,
        foreign=records(hook=text, id=number, name=text, cgroup=text),
    ),
    "persistence": records(path=text, kind=text, module=text, line=text, line_number=number, effective=flag, reason=text, ours=flag),
    "service": optional(record(name=text, enabled=flag, active=tristate)),
    "security": record(secure_boot=flag, lockdown=text, sig_enforce=flag),
    "build": record(headers=flag, compiler=flag, make=flag, dkms=flag, headers_package=text, headers_available=tristate),
    "container": text,
    "conflicts": records(code=text, detail=text),
    "firewall": record(
        backend=one_of("nft", "iptables", "none"),
        option_filter=optional(record(
            active=flag, method=text, kinds=many(number), trusted_sources=many(text, NETWORKS_LIMIT), ports=many(number), at_boot=text,
        )),
    ),
    "held": many(text),
    "drift": records(code=text, detail=text, since=text),
    "unread": records(section=text, problem=text),
    "state": lambda value: anything(value) if isinstance(value, dict) else {},
}  # fmt: skip


_CLEAN_PROBE = record(
    verdict=one_of("translating", "inert", "wrong_kind", "partial", "absent", "unprovable"), reason=text,
    matrix=many(anything), summary=anything, option_kinds=many(text), wanted_kinds=many(text), capabilities=mapping(tristate),
    claims=many(text), counters_before=mapping(number), counters_after=mapping(number), elapsed_ms=number,
)  # fmt: skip


def probe(raw: Any) -> dict[str, Any] | None:
    """The proof as the host told it, cleaned like the facts; None where it was not run."""
    return _CLEAN_PROBE(raw) if isinstance(raw, dict) else None


def build(raw: Any) -> dict[str, Any]:
    """The facts of a host, out of the answer of programs/facts.py."""
    answer = raw if isinstance(raw, dict) else {}
    files = {path: content for path, content in _pairs(answer.get("os_files")) if isinstance(content, str)}
    facts = {key: clean(answer.get(key)) for key, clean in CLEAN.items()}
    facts["os"] = record_of_os(osrelease.identify(files), answer.get("package_manager"))
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
    kernel = kernels.parse(text(uname.get("release")))
    machine = text(uname.get("machine"))
    kernel["arch"] = kernels.normal_arch(machine) if machine else kernel["arch"]
    return kernel


def assumed(os_release: str, kernel: str, arch: str = "") -> dict[str, Any]:
    """What a freshly installed machine of this distribution, running this kernel, would show.

    `os_release` is the text of an os-release or release file, `kernel` what `uname -r` prints, `arch` what `uname -m` prints
    (default: what the release says, else x86_64).
    """
    facts = build({"uname": {"release": kernel, "machine": arch}})
    facts["kernel"]["arch"] = facts["kernel"]["arch"] or "x86_64"
    entry = osrelease.identify_text(os_release)
    facts["os"] = record_of_os(entry, osrelease.package_family(entry, facts["kernel"]["tag"]))
    facts["init"] = _usual_init(entry)
    facts["boot"].update(loader=_usual_loader(entry), env_writable=True, one_shot=True)
    facts["firewall"]["backend"] = "iptables"
    facts["ebpf"]["cgroup2"] = _usual_cgroup2(entry)
    facts["ebpf"]["possible"] = facts["ebpf"]["cgroup2"] is not None
    if entry["id"] == "tencentos":
        # TencentOS builds net/toa into every kernel since version 2 (CONFIG_TOA, default m).
        file = f"/lib/modules/{facts['kernel']['release']}/kernel/net/toa/toa.ko"
        facts["modules"] = CLEAN["modules"]([{"name": "toa", "file": file}])
    return facts


def _pairs(value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return []
    return [(key, item) for key, item in list(value.items())[:LIST_LIMIT] if isinstance(key, str)]


# ---- what distributions come with


def _enterprise_level(entry: Mapping[str, Any]) -> int:
    """The release of Enterprise Linux that a distribution is like (7 for Amazon Linux 2, 8 for Alinux 3); 0 for others."""
    if entry["id"] in ("rhel", "centos", "rocky", "almalinux", "ol", "scientific"):
        return int(entry["major"])
    steps = {
        "alinux": {2: 7, 3: 8, 4: 9}, "anolis": {7: 7, 8: 8, 23: 9}, "tencentos": {2: 7, 3: 8, 4: 9}, "opencloudos": {8: 8, 9: 9, 23: 9},
        "amzn": {2: 7, 2023: 9}, "kylin": {10: 8}, "hce": {2: 8}, "openeuler": {20: 8, 22: 8, 24: 9},
    }  # fmt: skip
    return steps.get(entry["id"], {}).get(entry["major"], 0)


def _usual_init(entry: Mapping[str, Any]) -> str:
    level = _enterprise_level(entry)
    if level == 6 or (entry["id"] == "ubuntu" and 0 < entry["major"] < 15):
        return "upstart"
    if (0 < level < 6) or (entry["id"] == "debian" and 0 < entry["major"] < 8):
        return "sysvinit"
    return "systemd" if entry["id"] else "other"


def _usual_loader(entry: Mapping[str, Any]) -> str:
    level = _enterprise_level(entry)
    if 0 < level < 7:
        return "grub_legacy"
    return (
        "grub2_bls"
        if level >= 8 or (entry["id"] == "fedora" and entry["major"] >= 30)
        else "grub2"
        if entry["id"]
        else "other"
    )


def _usual_cgroup2(entry: Mapping[str, Any]) -> str | None:
    """Where cgroup v2 is mounted out of the box: alone, beside v1 (hybrid), or not at all."""
    name, major = entry["id"], entry["major"]
    version = tuple(int(part) for part in entry["version_id"].split(".")[:2] if part.isdigit())
    unified = (
        (name == "debian" and major >= 11)
        or (name == "ubuntu" and version >= (21, 10))
        or (name == "fedora" and major >= 31)
        or name == "opensuse-tumbleweed"
        # openEuler, Anolis and OpenCloudOS kept v1 where Enterprise Linux 9 left it.
        or (_enterprise_level(entry) >= 9 and name not in ("openeuler", "anolis", "opencloudos", "tencentos"))
    )
    hybrid = (
        (name == "debian" and major == 10)
        or (name == "ubuntu" and major >= 18)
        or (name in ("sles", "opensuse-leap") and major == 15)
    )
    return "/sys/fs/cgroup" if unified else "/sys/fs/cgroup/unified" if hybrid else None
