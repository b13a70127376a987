# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_package over SSH, with the machine's own dpkg on a stage (stage.py), and a mirror on loopback."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.channel import bundle
from sshd import Controller, Run, cores, pythons, result_of
from stage import Stage

NAME, RELEASE = "realip-toa-test-image", "4.4.87.toatest"
HOOK = "/etc/kernel/postinst.d/apt-auto-removal"
# What apt's hook does, in short: it writes the kernels that are installed where apt's autoremove finds them.
LIST_OF_KERNELS = """#!/bin/sh
dpkg-query -W "realip-toa-test*" 2>/dev/null | sed s,^,//, >/etc/apt/apt.conf.d/01autoremove-kernels
"""
KERNEL = f"/boot/vmlinuz-{RELEASE}"


@pytest.fixture
def stage(tmp_path: Path) -> t.Iterator[Stage]:
    with Stage(tmp_path, "127.0.44.1") as made:
        made.sh(f"echo running >/boot/vmlinuz-{os.uname().release}")
        yield made


def package(mirror: tuple[Path, str], scripts: dict[str, str] | None = None) -> dict[str, t.Any]:
    """Build a .deb like a kernel's into the mirror; its entry of a plan."""
    folder, url = mirror
    tree = folder / "tree"
    for made in ("DEBIAN", "boot", f"lib/modules/{RELEASE}/kernel/net/toa"):
        (tree / made).mkdir(parents=True, exist_ok=True)
    (tree / KERNEL.lstrip("/")).write_text("kernel" * 1000)
    (tree / f"lib/modules/{RELEASE}/kernel/net/toa/toa.ko").write_text("module")
    (tree / "DEBIAN/control").write_text(
        f"Package: {NAME}\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: test\n"
    )
    for name in ("preinst", "postinst", "prerm", "postrm"):
        (tree / "DEBIAN" / name).unlink(missing_ok=True)
    for name, body in (scripts or {}).items():
        (tree / "DEBIAN" / name).write_text("#!/bin/sh\n" + body)
        (tree / "DEBIAN" / name).chmod(0o755)
    path = folder / f"{NAME}_1.0_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, path], check=True, capture_output=True)
    data = path.read_bytes()
    return {
        "name": NAME,
        "file": path.name,
        "url": f"{url}/{path.name}",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size": len(data),
        "format": "deb",
        "role": "image",
        "release": RELEASE,
    }


def call(
    stage: Stage, core: str, args: dict[str, t.Any], *options: str, **variables: t.Any
) -> tuple[dict[str, t.Any], Run]:
    run = Controller(core, stage.base.parent / "run").task(
        stage.host(**variables), "realip.toa.toa_package", args, options=options
    )
    return result_of(run, "web"), run


def calls(stage: Stage, *several: dict[str, t.Any], **variables: t.Any) -> list[dict[str, t.Any]]:
    """Results of several tasks in one run, with the oldest core."""
    first, *more = ({"realip.toa.toa_package": args} for args in several)
    ((module, args),) = first.items()
    run = Controller(cores()[0], stage.base.parent / "run").task(stage.host(**variables), module, args, more_tasks=more)
    assert [line["status"] for line in run.results] == ["ok"] * len(several), run.output
    return [line["result"] for line in run.results]


def ours(stage: Stage) -> dict[str, str]:
    """What is written on the stage, but for dpkg's own bookkeeping and the lock file."""
    ignored = ("/var/lib/dpkg/", "/var/log/dpkg.log", "/run/realip-toa/lock", "/var/log/btmp")
    return {name: text for name, text in stage.written().items() if not name.startswith(ignored)}


