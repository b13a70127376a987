# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""boot.py where GRUB 2 is Red Hat's: EL 7 with grubby's menu, EL 8 and EL 9 with a file for each entry, and the tools of each."""

from __future__ import absolute_import, division, print_function

import os

import pytest
from ansible_collections.realip.toa.plugins.module_utils.bootloader.detect import look
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError
from el_samples import MACHINE_ID, NEW7, NEW8, STOCK7, STOCK8, TITLE7, El7, El8, El9

KINDS = [El7, El8, El9]


@pytest.fixture(params=KINDS, ids=[kind.__name__ for kind in KINDS])
def host(request, tmp_path):
    return request.param(tmp_path)


@pytest.fixture
def el7(tmp_path):
    return El7(tmp_path)


@pytest.fixture
def el8(tmp_path):
    return El8(tmp_path)


def asked(host):
    """What the distribution's own tool says is the default."""
    return host.tools.run(["grubby", "--default-kernel"])[1].strip()


def test_the_sequence(host):
    before = host.files()
    assert host.do("default", host.stock)["changed"]
    host.install(host.new)
    assert host.boot() == host.stock
    result = host.do("armed", host.new)
    assert result["after"] == {
        "default": host.stock,
        "next": host.new,
        "trial": host.new,
        "watchdog": True,
        "grub_default_setting": "saved",
    }
    assert host.checked == host.read("/boot/grub2/custom.cfg")
    assert not host.do("armed", host.new)["changed"]
    assert host.boot() == host.new
    assert host.told_of_trial()
    assert host.boot() == host.stock
    assert host.do("armed", host.new)["changed"]
    assert host.boot() == host.new
    assert host.do("confirmed", host.new)["after"]["default"] == host.new
    assert host.boot() == host.new
    assert not [argv for argv in host.ran if argv[0].endswith("mkconfig")]
    host.do("reverted")
    host.uninstall(host.new)
    assert host.do("reverted", restore=True)["after"]["default"] == host.stock
    assert host.files() == before


def test_a_kernel_that_is_installed_later_does_not_become_the_default(host):
    """UPDATEDEFAULT=yes is Enterprise Linux's own setting; it says no for as long as a kernel is pinned, and yes again when all is undone."""
    host.do("default", host.stock)
    assert "\nUPDATEDEFAULT=no\n" in host.text("/etc/sysconfig/kernel")
    host.install(host.new)
    host.do("armed", host.new)
    host.install(host.older)
    assert host.boot() == host.new
    host.do("confirmed", host.new)
    host.uninstall(host.older)
    host.install(host.older)
    assert host.boot() == host.new
    host.do("reverted")
    host.do("reverted", restore=True)
    assert "\nUPDATEDEFAULT=yes\n" in host.text("/etc/sysconfig/kernel")


def test_without_us_a_kernel_is_the_default_before_it_has_an_initramfs(host):
    """What these stand-ins are for."""
    host.tools.dracut_fails = True
    host.install(host.new)
    assert host.boot() == host.new
    assert not os.path.exists(host.path("/boot/initramfs-%s.img" % host.new))


# -- the distribution's own tools --------------------------------------------------------------------------------------------


def test_its_own_tools_see_the_default_that_grub_sees_after_each_step(host):
    image = "/boot/vmlinuz-%s"
    host.do("default", host.stock)
    assert asked(host) == image % host.stock
    host.install(host.new)
    host.do("armed", host.new)
    assert asked(host) == image % host.stock
    host.boot()
    host.do("confirmed", host.new)
    assert asked(host) == image % host.new
    host.do("reverted")
    assert asked(host) == image % host.stock


def test_an_argument_that_somebody_adds_with_grubby_moves_no_default(host):
    for state, kernel in (("default", host.stock), ("confirmed", host.new), ("reverted", None)):
        if state == "confirmed":
            host.install(host.new)
            host.do("armed", host.new)
            host.boot()
        host.do(state, kernel)
        host.tools.run(["grubby", "--update-kernel=ALL", "--args=audit=1"])
        assert host.boot() == kernel or host.stock


def test_a_saved_id_is_written_anew_as_the_title_that_grubby_reads(el7):
    host = el7
    host.install(NEW7)
    host.set_environment({"saved_entry": "gnulinux-%s-advanced-0ac5c7b6" % STOCK7})
    assert asked(host) == ""
    assert host.do("default", STOCK7)["changed"]
    assert host.environment()["saved_entry"] == TITLE7 % STOCK7


def test_tools_that_see_another_default_end_the_call_and_all_is_put_back(host):
    host.do("default", host.stock)
    host.install(host.new)
    host.do("armed", host.new)
    host.boot()
    before = boot_loader_files(host)
    real = host.tools.run
    host.tools.run = lambda argv: (0, "/boot/vmlinuz-9.9.9\n", "") if "--default-kernel" in argv else real(argv)
    with pytest.raises(TargetError) as caught:
        host.do("confirmed", host.new)
    assert caught.value.code == "boot_not_verified"
    assert "`grubby --default-kernel` says 9.9.9 instead of %s" % host.new in caught.value.message
    assert boot_loader_files(host) == before
    assert host.boot() == host.stock


