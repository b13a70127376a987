# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB 2 configurations are run, on text alone. tests/integration/test_grub_boots.py holds them against GRUB itself."""

from __future__ import absolute_import, division, print_function

import fake_hosts
import pytest
from ansible_collections.realip.toa.plugins.module_utils.bootloader.bls import parse_bls_entry, sort_bls
from ansible_collections.realip.toa.plugins.module_utils.bootloader.grub_script import boot_order, run_grub_cfg
from ansible_collections.realip.toa.plugins.module_utils.bootloader.menu import bootable, entry_of_release, find_entry, pick_entry, release_of_image, split_spec

OLD, NEW = "4.4.0-210-generic", "4.4.87.toa"
UBUNTU = fake_hosts.debian_cfg([NEW, OLD], default="${saved_entry}", name="Ubuntu")
OLD_SPEC = "gnulinux-advanced-2c1f>gnulinux-%s-advanced-2c1f" % OLD


def default_of(text, env=None, bls=()):
    return boot_order(text, env, bls)["default"]["release"]


@pytest.mark.parametrize(
    "spec, release",
    [
        ("0", NEW),
        ("1", NEW),  # the submenu: its first entry
        ("1>0", NEW),
        ("1>2", OLD),
        ("1>99", NEW),  # no such entry in the submenu: its first one
        ("99", NEW),
        ("", NEW),
        ("no such entry", NEW),
        (OLD_SPEC, OLD),
        ("gnulinux-%s-advanced-2c1f" % OLD, NEW),  # an id inside a submenu is not found from the top
        ("Advanced options for Ubuntu>Ubuntu, with Linux " + OLD, OLD),
        ("Advanced options for Ubuntu>2", OLD),
        ("gnulinux-advanced-2c1f>Ubuntu, with Linux " + OLD, OLD),
        ("Ubuntu", NEW),
    ],
)
def test_the_saved_entry_is_the_default(spec, release):
    assert default_of(UBUNTU, {"saved_entry": spec}) == release


def test_a_number_in_the_configuration_is_the_default_whatever_is_saved():
    text = fake_hosts.debian_cfg([NEW, OLD], default="1>2")
    assert default_of(text, {"saved_entry": "0"}) == OLD


def test_an_entry_that_boots_no_kernel_has_no_release():
    assert boot_order(UBUNTU, {"saved_entry": "uefi-firmware"})["default"]["release"] == ""


def test_an_armed_entry_is_next_and_changes_no_default():
    order = boot_order(UBUNTU, {"saved_entry": OLD_SPEC, "next_entry": "1>0"})
    assert (order["default"]["release"], order["next"]["release"]) == (OLD, NEW)
    assert boot_order(UBUNTU, {"saved_entry": OLD_SPEC})["next"] is None
    assert boot_order(UBUNTU, None)["next"] is None


def test_an_armed_entry_of_old_grub_is_next():
    """GRUB 1.99 arms by saving the entry, and keeps the real one as prev_saved_entry."""
    order = boot_order(UBUNTU, {"saved_entry": "1>0", "prev_saved_entry": OLD_SPEC})
    assert (order["default"]["release"], order["next"]["release"]) == (OLD, NEW)


def test_running_the_configuration_clears_the_armed_entry():
    ran = run_grub_cfg(UBUNTU, {"saved_entry": OLD_SPEC, "next_entry": "1>0"})
    assert ran["env"] == {"saved_entry": OLD_SPEC, "next_entry": ""}
    assert ran["saved"] == ["next_entry"]


@pytest.mark.parametrize(
    "text, honours",
    [
        (UBUNTU, True),
        (fake_hosts.debian_cfg([NEW], default="0"), True),
        (fake_hosts.BLS_CFG, True),
        ("set default=0\n" + fake_hosts.menuentry("a", "a", OLD), False),
        (
            'load_env\nset default="${next_entry}"\n' + fake_hosts.menuentry("a", "a", OLD),
            False,
        ),  # never cleared: not one shot
        ('set default="${next_entry}"\nset next_entry=\nsave_env next_entry\n', False),  # never loaded
        ("", False),
    ],
)
def test_whether_a_configuration_takes_an_armed_entry(text, honours):
    assert boot_order(text, {})["honours_next"] is honours


def test_a_missing_block_does_not_speak_against_a_configuration():
    assert boot_order(UBUNTU, None)["honours_next"] is True


def test_enterprise_linux_7_saves_titles():
    text = fake_hosts.el7_cfg(["3.10.0-1160.el7.x86_64", "3.10.0-693.el7.centos.toa.x86_64"])
    assert default_of(text, {}) == "3.10.0-1160.el7.x86_64"
    assert (
        default_of(text, {"saved_entry": "CentOS Linux (3.10.0-693.el7.centos.toa.x86_64) 7 (Core)"})
        == "3.10.0-693.el7.centos.toa.x86_64"
    )
    assert default_of(text, {"saved_entry": "1"}) == "3.10.0-693.el7.centos.toa.x86_64"


