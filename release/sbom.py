# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bill of materials of a built collection, as CycloneDX 1.6: `sbom.py ARTEFACT OUTPUT`. Every file with its digest, and what it needs to run."""

from __future__ import annotations

import hashlib
import json
import sys
import tarfile
from pathlib import Path

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

# What the controller needs; hosts need a Python and nothing else.
NEEDED = {"ansible-core": ">=2.16.19,!=2.17.*", "jmespath": ">=1.0"}


def bom_of(artefact: Path) -> Bom:
    with tarfile.open(artefact) as archive:
        about = json.load(archive.extractfile("MANIFEST.json"))["collection_info"]  # type: ignore[arg-type]
        files = json.load(archive.extractfile("FILES.json"))["files"]  # type: ignore[arg-type]
    name = f"{about['namespace']}.{about['name']}"
    main = Component(
        name=name,
        version=about["version"],
        type=ComponentType.LIBRARY,
        bom_ref=name,
        licenses=[LicenseExpression(" AND ".join(about["license"]))],
        purl=PackageURL("generic", about["namespace"], about["name"], about["version"]),
        hashes=[_sha256(hashlib.sha256(artefact.read_bytes()).hexdigest())],
    )
    bom = Bom()
    bom.metadata.component = main
    for entry in files:
        if entry["ftype"] == "file":
            hashes = [_sha256(entry["chksum_sha256"])]
            bom.components.add(
                Component(name=entry["name"], type=ComponentType.FILE, bom_ref=f"file:{entry['name']}", hashes=hashes)
            )
    needed = [
        Component(
            name=package,
            version=versions,
            type=ComponentType.LIBRARY,
            bom_ref=package,
            purl=PackageURL("pypi", None, package),
        )
        for package, versions in NEEDED.items()
    ]
    for component in needed:
        bom.components.add(component)
    bom.register_dependency(main, needed)
    return bom


def _sha256(digest: str) -> HashType:
    return HashType(alg=HashAlgorithm.SHA_256, content=digest)


def main() -> None:
    artefact, output = map(Path, sys.argv[1:3])
    text = JsonV1Dot6(bom_of(artefact)).output_as_string(indent=1)
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem:
        raise SystemExit(f"release: the bill of materials is not CycloneDX: {problem}")
    output.write_text(text + "\n", encoding="utf-8")
    print(f"release: {output.name} has {len(json.loads(text)['components'])} components")


if __name__ == "__main__":
    main()
