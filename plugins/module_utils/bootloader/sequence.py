# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps from one state of a host's boot to another: pin, arm for one boot, confirm or go back.

Each state is a list of steps, worked out from what the host looks like now; a step that is done already is not in the list. So a
second run changes nothing, check mode knows exactly what would change, and a run that died anywhere is taken up by the next. The
order of the steps keeps this true at every moment: a host that loses power boots a kernel that is known to work.

The record (section `boot` of state.json): `loader`, `state` (default, armed, confirmed, reverted, and reverted_by_watchdog, which the
watchdog writes), `kernel` (the trial), `old` (what to go back to), `original` (what to restore), `reason` (the watchdog's), `nonce` (the
number of the trial that is armed), `kernel_settings` (what the old kernel did about panics).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

from ansible_collections.realip.toa.plugins.module_utils.bootloader.backends import NoLoader, detect
from ansible_collections.realip.toa.plugins.module_utils.bootloader.backup import Backup
from ansible_collections.realip.toa.plugins.module_utils.bootloader.command_lines import is_on_trial
from ansible_collections.realip.toa.plugins.module_utils.bootloader.drivers import need_drivers
from ansible_collections.realip.toa.plugins.module_utils.bootloader.image_signature import need_signature
from ansible_collections.realip.toa.plugins.module_utils.bootloader.panic_settings import (
    kernel_settings,
    put_settings_back,
    settings_to_put_back,
)
from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial import new_nonce, trial_mark, trial_words
from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial_watchdog import Watchdog
from ansible_collections.realip.toa.plugins.module_utils.bootloader.watchdog_files import settings_text
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.state import STATE_FILE, save_section, section


