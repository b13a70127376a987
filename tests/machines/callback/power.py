# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""After every step of a playbook: what would this lab machine boot if its power went now? The next task begins when that is answered.

REALIP_POWER names a JSON file: {machine, stock, new, config, log}. Each answer is a line of the log.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: power
type: notification
short_description: What would boot now if the power went.
description: See tests/machines/test_el8.py.
"""

STEPS = ("toa_boot", "toa_package", "toa_reboot", "reboot")


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "power"

    def __init__(self) -> None:
        super().__init__()
        # Last: names of folders there are names of Python's own packages.
        here = Path(__file__).resolve().parents
        sys.path += [str(here[3]), str(here[1]), str(here[2] / "unit" / "target")]
        from power_of_machine import Observer

        given = json.loads(Path(os.environ["REALIP_POWER"]).read_text())
        self.log = Path(given.pop("log"))
        self.observer = Observer(**given)

    def _asked(self, result: Any) -> None:
        # What changes nothing, by its own word, and does not work on kernels or boot loaders, is no step.
        if not result._result.get("changed") and not result._task.action.endswith(STEPS):
            return
        confirmed = result._task.args.get("state") == "confirmed"
        answer = {"task": result._task.get_name().strip(), **self.observer.ask(confirmed)}
        with self.log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(answer) + "\n")

    def v2_runner_on_ok(self, result: Any) -> None:
        self._asked(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._asked(result)
