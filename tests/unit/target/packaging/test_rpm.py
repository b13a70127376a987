# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""rpm.py, rpm_hold.py and packages.py against an rpm, a dnf and a yum that are made up; tests/integration/test_rpm.py has the real ones."""

from __future__ import absolute_import, division, print_function

import contextlib
import os
import re

import pytest
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from ansible_collections.realip.toa.plugins.module_utils.host.state import load
from ansible_collections.realip.toa.plugins.module_utils.packaging import database_lock, repository, rpm, wanted
from ansible_collections.realip.toa.plugins.module_utils.packaging.rpm_hold import Holds
from ansible_collections.realip.toa.plugins.module_utils.programs import package as packages

RUNNING = "2.6.32-754.35.1.el6.x86_64"
RELEASE = "2.6.32-220.23.1.el6.toa.x86_64"
STOCK, TOA = "kernel-" + RUNNING, "kernel-" + RELEASE


def split(identity):
    return re.match(r"(.+)-([^-]+-[^-]+)\.([^.]+)$", identity).groups()


class FakeRpm(object):
    """A host with rpm 4.8: what is installed, what the files in its cache hold, and what its tools are told to say."""

    def __init__(self, root):
        self.root = root
        self.installed = {}
        self.contents = {}
        self.calls = []
        self.says = {}
        self.repository = {}
        self.tool = "yum"
        self.enter(STOCK, ["boot/vmlinuz-" + RUNNING, "lib/modules/%s/modules.order" % RUNNING])
        self.enter("bash-4.1-1.el6.x86_64", ["bin/bash"])
        os.makedirs(os.path.join(root, "var/lib/rpm"))

    def enter(self, identity, files):
        self.installed[identity] = files
        for name in files:
            path = os.path.join(self.root, name)
            if not os.path.isdir(os.path.dirname(path)):
                os.makedirs(os.path.dirname(path))
            open(path, "w").close()

    def package(self, folder, identity=TOA, files=None):
        """A file that holds a package, and its item of a plan."""
        release = split(identity)[1] + "." + split(identity)[2]
        path = os.path.join(folder, identity + ".rpm")
        handle = open(path, "w")
        handle.write("rpm " + identity)
        handle.close()
        self.contents[identity + ".rpm"] = files or ["boot/vmlinuz-" + release, "lib/modules/%s/toa.ko" % release]
        return {"name": "kernel", "file": identity + ".rpm", "format": "rpm", "role": "image", "release": release}

    def run(self, argv, timeout=120, env=None):
        if argv[0] != "rpm":
            return self.repository_tool(argv)
        assert argv[1:3] == ["--root", self.root]
        arguments = argv[3:]
        given = [word for word in arguments if not word.startswith("-")]
        verb = [word for word in arguments if word in ("-qa", "-qp", "-K", "-i", "-e", "-ql", "-qf", "--eval")][0]
        if verb in self.says and "--test" not in arguments:
            return self.says[verb]
        if verb == "--eval":
            return 0, "/var/lib/rpm\n", ""
        if verb == "-qa":
            return 0, "".join("%s\t%s\t%s\n" % split(identity) for identity in self.installed), ""
        if verb == "-ql":
            return 0, "".join("/%s\n" % name for name in self.installed.get(given[0], [])), ""
        if verb == "-qf":
            owners = [
                "%s\t%s\t%s\n" % split(key) for key, files in self.installed.items() if given[-1].lstrip("/") in files
            ]
            return (0, "".join(owners), "") if owners else (1, "file %s is not owned by any package\n" % given[-1], "")
        if verb == "-K":
            return 0, "%s: sha1 md5 OK\n" % given[0], ""
        if verb == "-qp":
            name = os.path.basename(given[-1])
            lines = ["%s\t%s\t%s" % split(name[: -len(".rpm")])] + [
                "/%s\t100\t100644\t0" % path for path in self.contents[name]
            ]
            return 0, "\n".join(lines) + "\n", ""
        self.calls.append(arguments)
        return self.install(arguments, given) if verb == "-i" else self.erase(arguments, given)

    def install(self, arguments, given):
        test = "--test" in arguments
        if test and "test" in self.says:
            return self.says["test"]
        for path in given:
            identity = os.path.basename(path)[: -len(".rpm")]
            newer = [key for key in self.installed if split(key)[0] == split(identity)[0] and "-754" in key]
            if newer and "--oldpackage" not in arguments:
                return 1, "", "\tpackage %s (which is newer than %s) is already installed\n" % (newer[0], identity)
            if identity in self.installed and "--replacepkgs" not in arguments:
                return 1, "", "\tpackage %s is already installed\n" % identity
            if not test:
                self.enter(identity, self.contents[identity + ".rpm"])
        return self.says.get("scripts", (0, "", "")) if not test else (0, "", "")

    def erase(self, arguments, given):
        if "--test" in arguments:
            return self.says.get("needed", (0, "", ""))
        if "preun" in self.says and "--noscripts" not in arguments:
            return self.says["preun"]
        for identity in given:
            for name in self.installed.pop(identity):
                os.unlink(os.path.join(self.root, name))
        return 0, "", ""

    def repository_tool(self, argv):
        assert argv[:3] == [self.tool, "-y", "--installroot=" + self.root]
        self.calls.append(argv)
        verb, names = argv[3], argv[4:]
        if verb in self.says:
            return self.says[verb]
        for name in names:
            if verb == "install" and name in self.repository:
                self.enter(self.repository[name], ["usr/lib/systemd/system/%s.service" % name])
            elif verb == "remove":
                self.installed = dict((key, files) for key, files in self.installed.items() if split(key)[0] != name)
        return 0, "", ""


