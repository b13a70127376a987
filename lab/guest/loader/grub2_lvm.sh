# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# GRUB 2 in the gap behind the master boot record, with /boot on a logical volume, which it reads and never writes.

prepare_loader() {
    modprobe dm-mod
    # No udev is here to make devices.
    alone='activation { udev_sync=0 udev_rules=0 verify_udev_operations=1 }'
    pvcreate -qq "${1}2"
    vgcreate -qq vg0 "${1}2"
    lvcreate -qq -y --config "$alone" --zero n --wipesignatures n -n boot -l 100%FREE vg0
    volume=/dev/mapper/vg0-boot
    mkfs.ext4 -q "$volume"
    mount "$volume" /mnt
    cp -a /boot/. /mnt/
    umount /mnt
    find /boot -mindepth 1 -delete
    mount "$volume" /boot
    # A busy computer emulates udev slowly.
    echo "UUID=$(blkid -s UUID -o value "$volume") /boot ext4 defaults,x-systemd.device-timeout=10min 0 0" >> /etc/fstab
    mkdir -p /boot/grub
    grub-install --target=i386-pc "$1"
    # The kernel packages' hook runs update-grub only where there is a configuration already.
    : > /boot/grub/grub.cfg
}

check_loader() {
    grep -q "vmlinuz-$1 root=UUID=" /boot/grub/grub.cfg || update-grub
    grep -q "vmlinuz-$1 root=UUID=" /boot/grub/grub.cfg
    test -s /boot/grub/grubenv || grub-editenv /boot/grub/grubenv create
    umount /boot
}
