# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The decision: what a host is, what the operator allows, what exists -> what shall be done to this host, and why.

Pure: no I/O, no clock. Every backend looks at the host and comes back with an `Offer`: converged, pending, blocked (something that
the operator can allow or put right stands in the way) or rejected (not for this host). The first converged one wins, so that what works
is left alone; then the first pending one, then the first blocked one, in the operator's order of preference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from ansible_collections.realip.toa.plugins.plugin_utils import ebpf_object
from ansible_collections.realip.toa.plugins.plugin_utils import option_formats as formats
from ansible_collections.realip.toa.plugins.plugin_utils import trusted_networks as sources
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalogs
from ansible_collections.realip.toa.plugins.plugin_utils.catalog.entries import Entry, Locked, Package
from ansible_collections.realip.toa.plugins.plugin_utils.facts import distribution as osrelease
from ansible_collections.realip.toa.plugins.plugin_utils.facts import kernel_release as kernel
from ansible_collections.realip.toa.plugins.plugin_utils.planner.reasons import BLOCK, INFO, WARNING, reason
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import trees as source_trees

Plan: TypeAlias = dict[str, Any]
Facts: TypeAlias = Mapping[str, Any]

CONVERGED, PENDING, BLOCKED, UNSUPPORTED = "converged", "pending", "blocked", "unsupported"
REJECTED = "rejected"

BACKENDS = ("vtoa", "in_tree", "ebpf", "kernel_package", "source_module", "source_kernel")

# The variables of the collection without `toa_`, with their defaults.
POLICY: dict[str, Any] = {
    "vendor": "",
    "backends": list(BACKENDS),
    "option_kinds": [],
    "package_mirror": "",
    "install_headers": False,
    "source_url": "",
    "source_sha256": "",
    "source_commit": "",
    "source_tree": "",
    "build_once": False,
    "install_build_tools": True,
    "signing_key": "",
    "trusted_sources": [],
    "option_filter": True,
    "option_filter_ports": [],
    "monitor": False,
    "push_packages": False,
    "ebpf_getsockopt": True,
    "install_bpftool": True,
    "accept_kernel_downgrade": False,
    "accept_unverified_packages": False,
    "accept_no_fallback": False,
    "accept_conflicts": False,
}

# Alibaba Cloud, "Use vtoa to get the real client address": getpeername from the first, getsockopt(IPPROTO_IP, 1348) from the second.
VTOA = "vtoa"
VTOA_GETPEERNAME = "5.10.134-15"
VTOA_GETSOCKOPT = "5.10.134-17"
VTOA_TAG = "al8"
VTOA_ARCHES = ("x86_64", "aarch64")
VTOA_DOCUMENTED = ("254/8", "253/20")
# Read as well, by ANCK net/vtoa.
VTOA_READS = (*VTOA_DOCUMENTED, "254/20", "250/8", "252/20", "249/40")

# How findings of persistence call what attaches the programs at boot.
EBPF = "ebpf"
# Kinds of places that only recipes write to.
SCRIPTS = ("rc_local", "sysconfig_modules")

# sock_ops, sk_storage and the getpeername hooks, measured from 5.10 on.
EBPF_KERNEL = "5.10"
# The object is little-endian.
EBPF_ARCHES = ("x86_64", "aarch64", "ppc64le", "riscv64", "loongarch64")

# Option kinds of modules that leave no choice; `toa` is the name that every vendor uses.
MODULE_READS = {"vtoa": VTOA_READS, "slb_vtoa": VTOA_READS, "tcp_toa": ("28/7",), "ip_vs_ca": ("200/8",)}
# TencentOS-kernel net/toa.
TENCENTOS_READS = ("200/8",)
# Serves vtoa and translates nothing by itself.
HELPER_MODULES = ("hookers",)
# Modules that fill IPv6 sockets' addresses too.
IPV6_MODULES = ("vtoa", "slb_vtoa")

# Conflicts that the host reports and that the planner finds in the modules and programs themselves.
SEEN_BY_ITSELF = ("conflict_ebpf_getpeername", "two_toa_modules")

# Room in /boot that a kernel, its initramfs, System.map and configuration take, in KiB; toa_package measures exactly.
BOOT_NEEDS_KIB = 48 * 1024

NO_STATISTICS = "it has not made its statistics file in /proc/net"

# States of /sys/kernel/security/lockdown in which modules must be signed.
LOCKED_DOWN = ("integrity", "confidentiality")

PACKAGE_TOOLS = {"rpm": "rpm", "deb": "dpkg"}


class PolicyError(ValueError):
    """A policy that makes no sense, whatever the host; the text names the variable and what was expected."""


@dataclass
class Case:
    """One host to decide about."""

    facts: Facts
    policy: Mapping[str, Any]
    catalog: Sequence[Entry]
    lock: Mapping[str, Locked]
    probe: Mapping[str, Any] | None
    wanted: list[str]

    @property
    def os(self) -> Mapping[str, Any]:
        return self.facts["os"]

    @property
    def kernel(self) -> Mapping[str, Any]:
        return self.facts["kernel"]

    @property
    def running(self) -> str:
        return str(self.kernel["release"])

    @cached_property
    def distribution(self) -> str:
        return osrelease.describe(self.os)

    @cached_property
    def modules(self) -> dict[str, Mapping[str, Any]]:
        """TOA modules of the running kernel by name, helpers left out."""
        return {module["name"]: module for module in self.facts["modules"] if module["name"] not in HELPER_MODULES}

    @cached_property
    def running_entry(self) -> Entry | None:
        """The catalog entry whose kernel is running."""
        return next((entry for entry in self.catalog if entry.release == self.running), None)


