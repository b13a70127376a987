# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Catalog, lock and option formats: what the documents name is there, and what makes no sense is refused by name."""

from __future__ import annotations

import copy

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils import option_formats
from ansible_collections.realip.toa.plugins.plugin_utils.catalog import entries as catalog
from ansible_collections.realip.toa.plugins.plugin_utils.facts import kernel_release

TENCENT = "http://toakernel-1253438722.cossh.myqcloud.com/"

# Every package of the two vendors' documents, and the release its kernel has once booted.
DOCUMENTED = {
    "kernel-2.6.32-220.23.1.el6.toa.x86_64.rpm": ("2.6.32-220.23.1.el6.toa.x86_64", "200/8", True),
    "kernel-3.10.0-693.el7.centos.toa.x86_64.rpm": ("3.10.0-693.el7.centos.toa.x86_64", "200/8", True),
    "linux-image-4.4.87.toa_1.0_amd64.deb": ("4.4.87.toa", "200/8", True),
    "linux-headers-4.4.87.toa_1.0_amd64.deb": ("4.4.87.toa", "200/8", True),
    "linux-image-3.16.43.toa_1.0_amd64.deb": ("3.16.43.toa", "200/8", True),
    "linux-headers-3.16.43.toa_1.0_amd64.deb": ("3.16.43.toa", "200/8", True),
    "kernel-3.10.0-957.21.3.el7.toa.x86_64.rpm": ("3.10.0-957.21.3.el7.toa.x86_64", "254/8", False),
    "kernel-2.6.32-696.13.2.el6.centos.plus.toa.x86_64.rpm": (
        "2.6.32-696.13.2.el6.centos.plus.toa.x86_64",
        "254/8",
        False,
    ),
    "kernel-firmware-2.6.32-696.13.2.el6.centos.plus.toa.x86_64.rpm": (
        "2.6.32-696.13.2.el6.centos.plus.toa.x86_64",
        "254/8",
        False,
    ),
    "kernel-2.6.32-220.23.2.ali_github.el6.x86_64.rpm": ("2.6.32-220.23.2.ali_github.el6.x86_64", "254/8", False),
}
NAMES = {
    "kernel-2.6.32-696.13.2.el6.centos.plus.toa.x86_64.rpm": "kernel",
    "kernel-firmware-2.6.32-696.13.2.el6.centos.plus.toa.x86_64.rpm": "kernel-firmware",
    "linux-image-4.4.87.toa_1.0_amd64.deb": "linux-image-4.4.87.toa",
}
ENTRY = {
    "key": "mine",
    "match": {"id": "rocky", "major": 8, "arch": "x86_64"},
    "release": "4.18.0-513.el8.toa.x86_64",
    "option_kinds": ["200/8"],
    "format": "rpm",
    "packages": [{"role": "image", "file": "kernel-4.18.0-513.el8.toa.x86_64.rpm"}],
}
DIGEST = "ab" * 32


def test_everything_documented_is_there():
    found = {package.file: (entry, package) for entry in catalog.load() for package in entry.packages}
    assert set(found) == set(DOCUMENTED), (
        "catalog.yml and DOCUMENTED name the same files: {file: (release, first option kind, whether its URL is known)}"
    )
    for file, (release, kind, published) in DOCUMENTED.items():
        entry, package = found[file]
        assert (entry.release, entry.option_kinds[0], entry.module) == (release, kind, "toa")
        assert package.url == (TENCENT + file if published else "")
        assert package.sha256 == "" and entry.source
    assert {file: found[file][1].name for file in NAMES} == NAMES


def test_releases_parse_and_are_unique():
    entries = catalog.load()
    assert len({entry.release for entry in entries}) == len({entry.key for entry in entries}) == len(entries)
    assert all(kernel_release.parse_strict(entry.release) for entry in entries)


def test_a_vendors_kernel_reads_what_the_vendor_sends():
    for entry in catalog.load():
        sent = option_formats.VENDORS[entry.vendor].option_kinds
        assert set(sent) & set(entry.option_kinds), (
            f"{entry.key} reads {entry.option_kinds}; by its profile in formats.py, {entry.vendor} sends {sent}"
        )


def test_firmware_goes_before_the_image_and_headers_after_it():
    roles = {entry.key: [package.role for package in entry.packages] for entry in catalog.load()}
    assert roles["alibaba-centos-6"] == ["firmware", "image"]
    assert roles["tencent-debian-8"] == ["image", "headers"]


