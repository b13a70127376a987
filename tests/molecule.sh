#!/bin/sh
# Molecule scenarios, all or those named, one after the other: two cores carry two or three emulated machines.
set -eu
cd "$(dirname "$0")/.."
if [ $# -eq 0 ]; then
	for config in molecule/*/molecule.yml; do
		set -- "$@" "$(basename "$(dirname "$config")")"
	done
fi
for scenario; do
	echo "molecule: $scenario"
	# Where the cleanup fails, molecule leaves without a word to the machines, and the next run would take them for its own.
	molecule test -s "$scenario" || {
		molecule destroy -s "$scenario"
		exit 1
	}
done
