# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources on the controller, descriptions of trees, and one build for many hosts."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import threading
import time
import types
from pathlib import Path

import pytest
import yaml
from ansible_collections.realip.toa.plugins.action import toa_source
from ansible_collections.realip.toa.plugins.module_utils.host.signature import signers_of_module
from ansible_collections.realip.toa.plugins.module_utils.host.toa_modules import TOA_MODULES
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import archive as source_archive
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import signature
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import store as source_store
from ansible_collections.realip.toa.plugins.plugin_utils.source_code import trees as source_trees
from ansible_collections.realip.toa.plugins.plugin_utils.source_code.archive import SourceError

ROOT = Path(__file__).resolve().parents[4]
RECORDED = yaml.safe_load((ROOT / "tests/unit/vectors/source_trees.yml").read_text(encoding="utf-8"))


# ---- trees


def test_every_known_tree_makes_a_module_that_the_collection_knows():
    assert {"ucloud", "dpvs", "huawei", "alibaba-cdn"} <= set(source_trees.known())
    for tree in source_trees.known().values():
        assert tree.module in TOA_MODULES
        assert tree.key == source_trees.DEFAULT or (tree.repository and tree.option_kinds)


@pytest.mark.parametrize("key", sorted(set(source_trees.known()) - {source_trees.DEFAULT}))
def test_a_known_tree_is_what_its_repository_has(key):
    """The other half of a description: what lay in the vendor's repository at that commit, and what its Makefile makes there."""
    tree, recorded = source_trees.known()[key], RECORDED[key]
    (described,) = [item for item in yaml.safe_load(source_trees.DATA.read_bytes()) if item["key"] == key]
    assert re.fullmatch("[0-9a-f]{40}", described["commit"]) and described["commit"] == recorded["commit"]
    folder = f"{tree.subdirectory}/" if tree.subdirectory else ""
    assert f"{folder}Makefile" in recorded["files"]
    assert (f"{folder}dkms.conf" in recorded["files"]) == tree.dkms
    lines = "\n".join(recorded["makefile"])
    name = re.search(r"^MODULE_NAME := (\w+)$", lines, re.M)
    made = lines.replace("$(MODULE_NAME)", name[1]) if name else lines
    (when, objects) = re.search(r"^obj-(\S+) \+= (.*)$", made, re.M).groups()
    assert f"{tree.module}.o" in objects.split()
    # What it is made by is m, or a variable of make that has to be said.
    assert when == "m" or tree.variables == {when.strip("$()"): "m"}
    of = re.search(rf"^{tree.module}-objs := (.*)$", made, re.M)
    for source in of[1].split() if of else [f"{tree.module}.o"]:
        assert f"{folder}{source.removesuffix('.o')}.c" in recorded["files"]


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


@pytest.mark.parametrize(
    "wanted, words",
    [
        (
            {"modul": "toa"},
            "unknown key modul; expected some of module, subdirectory, variables, dkms, option_kinds; did you mean module?",
        ),
        ({"module": {"a": 1}}, "module is {'a': 1}; expected a text"),
        ({"module": "toa; reboot"}, "is not the name of a module"),
        ({"subdirectory": "../x"}, "is not a directory of the source"),
        ({"subdirectory": ["x"]}, "subdirectory is ['x']; expected a text"),
        ({"variables": "x"}, "variables is 'x'; expected a mapping"),
        ({"variables": {"a b": 1}}, "variables are those of make"),
        ({"dkms": "maybe"}, "dkms is 'maybe'; expected true or false"),
        ({"option_kinds": {"a": 1}}, "option_kinds is {'a': 1}; expected a list"),
        ({"option_kinds": ["2/8"]}, "option kind 2"),
        ("ucluod", "no source tree 'ucluod' is described"),
        (["x"], "is the name of a known tree or a description"),
    ],
)
def test_what_is_wrong_with_a_tree_is_named(wanted, words):
    with pytest.raises(source_trees.TreeError) as problem:
        source_trees.find(wanted)
    assert words in str(problem.value) and str(problem.value).startswith("toa_source.tree")


def test_what_a_tree_does_not_say_is_not_set():
    nothing = {"module": None, "subdirectory": "", "variables": None, "dkms": None, "option_kinds": None}
    assert source_trees.find(nothing) == source_trees.find({"dkms": False}) == source_trees.find({"module": "toa"})


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


