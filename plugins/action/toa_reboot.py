# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_reboot: reboot, wait, and compare boot_id and `uname -r` with what was expected."""

from __future__ import annotations

import contextlib
import os
import time
import typing as t
from datetime import datetime, timezone

from ansible.errors import AnsibleError
from ansible.utils.display import Display
from ansible_collections.realip.toa.plugins.plugin_utils.action import Result, ToaAction, ToaError, Variables
from ansible_collections.realip.toa.plugins.plugin_utils.channel import ssh_port, time_limit

FIRST_PAUSE, LONGEST_PAUSE = 0.3, 1.0
"""Seconds between two looks at a host that is not back yet."""
FIRST_CONNECT, LONGEST_CONNECT = 4, 10
"""Seconds that one connection may take. It grows, because a slow machine answers slowly and a dead one not at all."""
LONGEST_WAIT_FOR_PORT = 120
"""Seconds to wait for the port without a look in between, in case that only ssh finds the way by now."""
LOOK_TIMEOUT = 30
"""Seconds that one look may take on the host."""

NO_MULTIPLEXING = "-o ControlMaster=no -o ControlPath=none -o ServerAliveInterval=1 -o ServerAliveCountMax=3 -o ConnectTimeout={timeout} "


display = Display()


class ActionModule(ToaAction):
    ENTRY = "programs.reboot"
    SPEC = {
        "kernel": {"type": "str"},
        "timeout": {"type": "int", "default": 600},
        "message": {"type": "str", "default": ""},
        "wait_for_boot": {"type": "bool", "default": True},
        "only_if_needed": {"type": "bool", "default": False},
    }

    def act(self, args: Result, task_vars: Variables) -> Result:
        self._check(args)
        before = self.call({"op": "identity", "check": args["check"]}, task_vars, timeout=LOOK_TIMEOUT)
        if before.get("failed"):
            return before
        if args["only_if_needed"] and before["kernel"] == args["kernel"]:
            return _result(before, before, 0.0, changed=False)
        if args["check"]:
            return _result(before, {"boot_id": "", "kernel": args["kernel"] or before["kernel"]}, 0.0)
        address = self._ssh_port()
        began, started = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"), time.monotonic()
        # Sent twice, it reboots once: it ends the boot that was seen, and no other.
        request = {
            "op": "trigger",
            "message": args["message"],
            "boot_id": before["boot_id"],
            "token": os.urandom(8).hex(),
        }
        with self._options({"reconnection_retries": lambda old: 0}):
            triggered = self._ask({**request, "check": False}, task_vars, LOOK_TIMEOUT)
        # A connection that died or hangs here may do so because of the reboot: only looking again can tell.
        if triggered.get("failed") and triggered.get("toa_state") != "lost":
            return triggered
        after = self._wait(before, args, task_vars, started, address)
        return _judged({**_result(before, after, time.monotonic() - started), "began": began}, args["kernel"])

    def _check(self, args: Result) -> None:
        if args["only_if_needed"] and not args["kernel"]:
            raise ToaError(
                "bad_option", "only_if_needed: kernel says what is needed, and is not given", "give kernel as well"
            )
        if args["timeout"] < 1:
            raise ToaError(
                "bad_option", f"timeout: {args['timeout']} is no number of seconds to wait", "give 1 or more"
            )
        if self._connection.transport == "local":
            raise ToaError(
                "reboot_of_controller",
                "this would reboot the machine that runs Ansible",
                "reach it over SSH from another machine, or leave it out",
            )

    def _ssh_port(self) -> tuple[str, int] | None:
        """Address and port of the host's SSH server, if it opens now: behind a jump host, or a name that only ssh knows, it does not."""
        connection = self._connection
        if connection.transport != "ssh":
            return None
        address = (
            str(connection.get_option("host") or self._play_context.remote_addr),
            int(connection.get_option("port") or 22),
        )
        return address if ssh_port.opens(address, ssh_port.TIME_LIMIT) else None

    def _wait(
        self, before: Result, args: Result, task_vars: Variables, started: float, address: tuple[str, int] | None
    ) -> Result:
        """The host's identity after the reboot; ToaError where it does not come back within the time."""
        deadline = started + args["timeout"]
        pause, looks = FIRST_PAUSE, 0
        last: Result = {"failed": True, "msg": "it was not asked"}
        wait_for_port = False
        self._drop_connection()
        while time.monotonic() < deadline:
            if wait_for_port and address:
                # Every look that succeeds costs the host little; one that fails may cost us its whole timeout, in which the host comes up.
                ssh_port.opens(address, min(LONGEST_WAIT_FOR_PORT, deadline - time.monotonic()))
                address = None
            last = self._look(task_vars, min(FIRST_CONNECT + looks // 2, LONGEST_CONNECT), deadline)
            looks += 1
            display.vv(
                f"{time.monotonic() - started:.1f} s after the reboot was asked for: {_told(last)}",
                host=self._play_context.remote_addr,
            )
            wait_for_port = bool(last.get("failed"))
            if not last.get("failed"):
                if last["boot_id"] != before["boot_id"] and (last["up"] or not args["wait_for_boot"]):
                    return last
                if last["boot_id"] == before["boot_id"] and last["refusal"]:
                    break
            time.sleep(max(0.0, min(pause, deadline - time.monotonic())))
            pause = min(pause * 1.5, LONGEST_PAUSE)
        raise _gave_up(before, last, args["timeout"], time.monotonic() - started)

    def _look(self, task_vars: Variables, connect: int, deadline: float) -> Result:
        """One look at the host over a connection of its own; a failure is an answer."""
        left = max(1.0, deadline + 2 - time.monotonic())
        with self._own_connection(connect):
            answer = self._ask({"op": "identity", "check": False}, task_vars, min(connect + LOOK_TIMEOUT, left))
        if answer.get("failed"):
            self._close()
        return answer

    def _ask(self, args: Result, task_vars: Variables, seconds: float) -> Result:
        """One call that ends within so many `seconds`, even over a connection whose other end has gone without a word."""
        try:
            with time_limit.within(seconds):
                return self.call(args, task_vars, timeout=LOOK_TIMEOUT)
        except time_limit.Exceeded:
            time_limit.end_children()
            return {"failed": True, "msg": "the connection hangs", "toa_state": "lost"}

    def _own_connection(self, connect: int) -> contextlib.AbstractContextManager[None]:
        """Nothing shared with an earlier boot: a master connection whose other end has gone would make us wait for its timeout."""
        return self._options({
            "timeout": lambda old: connect,
            "ssh_args": lambda old: NO_MULTIPLEXING.format(timeout=connect) + (old or ""),
            "reconnection_retries": lambda old: 0,
        })  # fmt: skip

    @contextlib.contextmanager
    def _options(self, wanted: t.Mapping[str, t.Callable[[t.Any], t.Any]]) -> t.Iterator[None]:
        """Options of the connection, each made from what it was, as long as this lasts."""
        connection = self._connection
        kept = {}
        for option, value in wanted.items():
            if connection.has_option(option):
                kept[option] = connection.get_option(option)
                connection.set_option(option, value(kept[option]))
        try:
            yield
        finally:
            for option, value in kept.items():
                connection.set_option(option, value)

    def _drop_connection(self) -> None:
        try:
            self._connection.reset()
        except (AnsibleError, AttributeError, OSError, EOFError):
            self._close()

    def _close(self) -> None:
        with contextlib.suppress(AnsibleError, OSError, EOFError):
            self._connection.close()
        self._connection._connected = False


def _told(look: Result) -> str:
    """What a look has seen, for -vv."""
    if look.get("failed"):
        return str(look.get("msg"))
    return f"boot {look['boot_id']}, kernel {look['kernel']}, {look['systemd_state'] or 'no systemd'}, {'up' if look['up'] else 'not up'}"


def _result(before: Result, after: Result, elapsed: float, changed: bool = True) -> Result:
    seen = [{"boot_id": who["boot_id"], "kernel": who["kernel"]} for who in (before, after)]
    return {
        "changed": changed,
        "elapsed": round(elapsed, 1),
        "toa_state": "up",
        "before": seen[0],
        "after": seen[1],
        **seen[1],
    }


def _judged(result: Result, wanted: str | None) -> Result:
    if not wanted or result["kernel"] == wanted:
        return result
    return {
        **result,
        "failed": True,
        "code": "wrong_kernel",
        "expected": wanted,
        "msg": f"the host came back with kernel {result['kernel']}, not with {wanted}",
        "remedy": "see what the boot loader's default is (toa_facts: boot), and the console or the trial watchdog's log for a trial boot that failed",
    }


def _gave_up(before: Result, last: Result, timeout: int, elapsed: float) -> ToaError:
    data = {"elapsed": round(elapsed, 1), "boot_id": before["boot_id"], "kernel": before["kernel"]}
    if last.get("failed"):
        return ToaError(
            "lost_after_reboot",
            f"the host did not come back within {timeout} s of its reboot; the last attempt: {last.get('msg')}",
            "look at its console; the trial watchdog takes it back to the old kernel where that can still boot",
            toa_state="lost",
            **data,
        )
    if last["boot_id"] != before["boot_id"]:
        return ToaError(
            "boot_not_finished",
            f"the host is back, and is still {last['systemd_state'] or 'starting'} after {timeout} s",
            "see what it waits for (systemctl list-jobs), or set wait_for_boot: false",
            **{**data, "boot_id": last["boot_id"], "kernel": last["kernel"]},
        )
    return ToaError(
        "reboot_did_not_happen",
        f"the host is still in the boot {before['boot_id']}"
        + (f": {last['refusal']}" if last["refusal"] else f" after {timeout} s"),
        "see on the host what holds the reboot up (systemctl list-jobs, systemd-inhibit --list)",
        **data,
    )
