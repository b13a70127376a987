# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places that load TOA at boot: on made-up hosts and, for scripts, against what a real shell does with them."""

from __future__ import absolute_import, division, print_function

import io
import os
import subprocess

import fake_hosts
import pytest
from ansible_collections.realip.toa.plugins.module_utils.startup import boot_places as rc_local
from fake_hosts import CENTOS6, CENTOS7, DEBIAN8, EXECUTABLE, FOLDER, LINK, ROCKY9, UBUNTU1604

UBUNTU_KERNEL, EL7_KERNEL, EL6_KERNEL = (
    "4.4.0-210-generic",
    "3.10.0-1160.119.1.el7.x86_64",
    "2.6.32-754.35.1.el6.x86_64",
)
KERNELS = {
    id(UBUNTU1604): UBUNTU_KERNEL,
    id(DEBIAN8): "3.16.0-11-amd64",
    id(CENTOS7): EL7_KERNEL,
    id(CENTOS6): EL6_KERNEL,
    id(ROCKY9): "5.14.0-284.30.1.el9_2.x86_64",
}


def places(folder, host, **files):
    root = fake_hosts.build(folder, host, files.pop("files", files))
    return rc_local.find_places(root, KERNELS[id(host)])


def only(folder, host, files):
    found = places(folder, host, files=files)
    assert len(found) == 1, found
    return found[0]


# -- hosts as they come


@pytest.mark.parametrize("host", [UBUNTU1604, DEBIAN8, CENTOS7, CENTOS6, ROCKY9])
def test_a_stock_host_loads_nothing(tmpdir, host):
    assert places(tmpdir, host) == []


@pytest.mark.parametrize("host, init", [(UBUNTU1604, "systemd"), (CENTOS7, "systemd"), (CENTOS6, "upstart")])
def test_init(tmpdir, host, init):
    assert rc_local.init_system(fake_hosts.build(tmpdir, host)) == init


@pytest.mark.parametrize(
    "files, init",
    [
        ({"/proc/1/stat": "1 (init) S 0", "/etc/inittab": ""}, "sysvinit"),
        ({"/proc/1/stat": "1 (init) S 0", "/etc/rc2.d": (FOLDER, "")}, "sysvinit"),
        ({"/proc/1/stat": "1 (tini) S 0", "/etc/rc2.d": (FOLDER, "")}, "other"),
        ({"/proc/1/stat": "1 (init) S 0"}, "other"),
        ({}, "other"),
    ],
)
def test_init_without_systemd(tmpdir, files, init):
    assert rc_local.init_system(fake_hosts.build(tmpdir, files)) == init


# -- the documents' line


def test_the_documents_line_does_nothing_on_ubuntu(tmpdir):
    """echo "modprobe toa" >> /etc/rc.d/rc.local, after somebody made the folder: rc-local.service runs /etc/rc.local."""
    found = only(tmpdir, UBUNTU1604, {"/etc/rc.d/rc.local": (EXECUTABLE, "#!/bin/sh\nmodprobe toa\n")})
    assert found == {
        "path": "/etc/rc.d/rc.local",
        "kind": "rc_local",
        "module": "toa",
        "line": "modprobe toa",
        "line_number": 2,
        "effective": False,
        "reason": "this host runs /etc/rc.local, not this file",
        "ours": False,
    }


def test_the_documents_line_does_nothing_on_debian_without_rc_local(tmpdir):
    found = only(tmpdir, DEBIAN8, {"/etc/rc.d/rc.local": "modprobe toa\n"})
    assert (found["effective"], found["reason"]) == (False, "this host runs /etc/rc.local, not this file")


def test_the_documents_line_works_on_centos_6(tmpdir):
    found = only(
        tmpdir, CENTOS6, {"/etc/rc.d/rc.local": (EXECUTABLE, "#!/bin/sh\ntouch /var/lock/subsys/local\nmodprobe toa\n")}
    )
    assert (found["path"], found["line_number"], found["effective"], found["reason"]) == (
        "/etc/rc.d/rc.local",
        3,
        True,
        "",
    )


