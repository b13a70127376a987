# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# rpm, on a user land that Debian's packages have brought: dpkg does its last work before, and then nothing tells of it any more.

prepare_packages() {
    mkdir -p /var/lib/rpm
    rpm --initdb
    install_package release/*.rpm
}

install_package() {
    # Debian's rpm advises against itself, on standard error; it is what is wanted here.
    rpm -i "$1"
}

finish_packages() {
    # Whatever asks for dpkg's database or tools to learn what this host is gets the answer of a host of this kind.
    rm -rf /var/lib/dpkg /var/lib/apt /var/cache/apt /etc/apt /etc/dpkg /etc/debian_version
    rm -f /usr/bin/dpkg* /usr/bin/apt* /usr/sbin/update-rc.d /usr/sbin/invoke-rc.d /usr/sbin/update-initramfs /usr/sbin/update-grub*
}
