#!/bin/sh
# This machine: a real sshd on loopback, network namespaces, cgroups, real tools. Needs root for namespaces.
set -eu
cd "$(dirname "$0")/.."
VENVS="${REALIP_VENVS:-${XDG_CACHE_HOME:-$HOME/.cache}/realip-toa/venvs}"
run() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -E "$@"; fi; }
run "$VENVS/dev/bin/python" -m pytest -p no:cacheprovider -q --durations=20 tests/integration
