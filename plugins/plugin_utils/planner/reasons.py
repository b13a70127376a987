# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reason a plan can give, in one place: stable code, how much it weighs, the words, and what the operator can do."""

from __future__ import annotations

from typing import Any, NamedTuple

INFO, WARNING, BLOCK = "info", "warning", "block"


class Reason(NamedTuple):
    """`severity` is that of a reason of the chosen backend; what rules out a backend that is passed over is told as info."""

    severity: str
    message: str
    remedy: str = ""


REASONS = {
    # -- the host
    "inside_container": Reason(
        BLOCK,
        "this host is itself inside a container ({container}); the kernel belongs to the machine around it",
        "install on the host: run this against the machine that runs the container",
    ),
    "controller_itself": Reason(
        BLOCK,
        "this host is the machine that the run is started on; its reboot would end the run, and nobody would take the host back",
        "run this for it from another machine",
    ),
    "kernel_unparsable": Reason(
        BLOCK,
        "{release} is not a kernel release as `uname -r` prints it",
        "look at `uname -r` on the host, or at what was given to `assume`",
    ),
    "unknown_distribution": Reason(
        WARNING,
        "neither os-release nor a release file told which distribution this is",
        "give the host an /etc/os-release",
    ),
    "unsupported_distribution": Reason(BLOCK, "made for {wanted}; this is {os}"),
    "kernel_lacks_drivers": Reason(
        BLOCK,
        "kernel {target} has no driver for what this host stands on: {drivers}",
        "install its modules as well (kernel-modules, linux-modules-extra of the same release), or build it with these drivers",
    ),
    "arch_not_supported": Reason(BLOCK, "{what} exists for {wanted}, not for {arch}"),
    "no_python": Reason(
        BLOCK, "no usable Python was found on the host: {detail}", "install Python 2.6 or newer on the host"
    ),
    "facts_incomplete": Reason(WARNING, "a part of the host could not be read: {section} ({why})"),
    # -- an image
    "not_in_image": Reason(
        BLOCK,
        "{what} needs the machine to run: a root file system that is not running cannot have it",
        "roll it out to the hosts when they run",
    ),
    "image_no_kernel": Reason(
        BLOCK,
        "there is no kernel in this image: nothing in /boot has modules in /lib/modules",
        "install the distribution's kernel in the image before",
    ),
    "image_no_loader": Reason(
        BLOCK,
        "nothing would make {target} the kernel that the image boots: {why}",
        "install and configure the boot loader in the image before",
    ),
    # -- the kernel
    "kernel_too_old": Reason(
        BLOCK,
        "kernel {running} is older than {wanted}",
        "update the distribution's kernel to {wanted} or newer and reboot",
    ),
    "kernel_stays_old": Reason(
        BLOCK,
        "kernel {running} is older than {wanted}, and this distribution has no newer one",
        "build a module for it (toa_source, backend source_module), or a kernel (realip.toa.build_kernel)",
    ),
    "wrong_dist_tag": Reason(
        BLOCK,
        "kernel {running} carries {tag}, not {wanted}: it was built for another distribution",
        "boot a kernel of this distribution",
    ),
    "debug_kernel": Reason(
        BLOCK,
        "kernel {running} is a debug build; TOA has crashed hosts on these",
        "boot the plain kernel of the same version",
    ),
    "already_toa_kernel": Reason(INFO, "the running kernel {running} is the TOA kernel of {entry}"),
    "running_other_kernel": Reason(INFO, "the TOA kernel {target} is installed, but {running} is running"),
    "not_default": Reason(INFO, "{running} is running, but the boot loader's default is {default}"),
    "not_confirmed": Reason(INFO, "{running} is on trial: the trial watchdog reverts it unless it is confirmed"),
    "trial_reverted": Reason(WARNING, "an earlier trial of {target} was taken back by the trial watchdog: {why}"),
    "downgrade_needs_consent": Reason(
        BLOCK,
        "the TOA kernel {target} is older than the running {running}, and lacks the security fixes between them",
        "set toa_accept: [kernel_downgrade] for hosts on which that is acceptable",
    ),
    "secure_boot_unsigned": Reason(
        BLOCK,
        "{what} is not signed by a key this host trusts, and {why}",
        "sign {what} with a key enrolled on the host (MOK: mokutil --import) and name it in `signed_by` of the catalog entry, or turn off what demands it",
    ),
    "fapolicyd_monitor": Reason(
        WARNING,
        "fapolicyd decides here which programs may run, and it does not know the monitor's (/var/lib/realip-toa/monitor)",
        "trust that folder (`fapolicyd-cli --file add /var/lib/realip-toa/monitor/` after the rollout), or set toa_monitor: false; the rollout "
        "itself starts the monitor as the host will, and says so where it may not",
    ),
    "modules_disabled": Reason(
        BLOCK,
        "{what} cannot be loaded: this kernel loads no module until the next boot (kernel.modules_disabled=1)",
        "take kernel.modules_disabled out of what sets it at boot (sysctl.d), and reboot",
    ),
    # -- module and persistence
    "no_module": Reason(INFO, "no TOA module comes with the running kernel {running}"),
    "not_loaded": Reason(INFO, "module {module} is there but not loaded"),
    "module_inert": Reason(
        BLOCK,
        "module {module} is loaded but not working: {why}",
        "see its lines in dmesg (a start that failed leaves it loaded; IPv6 switched off is a common cause), unload it, and run again",
    ),
    "not_persistent": Reason(INFO, "nothing that really runs at boot loads {module}"),
    "persistence_ineffective": Reason(WARNING, "{path} is meant to load TOA at boot and does not: {why}"),
    "legacy_persistence": Reason(INFO, "{paths} loads {module} beside its service, and would outlive it"),
    "service_stopped": Reason(INFO, "service {service} is not {missing}"),
    # -- option formats
    "unknown_format": Reason(
        BLOCK,
        "nobody knows what an option {kinds} carries",
        "correct toa_option_kinds; lengths that carry an address are 8, 20, 7 and 19",
    ),
    "option_kind_mismatch": Reason(
        BLOCK,
        "{what} reads {reads}, and {wanted} is wanted",
        "check toa_vendor and toa_option_kinds against what the load balancer sends",
    ),
    "option_kinds_partial": Reason(WARNING, "{what} does not read {missing}, only {reads}"),
    "option_kinds_unknown": Reason(
        WARNING,
        "which option kinds module {module} reads is known only after the proof",
        "name the sender in toa_vendor",
    ),
    # -- eBPF
    "no_cgroup2": Reason(
        BLOCK,
        "this kernel has no cgroup v2, and eBPF programs attach to one",
        "boot the distribution's own kernel, or choose another backend",
    ),
    "spoofable": Reason(
        BLOCK,
        "toa_trusted_sources is not set, so anybody who can reach a port of this host could forge a client address in an option",
        "list the load balancers' networks in toa_trusted_sources (the playbook realip.toa.detect shows which addresses send the option), "
        "or set toa_trusted_sources: all where the network in front of the host lets nobody else through",
    ),
    "ipv4_listeners_only": Reason(
        WARNING,
        "only AF_INET listeners are asked for (toa_listeners): a program that listens on IPv6, as Go's and Java's do by themselves, may see the load balancer",
        "leave toa_listeners out where the backend can do both",
    ),
    "sources_not_reviewed": Reason(
        WARNING, "{what}", "run the playbook realip.toa.lock, review toa.sources.yml, and commit it"
    ),
    "sources_old": Reason(
        WARNING,
        "the list of trusted sources in {file} was fetched {days} days ago, and vendors change theirs",
        "run the playbook realip.toa.lock, and review what has changed",
    ),
    "all_sources_trusted": Reason(
        INFO, "all sources are trusted: whoever reaches a port of this host can name any client address ({why})"
    ),
    "filter_partial": Reason(
        WARNING,
        "the option filter does not see {what}: packets come there past this host's firewall, and strangers are believed",
        "connect these through the host (veth, a bridge), filter at the network's edge, or choose the eBPF backend, which sees every connection",
    ),
    "bpftool_missing": Reason(
        BLOCK, "there is no bpftool on the host", "install bpftool, or put bpftool into toa_install"
    ),
    "ebpf_impossible": Reason(BLOCK, "this kernel cannot do it: {why}"),
    # -- since the last rollout
    "drifted": Reason(WARNING, "{detail}{since}"),
    "next_kernel_without_toa": Reason(
        WARNING,
        "kernel {release} is installed and may be what the next boot takes, and TOA would not work there: {detail}",
        "build or install TOA for {release} before it boots, or remove it and hold the running kernel",
    ),
    "traffic": Reason(INFO, "{what}"),
    "idle": Reason(
        WARNING, "proved, but no real connection has carried an option that counts for {since}: {what}", "{remedy}"
    ),
    # -- conflicts
    "conflict_ebpf_getpeername": Reason(
        BLOCK,
        "another eBPF program sits on the getpeername hooks: {detail}",
        "remove it (Cilium: its socket load balancer), or set toa_accept: [conflicts]",
    ),
    "ebpf_hook_taken": Reason(
        BLOCK,
        "another eBPF program was attached so that no other may join it: {detail}",
        "have its owner attach it with `multi`, or attach ours to a slice (toa_ebpf: cgroup)",
    ),
    "conflict_toa_module": Reason(
        BLOCK,
        "another TOA module is loaded: {detail}; two of them change the same pointers",
        "unload it, or set toa_accept: [conflicts]",
    ),
    "conflict_ebpf_toa": Reason(
        BLOCK,
        "the eBPF backend is attached as well and would be asked first",
        "detach it (toa_ebpf: state: detached), or set toa_accept: [conflicts]",
    ),
    "cilium_present": Reason(
        WARNING, "Cilium is on this host ({path}); its socket load balancer may change peer addresses too"
    ),
    "conflict_other": Reason(BLOCK, "{detail}", "resolve it, or set toa_accept: [conflicts]"),
    # -- packages
    "no_module_package": Reason(
        BLOCK,
        "no catalog entry names a TOA kernel for {os}",
        "name one in toa_catalog, or build one with the playbook realip.toa.build_kernel",
    ),
    "package_manager_missing": Reason(BLOCK, "{what} needs {wanted}; the host has {found}"),
    "no_digest": Reason(
        BLOCK,
        "no SHA-256 is known for {files}, so what the server sends could be anything",
        "run the playbook realip.toa.lock and review toa.lock.yml, or set toa_accept: [unverified_packages]",
    ),
    "no_signature": Reason(
        INFO,
        "no signature of {vendor} is known for this package: its SHA-256, which you reviewed, is all that says what it is",
    ),
    "signed_by_repository": Reason(
        INFO,
        "{what} comes from the host's own repositories; yum or dnf checks the vendor's signature there as its gpgcheck= says",
    ),
    "digest_conflict": Reason(
        BLOCK,
        "catalog and lock file name different digests for {files}",
        "find out which is right; the file may have been replaced at the vendor's",
    ),
    "no_url": Reason(
        BLOCK,
        "no address is known for {files}",
        "put the file on a mirror and set toa_package_mirror, or name its url in toa_catalog",
    ),
    "option_filter_unusable": Reason(
        BLOCK,
        "toa_trusted_sources needs rules that strip the option of strangers, and the host has neither nft nor iptables",
        "install nftables (with Linux 5.18 or newer) or iptables on the host, filter at the network's edge, or set toa_option_filter: none",
    ),
    "boot_full": Reason(
        BLOCK,
        "/boot has {free} MiB free; a kernel and its initramfs need about {needed}",
        "remove old kernels from the host",
    ),
    # -- booting
    "no_fallback": Reason(
        BLOCK,
        "one-shot boot is not possible: {why}; a kernel that fails would stay the default",
        "move /boot to a plain ext4 or xfs partition, or set toa_accept: [no_fallback]",
    ),
    "no_stock_kernel": Reason(
        BLOCK, "{running} is the only kernel installed", "install the distribution's kernel first"
    ),
    "left_drained": Reason(WARNING, "an earlier run has taken this host out of service and not put it back"),
    # -- building
    "no_source": Reason(INFO, "no source to build from is named", "name one in toa_source.url"),
    "built_from_source": Reason(INFO, "module {module} was built from source on this host"),
    "source_changed": Reason(
        INFO, "module {module} was built from another source than {source}, or another state of it"
    ),
    "not_built_for_kernel": Reason(
        WARNING, "module {module} was built from source, but not for the running kernel {running}; missing: {missing}"
    ),
    "source_no_digest": Reason(
        BLOCK,
        "neither digest nor commit of {source} is known, so what is built could be anything",
        "name its SHA-256 or commit in toa_source.reference, or set toa_accept: [unverified_packages]",
    ),
    "headers_missing": Reason(
        BLOCK,
        "there are no headers of the running kernel {running}",
        "install {package}, or put build_tools into toa_install",
    ),
    "headers_unavailable": Reason(
        BLOCK,
        "the host's repositories do not have the headers of the running kernel {running}",
        "update the kernel to one whose headers they have and reboot, or put {package} on a repository of the host",
    ),
    "build_noexec": Reason(
        BLOCK,
        "{what} would be compiled below /var/lib/realip-toa, where nothing can be run: that file system is mounted noexec",
        "mount it without noexec, or have the kernel built on a build host (realip.toa.build_kernel) as a package",
    ),
    "no_built_kernel": Reason(
        INFO, "no kernel was built for {os}", "build one with the playbook realip.toa.build_kernel"
    ),
    # -- the proof
    "wrong_kind": Reason(
        BLOCK,
        "the proof found {found} translated, and {wanted} is wanted",
        "set toa_vendor or toa_option_kinds to what the load balancer sends",
    ),
    "partial": Reason(BLOCK, "the proof found some cases untranslated: {why}", "see the matrix of `probe`"),
    "absent": Reason(BLOCK, "the proof found nothing that translates: {why}", "see dmesg on the host"),
    "unprovable": Reason(
        BLOCK, "the proof could not be run: {why}", "make /dev/net/tun and network namespaces available on the host"
    ),
}


def reason(code: str, backend: str = "", severity: str | None = None, **words: Any) -> dict[str, str]:
    """A reason of a plan: {code, severity, message, remedy, backend}. A code that is not in the table is a KeyError."""
    kind = REASONS[code]
    return {
        "code": code,
        "severity": severity or kind.severity,
        "message": (f"{backend}: " if backend else "") + kind.message.format_map(words),
        "remedy": kind.remedy.format_map(words),
        "backend": backend,
    }
