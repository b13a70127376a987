#!/bin/sh
# Rehearses a release with a key that is thrown away, and breaks it in every way that verification is there for.
set -eu
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'gpgconf --homedir "$work/gnupg" --kill all 2>/dev/null || true; rm -rf "$work"' EXIT
export GNUPGHOME="$work/gnupg"
export PYTHON="${REALIP_VENVS:-${XDG_CACHE_HOME:-$HOME/.cache}/realip-toa/venvs}/dev/bin/python"
mkdir -m 0700 "$GNUPGHOME"

refused() { # WHAT KEYRING: $work/broken must not pass
	if release/release.sh verify "$work/tools" "$work/broken" "$2" >"$work/log" 2>&1; then
		echo "release-check: $1 passes" >&2
		exit 1
	fi
	echo "release-check: refused: $1 ($(tail -n 1 "$work/log" | cut -c 1-100))"
	rm -rf "$work/broken"
	cp -r "$work/dist" "$work/broken"
}

for name in release stranger; do
	gpg --batch --quiet --passphrase '' --quick-generate-key "$name@example.org" ed25519 sign 1d 2>/dev/null
	gpg --batch --quiet --export "$name@example.org" >"$work/$name.gpg"
done
release/release.sh tools "$work/tools"
release/release.sh build "$work/tools" "$work/dist"
release/release.sh build "$work/tools" "$work/again"
for file in FILES.json MANIFEST.json; do
	tar -xzOf "$work"/dist/*.tar.gz "$file" >"$work/one"
	tar -xzOf "$work"/again/*.tar.gz "$file" >"$work/two"
	cmp -s "$work/one" "$work/two" || { echo "release-check: two builds differ in $file" >&2; exit 1; }
done
release/release.sh sign "$work/tools" "$work/dist" release@example.org
release/release.sh verify "$work/tools" "$work/dist" "$work/release.gpg"

cp -r "$work/dist" "$work/broken"
refused "a key that nobody knows" "$work/stranger.gpg"
printf x >>"$(echo "$work"/broken/*.tar.gz)"
refused "an artefact with one byte more" "$work/release.gpg"
mkdir "$work/open" && tar -xzf "$work"/dist/*.tar.gz -C "$work/open" && echo '# more' >>"$work/open/plugins/module_utils/runner.py"
(cd "$work/open" && tar -czf "$(echo "$work"/broken/*.tar.gz)" ./* && cd "$work/broken" && sha256sum -- *.tar.gz *.cdx.json >SHA256SUMS)
refused "an artefact with another file in it, and digests to match" "$work/release.gpg"
(cd "$work/open" && tar -czf "$(echo "$work"/broken/*.tar.gz)" ./* && cd "$work/broken" && sha256sum -- *.tar.gz *.cdx.json >SHA256SUMS &&
	gpg --batch --yes --local-user stranger@example.org --armor --detach-sign --output SHA256SUMS.asc SHA256SUMS)
refused "the same, signed by somebody else" "$work/release.gpg"
(cd "$work/broken" && sed -i 's/"ansible-core"/"ansible-kore"/' -- *.cdx.json && sha256sum -- *.tar.gz *.cdx.json >SHA256SUMS &&
	gpg --batch --yes --local-user release@example.org --armor --detach-sign --output SHA256SUMS.asc SHA256SUMS)
refused "another bill of materials" "$work/release.gpg"
rm "$work/broken/MANIFEST.json.asc"
refused "no signature of the manifest" "$work/release.gpg"
sed 's/sha256:[0-9a-f]\{8\}/sha256:00000000/' release/requirements.txt >"$work/requirements.txt"
if "$work/tools/bin/pip" download -q --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -d "$work/wheels" -r "$work/requirements.txt" >/dev/null 2>&1; then
	echo "release-check: a tool with another digest passes" >&2
	exit 1
fi
echo "release-check: refused: a tool with another digest"
echo "release-check: a release can be made, and nothing but it passes"