def test_boot_counting_falls_back_to_the_second_entry():
    entries = [
        parse_bls_entry("linux /vmlinuz-5.14.0-%d.el9.x86_64\n" % build, "id-5.14.0-%d.el9.x86_64.conf" % build)
        for build in (70, 284)
    ]
    bls = sort_bls(entries)
    assert default_of(fake_hosts.BLS_CFG, {"boot_counter": "2", "boot_success": "0"}, bls) == "5.14.0-284.el9.x86_64"
    assert default_of(fake_hosts.BLS_CFG, {"boot_counter": "0", "boot_success": "0"}, bls) == "5.14.0-70.el9.x86_64"
    assert default_of(fake_hosts.BLS_CFG, {"boot_counter": "0", "boot_success": "1"}, bls) == "5.14.0-284.el9.x86_64"


@pytest.mark.parametrize(
    "word, words",
    [
        ("a", ["a"]),
        ("a>b>c", ["a", "b", "c"]),
        ("a>>b>c", ["a>b", "c"]),
        ("", [""]),
        ("1>2", ["1", "2"]),
    ],
)
def test_specs(word, words):
    assert split_spec(word) == words


def test_a_title_with_an_arrow_is_named_with_two():
    text = "set default=0\n" + fake_hosts.menuentry("a > b", "", OLD) + fake_hosts.menuentry("c", "", NEW)
    entries = run_grub_cfg(text)["entries"]
    assert entries[0]["spec"] == "a >> b"
    assert find_entry(entries, "a >> b") is entries[0]
    assert find_entry(entries, "a > b") is None


def test_find_entry_is_strict_where_grub_is_not():
    entries = run_grub_cfg(UBUNTU)["entries"]
    assert find_entry(entries, "nothing") is None
    assert find_entry(entries, "1>99") is None
    assert find_entry(entries, "0>1") is None
    assert find_entry(entries, OLD_SPEC)["release"] == OLD
    assert pick_entry([], "0") is None


def test_the_entry_of_a_release_is_named_by_what_stays():
    entries = run_grub_cfg(UBUNTU)["entries"]
    assert entry_of_release(entries, OLD)["spec"] == OLD_SPEC
    assert entry_of_release(entries, NEW)["spec"] == "gnulinux-advanced-2c1f>gnulinux-%s-advanced-2c1f" % NEW
    assert entry_of_release(entries, "4.4.0") is None
    assert find_entry(entries, entry_of_release(entries, OLD)["spec"])["release"] == OLD


def test_every_spec_names_its_entry():
    entries = run_grub_cfg(UBUNTU)["entries"]
    for entry in bootable(entries):
        assert find_entry(entries, entry["spec"]) is entry


def test_quoting_comments_and_continuations():
    text = r"""
# menuentry 'commented out' { linux /vmlinuz-1.1 ; }
a=1; set b="x${a}y$a"  # tail
if [ "$b" = 'x1y1' -a ! "$c" ] ; then set default="it'\"s \$5 ${none}"; else set default=wrong; fi
menuentry "say \"hi\" {really}" --hotkey=h --id=quoted {
  linux \
    /boot/vmlinuz-5.10.0-27-amd64 root=/dev/sda1 init="/bin/a b" 'x=#1'
}
"""
    ran = run_grub_cfg(text)
    assert ran["default"] == "it'\"s $5 "
    assert [(entry["title"], entry["id"]) for entry in ran["entries"]] == [('say "hi" {really}', "quoted")]
    assert ran["entries"][0]["options"] == "root=/dev/sda1 init=/bin/a b x=#1"
    assert ran["entries"][0]["release"] == "5.10.0-27-amd64"


@pytest.mark.parametrize(
    "condition, truth",
    [
        ('[ -n "$set" ]', True),
        ('[ -z "$set" ]', False),
        ("[ $set ]", True),
        ("[ $unset ]", False),
        ("[ a == a ]", True),
        ("[ a != a ]", False),
        ("[ 2 -gt 10 ]", False),
        ("[ 10 -gt 2 ]", True),
        ("[ x -gt 1 ]", False),
        ("test a = a", True),
        ("true", True),
        ("false", False),
        ("[ a = b -o a = a ]", True),
        ("[ a = a -a a = b ]", False),
        ("[ -f /nothing ]", False),
        ("loadfont unicode", False),
    ],
)
def test_conditions(condition, truth):
    assert (
        run_grub_cfg("set=1\nif %s; then set default=yes; else set default=no; fi" % condition)["default"] == "yes"
    ) is truth


