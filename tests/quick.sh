#!/bin/sh
# quick.sh [TESTS]: what a contributor runs first: style, types, imports, and all unit tests (or TESTS) on one Python and one ansible-core.
set -eu
cd "$(dirname "$0")/.."
VENVS="${REALIP_VENVS:-${XDG_CACHE_HOME:-$HOME/.cache}/realip-toa/venvs}"
PATH="$VENVS/dev/bin:$PATH"
echo "quick: ruff"
ruff check --no-cache .
ruff format --no-cache --check -q .
echo "quick: imports"
PYTHONPATH="$PWD/collections" lint-imports --no-cache >/dev/null || PYTHONPATH="$PWD/collections" lint-imports --no-cache
echo "quick: mypy"
mypy
[ $# -gt 0 ] || set -- tests/unit/target tests/unit/controller
for tests; do
	echo "quick: $tests on Python $(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
	PYTHONDONTWRITEBYTECODE=1 python -m pytest -p no:cacheprovider -q -n 2 "$tests"
done
