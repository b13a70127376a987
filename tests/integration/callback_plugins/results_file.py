# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes every task result as a line of JSON to the file that TOA_TEST_RESULTS names."""

from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: results_file
type: notification
short_description: results of a test's run, for the test
description: One JSON object per task and host, with host, task, status and result.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "results_file"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, status, result):
        # Public names since 2.19; underscored ones before.
        host = getattr(result, "host", None) or result._host
        data = result.result if hasattr(result, "result") else result._result
        with open(os.environ["TOA_TEST_RESULTS"], "a", encoding="utf-8") as file:
            file.write(
                json.dumps(
                    {"host": host.get_name(), "task": result.task_name, "status": status, "result": data}, default=str
                )
                + "\n"
            )

    def v2_runner_on_ok(self, result):
        self._write("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._write("failed", result)

    def v2_runner_on_unreachable(self, result):
        self._write("unreachable", result)

    def v2_runner_on_skipped(self, result):
        self._write("skipped", result)
