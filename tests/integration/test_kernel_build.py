# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps 1 to 9 of "Making a Kernel Package" with a real source rpm, rpmbuild, patch and diff; the kernel in it is a toy that is built in a second.

Its spec has the shape of Enterprise Linux 6's (tests/unit/samples/kernel-el.spec). Also the Debian way, and what goes wrong.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import time
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.packaging.download import digest_of
from ansible_collections.realip.toa.plugins.module_utils.programs import kernel_build

from tests import awx_jobs
from tests.newcomer import galaxy

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "tests" / "unit" / "samples" / "kernel-el.spec"
RELEASE = "2.6.32-220.23.1.el6.toa.x86_64"

# What the toy's make does: "compiles" what the configuration says, and fails as a compiler does where the sources say so.
MAKEFILE = """\
EXTRAVERSION =
KERNELRELEASE ?= 6.1.0$(EXTRAVERSION)
include .config
all:
	@if grep -n BROKEN net/ipv4/tcp.c; then echo "net/ipv4/tcp.c:3:1: error: BROKEN" >&2; exit 1; fi
	@echo "  CC      net/ipv4/tcp.o"; sleep $(or $(SLOW),0)
	@mkdir -p include/config && echo $(KERNELRELEASE) >include/config/kernel.release
	@cp net/ipv4/tcp.c vmlinuz
	@if [ "$(CONFIG_TOA)$(CONFIG_IPV6)" = my ]; then cp net/toa/toa.c toa.ko; fi
modules_install:
	mkdir -p $(INSTALL)/lib/modules/$(KERNELRELEASE)/kernel
	cp toa.ko $(INSTALL)/lib/modules/$(KERNELRELEASE)/kernel/
install:
	@if [ -n "$(FULL)" ]; then echo "cp: error writing vmlinuz: No space left on device" >&2; exit 1; fi
	mkdir -p $(INSTALL)/boot
	cp vmlinuz $(INSTALL)/boot/vmlinuz-$(KERNELRELEASE)
kernelrelease:
	@echo $(KERNELRELEASE)
olddefconfig:
	@sed -i /CONFIG_NOT_THERE/d .config
bindeb-pkg: all
	$(MAKE) INSTALL=deb modules_install install
	mkdir -p deb/DEBIAN
	printf '%s\\n' 'Package: linux-image-$(KERNELRELEASE)' 'Version: $(KDEB_PKGVERSION)' 'Architecture: amd64' >deb/DEBIAN/control
	printf '%s\\n' 'Maintainer: a <a@example.org>' 'Description: toy' >>deb/DEBIAN/control
	dpkg-deb --root-owner-group -b deb ../linux-image-$(KERNELRELEASE)_$(KDEB_PKGVERSION)_amd64.deb
"""
PATCH = """\
--- a/net/ipv4/tcp.c
+++ b/net/ipv4/tcp.c
@@ -1,3 +1,4 @@
 one
 two (fixed)
+toa
 three
--- /dev/null
+++ b/net/toa/toa.c
@@ -0,0 +1 @@
+the module
"""
HOTFIX = "--- a/net/ipv4/tcp.c\n+++ b/net/ipv4/tcp.c\n@@ -1,3 +1,3 @@\n one\n-two\n+two (fixed)\n three\n"
CONFIG = ["CONFIG_IPV6=y", "CONFIG_TOA=m"]


def named(name: str, text: str) -> dict[str, str]:
    """A patch as the controller sends it."""
    return {"name": name, "data": base64.b64encode(text.encode()).decode()}


def toy(folder: Path, code: str = "one\ntwo\nthree\n") -> Path:
    """A source tree with the parts of a kernel that a build looks at."""
    (folder / "net/ipv4").mkdir(parents=True)
    (folder / "net/ipv4/tcp.c").write_text(code)
    (folder / "Makefile").write_text(MAKEFILE)
    (folder / "Kconfig").write_text("")
    # Real ones lead to architectures that a distribution leaves out.
    (folder / "net/include").symlink_to("nowhere")
    return folder


