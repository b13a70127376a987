# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# After grub2_el.sh, for Enterprise Linux from 8 on: entries are files in /boot/loader/entries, and GRUB is one that has blscfg.

prepare_bls() { # DISK
    # As its installer does, before the first kernel comes: the host's identity, which is part of an entry's name, and the command line.
    echo "$HOST" | md5sum | cut -c 1-32 > /etc/machine-id
    (
        # shellcheck source=/dev/null
        . /etc/default/grub
        echo "root=UUID=$(blkid -s UUID -o value "${1}1") ro $GRUB_CMDLINE_LINUX" > /etc/kernel/cmdline
    )
    mkdir -p -m 700 /boot/loader/entries
    rm -rf /boot/grub2/i386-pc
    cp -r grub /boot/grub2/i386-pc
    grub2-mkimage -d /boot/grub2/i386-pc -O i386-pc -p '(hd0,msdos1)/boot/grub2' -o /boot/grub2/i386-pc/core.img biosdisk part_msdos ext2
    grub2-bios-setup -d /boot/grub2/i386-pc -m /boot/grub2/device.map "$1"
    # The option of this family's grub2-mkconfig by which command lines stay as they are.
    sed -i -e '0,/^set -e/s//set -e\nexport GRUB_GRUBENV_UPDATE=yes/' \
        -e 's/^\( *\)-h | --help)/\1--no-grubenv-update) GRUB_GRUBENV_UPDATE=no ;;\n&/' \
        -e 's/^ *print_option_help "-h, --help".*/&\n    print_option_help "--no-grubenv-update" "do not update variables in the grubenv file"/' /usr/sbin/grub2-mkconfig
    grub2-mkconfig --help | grep -q no-grubenv-update
}

check_loader() {
    grub2-mkconfig -o /boot/grub2/grub.cfg
    grep -q '^blscfg' /boot/grub2/grub.cfg
    entry=$(cat /etc/machine-id)-$1
    grep -q "^linux /boot/vmlinuz-$1\$" "/boot/loader/entries/$entry.conf"
    grub2-editenv list | grep -qx "saved_entry=$entry"
    test -s "/boot/initramfs-$1.img"
    # It was for the installer; entries have it now, or the environment block.
    [ "$(sed -n 's/^el=//p' /etc/vendor-tools)" -ge 9 ] || rm /etc/kernel/cmdline
}
