# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources on the controller, descriptions of trees, and one build for many hosts."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.action import toa_source
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import TOA_MODULES
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import archive as source_archive
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import store as source_store
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import trees as source_trees
from ansible_collections.realip.toa.plugins.plugin_utils.source_code.archive import SourceError

ROOT = Path(__file__).resolve().parents[4]


# ---- trees


def test_every_known_tree_makes_a_module_that_the_collection_knows():
    assert {"ucloud", "dpvs", "huawei", "alibaba-cdn", "ip_vs_ca"} <= set(source_trees.known())
    for tree in source_trees.known().values():
        assert tree.module in TOA_MODULES
        assert tree.key == source_trees.DEFAULT or (tree.repository and tree.option_kinds)


def test_nothing_said_is_a_plain_tree():
    assert source_trees.find("") == source_trees.find(None) == source_trees.known()["plain"]
    own = source_trees.find(
        {
            "module": "tcp-toa",
            "subdirectory": "src/",
            "variables": {"CONFIG_TOA": "m"},
            "dkms": True,
            "option_kinds": ["28/7"],
        }
    )
    assert (own.module, own.subdirectory, own.variables, own.dkms, own.option_kinds) == (
        "tcp_toa",
        "src",
        {"CONFIG_TOA": "m"},
        True,
        ("28/7",),
    )


# ---- archives


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "toa"
    (made / "src").mkdir(parents=True)
    (made / "src" / "toa.c").write_text("code")
    (made / "Makefile").write_text("obj-m += toa.o\n")
    return made


def names(archive):
    with tarfile.open(fileobj=io.BytesIO(archive.data)) as packed:
        return {member.name: packed.extractfile(member).read() for member in packed if member.isfile()}


def test_a_directory(folder, tmp_path):
    first = source_archive.take(str(folder))
    assert names(first) == {"source/Makefile": b"obj-m += toa.o\n", "source/src/toa.c": b"code"}
    for leftover in ("toa.ko", "src/toa.o", "src/.toa.o.cmd", "Module.symvers", "modules.order"):
        (folder / leftover).write_text("old")
    (folder / ".git").mkdir()
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert source_archive.take(str(copy)) == first, "equal contents, equal bytes"
    (copy / "src" / "toa.c").write_text("other")
    assert source_archive.take(str(copy)).sha256 != first.sha256


def test_what_links_point_at_stands_in_their_place():
    packed = names(source_archive.take(str(ROOT / "lab" / "module")))
    assert packed["source/toa.c"] == (ROOT / "lab/kernel/toa/toa.c").read_bytes()


def test_a_relative_path_is_looked_for_where_the_operator_may_mean_it(folder, tmp_path):
    assert source_archive.take("toa", bases=[tmp_path / "nowhere", tmp_path]) == source_archive.take(str(folder))


def test_an_archive_and_its_digest(tmp_path):
    path = tmp_path / "toa.tar.gz"
    path.write_bytes(b"anything")
    digest = hashlib.sha256(b"anything").hexdigest()
    assert source_archive.take(str(path), sha256=digest.upper()).data == b"anything"
    with pytest.raises(SourceError, match=r"is not what was reviewed: expected sha256 0+, got " + digest):
        source_archive.take(str(path), sha256="0" * 64)


def test_what_is_no_source(tmp_path):
    (tmp_path / "toa.rar").write_text("x")
    for url in ("toa.rar", "missing"):
        with pytest.raises(SourceError, match="neither a directory nor an archive"):
            source_archive.take(url, bases=[tmp_path])
    big = tmp_path / "big.tar"
    big.write_bytes(bytes(source_archive.LIMIT + 1))
    with pytest.raises(SourceError, match="put it on a web server"):
        source_archive.take(str(big))


@pytest.fixture
def repository(folder):
    def git(*words):
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", "-C", folder, *identity, *words], check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "one")
    first = git("rev-parse", "HEAD")
    (folder / "src" / "toa.c").write_text("second")
    git("commit", "-q", "-a", "-m", "two")
    return folder, first


