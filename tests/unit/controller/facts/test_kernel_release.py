# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel releases: every string of the vectors and of the field, by parts and by age."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.facts import kernel_release
from hypothesis import given
from hypothesis import strategies as st

VECTORS = Path(__file__).resolve().parents[2] / "vectors"


def rows(name: str) -> list[list[str]]:
    """Lines of a table without its heading, each with all columns."""
    lines = (VECTORS / name).read_text(encoding="utf-8").rstrip("\n").split("\n")[1:]
    width = len((VECTORS / name).read_text(encoding="utf-8").split("\n")[0].split("\t"))
    return [line.split("\t") + [""] * (width - line.count("\t") - 1) for line in lines]


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(".")] if text else []


@pytest.mark.parametrize("row", rows("releases.tsv"), ids=lambda row: row[0])
def test_parts(row):
    release, upstream, build, tag, minor, flavour, arch, extra = row
    parsed = kernel_release.parse(release)
    assert parsed == {
        "release": release, "upstream": numbers(upstream), "build": numbers(build), "tag": tag, "dist_minor": numbers(minor),
        "flavour": flavour, "arch": arch, "extra": extra, "debug": "debug" in flavour,
    }  # fmt: skip


@pytest.mark.parametrize("row", rows("kernels.tsv"), ids=lambda row: row[1])
def test_vectors_parse(row):
    parsed = kernel_release.parse_strict(row[1])
    assert parsed["upstream"] and parsed["arch"] in ("", row[2])


# Field guide, table 6.1: the numbers alone, whoever built the kernel.
@pytest.mark.parametrize(
    ("release", "wanted", "reached"),
    [
        ("5.10.23-5.al8.x86_64", "5.10.134-15", False),
        ("5.10.60-9.al8.x86_64", "5.10.134-15", False),
        ("5.10.84-10.4.al8.x86_64", "5.10.134-15", False),
        ("5.10.112-11.2.al8.x86_64", "5.10.134-15", False),
        ("5.10.134-13.1.al8.x86_64", "5.10.134-15", False),
        ("5.10.134-15.al8.x86_64", "5.10.134-15", True),
        ("5.10.134-15.2.al8.x86_64", "5.10.134-15", True),
        ("5.10.134-15.2.al8.x86_64", "5.10.134-17", False),
        ("5.10.134-16.3.al8.aarch64", "5.10.134-17", False),
        ("5.10.134-17.2.al8.x86_64", "5.10.134-17", True),
        ("5.10.134-19.3.2.al8.x86_64", "5.10.134-19.3", True),
        ("5.10.134-19.3.2.al8.x86_64", "5.10.134-19.10", False),
        ("5.10.134-007.al8.x86_64", "5.10.134-15", False),
        ("5.10.134-007.ali5000.al8.x86_64", "5.10.134-15", False),
        ("5.10.134-011.ali5000.al8.x86_64", "5.10.134-15", False),
        ("5.10.134-15.an8.x86_64", "5.10.134-15", True),
        ("5.10.134-15.an8.x86_64", "5.10.134-15.al8", False),
        ("5.10.237-230.949.amzn2.x86_64", "5.10.134-15", True),
        ("5.10.237-230.949.amzn2.x86_64", "5.10.134-15.al8", False),
        ("5.10.134", "5.10.134-15", False),
        ("4.4.87.toa", "4.4.0-210", True),
        ("4.4.87.toa", "4.4.87", True),
        ("6.12.4-1-default", "6.12", True),
        ("4.18.0-372.16.1.el8_6.0.1.x86_64", "4.18.0-372.16.1.el8_6", True),
        ("4.18.0-372.16.1.el8.x86_64", "4.18.0-372.16.1.el8_6", False),
    ],
)
def test_at_least(release, wanted, reached):
    assert kernel_release.at_least(release, wanted) is reached
    assert kernel_release.at_least(kernel_release.parse(release), wanted) is reached


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "garbage",
        "5",
        "5.10;reboot",
        "5.10.134-15 al8",
        "\x1b[2J5.10.1",
        "5.10." + "1" * 200,
        "٥.١٠.١",
        "-5.10.1",
        None,
        5,
        [],
    ],
)
def test_garbage(garbage):
    assert kernel_release.parse(garbage)["upstream"] == []
    with pytest.raises(ValueError, match="kernel release") as caught:
        kernel_release.parse_strict(garbage)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError):
        kernel_release.at_least(garbage, "5.10")
    with pytest.raises(ValueError):
        kernel_release.at_least("5.10.0", garbage)


