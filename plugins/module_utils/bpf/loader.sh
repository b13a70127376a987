# shellcheck shell=sh
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later

# realip.toa: attaches the eBPF programs that show the real client address; managed, do not edit.
# loader.sh attach: as the files beside it say; nothing changes where that is so already. loader.sh detach: all of it, pins and maps too.
# loader.sh watch: attach again what somebody has taken, and learn the host's addresses of today; for the timer.
# Says on stderr what went wrong, in one line that begins with a code.

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
export PATH LC_ALL

dir=/var/lib/realip-toa/ebpf
pins=/sys/fs/bpf/realip-toa
own_cgroup2=/run/realip-toa/cgroup2
shared_maps=''
all_programs=''
added=''
loaded=''

fail() { # CODE TEXT
    undo
    echo "$1: $2" | tr '\n' ' ' >&2
    echo >&2
    exit 1
}

other_bpftool() { # Ubuntu's is a script that wants the one of the running kernel; that of any kernel will do
    for tool in /usr/lib/linux-tools/*/bpftool /usr/lib/linux-tools-*/bpftool; do
        "$tool" version >/dev/null 2>&1 || continue
        PATH=${tool%/*}:$PATH
        return 0
    done
    return 1
}

undo() { # what this run has done, last first
    for id in $added; do
        bpftool cgroup detach "$cgroup" "$(hook_of "$(name_of_id "$id")")" id "$id" 2>/dev/null
    done
    for pin in $loaded; do
        rm -rf "$pin"
    done
    rmdir "$pins" 2>/dev/null
    added=''
    loaded=''
}

hook_of() { # PROGRAM
    case $1 in
    realip_peer4) echo getpeername4 ;;
    realip_peer6) echo getpeername6 ;;
    realip_getopt) echo getsockopt ;;
    realip_sockops) echo sock_ops ;;
    esac
}

mounted() { # TYPE: the first mount point of it, the usual one of cgroup v2 before others
    found=''
    while read -r _device point type _rest; do
        [ "$type" = "$1" ] || continue
        if [ -z "$found" ] || [ "$point" = /sys/fs/cgroup ] || [ "$point" = /sys/fs/bpf ]; then
            found=$point
        fi
    done </proc/mounts
    echo "$found"
}

# bpftool fills its columns up with spaces, which `read` drops at the end of a line.
programs_here() { # lines of: id, hook, name (or the last thing that is said of a program without one)
    bpftool cgroup show "$cgroup" 2>/dev/null | while read -r id hook rest; do
        case $id in
        *[!0-9]* | '') continue ;;
        esac
        echo "$id $hook ${rest##* }"
    done
}

name_of_id() { # ID
    programs_here | while read -r id _hook name; do
        [ "$id" = "$1" ] && echo "$name"
    done
}

id_of_pin() { # PIN
    bpftool prog show pinned "$1" 2>/dev/null | sed -n '1s/^\([0-9]*\):.*/\1/p'
}

settle() { # what to work on
    [ -r "$dir/settings" ] || fail not_installed "$dir/settings cannot be read"
    generation='' cgroup='' getsockopt=1 accept_conflicts=0
    # shellcheck source=/dev/null
    . "$dir/settings"
    bpftool version >/dev/null 2>&1 || other_bpftool || fail bpftool_missing "bpftool cannot be run"
    mount_cgroup2
    [ -n "$cgroup" ] || cgroup=$(mounted cgroup2)
    [ -d "$cgroup" ] || fail no_cgroup2 "there is no cgroup $cgroup"
    mount_bpffs
    refuse_strangers
}

mount_cgroup2() { # on a host with cgroup v1 alone: programs on the root of v2 see every process, and v1 stays as it is
    [ -z "$(mounted cgroup2)" ] || return 0
    { (umask 077 && mkdir -p "$own_cgroup2") && mount -t cgroup2 none "$own_cgroup2"; } ||
        fail no_cgroup2 "no cgroup v2 is mounted, and it cannot be mounted on $own_cgroup2"
}

mount_bpffs() { # nobody but root shall make anything there: in a folder of theirs, our pins would be theirs
    [ "$(mounted bpf)" = /sys/fs/bpf ] || mount -t bpf -o mode=0700 bpf /sys/fs/bpf ||
        fail no_bpffs "the BPF file system cannot be mounted on /sys/fs/bpf"
}

refuse_strangers() { # a folder of pins that somebody else has made
    for folder in "$pins" "$pins/$generation"; do
        [ -e "$folder" ] || [ -h "$folder" ] || continue
        # shellcheck disable=SC2012 # one folder, whose name is ours; stat(1) is not everywhere
        case $(ls -ldn "$folder" | { read -r mode _links owner _rest && echo "$mode $owner"; }) in
        d????-??-?*' 0') ;;
        *) fail pins_not_ours "$folder is not a folder that only root can have made and filled" ;;
        esac
    done
}

