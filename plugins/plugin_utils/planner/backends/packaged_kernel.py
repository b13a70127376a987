# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the two backends share that install a kernel: a vendor's package, and one that was built from source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalogs
from ansible_collections.realip.toa.plugins.plugin_utils.catalog.entries import Entry, Locked, Package
from ansible_collections.realip.toa.plugins.plugin_utils.facts import kernel_release as kernel
from ansible_collections.realip.toa.plugins.plugin_utils.planner.backend import Backend
from ansible_collections.realip.toa.plugins.plugin_utils.planner.checks import (
    PACKAGE_TOOLS,
    add_proof_step,
    agree_on_kinds,
    check_conflicts,
    manager,
    settle_module,
)
from ansible_collections.realip.toa.plugins.plugin_utils.planner.offer import Case, Offer, listed
from ansible_collections.realip.toa.plugins.plugin_utils.planner.signatures import check_kernel

# Room in /boot that a kernel, its initramfs, System.map and configuration take, in KiB; toa_package measures exactly.
BOOT_NEEDS_KIB = 48 * 1024


class PackagedKernel(Backend):
    """A kernel of the catalog, beside the running one, tried for one boot."""

    policy: ClassVar = {
        "package_mirror": "",
        "push_packages": False,
    }
    brings_kernel = True
    in_image = True
    none_code: ClassVar[str]
    """The reason where the catalog has no kernel for a host."""

    @classmethod
    def takes(cls, entry: Entry) -> bool:
        """Is this kernel of the catalog for it?"""
        return entry.backend == cls.name

    def offer(self, case: Case) -> Offer:
        offer = Offer(self.name, "a TOA kernel")
        entry = _entry_for(case, offer, [entry for entry in case.catalog if self.takes(entry)], self.none_code)
        if entry is None:
            return offer
        offer.entry, offer.module, offer.what = entry, entry.module, f"kernel {entry.release}"
        if not agree_on_kinds(case, offer, entry.option_kinds, entry.option_kinds):
            return offer
        offer.packages = _wanted_packages(case, entry)
        check_conflicts(case, offer)
        if entry.release == case.running:
            _keep_kernel(case, offer, entry)
        else:
            _bring_kernel(case, offer, entry)
        return offer


def backend_of(entry: Entry) -> str:
    """The name of the backend that a kernel of the catalog is for; CatalogError where there is none."""
    kinds = PackagedKernel.__subclasses__()
    found = next((kind.name for kind in kinds if kind.takes(entry)), None)
    if found is None:
        names = ", ".join(kind.name for kind in kinds)
        raise catalogs.CatalogError(
            f"toa_catalog entry {entry.key}: `backend` is {entry.backend!r:.80}; expected one of {names} that installs `format` {entry.format}"
        )
    return found


def _entry_for(case: Case, offer: Offer, entries: list[Entry], none_code: str) -> Entry | None:
    """The entry of the running kernel; else the first for this host that reads a wanted format; else the first at all."""
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
        ("firmware", "image", "modules", "headers")
        if "headers" in case.policy["install"] and entry.release != case.running
        else ("firmware", "image", "modules")
    )
    return [catalogs.with_lock(package, case.lock) for package in entry.packages if package.role in roles]


def _keep_kernel(case: Case, offer: Offer, entry: Entry) -> None:
    """The TOA kernel is running: module, persistence, default entry."""
    offer.tell("already_toa_kernel", running=case.running, entry=entry.key)
    settle_module(case, offer)
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
    offer.reboot = not case.is_image
    here = [other for other in case.facts["kernels"] if other["release"] == entry.release]
    installed = bool(here)
    target = kernel.parse(entry.release)
    if kernel.is_older(target, dict(case.kernel)):
        offer.block(
            "downgrade_needs_consent",
            "kernel_downgrade" in case.policy["accept"],
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
        # Where its modules are packages of their own, they come with the rollout, and arming looks again.
        if here[0].get("lacks") and not [package for package in entry.packages if package.role == "modules"]:
            offer.block("kernel_lacks_drivers", target=entry.release, drivers=listed(here[0]["lacks"]))
    else:
        _check_packages(case, offer, entry)
        files = listed(package.file for package in offer.packages)
        if entry.format == "tree" and case.facts["build"]["noexec"]:
            offer.block("build_noexec", what=f"kernel {entry.release}")
        offer.steps.append(
            f"{f'compile {files} and install it' if entry.format == 'tree' else f'install {files}'} beside the running {case.running}"
        )
    boot = case.facts["boot"]
    # What the image itself says is better than what the catalog says of it.
    signers = here[0].get("signers") if here else [entry.signed_by] if entry.signed_by else []
    check_kernel(case, offer, f"kernel {entry.release}", signers or [])
    if case.is_image:
        _settle_image(offer, entry, boot)
        return
    if boot["one_shot"]:
        offer.steps.append(f"arm one boot of {entry.release}; {case.running} stays the default")
    else:
        offer.block(
            "no_fallback", "no_fallback" in case.policy["accept"], why=boot["reason"] or f"boot loader {boot['loader']}"
        )
        offer.steps.append(f"make {entry.release} the default, without a way back by itself")
    offer.steps += [f"drain, reboot and wait for {entry.release}", f"load {entry.module} now and at every boot"]
    add_proof_step(case, offer)
    offer.steps.append(f"make {entry.release} the default and hold it against updates")


def _settle_image(offer: Offer, entry: Entry, boot: Mapping[str, Any]) -> None:
    """An image has nothing to go back to at its first boot; its own kernel stays in the menu."""
    if entry.format == "tree":
        offer.block("not_in_image", what=f"kernel {entry.release}, which is compiled on the host,")
    if boot["loader"] == "other":
        offer.block("image_no_loader", target=entry.release, why=boot["reason"] or "no boot loader was found")
    offer.steps.append(
        f"make {entry.release} the default, load {entry.module} at every boot, and hold that kernel against updates"
    )


def _check_packages(case: Case, offer: Offer, entry: Entry) -> None:
    if entry.format != "tree" and case.os["package_manager"] != entry.format:
        files = listed(package.file for package in offer.packages)
        offer.block("package_manager_missing", what=files, wanted=PACKAGE_TOOLS[entry.format], found=manager(case))
    nowhere = [package.file for package in offer.packages if not package.url and not case.policy["package_mirror"]]
    if nowhere and not case.policy["push_packages"]:
        offer.block("no_url", files=listed(nowhere))
    unknown = [package.file for package in offer.packages if not package.sha256]
    if unknown:
        offer.block("no_digest", "unverified_packages" in case.policy["accept"], files=listed(unknown))
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