@dataclass
class Offer:
    """What one backend can do for a host."""

    backend: str
    what: str
    """The thing it installs or uses, as a message names it."""
    reasons: list[dict[str, str]] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    rejected: bool = False
    module: str = ""
    option_kinds: list[str] = field(default_factory=list)
    getsockopt_1348: bool = False
    ipv6: bool = False
    reboot: bool = False
    service: str = ""
    """Package of the host's repositories, and unit, that loads the module now and at boot."""
    entry: Entry | None = None
    packages: list[Package] = field(default_factory=list)

    def reject(self, code: str, **words: Any) -> Offer:
        """Not for this host, whatever the operator does."""
        self.rejected = True
        self.reasons.append(reason(code, self.backend, BLOCK, **words))
        return self

    def block(self, code: str, accepted: bool = False, **words: Any) -> None:
        """Stands in the way unless the operator has accepted it; then it is a warning."""
        self.reasons.append(reason(code, self.backend, WARNING if accepted else BLOCK, **words))

    def tell(self, code: str, **words: Any) -> None:
        """Said, and nothing else; the table knows whether as info or as a warning."""
        self.reasons.append(reason(code, self.backend, **words))

    @property
    def state(self) -> str:
        if self.rejected:
            return REJECTED
        if any(item["severity"] == BLOCK for item in self.reasons):
            return BLOCKED
        return PENDING if self.steps else CONVERGED


def policy_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """A policy with every key, checked; raises PolicyError."""
    strange = sorted(set(given) - set(POLICY))
    if strange:
        raise PolicyError(f"unknown policy {', '.join(strange)}; expected some of {', '.join(POLICY)}")
    policy = {key: default if given.get(key) is None else given[key] for key, default in POLICY.items()}
    unknown = [name for name in policy["backends"] if name not in BACKENDS]
    if unknown or not policy["backends"] or isinstance(policy["backends"], str):
        raise PolicyError(f"toa_backends is a list of some of {', '.join(BACKENDS)}; got {policy['backends']!r:.120}")
    for key, default in POLICY.items():
        if isinstance(default, bool) and not isinstance(policy[key], bool):
            raise PolicyError(f"toa_{key} is true or false; got {policy[key]!r:.80}")
    try:
        policy["option_kinds"] = formats.normalise(policy["option_kinds"])
        formats.wanted(policy["vendor"], policy["option_kinds"])
        policy["trusted_sources"] = sources.normalise(policy["trusted_sources"])
        source_trees.find(policy["source_tree"])
        policy["option_filter_ports"] = _ports(policy["option_filter_ports"])
    except ValueError as problem:
        raise PolicyError(str(problem)) from problem
    return policy


def _ports(given: Any) -> list[int]:
    """TCP ports, in order; ValueError for anything else."""
    if isinstance(given, (str, Mapping)) or not all(str(port).isdigit() and 0 < int(port) < 65536 for port in given):
        raise ValueError(f"toa_option_filter_ports is a list of TCP ports as in [80, 443]; got {given!r:.80}")
    return sorted({int(port) for port in given})


def decide(
    facts: Facts,
    policy: Mapping[str, Any],
    catalog: Sequence[Entry],
    lock: Any = None,
    probe: Mapping[str, Any] | None = None,
) -> Plan:
    """The plan for one host (docs/contracts.md, "The plan").

    `facts` as facts.build() made them, `policy` any keys of POLICY, `catalog` of catalog.load(), `lock` the contents of toa.lock.yml
    or what catalog.read_lock() made of it, `probe` the answer of the proof or None where it was not run.
    Raises PolicyError or CatalogError for what is wrong whatever the host.
    """
    case = case_of(facts, policy, catalog, lock, probe)
    refused = gate(case)
    if refused:
        return refused
    # A host that has got a module built from source keeps to that, also when a kernel update has left it without.
    names = sorted(
        case.policy["backends"],
        key=lambda name: not (name == "source_module" and built_here(case) and _is_for_source(case)),
    )
    offers = [_completed(case, _EVALUATE[name](case)) for name in names]
    for state in (CONVERGED, PENDING, BLOCKED):
        for offer in offers:
            if offer.state == state:
                if is_drained(case):
                    offer.tell("left_drained")
                    offer.steps.append("put the host back into service")
                return _chosen(case, offer, offers)
    return _none(case, offers)


def wants_headers(plan: Plan, facts: Facts) -> bool:
    """Whether this plan depends on what nobody has asked the host yet: if its repositories have the headers of its kernel."""
    build = facts["build"]
    building = plan["goal"] == "install" and plan["backend"] == "source_module" and plan["state"] in (PENDING, BLOCKED)
    return building and not build["headers"] and not build["headers_package"]


