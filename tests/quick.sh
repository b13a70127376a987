#!/bin/sh
# What a contributor runs first: style, types, imports, and all unit tests on one Python and one ansible-core.
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
for side in target controller; do
	echo "quick: $side code on Python $(python -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
	PYTHONDONTWRITEBYTECODE=1 python -m pytest -p no:cacheprovider -q -n 2 "tests/unit/$side"
done
