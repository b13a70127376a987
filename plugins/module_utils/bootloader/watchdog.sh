# shellcheck shell=sh
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later

# Trial watchdog of realip.toa: reboots out of a trial boot that nobody confirms in time. Removed when the trial is over.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
LC_ALL=C
export PATH LC_ALL

dir=/var/lib/realip-toa
proc=/proc
kmsg=/dev/kmsg
console=/dev/console
poll=2
grace=90
reboot=reboot
force="reboot -f & sleep 10; echo 1 >$proc/sys/kernel/sysrq; echo s >$proc/sysrq-trigger; sleep 2; echo b >$proc/sysrq-trigger"
settings=$dir/watchdog.conf
now=0

first_line() { # FILE
    line=
    [ -r "$1" ] && read -r line <"$1"
    printf '%s' "$line"
}

setting() { # NAME
    while IFS='=' read -r name value; do
        if [ "$name" = "$1" ]; then
            printf '%s' "$value"
            return
        fi
    done <"$settings"
}

tick() { # now: seconds since this kernel started
    seconds=$(first_line "$proc/uptime")
    seconds=${seconds%%.*}
    case $seconds in
    '' | *[!0-9]*) now=$((now + 1)) ;;
    *) now=$seconds ;;
    esac
}

say() { # TEXT
    tick
    echo "$(date -u +%Y-%m-%dT%H:%M:%SZ) uptime=$now boot=$boot $1" 2>/dev/null >>"$dir/watchdog.log"
    [ -w "$kmsg" ] && echo "<4>realip-toa-trial-watchdog: $1" >>"$kmsg"
    # In the background: a serial console without a listener may block.
    [ -w "$console" ] && (echo "realip-toa-trial-watchdog: $1" >"$console") &
    # A panic must not take the last lines with it; in the background, since a broken disk may block.
    sync &
}

on_trial() {
    mark=$(setting mark)
    case " $(first_line "$proc/cmdline") " in
    *" ${mark:-nothing is marked} "*) return 0 ;;
    esac
    [ "$running" = "$trial" ]
}

verdict() { # REASON: said, left in state.json, and no second time
    say "$1"
    record=$dir/state.json
    if [ -f "$record" ] && (umask 077 &&
        sed "s/\"state\": \"armed\"/\"reason\": \"$1\", \"state\": \"reverted_by_watchdog\"/" "$record" >"$record.watchdog"); then
        mv -f "$record.watchdog" "$record"
    else
        rm -f "$record.watchdog"
    fi
    rm -f "$settings" "$dir/trial"
}

rewind() { # bytes in their place, where nobody has put others there meanwhile
    found=$(dd if="$rewind" bs=1 skip="$rewind_at" count=${#rewind_if} 2>/dev/null)
    # shellcheck disable=SC2059 # it is a format: bytes that printf(1) makes
    [ "$found" = "$rewind_if" ] && printf "$rewind_to" | dd of="$rewind" bs=1 seek="$rewind_at" conv=notrunc 2>/dev/null
}

go_back() {
    # A shell of its own, so that an orderly reboot may end this one and unmount what it reads from.
    sh -c "sleep $grace; [ -w $kmsg ] && echo '<4>realip-toa-trial-watchdog: forcing the reboot' >>$kmsg; $force" </dev/null >/dev/null 2>&1 &
    editenv=$1
    grubenv=$2
    # Spent already, where the boot loader can write; where it cannot, this is what ends the trial.
    [ -n "$editenv" ] && [ -f "$grubenv" ] && "$editenv" "$grubenv" unset next_entry
    [ -f "$rewind" ] && rewind
    sync
    $reboot || say "the command '$reboot' failed; the reboot is forced in ${grace}s"
}

trap '' HUP
[ -r "$settings" ] || exit 0
boot=$(first_line "$proc/sys/kernel/random/boot_id")
running=$(first_line "$proc/sys/kernel/osrelease" | tr -cd 'A-Za-z0-9._+~-')
trial=$(setting release)
timeout=$(setting timeout)
panic=$(setting panic)
case $timeout in
'' | *[!0-9]*) timeout=600 ;;
esac
[ "$boot" = "$(setting armed_boot)" ] && exit 0

if ! on_trial; then
    if [ -f "$dir/trial" ]; then
        verdict "kernel $trial had started, but that boot ended before anybody confirmed it; $running runs"
    else
        verdict "the trial boot of $trial left no trace (panic, hang, power loss, read-only disk, or it was never booted); $running runs"
    fi
    exit 0
fi

echo "$boot" 2>/dev/null >"$dir/trial"
say "trial boot of $running: going back unless confirmed within ${timeout}s"
while :; do
    if [ "$(first_line "$dir/confirmed")" = "$boot" ]; then
        say "confirmed"
        exit 0
    fi
    if [ ! -e "$settings" ]; then
        say "called off"
        exit 0
    fi
    tick
    [ "$now" -ge "$timeout" ] && break
    # The host's own sysctl settings may have told this kernel to stand still when it panics.
    [ -n "$panic" ] && [ "$(first_line "$proc/sys/kernel/panic")" = 0 ] && echo "$panic" 2>/dev/null >"$proc/sys/kernel/panic"
    sleep "$poll"
done
editenv=$(setting editenv)
grubenv=$(setting grubenv)
rewind=$(setting rewind)
rewind_at=$(setting rewind_at)
rewind_if=$(setting rewind_if)
rewind_to=$(setting rewind_to)
verdict "kernel $running was not confirmed within ${timeout}s; rebooting into the old kernel"
go_back "$editenv" "$grubenv"
