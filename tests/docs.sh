#!/bin/sh
# Documentation of every module, filter and test renders from the checkout.
set -eu
cd "$(dirname "$0")/.."
export ANSIBLE_COLLECTIONS_PATH="$PWD/collections"
for file in plugins/modules/*.py; do
	ansible-doc -t module "realip.toa.$(basename "$file" .py)" >/dev/null
done
for role in roles/*/; do
	ansible-doc -t role -r roles "realip.toa.$(basename "$role")" >/dev/null
done
echo "docs: every module and role renders"