refuse_others() {
    others=$(programs_here | while read -r id hook name; do
        case $hook in
        *getpeername*) ;;
        *) continue ;;
        esac
        case $name in
        realip_*) ;;
        *) echo "$hook: $name (id $id)" ;;
        esac
    done)
    [ -z "$others" ] || [ "$accept_conflicts" = 1 ] || fail conflict_ebpf_getpeername "$others"
}

load_with() { # maps of the generation before, by the words of bpftool
    rm -rf "$programs-new"
    said=$(bpftool prog loadall "$dir/toa.bpf.o" "$programs-new" "$@" pinmaps "$programs-new/maps" 2>&1)
}

load() { # the object, beside what is there
    [ -d "$pins" ] || mkdir -m 0700 "$pins" || fail no_bpffs "$pins cannot be made"
    loaded="$programs $programs-new"
    set --
    for map in $shared_maps; do
        for old in "$pins"/*/maps/"$map"; do
            [ -e "$old" ] || continue
            set -- "$@" map name "$map" pinned "$old"
            break
        done
    done
    # Those of another release may have another layout.
    load_with "$@" || load_with || fail load_failed "the kernel does not take the programs: $(echo "$said" | tail -n 12)"
    rm -rf "$programs"
    mv "$programs-new" "$programs" || fail load_failed "the programs cannot be pinned in $programs"
}

own_addresses() { # those of this host, which no client has, into the map of them
    own=$programs/maps/realip_own
    [ -e "$own" ] || return 0
    wanted=$({
        sed 's/ .*//' /proc/net/if_inet6
        # With the whole of the Internet's routes the list is long; then only the address that a connection came to is known.
        if [ "$(head -n 5000 /proc/net/route | wc -l)" -lt 5000 ]; then
            sed -n '/|-- /{s/.*|-- //;h;};/\/32 host LOCAL/{g;p;}' /proc/net/fib_trie | sort -u | while IFS=. read -r a b c d; do
                printf '00000000000000000000ffff%02x%02x%02x%02x\n' "$a" "$b" "$c" "$d"
            done
        fi
    } 2>/dev/null | sed 's/../ &/g; s/^ //')
    known=$(bpftool -j map dump pinned "$own" 2>/dev/null | tr '{' '\n' | sed -n 's/^"key":\["0x\([^]]*\)"\].*/\1/p' | sed 's/","0x/ /g')
    {
        echo "$known" | while read -r key; do
            case $wanted in
            *"$key"*) ;;
            *) echo "map delete pinned $own key hex $key" ;;
            esac
        done
        echo "$wanted" | while read -r key; do
            case $known in
            *"$key"*) ;;
            *) echo "map update pinned $own key hex $key value hex 01 00 00 00" ;;
            esac
        done
    } | bpftool batch file - >/dev/null 2>&1
    return 0
}

fill() { # the maps of this generation
    said=$(bpftool batch file "$dir/maps" 2>&1) || fail maps_refused "$said"
}

section_of() { # PROGRAM
    case $1 in
    realip_sockops) echo sockops ;;
    *) echo "cgroup_$(hook_of "$1")" ;;
    esac
}