def test_an_entry_is_for_its_hosts_only():
    entries = {entry.key: entry for entry in catalog.load()}
    assert entries["tencent-ubuntu-16.04"].is_for({"id": "ubuntu", "major": 16, "version_id": "16.04"})
    assert not entries["tencent-ubuntu-16.04"].is_for({"id": "ubuntu", "major": 16, "version_id": "16.10"})
    assert not entries["tencent-centos-7"].is_for({"id": "rhel", "major": 7, "version_id": "7.9"})
    assert entries["tencent-centos-7"].is_for({"id": "centos", "major": 7, "version_id": "7"})


def test_operators_extend_and_override():
    entries = catalog.load([ENTRY, {"key": "tencent-centos-7", "base_url": "http://mirror.example", "notes": "ours"}])
    assert [entry.key for entry in entries][0] == "mine"
    changed = next(entry for entry in entries if entry.key == "tencent-centos-7")
    assert changed.packages[0].url == "http://mirror.example/kernel-3.10.0-693.el7.centos.toa.x86_64.rpm"
    assert changed.option_kinds == ("200/8",) and changed.notes == "ours"
    assert len(entries) == len(catalog.load()) + 1
    assert entries[0].ids == ("rocky",) and entries[0].arches == ("x86_64",)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"key": None}, "`key`"),
        ({"key": "Bad Key"}, "`key` is 'Bad Key'"),
        ({"match": "rocky"}, "`match` is a mapping"),
        ({"match": {"id": "rocky", "arch": "x86_64"}}, "`major` or `version`"),
        ({"match": {"id": "rocky", "major": "8", "arch": "x86_64"}}, "`major` is '8'"),
        ({"match": {"id": "rocky", "version": 8.1, "arch": "x86_64"}}, "`version`"),
        ({"match": {"id": "rocky", "major": 8}}, "`arch` is missing"),
        ({"match": {"id": "rocky", "major": 8, "arch": "x86_64", "kernel": 1}}, "unknown key kernel"),
        ({"release": "garbage"}, "`release`: 'garbage' is not a kernel release"),
        ({"option_kinds": ["2/8"]}, "`option_kinds`: option kind 2"),
        ({"option_kinds": []}, "`option_kinds` names at least one"),
        ({"option_kinds": "200/8"}, "`option_kinds`: option kinds are a list"),
        ({"format": "tgz"}, "`format` is 'tgz'"),
        ({"packages": []}, "`packages` is a list"),
        ({"packages": ["kernel.rpm"]}, "packages[0]: a package is a mapping"),
        ({"packages": [{"file": "../../etc/passwd"}]}, "`file` is '../../etc/passwd'"),
        ({"packages": [{"file": "linux-image_1_amd64.deb"}]}, "is not a .rpm"),
        ({"packages": [{"file": "kernel-1-1.x86_64.rpm", "role": "headers"}]}, "`role: image`"),
        ({"packages": [{"file": "kernel-1-1.x86_64.rpm", "sha256": "abc"}]}, "`sha256` is 'abc'"),
        ({"packages": [{"file": "kernel-1-1.x86_64.rpm", "url": "kernel.rpm"}]}, "not a URL"),
        ({"packages": [{"file": "kernel-1-1.x86_64.rpm", "url": "ftp://mirror.example/k.rpm"}]}, "not a URL"),
        ({"packages": [{"file": "kernel-1-1.x86_64.rpm", "url": "file:///etc/passwd"}]}, "not a URL"),
        ({"packages": [{"file": "kernel-1-1.x86_64.rpm", "url": "http:///k.rpm"}]}, "not a URL"),
        ({"base_url": "ftp://mirror.example"}, "not a URL"),
        ({"packages": [{"file": "kernel-1-1.x86_64.rpm", "size": -1}]}, "`size` is -1"),
        ({"module": "toa; reboot"}, "`module` is 'toa; reboot'"),
        ({"backend": "no word"}, "`backend` is 'no word'"),
        ({"colour": "red"}, "unknown key colour"),
    ],
)
def test_what_is_wrong_with_an_entry_is_named(change, expected):
    entry = copy.deepcopy(ENTRY)
    entry.update(change)
    with pytest.raises(catalog.CatalogError) as caught:
        catalog.load([entry])
    assert expected in str(caught.value) and "toa_catalog" in str(caught.value)


@pytest.mark.parametrize("extra", ["tencent", {"key": "x"}, [5], ["x"]])
def test_a_catalog_of_the_wrong_shape(extra):
    with pytest.raises(catalog.CatalogError, match="toa_catalog"):
        catalog.load(extra)