@pytest.fixture
def host(tmpdir, monkeypatch):
    root = tmpdir.mkdir("root")
    root.mkdir("run")
    fake = FakeRpm(str(root))
    fake.folder = str(tmpdir.mkdir("mirror"))
    monkeypatch.setattr(rpm, "run", fake.run)
    monkeypatch.setattr(repository, "run", fake.run)
    monkeypatch.setattr(wanted, "which", lambda name: "/bin/" + name if name == "rpm" else None)
    monkeypatch.setattr(repository, "which", lambda name: "/usr/bin/" + name if name == fake.tool else None)
    return fake


def call(host, items, state="present", check=False, **more):
    args = {
        "packages": items,
        "state": state,
        "check": check,
        "root": host.root,
        "running": RUNNING,
        "lock_timeout": 0.1,
        "src": host.folder,
        "accept_unverified": True,
        "accept_downgrade": True,
    }
    return packages.main(dict(args, **more))


def files_of(root):
    found = []
    for folder, _folders, files in os.walk(root):
        found.extend(os.path.relpath(os.path.join(folder, name), root) for name in files)
    return sorted(name for name in found if not name.startswith(("var/cache", "run/")))


def refused(host, items, state="present", **more):
    before = (sorted(host.installed), files_of(host.root))
    with pytest.raises(TargetError) as caught:
        call(host, items, state, **more)
    assert (sorted(host.installed), files_of(host.root)) == before
    return caught.value


# -- kernels -----------------------------------------------------------------------------------------------------------


def test_beside_the_running_one_and_away_again(host):
    item = host.package(host.folder)
    stock = files_of(host.root)
    predicted = call(host, [item], check=True)
    assert host.calls == []
    done = call(host, [item])
    assert list(done.pop("signatures")) == [item["file"]]
    assert done == predicted and done["after"]["installed"] == {TOA: "2.6.32-220.23.1.el6.toa"}
    path = os.path.join(host.root, "var/cache/realip-toa", TOA + ".rpm")
    assert host.calls == [["-i", "--test", "--oldpackage", path], ["-i", "--oldpackage", path]]
    assert sorted(host.installed) == sorted([STOCK, TOA, "bash-4.1-1.el6.x86_64"])
    assert (
        load(os.path.join(host.root, "var/lib/realip-toa/state.json"))["packages"]["installed"][TOA]["release"]
        == RELEASE
    )
    assert not call(host, [item])["changed"]
    assert call(host, [], "absent")["after"] == {"installed": {}, "held": [], "cached": []}
    assert host.calls[-1] == ["-e", TOA] and files_of(host.root) == stock
    assert not call(host, [item], "absent")["changed"]


