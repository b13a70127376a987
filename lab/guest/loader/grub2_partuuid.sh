# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# After grub2.sh, for Ubuntu's cloud images: GRUB_FORCE_PARTUUID, which Debian's GRUB does not know, and how boots that failed are recorded.

check_loader() {
    # The partition's identity begins with the disk's.
    printf '\055\262\362\046' | dd of=/dev/vda bs=1 seek=440 conv=notrunc status=none
    mv /etc/grub.d/10_linux /usr/lib/grub/10_linux
    cat > /etc/grub.d/10_linux <<-'LINUX'
	#!/bin/sh
	set -e
	/usr/lib/grub/10_linux | awk -v partuuid="$GRUB_FORCE_PARTUUID" -f /usr/lib/grub/partuuid.awk
	LINUX
    chmod 755 /etc/grub.d/10_linux
    # Only what is known to grub-mkconfig reaches its scripts.
    sed -i "s,^export GRUB_DEFAULT,export GRUB_FORCE_PARTUUID GRUB_DEFAULT," /usr/sbin/grub-mkconfig
    grep -q GRUB_FORCE_PARTUUID /usr/sbin/grub-mkconfig
    # What of the failed boot without an initramfs becomes the next one, before the saved entry is looked at.
    sed -i '/^if \[ "\\${next_entry}" \]/i\
if [ "\\${initrdfail}" = 2 ]; then\
   set initrdfail=\
elif [ "\\${initrdfail}" = 1 ]; then\
   set next_entry="\\${prev_entry}"\
   set prev_entry=\
   save_env prev_entry\
   if [ "\\${next_entry}" ]; then\
      set initrdfail=2\
   fi\
fi' /etc/grub.d/00_header
    grep -q initrdfail /etc/grub.d/00_header
    update-grub
    grep -q "vmlinuz-$1 root=PARTUUID=26f2b22d-01 ro .* panic=-1" /boot/grub/grub.cfg
    test -s /boot/grub/grubenv || grub-editenv /boot/grub/grubenv create
}