pin_of() { # PROGRAM SECTION: bpftool pins by the name of the function, before 6 by that of the section
    for pin in "$programs/$1" "$programs/$2"; do
        [ -e "$pin" ] && echo "$pin"
    done
}

is_attached() { # is any program of this generation? What is only pinned may have been changed since it was filled
    for pin in "$programs"/*; do
        [ -f "$pin" ] || continue
        id=$(id_of_pin "$pin")
        [ -n "$id" ] && programs_here | grep -q "^$id " && return 0
    done
    return 1
}

attach_one() { # PROGRAM SECTION
    pin=$(pin_of "$1" "$2")
    id=$(id_of_pin "${pin:-/}")
    [ -n "$id" ] || fail load_failed "program $1 is not pinned in $programs"
    keep="$keep $id "
    programs_here | grep -q "^$id " && return
    said=$(bpftool cgroup attach "$cgroup" "$(hook_of "$1")" pinned "$pin" multi 2>&1) ||
        fail attach_refused "$(hook_of "$1") of $cgroup: $said"
    added="$id $added"
}

detach_ours() { # all but those whose ids are in $keep
    programs_here | while read -r id _hook name; do
        case $name in
        realip_*) ;;
        *) continue ;;
        esac
        case $keep in
        *" $id "*) ;;
        *) bpftool cgroup detach "$cgroup" "$(hook_of "$name")" id "$id" ;;
        esac
    done
}

attach() {
    settle
    refuse_others
    [ -n "$generation" ] || fail not_installed "$dir/settings names no generation"
    programs=$pins/$generation
    keep=''
    is_attached || load
    own_addresses
    fill
    attach_one realip_peer4 cgroup_getpeername4
    attach_one realip_peer6 cgroup_getpeername6
    [ "$getsockopt" = 0 ] || attach_one realip_getopt cgroup_getsockopt
    attach_one realip_sockops sockops
    detach_ours
    for old in "$pins"/*; do
        [ "$old" = "$programs" ] || rm -rf "$old"
    done
}

detach() {
    settle
    keep=''
    detach_ours
    rm -rf "$pins"
    if [ "$cgroup" = "$own_cgroup2" ]; then
        umount "$own_cgroup2" && rmdir "$own_cgroup2"
    fi
}

is_whole() { # is all of this generation attached that should be?
    for program in $all_programs; do
        [ "$program" != realip_getopt ] || [ "$getsockopt" != 0 ] || continue
        id=$(id_of_pin "$(pin_of "$program" "$(section_of "$program")")")
        [ -n "$id" ] && programs_here | grep -q "^$id " || return 1
    done
}

watch() { # somebody who takes them again and again is left alone for longer each time, up to an hour
    [ -r "$dir/settings" ] || exit 0
    settle
    [ -n "$generation" ] || exit 0
    programs=$pins/$generation
    if is_whole; then
        own_addresses
        exit 0
    fi
    count=0 last=0 pause=0
    # shellcheck disable=SC2034 # the rest of a line
    [ ! -r "$dir/restored" ] || read -r count last pause rest <"$dir/restored"
    read -r up rest </proc/uptime
    up=${up%.*}
    if [ "$last" -gt "$up" ] || [ $((up - last)) -gt $((2 * pause + 600)) ]; then
        last=$up pause=0 # booted since, or at peace for long
    fi
    [ $((up - last)) -ge "$pause" ] || exit 0
    pause=$((pause == 0 ? 30 : pause < 1800 ? 2 * pause : 3600))
    echo "$count $up $pause" >"$dir/restored"
    attach
    count=$((count + 1))
    echo "$count $up $pause" >"$dir/restored"
    echo "the eBPF programs were gone, and are attached again; $count time(s) by now" >&2
}

# One at a time: the timer must not attach what is being detached.
if [ -r "$dir" ] && command -v flock >/dev/null; then
    exec 9<"$dir"
    flock -w 60 9
fi

case $1 in
attach | detach | watch) "$1" ;;
mount)
    mount_cgroup2
    mount_bpffs
    ;;
*)
    echo "usage: $0 attach|detach|watch|mount" >&2
    exit 2
    ;;
esac
