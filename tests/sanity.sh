#!/bin/sh
# ansible-test sanity over the collection as it is built and installed, on every ansible-core that is set up or those named (2.16 2.19).
# No finding is ignored. Tests and lab are not part of the collection; ruff, mypy and shellcheck look after them (tests/lint.sh).
set -eu
cd "$(dirname "$0")/.."
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/realip-toa"
VENVS="${REALIP_VENVS:-$CACHE/venvs}"
# ansible-test finds the Pythons of targets on PATH, and leaves out those that are not here.
pythons=$(printf '%s:' "$HOME"/.pyenv/versions/*/bin)
[ $# -gt 0 ] || set -- 2.16 2.19 2.21
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$VENVS/dev/bin/ansible-galaxy" collection build --output-path "$work" >/dev/null
mkdir -p "$work/ansible_collections/realip/toa"
tar -xzf "$work"/realip-toa-*.tar.gz -C "$work/ansible_collections/realip/toa"

# What ansible-test installs for its checks is kept from one run to the next, away from the home of whoever runs this.
export HOME="$CACHE/ansible-test" LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
mkdir -p "$HOME/.ansible/test/cache"

# ansible-test fetches a pip for its environments from a server of its own; this takes the same version from PyPI.
bootstrap() {
	cat >"$HOME/.ansible/test/cache/get_pip_$(echo "$1" | tr . _).py" <<-'SCRIPT'
		import subprocess
		import sys

		subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
		packages = [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
		sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "-q", "--upgrade"] + packages))
	SCRIPT
}

for core; do
	bin="$VENVS/core-$core/bin"
	if [ ! -x "$bin/ansible-test" ]; then
		echo "sanity: ansible-core $core is not set up here" >&2
		continue
	fi
	requirements=$("$bin/python" -c 'import ansible_test._internal.python_requirements as found; print(found.__file__)')
	sed -n "s/^ *pip='\([0-9.]*\)'.*/\1/p" "$requirements" | while read -r version; do bootstrap "$version"; done
	echo "sanity: ansible-core $core"
	(
		PATH="$bin:$PATH:${pythons%:}"
		cd "$work/ansible_collections/realip/toa"
		ansible-test sanity --local --color no >"$work/log" 2>&1
	) && failed=0 || failed=1
	if [ "$failed" = 1 ]; then
		grep -E '^(ERROR|FATAL)|Traceback' "$work/log" || cat "$work/log"
		exit 1
	fi
	echo "sanity: $(grep -c '^Running sanity test' "$work/log") tests passed on ansible-core $core"
done