def case_of(
    facts: Facts,
    policy: Mapping[str, Any],
    catalog: Sequence[Entry],
    lock: Any = None,
    probe: Mapping[str, Any] | None = None,
) -> Case:
    """The arguments of decide(), checked and complete."""
    complete = policy_of(policy)
    wanted = formats.wanted(complete["vendor"], complete["option_kinds"])
    return Case(facts, complete, catalog, _locked(lock), probe or None, wanted)


def _locked(lock: Any) -> Mapping[str, Locked]:
    if isinstance(lock, Mapping) and lock and all(isinstance(value, Locked) for value in lock.values()):
        return lock
    return catalogs.read_lock(lock)


# ---- what decides before any backend is looked at


def gate(case: Case) -> Plan | None:
    if not case.kernel["upstream"]:
        return empty_plan(case, UNSUPPORTED, [reason("kernel_unparsable", release=repr(case.running[:80]))])
    if case.facts["container"]:
        return empty_plan(case, BLOCKED, [reason("inside_container", container=case.facts["container"])])
    strange = [text for text in formats.unknown(case.wanted) if formats.parse(text) not in formats.OTHER_MEANINGS]
    if strange:
        return empty_plan(case, BLOCKED, [reason("unknown_format", kinds=listed(strange))])
    return None


def boot_record(case: Case) -> Mapping[str, Any]:
    """What the host's record says about a trial boot."""
    record = case.facts["state"].get("boot")
    return record if isinstance(record, Mapping) else {}


def is_drained(case: Case) -> bool:
    """Has a run taken this host out of service and not put it back?"""
    claim = case.facts["state"].get("claim")
    return isinstance(claim, Mapping) and claim.get("drained") is True


# ---- backends


def _vtoa(case: Case) -> Offer:
    offer = Offer("vtoa", VTOA, module=VTOA, service=VTOA, ipv6=True)
    running = case.running
    if case.os["id"] != "alinux" or case.os["major"] != 3:
        return offer.reject("unsupported_distribution", wanted="Alibaba Cloud Linux 3", os=case.distribution)
    if case.kernel["tag"] != VTOA_TAG:
        return offer.reject("wrong_dist_tag", running=running, tag=_tag(case.kernel), wanted=f"the tag {VTOA_TAG}")
    if case.kernel["debug"]:
        return offer.reject("debug_kernel", running=running)
    if not kernel.at_least(case.kernel, VTOA_GETPEERNAME):
        return offer.reject("kernel_too_old", running=running, wanted=VTOA_GETPEERNAME)
    if case.kernel["arch"] not in VTOA_ARCHES:
        return offer.reject("arch_not_supported", what="vtoa", wanted=listed(VTOA_ARCHES), arch=case.kernel["arch"])
    if not _agree_on_kinds(case, offer, VTOA_READS, VTOA_DOCUMENTED):
        return offer
    offer.getsockopt_1348 = kernel.at_least(case.kernel, VTOA_GETSOCKOPT)
    _check_conflicts(case, offer)
    _check_service(case, offer)
    return offer


def _check_service(case: Case, offer: Offer) -> None:
    """Package, unit and module of vtoa; `systemctl enable` is its persistence."""
    service = case.facts["service"]
    module = case.modules.get("vtoa")
    if service is None and not (module and module["loaded"]):
        if case.os["package_manager"] != "rpm":
            offer.block("package_manager_missing", what="vtoa", wanted="rpm and yum or dnf", found=_manager(case))
        offer.tell("signed_by_repository", what="vtoa")
        offer.steps.append("install vtoa from the repositories of Alibaba Cloud Linux")
    elif service is not None:
        # Where systemd does not say whether a unit is active, the module does.
        missing = [word for word in ("active", "enabled") if service[word] is False]
        if missing:
            offer.tell("service_stopped", service=service["name"], missing=listed(missing))
        offer.steps += [
            {"active": f"start {service['name']}", "enabled": f"enable {service['name']} at boot"}[word]
            for word in missing
        ]
        _check_legacy(case, offer)
    elif not _persistence_of(case, "vtoa"):
        offer.tell("not_persistent", module="vtoa")
        offer.steps.append("enable vtoa at boot")
    if module and module["loaded"]:
        if not module["live"]:
            offer.block("module_inert", module="vtoa", why=NO_STATISTICS)
        else:
            _judge(case, offer)
    elif not offer.steps:
        offer.tell("not_loaded", module="vtoa")
        offer.steps.append("restart the service of vtoa")
    _add_proof_step(offer)


def _check_legacy(case: Case, offer: Offer) -> None:
    """A script that loads vtoa beside its unit, as the document for Anti-DDoS has it, would outlive `systemctl disable`."""
    scripts = [
        place["path"] for place in case.facts["persistence"] if place["module"] == VTOA and place["kind"] in SCRIPTS
    ]
    if scripts:
        offer.tell("legacy_persistence", module=VTOA, paths=listed(scripts))
        offer.steps.append(f"take vtoa out of {listed(scripts)}")


