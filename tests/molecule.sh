#!/bin/sh
# Every molecule scenario, one after the other: two cores carry two or three emulated machines.
set -eu
cd "$(dirname "$0")/.."
for scenario in molecule/*/molecule.yml; do
	name=$(basename "$(dirname "$scenario")")
	echo "molecule: $name"
	molecule test -s "$name"
done
