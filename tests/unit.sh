#!/bin/sh
# Target code on every Python found (2.7 and 3.x), controller code on every ansible-core that is set up.
set -eu
cd "$(dirname "$0")/.."
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/realip-toa"
VENVS="${REALIP_VENVS:-$CACHE/venvs}"
TARGETS="$CACHE/targets"
mkdir -p "$TARGETS"

# The pytest that still runs on a Python; target code itself needs the standard library alone.
pytest_for() {
	case $1 in
	2.7) echo 'pytest==4.6.11' ;;
	3.5) echo 'pytest==6.1.2' ;;
	3.6) echo 'pytest==7.0.1' ;;
	3.7) echo 'pytest==7.4.4' ;;
	3.8) echo 'pytest==8.3.5' ;;
	*) echo 'pytest>=8,<9' ;;
	esac
}

found=
for version in 2.7 3.5 3.6 3.7 3.8 3.9 3.10 3.11 3.12 3.13 3.14; do
	for python in "/usr/bin/python$version" "$(command -v "python$version" 2>/dev/null || true)" "$HOME"/.pyenv/versions/"$version".*/bin/python; do
		[ -x "$python" ] || continue
		[ "$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$version" ] || continue
		folder="$TARGETS/python$version"
		wanted="$(pytest_for "$version") for $python"
		if [ "$(cat "$folder/.key" 2>/dev/null)" != "$wanted" ]; then
			rm -rf "$folder"
			echo "unit: $wanted" >&2
			# Installed beside the interpreter, so that it stays as a host would have it.
			"$python" -m pip install -q --disable-pip-version-check --target "$folder" "$(pytest_for "$version")" >&2 2>&1 || python3 -m pip install -q --disable-pip-version-check --target "$folder" "$(pytest_for "$version")" >&2
			echo "$wanted" >"$folder/.key"
		fi
		found="$found $version"
		echo "unit: target code on Python $version ($python)"
		PYTHONPATH="$folder" PYTHONDONTWRITEBYTECODE=1 "$python" -m pytest -p no:cacheprovider -q tests/unit/target
		break
	done
done
[ -n "$found" ] || { echo "unit: no Python found for target code" >&2; exit 1; }

for core in "$VENVS"/core-*; do
	echo "unit: controller code on ${core##*/}"
	"$core/bin/python" -m pytest -p no:cacheprovider -q tests/unit/controller
done
echo "unit: target code ran on Python$found"
