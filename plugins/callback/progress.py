# Copyright (c) 2026 The realip.toa authors
# GNU General Public License v3.0 or later (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Callback realip.toa.progress."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: notification
short_description: How far a rollout is, and how long it will take
version_added: 1.0.0
author: The realip.toa authors (@realip)
description:
  - Adds a line now and then to what Ansible prints - the wave, how many of its hosts are done or rebooting, how all hosts have ended so far,
    and the time that is left by what the waves before have taken.
  - It prints through Ansible like everything else, so whatever silences Ansible (C(ansible-runner -q), a log file) treats it the same, in AWX
    it stands in the job's log, and there are no escape sequences on a pipe. Runs that have nothing to do with this collection print nothing.
options:
  interval:
    description:
      - Seconds between two lines on a terminal, at least; on a pipe it is three times that.
      - The beginning and the end of a wave and a host that fails are told at once.
    type: float
    default: 10
    env:
      - name: TOA_PROGRESS_INTERVAL
    ini:
      - section: toa_progress
        key: interval
  quiet:
    description: Print nothing.
    type: bool
    default: false
    env:
      - name: TOA_PROGRESS_QUIET
    ini:
      - section: toa_progress
        key: quiet
requirements:
  - Named in C(callbacks_enabled) of C(ansible.cfg), or in the environment variable C(ANSIBLE_CALLBACKS_ENABLED).
"""

EXAMPLES = r"""
# ansible.cfg
# [defaults]
# callbacks_enabled = realip.toa.progress
"""

import atexit
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible_collections.realip.toa.plugins.plugin_utils.fleet.progress import Progress

# Two lines: tools that read the documentation stumble over a tuple.
PLAN = "realip.toa.toa_plan"
REBOOT = "realip.toa.toa_reboot"
RECORD = "realip.toa.toa_record"
BAD = ("failed", "lost")


class CallbackModule(CallbackBase):
    """Tells `Progress` what happens, and prints its line."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "realip.toa.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._progress = Progress(int(context.CLIARGS.get("forks") or 5))
        self._outcomes: dict[str, str] = {}
        self._hosts = 0
        self._told_at = 0.0
        self._told = ""
        self._looking = self._in_wave = False
        # What goes on where the run is cancelled. Workers are forked, and end without this.
        self._go_on, self._process = "", os.getpid()
        atexit.register(self._cancelled)

    # ---- events

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._end_play()
        variables = play.get_variable_manager().get_vars(play=play)
        batch = [str(host) for host in variables.get("ansible_play_batch") or []]
        self._hosts = len(variables.get("ansible_play_hosts_all") or batch)
        hostvars = variables.get("hostvars")
        everyone = [str(host) for host in variables.get("ansible_play_hosts_all") or []]
        # Only the waves have sizes. The batch of a play that matches no host is the whole inventory.
        if not play.serial or not everyone or not batch or hostvars is None:
            return
        slots = _mapping(_mapping(hostvars.raw_get(batch[0]).get("__toa_order")).get("slots"))
        if list(slots) != everyone:
            return
        sizes = Counter(_mapping(slot).get("part", 1) for slot in slots.values())
        self._in_wave = True
        self._go_on = str(_mapping(hostvars.raw_get(batch[0]).get("__toa_order")).get("go_on") or "")
        self._progress.batch(
            batch, _mapping(slots[batch[0]]), [sizes[part] for part in sorted(sizes)], time.monotonic()
        )
        self._tell(at_once=True)

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        if task.action == PLAN and not self._in_wave:
            self._looking, self._told_at = True, time.monotonic()
            self._progress.looking(self._hosts, self._told_at)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        if task.action == REBOOT and self._in_wave:
            self._progress.rebooting(host.get_name())
            self._tell()

    def v2_runner_on_ok(self, result: Any) -> None:
        self._see(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._see(result, failed=True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._see(result, failed=True)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._see(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._go_on = ""
        self._end_play()
        summary = self._progress.summary(time.monotonic())
        if summary:
            self._say(summary)

    def _cancelled(self) -> None:
        """The process ends and the playbook has not."""
        if self._go_on and self._process == os.getpid():
            self._say(f"cut off in the middle; the next run puts right what is left, and goes on: {self._go_on}")

    # ---- what they mean

    def _see(self, result: Any, failed: bool = False) -> None:
        # Public names since 2.19; underscored ones before.
        host = (getattr(result, "host", None) or result._host).get_name()
        task = getattr(result, "task", None) or result._task
        data = result.result if hasattr(result, "result") else result._result
        if task.action == REBOOT and self._in_wave:
            self._progress.back(host)
            self._tell()
        elif task.action == PLAN and self._looking:
            lost = data.get("toa_state") == "lost"
            self._progress.looked(
                "lost" if lost else "failed" if failed else str(_mapping(data.get("plan")).get("state") or "failed")
            )
            self._tell()
        elif task.action == RECORD and self._in_wave:
            self._outcome(host, data)

    def _outcome(self, host: str, record: Mapping[str, Any]) -> None:
        state = _mapping(record.get("outcome")).get("state")
        if state:
            self._outcomes[host] = str(state)
        if _mapping(record.get("times")).get("ended"):
            end = self._outcomes.get(host, "lost")
            self._progress.ended(host, end)
            self._tell(at_once=end in BAD)

    def _end_play(self) -> None:
        if self._looking:
            self._tell(at_once=True)
            self._looking = False
        if self._in_wave:
            self._end_wave()

    def _end_wave(self) -> None:
        # A host that Ansible itself gave up, as an unreachable one, has no end of its own.
        for host in self._progress.current:
            if host not in self._progress.ends:
                self._progress.ended(host, self._outcomes.get(host, "lost"))
        self._tell(at_once=True)
        self._progress.batch_ended(time.monotonic())
        self._in_wave = False

    # ---- saying it

    def _tell(self, at_once: bool = False) -> None:
        now = time.monotonic()
        pause = self.get_option("interval") * (1 if sys.stdout.isatty() else 3)
        if not at_once and now - self._told_at < pause:
            return
        line = self._progress.line(now)
        if line != self._told:
            self._say(line)
            self._told, self._told_at = line, now

    def _say(self, text: str) -> None:
        if not self.get_option("quiet"):
            self._display.display(f"TOA: {text}", color="bright cyan")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