def test_a_life_of_a_kernel_package(stage: Stage, mirror: tuple[Path, str], core: str) -> None:
    item = package(
        mirror,
        {"postinst": f"echo made >/boot/initrd.img-{RELEASE}\necho made >/lib/modules/{RELEASE}/modules.dep\n{HOOK}\n"},
    )
    stage.sh(f"cat >{HOOK} <<'END'\n{LIST_OF_KERNELS}\nEND\nchmod 755 {HOOK}; {HOOK}")
    stock = ours(stage)

    predicted, _run = call(stage, core, {"packages": [item]}, "--check", "--diff")
    assert predicted["changed"] and predicted["diff"] and ours(stage) == stock

    done, run = call(stage, core, {"packages": [item]})
    assert not done["failed"], run.output
    assert (done["before"], done["after"]) == (predicted["before"], predicted["after"])
    assert stage.sh(f"dpkg-query -W -f='${{Status}}' {NAME}; cat {KERNEL}").startswith(
        "install ok installedkernelkernel"
    )

    again, _run = call(stage, core, {"packages": [item]})
    assert not again["changed"] and again["before"] == again["after"]

    held, _run = call(stage, core, {"state": "held"})
    assert held["changed"] and held["after"]["held"] == [NAME]
    assert stage.sh("apt-mark showhold").split() == [NAME]

    gone, run = call(stage, core, {"state": "absent"})
    assert not gone["failed"] and gone["changed"], run.output
    assert gone["after"] == {"installed": {}, "held": [], "cached": []}
    assert ours(stage) == stock
    assert NAME not in stage.sh("cat /var/lib/dpkg/status; ls /var/lib/dpkg/info")
    assert not call(stage, core, {"state": "absent"})[0]["changed"]


@pytest.mark.parametrize("python", sorted(pythons()))
def test_on_every_python(stage: Stage, mirror: tuple[Path, str], python: str) -> None:
    item = package(mirror)
    stock = ours(stage)
    steps = [{"packages": [item]}, {"state": "held"}, {"state": "unheld"}, {"packages": [item]}, {"state": "absent"}]
    results = calls(stage, *steps, ansible_python_interpreter=pythons()[python])
    assert results[0]["after"]["installed"] == {NAME: "1.0"}
    assert [result["changed"] for result in results] == [True, True, True, False, True]
    assert ours(stage) == stock


def test_a_script_that_fails_is_quoted_and_taken_back(stage: Stage, mirror: tuple[Path, str]) -> None:
    item = package(mirror, {"postinst": f"touch /boot/initrd.img-{RELEASE}\necho no initramfs today >&2\nexit 7\n"})
    stock = ours(stage)
    result, _run = call(stage, cores()[-1], {"packages": [item]})
    assert result["failed"] and result["code"] == "install_failed" and "no initramfs today" in result["msg"]
    left = ours(stage)
    assert left.pop(f"/var/cache/realip-toa/{item['file']}")
    assert left == stock
    assert NAME not in stage.sh("cat /var/lib/dpkg/status; ls /var/lib/dpkg/info")


@pytest.mark.parametrize("mode", [(), ("--check",)])
def test_bad_input_leaves_the_host_untouched(stage: Stage, mirror: tuple[Path, str], mode: tuple[str, ...]) -> None:
    item = package(mirror)
    stock = ours(stage)
    for change, code in (
        ({"sha256": ""}, "no_digest"),
        ({"sha256": "abc"}, "bad_package"),
        ({"file": "../x.deb"}, "bad_package"),
    ):
        result, _run = call(stage, cores()[-1], {"packages": [{**item, **change}]}, *mode)
        assert result["failed"] and result["code"] == code and result["remedy"], result
    for args in ({"packages": [item], "stat": "present"}, {"state": "gone"}, {"packages": [{**item, "digest": "x"}]}):
        assert call(stage, cores()[-1], args, *mode)[0]["code"] == "bad_option"
    assert ours(stage) == stock


def test_wrong_bytes_and_lost_files(stage: Stage, mirror: tuple[Path, str]) -> None:
    item = package(mirror)
    stock = ours(stage)
    gone = {**item, "url": mirror[1] + "/gone.deb"}
    for change, code, told in (
        ({**item, "sha256": "0" * 64}, "digest_mismatch", item["sha256"]),
        ({**item, "size": item["size"] + 1}, "package_truncated", str(item["size"] + 1)),
        (gone, "package_unavailable", gone["url"]),
    ):
        result, _run = call(stage, cores()[-1], {"packages": [change]})
        assert result["failed"] and result["code"] == code and told in result["msg"], result
    assert ours(stage) == stock


