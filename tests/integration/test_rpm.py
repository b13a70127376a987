# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""packages.py with a real rpm, a real dnf and real packages, on hosts that are directories; nothing of this machine is touched."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.programs import package as packages
from rpm_tools import MACROS, RELEASE, RUNNING, build, item, kernel, kernel_set, make_root, repository, rpm

IDENTITY = "kernel-" + RELEASE


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".rpmmacros").write_text(MACROS)
    monkeypatch.setenv("HOME", str(home))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "built").mkdir()
    return make_root(tmp_path / "root", tmp_path / "built")


def call(
    root: Path, items: list[dict[str, t.Any]], state: str = "present", check: bool = False, **more: t.Any
) -> dict[str, t.Any]:
    args = {
        "packages": items,
        "state": state,
        "check": check,
        "root": str(root),
        "running": RUNNING,
        "lock_timeout": 1,
        "accept_downgrade": True,
    }
    return packages.main({**args, **more})


def tree(root: Path) -> dict[str, bytes | None]:
    """Everything on the host but rpm's and dnf's own bookkeeping, our lock and our cache."""
    ignored = ("var/lib/rpm", "var/lib/dnf", "var/log", "var/cache", "run/realip-toa")
    found = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if not name.startswith(ignored):
            found[name] = path.read_bytes() if path.is_file() and not path.is_symlink() else None
    return found


def installed(root: Path) -> list[str]:
    return sorted(rpm(root, "-qa").split())


def refused(root: Path, items: list[dict[str, t.Any]], state: str = "present", **more: t.Any) -> TargetError:
    """The TargetError of a call that left the host as it was."""
    before, known = tree(root), installed(root)
    with pytest.raises(TargetError) as caught:
        call(root, items, state, **more)
    assert (tree(root), installed(root)) == (before, known)
    return caught.value


# -- kernels -----------------------------------------------------------------------------------------------------------


def test_a_life_of_a_kernel(root: Path, mirror: tuple[Path, str]) -> None:
    (root / "etc/dnf").mkdir()
    (root / "etc/dnf/dnf.conf").write_text("[main]\ngpgcheck=1\nexclude=php*\n\n[other]\nx=1\n")
    stock, known = tree(root), installed(root)
    wanted = item(kernel(mirror[0], scripts={"%post": f"echo made >/boot/initramfs-{RELEASE}.img"}), mirror[1])

    predicted = call(root, [wanted], check=True)
    assert tree(root) == stock
    done = call(root, [wanted])
    # Who has signed a package is in its bytes, which check mode does not fetch.
    assert set(done.pop("signatures").values()) == {"none"}
    assert done == predicted and done["after"]["installed"] == {IDENTITY: "3.10.0-693.el7.centos.toa"}
    assert installed(root) == sorted([*known, IDENTITY])
    assert (root / f"boot/vmlinuz-{RELEASE}").read_text().startswith("kernel")
    assert not call(root, [wanted])["changed"]

    held = call(root, [wanted], "held")
    assert held["changed"] and held["after"]["held"] == [IDENTITY]
    assert "\nexclude=php* kernel kernel-core kernel-modules*\n" in (root / "etc/dnf/dnf.conf").read_text()
    assert not call(root, [wanted], "held")["changed"]
    assert (
        call(root, [wanted], "unheld")["changed"]
        and (root / "etc/dnf/dnf.conf").read_bytes() == stock["etc/dnf/dnf.conf"]
    )
    call(root, [wanted], "held")

    (root / f"lib/modules/{RELEASE}/modules.dep").write_text("made by depmod")
    assert call(root, [], "absent", check=True)["changed"]
    gone = call(root, [], "absent")
    assert gone["changed"] and gone["after"] == {"installed": {}, "held": [], "cached": []}
    assert {name: text for name, text in tree(root).items() if name != "var/lib/realip-toa"} == stock
    assert installed(root) == known
    assert not call(root, [wanted], "absent")["changed"]


