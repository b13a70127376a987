# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=sh

prepare_packages() {
    :
}

install_package() {
    DEBIAN_FRONTEND=noninteractive dpkg -i "$1"
}

finish_packages() {
    :
}