def test_no_space_in_boot(stage: Stage, mirror: tuple[Path, str]) -> None:
    item = package(mirror)
    stage.sh("mount -t tmpfs -o size=512k none /boot; echo running >/boot/vmlinuz-$(uname -r)")
    result, _run = call(stage, cores()[-1], {"packages": [item]})
    assert result["failed"] and result["code"] == "boot_full" and "KiB free" in result["msg"]
    assert stage.sh("ls /boot").split() == [f"vmlinuz-{os.uname().release}"]
    assert NAME not in stage.sh("cat /var/lib/dpkg/status")


def test_pushed_from_the_controller(stage: Stage, mirror: tuple[Path, str], core: str) -> None:
    """Air-gapped: no address is asked, the digest is compared on both sides, and nothing stays behind."""
    item = {**package(mirror), "url": "http://192.0.2.1:9/" + f"{NAME}_1.0_all.deb"}
    stock = ours(stage)
    folder = stage.base.parent / "pushed"
    folder.mkdir()
    push = {"packages": [item], "push_from": str(folder)}
    refused, _run = call(stage, core, push)
    assert (
        refused["code"] == "package_unavailable"
        and str(folder / item["file"]) in refused["msg"]
        and "controller" in refused["msg"]
    )
    (folder / item["file"]).write_bytes(b"something else")
    refused, _run = call(stage, core, push)
    assert refused["code"] == "digest_mismatch" and item["sha256"] in refused["msg"]
    assert call(stage, core, {"packages": [{**item, "sha256": ""}], "push_from": str(folder)})[0]["code"] == "no_digest"
    assert ours(stage) == stock
    (folder / item["file"]).write_bytes((mirror[0] / item["file"]).read_bytes())
    assert call(stage, core, push, "--check")[0]["changed"] and ours(stage) == stock
    staged, run = call(stage, core, {**push, "state": "staged"})
    assert staged["after"]["cached"] == [item["file"]] and staged["signatures"] == {item["file"]: "none"}, run.output
    done, run = call(stage, core, push)
    assert done["after"]["installed"] == {NAME: "1.0"}, run.output
    assert not call(stage, core, push)[0]["changed"]
    assert stage.sh(f"find ~/.ansible/tmp -name '{item['file']}'") == ""
    call(stage, core, {"state": "absent"})
    assert ours(stage) == stock


def test_packages_that_others_need_by_now_stay(stage: Stage) -> None:
    """With the real apt: what builds a module of the operator's depends on what was brought to build ours."""
    for name, needs in (("toa-test-tool", "dpkg"), ("toa-test-other", "toa-test-tool"), ("toa-test-alone", "dpkg")):
        fields = (
            f"Package: {name}\\nVersion: 1\\nArchitecture: all\\nMaintainer: x\\nDescription: x\\nDepends: {needs}\\n"
        )
        stage.sh(
            f"mkdir -p /run/{name}/DEBIAN && printf '{fields}' >/run/{name}/DEBIAN/control &&"
            f" dpkg-deb -b /run/{name} /run/{name}.deb && dpkg -i /run/{name}.deb"
        )
    record = {"module": "toa", "method": "plain", "packages": ["toa-test-alone", "toa-test-tool"]}
    state = json.dumps({"schema": 1, "source": record})
    stage.sh(f"mkdir -p /var/lib/realip-toa && printf '%s' '{state}' >/var/lib/realip-toa/state.json")
    program = bundle.build("programs.source").render({"check": False, "state": "absent"}, "stage", 300).decode()
    words = ["nsenter", "-t", str(stage.holder.pid), "-m", "python3", "-"]
    done = subprocess.run(words, input=program, capture_output=True, text=True, check=True)
    assert '"failed"' not in done.stdout and "toa-test-tool stays" in done.stdout, done.stdout + done.stderr
    installed = stage.sh("dpkg-query -W -f '${Package} ${db:Status-Abbrev}\\n' 'toa-test-*' || true")
    assert "toa-test-tool ii" in installed and "toa-test-other ii" in installed and "toa-test-alone ii" not in installed
