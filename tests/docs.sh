#!/bin/sh
# The documentation site: guides, and every module, filter, callback and role as antsibull-docs renders it. Any error or warning fails.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
site="$root/docs/_site"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export ANSIBLE_COLLECTIONS_PATH="$root/collections" ANSIBLE_CONFIG="$root/ansible.cfg"

# Pages: the guides as they are, and the start page that leads to all of them.
cp -r docs/concepts docs/guides docs/images docs/*.md docs/docsite/conf.py docs/docsite/index.md "$work"

mkdir -m 755 "$work/collection"
antsibull-docs collection --use-current --squash-hierarchy --fail-on-error --dest-dir "$work/collection" realip.toa >"$work/antsibull.log" 2>&1 || {
	cat "$work/antsibull.log" >&2
	exit 1
}
rm -rf "$site"
sphinx-build -q -W --keep-going -b html -d "$work/doctrees" "$work" "$site"
for page in index start concepts/trust guides/quick-start collection/toa_plan_module collection/rollout_role collection/progress_callback; do
	test -f "$site/$page.html" || { echo "docs: there is no $page" >&2; exit 1; }
done
# Programs are taken in as files.
grep -q toaClient "$site/guides/applications.html" || { echo "docs: guides/applications has no programs" >&2; exit 1; }
echo "docs: $(find "$site" -name '*.html' | wc -l) pages in docs/_site/index.html"