def boot_loader_files(host):
    return dict(
        (name, data)
        for name, data in host.files().items()
        if name.startswith(("/boot/", "/etc/default/", "/etc/sysconfig/"))
    )


def test_el7_id_of_another_kernel_is_never_used(el7):
    """Both entries have the stock kernel's id; GRUB takes the first one that fits, which is the new kernel's."""
    el7.install(NEW7)
    el7.do("default", STOCK7)
    assert el7.environment()["saved_entry"] == TITLE7 % STOCK7
    assert el7.boot() == STOCK7


def test_el8_saves_the_name_of_the_file(el8):
    el8.install(NEW8)
    el8.do("default", STOCK8)
    assert el8.environment()["saved_entry"] == "%s-%s" % (MACHINE_ID, STOCK8)


# -- generators ---------------------------------------------------------------------------------------------------------------


def with_number(host):
    """A host whose default is the first of its menu, as a number in /etc/default/grub and in grub.cfg."""
    host.write("/etc/default/grub", 'GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX="nobody keeps=this up to date"\n')
    text = host.text("/boot/grub2/grub.cfg")
    host.write("/boot/grub2/grub.cfg", text.replace('set default="${saved_entry}"', 'set default="0"'))
    values = host.environment()
    values.pop("saved_entry")
    host.set_environment(values)


def command_lines(host):
    """What the kernel of each entry would be told."""
    text = host.text("/boot/grub2/grub.cfg") + "".join(
        host.text("/boot/loader/entries/" + name)
        for name in sorted(os.listdir(host.path("/boot/loader/entries")) if host.bls() else [])
    )
    return [line for line in text.split("\n") if line.strip().startswith(("linux", "options"))], host.environment().get(
        "kernelopts"
    )


def test_pinning_and_restoring_change_no_command_line(host):
    with_number(host)
    before, lines = host.files(), command_lines(host)
    host.do("default", host.stock)
    assert host.boot() == host.stock
    assert command_lines(host) == lines
    host.do("reverted", restore=True)
    assert host.files() == before


@pytest.mark.parametrize("kind", [El8, El9])
@pytest.mark.parametrize("option", [True, False])
def test_a_generator_that_has_to_run_changes_no_command_line_that_stays(tmp_path, kind, option):
    """Nothing but the generator can make this grub.cfg take a saved entry; with or without its option the kernels' lines stay."""
    host = kind(tmp_path, mkconfig_option=option)
    with_number(host)
    lines = command_lines(host)
    text = host.text("/boot/grub2/grub.cfg")
    host.write("/boot/grub2/grub.cfg", text.replace('set default="0"', 'set  default="0"'))
    real = host.tools.mkconfig

    def mkconfig(options, words):
        again = host.text("/boot/grub2/grub.cfg").replace('set  default="0"', '   set default="0"')
        host.write("/boot/grub2/grub.cfg", again)
        return real(options, words)

    host.tools.mkconfig = mkconfig
    host.do("default", host.stock)
    assert [argv for argv in host.ran if argv[0].endswith("mkconfig")]
    assert command_lines(host) == lines
    assert host.boot() == host.stock


# -- other places -------------------------------------------------------------------------------------------------------------


def test_restore_from_an_open_trial_says_what_the_default_is_then(host):
    with_number(host)
    host.do("default", host.stock)
    host.install(host.new)
    host.do("armed", host.new)
    result = host.do("reverted", restore=True)
    assert host.boot() == result["after"]["default"]
    if not host.bls():
        assert result["after"]["default"] == host.new  # the first of the menu, as the operator's setting has it


def test_el7_with_grub_on_lvm(el7):
    el7.install(NEW7)
    el7.boot(STOCK7)
    el7.write("/proc/self/mountinfo", "22 1 253:0 / / rw - xfs /dev/mapper/centos-root rw\n")
    assert not el7.do("default", STOCK7)["one_shot"]["possible"]


def moved_to_efi(host):
    """grub.cfg and its environment block are on the EFI partition; what is below /boot/grub2 is a link to it."""
    host.GRUB = "/boot/efi/EFI/centos"
    for name in ("grub.cfg", "grubenv"):
        host.write(host.GRUB + "/" + name, host.read("/boot/grub2/" + name))
        host.remove("/boot/grub2/" + name)
    os.symlink("../efi/EFI/centos/grubenv", host.path("/boot/grub2/grubenv"))
    os.symlink("../boot/efi/EFI/centos/grub.cfg", host.path("/etc/grub2-efi.cfg"))
    os.makedirs(host.path("/sys/firmware/efi"))
    host.write("/proc/self/mountinfo", host.MOUNTS + "24 23 8:2 / /boot/efi rw - vfat /dev/sda2 rw\n")
    host.tools.config, host.tools.block = host.GRUB + "/grub.cfg", host.GRUB + "/grubenv"


