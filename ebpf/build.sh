#!/bin/sh
# Builds the object of the eBPF backend: ebpf/build.sh [FILE], by default the one that is committed.
# What is left out of it are debugging symbols; the BTF stays, because the kernel wants it for the sockets' storage and for global functions.
set -eu
cd "$(dirname "$0")/.."
out=${1:-plugins/plugin_utils/ebpf/toa.bpf.o}
clang -O2 -g -Wall -Wextra -Werror -target bpf -fdebug-compilation-dir=. "-I/usr/include/$(uname -m)-linux-gnu" -c ebpf/toa.bpf.c -o "$out.tmp"
llvm-objcopy --strip-debug --remove-section=.rel.BTF.ext --remove-section=.llvm_addrsig "$out.tmp" "$out"
rm -f "$out.tmp"
