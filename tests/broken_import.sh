#!/bin/sh
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
# Each contract of pyproject.toml has to break on a copy of the code in which one import goes the wrong way.
set -eu
cd "$(dirname "$0")/.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
ours=ansible_collections/realip/toa
package=ansible_collections.realip.toa.plugins

breaks() { # FILE IMPORTED
	rm -rf "${copy:?}/$ours"
	mkdir -p "$copy/$ours"
	cp -R plugins "$copy/$ours/"
	echo "import $package.$2" >>"$copy/$ours/plugins/$1"
	if PYTHONPATH="$copy" lint-imports --no-cache --config pyproject.toml >"$copy/said" 2>&1; then
		echo "lint: $1 may import $2, and nobody minds" >&2
		exit 1
	fi
	grep -q BROKEN "$copy/said" || { cat "$copy/said" >&2; exit 1; }
}

breaks module_utils/host/state.py module_utils.programs.boot
breaks plugin_utils/facts/build.py plugin_utils.planner.decide
breaks plugin_utils/channel/bundle.py module_utils.host.io
breaks plugin_utils/report/data.py action.toa_plan