def test_a_commit(repository):
    folder, first = repository
    archive = source_archive.take(str(folder), first)
    assert names(archive)["source/src/toa.c"] == b"code"
    assert source_archive.take(f"file://{folder}", first) == archive
    with pytest.raises(SourceError, match="full name of a commit"):
        source_archive.take(str(folder), "master")
    with pytest.raises(SourceError, match="^git "):
        source_archive.take(str(folder), "0" * 40)


def test_a_commit_is_asked_for_once(repository, tmp_path, monkeypatch):
    folder, first = repository
    taken = source_store.archive(str(folder), first, "", [], tmp_path / "store")
    monkeypatch.setattr(source_archive, "take", lambda *words: pytest.fail("it is in the store"))
    assert source_store.archive(str(folder), first, taken.sha256, [], tmp_path / "store") == taken


# ---- built once


class Fleet:
    """Hosts with equal kernels, each asked by a worker of its own."""

    def __init__(self, folder, store, monkeypatch):
        self.store, self.source, self.builds, self.taken = store, str(folder), [], []
        self.fail_first = False
        self.lock = threading.Lock()
        monkeypatch.setattr(
            toa_source.ActionModule,
            "call",
            lambda action, args, task_vars, **more: self.answer(args, task_vars["inventory_hostname"]),
        )

    def run(self, host, kernel="6.1"):
        action = toa_source.ActionModule.__new__(toa_source.ActionModule)
        self.kernel = kernel
        args = {
            "what": "module",
            "state": "present",
            "check": False,
            "url": self.source,
            "sha256": None,
            "commit": None,
            "tree": None,
            "method": "auto",
            "install_tools": True,
            "build_once": True,
            "store": str(self.store),
            "signing_key": None,
            "signing_certificate": None,
            "accept_unverified": False,
            "timeout": 9,
        }
        return action.act(args, {"inventory_hostname": host})

    def answer(self, args, host):
        if args["state"] == "status":
            return {"key": {"release": self.kernel, "arch": "x86_64", "version": "#1"}}
        if args.get("built"):
            self.taken.append(host)
            assert (
                base64.b64decode(args["built"]) == b"module of " + self.builds[-1].encode()
                and not args["source"]["archive"]
            )
            return {"changed": True, "after": {}}
        assert args["return_module"] and args["method"] == "plain"
        with self.lock:
            self.builds.append(host)
            if self.fail_first and len(self.builds) == 1:
                return {"failed": True, "code": "build_failed", "msg": "x"}
        data = b"module of " + host.encode()
        return {
            "changed": True,
            "after": {},
            "built": base64.b64encode(data).decode(),
            "built_sha256": hashlib.sha256(data).hexdigest(),
        }


@pytest.fixture
def fleet(folder, tmp_path, monkeypatch):
    return Fleet(folder, tmp_path / "store", monkeypatch)


