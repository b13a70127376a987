#!/bin/sh
# A release, step by step; the workflow release.yml and `make release-check` call the same steps.
#   tools DIR                 a virtual environment in DIR, made by PYTHON (python3) of requirements.txt, by digest
#   build TOOLS DIST          the artefact, its bill of materials, and the digests of both
#   sign TOOLS DIST KEY       a detached signature of the artefact's MANIFEST.json, as ansible-galaxy checks it, and one of the digests
#   verify TOOLS DIST KEYRING digests, bill of materials, and an installation with the signature of its manifest
#   publish TOOLS DIST        to Galaxy, which the environment describes
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
# Neither the checkout's settings nor the caller's have a say.
unset ANSIBLE_COLLECTIONS_PATH
export ANSIBLE_CONFIG="$here/release/ansible.cfg"

say() { echo "release: $*"; }
die() {
	echo "release: $*" >&2
	exit 1
}

only_artefact() { # DIST
	set -- "$1"/realip-toa-*.tar.gz
	[ $# = 1 ] && [ -f "$1" ] || die "there is not one artefact but $*"
	echo "$1"
}

tools() { # DIR
	"${PYTHON:-python3}" -m venv "$1"
	"$1/bin/pip" install -q --disable-pip-version-check --require-hashes --only-binary :all: -r release/requirements.txt
	say "tools: $("$1/bin/pip" list --format freeze 2>/dev/null | wc -l) packages, each by its digest"
}

build() { # TOOLS DIST
	mkdir -p "$2"
	dist=$(cd "$2" && pwd)
	"$1/bin/ansible-galaxy" collection build --output-path "$dist" >/dev/null
	artefact=$(only_artefact "$dist")
	"$1/bin/python" release/sbom.py "$artefact" "$dist/$(basename "$artefact" .tar.gz).cdx.json"
	(cd "$dist" && sha256sum -- *.tar.gz *.cdx.json >SHA256SUMS)
	say "built $(basename "$artefact")"
}

sign() { # TOOLS DIST KEY
	dist=$(cd "$2" && pwd)
	(cd "$dist" && sha256sum --quiet -c SHA256SUMS) || die "what is to be signed is not what was built"
	tar -xzOf "$(only_artefact "$dist")" MANIFEST.json >"$dist/MANIFEST.json"
	for file in MANIFEST.json SHA256SUMS; do
		gpg --batch --yes --local-user "$3" --armor --detach-sign --output "$dist/$file.asc" "$dist/$file"
	done
	say "signed by $3"
}

verify() { # TOOLS DIST KEYRING
	dist=$(cd "$2" && pwd)
	gpgv --quiet --keyring "$3" "$dist/SHA256SUMS.asc" "$dist/SHA256SUMS" 2>/dev/null ||
		die "the digests are not signed by a key of $3"
	(cd "$dist" && sha256sum --quiet -c SHA256SUMS) || die "a file does not have its digest"
	artefact=$(only_artefact "$dist")
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	"$1/bin/python" release/sbom.py "$artefact" "$work/sbom" >/dev/null
	"$1/bin/python" - "$dist"/*.cdx.json "$work/sbom" <<-'END' || die "the bill of materials is not that of the artefact"
		import json, sys
		told, found = (json.load(open(name))["components"] for name in sys.argv[1:3])
		sys.exit(told != found)
	END
	# With nothing of who has signed: no trust of his, and no other key.
	export GNUPGHOME="$work/gnupg"
	mkdir -m 0700 "$GNUPGHOME"
	export ANSIBLE_HOME="$work" ANSIBLE_GALAXY_REQUIRED_VALID_SIGNATURE_COUNT=+1
	"$1/bin/ansible-galaxy" collection install "$artefact" --disable-gpg-verify --collections-path "$work/collections" >"$work/log" 2>&1 ||
		die "ansible-galaxy does not install it: $(tail -n 2 "$work/log")"
	# As an operator does: the signature is that of the manifest, which has the digest of every file.
	"$1/bin/ansible-galaxy" collection verify --offline --signature "file://$dist/MANIFEST.json.asc" --keyring "$3" \
		--collections-path "$work/collections" realip.toa >"$work/log" 2>&1 ||
		die "what is installed is not what was signed: $(tail -n 2 "$work/log")"
	say "verified: signature, digests, bill of materials, and an installation with the signature of its manifest"
}

publish() { # TOOLS DIST
	"$1/bin/ansible-galaxy" collection publish "$(only_artefact "$2")"
}

step=$1
shift
case $step in
tools | build | sign | verify | publish) "$step" "$@" ;;
*) die "no step $step" ;;
esac