def packed(folder: Path, path: Path) -> Path:
    with tarfile.open(path, "w:bz2") as archive:
        archive.add(folder, folder.name)
    return path


class BuildHost:
    """What a controller asks for, and asks again until it is done."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps: list[str] = []

    def args(self, source: Path, **more: t.Any) -> dict[str, t.Any]:
        patches = [named("toa.patch", PATCH)]
        return {
            "format": "rpm",
            "source": {"url": str(source), "sha256": digest_of(str(source))[0]},
            "patches": patches,
            "config": CONFIG,
            "arch": "x86_64",
            "work": str(self.folder / "work"),
            "room_kib": 1,
            "check": False,
            **more,
        }

    def run(self, source: Path, time_limit: float = 120, **more: t.Any) -> dict[str, t.Any]:
        deadline = time.monotonic() + time_limit
        while True:
            answer: dict[str, t.Any] = kernel_build.main(self.args(source, **more))
            self.steps.append(answer["step"])
            if answer["finished"]:
                return answer
            assert time.monotonic() < deadline, answer
            _wait_for_end(Path(answer["folder"]), deadline)


def _wait_for_end(folder: Path, deadline: float) -> None:
    """Until the step that runs has left its status."""
    while not (folder / "status").exists() and time.monotonic() < deadline:
        time.sleep(0.05)


@pytest.fixture
def host(tmp_path: Path) -> BuildHost:
    return BuildHost(tmp_path)


@pytest.fixture
def source_rpm(tmp_path: Path) -> Path:
    """A source rpm as a distribution publishes it."""
    top = tmp_path / "making"
    (top / "SOURCES").mkdir(parents=True)
    packed(toy(tmp_path / "linux-2.6.32-220.23.1.el6"), top / "SOURCES" / "linux-2.6.32-220.23.1.el6.tar.bz2")
    texts = {
        "hotfix.patch": HOTFIX,
        "linux-kernel-test.patch": "",
        "Makefile.config": "",
        "config-x86_64-generic": "CONFIG_IPV6=m\nCONFIG_NET=y\n",
        "config-x86_64-debug": "",
        "config-powerpc64-generic": "",
    }
    for name, text in texts.items():
        (top / "SOURCES" / name).write_text(text)
    words = ["rpmbuild", "-bs", "--target=x86_64", "--define", f"_topdir {top}", "--dbpath", str(top / "db"), str(SPEC)]
    subprocess.run(words, check=True, capture_output=True)
    return next((top / "SRPMS").iterdir())


def test_rpm(host: BuildHost, source_rpm: Path) -> None:
    answer = host.run(source_rpm, buildid=".toa")
    (built,) = answer["packages"]
    assert (built["file"], built["release"]) == (f"kernel-{RELEASE}.rpm", RELEASE)
    assert built["sha256"] == digest_of(built["path"])[0]
    work = Path(answer["folder"])
    config = (work / "SOURCES/config-x86_64-generic").read_text()
    assert "CONFIG_IPV6=y\n" in config and "CONFIG_TOA=m\n" in config and "CONFIG_IPV6=m" not in config
    patch = (work / "SOURCES/toa.patch").read_text()
    assert "net/toa/toa.c" in patch and ".config" not in patch
    contents = subprocess.run(["rpm", "-qpl", built["path"]], check=True, capture_output=True, text=True).stdout.split()
    assert contents == [
        f"/boot/vmlinuz-{RELEASE}",
        f"/lib/modules/{RELEASE}",
        f"/lib/modules/{RELEASE}/kernel",
        f"/lib/modules/{RELEASE}/kernel/toa.ko",
    ]
    assert {step[0] for step in host.steps} >= {"2", "3", "9"}, "the long steps are told while they run"

    # Again: nothing is built. Another request is another build.
    assert not kernel_build.main(host.args(source_rpm, buildid=".toa"))["changed"]
    assert kernel_build.main(host.args(source_rpm, buildid=".toa2", check=True))["number"] == 1


def test_a_controller_that_died_is_taken_up(host: BuildHost, source_rpm: Path) -> None:
    first = kernel_build.main(host.args(source_rpm))
    assert not first["finished"] and first["step"].startswith("2 ")
    again = host.run(source_rpm)
    log = (Path(again["folder"]) / "done").read_text().splitlines()
    assert [line[0] for line in log] == list("123456789")


def test_a_patch_that_does_not_apply_names_the_hunk(host: BuildHost, source_rpm: Path) -> None:
    wrong = [
        named("toa-el5.patch", PATCH.replace(" one\n two (fixed)", " eleven\n twelve").replace(" three", " thirteen"))
    ]
    with pytest.raises(TargetError) as caught:
        host.run(source_rpm, patches=wrong)
    assert caught.value.code == "patch_failed"
    assert (
        "toa-el5.patch" in caught.value.message
        and "net/ipv4/tcp.c" in caught.value.message
        and "Hunk #1 FAILED at 1" in caught.value.message
    )


def test_a_compiler_error_is_shown_and_nothing_is_published(host: BuildHost, source_rpm: Path) -> None:
    broken = [named("toa.patch", PATCH.replace("+toa\n", "+BROKEN\n"))]
    with pytest.raises(TargetError) as caught:
        host.run(source_rpm, patches=broken)
    assert (caught.value.code, "net/ipv4/tcp.c:3:1: error: BROKEN" in caught.value.message) == ("build_failed", True)
    assert not list((host.folder / "work").glob("*/RPMS/*/*.rpm"))


@pytest.mark.parametrize("name, said", [("work.tar", "this is no source tree of a kernel"), ("text.tar", "decompress")])
def test_what_is_no_kernel(host: BuildHost, tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "other").mkdir()
    path = packed(tmp_path / "other", tmp_path / name)
    if name == "text.tar":
        path.write_text("<html>")
    with pytest.raises(TargetError) as caught:
        host.run(path, format="deb")
    assert said in caught.value.message


def test_deb(host: BuildHost, tmp_path: Path) -> None:
    tree = toy(tmp_path / "linux-6.1", "one\ntwo (fixed)\nthree\n")
    (tree / ".config").write_text("CONFIG_IPV6=m\n")
    answer = host.run(packed(tree, tmp_path / "linux.tar"), format="deb", buildid=".toa", jobs=2)
    (built,) = answer["packages"]
    assert (built["file"], built["release"]) == ("linux-image-6.1.0.toa_1.0_amd64.deb", "6.1.0.toa")
    with pytest.raises(TargetError) as caught:
        host.run(packed(tree, tmp_path / "again.tar"), format="deb", config=[*CONFIG, "CONFIG_NOT_THERE=y"])
    assert caught.value.code == "config_refused" and "CONFIG_NOT_THERE=y" in caught.value.message


def test_room_is_looked_for_first(host: BuildHost, source_rpm: Path) -> None:
    with pytest.raises(TargetError) as caught:
        kernel_build.main(host.args(source_rpm, room_kib=shutil.disk_usage("/").free))
    assert caught.value.code == "disk_full"


def test_a_folder_where_nothing_can_be_run_is_refused_before_the_source_is_fetched(
    host: BuildHost, source_rpm: Path, tmp_path: Path
) -> None:
    place = tmp_path / "noexec"
    place.mkdir(mode=0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755,noexec", "tmpfs", place], check=True)
    try:
        with pytest.raises(TargetError) as caught:
            kernel_build.main(host.args(source_rpm, work=str(place / "work")))
    finally:
        subprocess.run(["umount", place], check=True)
    assert caught.value.code == "build_noexec"


def test_the_playbook_publishes_what_a_rollout_then_plans(source_rpm: Path, tmp_path: Path) -> None:
    """realip.toa.build_kernel on this machine, as a job of AWX: mirror, lock file and catalog are written, and toa_plan goes by them."""
    (tmp_path / "toa.patch").write_text(PATCH)
    # Tencent publishes a kernel with the name that the default gives this one, and a build does not take a vendor's name.
    release = RELEASE.replace(".toa.", ".built.")
    settings = {
        "toa_kernel": {
            "buildid": ".built",
            "source": str(source_rpm),
            "patches": [str(tmp_path / "toa.patch")],
            "work": str(tmp_path / "work"),
            "match": {"id": "centos", "major": 6, "arch": "x86_64"},
            "mirror_dir": str(tmp_path / "mirror"),
        },
        "ansible_python_interpreter": sys.executable,
        "toa_lockfile": str(tmp_path / "toa.lock.yml"),
        "toa_catalog_file": str(tmp_path / "toa.catalog.yml"),
        "toa_hosts": "builder",
    }
    words = [
        Path(sys.executable).with_name("ansible-playbook"),
        "-i",
        "builder,",
        "-c",
        "local",
        "-e",
        json.dumps(settings),
    ]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "PWD": str(tmp_path),
        "ANSIBLE_NOCOLOR": "1",
    }

    def play(name: str) -> str:
        done = subprocess.run(
            [*words, name],
            cwd=tmp_path,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    project = galaxy.exported(tmp_path / "project", without=("tests/", "lab/"))
    answers = awx_jobs.answers(awx_jobs.TEMPLATES["TOA build_kernel"], **settings)
    job = awx_jobs.launch(
        tmp_path / "jobs",
        project,
        "TOA build_kernel",
        {"all": {"hosts": {"builder": {"ansible_connection": "local"}}}},
        **answers,
    )
    job.check()
    assert job.status == "successful"
    assert re.search(r"builder: step \d of 9: \d ", job.log), job.log
    assert (tmp_path / f"mirror/kernel-{release}.rpm").exists()
    assert (
        yaml.safe_load((tmp_path / "toa.lock.yml").read_text())["packages"][0]["sha256"]
        == digest_of(str(tmp_path / f"mirror/kernel-{release}.rpm"))[0]
    )
    assert yaml.safe_load((tmp_path / "toa.catalog.yml").read_text())[0]["release"] == release
    assert "changed=0" in play("realip.toa.build_kernel")

    (tmp_path / "plan.yml").write_text(
        yaml.safe_dump(
            [
                {
                    "hosts": "builder",
                    "gather_facts": False,
                    "tasks": [
                        {
                            "realip.toa.toa_plan": {
                                "assume": {
                                    "os_release": "CentOS release 6.10 (Final)",
                                    "kernel": "2.6.32-754.35.1.el6.x86_64",
                                },
                                "backends": ["source_kernel"],
                                "trusted_sources": "all",
                                "package_mirror": "http://mirror.example.org",
                                "accept": ["kernel_downgrade"],
                            },
                            "register": "looked",
                        },
                        {
                            "ansible.builtin.assert": {
                                "that": [
                                    "looked.plan.state == 'pending'",
                                    f"looked.plan.kernel_target == '{release}'",
                                    f"looked.plan.packages[0].url == 'http://mirror.example.org/kernel-{release}.rpm'",
                                ]
                            }
                        },
                    ],
                }
            ]
        )
    )
    play("plan.yml")


# ---- compiled on the host that is to run it, into a root of the test's own


@pytest.fixture
def own(host: BuildHost, tmp_path: Path) -> tuple[Path, Path, dict[str, t.Any]]:
    """A root with the hooks of a Debian, the archive of a tree, and what is asked for."""
    root = tmp_path / "root"
    (root / "etc/kernel/postrm.d").mkdir(parents=True)
    (root / "run").mkdir()
    tree = toy(tmp_path / "linux-6.1", "one\ntwo (fixed)\nthree\n")
    (tree / ".config").write_text("CONFIG_IPV6=m\n")
    # Nothing of our own environment reaches the make of a build.
    (tree / "Makefile").write_text(f"INSTALL := {root}\nFULL = $(wildcard {root}/full)\n{MAKEFILE}")
    return (
        root,
        packed(tree, tmp_path / "linux.tar"),
        {"format": "tree", "buildid": ".toa", "release": "6.1.0.toa", "root": str(root)},
    )


def test_tree(host: BuildHost, own: tuple[Path, Path, dict[str, t.Any]]) -> None:
    root, archive, wish = own
    kernel = root / "boot/vmlinuz-6.1.0.toa"
    assert host.run(archive, **wish)["packages"][0]["release"] == "6.1.0.toa" and kernel.exists()
    assert {step[0] for step in host.steps} >= {"2", "5", "6", "7"}
    assert not kernel_build.main(host.args(archive, **wish))["changed"]

    away = {"state": "absent", "root": str(root)}
    assert kernel_build.main({**away, "check": True})["changed"] and kernel.exists()
    assert kernel_build.main(away) == {"changed": True, "before": {"release": "6.1.0.toa"}, "after": {"release": ""}}
    assert [path for path in root.rglob("*") if "6.1.0" in path.name or path.name == "state.json"] == []
    assert not (host.folder / "work").exists() and not kernel_build.main(away)["changed"]


def test_a_tree_that_calls_itself_something_else_is_not_compiled(
    host: BuildHost, own: tuple[Path, Path, dict[str, t.Any]]
) -> None:
    root, archive, wish = own
    with pytest.raises(TargetError) as caught:
        host.run(archive, **{**wish, "release": "6.1.192.toa"})
    assert (
        caught.value.code == "release_differs" and "6.1.0.toa" in caught.value.message and not (root / "boot").exists()
    )


def test_an_installation_that_breaks_off_leaves_nothing(
    host: BuildHost, own: tuple[Path, Path, dict[str, t.Any]]
) -> None:
    """The modules are there already when /boot turns out to be full. With room, the same call goes on from there."""
    root, archive, wish = own
    (root / "full").touch()
    with pytest.raises(TargetError) as caught:
        host.run(archive, **wish)
    assert caught.value.code == "disk_full"
    assert [path for path in root.rglob("*") if "6.1.0" in path.name or path.name == "state.json"] == []
    (root / "full").unlink()
    host.run(archive, **wish)
    assert (root / "boot/vmlinuz-6.1.0.toa").exists() and (root / "lib/modules/6.1.0.toa/kernel/toa.ko").exists()


def test_the_callers_environment_and_home_have_no_say(
    host: BuildHost, own: tuple[Path, Path, dict[str, t.Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sudo -E` and a careless sudo rule leave root with a user's variables, PATH and home."""
    root, archive, wish = own
    evil = tmp_path / "evil"
    evil.mkdir()
    (evil / "make").write_text(f'#!/bin/sh\ntouch {evil}/path\nexec /usr/bin/make "$@"\n')
    (evil / "make").chmod(0o755)
    monkeypatch.setenv("PATH", f"{evil}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(evil))
    monkeypatch.setenv("MAKEFLAGS", "CONFIG_IPV6=n")
    monkeypatch.setenv("KERNELRELEASE", "6.6.6-evil")
    monkeypatch.setenv("SLOW", "600")
    assert host.run(archive, time_limit=60, **wish)["packages"][0]["release"] == "6.1.0.toa"
    assert not (evil / "path").exists() and not (root / "boot/vmlinuz-6.6.6-evil").exists()


def test_macros_of_the_callers_home_have_no_say(
    host: BuildHost, source_rpm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".rpmmacros").write_text(
        f"%__patch %(touch {tmp_path}/ran; echo patch)\n%dist .%(touch {tmp_path}/ran)\n%_topdir {tmp_path}\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    host.run(source_rpm, buildid=".toa")
    assert not (tmp_path / "ran").exists()
