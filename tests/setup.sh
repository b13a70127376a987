#!/bin/sh
# setup.sh quick|python|tests|lab: installs what a layer needs. Nothing is done twice: each part has a stamp.
# quick: the environment of development; python: one virtual environment for each ansible-core that a Python of this machine can run as well. Both
# take a Python and nothing else, neither root nor Debian packages. tests: Debian packages for tests of this machine as well; lab: for machines too.
# pip makes them, because it reads pip.conf, where a company names its mirror.
set -eu
cd "$(dirname "$0")/.."
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/realip-toa"
VENVS="${REALIP_VENVS:-$CACHE/venvs}"
mkdir -p "$VENVS"

say() { printf 'setup: %s\n' "$*" >&2; }

as_root() {
	if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

apt_packages() {
	wanted=$(sed 's/#.*//' "$1" | tr '\n' ' ')
	missing=
	for package in $wanted; do
		dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	say "installing Debian packages:$missing"
	as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
	# Tests want the programs; a server that is started on this machine (nginx, sshd) nobody has asked for.
	[ -e /usr/sbin/policy-rc.d ] || {
		printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
		as_root chmod 755 /usr/sbin/policy-rc.d
		ours=1
	}
	# shellcheck disable=SC2086 # a list of package names
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null || failed=1
	[ -z "${ours:-}" ] || as_root rm -f /usr/sbin/policy-rc.d
	[ -z "${failed:-}" ]
}

# The newest Python of the versions named that is to be found on PATH or in pyenv's folder.
newest_python() {
	for version in "$@"; do
		for python in "/usr/bin/python$version" "$(command -v "python$version" 2>/dev/null || true)" "$HOME"/.pyenv/versions/"$version".*/bin/python; do
			[ -x "$python" ] || continue
			"$python" -c "import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '$version')" 2>/dev/null || continue
			echo "$python"
			return 0
		done
	done
	return 1
}

# make_venv NAME REQUIREMENTS PYTHON_VERSION...
make_venv() {
	name=$1 requirements=$2
	shift 2
	if ! python=$(newest_python "$@"); then
		say "$name: none of Python $* is on this machine, so this ansible-core is not tested here"
		return 0
	fi
	key=$(cat "$requirements" tests/requirements.txt | sha256sum | cut -c1-16)-$("$python" -c 'import sys; print(sys.version.split()[0])')
	[ "$(cat "$VENVS/$name/.key" 2>/dev/null)" = "$key" ] && return 0
	say "$name: $python, $requirements"
	rm -rf "${VENVS:?}/$name"
	"$python" -m venv "$VENVS/$name"
	"$VENVS/$name/bin/pip" install -q --disable-pip-version-check -r "$requirements" -r tests/requirements.txt 2>&1 | grep -v '^WARNING: Location' >&2 || true
	"$VENVS/$name/bin/ansible" --version >/dev/null
	echo "$key" >"$VENVS/$name/.key"
}

case $1 in
quick)
	make_venv dev tests/requirements-dev.txt 3.13 3.12 3.11
	exit 0
	;;
python) ;;
tests) apt_packages tests/apt-packages.txt ;;
lab)
	apt_packages tests/apt-packages.txt
	apt_packages lab/apt-packages.txt
	;;
*)
	say "what for: quick, python, tests or lab?"
	exit 2
	;;
esac
# Side by side: each spends half of its time on the disk or with a server.
made=
while read -r name requirements pythons; do
	# shellcheck disable=SC2086 # a list of versions
	make_venv "$name" "$requirements" $pythons &
	made="$made $!"
done <<-ENVIRONMENTS
	core-2.16 tests/requirements-core-2.16.txt 3.11 3.12 3.10
	core-2.19 tests/requirements-core-2.19.txt 3.12 3.11 3.13
	core-2.21 tests/requirements-core-2.21.txt 3.13 3.12 3.14
	dev tests/requirements-dev.txt 3.13 3.12 3.11
	importer tests/requirements-importer.txt 3.13 3.12 3.11
ENVIRONMENTS
for job in $made; do
	wait "$job"
done
