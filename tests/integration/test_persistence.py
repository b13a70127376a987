# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_persistence and toa_module over SSH, on a stage (stage.py) that is dressed as a Debian where somebody followed the documents."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from sshd import Controller, Run, cores, pythons, result_of
from stage import Stage

RC_LOCAL = "#!/bin/sh -e\nlogger hello\nexit 0\n"
PLACE = "/etc/modules-load.d/realip-toa.conf"
UNIT = "[Service]\nExecStart=/etc/rc.local start\n"


@pytest.fixture
def stage(tmp_path: Path) -> t.Iterator[Stage]:
    with Stage(tmp_path, "127.0.45.1") as made:
        put(made, "/lib/systemd/system/rc-local.service", UNIT)
        put(made, "/run/systemd/system/.keep", "")
        put(made, "/etc/rc.local", RC_LOCAL + "modprobe toa\n", "755")
        put(made, "/etc/rc.d/rc.local", "\u201cmodprobe toa\u201d\n")
        yield made


def put(stage: Stage, path: str, text: str, mode: str = "644") -> None:
    octal = "".join(f"\\0{byte:o}" for byte in text.encode())
    said = stage.sh(f"mkdir -p $(dirname {path}) && printf %b '{octal}' >{path} && chmod {mode} {path}")
    assert not said, said


def call(
    stage: Stage, core: str, module: str, args: dict[str, t.Any], *options: str, **variables: t.Any
) -> tuple[dict[str, t.Any], Run]:
    run = Controller(core, stage.base.parent / "run").task(
        stage.host(**variables), f"realip.toa.{module}", args, options=options
    )
    return result_of(run, "web"), run


def ours(stage: Stage) -> dict[str, str]:
    return {
        name: text for name, text in stage.written().items() if name not in ("/run/realip-toa/lock", "/var/log/btmp")
    }


def test_what_the_documents_left_goes_and_comes_back(stage: Stage, core: str) -> None:
    before = ours(stage)
    predicted, run = call(stage, core, "toa_persistence", {}, "--check", "--diff")
    assert predicted["changed"] and ours(stage) == before, run.output
    assert "+# realip.toa" in run.output.replace('"', "").replace("\\n", "\n") or PLACE in predicted["diff"]["after"]

    done, run = call(stage, core, "toa_persistence", {})
    assert not done["failed"] and (done["before"], done["after"]) == (predicted["before"], predicted["after"]), (
        run.output
    )
    assert stage.sh(f"cat {PLACE}").splitlines()[-1] == "toa"
    assert stage.sh("cat /etc/rc.local") == RC_LOCAL
    assert stage.sh("test -e /etc/rc.d || echo gone") == "gone\n"
    notes = "\n".join(done["notes"])
    assert "exit in line 3" in notes and "this host runs /etc/rc.local" in notes

    again, _run = call(stage, core, "toa_persistence", {})
    assert not again["changed"] and again["before"] == again["after"]
    assert call(stage, core, "toa_persistence", {"state": "absent"})[0]["changed"]
    assert ours(stage) == before


@pytest.mark.parametrize("python", sorted(pythons()))
def test_on_every_python(stage: Stage, python: str) -> None:
    before = ours(stage)
    host = stage.host(ansible_python_interpreter=pythons()[python])
    tasks: list[dict[str, t.Any]] = [
        {"realip.toa.toa_persistence": {"method": "rc_local"}},
        {"realip.toa.toa_persistence": {"state": "absent"}},
        {"realip.toa.toa_module": {"state": "status"}},
    ]
    run = Controller(cores()[0], stage.base.parent / "run").task(
        host, "realip.toa.toa_persistence", {"method": "rc_local"}, more_tasks=tasks
    )
    assert [line["status"] for line in run.results] == ["ok"] * 4, run.output
    assert [line["result"]["changed"] for line in run.results] == [True, False, True, False]
    # rc.local may have passwords in it: a result has a digest, and --diff the text.
    content = run.results[0]["result"]["after"]["files"]["/etc/rc.local"]["content"]
    assert re.fullmatch("sha256:[0-9a-f]{64}", content) and "logger hello" not in str(run.results)
    assert not run.results[3]["result"]["before"]["loaded"]
    assert ours(stage) == before


def test_refusals(stage: Stage) -> None:
    before = ours(stage)
    for module, args, code in (
        ("toa_persistence", {"method": "sysconfig_modules"}, "method_unusable"),
        ("toa_persistence", {"name": "ext4"}, "bad_option"),
        ("toa_persistence", {"methd": "auto"}, "bad_option"),
        ("toa_module", {}, "module_missing"),
        ("toa_module", {"kernel": "9.9"}, "wrong_kernel"),
    ):
        result, run = call(stage, cores()[-1], module, args)
        assert result["failed"] and result["code"] == code and result["msg"] and result["remedy"], run.output
    assert ours(stage) == before