def test_a_dict_that_is_no_kernel():
    with pytest.raises(ValueError, match="kernel_release"):
        kernel_release.at_least({"upstream": [5, 10]}, "5.10")


@given(st.text(max_size=200))
def test_parse_never_raises(text):
    parsed = kernel_release.parse(text)
    assert set(parsed) == set(kernel_release.parse("4.4.87.toa"))


@given(st.text(alphabet="0123456789.-+_abel~x86", max_size=60))
def test_parse_of_near_misses(text):
    parsed = kernel_release.parse(text)
    assert all(isinstance(part, int) for part in parsed["upstream"] + parsed["build"] + parsed["dist_minor"])
    assert kernel_release.compare(parsed, parsed) == 0


# Oldest first, all of one line.
@pytest.mark.parametrize(
    ("family", "releases"),
    [
        ("rpm", ["5.10.134-007.ali5000.al8.x86_64", "5.10.134-15.al8.x86_64", "5.10.134-15.2.al8.x86_64", "5.10.134-19.3.2.al8.x86_64",
                 "5.10.134-19.10.al8.x86_64"]),
        ("rpm", ["4.18.0-372.16.1.el8.x86_64", "4.18.0-372.16.1.el8_6.x86_64", "4.18.0-372.16.1.el8_6.0.1.x86_64", "4.18.0-477.el8.x86_64"]),
        ("rpm", ["3.10.0-693.el7.x86_64", "3.10.0-693.el7.centos.toa.x86_64", "3.10.0-957.21.3.el7.toa.x86_64", "3.10.0-1160.119.1.el7.x86_64"]),
        ("deb", ["4.4.0-21-generic", "4.4.0-210-generic", "4.4.87.toa", "4.15.0-20-generic"]),
        ("deb", ["6.1.0-9-amd64", "6.1.0-18-amd64", "6.12.9+deb13-amd64", "6.12.41+deb13-amd64"]),
    ],
)  # fmt: skip
def test_order(family, releases):
    parsed = [kernel_release.parse(release) for release in releases]
    for left, one in enumerate(parsed):
        for right, other in enumerate(parsed):
            assert kernel_release.compare(one, other, family) == (left > right) - (left < right), (
                one["release"],
                other["release"],
            )


def test_downgrade_goes_by_numbers_alone():
    older = [("3.10.0-693.el7.centos.toa.x86_64", "3.10.0-1160.el7.x86_64"), ("4.4.0-1-generic", "4.15.0-1-generic")]
    not_older = [
        ("4.4.87.toa", "4.4.0-210-generic"),
        ("3.16.43.toa", "3.16.0-11-amd64"),
        ("2.6.32-220.23.1.el6.toa.x86_64", "2.6.32-220.23.1.el6.x86_64"),
    ]
    assert all(kernel_release.is_older(kernel_release.parse(one), kernel_release.parse(other)) for one, other in older)
    assert not any(
        kernel_release.is_older(kernel_release.parse(one), kernel_release.parse(other)) for one, other in not_older
    )


@pytest.mark.parametrize(("left", "right", "order"), [
    ("1.0", "1.0", 0), ("1.0", "1.0~rc1", 1), ("1.10", "1.9", 1), ("1.0", "1.0.1", -1), ("1.a", "1.1", -1), ("1.007", "1.7", 0), ("fc", "el", 1),
])  # fmt: skip
def test_rpm_rules(left, right, order):
    assert kernel_release.rpm_order(left, right) == order
    assert kernel_release.rpm_order(right, left) == -order


@pytest.mark.parametrize(("left", "right", "order"), [
    ("1.0", "1.0", 0), ("1.0", "1.0~rc1", 1), ("1.10", "1.9", 1), ("1.0", "1.0+b1", -1), ("1.0a", "1.0+", -1), ("1.007", "1.7", 0), ("1~", "1", -1),
])  # fmt: skip
def test_dpkg_rules(left, right, order):
    assert kernel_release.dpkg_order(left, right) == order
    assert kernel_release.dpkg_order(right, left) == -order