def test_nothing_is_forced(host):
    host.package(host.folder)
    item = host.package(host.folder)
    call(host, [item])
    os.unlink(os.path.join(host.root, "boot/vmlinuz-" + RELEASE))
    call(host, [item])
    call(host, [item], "absent")
    words = set(word for arguments in host.calls for word in arguments if word.startswith("-"))
    assert words == set(["-i", "--test", "--oldpackage", "--replacepkgs", "-e"])


class PowerCut(Exception):
    pass


@contextlib.contextmanager
def cut_short(host):
    """The power goes when rpm has entered a package, and before it runs the package's last script."""
    whole = host.install

    def install(arguments, given):
        answer = whole(arguments, given)
        if "--test" not in arguments:
            raise PowerCut()
        return answer

    host.install = install
    try:
        yield
    finally:
        host.install = whole


def test_a_power_cut_in_its_last_script_is_made_good(host):
    """rpm has entered the package by then, and will not run the script that makes initramfs and boot entry again by itself."""
    item = host.package(host.folder)
    with cut_short(host), pytest.raises(PowerCut):
        call(host, [item])
    assert TOA in host.installed
    assert call(host, [item])["changed"] and "--replacepkgs" in host.calls[-1]
    assert not call(host, [item])["changed"]


def test_a_kernel_that_runs_was_installed_to_its_end(host):
    item = host.package(host.folder)
    with cut_short(host), pytest.raises(PowerCut):
        call(host, [item])
    assert not call(host, [item], running=RELEASE)["changed"]


def test_older_without_consent(host):
    problem = refused(host, [host.package(host.folder)], accept_downgrade=False)
    assert problem.code == "downgrade_needs_consent" and TOA in problem.message and STOCK in problem.message


SAID = [
    (
        "\tfile /lib/firmware/a b.bin from install of %s conflicts with file from package kernel-firmware-2-1.noarch\n"
        % TOA,
        "file_conflict",
        "a b.bin",
    ),
    (
        "\tfile /x conflicts between attempted installs of %s and other-1-1.noarch\n" % TOA,
        "file_conflict",
        "other-1-1.noarch",
    ),
    (
        "error: Failed dependencies:\n\tkernel-firmware >= 2.6.32-220 is needed by %s\n" % TOA,
        "dependency_missing",
        "kernel-firmware >= 2.6.32-220",
    ),
    (
        "error: Failed dependencies:\n\tbfa-firmware < 3.0 conflicts with %s\n" % TOA,
        "package_conflict",
        "bfa-firmware < 3.0",
    ),
    ("\tinstalling package %s needs 12MB on the /boot filesystem\n" % TOA, "boot_full", "12MB"),
    ("\tinstalling package %s needs 12MB more space on the / filesystem\n" % TOA, "disk_full", "12MB"),
    ("\tpackage %s does not verify: no digest\n" % TOA, "package_unsigned", "no digest"),
    ("error: something new\n", "install_refused", "something new"),
]


@pytest.mark.parametrize("said, code, named", SAID)
def test_what_rpm_refuses_is_told_before_anything_happens(host, said, code, named):
    host.says["test"] = (1, "", said)
    item = host.package(host.folder)
    problem = refused(host, [item])
    assert problem.code == code and named in problem.message and problem.remedy
    assert [call for call in host.calls if "--test" not in call] == []


def test_of_several_obstacles_the_one_that_consent_cannot_remove_is_told(host):
    both = "\tpackage %s (which is newer than %s) is already installed\n" % (STOCK, TOA) + SAID[0][0]
    host.says["test"] = (2, "", both)
    assert refused(host, [host.package(host.folder)]).code == "file_conflict"


@pytest.mark.parametrize(
    "said",
    [
        "warning: %%post(%s) scriptlet failed, exit status 1" % TOA,
        "error: %%post(%s) scriptlet failed, exit status 1" % TOA.rsplit(".", 1)[0],
    ],
)
def test_a_script_that_fails_is_no_success(host, said):
    host.says["scripts"] = (0, "", said)
    problem = refused(host, [host.package(host.folder)])
    assert problem.code == "install_failed" and "scriptlet failed" in problem.message
    assert host.calls[-1] == ["-e", TOA]


