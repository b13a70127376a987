#!/bin/sh
set -eu
cd "$(dirname "$0")/.."
VENVS="${REALIP_VENVS:-${XDG_CACHE_HOME:-$HOME/.cache}/realip-toa/venvs}"
PATH="$VENVS/dev/bin:$PATH"
echo "lint: ruff"
ruff check --no-cache .
ruff format --no-cache --check -q .
echo "lint: mypy"
mypy
echo "lint: imports"
PYTHONPATH="$PWD/collections" lint-imports --no-cache
# ... and that an import which goes up is seen: contracts that name nothing hold as well.
tests/broken_import.sh
echo "lint: bandit"
bandit -q -r plugins -c pyproject.toml
# ... and that it sees what it is for.
tests/unsafe_sample.sh
echo "lint: yamllint"
yamllint -s .
echo "lint: shellcheck"
git ls-files -co --exclude-standard | while read -r file; do
	case $file in
	*.sh | .ci/run | lab/demo) shellcheck "$file" ;;
	esac
done
echo "lint: style of the pages"
python tests/style.py
echo "lint: licences"
reuse lint -q || { reuse lint; exit 1; }
echo "lint: changelog"
antsibull-changelog lint
echo "lint: ansible-lint"
ANSIBLE_COLLECTIONS_PATH="$PWD/collections" ansible-lint --offline -q