def _in_tree(case: Case) -> Offer:
    module = _own_module(case)
    name = module["name"] if module else "toa"
    offer = Offer("in_tree", f"module {name}", module=name, ipv6=name in IPV6_MODULES)
    if module is None:
        return offer.reject("no_module", running=case.running)
    if case.running_entry and case.running_entry.backend in case.policy["backends"]:
        return offer.reject("already_toa_kernel", running=case.running, entry=case.running_entry.key)
    if _is_for_source(case) and built_here(case).get("module") == name:
        return offer.reject("built_from_source", module=name)
    if case.kernel["debug"]:
        return offer.reject("debug_kernel", running=case.running)
    reads = TENCENTOS_READS if name == "toa" and case.os["id"] == "tencentos" else MODULE_READS.get(name, ())
    if reads and not _agree_on_kinds(case, offer, reads, reads[:2] if name in IPV6_MODULES else reads):
        return offer
    if not reads:
        offer.option_kinds = list(case.wanted)
        if not case.wanted and not case.probe:
            offer.tell("option_kinds_unknown", module=name)
    _check_conflicts(case, offer)
    _check_signature(case, offer, module)
    _settle_module(case, offer)
    return offer


def _own_module(case: Case) -> Mapping[str, Any] | None:
    """The TOA module that modprobe would find for the running kernel: a loaded one first, then `toa`, then any.

    On Alinux 3 vtoa is none of these: whether it may be used is for the backend vtoa to say.
    """
    alinux3 = case.os["id"] == "alinux" and case.os["major"] == 3
    found = [
        module
        for name, module in case.modules.items()
        if (module["file"] or module["loaded"]) and not (alinux3 and name == "vtoa")
    ]
    return min(found, key=lambda module: (not module["loaded"], module["name"] != "toa", module["name"]), default=None)


def _ebpf(case: Case) -> Offer:
    offer = Offer("ebpf", "the eBPF backend", getsockopt_1348=case.policy["ebpf_getsockopt"], ipv6=True)
    ebpf = case.facts["ebpf"]
    if not kernel.at_least(case.kernel, EBPF_KERNEL):
        return offer.reject("kernel_too_old", running=case.running, wanted=EBPF_KERNEL)
    if case.kernel["arch"] not in EBPF_ARCHES:
        return offer.reject(
            "arch_not_supported", what="the eBPF object", wanted=listed(EBPF_ARCHES), arch=case.kernel["arch"]
        )
    if not ebpf["cgroup2"]:
        return offer.reject("no_cgroup2")
    if not ebpf["possible"]:
        return offer.reject("ebpf_impossible", why=ebpf["reason"] or "no reason given")
    unknown = formats.unknown(case.wanted)
    if unknown:
        return offer.reject("unknown_format", kinds=listed(unknown))
    # Where nobody says what the load balancer sends, what is read already is left alone.
    offer.option_kinds = list(case.wanted or ebpf["option_kinds"] or formats.COMMON)
    if not case.os["id"]:
        offer.tell("unknown_distribution")
    _check_conflicts(case, offer)
    _check_bpftool(case, offer)
    if not case.policy["trusted_sources"]:
        offer.tell("spoofable")
    offer.steps += _missing_of_ebpf(case, offer)
    if ebpf["complete"] and not offer.steps:
        _judge(case, offer)
    if not _persistence_of(case, EBPF):
        offer.tell("not_persistent", module="the eBPF programs")
        offer.steps.append("attach them at every boot")
    _add_proof_step(offer)
    return offer


def _check_bpftool(case: Case, offer: Offer) -> None:
    """Needed now, and at every boot."""
    if case.facts["ebpf"]["bpftool"]:
        return
    if case.policy["install_bpftool"]:
        offer.steps.append("install bpftool from the distribution's repositories")
    else:
        offer.block("bpftool_missing")


def _missing_of_ebpf(case: Case, offer: Offer) -> list[str]:
    """Steps from what the programs do to what they should; none where that is so already."""
    ebpf, networks = case.facts["ebpf"], case.policy["trusted_sources"]
    if not ebpf["complete"]:
        return [f"attach the eBPF programs for {listed(offer.option_kinds)} to {ebpf['cgroup2']}"]
    steps = []
    if ebpf["object"] != ebpf_object.DIGEST:
        steps.append("replace the eBPF programs by those of this release")
    if set(ebpf["option_kinds"]) != set(offer.option_kinds):
        steps.append(f"read {listed(offer.option_kinds)} in place of {listed(ebpf['option_kinds']) or 'nothing'}")
    if set(ebpf["trusted_sources"]) != set(networks):
        steps.append(
            f"believe {listed(networks) if len(networks) < 5 else f'{len(networks)} networks'} only"
            if networks
            else "believe every source"
        )
    if ebpf["getsockopt"] != case.policy["ebpf_getsockopt"]:
        steps.append(f"{'offer' if case.policy['ebpf_getsockopt'] else 'stop offering'} getsockopt(IPPROTO_IP, 1348)")
    return steps


def _kernel_package(case: Case) -> Offer:
    return _packaged_kernel(case, "kernel_package", "no_module_package")


def _source_kernel(case: Case) -> Offer:
    return _packaged_kernel(case, "source_kernel", "no_built_kernel")


def _packaged_kernel(case: Case, backend: str, none_code: str) -> Offer:
    offer = Offer(backend, "a TOA kernel")
    entry = _entry_for(case, offer, none_code)
    if entry is None:
        return offer
    offer.entry, offer.module, offer.what = entry, entry.module, f"kernel {entry.release}"
    if not _agree_on_kinds(case, offer, entry.option_kinds, entry.option_kinds):
        return offer
    offer.packages = _wanted_packages(case, entry)
    _check_conflicts(case, offer)
    if entry.release == case.running:
        _keep_kernel(case, offer, entry)
    else:
        _bring_kernel(case, offer, entry)
    return offer