def test_a_set_is_held_as_a_whole_and_updates_still_work(root: Path, mirror: tuple[Path, str], tmp_path: Path) -> None:
    """`exclude=kernel-core` alone made an error of every `dnf upgrade` from Enterprise Linux 8 on, which has best=True."""
    stock, ours, newer = "4.18.0-1.el8.x86_64", "4.18.0-2.toa.el8.x86_64", "4.18.0-3.el8.x86_64"
    (tmp_path / "stock").mkdir()
    rpm(root, "-i", *kernel_set(tmp_path / "stock", stock))
    core, modules, _meta = kernel_set(mirror[0], ours)
    wanted = [item(core, mirror[1], ours), {**item(modules, mirror[1], ""), "role": "modules"}]
    call(root, wanted)
    assert (root / f"lib/modules/{ours}/kernel/drivers/kernel-modules.ko").exists()
    (tmp_path / "updates").mkdir()
    kernel_set(tmp_path / "updates", newer)
    build(tmp_path / "updates", "filesystem", "2", "1", {}, header="Provides: /bin/sh", arch="noarch")
    repository(tmp_path / "updates")
    (root / "etc/yum.repos.d").mkdir()
    (root / "etc/yum.repos.d/updates.repo").write_text(
        f"[updates]\nname=updates\nbaseurl=file://{tmp_path}/updates\ngpgcheck=0\n"
    )
    (root / "etc/dnf").mkdir()
    (root / "etc/dnf/dnf.conf").write_text("[main]\nplugins=0\nbest=True\ninstallonly_limit=3\n")

    def upgrade() -> tuple[bool, str]:
        command = ["dnf", "--installroot", str(root), "-c", str(root / "etc/dnf/dnf.conf"), "--releasever", "8", "--assumeno",
                   f"--setopt=reposdir={root}/etc/yum.repos.d", "upgrade"]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return "Error:" in done.stdout + done.stderr, done.stdout + done.stderr

    assert newer.removesuffix(".x86_64") in upgrade()[1], "without a hold a newer kernel would come"
    call(root, wanted, "held")
    failed, said = upgrade()
    assert not failed and "4.18.0-3" not in said and "filesystem" in said, said
    assert call(root, [], "unheld")["changed"] and "4.18.0-3" in upgrade()[1]
    assert not call(root, [], "unheld")["changed"]
    gone = call(root, [], "absent")
    assert (
        gone["after"]["installed"] == {}
        and not (root / f"lib/modules/{ours}").exists()
        and (root / f"boot/vmlinuz-{stock}").exists()
    )


def test_modules_of_another_kernel_are_refused(root: Path, mirror: tuple[Path, str]) -> None:
    ours, other = "4.18.0-2.toa.el8.x86_64", "4.18.0-9.toa.el8.x86_64"
    core, modules = kernel_set(mirror[0], ours)[0], kernel_set(mirror[0], other)[1]
    problem = refused(root, [item(core, mirror[1], ours), {**item(modules, mirror[1], ""), "role": "modules"}])
    assert problem.code == "package_mismatch" and ours in problem.message


def test_older_than_installed_needs_a_word(root: Path, mirror: tuple[Path, str]) -> None:
    wanted = item(kernel(mirror[0]), mirror[1])
    problem = refused(root, [wanted], accept_downgrade=False)
    assert problem.code == "downgrade_needs_consent" and RELEASE in problem.message and RUNNING in problem.message
    assert call(root, [wanted])["changed"] and f"kernel-{RUNNING}" in installed(root)


def test_a_newer_one_needs_none(root: Path, mirror: tuple[Path, str]) -> None:
    release = "3.10.0-1200.el7.toa.x86_64"
    assert call(root, [item(kernel(mirror[0], release), mirror[1], release)], accept_downgrade=False)["changed"]


def test_file_conflicts_are_named_beforehand(root: Path, mirror: tuple[Path, str], tmp_path: Path) -> None:
    paths = [f"/lib/firmware/f{number}.bin" for number in range(7)]
    rpm(root, "-i", build(tmp_path / "built", "kernel-firmware", "1", "1", dict.fromkeys(paths, "old"), arch="noarch"))
    wanted = item(kernel(mirror[0], more=dict.fromkeys(paths, "new")), mirror[1])
    problem = refused(root, [wanted])
    assert problem.code == "file_conflict" and problem.data["files"] == paths
    assert "kernel-firmware-1-1.noarch" in problem.message and "and 2 more" in problem.message
    assert refused(root, [wanted], check=True).code == "file_conflict"
    same = item(kernel(mirror[0], more=dict.fromkeys(paths, "old")), mirror[1])
    assert call(root, [same])["changed"]


