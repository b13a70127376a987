# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all actions of the collection have in common: options in, one call of the channel, a task result out."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible_collections.realip.toa.plugins.plugin_utils import (
    places,
    redaction,
    trusted_lists,
    trusted_networks,
    typed,
)
from ansible_collections.realip.toa.plugins.plugin_utils.channel import bundle
from ansible_collections.realip.toa.plugins.plugin_utils.channel import call as channel

Result = dict[str, t.Any]
Variables = t.Mapping[str, t.Any]


# Variables whose URLs may hold passwords; a plan names these URLs without them.
WITH_PASSWORDS = ("toa_package_mirror", "toa_catalog", "toa_source")


class ToaError(Exception):
    """The controller refuses something: the counterpart of TargetError. More keyword arguments go into the result."""

    def __init__(self, code: str, message: str, remedy: str | None = None, **data: t.Any) -> None:
        super().__init__(message)
        self.result: Result = {**data, "failed": True, "changed": False, "code": code, "msg": message, "remedy": remedy}


class ToaAction(ActionBase):
    """An action that calls one target module.

    A subclass sets ENTRY and SPEC. It may override prepare() and finish(), or act() where one call is not enough.
    """

    ENTRY: t.ClassVar[str] = ""
    """Name of the target module in plugins/module_utils, without .py; empty where act() does it all."""
    SPEC: t.ClassVar[dict[str, t.Any]] = {}
    """Argument spec of the options."""
    RULES: t.ClassVar[dict[str, t.Any]] = {}
    """mutually_exclusive, required_if, required_together, required_one_of, required_by, as in an argument spec."""
    VARIABLES: t.ClassVar[t.Mapping[str, str]] = {}
    """Options that a variable of the inventory fills in where the task leaves them out: {option: variable}."""
    TIMEOUT: t.ClassVar[int | None] = None
    """Seconds that the host may take; None is 600."""
    SEARCH: t.ClassVar[tuple[str, ...]] = ()
    """Folders with target modules of a test's own."""

    TRANSFERS_FILES = False
    _requires_connection = True
    _supports_check_mode = True
    _supports_async = False

    def __init_subclass__(cls, **more: t.Any) -> None:
        super().__init_subclass__(**more)
        # Ansible imports an action before it forks a worker for each host: what is packed now is packed once.
        # What cannot be packed is said in full by the call.
        if cls.ENTRY:
            with contextlib.suppress(bundle.BundleError, SyntaxError, OSError):
                bundle.build(cls.ENTRY, cls.SEARCH)

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> Result:
        super().run(tmp, task_vars)
        variables = task_vars or {}
        try:
            args = self.options(variables)
            args["check"] = bool(self._task.check_mode)
            result = self.act(args, variables)
        except ToaError as problem:
            result = problem.result
        except bundle.BundleError as problem:
            result = ToaError("target_bug", str(problem), "this is a defect of the collection: report it").result
        result.setdefault("changed", False)
        result.setdefault("failed", False)
        # Results are shown, registered, and read by reports: here is the border that passwords and tokens do not pass.
        result = redaction.anything(result)
        self._add_diff(result)
        return _digested(result)

    # ---- what a subclass may override

    def prepare(self, args: Result, task_vars: Variables) -> Result:
        """Validated options -> arguments of main()."""
        return args

    def finish(self, result: Result, task_vars: Variables) -> Result:
        """Answer of main() -> result of the task. Not called for an answer that says `failed`."""
        return result

    def act(self, args: Result, task_vars: Variables) -> Result:
        """All that the task does. The default is one call of ENTRY."""
        answer = self.call(self.prepare(args, task_vars), task_vars)
        return answer if answer.get("failed") else self.finish(answer, task_vars)

    # ---- what a subclass may use

    def call(self, args: Result, task_vars: Variables, entry: str | None = None, timeout: int | None = None) -> Result:
        """main(args) of a target module on the host (see channel.call); failures come back as answers."""
        return channel.call(self, entry or self.ENTRY, args, task_vars, timeout or self.TIMEOUT, self.SEARCH)

    def options(
        self, task_vars: Variables, specs: t.Mapping[str, t.Any] | None = None, own: Result | None = None
    ) -> Result:
        """The task's options in the types of SPEC, those that it leaves out from VARIABLES, with defaults; raises ToaError (bad_option).

        `specs` and `own` are for an action that does the work of another one, with options that no task has given.
        """
        specs, own = self.SPEC if specs is None else specs, self._task.args if own is None else own
        given = {name: value for name, value in own.items() if name not in specs}
        remedy = f"see `ansible-doc {self._task.action}`"
        wrong: list[str] = []
        for option, spec in specs.items():
            value = own.get(option)
            if not typed.is_left_out(value, spec):
                try:
                    given[option] = self._converted(option, value, spec, remedy)
                except ToaError as problem:  # all that is wrong with a task is said at once
                    wrong.append(str(problem))
            elif option in self.VARIABLES:
                value = self.setting(self.VARIABLES[option], spec, task_vars)
                given.update({} if value is None else {option: value})
        if wrong:
            raise ToaError("bad_option", "; ".join(wrong), remedy)
        validation = ArgumentSpecValidator(dict(specs), **self.RULES).validate(given)
        if validation.error_messages:
            raise ToaError("bad_option", "; ".join(validation.error_messages), remedy)
        return dict(validation.validated_parameters)

    def setting(self, name: str, spec: t.Mapping[str, t.Any], task_vars: Variables) -> t.Any:
        """A variable in the type of `spec`, None where it is not set. Raises ToaError for anything else."""
        value = self.variable(name, task_vars)
        return None if value is None else self._converted(name, value, spec, f"correct {name}")

    def _converted(self, name: str, value: t.Any, spec: t.Mapping[str, t.Any], remedy: str) -> t.Any:
        try:
            return typed.settled(name, value, spec)
        except ValueError as problem:
            raise ToaError("bad_option", str(problem), remedy) from None

    def variable(self, name: str, task_vars: Variables) -> t.Any:
        """A variable of the inventory with its templates resolved; None where it is not set, or is empty. Raises ToaError where it cannot be evaluated."""
        value = task_vars.get(name)
        if value is None:
            return None
        secret = typed.is_encrypted(value)
        try:
            value = self._templar.template(value)
        except AnsibleError as problem:
            sentence = f"{name} is {typed.shown(value)}, which cannot be evaluated: {problem}"
            raise ToaError("bad_option", sentence, f"correct {name}") from None
        if typed.is_unset(value) or value == task_vars.get("omit"):
            return None
        return typed.Secret(value) if secret else value

    def trusted_sources(self, given: t.Any, task_vars: Variables) -> list[str] | None:
        """The operator's choice, by the option or else the variable: None, [] for all sources, or networks. ValueError for what is none."""
        if given is None and "toa_trusted_sources" in task_vars:
            given = self.setting("toa_trusted_sources", {"type": "raw"}, task_vars)
            if given is None:
                raise ValueError(trusted_networks.NULL)
        if given is None:
            return self.reviewed_sources(task_vars)[0]
        return trusted_networks.choice(given)

    def reviewed_sources(self, task_vars: Variables) -> tuple[list[str] | None, datetime.date | None]:
        """(networks of toa_trusted_sources_url as they were reviewed, when the oldest list was fetched); None where it names no list.

        ValueError, with one sentence, where a list was never fetched.
        """
        wanted = trusted_lists.published(self.setting("toa_trusted_sources_url", {"type": "raw"}, task_vars))
        if not wanted:
            return None, None
        there = places.found(trusted_lists.FILE, places.folders(task_vars))
        lists = trusted_lists.read(there.read_text(encoding="utf-8")) if there else {}
        return trusted_lists.reviewed(lists, wanted)

    def usable(self, url: str, task_vars: Variables) -> str:
        """A URL out of a plan, with the password or token that the plan does not show; ToaError where no variable has it."""
        if redaction.HIDDEN not in url:
            return url
        found = redaction.restored(url, [self.variable(name, task_vars) for name in WITH_PASSWORDS])
        if redaction.HIDDEN in found:
            raise ToaError(
                "no_password",
                f"{url} needs a password or token, which a plan does not hold",
                f"set the variable that it comes from ({', '.join(WITH_PASSWORDS)})",
            )
        return found

    def _add_diff(self, result: Result) -> None:
        before, after = result.get("before"), result.get("after")
        if self._task.diff and before != after:
            result["diff"] = {"before": _diff_text(before), "after": _diff_text(after)}


def _digested(result: Result) -> Result:
    """A result whose files have a digest for their content: registers, logs and reports are no place for what is in them. --diff shows it."""
    return {key: _without_content(value) if key in ("before", "after") else value for key, value in result.items()}


def _without_content(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {key: _digest(item) if key == "content" else _without_content(item) for key, item in value.items()}
    return [_without_content(item) for item in value] if isinstance(value, list) else value


def _digest(content: t.Any) -> t.Any:
    return f"sha256:{hashlib.sha256(content.encode()).hexdigest()}" if isinstance(content, str) else content


def _diff_text(value: t.Any) -> str:
    return "" if value is None else json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str) + "\n"