def _entry_for(case: Case, offer: Offer, none_code: str) -> Entry | None:
    """The entry of the running kernel; else the first for this host that reads a wanted format; else the first at all."""
    entries = [entry for entry in case.catalog if entry.backend == offer.backend]
    mine = case.running_entry
    if mine in entries and _reads_any(case, mine):
        return mine
    fitting = [entry for entry in entries if entry.is_for(case.os)]
    if not fitting:
        offer.reject(none_code, os=f"{case.distribution} on {case.kernel['arch']}")
        return None
    built = [entry for entry in fitting if case.kernel["arch"] in entry.arches]
    if not built:
        arches = sorted({arch for entry in fitting for arch in entry.arches})
        offer.reject(
            "arch_not_supported",
            what=f"the TOA kernel for {case.distribution}",
            wanted=listed(arches),
            arch=case.kernel["arch"],
        )
        return None
    reading = [entry for entry in built if _reads_any(case, entry)]
    return min(reading or built, key=lambda entry: entry.vendor != case.policy["vendor"])


def _reads_any(case: Case, entry: Entry) -> bool:
    return not case.wanted or bool(set(case.wanted) & set(entry.option_kinds))


def _wanted_packages(case: Case, entry: Entry) -> list[Package]:
    """What to install, with the lock's digests. A kernel that already runs has its headers or does without."""
    roles = (
        ("firmware", "image", "headers")
        if case.policy["install_headers"] and entry.release != case.running
        else ("firmware", "image")
    )
    return [catalogs.with_lock(package, case.lock) for package in entry.packages if package.role in roles]


def _keep_kernel(case: Case, offer: Offer, entry: Entry) -> None:
    """The TOA kernel is running: module, persistence, default entry."""
    offer.tell("already_toa_kernel", running=case.running, entry=entry.key)
    _settle_module(case, offer)
    default = case.facts["boot"]["default"]
    trial = case.facts["state"].get("boot")
    if isinstance(trial, Mapping) and trial.get("state") == "armed" and trial.get("kernel") == case.running:
        offer.tell("not_confirmed", running=case.running)
    elif default and default != case.running:
        offer.tell("not_default", running=case.running, default=default)
    else:
        return
    offer.steps.append(f"make {case.running} the default kernel")


def _bring_kernel(case: Case, offer: Offer, entry: Entry) -> None:
    """The TOA kernel is not running: install, arm, reboot, and all that speaks against it."""
    offer.reboot = True
    installed = any(other["release"] == entry.release for other in case.facts["kernels"])
    target = kernel.parse(entry.release)
    if kernel.is_older(target, dict(case.kernel)):
        offer.block(
            "downgrade_needs_consent",
            case.policy["accept_kernel_downgrade"],
            target=entry.release,
            running=case.running,
        )
    trial = case.facts["state"].get("boot")
    if (
        isinstance(trial, Mapping)
        and trial.get("state") == "reverted_by_watchdog"
        and trial.get("kernel") == entry.release
    ):
        offer.tell("trial_reverted", target=entry.release, why=trial.get("reason") or "no reason recorded")
    if installed:
        offer.tell("running_other_kernel", target=entry.release, running=case.running)
    else:
        _check_packages(case, offer, entry)
        files = listed(package.file for package in offer.packages)
        offer.steps.append(
            f"{f'compile {files} and install it' if entry.format == 'tree' else f'install {files}'} beside the running {case.running}"
        )
    boot, security = case.facts["boot"], case.facts["security"]
    if security["secure_boot"]:
        offer.block("secure_boot_unsigned", what=f"kernel {entry.release}", why="secure boot is on")
    if boot["one_shot"]:
        offer.steps.append(f"arm one boot of {entry.release}; {case.running} stays the default")
    else:
        offer.block(
            "no_fallback", case.policy["accept_no_fallback"], why=boot["reason"] or f"boot loader {boot['loader']}"
        )
        offer.steps.append(f"make {entry.release} the default, without a way back by itself")
    offer.steps += [f"drain, reboot and wait for {entry.release}", f"load {entry.module} now and at every boot"]
    _add_proof_step(offer)
    offer.steps.append(f"make {entry.release} the default and hold it against updates")