def test_scripts_of_others_are_not_ours(host):
    host.says["scripts"] = (0, "", "warning: %triggerin(kmod-20-1.x86_64) scriptlet failed, exit status 1")
    assert call(host, [host.package(host.folder)])["changed"]


def test_what_its_own_script_keeps_is_taken_back_without_it(host):
    host.says["scripts"] = (0, "", "warning: %%post(%s) scriptlet failed, exit status 1" % TOA)
    host.says["preun"] = (1, "", "error: %%preun(%s) scriptlet failed, exit status 1" % TOA)
    refused(host, [host.package(host.folder)])
    assert host.calls[-1] == ["-e", "--noscripts", TOA]


def test_a_script_that_keeps_what_was_there_is_respected(host):
    item = host.package(host.folder)
    call(host, [item])
    host.says["preun"] = (1, "", "error: %%preun(%s) scriptlet failed, exit status 1" % TOA)
    problem = refused(host, [item], "absent")
    assert problem.code == "remove_failed" and "preun" in problem.message


def test_what_was_unpacked_of_a_package_that_failed_goes(host):
    item = host.package(host.folder)
    host.says["-i"] = (1, "", "error: unpacking of archive failed on file /boot/x: cpio: read failed")

    def unpack(argv, timeout=120, run=host.run):
        if argv[3] == "-i" and "--test" not in argv:
            for name in ("boot/vmlinuz-" + RELEASE, "lib/modules/%s/toa.ko;5f00ab12" % RELEASE):
                path = os.path.join(host.root, name)
                if not os.path.isdir(os.path.dirname(path)):
                    os.makedirs(os.path.dirname(path))
                open(path, "w").close()
        return run(argv, timeout)

    rpm.run = unpack
    problem = refused(host, [item])
    assert problem.code == "install_failed" and "cpio" in problem.message
    assert not os.path.exists(os.path.join(host.root, "lib/modules", RELEASE))


def test_the_running_kernel_stays(host):
    assert refused(host, [{"name": STOCK, "format": "rpm"}], "absent").code == "running_kernel"
    assert refused(host, [{"name": "kernel", "file": STOCK + ".rpm"}], "absent").code == "running_kernel"


def test_a_damaged_database(host):
    host.says["-qa"] = (
        1,
        "",
        "error: db4 error(-30974) from dbenv->failchk: DB_RUNRECOVERY: Fatal error, run database recovery",
    )
    problem = refused(host, [host.package(host.folder)])
    assert problem.code == "package_tool_interrupted" and "--rebuilddb" in problem.remedy


def test_names_and_versions_out_of_file_names(host):
    manager = rpm.Rpm(host.root)
    for name, version in (
        (TOA + ".rpm", "2.6.32-220.23.1.el6.toa"),
        ("kernel-3.10.0-693.el7.centos.toa.x86_64.rpm", "3.10.0-693.el7.centos.toa"),
        ("kernel-firmware-2.6.32-696.13.2.el6.centos.plus.toa.x86_64.rpm", "2.6.32-696.13.2.el6.centos.plus.toa"),
        ("kernel.rpm", ""),
    ):
        assert manager.version_in_name(name) == version
    assert manager.identity("kernel", TOA + ".rpm") == TOA and manager.identity("vtoa", "") == "vtoa"


# -- repositories ------------------------------------------------------------------------------------------------------

VTOA = {"name": "vtoa", "repository": True}


@pytest.mark.parametrize("tool", ["yum", "dnf"])
def test_from_a_repository(host, tool):
    host.tool = tool
    host.repository["vtoa"] = "vtoa-1.0-1.al8.x86_64"
    assert (
        call(host, [VTOA], check=True)["after"]["installed"] == {"vtoa": "as in the repositories"} and host.calls == []
    )
    done = call(host, [VTOA], accept_unverified=False)
    assert done["after"]["installed"] == {"vtoa": "1.0-1.al8"} and host.calls[-1][3:] == ["install", "vtoa"]
    assert not call(host, [VTOA])["changed"]
    assert call(host, [], "absent")["changed"] and host.calls[-1][3:] == ["remove", "vtoa"]
    assert not call(host, [], "absent")["changed"]