def test_one_builds_and_the_others_take_it(fleet):
    answers = {}
    workers = [
        threading.Thread(target=lambda name=name: answers.update({name: fleet.run(name)}))
        for name in ("a", "b", "c", "d")
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(fleet.builds) == 1 and len(fleet.taken) == 3
    assert sorted(answer["taken"] for answer in answers.values()) == [False, True, True, True]
    assert not any("built" in answer or "key" in answer for answer in answers.values())
    assert fleet.run("e", kernel="6.2")["taken"] is False, "another kernel is another module"


def test_when_the_first_one_fails_the_next_one_builds(fleet):
    fleet.fail_first = True
    assert fleet.run("a")["failed"] and fleet.run("b")["taken"] is False and fleet.run("c")["taken"] is True
    assert fleet.builds == ["a", "b"]


def test_a_module_that_does_not_have_its_digest_is_not_kept(fleet, tmp_path):
    place = tmp_path / "toa-x.ko"
    source_store.keep(place, {"built": base64.b64encode(b"x").decode(), "built_sha256": "0" * 64}, "a")
    source_store.keep(place, {"built": "no base64!", "built_sha256": ""}, "a")
    assert not place.exists()


# ---- options


def test_keys_are_pem_files_of_the_controller(tmp_path):
    (tmp_path / "key").write_text("-----BEGIN PRIVATE KEY-----\n")
    assert toa_source._secret(str(tmp_path / "key")).startswith("-----BEGIN") and toa_source._secret(None) == ""
    (tmp_path / "der").write_bytes(b"\x30\x82")
    for name, said in (("missing", "cannot be read"), ("der", "no key or certificate in PEM form")):
        with pytest.raises(toa_source.ToaError, match=said):
            toa_source._secret(str(tmp_path / name))


def test_a_url_without_digest_needs_consent():
    action = toa_source.ActionModule.__new__(toa_source.ActionModule)
    args = {
        "url": "https://example.org/toa.tar.gz",
        "sha256": None,
        "commit": None,
        "accept_unverified": False,
        "store": "/nowhere",
    }
    with pytest.raises(toa_source.ToaError, match="no SHA-256"):
        action._source(args, {})
    assert action._source({**args, "accept_unverified": True}, {})["url"] == args["url"]


# ---- a git that would ask, or that never ends


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Puts a script in the place of git; it finds its folder in $HERE."""

    def install(script):
        path = tmp_path / "bin" / "git"
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\nHERE={tmp_path}\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:{os.environ['PATH']}")

    return install


def test_git_is_told_to_ask_nobody(stand_in, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "1")
    monkeypatch.setenv("GIT_ASKPASS", "/usr/bin/ask")
    stand_in(
        'echo "$GIT_TERMINAL_PROMPT [$GIT_ASKPASS] $GIT_SSH_COMMAND" >$HERE/told; ps -o sid= -p $$ >$HERE/sid; exit 1'
    )
    with pytest.raises(SourceError):
        source_archive.take("https://git.example.org/toa.git", "0" * 40)
    assert (tmp_path / "told").read_text() == "0 [] ssh -o BatchMode=yes\n"
    assert int((tmp_path / "sid").read_text()) != os.getsid(0), "it has a terminal to ask on"


def test_a_git_that_does_not_end_is_ended_with_its_helpers(stand_in, tmp_path, monkeypatch):
    """git itself is killed soon; a helper of it that waits for a server holds on to its output."""
    monkeypatch.setattr(source_archive, "PATIENCE", 1)
    stand_in("sleep 300 &\necho $! >$HERE/helper; sleep 300")
    began = time.monotonic()
    with pytest.raises(SourceError, match="did not end within 1 seconds"):
        source_archive.take("https://git.example.org/toa.git", "0" * 40)
    assert time.monotonic() - began < 60
    helper = Path("/proc") / (tmp_path / "helper").read_text().strip() / "stat"
    for _ in range(1000):
        if not helper.exists() or helper.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            break
        time.sleep(0.01)
    else:
        pytest.fail("the helper lives")


@pytest.mark.parametrize(
    "check, changes, sent", [(True, True, 0), (True, False, 0), (False, False, 0), (False, True, 1)]
)
def test_a_signing_key_is_sent_only_where_a_module_is_signed(folder, tmp_path, monkeypatch, check, changes, sent):
    """Not in check mode, and not to a host that has its module."""
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    key.write_text("-----BEGIN PRIVATE KEY-----\nSECRET\n")
    certificate.write_text("-----BEGIN CERTIFICATE-----\n")
    calls = []

    def call(_action, args, _variables, **_more):
        calls.append(args)
        return {"changed": changes, "after": {}}

    monkeypatch.setattr(toa_source.ActionModule, "call", call)
    args = {
        **{
            "what": "module",
            "state": "present",
            "check": check,
            "url": str(folder),
            "sha256": None,
            "commit": None,
            "tree": None,
        },
        **{
            "method": "plain",
            "install_tools": True,
            "build_once": False,
            "store": str(tmp_path),
            "accept_unverified": False,
        },
        **{"timeout": 9, "signing_key": str(key), "signing_certificate": str(certificate)},
    }
    assert toa_source.ActionModule.__new__(toa_source.ActionModule).act(args, {})["changed"] is changes
    assert len([args for args in calls if "SECRET" in str(args)]) == sent
    assert all(args["signing_key"] for args in calls)