def _check_packages(case: Case, offer: Offer, entry: Entry) -> None:
    if entry.format != "tree" and case.os["package_manager"] != entry.format:
        files = listed(package.file for package in offer.packages)
        offer.block("package_manager_missing", what=files, wanted=PACKAGE_TOOLS[entry.format], found=_manager(case))
    nowhere = [package.file for package in offer.packages if not package.url and not case.policy["package_mirror"]]
    if nowhere and not case.policy["push_packages"]:
        offer.block("no_url", files=listed(nowhere))
    unknown = [package.file for package in offer.packages if not package.sha256]
    if unknown:
        offer.block("no_digest", case.policy["accept_unverified_packages"], files=listed(unknown))
    offer.tell("no_signature", vendor=entry.vendor)
    disputed = [package.file for package in entry.packages if _is_disputed(package, case.lock)]
    if disputed:
        offer.block("digest_conflict", files=listed(disputed))
    free = case.facts["boot"]["free_kib"]
    if free is not None and free < BOOT_NEEDS_KIB:
        offer.block("boot_full", free=free // 1024, needed=f"{BOOT_NEEDS_KIB // 1024} MiB")


def _is_disputed(package: Package, lock: Mapping[str, Locked]) -> bool:
    locked = lock.get(package.file)
    return bool(locked and package.sha256 and locked.sha256 != package.sha256)


def _source_module(case: Case) -> Offer:
    tree = source_trees.find(case.policy["source_tree"])
    offer = Offer("source_module", "a module built from source", module=tree.module)
    if not case.policy["source_url"]:
        return offer.reject("no_source")
    if case.kernel["debug"]:
        return offer.reject("debug_kernel", running=case.running)
    if tree.option_kinds:
        if not _agree_on_kinds(case, offer, tree.option_kinds, tree.option_kinds):
            return offer
    else:
        offer.option_kinds = list(case.wanted)
    _check_conflicts(case, offer)
    missing = _missing_of_source(case, offer)
    if missing:
        _check_build(case, offer)
        offer.steps += missing
    _settle_module(case, offer)
    return offer


def _is_for_source(case: Case) -> bool:
    return bool(case.policy["source_url"]) and "source_module" in case.policy["backends"]


def built_here(case: Case) -> Mapping[str, Any]:
    """The host's own record of what was built from source on it; empty where nothing was."""
    record = case.facts["state"].get("source")
    return record if isinstance(record, Mapping) and record.get("module") else {}


def _missing_of_source(case: Case, offer: Offer) -> list[str]:
    """Steps from the module that the running kernel has to the one that is wanted; none where that is so already."""
    record, policy = built_here(case), case.policy
    module = case.modules.get(offer.module)
    build = [f"build {offer.module} from {policy['source_url']} for {case.running}"]
    if not case.facts["build"]["headers"] and policy["install_build_tools"] and not policy["build_once"]:
        build.insert(0, f"install {_headers(case)}")
    if not record:
        return build
    if record.get("module") != offer.module or not module or not module["file"]:
        offer.tell(
            "not_built_for_kernel",
            module=offer.module,
            running=case.running,
            missing=listed(_missing_for_build(case, offer)),
        )
        return build
    source = record.get("source")
    source = source if isinstance(source, Mapping) else {}
    key = "source_commit" if policy["source_commit"] else "source_sha256"
    if policy[key] and source.get(key.removeprefix("source_")) != policy[key]:
        offer.tell("source_changed", module=offer.module, source=policy["source_url"])
        return build
    return []


def _missing_for_build(case: Case, offer: Offer) -> list[str]:
    """What a host without DKMS lacks after a kernel update, by name."""
    build = case.facts["build"]
    absent = [] if build["headers"] else [_headers(case)]
    absent += [] if build["compiler"] and build["make"] else ["a compiler and make"]
    return [f"{offer.module}.ko in /lib/modules/{case.running}", *absent]


def _headers(case: Case) -> str:
    """The headers of the running kernel as the host's own repositories call them."""
    named = case.facts["build"]["headers_package"]
    return str(named) or (
        f"linux-headers-{case.running}" if case.os["package_manager"] == "deb" else f"kernel-devel-{case.running}"
    )


def _check_build(case: Case, offer: Offer) -> None:
    """What must be there, or be had, before anything is built; what another host has built needs only to be trusted."""
    policy, build, security = case.policy, case.facts["build"], case.facts["security"]
    if not policy["source_sha256"] and not policy["source_commit"]:
        offer.block("source_no_digest", policy["accept_unverified_packages"], source=policy["source_url"])
    locked = security["lockdown"] in LOCKED_DOWN
    if (security["secure_boot"] or security["sig_enforce"] or locked) and not policy["signing_key"]:
        why = f"the kernel is locked down ({security['lockdown']})" if locked else _enforcement(security)
        offer.block("secure_boot_unsigned", what=f"module {offer.module}", why=why)
    if build["headers"]:
        return
    if build["headers_available"] is False:
        offer.block("headers_unavailable", policy["build_once"], running=case.running, package=_headers(case))
    elif not policy["install_build_tools"]:
        offer.block("headers_missing", policy["build_once"], running=case.running, package=_headers(case))


_EVALUATE: dict[str, Callable[[Case], Offer]] = {
    "vtoa": _vtoa,
    "in_tree": _in_tree,
    "ebpf": _ebpf,
    "kernel_package": _kernel_package,
    "source_module": _source_module,
    "source_kernel": _source_kernel,
}


# ---- what several backends ask


def _agree_on_kinds(case: Case, offer: Offer, reads: Sequence[str], usual: Sequence[str]) -> bool:
    """Settle which formats will be translated: the wanted ones that the backend reads, or `usual` where nothing was said."""
    offer.option_kinds = [text for text in case.wanted if text in reads] if case.wanted else list(usual)
    missing = [text for text in case.wanted if text not in reads]
    if missing and not offer.option_kinds:
        offer.reject("option_kind_mismatch", what=offer.what, reads=listed(reads), wanted=listed(case.wanted))
        return False
    if missing:
        offer.tell("option_kinds_partial", what=offer.what, missing=listed(missing), reads=listed(offer.option_kinds))
    return True


def _settle_module(case: Case, offer: Offer) -> None:
    """Loaded, live, loaded again at the next boot, proved: what is missing of these becomes a step."""
    module = case.modules.get(offer.module)
    if module is None or not module["loaded"]:
        offer.tell("not_loaded", module=offer.module)
        offer.steps.append(f"load {offer.module}")
    elif not module["live"]:
        offer.block("module_inert", module=offer.module, why=NO_STATISTICS)
    if not _persistence_of(case, offer.module):
        offer.tell("not_persistent", module=offer.module)
        offer.steps.append(f"load {offer.module} at every boot")
    _tell_broken_persistence(case, offer)
    if module and module["loaded"] and module["live"]:
        _judge(case, offer)
    _add_proof_step(offer)


def _persistence_of(case: Case, module: str) -> bool:
    return any(place["effective"] and place["module"] == module for place in case.facts["persistence"])


def _tell_broken_persistence(case: Case, offer: Offer) -> None:
    for place in case.facts["persistence"]:
        if not place["effective"] and not place["ours"]:
            offer.tell("persistence_ineffective", path=place["path"], why=place["reason"] or "it never runs")


def _judge(case: Case, offer: Offer) -> None:
    """What the proof says about what claims to be active; nothing where it was not run."""
    if case.probe is None:
        return
    verdict, found = case.probe.get("verdict"), list(case.probe.get("option_kinds") or [])
    why = case.probe.get("reason") or "no reason given"
    if (
        offer.getsockopt_1348
        and verdict in ("translating", "wrong_kind")
        and (case.probe.get("capabilities") or {}).get("getsockopt_1348") is False
    ):
        offer.block("partial", why="getsockopt(IPPROTO_IP, 1348) does not give the client")
        return
    if verdict == "translating" and offer.option_kinds and set(offer.option_kinds) <= set(found):
        return
    if verdict in ("translating", "wrong_kind") and found and not case.wanted:
        # Nobody said what the load balancer sends: what the module reads is then what it is for.
        offer.option_kinds = found
        return
    if verdict in ("translating", "wrong_kind"):
        offer.block("wrong_kind", found=listed(found) or "nothing", wanted=listed(offer.option_kinds))
    elif verdict == "inert":
        offer.block("module_inert", module=offer.module or "of eBPF", why=why)
    elif verdict in ("partial", "absent"):
        offer.block(str(verdict), why=why)
    else:
        offer.block("unprovable", why=why)


def _check_conflicts(case: Case, offer: Offer) -> None:
    """What else on the host changes addresses, or would."""
    accepted = case.policy["accept_conflicts"]
    foreign = case.facts["ebpf"]["foreign"]
    if foreign:
        detail = listed(sorted({f"{item['name'] or item['id']} ({item['hook']})" for item in foreign}))
        offer.block("conflict_ebpf_getpeername", accepted, detail=detail)
    others = sorted(name for name, module in case.modules.items() if module["loaded"] and name != offer.module)
    if others:
        offer.block("conflict_toa_module", accepted, detail=listed(others))
    if offer.backend != "ebpf" and case.facts["ebpf"]["attached"]:
        offer.block("conflict_ebpf_toa", accepted)
    for item in case.facts["conflicts"]:
        if item["code"] == "cilium_present":
            offer.tell("cilium_present", path=item["detail"])
        elif item["code"] not in SEEN_BY_ITSELF:
            offer.block("conflict_other", accepted, detail=item["detail"] or item["code"])


def _check_signature(case: Case, offer: Offer, module: Mapping[str, Any]) -> None:
    """A module from outside the distribution's kernel tree, on a host that takes only signed ones."""
    security = case.facts["security"]
    outside = any(f"/{folder}/" in module["file"] for folder in ("extra", "updates", "weak-updates", "dkms"))
    if outside and not module["loaded"] and (security["secure_boot"] or security["sig_enforce"]):
        offer.block("secure_boot_unsigned", what=offer.what, why=_enforcement(security))


def _enforcement(security: Mapping[str, Any]) -> str:
    return "module.sig_enforce is on" if security["sig_enforce"] else "secure boot is on"


def _add_proof_step(offer: Offer) -> None:
    if offer.steps:
        offer.steps.append(_proof_step(offer))


def _proof_step(offer: Offer) -> str:
    return f"prove that clients named in {listed(offer.option_kinds) or 'an option'} show up"


def _completed(case: Case, offer: Offer) -> Offer:
    """What every backend that can be had is asked beside: who is believed, what has drifted, whether it is watched."""
    if offer.rejected:
        return offer
    if offer.backend != EBPF:
        _settle_option_filter(case, offer)
    for item in case.facts["drift"]:
        offer.tell("drifted", detail=item["detail"], since=f" (since {item['since']})" if item["since"] else "")
        if item["code"] == "hold_gone" and offer.entry:
            offer.steps.append(f"hold {offer.entry.release} against updates again")
    if case.policy["monitor"] and not case.facts["state"].get("monitor"):
        offer.steps.append("leave the monitor, which writes metrics")
    return offer


def wants_option_filter(case: Case) -> bool:
    """Shall the firewall make a module believe the load balancers only?"""
    return bool(case.policy["trusted_sources"] and case.policy["option_filter"])


def _settle_option_filter(case: Case, offer: Offer) -> None:
    """A module believes everybody; rules of the firewall take the option from strangers."""
    if not wants_option_filter(case):
        offer.tell("spoofable")
        return
    option_filter, policy = case.facts["firewall"]["option_filter"], case.policy
    kinds = formats.stripped_kinds(offer.option_kinds)
    wanted = {
        "active": True,
        "trusted_sources": sorted(policy["trusted_sources"]),
        "ports": policy["option_filter_ports"],
    }
    same = (
        option_filter
        and {
            **wanted,
            **{key: option_filter[key] for key in ("active", "ports")},
            "trusted_sources": sorted(option_filter["trusted_sources"]),
        }
        == wanted
    )
    if same and option_filter["at_boot"] and set(kinds) <= set(option_filter["kinds"]):
        return
    if case.facts["firewall"]["backend"] == "none":
        # Known now, before a reboot that would end in going back.
        offer.block("option_filter_unusable")
    networks = policy["trusted_sources"]
    step = f"strip the option from packets of everybody but {listed(networks) if len(networks) < 5 else f'{len(networks)} networks'}"
    if _proof_step(offer) not in offer.steps:
        offer.steps.append(_proof_step(offer))
    offer.steps.insert(offer.steps.index(_proof_step(offer)), step)


def _tag(parsed: Mapping[str, Any]) -> str:
    return f"the tag {parsed['tag']}" if parsed["tag"] else "no tag"


def _manager(case: Case) -> str:
    found = case.os["package_manager"]
    return "no package manager we know" if found == "none" else PACKAGE_TOOLS[found]


def listed(words: Any) -> str:
    """a, b and c."""
    texts = [str(word) for word in words]
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


# ---- the plan


def _chosen(case: Case, offer: Offer, offers: Sequence[Offer]) -> Plan:
    reasons = _unread(case) + offer.reasons
    for other in offers:
        if other is offer:
            break
        # What was preferred and passed over says why, and no more than that.
        reasons += [dict(item, severity=INFO) for item in other.reasons if item["severity"] == BLOCK]
    plan = empty_plan(case, offer.state, reasons)
    plan.update(
        backend=offer.backend,
        steps=offer.steps,
        remedy=_remedy(offer.reasons),
        reboot=offer.reboot,
        module=offer.module,
        service=offer.service,
        option_kinds=offer.option_kinds,
        option_filter=offer.backend != EBPF and wants_option_filter(case),
        monitor=case.policy["monitor"],
        capabilities={"getpeername": True, "getsockopt_1348": offer.getsockopt_1348, "ipv6": offer.ipv6},
    )
    if offer.service:
        plan["packages"] = [repository_package(offer.service)]
    if offer.entry:
        plan.update(
            entry=offer.entry.key,
            kernel_target=offer.entry.release,
            packages=[package_of(case, offer.entry, package) for package in offer.packages],
        )
    return plan


def _none(case: Case, offers: Sequence[Offer]) -> Plan:
    reasons = _unread(case) + [item for offer in offers for item in offer.reasons]
    if not case.os["id"]:
        reasons.insert(0, reason("unknown_distribution", severity=BLOCK))
    plan = empty_plan(case, UNSUPPORTED, reasons)
    plan["remedy"] = _remedy(reasons)
    return plan


def _unread(case: Case) -> list[dict[str, str]]:
    return [reason("facts_incomplete", section=item["section"], why=item["problem"]) for item in case.facts["unread"]]


def _remedy(reasons: Sequence[Mapping[str, str]]) -> str:
    """The one thing the operator can do: about the first thing that stands in the way."""
    return next((item["remedy"] for item in reasons if item["severity"] == BLOCK and item["remedy"]), "")


def package_of(case: Case, entry: Entry, package: Package) -> dict[str, Any]:
    return {
        "name": package.name,
        "role": package.role,
        "url": catalogs.mirrored(package.url, package.file, case.policy["package_mirror"]),
        "file": package.file,
        "format": entry.format,
        "sha256": package.sha256,
        "size": package.size,
        "release": entry.release if package.role == "image" else "",
        "repository": False,
    }


def repository_package(name: str) -> dict[str, Any]:
    """A package that the host's own repositories have."""
    fields: dict[str, Any] = {
        "name": name,
        "role": "service",
        "url": "",
        "file": "",
        "format": "rpm",
        "sha256": "",
        "size": 0,
        "release": "",
    }
    return {**fields, "repository": True}


def empty_plan(case: Case, state: str, reasons: list[dict[str, str]]) -> Plan:
    return {
        "state": state,
        "goal": "install",
        "backend": "",
        "steps": [],
        "reasons": reasons,
        "remedy": _remedy(reasons),
        "kernel_target": "",
        "packages": [],
        "reboot": False,
        "module": "",
        "service": "",
        "option_kinds": list(case.wanted),
        "option_filter": False,
        "monitor": False,
        "capabilities": {"getpeername": False, "getsockopt_1348": False, "ipv6": False},
        "entry": "",
    }
