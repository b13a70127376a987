# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""toa_source with the distribution's own headers, compiler and DKMS: the lab's module is built for Debian's kernel, into a file system of the test's own.

The kernel that it is for is not the one that runs here, so nothing is loaded; the molecule scenario source_module does that.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.module_utils.building import make as source_make
from ansible_collections.realip.toa.plugins.module_utils.building import module as source_module
from ansible_collections.realip.toa.plugins.module_utils.building import module_host
from ansible_collections.realip.toa.plugins.module_utils.building import tools as build_tools
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.programs import source
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import archive as source_archive
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import signature

ROOT = Path(__file__).resolve().parents[2]
HEADERS = sorted(Path("/usr/src").glob("linux-headers-*-amd64"))[-1]
RELEASE = HEADERS.name.removeprefix("linux-headers-")
MODULE = f"lib/modules/{RELEASE}/updates/toa.ko"
VENDORS_CONF = 'PACKAGE_NAME="toa"\nPACKAGE_VERSION="1.0.0"\nBUILT_MODULE_NAME[0]="toa"\nDEST_MODULE_LOCATION[0]="/extra"\nREMAKE_INITRD="no"\n'
OVERFLOW = "\nint toa_too_much(void) { return toa_unknown; }\n"


class Stage:
    """A root of the test's own with the real headers, and a copy of the lab's source."""

    def __init__(self, folder: Path) -> None:
        self.root, self.source = folder / "root", folder / "source"
        for name in ("run", "proc/net", f"lib/modules/{RELEASE}", "usr/src", "var/lib/dkms"):
            (self.root / name).mkdir(parents=True)
        (self.root / f"lib/modules/{RELEASE}/build").symlink_to(HEADERS)
        shutil.copytree(ROOT / "lab" / "module", self.source)

    def args(self, **more: t.Any) -> dict[str, t.Any]:
        archive = source_archive.take(str(self.source))
        named = {"url": "toa", "sha256": archive.sha256, "archive": base64.b64encode(archive.data).decode()}
        return {
            "root": str(self.root),
            "running": RELEASE,
            "state": "present",
            "module": "toa",
            "source": named,
            "method": "plain",
            "check": False,
            **more,
        }

    def run(self, **more: t.Any) -> dict[str, t.Any]:
        answer: dict[str, t.Any] = source.main(self.args(**more))
        return answer

    def refused(self, code: str, **more: t.Any) -> str:
        """The message and the remedy with which a run is refused; the host is as it was."""
        before = self.files()
        with pytest.raises(TargetError) as caught:
            self.run(**more)
        assert caught.value.code == code, caught.value.message
        assert self.files() == before
        return f"{caught.value.message} | {caught.value.remedy}"

    def files(self) -> dict[str, bytes]:
        """Everything that is there but what depmod makes, and the lock."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and not path.is_symlink() and not path.name.startswith("modules.") and path.name != "lock"
        }

    def modinfo(self, field: str) -> str:
        return subprocess.run(
            ["modinfo", "-F", field, self.root / MODULE], capture_output=True, text=True, check=True
        ).stdout.strip()


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_plain(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stage.run(check=True)["changed"] and stage.files() == {}
    first = stage.run()
    assert first["changed"] and first["after"]["file"] == f"/{MODULE}" and first["after"]["method"] == "plain"
    assert stage.modinfo("vermagic").split()[0] == RELEASE
    assert "updates/toa.ko:" in (stage.root / f"lib/modules/{RELEASE}/modules.dep").read_text()
    assert not list((stage.root / "var/lib/realip-toa").glob("build-*"))

    for part in (source_make, module_host):
        monkeypatch.setattr(part, "run", lambda *words, **more: pytest.fail(f"a second run runs {words}"))
    assert not stage.run()["changed"] and not stage.run(check=True)["changed"]
    monkeypatch.undo()

    (stage.source / "toa.c").write_text((stage.source / "toa.c").read_text().replace("toa loaded", "toa is loaded"))
    assert stage.run()["changed"] and b"toa is loaded" in (stage.root / MODULE).read_bytes()

    assert stage.run(state="absent", check=True)["changed"]
    assert stage.run(state="absent")["changed"] and stage.files() == {}
    assert not stage.run(state="absent")["changed"]


def test_a_build_that_fails_shows_the_compilers_first_error_and_changes_nothing(stage: Stage) -> None:
    stage.run()
    with open(stage.source / "toa.c", "a") as code:
        code.write(OVERFLOW)
    for method in ("plain", "dkms"):
        said = stage.refused("build_failed", method=method)
        assert "toa.c:" in said and "toa_unknown" in said and str(stage.root) not in said
    assert (
        "realip-toa"
        not in subprocess.run(
            ["dkms", "status", "--dkmstree", stage.root / "var/lib/dkms"], capture_output=True, text=True, check=True
        ).stdout
    )


def test_what_a_vendor_left_in_his_repository_is_not_taken(stage: Stage) -> None:
    (stage.source / "toa.ko").write_bytes(b"vermagic=" + RELEASE.encode() + b" \0")
    (stage.source / "Makefile").write_text("obj-m += other.o\n")
    (stage.source / "toa.c").rename(stage.source / "other.c")
    assert "it made other.ko, and no toa.ko" in stage.refused("build_failed")


def test_headers(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    _link(stage, "6.1.0-1-amd64")
    said = stage.refused("headers_mismatch", running="6.1.0-1-amd64")
    assert RELEASE in said and "6.1.0-1-amd64" in said
    assert "linux-headers-6.1.0-2-amd64" in stage.refused("headers_missing", running="6.1.0-2-amd64")
    monkeypatch.setattr(build_tools, "which", lambda name: None)
    assert "there is no make and no C compiler on this host" in stage.refused("compiler_missing")


def _link(stage: Stage, release: str) -> None:
    """What a recipe in the field does: another kernel's headers under this one's name."""
    (stage.root / "lib/modules" / release).mkdir()
    (stage.root / "lib/modules" / release / "build").symlink_to(HEADERS)


def test_a_kernel_that_takes_only_signed_modules(stage: Stage, tmp_path: Path) -> None:
    place = stage.root / "sys/module/module/parameters"
    place.mkdir(parents=True)
    (place / "sig_enforce").write_text("Y\n")
    assert "toa_source.signing_key" in stage.refused("secure_boot_unsigned")
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    words = [
        "openssl",
        "req",
        "-new",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-subj",
        "/CN=fleet modules",
        "-days",
        "2",
        "-keyout",
        key,
        "-out",
        certificate,
    ]
    subprocess.run(words, check=True, capture_output=True)
    stage.refused("not_built", signing_certificate=certificate.read_text())
    built = stage.run(state="built")
    assert MODULE not in stage.files() and built["signing_hash"] in ("sha256", "sha384", "sha512")
    module = base64.b64decode(built["built"])
    stage.refused("sign_failed", signing_certificate=certificate.read_text(), built=built["built"])
    signed = signature.signed(module, RELEASE, built["signing_hash"], key.read_bytes(), certificate.read_bytes())
    given = {"signing_certificate": certificate.read_text(), "built": base64.b64encode(signed).decode()}
    answer = stage.run(**given, method="auto")
    assert answer["after"]["method"] == "plain"
    assert stage.modinfo("signer") == "fleet modules" and (stage.root / MODULE).read_bytes() == signed
    assert not stage.run(**given, method="auto")["changed"]
    assert not [path for path, data in stage.files().items() if b"PRIVATE KEY" in data]


def test_twins_take_what_one_has_built(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = stage.run(state="built")
    assert not stage.files(), "what is built for others is not installed"
    stage.refused("other_architecture", state="built", arch="vax")
    twin = Stage(tmp_path / "twin")
    monkeypatch.setattr(source_module, "require_headers", lambda *words: pytest.fail("a twin needs no headers"))
    assert twin.run(built=built["built"])["changed"]
    assert (twin.root / MODULE).read_bytes() == base64.b64decode(built["built"])
    assert not twin.run(built=built["built"])["changed"]
    other = Stage(tmp_path / "other")
    assert RELEASE in other.refused("module_wrong_kernel", running="6.1.0-2-amd64", built=built["built"])


def test_no_space_left(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    place = stage.root / "var/lib/realip-toa"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755,size=256k", "tmpfs", place], check=True)
    try:
        assert "a build needs" in stage.refused("disk_full")
        # The room is there when it is looked for, and gone when the compiler wants it.
        monkeypatch.setattr(source_module, "ROOM", 0)
        assert "no space was left" in stage.refused("disk_full")
    finally:
        subprocess.run(["umount", place], check=True)


def test_dkms(stage: Stage) -> None:
    first = stage.run(method="auto")
    assert (
        first["after"]["method"] == "dkms" and first["after"]["file"] == f"/lib/modules/{RELEASE}/updates/dkms/toa.ko"
    )
    assert _dkms(stage).count(": installed") == 1
    assert not stage.run(method="auto")["changed"]

    # A source's own dkms.conf keeps what it says beside names and places.
    (stage.source / "dkms.conf").write_text(VENDORS_CONF)
    again = stage.run(method="auto", own_dkms=True)
    assert again["changed"] and _dkms(stage).count(": installed") == 1
    folder = next((stage.root / "usr/src").iterdir())
    assert (
        'REMAKE_INITRD="no"' in (folder / "dkms.conf").read_text()
        and folder.name == f"realip-toa-{again['after']['identity']}"
    )

    # From one way to the other, and away.
    assert stage.run(method="plain")["after"]["file"] == f"/{MODULE}" and ": installed" not in _dkms(stage)
    stage.run(state="absent")
    assert {path for path in stage.files() if "dkms_dbversion" not in path} == set()


def _dkms(stage: Stage) -> str:
    return subprocess.run(
        ["dkms", "status", "--dkmstree", stage.root / "var/lib/dkms"], capture_output=True, text=True, check=True
    ).stdout