def test_the_lock_supplies_digests():
    package = catalog.load()[0].packages[0]
    lock = catalog.read_lock(
        {"packages": [{"file": package.file, "url": "http://m/x", "size": 7, "sha256": DIGEST.upper()}]}
    )
    locked = catalog.with_lock(package, lock)
    assert (locked.sha256, locked.size, locked.url) == (DIGEST, 7, package.url)
    assert catalog.with_lock(package, {}) == package
    assert catalog.read_lock(None) == catalog.read_lock({}) == {}


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        ([], None),
        ([1], "holds `packages`"),
        ({"package": []}, "holds `packages`"),
        ({"packages": ["x"]}, "packages[0]"),
        ({"packages": [{"file": "a.deb"}]}, "`sha256` is None"),
        ({"packages": [{"file": "a.deb", "sha256": "12"}]}, "`sha256` is '12'"),
        ({"packages": [{"file": "/a.deb", "sha256": DIGEST}]}, "`file`"),
    ],
)
def test_a_wrong_lock(lock, expected):
    if expected is None:
        assert catalog.read_lock(lock) == {}
        return
    with pytest.raises(catalog.CatalogError) as caught:
        catalog.read_lock(lock)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("url", "mirror", "expected"),
    [
        (TENCENT + "a.rpm", "", TENCENT + "a.rpm"),
        (TENCENT + "a.rpm", "http://127.0.0.1:8080", "http://127.0.0.1:8080/a.rpm"),
        (TENCENT + "toa/a.rpm", "https://m.example/kernels/", "https://m.example/kernels/toa/a.rpm"),
        ("", "http://m.example/k", "http://m.example/k/a.rpm"),
        ("", "", ""),
    ],
)
def test_mirror(url, mirror, expected):
    assert catalog.mirrored(url, "a.rpm", mirror) == expected


# ---- option formats


@pytest.mark.parametrize("text", ["200/8", "254/8", "253/20", "254/20", "28/7", "28/19", "6/3", "255/40", " 200/8 "])
def test_formats(text):
    assert str(option_formats.parse(text)) == text.strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("200", "KIND/LENGTH"), ("200/8/4", "KIND/LENGTH"), ("C8/8", "KIND/LENGTH"), (200, "KIND/LENGTH"), (None, "KIND/LENGTH"), ("-2/8", "KIND/LENGTH"),
        ("0/8", "End of Option List"), ("1/8", "No-Operation"), ("2/8", "Maximum Segment Size"), ("8/10", "Timestamps"), ("30/12", "Multipath"),
        ("256/8", "byte"), ("200/2", "from 3 to 40"), ("200/41", "from 3 to 40"),
    ],
)  # fmt: skip
def test_formats_that_cannot_be(text, expected):
    with pytest.raises(ValueError, match=expected):
        option_formats.parse(text)


def test_profiles():
    assert option_formats.wanted("tencent", []) == ["200/8"]
    assert option_formats.wanted("alibaba", []) == ["254/8", "253/20"]
    assert option_formats.wanted("alibaba", ["28/7", "28/7"]) == ["28/7"]
    assert option_formats.wanted("", []) == []
    assert option_formats.wanted("custom", ["111/8"]) == ["111/8"]
    assert all(
        profile.source and option_formats.normalise(profile.option_kinds) == list(profile.option_kinds)
        for profile in option_formats.VENDORS.values()
    )
    assert not any(option_formats.unknown(profile.option_kinds) for profile in option_formats.VENDORS.values())
    for vendor, kinds, expected in (
        ("custom", [], "toa_option_kinds"),
        ("tencen", [], "expected one of"),
        ("", "200/8", "list"),
    ):
        with pytest.raises(ValueError, match=expected):
            option_formats.wanted(vendor, kinds)


def test_layouts():
    assert option_formats.unknown(["200/8", "254/20", "28/7", "28/19"]) == []
    assert option_formats.unknown(["200/9", "252/20", "250/8"]) == ["200/9", "252/20", "250/8"]


@pytest.mark.parametrize("url", ["ftp://mirror.example/x", "file:///x", "x", "http://[x"])
def test_a_lock_file_names_addresses_that_hosts_can_fetch(url):
    with pytest.raises(catalog.CatalogError, match="not a URL"):
        catalog.read_lock({"packages": [{"file": "kernel-1-1.x86_64.rpm", "url": url, "size": 1, "sha256": DIGEST}]})