def test_the_documents_line_on_centos_7_needs_an_executable_file(tmpdir):
    text = "#!/bin/bash\ntouch /var/lock/subsys/local\nmodprobe toa\n"
    stock = only(tmpdir.mkdir("stock"), CENTOS7, {"/etc/rc.d/rc.local": text})
    assert (stock["effective"], stock["reason"]) == (False, "not executable")
    made = only(tmpdir.mkdir("made"), CENTOS7, {"/etc/rc.d/rc.local": (EXECUTABLE, text)})
    assert made["effective"]


def test_on_centos_7_a_file_in_place_of_the_link_is_not_run(tmpdir):
    found = only(tmpdir, CENTOS7, {"/etc/rc.local": (EXECUTABLE, "#!/bin/sh\ninsmod /root/toa.ko\n")})
    assert found["reason"] == "this host runs /etc/rc.d/rc.local, not this file"


def test_a_link_between_the_two_is_one_place(tmpdir):
    found = places(
        tmpdir,
        UBUNTU1604,
        files={
            "/etc/rc.local": (EXECUTABLE, "#!/bin/sh\nmodprobe toa\nexit 0\n"),
            "/etc/rc.d/rc.local": (LINK, "../rc.local"),
        },
    )
    assert [(place["path"], place["effective"]) for place in found] == [("/etc/rc.local", True)]


def test_centos_6_without_its_start_link(tmpdir):
    found = only(
        tmpdir,
        CENTOS6,
        {
            "/etc/rc.d/rc.local": (EXECUTABLE, "modprobe toa\n"),
            "/etc/rc.d/rc3.d/S99local": None,
            "/etc/rc.d/rc3.d/S10network": "x",
        },
    )
    assert found["reason"] == "no start link (S99local) of this host's runlevel leads to rc.local"


def test_debian_with_sysvinit_runs_rc_local_without_a_first_line(tmpdir):
    host = fake_hosts.changed(
        DEBIAN8,
        {
            "/run/systemd/system": None,
            "/proc/1/stat": "1 (init) S 0",
            "/etc/inittab": "",
            "/etc/init.d/rc.local": "x",
            "/etc/rc.local": (EXECUTABLE, "modprobe toa\n"),
        },
    )
    root = fake_hosts.build(tmpdir, host)
    assert [place["effective"] for place in rc_local.find_places(root, "3.16.0-11-amd64")] == [True]


@pytest.mark.parametrize(
    "text, reason",
    [
        ("modprobe toa\n", "the first line is no #! line, so systemd cannot run it"),
        (
            "#!/bin/sh\r\nmodprobe toa\r\n",
            "the #! line ends in a carriage return, so that its interpreter is not found",
        ),
        ("#!/bin/sh -e\nexit 0\nmodprobe toa\n", "comes after the exit in line 2"),
    ],
)
def test_what_rc_local_needs_under_systemd(tmpdir, text, reason):
    found = only(tmpdir, UBUNTU1604, {"/etc/rc.local": (EXECUTABLE, text)})
    assert (found["effective"], found["reason"]) == (False, reason)


@pytest.mark.parametrize(
    "unit, reason",
    [
        ({"/etc/systemd/system/rc-local.service": (LINK, "/dev/null")}, "rc-local.service is masked"),
        ({"/lib/systemd/system/rc-local.service": None}, "there is no rc-local.service on this host"),
    ],
)
def test_without_its_unit_rc_local_is_not_run(tmpdir, unit, reason):
    found = only(tmpdir, UBUNTU1604, dict(unit, **{"/etc/rc.local": (EXECUTABLE, "#!/bin/sh\nmodprobe toa\n")}))
    assert found["reason"] == reason


def test_an_operators_own_unit_names_the_file(tmpdir):
    files = {
        "/etc/systemd/system/rc-local.service": "[Service]\nExecStart=/etc/rc.d/rc.local\n",
        "/etc/rc.d/rc.local": (EXECUTABLE, "#!/bin/sh\nmodprobe toa\n"),
    }
    assert only(tmpdir, UBUNTU1604, files)["effective"]