def test_elif_loops_and_functions():
    text = """
function pick { set default=2; }
if false; then set default=0; elif true; then pick; else set default=1; fi
for x in a b; do set default=loop; done
while true; do set default=for_ever; done
menuentry one { if [ 1 = 2 ]; then linux16 /vmlinuz-3.10.0-693.el7.x86_64 ro; fi }
"""
    ran = run_grub_cfg(text)
    assert ran["default"] == "2"
    assert ran["entries"][0]["release"] == "3.10.0-693.el7.x86_64"


@pytest.mark.parametrize(
    "text",
    [
        "}" * 50,
        "{" * 3000,
        "if " * 3000,
        "submenu a { " * 3000,
        "function f { f; }\nf",
        "menuentry",
        "menuentry {",
        "submenu '",
        "set",
        "set =",
        "if",
        "fi fi fi",
        "menuentry 'a' { linux",
        "$",
        "${",
        "\\",
        '"',
        "load_env -f",
        "save_env",
        "unset",
        "then; do; done",
        "\0\1\2",
        u"\u201c\ud7ff",
    ],
)
def test_broken_configurations_never_raise(text):
    order = boot_order(text, {"next_entry": "1>1>1", "saved_entry": ">" * 500})
    assert set(order) == set(["entries", "uses_bls", "uses_legacy", "default", "next", "honours_next"])


def test_a_configuration_that_hands_over_to_a_menu_lst():
    assert boot_order("insmod legacycfg\nlegacy_configfile /boot/grub/menu.lst\n")["uses_legacy"] is True


@pytest.mark.parametrize(
    "path, release",
    [
        ("/boot/vmlinuz-4.4.87.toa", "4.4.87.toa"),
        ("/vmlinuz-3.10.0-693.el7.centos.toa.x86_64", "3.10.0-693.el7.centos.toa.x86_64"),
        ("($root)/vmlinuz-5.14.0-70.30.1.el9_0.x86_64", "5.14.0-70.30.1.el9_0.x86_64"),
        ("/boot/vmlinux-6.4.0-150600.21-default", "6.4.0-150600.21-default"),
        ("/boot/Image-6.4.0-default", "6.4.0-default"),
        ("/vmlinuz-0-rescue-3f5c0c1d", "0-rescue-3f5c0c1d"),
        ("/vmlinuz", ""),
        ("/boot/memtest86+.bin", ""),
        ("", ""),
        (None, ""),
    ],
)
def test_release_of_an_image(path, release):
    assert release_of_image(path) == release


# -- other files


def test_a_file_that_is_taken_in_runs_where_it_stands():
    files = {"/grub/a.cfg": "set default=1\nmenuentry 'from a' { linux /vmlinuz-1 }\n"}
    text = "if [ -f ${config_directory}/a.cfg ]; then\n  source $prefix/a.cfg\nfi\nmenuentry 'own' { linux /vmlinuz-2 }\n"
    result = run_grub_cfg(text, read=files.get)
    assert [entry["title"] for entry in result["entries"]] == ["from a", "own"]
    assert (result["default"], result["configfile"]) == ("1", "")
    assert [entry["title"] for entry in run_grub_cfg(text)["entries"]] == ["own"]


def test_a_file_that_is_handed_over_to_is_all_that_counts():
    files = {"(hd0)/grub2/b.cfg": "menuentry 'b' { linux /vmlinuz-3 }\n"}
    text = "menuentry 'first' { linux /vmlinuz-1 }\nset prefix=(hd0)/grub2\nconfigfile $prefix/b.cfg\nmenuentry 'late' { linux /vmlinuz-2 }\n"
    result = run_grub_cfg(text, read=files.get)
    assert [entry["title"] for entry in result["entries"]] == ["b"]
    assert result["configfile"] == "(hd0)/grub2/b.cfg"
    assert [entry["title"] for entry in run_grub_cfg(text)["entries"]] == ["first", "late"]


def test_a_submenu_that_hands_over_leaves_the_rest_of_the_menu():
    """SLES and others keep snapshots in a file of their own."""
    files = {"/snapshots.cfg": "menuentry 'snapshot' { linux /vmlinuz-3 }\n"}
    text = "submenu 'Snapshots' {\n  configfile /snapshots.cfg\n}\nmenuentry 'own' { linux /vmlinuz-2 }\n"
    result = run_grub_cfg(text, read=files.get)
    assert [entry["title"] for entry in result["entries"]] == ["Snapshots", "own"]
    assert [entry["title"] for entry in result["entries"][0]["entries"]] == ["snapshot"]


def test_files_that_take_in_each_other_come_to_an_end():
    read = []
    files = {"/a": "source /b\n" * 20, "/b": "source /a\n" * 20 + "configfile /a\n"}
    result = run_grub_cfg("source /a\n", read=lambda path: read.append(path) or files[path])
    assert result["entries"] == []
    assert len(read) < 100
