#!/bin/sh
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Process 1 of a machine's very first start: turns the bare root image into the machine it plays, then switches off.
# Booted with -kernel, since there is no boot loader yet. Beside this file, in memory, lie loader.sh and packages.sh (see lab/hosts.py),
# settings, keys, the stock kernel's package, and what lab/dress says: `absent` lists what goes, `dress` holds what comes.

set -eu
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb
cd /run/lab
# shellcheck source=/dev/null
. ./settings          # HOST, KERNEL
# shellcheck source=/dev/null
. ./packages.sh       # prepare_packages, install_package FILE, finish_packages
# shellcheck source=/dev/null
. ./loader.sh         # prepare_loader DISK, check_loader RELEASE

finish() {
    # The machine switches off whatever happened; the lab reads the verdict from the console.
    status=$?
    trap - EXIT
    sync
    mount -o remount,ro / || status=1
    if [ $status -eq 0 ]; then echo "lab-install: done"; else echo "lab-install: failed in: $step"; fi
    sleep 1           # the console drains before the power goes
    reboot -f -d
}
step=start
trap finish EXIT
begin() { step=$1; echo "lab-install: $step"; }

begin "file systems"
# Where the stock kernel has an initramfs, that has mounted them.
mountpoint -q /proc || mount -t proc proc /proc
mountpoint -q /sys || mount -t sysfs sysfs /sys
mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
ln -sfn /proc/self/fd /dev/fd
uuid=$(blkid -s UUID -o value /dev/vda1)
# What udev would do; the boot loader's configuration then names the root by UUID, as on a real machine.
mkdir -p /dev/disk/by-uuid
ln -sfn ../../vda1 "/dev/disk/by-uuid/$uuid"
# Not checked when mounted: the journal is enough, and fsck takes 3 s of every start.
echo "UUID=$uuid / ext4 errors=remount-ro 0 0" > /etc/fstab

begin "dress"
while read -r path; do rm -rf "/${path:?}"; done < absent
tar -c -C dress . | tar -x -C / --no-overwrite-dir --keep-directory-symlink

begin "identity"
echo "$HOST" > /etc/hostname
hostname "$HOST"
printf '127.0.0.1\tlocalhost\n127.0.1.1\t%s\n::1\tlocalhost ip6-localhost ip6-loopback\n' "$HOST" > /etc/hosts
: > /etc/machine-id
rm -f /etc/ssh/ssh_host_*
install -m 600 ssh_host_ed25519_key /etc/ssh/
install -m 644 ssh_host_ed25519_key.pub /etc/ssh/

begin "users"
useradd -m -s /bin/bash ops
echo ops:ops | chpasswd
usermod -p '*' root
for home in /root /home/ops; do
    mkdir -p $home/.ssh
    chmod 700 $home/.ssh
    install -m 600 authorized_keys $home/.ssh/authorized_keys
done
chown -R ops: /home/ops/.ssh
chmod 440 /etc/sudoers.d/lab-ops

begin "packages"
prepare_packages

begin "boot loader"
prepare_loader /dev/vda

begin "stock kernel"
for package in kernel/*; do
    [ ! -e "$package" ] || install_package "$package"
done
check_loader "$KERNEL"
finish_packages