class Boot:
    """What one call finds, decides and does."""

    def __init__(self, machine, options):
        self.machine = machine
        self.options = options
        self.watchdog = Watchdog(machine)
        self.record = section("boot", machine.path(STATE_FILE))
        self.backend = self.find_backend()
        self.steps = []
        self.notes = []
        self._nonce = None
        self.pinned = None
        self.before = self.look()
        self.wanted = dict(self.before)
        getattr(self, "plan_" + options["state"])()
        self.plan_told()

    def find_backend(self):
        try:
            return detect(self.machine)
        except TargetError as error:
            # Where nothing was ever armed there is nothing to take back, whatever boots this host.
            if self.options["state"] != "reverted" or self.record or self.watchdog.installed():
                raise
            return NoLoader(error.message)

    def look(self):
        """What `before` and `after` show. Kernels are releases; null where there is none."""
        backend = self.backend
        return {
            "default": backend.default(),
            "next": backend.next(),
            "trial": backend.trial(),
            "watchdog": self.watchdog.installed(),
            "grub_default_setting": backend.setting(),
        }

    def result(self, apply):
        if apply and self.steps:
            self.apply()
        possible, reason = self.backend.one_shot(self.options["kernel"])
        record = section("boot", self.machine.path(STATE_FILE)) if apply else self.record
        return {
            "changed": bool(self.steps),
            "before": self.before,
            "after": self.wanted,
            "one_shot": {"possible": possible, "reason": reason},
            "notes": self.notes,
            "steps": [text for text, unused in self.steps],
            "record": dict((key, record[key]) for key in ("state", "kernel", "old", "reason") if record.get(key)),
        }

    def apply(self):
        """The steps in order, then a look whether the host is as planned; whatever fails puts every file back as it was."""
        backup = Backup(self.machine, self.backend.files() + [STATE_FILE], self.backend.words())
        had_watchdog = self.watchdog.installed()
        try:
            for unused, work in self.steps:
                work()
                # Each before the next: a boot loader that saw a later step and not this one could choose what nobody chose.
                self.machine.settle(self.backend.files())
            self.verify()
        except BaseException:
            backup.put_back()
            if not had_watchdog:
                self.watchdog.remove()
            self.machine.settle(self.backend.files())
            raise

    def verify(self):
        found = self.look()
        wrong = [
            "%s is %s instead of %s" % (key, found[key], self.wanted[key])
            for key in sorted(found)
            if found[key] != self.wanted[key]
        ] + self.disagreements()
        if wrong:
            raise TargetError(
                "boot_not_verified",
                "after the change the boot loader's files do not say what they should: %s; "
                "they have been put back" % "; ".join(wrong),
                "look at the boot loader's configuration on the host, then run again",
            )

    def disagreements(self):
        """What the distribution's own tools say against what was done: asked after each call that pinned a kernel."""
        said = self.backend.disagreement(self.pinned) if self.pinned else ""
        return [said] if said else []

    # -- the four states -----------------------------------------------------------------------------------------------------

    def plan_default(self):
        kernel = self.options["kernel"]
        self.need_entry(kernel)
        on_trial = self.record.get("state") in ("armed", "confirmed") and self.record.get("old")
        self.keep_record(state=self.record.get("state") or "default", old=self.record["old"] if on_trial else kernel)
        self.pin(kernel)

    def plan_armed(self):
        kernel, running = self.options["kernel"], self.machine.release
        if kernel == running:
            self.notes.append("kernel %s is running already; nothing is armed" % kernel)
            return
        self.need_bootable(kernel, running)
        need_drivers(self.machine, kernel, running)
        need_signature(self.machine, kernel)
        old = self.known_good(running)
        self.need_fallback(kernel, old)
        self.backend.old = old
        words = self.trial_words(kernel)
        self.keep_record(
            state="armed",
            kernel=kernel,
            old=old,
            reason=None,
            nonce=self.nonce(kernel),
            kernel_settings=self.record.get("kernel_settings")
            if is_on_trial(self.machine)
            else kernel_settings(self.machine),
        )
        if self.backend.has(old):
            self.pin(old)
        self.notes.extend(self.backend.notes(kernel))
        if not self.backend.trial_is_current(kernel, words):
            self.step("write the trial entry of %s" % kernel, lambda: self.backend.write_trial(kernel, words))
        self.wanted["trial"] = kernel if self.backend.takes_trial() else None
        self.plan_watchdog(kernel)
        if not self.backend.armed(kernel, words):
            self.step("arm %s for the next boot" % kernel, lambda: self.backend.set_next(kernel))
        self.wanted["next"] = kernel

    def plan_confirmed(self):
        kernel, running = self.options["kernel"], self.machine.release
        if kernel != running:
            reason = self.record.get("reason")
            raise TargetError(
                "wrong_kernel",
                "kernel %s cannot be confirmed: %s is running%s" % (kernel, running, "; " + reason if reason else ""),
                "boot %s first (state armed, then reboot)" % kernel,
            )
        self.need_entry(kernel)
        if self.before["watchdog"] and not self.watchdog.told():
            # First of all: from here on the watchdog lets this boot be, and the old kernel is the default still.
            self.step("tell the trial watchdog that this boot is good", self.watchdog.confirm)
        self.keep_record(
            state="confirmed",
            kernel=kernel,
            old=self.record.get("old") or self.other_default(kernel),
            reason=None,
            nonce=None,
        )
        self.pin(kernel)
        self.plan_disarm()
        settings = settings_to_put_back(self.machine, self.record.get("kernel_settings") or {}, self.options["panic"])
        if settings and is_on_trial(self.machine):
            self.step(
                "put back what the trial told the running kernel about panics",
                lambda: put_settings_back(self.machine, settings),
            )

    def plan_reverted(self):
        backend = self.backend
        if not self.record and not backend.has_trial() and not self.before["watchdog"]:
            self.notes.append("nothing was armed here")
            return
        old = self.options["kernel"] or self.record.get("old")
        if old:
            self.need_entry(old)
        self.plan_disarm()
        if self.options["restore"]:
            self.plan_restore()
            return
        if self.record:
            self.keep_record(state="reverted", old=old, nonce=None)
        if old and not self.backend.pins() and self.before["default"] == old:
            old = None  # Never pinned, and right as it is.
        if old:
            self.pin(old)
        if self.wanted["default"] and self.wanted["default"] != self.machine.release:
            self.notes.append(
                "kernel %s is still running; %s comes with the next boot"
                % (self.machine.release, self.wanted["default"])
            )

    def plan_restore(self):
        original = self.record.get("original")
        if original:
            default = self.backend.restored_default(original)
            if default != self.record.get("old"):
                self.notes.append(
                    "with the setting of before, the default is %s and not %s: it follows what is installed"
                    % (default, self.record.get("old"))
                )
            self.step("put the boot loader's settings back as they were found", lambda: self.backend.restore(original))
            self.wanted["default"] = default
            self.wanted["grub_default_setting"] = self.backend.restored_setting(original)
        # The record last: our folder goes with it, if nothing else is in there.
        self.step_if(self.watchdog.has_log(), "remove the trial watchdog's log", self.watchdog.remove_log)
        if self.record:
            self.step("drop the record", lambda: save_section("boot", None, self.machine.path(STATE_FILE)))

    # -- parts of them -----------------------------------------------------------------------------------------------------------

    def step(self, text, work):
        self.steps.append((text, work))

    def step_if(self, needed, text, work):
        if needed:
            self.step(text, work)

    def keep_record(self, **more):
        """The record first: whatever is changed after it can then be undone, by whoever comes next."""
        record = dict(self.record, loader=self.backend.name, **more)
        record.setdefault("original", self.backend.original())
        record = dict((key, value) for key, value in record.items() if value is not None)
        if record != self.record:
            self.step("record what was found", lambda: save_section("boot", record, self.machine.path(STATE_FILE)))

    def pin(self, release):
        if not self.backend.pinned(release):
            self.step("make %s the default entry" % release, lambda: self.backend.pin(release))
            self.pinned = release
        self.wanted["default"] = release
        self.wanted["grub_default_setting"] = self.backend.pinned_setting(release)

    def plan_watchdog(self, kernel):
        if not self.options["watchdog"]:
            self.step_if(self.before["watchdog"], "remove the trial watchdog", self.watchdog.remove)
            self.wanted["watchdog"] = False
            self.notes.append(
                "no trial watchdog: if the trial boot comes up but cannot be reached, somebody has to reboot it"
            )
            return
        settings = settings_text(
            kernel,
            self.options["confirm_timeout"],
            self.machine.boot_id,
            trial_mark(self.nonce(kernel)),
            self.options["panic"],
            self.backend.watchdog_settings(kernel),
        )
        if not self.watchdog.current(settings):
            self.step("install the trial watchdog", lambda: self.watchdog.install(settings))
        self.wanted["watchdog"] = True

    def plan_disarm(self):
        backend = self.backend
        self.step_if(backend.has_next(), "clear the one-shot entry", backend.clear_next)
        self.step_if(backend.has_trial(), "remove the trial entry", backend.remove_trial)
        self.step_if(self.before["watchdog"], "remove the trial watchdog", self.watchdog.remove)
        self.wanted.update(next=None, trial=None, watchdog=False)

    def nonce(self, kernel):
        """The number of this trial: that of the record for as long as this very trial lasts."""
        if not self._nonce:
            same = self.record.get("state") == "armed" and self.record.get("kernel") == kernel
            self._nonce = self.record.get("nonce") if same else None
            self._nonce = self._nonce or new_nonce()
        return self._nonce

    def trial_words(self, kernel):
        return trial_words(self.options["panic"], self.nonce(kernel))

    def plan_told(self):
        """No other entry, and nothing that later kernels take their command line from, keeps what a trial was told."""
        for name in self.backend.places_with_trial_words():
            self.step(
                "take the trial's words out of %s" % name, lambda name=name: self.backend.remove_trial_words(name)
            )

    def known_good(self, running):
        """The kernel to fall back to: the running one, unless that is itself a trial that nobody has confirmed."""
        if self.record.get("state") == "armed" and self.record.get("kernel") == running and self.record.get("old"):
            return self.record["old"]
        return running

    def other_default(self, kernel):
        return self.before["default"] if self.before["default"] != kernel else None

    def need_entry(self, release):
        if not self.backend.has(release):
            raise TargetError(
                "no_boot_entry",
                "the boot menu has no entry for kernel %s" % release,
                "install that kernel, or generate the menu again (update-grub or grub2-mkconfig), then run again",
            )

    def need_bootable(self, kernel, running):
        problem = self.backend.boot_files_problem(kernel, running)
        if problem:
            raise TargetError(
                "kernel_incomplete",
                "kernel %s cannot be booted: %s" % (kernel, problem),
                "install the kernel package again (is there room in /boot?), then run again",
            )

    def need_fallback(self, kernel, old):
        problem = ""
        possible, reason = self.backend.one_shot(kernel)
        if not possible:
            problem = "a one-shot boot is not possible here: %s" % reason
        elif not self.backend.has(old):
            problem = "kernel %s, which would be the one to go back to, has no entry in the boot menu" % old
        if not problem:
            return
        if not self.options["accept_no_fallback"]:
            raise TargetError(
                "no_fallback",
                "kernel %s is not armed, because the host could not come back by itself: %s" % (kernel, problem),
                "set `toa_accept: [no_fallback]` if somebody can reach the console, or boot it by hand",
            )
        self.notes.append("accepted: %s" % problem)
