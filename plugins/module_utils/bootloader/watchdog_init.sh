# shellcheck shell=sh
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later

### BEGIN INIT INFO
# Provides:          realip-toa-trial-watchdog
# Required-Start:    $local_fs
# Required-Stop:
# Default-Start:     2 3 4 5
# Default-Stop:
# Short-Description: realip.toa trial watchdog
# Description:       Goes back to the old kernel unless the new one is confirmed in time.
### END INIT INFO
# chkconfig: 2345 01 99
# description: Goes back to the old kernel unless the new one is confirmed in time.

script=/var/lib/realip-toa/watchdog.sh
settings=/var/lib/realip-toa/watchdog.conf

case "$1" in
start)
    [ -r "$settings" ] || exit 0
    /bin/sh "$script" </dev/null >/dev/null 2>&1 &
    ;;
esac
exit 0