# -- scripts against a real shell

SCRIPTS = [
    u"modprobe toa\n",
    u"modprobe toa",
    u"#!/bin/sh -e\nmodprobe toa\nexit 0\n",
    u"#!/bin/sh -e\nexit 0\nmodprobe toa\n",
    u"exit\nmodprobe toa\n",
    u"[ -f /nothing-here ] && exit 0\nmodprobe toa\n",
    u"[ -f /nothing-here ] || exit 0\nmodprobe toa\n",
    u"if [ -f /nothing-here ]; then\n  exit 0\nfi\nmodprobe toa\n",
    u"\u201cmodprobe toa\u201d\nmodprobe vtoa\n",
    u"#!/bin/sh -e\n\u201cmodprobe toa\u201d\nmodprobe vtoa\n",
    u"modprobe \u201ctoa\u201d\n",
    u'"modprobe toa"\n',
    u"'modprobe' \"toa\"\n",
    u"modprobe\u00a0toa\n",
    u"modprobe toa\r\nmodprobe vtoa\r\n",
    u"# modprobe toa\n  # modprobe vtoa\nx=1 # modprobe ttm\n",
    u'echo modprobe toa\necho "modprobe toa" >> /dev/null\n',
    u"cat > /dev/null <<EOF\nmodprobe toa\nEOF\nmodprobe vtoa\n",
    u"cat > /dev/null <<-'EOF'\n\tmodprobe toa\n\tEOF\nmodprobe vtoa\n",
    u"cat <<A > /dev/null; cat << B > /dev/null\nmodprobe toa\nA\nmodprobe toa\nB\nmodprobe vtoa\n",
    u"load() {\n  modprobe toa\n}\n",
    u"load() {\n  modprobe toa\n}\nload\n",
    u"load() { modprobe toa; }; load\n",
    u"( modprobe toa )\nmodprobe vtoa\n",
    u"{ modprobe toa; }\n",
    u"modprobe \\\n  toa\n",
    u"true && modprobe toa || modprobe vtoa\n",
    u"case a in a) modprobe toa;; esac\nmodprobe vtoa\n",
    u"for m in 1; do modprobe toa; done\n",
    u"while true; do modprobe toa; break; done\nmodprobe vtoa\n",
    u"modprobe -q toa > /dev/null 2>&1\n",
    u"modprobe -a dummy toa\n",
    u"modprobe dummy toa\n",
    u"modprobe -r toa\n",
    u"modprobe tcp-toa x=1\n",
    u"insmod /somewhere/toa.ko\n",
    u'insmod "/lib/modules/`uname -r`/kernel/net/toa.ko"\n',
    u"insmod /lib/modules/$(uname -r)/kernel/net/toa.ko\n",
    u"FOO=1 modprobe toa\n",
    u"exec modprobe toa\nmodprobe vtoa\n",
    u"exec > /dev/null\nmodprobe toa\n",
    u"modprobe toa &\nwait\n",
    u"true; modprobe toa; exit 0; modprobe vtoa\n",
    u"!/bin/bash\nmodprobe vtoa > /dev/null 2>&1\n",
    u"modprobe toad; modprobe xtoa; insmod /x/notoa.ko\n",
    u"function_like_name=1\nmodprobe toa\n",
    u"if true; then modprobe toa; else modprobe vtoa; fi\n",
    u"/bin/true\nmodprobe vtoa\n#",
    u"sh -c 'exit 0'\nmodprobe toa\n",
    u"x='\nmodprobe toa\n'\nmodprobe vtoa\n",
    u"exit 0 # modprobe toa",
]
# Only running them tells which branch a script takes; what may run counts as run.
EITHER_WAY = {
    u"[ -f /nothing-here ] || exit 0\nmodprobe toa\n": ["toa"],
    u"true && modprobe toa || modprobe vtoa\n": ["toa", "vtoa"],
    u"if true; then modprobe toa; else modprobe vtoa; fi\n": ["toa", "vtoa"],
}

RECORDER = u"""#!/bin/sh
for word in "$@"; do printf '%s\\n' "$(basename "$0") $word" >> "$CALLS"; done
"""