def test_an_archive_in_the_store_is_looked_at_again(repository, tmp_path):
    folder, first = repository
    taken = source_store.archive(str(folder), first, "", [], tmp_path / "store")
    (place,) = (tmp_path / "store").glob("source-*.json")
    kept = json.loads(place.read_text())
    place.write_text(json.dumps({**kept, "data": base64.b64encode(b"something else").decode()}))
    assert source_store.archive(str(folder), first, "", [], tmp_path / "store") == taken


# ---- built by one host for many


KERNEL = {"release": "6.1.0-1-amd64", "arch": "x86_64", "version": "#1"}


class Fleet:
    """Hosts with equal kernels and their builder, each asked by a worker of its own."""

    def __init__(self, folder, store, monkeypatch):
        self.store, self.source, self.builds, self.taken, self.sent = store, str(folder), [], [], []
        self.kernel, self.refuse = KERNEL, False
        self.more = {}
        monkeypatch.setattr(
            toa_source.ActionModule,
            "call",
            lambda action, args, task_vars, **more: self.answer(
                args, action._task.delegate_to or task_vars["inventory_hostname"]
            ),
        )

    def run(self, host, state="present", check=False, delegate=None, **more):
        action = toa_source.ActionModule.__new__(toa_source.ActionModule)
        action._task = types.SimpleNamespace(delegate_to=delegate)
        args = {
            "what": "module",
            "state": state,
            "check": check,
            "url": self.source,
            "sha256": None,
            "commit": None,
            "tree": None,
            "method": "auto",
            "install_tools": True,
            "build_once": True,
            "builder": "builder",
            "kernel": self.kernel if state == "built" else None,
            "store": str(self.store),
            "signing_key": None,
            "signing_certificate": None,
            "accept_unverified": False,
            "timeout": 9,
        }
        return action.act({**args, **self.more, **more}, {"inventory_hostname": host})

    def answer(self, args, host):
        self.sent.append(args)
        if args["state"] == "status":
            return {"key": self.kernel}
        if args["state"] == "built":
            assert args["method"] == "plain" and not args["signing_certificate"]
            assert (args["running"], args["arch"]) == (self.kernel["release"], "x86_64")
            self.builds.append(host)
            if self.refuse:
                return {"failed": True, "code": "build_failed", "msg": "x"}
            data = b"module of " + host.encode()
            return {
                "changed": False,
                "built": base64.b64encode(data).decode(),
                "built_sha256": hashlib.sha256(data).hexdigest(),
                "signing_hash": "sha256",
            }
        assert args["elsewhere"]
        if args["check"]:
            return {"changed": host not in self.taken, "after": {}}
        assert args["built"] and not args["source"]["archive"]
        self.taken.append(host)
        self.given = base64.b64decode(args["built"])
        return {"changed": True, "after": {}}


@pytest.fixture
def fleet(folder, tmp_path, monkeypatch):
    return Fleet(folder, tmp_path / "store", monkeypatch)


