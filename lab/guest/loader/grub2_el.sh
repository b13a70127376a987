# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# GRUB 2 under the names of Enterprise Linux 7: grub2-* commands, /boot/grub2, /etc/grub2.cfg, the saved entry as the default.

os_release() { # FIELD
    sed -n "s/^$1=\"\(.*\)\"/\1/p" /usr/lib/os-release
}

prepare_loader() {
    # Debian's programs, scripts and paths by the other name. What is compiled in is told by a path or by a script of the lab.
    for program in /usr/bin/grub-* /usr/sbin/grub-*; do
        mv "$program" "${program%/*}/grub2-${program##*/grub-}"
    done
    rm -f /usr/sbin/update-grub /usr/sbin/update-grub2 /etc/grub.d/05_debian_theme
    mv /usr/bin/grub2-editenv /usr/lib/grub/editenv
    cat > /usr/bin/grub2-editenv <<-'EDITENV'
	#!/bin/sh
	# Where no file is named it is this distribution's.
	case $1 in
	create | list | set | unset) set -- - "$@" ;;
	esac
	[ "$1" != - ] || { shift; set -- /boot/grub2/grubenv "$@"; }
	exec /usr/lib/grub/editenv "$@"
	EDITENV
    chmod 755 /usr/bin/grub2-editenv
    sed -i -E 's,(bindir\}/|"\$\()grub-,\1grub2-,g; s,/boot/grub\>,/boot/grub2,g; s,(bootdir\})/grub\>,\1/grub2,g' \
        /usr/sbin/grub2-mkconfig /usr/sbin/grub2-reboot /usr/sbin/grub2-set-default /usr/share/grub/grub-mkconfig_lib /etc/grub.d/00_header
    # Titles as this family writes them, by which grubby and people know a kernel; Debian's would correct a default that has such a title.
    version=$(os_release VERSION)
    # shellcheck disable=SC2016 # the script's own
    sed -i -e 's,"%s\, with Linux %s" "\${os}" "\${version}",'"'%s (%s) $version'"' "${os}" "${version}",' \
        -e 's,OS="\${GRUB_DISTRIBUTOR} GNU/Linux",OS="${GRUB_DISTRIBUTOR}",' -e 's,x"\$GRUB_ACTUAL_DEFAULT",x-,g' /etc/grub.d/10_linux

    rm -rf /boot/grub
    mkdir /boot/grub2
    cp -r /usr/lib/grub/i386-pc /boot/grub2/
    grub2-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub2' -o /boot/grub2/i386-pc/core.img biosdisk part_msdos ext2
    echo "(hd0) $1" > /boot/grub2/device.map
    grub2-bios-setup -d /boot/grub2/i386-pc -m /boot/grub2/device.map "$1"
    ln -s ../boot/grub2/grub.cfg /etc/grub2.cfg
    grub2-editenv create
}

check_loader() {
    # The installer makes the kernel that it installs the default, by its title.
    title="$(os_release NAME) ($1) $(os_release VERSION)"
    grub2-set-default "$title"
    grub2-mkconfig -o /boot/grub2/grub.cfg
    grep -q "menuentry '$title'" /boot/grub2/grub.cfg
    grep -q "vmlinuz-$1 root=UUID=" /boot/grub2/grub.cfg
    test -s "/boot/initramfs-$1.img"
}
