#!/bin/sh
# unit.sh [test|rest] [TESTS]: target code on every Python found (2.7 and 3.x), controller code on every ansible-core that is set up.
# `test` has three Pythons and the newest ansible-core, `rest` the others; without a word, all. TESTS run on each of them instead of all.
set -eu
cd "$(dirname "$0")/.."

# One job of the list below: what it is, the Python, where its pytest is, the tests; separated by tabs.
if [ "${1:-}" = --job ]; then
	IFS='	' read -r what python folder tests <<-JOB
		$2
	JOB
	if [ "$folder" = - ]; then folder=; fi
	[ "$tests" != - ] || exit 0
	# shellcheck disable=SC2086 # a list of files
	output=$(PYTHONPATH="$folder" PYTHONDONTWRITEBYTECODE=1 "$python" -m pytest -p no:cacheprovider -q $tests 2>&1) && failed=0 || failed=1
	printf 'unit: %s (%s)\n%s\n' "$what" "$python" "$output"
	exit "$failed"
fi

part=
case ${1:-} in
test | rest)
	part=$1
	shift
	;;
esac
tests="$*"

# Those of the tests that were named which are of one side, all of that side where none was named, - where others were.
of() {
	[ -n "$tests" ] || { echo "tests/unit/$1"; return; }
	# shellcheck disable=SC2086 # a list of files
	printf '%s\n' $tests | grep "^tests/unit/$1" | paste -sd ' ' | sed 's/^$/-/'
}

CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/realip-toa"
VENVS="${REALIP_VENVS:-$CACHE/venvs}"
TARGETS="$CACHE/targets"
mkdir -p "$TARGETS"

# The pytest that still runs on a Python; target code itself needs the standard library alone.
pytest_for() {
	case $1 in
	2.7) echo 'pytest==4.6.11' ;;
	3.5) echo 'pytest==6.1.2' ;;
	# The pip of 3.6 does not look whether a release is for its Python, so all of them are named.
	3.6) echo 'pytest==7.0.1 iniconfig==1.1.1 importlib-metadata==4.8.3 typing-extensions==4.1.1 zipp==3.6.0 tomli==1.2.3 attrs==22.2.0' \
		'pluggy==1.0.0 packaging==21.3 pyparsing==3.0.9 py==1.11.0' ;;
	3.7) echo 'pytest==7.4.4' ;;
	3.8) echo 'pytest==8.3.5' ;;
	*) echo 'pytest>=8,<9' ;;
	esac
}

jobs=$(mktemp)
trap 'rm -f "$jobs"' EXIT
found=
case $part in
test) versions='2.7 3.6 3.13' ;;
rest) versions='3.5 3.7 3.8 3.9 3.10 3.11 3.12 3.14' ;;
*) versions='2.7 3.5 3.6 3.7 3.8 3.9 3.10 3.11 3.12 3.13 3.14' ;;
esac
for version in $versions; do
	for python in "/usr/bin/python$version" "$(command -v "python$version" 2>/dev/null || true)" "$HOME"/.pyenv/versions/"$version".*/bin/python; do
		[ -x "$python" ] || continue
		[ "$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$version" ] || continue
		folder="$TARGETS/python$version"
		wanted="$(pytest_for "$version") for $python"
		if [ "$(cat "$folder/.key" 2>/dev/null)" != "$wanted" ]; then
			rm -rf "$folder"
			echo "unit: $wanted" >&2
			# Installed beside the interpreter, so that it stays as a host would have it; an interpreter without pip borrows one.
			if "$python" -m pip --version >/dev/null 2>&1; then
				set -- "$python" -m pip install
			else
				set -- "$VENVS/dev/bin/python" -m pip install --python-version "$version" --only-binary=:all:
			fi
			# shellcheck disable=SC2046 # one requirement a word
			"$@" -q --disable-pip-version-check --target "$folder" $(pytest_for "$version") 2>&1 | grep -v 'WARNING\|ignored: it is neither\|^$' >&2 || true
			echo "$wanted" >"$folder/.key"
		fi
		found="$found $version"
		printf 'target code on Python %s\t%s\t%s\t%s\n' "$version" "$python" "$folder" "$(of target)" >>"$jobs"
		break
	done
done
[ -n "$found" ] || [ "$part" = rest ] || { echo "unit: no Python found for target code" >&2; exit 1; }

# `test` has the newest ansible-core.
set -- "$VENVS"/core-*
for newest; do :; done
for core; do
	case $part in
	test) [ "$core" = "$newest" ] || continue ;;
	rest) [ "$core" != "$newest" ] || continue ;;
	esac
	printf 'controller code on %s\t%s\t-\t%s\n' "${core##*/}" "$core/bin/python" "$(of controller)" >>"$jobs"
done
if [ ! -s "$jobs" ]; then
	echo "unit: no further Python or ansible-core on this machine"
	exit 0
fi

# Two at a time, each with its output in one piece; xargs fails when one of them does.
tr '\n' '\0' <"$jobs" | xargs -0 -n 1 -P 2 tests/unit.sh --job
echo "unit: target code ran on Python$found"
