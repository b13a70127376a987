# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What became of one host: the result of a failed task -> its outcome. Pure: no I/O, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.plugin_utils import host_text, redaction

# Results that do not count as failures: the host was left alone, on purpose.
NOT_YET = ("outside_window",)
# The action that tells so; tasks name it in either way.
CLAIM = ("realip.toa.toa_claim", "toa_claim")


def outcome_of(task: Any, result: Any, code: str = "") -> dict[str, Any]:
    """What a failed task means for its host: {state (failed, lost, pending), stage, code, message, remedy}.

    `task` and `result` are `ansible_failed_task` and `ansible_failed_result`; `code` is for what has none of its own, as the operator's tasks.
    """
    failed = _culprit(result)
    found = _word(failed.get("code")) or code
    return {
        "state": "lost" if failed.get("toa_state") == "lost" else "pending" if _left_alone(task, found) else "failed",
        "stage": _word(task.get("name") if isinstance(task, Mapping) else "") or "unknown",
        "code": found,
        "message": _message(failed),
        "remedy": _word(failed.get("remedy")),
    }


def _left_alone(task: Any, code: str) -> bool:
    """Whether our own action says that nothing was begun with the host, before it asked the host.

    Any other module may return the same code, and what it returns comes from the host.
    """
    return code in NOT_YET and isinstance(task, Mapping) and task.get("action") in CLAIM


def _culprit(result: Any) -> Mapping[str, Any]:
    """The result itself, or the first item of a loop that failed."""
    if not isinstance(result, Mapping):
        return {}
    items = result.get("results")
    if isinstance(items, (list, tuple)):
        return next((item for item in items if isinstance(item, Mapping) and item.get("failed")), result)
    return result


def _message(result: Mapping[str, Any]) -> str:
    """Ansible's own tasks say it under several names."""
    said = [result.get(key) for key in ("msg", "reason", "message", "stderr", "module_stderr")]
    text = next((item for item in said if item), "")
    return _word("; ".join(map(str, text)) if isinstance(text, (list, tuple)) else str(text)) or "no message"


def after_revert(outcome: Mapping[str, Any], reverted: Any, back: Any) -> dict[str, Any]:
    """The outcome of a host whose way back was tried: `reverted` is the answer of toa_boot, `back` that of toa_reboot, or {}.

    `stuck` says that it may still run, or boot into, what was not proven.
    """
    end = {str(key): value for key, value in outcome.items()}
    reverted, back = (item if isinstance(item, Mapping) else {} for item in (reverted, back))
    watchdog = _word((reverted.get("record") or {}).get("reason"))
    if watchdog:
        end["message"] = f"{end.get('message') or 'no message'}; the trial watchdog had taken it back: {watchdog}"
    for step, words in (
        (reverted, "the old kernel could not be made the default again"),
        (back, "the host is not back on its old kernel"),
    ):
        if step.get("failed"):
            end.update(stuck=True, message=f"{end.get('message') or 'no message'}; {words}: {_message(step)}")
            if step.get("toa_state") == "lost":
                end["state"] = "lost"
    if back.get("kernel") and not back.get("failed"):
        end["boot"] = {key: back[key] for key in ("began", "elapsed", "kernel", "boot_id") if key in back}
    return end


def still_drained(outcome: Mapping[str, Any], why: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The outcome of a host that stays out of service: on purpose, or because (`why`, an outcome) putting it back failed."""
    end = {**{str(key): value for key, value in outcome.items()}, "drained": True}
    words = "the host is still drained"
    if why:
        end.update(
            state="failed", code="undrain_failed", stage=why["stage"], message=f"{words}: {why['message']}",
            remedy="put it back into service by hand, or correct toa_hooks.undrain and run again",
        )  # fmt: skip
    else:
        end["message"] = "; ".join(text for text in (_word(end.get("message")), words) if text)
    return end


def went_bad(outcome: Mapping[str, Any], why: str, back: Any) -> dict[str, Any]:
    """The outcome of a host that was proved and went bad while its wave soaked. `outcome` is how taking it back ended, `back` the plan for that."""
    end = {str(key): value for key, value in outcome.items()}
    words = f"it was proved, and went bad while its wave soaked: {why}"
    state = end.get("state")
    if state == "rolled_back":
        words += "; it was taken back"
        remedy = "find out why, and run again"
    else:
        told = _message(back) if isinstance(back, Mapping) and back.get("failed") else _word(end.get("message"))
        words += f"; it could not be taken back{f': {told}' if told else ''}"
        remedy = "take it back with the playbook rollback"
    lost = state == "lost" or (isinstance(back, Mapping) and back.get("toa_state") == "lost")
    kept: dict[str, Any] = {key: end[key] for key in ("boot", "stuck", "drained") if key in end}
    return {
        **kept,
        "state": "lost" if lost else "failed",
        "stage": "soak",
        "code": "went_bad",
        "message": _word(words),
        "remedy": remedy,
    }


def _word(value: Any) -> str:
    return host_text.lines(redaction.text(value[: host_text.LIMIT]).strip()) if isinstance(value, str) else ""
