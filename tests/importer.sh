#!/bin/sh
# What Galaxy and Automation Hub do with an upload: galaxy-importer over the built collection, with the tags and the version that certification
# asks for. Any warning or error fails.
set -eu
cd "$(dirname "$0")/.."
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/realip-toa"
VENVS="${REALIP_VENVS:-$CACHE/venvs}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

PATH="$VENVS/importer/bin:$PATH"
export GALAXY_IMPORTER_CHECK_REQUIRED_TAGS=true GALAXY_IMPORTER_REQUIRE_V1_OR_GREATER=true
unset ANSIBLE_COLLECTIONS_PATH
ansible-galaxy collection build --output-path "$work" >/dev/null
cd "$work"
python -m galaxy_importer.main realip-toa-*.tar.gz >log 2>&1 && failed=0 || failed=1
if [ "$failed" = 1 ] || grep -qE '^(WARNING|ERROR|CRITICAL)' log || ! grep -qx 'Importer processing completed successfully' log; then
	cat log
	exit 1
fi
echo "importer: $(echo realip-toa-*.tar.gz) imports without a warning, $(grep -c '^Loading' log) parts"
