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
	# Where the cleanup fails, molecule leaves without a word to the machines, and remembers them as made and prepared.
	molecule test -s "$scenario" || {
		REALIP_LAB_RUN="$PWD/.lab/molecule-$scenario" lab/lab down
		molecule reset -s "$scenario"
		exit 1
	}
done
