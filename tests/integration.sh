#!/bin/sh
# This machine: integration.sh [test|rest] [TESTS]. `test` is all on the newest ansible-core, `rest` what is left for the oldest; without a
# word, both. A real sshd on loopback, network namespaces, cgroups, real tools. Needs root for namespaces.
set -eu
cd "$(dirname "$0")/.."
VENVS="${REALIP_VENVS:-${XDG_CACHE_HOME:-$HOME/.cache}/realip-toa/venvs}"
run() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -E "$@"; fi; }
case ${1:-} in
test | rest)
	export REALIP_PART="$1"
	shift
	;;
esac
set_up=$(find "$VENVS" -maxdepth 1 -name 'core-*' | wc -l)
if [ "${REALIP_PART:-}" = rest ] && [ "$set_up" -lt 2 ]; then
	echo "integration: no further ansible-core on this machine"
	exit 0
fi
[ $# -gt 0 ] || set -- --durations=20 tests/integration
run "$VENVS/dev/bin/python" -m pytest -p no:cacheprovider -q "$@"
