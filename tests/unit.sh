#!/bin/sh
# unit.sh target VERSION [TESTS]: target code on the Python of that version, if this machine has one; 3.13 is replaced by any Python 3 at need.
# unit.sh controller CORE [TESTS]: controller code with that ansible-core, if it is set up here. TESTS run instead of all.
set -eu
cd "$(dirname "$0")/.."
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/realip-toa"
VENVS="${REALIP_VENVS:-$CACHE/venvs}"
side=$1 version=$2
shift 2
[ $# -gt 0 ] || set -- "tests/unit/$side"

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

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

# The first interpreter of a version, of PATH, the distribution or pyenv.
python_of() {
	for python in "/usr/bin/python$1" "$(command -v "python$1" 2>/dev/null || true)" "$HOME"/.pyenv/versions/"$1".*/bin/python; do
		if [ -x "$python" ] && [ "$(version_of "$python")" = "$1" ]; then
			echo "$python"
			return
		fi
	done
	return 1
}

# A pytest beside the interpreter, which stays as a host would have it. An interpreter without pip borrows one.
install_pytest() { # FOLDER PYTHON
	wanted="$(pytest_for "$version") for $2"
	[ "$(cat "$1/.key" 2>/dev/null)" != "$wanted" ] || return 0
	rm -rf "$1"
	mkdir -p "$1"
	echo "unit: $wanted" >&2
	# shellcheck disable=SC2046 # one requirement a word
	if "$2" -m pip --version >/dev/null 2>&1; then
		"$2" -m pip install -q --disable-pip-version-check --target "$1" $(pytest_for "$version")
	else
		"$VENVS/dev/bin/python" -m pip install --python-version "$version" --only-binary=:all: -q --disable-pip-version-check --target "$1" $(pytest_for "$version")
	fi 2>&1 | grep -v 'WARNING\|ignored: it is neither\|^$' >&2 || true
	echo "$wanted" >"$1/.key"
}

folder=
case $side in
target)
	if ! python=$(python_of "$version"); then
		# A machine without any of the versions shall still run the tests once.
		if [ "$version" != 3.13 ]; then
			echo "unit: no Python $version on this machine"
			exit 0
		fi
		python=$(command -v python3)
		version=$(version_of "$python")
	fi
	folder="$CACHE/targets/python$version"
	install_pytest "$folder" "$python"
	;;
controller)
	python="$VENVS/core-$version/bin/python"
	if [ ! -x "$python" ]; then
		echo "unit: ansible-core $version is not set up on this machine"
		exit 0
	fi
	;;
esac
echo "unit: $side code on $python"
PYTHONPATH="$folder" PYTHONDONTWRITEBYTECODE=1 exec "$python" -m pytest -p no:cacheprovider -q "$@"