def test_missing_dependencies_and_conflicts_are_not_run_over(root: Path, mirror: tuple[Path, str]) -> None:
    problem = refused(root, [item(kernel(mirror[0], header="Requires: linux-firmware >= 9"), mirror[1])])
    assert problem.code == "dependency_missing" and "linux-firmware >= 9" in problem.message
    problem = refused(root, [item(kernel(mirror[0], header="Conflicts: filesystem"), mirror[1])])
    assert problem.code == "package_conflict" and "filesystem" in problem.message


@pytest.mark.parametrize("script", ["%pre", "%post", "%posttrans"])
def test_a_script_that_fails_is_quoted_and_taken_back(root: Path, mirror: tuple[Path, str], script: str) -> None:
    problem = refused(
        root, [item(kernel(mirror[0], scripts={script: "echo grubby fails today >&2\nexit 3"}), mirror[1])]
    )
    assert problem.code == "install_failed" and "scriptlet failed, exit status 3" in problem.message


def test_what_cannot_be_taken_back_by_its_script_goes_without_it(root: Path, mirror: tuple[Path, str]) -> None:
    wanted = item(kernel(mirror[0], scripts={"%post": "exit 3", "%preun": "exit 4"}), mirror[1])
    assert refused(root, [wanted]).code == "install_failed"


def test_an_archive_that_breaks_in_the_middle_leaves_nothing(root: Path, mirror: tuple[Path, str]) -> None:
    """A folder where a file should go makes rpm stop when some files are unpacked already."""
    release = "3.10.0-700.el7.toa.x86_64"
    path = kernel(mirror[0], release, more={"/etc/late/file": "x"})
    (root / "etc/late/file/full").mkdir(parents=True)
    problem = refused(root, [item(path, mirror[1], release)])
    assert problem.code == "install_failed" and "unpacking" in problem.message


def test_an_interrupted_installation_is_swept_away(root: Path, mirror: tuple[Path, str]) -> None:
    """rpm that was killed knows nothing of what it has unpacked; our record does."""
    wanted = item(kernel(mirror[0]), mirror[1])
    call(root, [wanted])
    rpm(root, "-e", "--justdb", IDENTITY)
    (root / f"boot/vmlinuz-{RELEASE};5f00aa11").write_text("half")
    assert call(root, [wanted], check=True)["changed"]
    assert call(root, [], "absent")["changed"]
    assert not list(root.glob(f"boot/*{RELEASE}*")) and not (root / f"lib/modules/{RELEASE}").exists()
    assert not call(root, [], "absent")["changed"]


def test_missing_files_are_put_back(root: Path, mirror: tuple[Path, str]) -> None:
    wanted = item(kernel(mirror[0]), mirror[1])
    call(root, [wanted])
    (root / f"boot/vmlinuz-{RELEASE}").unlink()
    assert call(root, [wanted])["changed"] and (root / f"boot/vmlinuz-{RELEASE}").exists()


def test_the_running_kernel_is_neither_removed_nor_replaced(root: Path, mirror: tuple[Path, str]) -> None:
    assert refused(root, [{"name": "kernel-" + RUNNING, "format": "rpm"}], "absent").code == "running_kernel"
    assert refused(root, [item(kernel(mirror[0]), mirror[1])], running=RELEASE).code == "running_kernel"


def test_another_package_than_planned(root: Path, mirror: tuple[Path, str], tmp_path: Path) -> None:
    path = kernel(tmp_path / "built")
    other = mirror[0] / "kernel-3.10.0-694.el7.centos.toa.x86_64.rpm"
    other.write_bytes(path.read_bytes())
    problem = refused(root, [item(other, mirror[1])])
    assert problem.code == "package_mismatch" and IDENTITY in problem.message
    problem = refused(root, [item(kernel(mirror[0]), mirror[1], "3.10.0-1.x86_64")])
    assert problem.code == "package_mismatch" and "no /boot/vmlinuz-3.10.0-1.x86_64" in problem.message


@pytest.mark.parametrize("damage", ["head", "payload"])
def test_damaged_packages(root: Path, mirror: tuple[Path, str], damage: str) -> None:
    path = kernel(mirror[0])
    data = bytearray(path.read_bytes())
    data[0 if damage == "head" else -20] ^= 255
    path.write_bytes(bytes(data))
    assert refused(root, [item(path, mirror[1])]).code == "package_corrupt"


