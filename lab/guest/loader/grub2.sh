# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# GRUB 2 in the gap behind the master boot record; its configuration is written by update-grub when a kernel is installed.

prepare_loader() {
    mkdir -p /boot/grub
    grub-install --target=i386-pc "$1"
    # The kernel packages' hook runs update-grub only where there is a configuration already.
    : > /boot/grub/grub.cfg
}

check_loader() {
    grep -q "vmlinuz-$1 root=UUID=" /boot/grub/grub.cfg || update-grub
    grep -q "vmlinuz-$1 root=UUID=" /boot/grub/grub.cfg
    test -s /boot/grub/grubenv || grub-editenv /boot/grub/grubenv create
}