REPOSITORY_SAYS = [
    ((1, "", "No match for argument: vtoa\nError: Unable to find a match: vtoa"), "package_unavailable"),
    ((1, "No package vtoa available.\nError: Nothing to do\n", ""), "package_unavailable"),
    ((1, "", "Cannot find a valid baseurl for repo: base/7/x86_64"), "repository_unreachable"),
    (
        (1, "", "Error: Failed to download metadata for repo 'plus': Cannot download repomd.xml"),
        "repository_unreachable",
    ),
    ((1, "", "Public key for vtoa-1-1.rpm is not installed\nError: GPG check FAILED"), "package_unsigned"),
    ((0, "No package vtoa available.\nNothing to do\n", ""), "install_incomplete"),
    ((1, "", "Error: boom"), "install_failed"),
]


@pytest.mark.parametrize("says, code", REPOSITORY_SAYS)
def test_what_goes_wrong_with_a_repository(host, says, code):
    host.says["install"] = says
    problem = refused(host, [VTOA])
    assert problem.code == code and problem.remedy and "vtoa" in problem.message


def test_neither_yum_nor_dnf(host):
    host.tool = "zypper"
    assert refused(host, [VTOA]).code == "package_tool_missing"


def test_what_others_need(host):
    host.enter("vtoa-1.0-1.al8.x86_64", ["usr/x"])
    host.says["needed"] = (1, "", "error: Failed dependencies:\n\tvtoa is needed by (installed) gateway-1-1.x86_64\n")
    problem = refused(host, [VTOA], "absent")
    assert problem.code == "package_needed" and "gateway-1-1.x86_64" in problem.message


@pytest.mark.parametrize(
    "items",
    [
        [dict(VTOA, url="http://127.0.0.1/vtoa-1-1.x86_64.rpm")],
        [dict(VTOA, sha256="0" * 64)],
        [VTOA, {"name": "vtoa", "file": "", "repository": True}],
        [{"name": "../x", "repository": True}],
        [{"name": "kernel", "file": "kernel$(x)-1-1.x86_64.rpm"}],
    ],
)
def test_bad_input(host, items):
    assert refused(host, items).code == "bad_package"


def test_a_deb_has_no_repository_here(host):
    assert refused(host, [dict(VTOA, format="deb")]).code == "format_unsupported"


# -- holding -----------------------------------------------------------------------------------------------------------

WORDS = "kernel kernel-core kernel-modules*"
CONFIGURATIONS = [
    "[main]\ngpgcheck=1\n",
    "[main]\nexclude=php* mysql\ngpgcheck=1\n",
    "[main]\nexcludepkgs = php*,mysql\n\n[base]\nexclude=kernel\n",
    "# mine\n[main]\nplugins=1\n[updates]\nexclude=x\n",
    "[main]\nexclude=kernel*\n",
    "[main]\nexclude=\n php*\n",
    "[main]",
]


def configuration(root, text, name="yum.conf"):
    path = os.path.join(root, "etc", name)
    if not os.path.isdir(os.path.dirname(path)):
        os.makedirs(os.path.dirname(path))
    handle = open(path, "w")
    handle.write(text)
    handle.close()
    return path


def read(path):
    handle = open(path)
    try:
        return handle.read()
    finally:
        handle.close()


def excluded(text):
    """What yum reads as exclude= of [main]: the last one, with the lines that continue it."""
    section, found, inside = "", None, False
    for line in text.split("\n"):
        if line.startswith("["):
            section, inside = line.strip(), False
        elif section == "[main]" and re.match(r"exclude(pkgs)?\s*=", line):
            found, inside = line.split("=", 1)[1].replace(",", " ").split(), True
        elif inside and line.startswith((" ", "\t")):
            found.extend(line.split())
        elif not line.startswith("#"):
            inside = False
    return found or []


@pytest.mark.parametrize("text", CONFIGURATIONS)
def test_hold_and_let_go_byte_for_byte(tmpdir, text):
    path = configuration(str(tmpdir), text)
    before = excluded(text)
    assert not Holds(str(tmpdir)).held()("kernel")
    Holds(str(tmpdir)).change(["kernel"], True)
    assert set(excluded(read(path))) == set(before + WORDS.split())
    assert Holds(str(tmpdir)).held()("kernel") and not Holds(str(tmpdir)).held()("bash")
    once = read(path)
    Holds(str(tmpdir)).change(["kernel"], True)
    assert read(path) == once
    Holds(str(tmpdir)).change(["kernel"], False)
    assert read(path) == text