def test_another_architecture(root: Path, mirror: tuple[Path, str]) -> None:
    release = RELEASE.replace("x86_64", "aarch64")
    assert "aarch64" in refused(root, [item(kernel(mirror[0], release), mirror[1], release)]).message


def test_waits_for_the_database(root: Path, mirror: tuple[Path, str]) -> None:
    wanted = item(kernel(mirror[0]), mirror[1])
    call(root, [wanted], "staged")
    holder = "import fcntl, sys; lock = open(sys.argv[1], 'r+b'); fcntl.lockf(lock, fcntl.LOCK_EX); print('locked', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", holder, root / "var/lib/rpm/.rpm.lock"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None and child.stdout is not None and child.stdout.readline() == "locked\n"
        problem = refused(root, [wanted])
        child.stdin.close()
    assert problem.code == "package_lock_held" and f"pid {child.pid}" in problem.message
    assert call(root, [wanted])["changed"]


def test_waits_for_yum_between_its_transactions(root: Path, mirror: tuple[Path, str], tmp_path: Path) -> None:
    wanted = item(kernel(mirror[0]), mirror[1])
    script = tmp_path / "yum"
    script.write_text("import sys; sys.stdin.read()")
    with subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE) as child:
        (root / "var/run").mkdir()
        (root / "var/run/yum.pid").write_text(f"{child.pid}\n")
        problem = refused(root, [wanted])
        assert child.stdin is not None
        child.stdin.close()
    assert problem.code == "package_lock_held" and f"yum (pid {child.pid})" in problem.message
    assert call(root, [wanted])["changed"], "a pid file that was left behind is no lock"


# -- packages of a repository ------------------------------------------------------------------------------------------

VTOA = {"name": "vtoa", "repository": True}


@pytest.fixture
def repo(root: Path, tmp_path: Path) -> Path:
    """A repository of the host's own, with vtoa and what it needs; its scripts leave a trace."""
    folder = tmp_path / "repo"
    folder.mkdir()
    unit = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/sbin/modprobe vtoa\n"
    build(
        folder,
        "vtoa",
        "1.0",
        "1.al8",
        {"/usr/lib/systemd/system/vtoa.service": unit},
        {"%post": "touch /etc/vtoa-post"},
        "Requires: hookers",
    )
    build(folder, "hookers", "1.0", "1.al8", {"/etc/hookers.conf": "x"})
    repository(folder)
    (root / "etc/yum.repos.d").mkdir()
    (root / "etc/yum.repos.d/lab.repo").write_text(f"[lab]\nname=lab\nbaseurl=file://{folder}\ngpgcheck=0\n")
    (root / "etc/dnf").mkdir()
    (root / "etc/dnf/dnf.conf").write_text("[main]\nplugins=0\n")
    return folder


def test_a_package_of_a_repository(root: Path, repo: Path) -> None:
    stock, known = tree(root), installed(root)
    predicted = call(root, [VTOA], check=True)
    assert predicted["changed"] and tree(root) == stock
    done = call(root, [VTOA])
    assert done["changed"] and done["after"] == {"installed": {"vtoa": "1.0-1.al8"}, "held": [], "cached": []}
    assert {"vtoa-1.0-1.al8.x86_64", "hookers-1.0-1.al8.x86_64"} <= set(installed(root)) and (
        root / "etc/vtoa-post"
    ).exists()
    assert (
        json.loads((root / "var/lib/realip-toa/state.json").read_text())["packages"]["installed"]["vtoa"]["repository"]
        is True
    )
    assert not call(root, [VTOA])["changed"]

    (root / "etc/vtoa-post").unlink()
    assert call(root, [], "absent", check=True)["changed"]
    assert call(root, [], "absent")["after"]["installed"] == {}
    assert installed(root) == known
    left = {name: text for name, text in tree(root).items() if name != "var/lib/realip-toa"}
    assert not {name for name in left if name not in stock and not (root / name).is_dir()}
    assert not call(root, [VTOA], "absent")["changed"]


def test_a_package_that_no_repository_has(root: Path, repo: Path) -> None:
    problem = refused(root, [{"name": "nosuch", "repository": True}])
    assert problem.code == "package_unavailable" and "nosuch" in problem.message and "repolist" in problem.remedy


