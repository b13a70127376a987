#!/bin/sh
# Fuzzes the parsers of what hosts say, REALIP_FUZZ_SECONDS (600) in all; atheris is installed where there is one for this Python.
set -eu
cd "$(dirname "$0")/.."
VENVS="${REALIP_VENVS:-${XDG_CACHE_HOME:-$HOME/.cache}/realip-toa/venvs}"
python="$VENVS/dev/bin/python"
"$python" -c 'import atheris' 2>/dev/null || "$python" -m pip install -q --disable-pip-version-check 'atheris>=2.3' >/dev/null 2>&1 || true
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for name in answer menu; do
	"$python" -B tests/fuzz/parsers.py "$name" "$((${REALIP_FUZZ_SECONDS:-600} / 2))" >"$log" 2>&1 || {
		tail -n 60 "$log" >&2
		exit 1
	}
	grep -aE '^(fuzz:|Done )' "$log"
done
