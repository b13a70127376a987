# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# Debian's signed shim and GRUB 2 on an EFI system partition, where firmware without variables looks for them as well.

prepare_loader() {
    modprobe vfat
    mkfs.vfat "${1}2"
    uuid=$(blkid -s UUID -o value "${1}2")
    ln -sfn "../../${1##*/}2" "/dev/disk/by-uuid/$uuid"
    mkdir -p /boot/efi /boot/grub
    # A busy computer emulates udev slowly.
    echo "UUID=$uuid /boot/efi vfat umask=0077,x-systemd.device-timeout=10min 0 0" >> /etc/fstab
    mount /boot/efi
    grub-install --target=x86_64-efi --efi-directory=/boot/efi --no-nvram --force-extra-removable --uefi-secure-boot
    umount /boot/efi
    # The kernel packages' hook runs update-grub only where there is a configuration already.
    : > /boot/grub/grub.cfg
}

check_loader() {
    grep -q "vmlinuz-$1 root=UUID=" /boot/grub/grub.cfg || update-grub
    grep -q "vmlinuz-$1 root=UUID=" /boot/grub/grub.cfg
    test -s /boot/grub/grubenv || grub-editenv /boot/grub/grubenv create
}
