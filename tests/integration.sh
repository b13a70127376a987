#!/bin/sh
# This machine, or the tests named: a real sshd on loopback, network namespaces, cgroups, real tools. Needs root for namespaces.
set -eu
cd "$(dirname "$0")/.."
VENVS="${REALIP_VENVS:-${XDG_CACHE_HOME:-$HOME/.cache}/realip-toa/venvs}"
run() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -E "$@"; fi; }
[ $# -gt 0 ] || set -- --durations=20 tests/integration
run "$VENVS/dev/bin/python" -m pytest -p no:cacheprovider -q "$@"
