# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# Debian's packages where SELinux will be in force: what was made before that has no label, and nothing might touch it then.

prepare_packages() {
    :
}

install_package() {
    DEBIAN_FRONTEND=noninteractive dpkg -i "$1"
}

finish_packages() {
    # The root by another way, on which nothing lies over the folders that things are mounted on.
    mount --bind / /mnt
    setfiles -F -r /mnt /etc/selinux/default/contexts/files/file_contexts /mnt
    umount /mnt
}