def test_the_builder_builds_once_and_the_others_take_it(fleet):
    answers = {}

    def roll_out(name):
        fleet.run(name, "built", delegate="builder")
        answers[name] = fleet.run(name)

    workers = [threading.Thread(target=roll_out, args=(name,)) for name in ("a", "b", "c", "d")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert fleet.builds == ["builder"] and sorted(fleet.taken) == ["a", "b", "c", "d"]
    assert all(answer["taken"] for answer in answers.values())
    assert not any("built" in answer or "key" in answer for answer in answers.values())
    assert fleet.run("a")["changed"] is False and fleet.given == b"module of builder"
    fleet.kernel = {**KERNEL, "release": "6.2.0"}
    fleet.run("e", "built", delegate="builder")
    assert len(fleet.builds) == 2, "another kernel is another module"


def test_the_builder_itself_needs_nobody_to_build_first(fleet):
    assert fleet.run("builder")["changed"] and fleet.builds == ["builder"] and fleet.run("a")["taken"]


def test_check_mode_builds_nothing(fleet):
    assert fleet.run("a", "built", check=True, delegate="builder")["changed"]
    assert fleet.run("a", check=True)["changed"] and fleet.run("builder", check=True)["changed"]
    assert not fleet.builds and not fleet.taken and not list(fleet.store.glob("*.ko"))


@pytest.mark.parametrize(
    "state, more, code",
    [
        ("present", {"builder": ""}, "no_builder"),
        ("built", {"builder": ""}, "no_builder"),
        ("present", {"builder": "", "build_once": False, "signing_key": "/secrets/key"}, "no_builder"),
        ("present", {}, "not_built"),
        ("built", {}, "not_the_builder"),
        ("built", {"builder": "a", "kernel": {"release": "../../x", "arch": "x86_64"}}, "bad_option"),
        ("built", {"builder": "a", "kernel": {"release": "-y", "arch": "x86_64"}}, "bad_option"),
        ("built", {"builder": "a", "kernel": {"release": "6.1", "arch": "x86 64"}}, "bad_option"),
        ("built", {"builder": "a", "kernel": {"release": "6.1\n", "arch": "x86_64"}}, "bad_option"),
        ("built", {"builder": "a", "kernel": {}}, "bad_option"),
    ],
)
def test_nobody_builds_who_is_not_named(fleet, state, more, code):
    with pytest.raises(toa_source.ToaError) as caught:
        fleet.run("a", state, **more)
    assert (
        caught.value.result["code"] == code and caught.value.result["remedy"] and not fleet.builds and not fleet.taken
    )


def test_a_host_that_calls_its_kernel_something_else_orders_nothing_of_the_builder(fleet):
    fleet.kernel = {**KERNEL, "release": "x; rm -rf /"}
    with pytest.raises(toa_source.ToaError) as caught:
        fleet.run("builder")
    assert caught.value.result["code"] == "bad_option" and not fleet.builds


def test_a_build_that_fails_is_not_kept(fleet):
    fleet.refuse = True
    assert fleet.run("a", "built", delegate="builder")["code"] == "build_failed"
    fleet.refuse = False
    fleet.run("a", "built", delegate="builder")
    assert fleet.run("a")["taken"] and len(fleet.builds) == 2


def test_a_module_that_does_not_have_its_digest_is_not_kept(fleet):
    for answer in ({"built": base64.b64encode(b"x").decode(), "built_sha256": "0" * 64}, {"built": "no base64!"}, {}):
        with pytest.raises(toa_source.ToaError) as caught:
            source_store.bytes_of(answer)
        assert caught.value.result["code"] == "bad_answer"


@pytest.mark.parametrize("harm", ["module", "digest", "nothing"])
def test_what_lies_in_the_store_is_looked_at_again(fleet, harm):
    fleet.run("a", "built", delegate="builder")
    (place,) = fleet.store.glob("*.ko")
    if harm == "module":
        place.write_bytes(b"something else")
    elif harm == "digest":
        place.with_suffix(".json").unlink()
    if harm != "nothing":
        with pytest.raises(toa_source.ToaError, match="has not built"):
            fleet.run("a")
        fleet.run("a", "built", delegate="builder")
    assert fleet.run("a")["taken"] and fleet.given == b"module of builder"
    assert len(fleet.builds) == (1 if harm == "nothing" else 2)


def test_a_store_that_others_may_write_to_is_refused(fleet):
    fleet.store.mkdir(mode=0o700)
    fleet.store.chmod(0o777)
    with pytest.raises(toa_source.ToaError) as caught:
        fleet.run("a", "built", delegate="builder")
    assert caught.value.result["code"] == "unsafe_folder" and not list(fleet.store.iterdir())


# ---- signatures


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """A private key and its certificate, as an operator makes them."""
    folder = tmp_path_factory.mktemp("pair")
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
    ]
    subprocess.run([*words, "-keyout", folder / "key", "-out", folder / "certificate"], check=True, capture_output=True)
    return folder / "key", folder / "certificate"


def test_the_key_is_sent_to_no_host_and_what_the_builder_has_built_is_signed(fleet, pair):
    key, certificate = pair
    fleet.more = {"build_once": False, "signing_key": str(key), "signing_certificate": str(certificate)}
    fleet.run("a", "built", delegate="builder")
    assert fleet.run("a")["taken"] and fleet.run("builder")["taken"]
    assert fleet.given.startswith(b"module of builder") and fleet.given.endswith(signature.MAGIC)
    secret = key.read_text().split("\n")[2]
    assert fleet.sent and not [args for args in fleet.sent if secret in str(args) or "PRIVATE" in str(args)]