def test_a_repository_that_is_gone(root: Path, repo: Path) -> None:
    (root / "etc/yum.repos.d/lab.repo").write_text(
        "[lab]\nname=lab\nbaseurl=http://127.0.0.1:1/\nskip_if_unavailable=False\ngpgcheck=0\n"
    )
    assert refused(root, [VTOA]).code == "repository_unreachable"


def test_an_unsigned_package(root: Path, repo: Path) -> None:
    (root / "etc/yum.repos.d/lab.repo").write_text(f"[lab]\nname=lab\nbaseurl=file://{repo}\ngpgcheck=1\n")
    assert refused(root, [VTOA]).code == "package_unsigned"


def test_a_script_of_vtoa_that_fails(root: Path, repo: Path) -> None:
    build(repo, "vtoa", "1.1", "1.al8", {"/usr/lib/systemd/system/vtoa.service": "x"}, {"%post": "exit 5"})
    repository(repo)
    known = installed(root)
    with pytest.raises(TargetError) as caught:
        call(root, [VTOA])
    assert caught.value.code == "install_failed" and "exit status 5" in caught.value.message
    assert installed(root) == known


def test_what_others_need_stays(root: Path, repo: Path) -> None:
    call(root, [VTOA])
    problem = refused(root, [{"name": "hookers", "repository": True}], "absent")
    assert problem.code == "package_needed" and "vtoa" in problem.message


def test_both_kinds_in_one_task(root: Path, repo: Path, mirror: tuple[Path, str]) -> None:
    wanted = item(kernel(mirror[0]), mirror[1])
    known = installed(root)
    done = call(root, [wanted, VTOA])
    assert set(done["after"]["installed"]) == {IDENTITY, "vtoa"}
    assert call(root, [], "absent")["changed"] and installed(root) == known


def test_a_repository_and_a_file_at_once(root: Path) -> None:
    for more in ({"url": "http://127.0.0.1/vtoa-1-1.x86_64.rpm"}, {"sha256": "0" * 64}):
        assert refused(root, [{**VTOA, **more}]).code == "bad_package"


def sign(path: Path, home: Path) -> Path:
    """Sign an rpm with a key of its own; the public key's file."""
    home.mkdir(mode=0o700, exist_ok=True)
    gpg = ["gpg", "--homedir", home, "--batch", "--quiet"]
    if not (home / "public.asc").exists():
        subprocess.run(
            [*gpg, "--passphrase", "", "--quick-generate-key", "vendor@example.com", "rsa2048", "sign", "never"],
            check=True,
            capture_output=True,
        )
        subprocess.run([*gpg, "--armor", "--output", home / "public.asc", "--export"], check=True, capture_output=True)
    macros = [
        "--define",
        "_gpg_name vendor@example.com",
        "--define",
        f"_gpg_path {home}",
        "--define",
        f"__gpg {shutil.which('gpg')}",
    ]
    subprocess.run(["rpmsign", *macros, "--addsign", path], check=True, capture_output=True)
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
    return home / "public.asc"


def test_who_has_signed_is_said_and_a_wrong_signature_is_refused(
    root: Path, mirror: tuple[Path, str], tmp_path: Path
) -> None:
    folder, url = mirror
    path = kernel(folder)
    assert call(root, [item(path, url)], "staged")["signatures"] == {path.name: "none"}
    key = sign(path, tmp_path / "gnupg")
    (said,) = call(root, [item(path, url)], "staged")["signatures"].values()
    assert "RSA" in said and "Key ID" in said and said.endswith("its key is not installed here")
    shutil.copy(key, root / "tmp/key.asc")
    assert rpm(root, "--import", str(root / "tmp/key.asc")) == ""
    signed = path.read_bytes()
    # A signature begins like this (version 4, binary, RSA, SHA-256 or SHA-512); far behind that is the number that makes it one.
    places = [match.start() + 100 for match in re.finditer(b"\x04\x00\x01[\x08\x0a]", signed)]
    assert places
    forged = bytearray(signed)
    for place in places:
        forged[place] ^= 0xFF
    path.write_bytes(forged)
    with pytest.raises(TargetError) as problem:
        call(root, [item(path, url)])
    assert problem.value.code == "bad_signature" and "not that of its content" in problem.value.message
    assert IDENTITY not in rpm(root, "-qa")
    path.write_bytes(signed)
    (said,) = call(root, [item(path, url)])["signatures"].values()
    assert said.endswith("; verified"), said
