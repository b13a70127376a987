# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh
# After rpm.sh, for kernels that are several packages: they are installed in one call, onto what an installer has written before.

install_package() {
    case $1 in
    kernel/kernel-core-*)
        prepare_bls /dev/vda
        rpm -i kernel/*.rpm
        ;;
    kernel/*) ;;
    *) rpm -i "$1" ;;
    esac
}