@pytest.mark.parametrize(
    "text, meanwhile, left",
    [
        ("[main]\n", ("exclude=" + WORDS, "exclude=%s php*" % WORDS), "[main]\nexclude=php*\n"),
        ("[main]\nexclude=a b\n", ("exclude=a b", "exclude=b"), "[main]\nexclude=b\n"),
        ("[main]\nexclude=a\n", ("exclude=a " + WORDS + "\n", ""), "[main]\n"),
    ],
)
def test_what_somebody_changes_meanwhile_stays(tmpdir, text, meanwhile, left):
    path = configuration(str(tmpdir), text)
    Holds(str(tmpdir)).change(["kernel"], True)
    marker, rest = read(path).split("\nexclude", 1)
    configuration(str(tmpdir), marker + ("\nexclude" + rest).replace("\n" + meanwhile[0], "\n" + meanwhile[1]))
    Holds(str(tmpdir)).change(["kernel"], False)
    assert read(path) == left


def test_one_file_under_two_names_and_two_files(tmpdir):
    path = configuration(str(tmpdir), "[main]\n", "dnf/dnf.conf")
    os.symlink("dnf/dnf.conf", str(tmpdir.join("etc/yum.conf")))
    Holds(str(tmpdir)).change(["kernel"], True)
    assert read(path).count("exclude=") == 1 and os.path.islink(str(tmpdir.join("etc/yum.conf")))
    os.unlink(str(tmpdir.join("etc/yum.conf")))
    other = configuration(str(tmpdir), "[main]\n")
    assert not Holds(str(tmpdir)).held()("kernel")
    Holds(str(tmpdir)).change(["kernel"], True)
    assert read(other).count("exclude=") == read(path).count("exclude=") == 1


def test_several_packages_are_let_go_one_by_one(tmpdir):
    path = configuration(str(tmpdir), "[main]\nexclude=x\n")
    Holds(str(tmpdir)).change(["kernel", "kernel-firmware"], True)
    Holds(str(tmpdir)).change(["kernel"], False)
    assert excluded(read(path)) == ["x", "kernel-firmware"]
    Holds(str(tmpdir)).change(["kernel-firmware"], False)
    assert read(path) == "[main]\nexclude=x\n"


def test_held_and_unheld_kernels(host):
    path = configuration(host.root, "[main]\n")
    item = host.package(host.folder)
    assert refused(host, [item], "held").code == "package_not_installed"
    call(host, [item])
    predicted = call(host, [item], "held", check=True)
    assert read(path) == "[main]\n"
    assert call(host, [item], "held") == predicted and predicted["after"]["held"] == [TOA]
    assert not call(host, [], "held")["changed"]
    assert call(host, [item], "unheld")["changed"] and read(path) == "[main]\n"
    call(host, [item], "held")
    call(host, [item], "absent")
    assert read(path) == "[main]\n"


def test_where_nothing_updates_nothing_needs_to_be_held(host):
    item = host.package(host.folder)
    call(host, [item])
    done = call(host, [item], "held")
    assert done == call(host, [item], "held", check=True) and not done["changed"] and done["after"]["held"] == []


# -- waiting -----------------------------------------------------------------------------------------------------------


def test_a_program_that_left_its_pid_is_waited_for(host, monkeypatch):
    item = host.package(host.folder)
    pid_file = configuration(host.root, "%d\n" % os.getpid(), "../var/run/yum.pid")
    monkeypatch.setattr(
        database_lock,
        "read_text",
        lambda path, limit=0: "python\0/usr/bin/yum\0-y\0update\0" if path.startswith("/proc/") else read(path),
    )
    problem = refused(host, [item])
    assert problem.code == "package_lock_held" and "yum (pid %d)" % os.getpid() in problem.message
    os.unlink(pid_file)
    monkeypatch.undo()


def test_a_pid_file_that_was_left_behind_is_no_lock(host):
    configuration(host.root, "%d\n" % os.getpid(), "../var/run/zypp.pid")
    item = host.package(host.folder)
    # This test runs under neither yum nor dnf nor zypp.
    assert call(host, [item])["changed"]