@pytest.mark.parametrize("digest", ["sha224", "sha256", "sha384", "sha512"])
def test_a_signature_is_what_openssl_takes(pair, tmp_path, digest):
    key, certificate = pair
    module = os.urandom(3000)
    signed = signature.signed(module, "6.1.0-1-amd64", digest, key.read_bytes(), certificate.read_bytes())
    assert signed.startswith(module) and signed.endswith(signature.MAGIC)
    assert signers_of_module(signed) and not signers_of_module(module), "hosts read who has signed it"
    trailer = signed[-len(signature.MAGIC) - 12 : -len(signature.MAGIC)]
    length = int.from_bytes(trailer[8:], "big")
    assert trailer[:8] == b"\0\0\2\0\0\0\0\0" and len(signed) == len(module) + length + 12 + len(signature.MAGIC)
    (tmp_path / "module").write_bytes(module)
    (tmp_path / "der").write_bytes(signed[len(module) :][:length])
    words = [
        "openssl",
        "cms",
        "-verify",
        "-binary",
        "-inform",
        "DER",
        "-in",
        tmp_path / "der",
        "-content",
        tmp_path / "module",
    ]
    words += ["-certfile", certificate, "-CAfile", certificate, "-purpose", "any", "-out", "/dev/null"]
    assert subprocess.run(words, capture_output=True).returncode == 0
    shown = subprocess.run(
        ["openssl", "asn1parse", "-inform", "DER", "-in", tmp_path / "der"], capture_output=True, text=True
    )
    assert f":{digest}" in shown.stdout and "signingTime" not in shown.stdout


@pytest.mark.skipif(not list(Path("/usr/lib").glob("linux-kbuild-*/scripts/sign-file")), reason="no sign-file here")
def test_a_signature_is_that_of_the_kernels_own_tool(pair, tmp_path):
    key, certificate = pair
    (tmp_path / "module").write_bytes(os.urandom(3000))
    tool = next(Path("/usr/lib").glob("linux-kbuild-*/scripts/sign-file"))
    subprocess.run([tool, "sha256", key, certificate, tmp_path / "module", tmp_path / "signed"], check=True)
    theirs = (tmp_path / "signed").read_bytes()
    ours = signature.signed(
        (tmp_path / "module").read_bytes(), "6.1.0", "sha256", key.read_bytes(), certificate.read_bytes()
    )
    end = -len(signature.MAGIC) - 12
    # RSA with PKCS#1 padding gives one signature only.
    assert ours[end - 256 : end] == theirs[end - 256 : end] and ours[end : end + 8] == theirs[end : end + 8]


def test_what_cannot_be_signed(pair, tmp_path):
    key, certificate = (path.read_bytes() for path in pair)
    words = [
        "openssl",
        "req",
        "-new",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-subj",
        "/CN=x",
        "-days",
        "2",
        "-passout",
        "pass:long secret",
    ]
    subprocess.run(
        [*words, "-keyout", tmp_path / "locked", "-out", tmp_path / "other"], check=True, capture_output=True
    )
    for release, wrong_key, wrong_certificate, said in (
        ("3.10.0-1160.el7.x86_64", key, certificate, "older form"),
        ("nonsense", key, certificate, "older form"),
        ("6.1", b"-----BEGIN nonsense", certificate, "cannot be read"),
        ("6.1", key, b"-----BEGIN nonsense", "cannot be read"),
        ("6.1", (tmp_path / "locked").read_bytes(), certificate, "passphrase"),
        ("6.1", key, (tmp_path / "other").read_bytes(), "not that of the private key"),
    ):
        with pytest.raises(ValueError, match=said):
            signature.signed(b"module", release, "sha256", wrong_key, wrong_certificate)
    with pytest.raises(ValueError, match="signed already"):
        signature.signed(b"module" + signature.MAGIC, "6.1", "sha256", key, certificate)


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
    monkeypatch.setattr(source_archive, "TIME_LIMIT", 1)
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