@pytest.mark.parametrize("shell", ["sh", "bash"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_what_a_shell_really_runs(tmpdir, shell, script):
    """modprobe and insmod are stand-ins that write down what they are given."""
    for name in ("modprobe", "insmod"):
        fake_hosts.build(tmpdir, {"/bin/" + name: (EXECUTABLE, RECORDER)})
    with io.open(str(tmpdir.join("script")), "w", encoding="utf-8", newline="") as handle:
        handle.write(script)
    options = ["-e"] if u" -e\n" in script else []
    environment = dict(
        os.environ, PATH=str(tmpdir.join("bin")) + ":/usr/bin:/bin", CALLS=str(tmpdir.join("calls")), LC_ALL="C.UTF-8"
    )
    child = subprocess.Popen(
        [shell] + options + [str(tmpdir.join("script"))],
        env=environment,
        cwd="/",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    child.communicate()
    really = really_loaded(tmpdir.join("calls").read_binary().decode("utf-8") if tmpdir.join("calls").check() else u"")
    told = [load["module"] for load in rc_local.script_loads(script) if not load["reason"]]
    assert told == EITHER_WAY.get(script, really)


def really_loaded(calls):
    """TOA modules that the stand-ins were asked for: words they got, as modprobe and insmod take them."""
    loaded, words = [], []
    if "modprobe -r" in calls:
        return []
    for call in calls.split("\n")[:-1]:
        command, word = call.split(" ", 1)
        words.append(word)
        name = rc_local.module_of_file(word) if command == "insmod" else word.replace("-", "_")
        if name in rc_local.STATS_FILES and ("-a" in words or words[-2:-1] != ["dummy"]):
            loaded.append(name)
    return loaded


def test_every_word_of_why():
    loads = rc_local.script_loads(
        u"#!/bin/sh -e\nmodprobe toa\n\u201cmodprobe toa\u201d\nmodprobe toa\nexit 0\nmodprobe toa\n"
    )
    assert [(load["line_number"], load["reason"]) for load in loads] == [
        (2, ""),
        (3, u"typographic quotes are part of the word for a shell: \u201cmodprobe"),
        (4, "the script has -e and stops at line 3, which fails"),
        (6, "comes after the exit in line 5"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        u"",
        u"toa",
        u"modprobe",
        u"modprobe toa'",
        u"'modprobe toa",
        u"toa() (",
        u"<<toa",
        u"case toa in",
        u") } fi toa",
        u"modprobe " * 9999 + u"toa",
        u"{ " * 9999 + u"toa",
        u"\0toa\ufffd",
        u"toa <<",
        u"toa;\\ ",
        u"toa; ''",
    ],
)
def test_odd_scripts_never_raise(text):
    assert isinstance(rc_local.script_loads(text), list)


# -- paths of modules


@pytest.mark.parametrize(
    "line, reason",
    [
        ("insmod /root/toa/toa.ko", "there is no /root/toa/toa.ko"),
        ("insmod toa.ko", "there is no /toa.ko"),
        ("insmod xxxxx /toa.ko", "there is no /xxxxx"),
        (
            "insmod /lib/modules/4.4.0-31-generic/kernel/net/toa.ko",
            "the path belongs to kernel 4.4.0-31-generic, and %s is running" % UBUNTU_KERNEL,
        ),
        ("insmod /lib/modules/`uname -r`/extra/toa.ko", "there is no /lib/modules/%s/extra/toa.ko" % UBUNTU_KERNEL),
        ("insmod /lib/modules/$(uname -r)/kernel/net/toa.ko", ""),
        ("insmod /lib/modules/%s/kernel/net/toa.ko" % UBUNTU_KERNEL, ""),
        ("insmod $DIR/toa.ko", ""),
    ],
)
def test_insmod_needs_a_file_of_the_running_kernel(tmpdir, line, reason):
    found = only(
        tmpdir,
        UBUNTU1604,
        {
            "/etc/rc.local": (EXECUTABLE, "#!/bin/sh\n%s\n" % line),
            "/lib/modules/4.4.0-31-generic/kernel/net/toa.ko": "elf",
            "/lib/modules/%s/kernel/net/toa.ko" % UBUNTU_KERNEL: "elf",
        },
    )
    assert (found["effective"], found["reason"]) == (not reason, reason)


# -- /etc/sysconfig/modules

HUAWEI = "#!/bin/sh\n/sbin/modinfo -F filename /root/toa/toa.ko > /dev/null 2>&1\nif [ $? -eq 0 ]; then\n  /sbin/insmod /root/toa/toa.ko\nfi\n"


@pytest.mark.parametrize(
    "host, script, reason",
    [
        (CENTOS6, (EXECUTABLE, HUAWEI), ""),
        (CENTOS7, (EXECUTABLE, HUAWEI), ""),
        (CENTOS7, (EXECUTABLE, HUAWEI[len("#!/bin/sh\n") :]), ""),  # run by a shell, which forgives a missing #! line
        (CENTOS7, HUAWEI, "not executable"),
        (
            ROCKY9,
            (EXECUTABLE, HUAWEI),
            "nothing runs /etc/sysconfig/modules here: this distribution has no loadmodules unit",
        ),
        (
            UBUNTU1604,
            (EXECUTABLE, HUAWEI),
            "nothing runs /etc/sysconfig/modules here: this distribution has no loadmodules unit",
        ),
    ],
)
def test_sysconfig_modules(tmpdir, host, script, reason):
    found = only(tmpdir, host, {"/etc/sysconfig/modules/toa.modules": script, "/root/toa/toa.ko": "elf"})
    assert (found["kind"], found["module"], found["effective"], found["reason"]) == (
        "sysconfig_modules",
        "toa",
        not reason,
        reason,
    )


def test_sysconfig_modules_of_a_masked_unit_or_with_another_name(tmpdir):
    files = {"/etc/sysconfig/modules/toa.modules": (EXECUTABLE, "#!/bin/sh\nmodprobe toa\n")}
    masked = only(
        tmpdir.mkdir("masked"),
        CENTOS7,
        dict(files, **{"/etc/systemd/system/rhel-loadmodules.service": (LINK, "/dev/null")}),
    )
    assert masked["reason"] == "rhel-loadmodules.service is masked"
    unwanted = only(
        tmpdir.mkdir("unwanted"),
        CENTOS7,
        dict(files, **{"/usr/lib/systemd/system/basic.target.wants/rhel-loadmodules.service": None}),
    )
    assert unwanted["reason"] == "rhel-loadmodules.service is not enabled"
    other = only(
        tmpdir.mkdir("other"), CENTOS7, {"/etc/sysconfig/modules/toa.sh": (EXECUTABLE, "#!/bin/sh\nmodprobe toa\n")}
    )
    assert other["reason"] == "only files named *.modules are run"


# -- modules-load.d and /etc/modules


def test_modules_load(tmpdir):
    found = only(
        tmpdir, UBUNTU1604, {"/etc/modules-load.d/realip-toa.conf": "# realip.toa: keeps toa across reboots\ntoa\n"}
    )
    assert found == {
        "path": "/etc/modules-load.d/realip-toa.conf",
        "kind": "modules_load",
        "module": "toa",
        "line": "toa",
        "line_number": 2,
        "effective": True,
        "reason": "",
        "ours": True,
    }


@pytest.mark.parametrize(
    "files, reason",
    [
        ({"/etc/modules-load.d/toa": "toa\n"}, "only files named *.conf are read"),
        ({"/etc/modules-load.d/toa.conf": "modprobe toa\n"}, "this file lists names of modules, not commands"),
        ({"/etc/modules-load.d/toa.conf": "toa debug=1\n"}, "the whole line is taken for the name of a module"),
        (
            {"/usr/lib/modules-load.d/toa.conf": "toa\n", "/etc/modules-load.d/toa.conf": (LINK, "/dev/null")},
            "/etc/modules-load.d/toa.conf takes its place",
        ),
        (
            {"/etc/modules-load.d/toa.conf": "toa\n", "/etc/modprobe.d/no.conf": "blacklist toa\n"},
            "/etc/modprobe.d/no.conf blacklists it",
        ),
        (
            {"/etc/modules-load.d/toa.conf": "toa\n", "/etc/modprobe.d/no.conf": "install toa /bin/false\n"},
            "/etc/modprobe.d/no.conf replaces loading it by /bin/false",
        ),
        (
            {
                "/etc/modules-load.d/toa.conf": "toa\n",
                "/etc/systemd/system/systemd-modules-load.service": (LINK, "/dev/null"),
            },
            "systemd-modules-load.service is masked",
        ),
        ({"/etc/modules-load.d/toa.conf": "tcp-toa\r\n"}, ""),
    ],
)
def test_modules_load_that_may_not_work(tmpdir, files, reason):
    found = only(tmpdir, UBUNTU1604, files)
    assert (found["effective"], found["reason"]) == (not reason, reason)


def test_modprobe_by_name_does_not_mind_a_blacklist(tmpdir):
    found = only(
        tmpdir,
        UBUNTU1604,
        {"/etc/rc.local": (EXECUTABLE, "#!/bin/sh\nmodprobe toa\n"), "/etc/modprobe.d/no.conf": "blacklist toa\n"},
    )
    assert found["effective"]


def test_modules_load_without_systemd(tmpdir):
    found = only(tmpdir.mkdir("el6"), CENTOS6, {"/etc/modules-load.d/toa.conf": "toa\n"})
    assert found["reason"] == "nothing reads modules-load.d on this host (init is upstart)"
    sysv = fake_hosts.changed(
        DEBIAN8,
        {
            "/run/systemd/system": None,
            "/proc/1/stat": "1 (init) S 0",
            "/etc/inittab": "",
            "/etc/init.d/kmod": "dirs='/etc/modules-load.d' /etc/modules",
            "/etc/modules-load.d/toa.conf": "toa\n",
        },
    )
    root = fake_hosts.build(tmpdir.mkdir("sysv"), sysv, {"/etc/modules": "vtoa x=1\n"})
    assert [(place["module"], place["effective"]) for place in rc_local.find_places(root, "3.16.0-11-amd64")] == [
        ("toa", True),
        ("vtoa", True),
    ]


def test_one_folder_under_two_names_is_read_once(tmpdir):
    root = fake_hosts.build(
        tmpdir,
        {key: value for key, value in UBUNTU1604.items() if not key.startswith("/lib/")},
        {"/usr/lib/modules-load.d/toa.conf": "toa\n", "/lib": (LINK, "usr/lib")},
    )
    assert [place["path"] for place in rc_local.find_places(root, UBUNTU_KERNEL)] == [
        "/usr/lib/modules-load.d/toa.conf"
    ]


def test_etc_modules(tmpdir):
    linked = only(tmpdir.mkdir("linked"), UBUNTU1604, {"/etc/modules": "loop\n# realip.toa\ntoa\n"})
    assert (linked["path"], linked["kind"], linked["line_number"], linked["effective"], linked["ours"]) == (
        "/etc/modules",
        "etc_modules",
        3,
        True,
        True,
    )
    alone = only(tmpdir.mkdir("alone"), CENTOS7, {"/etc/modules": "toa\n"})
    assert alone["reason"] == "nothing reads /etc/modules here: no modules-load.d file links to it"


def test_the_marker_covers_its_line_only_in_a_shared_file(tmpdir):
    script = "#!/bin/sh\nmodprobe vtoa\n# realip.toa\nmodprobe toa\nmodprobe ttm\nmodprobe toa # realip.toa\n"
    found = places(tmpdir, UBUNTU1604, files={"/etc/rc.local": (EXECUTABLE, script)})
    assert [(place["line_number"], place["ours"]) for place in found] == [(2, False), (4, True), (5, False), (6, True)]


# -- units and the initramfs

UNIT = "# realip.toa\n[Unit]\nDescription=x\n\n[Service]\nType=oneshot\nExecStart=/sbin/modprobe toa\n\n[Install]\nWantedBy=multi-user.target\n"


def test_our_unit(tmpdir):
    files = {"/etc/systemd/system/realip-toa.service": UNIT}
    off = only(tmpdir.mkdir("off"), UBUNTU1604, files)
    assert (off["kind"], off["module"], off["line"], off["line_number"], off["reason"], off["ours"]) == (
        "systemd",
        "toa",
        "ExecStart=/sbin/modprobe toa",
        7,
        "the unit is not enabled",
        True,
    )
    files["/etc/systemd/system/multi-user.target.wants/realip-toa.service"] = (LINK, "../realip-toa.service")
    assert only(tmpdir.mkdir("on"), UBUNTU1604, files)["effective"]


@pytest.mark.parametrize(
    "line, effective",
    [
        ("ExecStart=-/sbin/modprobe -q toa", True),
        ("ExecStart=/bin/sh -c 'modprobe toa'", True),
        ('ExecStart=/bin/sh -c "insmod /nowhere/toa.ko"', False),
        ("ExecStartPre=/sbin/modprobe toa", True),
    ],
)
def test_an_operators_unit(tmpdir, line, effective):
    found = only(
        tmpdir,
        UBUNTU1604,
        {
            "/etc/systemd/system/my.service": "[Service]\n%s\n" % line,
            "/etc/systemd/system/multi-user.target.wants/my.service": (LINK, "/etc/systemd/system/my.service"),
        },
    )
    assert (found["module"], found["effective"], found["ours"]) == ("toa", effective, False)


def test_a_unit_that_does_not_load_is_none_of_our_business(tmpdir):
    assert (
        places(
            tmpdir,
            UBUNTU1604,
            files={
                "/etc/systemd/system/x.service": "[Service]\nExecStart=/bin/rmmod toa\n",
                "/etc/systemd/system/realip-toa-trial-watchdog.service": "[Service]\nExecStart=/bin/sh /var/lib/x\n",
            },
        )
        == []
    )


def test_the_vtoa_unit(tmpdir):
    files = {
        "/usr/lib/systemd/system/vtoa.service": "[Service]\nType=oneshot\nExecStart=/usr/bin/vtoa-start\n",
        "/etc/systemd/system/multi-user.target.wants/vtoa.service": (LINK, "/usr/lib/systemd/system/vtoa.service"),
    }
    found = only(tmpdir, ROCKY9, files)
    assert (found["module"], found["kind"], found["effective"]) == ("vtoa", "systemd", True)


def set_age(root, path, seconds):
    os.utime(root + path, (1500000000 - seconds, 1500000000 - seconds))


def test_the_initramfs(tmpdir):
    image = "/boot/initrd.img-" + UBUNTU_KERNEL
    root = fake_hosts.build(tmpdir, UBUNTU1604, {"/etc/initramfs-tools/modules": "# list\ntoa\n", image: "cpio"})
    set_age(root, image, 100)
    set_age(root, "/etc/initramfs-tools/modules", 200)
    assert [place["effective"] for place in rc_local.find_places(root, UBUNTU_KERNEL)] == [True]
    set_age(root, "/etc/initramfs-tools/modules", 50)
    assert [place["reason"] for place in rc_local.find_places(root, UBUNTU_KERNEL)] == [
        image + " was made before this list was changed"
    ]
    os.unlink(root + image)
    assert "no initramfs" in rc_local.find_places(root, UBUNTU_KERNEL)[0]["reason"]


def test_dracut(tmpdir):
    root = fake_hosts.build(
        tmpdir,
        CENTOS7,
        {
            "/etc/dracut.conf.d/toa.conf": 'add_drivers+=" toa "\nforce_drivers+=" vtoa "\n',
            "/boot/initramfs-%s.img" % EL7_KERNEL: "cpio",
        },
    )
    set_age(root, "/etc/dracut.conf.d/toa.conf", 10)
    found = rc_local.find_places(root, EL7_KERNEL)
    assert [(place["kind"], place["module"], place["effective"]) for place in found] == [
        ("initramfs", "toa", False),
        ("initramfs", "vtoa", True),
    ]