def test_with_uefi(host):
    moved_to_efi(host)
    host.do("default", host.stock)
    host.install(host.new)
    assert host.do("armed", host.new)["after"]["next"] == host.new
    assert os.path.exists(host.path("/boot/efi/EFI/centos/custom.cfg"))
    assert host.boot() == host.new
    assert host.boot() == host.stock


STUBS = [
    "search --no-floppy --fs-uuid --set=dev 0ac5c7b6\nset prefix=($dev)/grub2\nexport $prefix\nconfigfile $prefix/grub.cfg\n",
    "search.fs_uuid 0ac5c7b6 root hd0,gpt2\nset prefix=($root)'/boot/grub2'\nconfigfile $prefix/grub.cfg\n",
    "set prefix=(hd0,gpt2)/grub2\nif [ -f $prefix/grub.cfg ]; then\n  configfile $prefix/grub.cfg\nfi\n",
    "set prefix=(hd0,gpt2)/grub2\nsource $prefix/hand-over.cfg\n",
    "configfile ${cmdpath}/bootuuid.cfg\nset prefix=/grub2\nconfigfile $prefix/grub.cfg\n",
]


@pytest.mark.parametrize("stub", STUBS)
def test_a_stub_on_the_efi_partition_is_followed_and_never_written(host, stub):
    """Cloud images of EL 8 and 9: the grub.cfg that the firmware's GRUB reads hands over to the one in /boot/grub2."""
    host.write("/boot/grub2/hand-over.cfg", "configfile $prefix/grub.cfg\n")
    host.write("/boot/efi/EFI/redhat/grub.cfg", stub)
    os.symlink("../boot/efi/EFI/redhat/grub.cfg", host.path("/etc/grub2-efi.cfg"))
    os.makedirs(host.path("/sys/firmware/efi"))
    assert look(host.root)["config"] == "/boot/grub2/grub.cfg"
    assert look(host.root)["default"] == host.stock
    host.do("default", host.stock)
    host.install(host.new)
    host.do("armed", host.new)
    assert host.boot() == host.new
    assert host.boot() == host.stock
    assert host.text("/boot/efi/EFI/redhat/grub.cfg") == stub


@pytest.mark.parametrize(
    "identity",
    [
        "00000000000000000000000000000000-%s",
        "0-%s",
        "99999999999999999999999999999999-%s",
        "zzz",
        "custom",
        "ffff-0-rescue",
        "~-1",
        "a-b-c-d",
    ],
)
def test_bls_trial_is_the_last_of_the_menu_and_the_way_back_the_first(el8, identity):
    """Whatever else is there: a host without a saved entry must not boot the trial, and boots the old kernel."""
    el8.do("default", STOCK8)
    el8.install(NEW8)
    el8.do("armed", NEW8)
    name = identity % NEW8 if "%" in identity else identity
    other = el8.text("/boot/loader/entries/%s-%s.conf" % (MACHINE_ID, NEW8))
    el8.write("/boot/loader/entries/%s.conf" % name, other)
    assert el8.bls()[-1]["id"] == "~realip-toa-trial"
    assert el8.bls()[0]["id"].endswith("-realip-back")
    el8.set_environment({"kernelopts": "root=/dev/sda1"})
    assert el8.boot() == STOCK8


@pytest.mark.parametrize("kind", [El8, El9])
def test_kernels_that_are_kept_in_folders_of_their_own(tmp_path, kind):
    """kernel-install with layout=bls: /boot/MACHINE-ID/RELEASE/linux, and the release is told by the entry alone."""
    host = kind(tmp_path)
    host.write("/etc/kernel/install.conf", "layout=bls\n")
    host.do("default", host.stock)
    host.install(host.new)
    assert not os.path.exists(host.path("/boot/vmlinuz-" + host.new))
    host.do("armed", host.new)
    assert host.boot() == host.new
    host.do("confirmed", host.new)
    assert host.boot() == host.new
    os.unlink(host.path("/boot/%s/%s/initrd" % (MACHINE_ID, host.new)))
    host.do("reverted")
    host.boot()
    with pytest.raises(TargetError) as caught:
        host.do("armed", host.new)
    assert caught.value.code == "kernel_incomplete"


def test_el8_without_initramfs(el8):
    el8.tools.dracut_fails = True
    el8.do("default", STOCK8)
    el8.install(NEW8)
    with pytest.raises(TargetError) as caught:
        el8.do("armed", NEW8)
    assert (caught.value.code, "initramfs-" + NEW8 in caught.value.message) == ("kernel_incomplete", True)
