# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distributions: every os-release of the vectors, the tricky ones of the field, and release files."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.realip.toa.plugins.plugin_utils.facts import distribution
from hypothesis import given
from hypothesis import strategies as st

FILES = Path(__file__).resolve().parents[2] / "vectors" / "os-release"

# file: id, major, version_id, family
EXPECTED = {
    "alinux-2": ("alinux", 2, "2.1903", "rpm"),
    "alinux-3": ("alinux", 3, "3", "rpm"),
    "almalinux-9.6": ("almalinux", 9, "9.6", "rpm"),
    "amzn-2": ("amzn", 2, "2", "rpm"),
    "centos-7": ("centos", 7, "7", "rpm"),
    "centos-8": ("centos", 8, "8", "rpm"),
    "centos-9": ("centos", 9, "9", "rpm"),
    "debian-10": ("debian", 10, "10", "deb"),
    "debian-11": ("debian", 11, "11", "deb"),
    "debian-12": ("debian", 12, "12", "deb"),
    "debian-13": ("debian", 13, "13", "deb"),
    "debian-8": ("debian", 8, "8", "deb"),
    "debian-9": ("debian", 9, "9", "deb"),
    "openeuler-24.03": ("openeuler", 24, "24.03", "rpm"),
    "opensuse-leap-15.6": ("opensuse-leap", 15, "15.6", "rpm"),
    "rhel-10.0": ("rhel", 10, "10.0", "rpm"),
    "rhel-8.10": ("rhel", 8, "8.10", "rpm"),
    "rhel-9.6": ("rhel", 9, "9.6", "rpm"),
    "rocky-8.10": ("rocky", 8, "8.10", "rpm"),
    "rocky-9.5": ("rocky", 9, "9.5", "rpm"),
    "sles-15.6": ("sles", 15, "15.6", "rpm"),
    "tencentos-4.2": ("tencentos", 4, "4.2", "rpm"),
    "ubuntu-14.04": ("ubuntu", 14, "14.04", "deb"),
    "ubuntu-16.04": ("ubuntu", 16, "16.04", "deb"),
    "ubuntu-18.04": ("ubuntu", 18, "18.04", "deb"),
    "ubuntu-20.04": ("ubuntu", 20, "20.04", "deb"),
    "ubuntu-22.04": ("ubuntu", 22, "22.04", "deb"),
    "ubuntu-24.04": ("ubuntu", 24, "24.04", "deb"),
}


def test_every_vector_is_expected_here():
    assert sorted(path.name for path in FILES.iterdir()) == sorted(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_vectors(name):
    entry = distribution.identify({"/etc/os-release": (FILES / name).read_text(encoding="utf-8")})
    assert (entry["id"], entry["major"], entry["version_id"], distribution.package_family(entry)) == EXPECTED[name]
    assert entry["source"] == "/etc/os-release"
    assert entry["pretty_name"]


# Field guide 6.4, and the distributions of section 5 and 6.2 that are not among the vectors.
@pytest.mark.parametrize(
    ("text", "expected", "family"),
    [
        (
            'ID="alinux"\nID_LIKE="anolis"\nVERSION_ID="4"\nVARIANT="Pro Edition"\nPLATFORM_ID="platform:alnx4"',
            ("alinux", 4),
            "rpm",
        ),
        (
            'ID="anolis"\nID_LIKE="rhel fedora centos"\nVERSION_ID="8.9"\nPLATFORM_ID="platform:an8"',
            ("anolis", 8),
            "rpm",
        ),
        ('ID="anolis"\nVERSION_ID="23"\nPLATFORM_ID="platform:an23"', ("anolis", 23), "rpm"),
        (
            'ID="tencentos"\nID_LIKE="rhel fedora centos"\nVERSION_ID="3.1"\nPLATFORM_ID="platform:el8"',
            ("tencentos", 3),
            "rpm",
        ),
        ('ID="openEuler"\nVERSION_ID="22.03"', ("openeuler", 22), "rpm"),
        ('ID="hce"\nVERSION_ID="2.0"', ("hce", 2), "rpm"),
        ('ID="kylin"\nVERSION_ID="V10"', ("kylin", 10), "rpm"),
        ("ID=UOS\nVERSION_ID=20", ("uos", 20), "deb"),
        ('ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"\nPLATFORM_ID="platform:al2023"', ("amzn", 2023), "rpm"),
        ('NAME="Alpine Linux"\nID=alpine\nVERSION_ID=3.20.1', ("alpine", 3), "none"),
        ("PRETTY_NAME='Debian GNU/Linux trixie/sid'\nID=debian", ("debian", 0), "deb"),
    ],
)
def test_field(text, expected, family):
    entry = distribution.identify({"/etc/os-release": text})
    assert (entry["id"], entry["major"]) == expected
    assert distribution.package_family(entry) == family


def test_uos_server_is_rpm_by_its_kernel():
    entry = distribution.identify({"/etc/os-release": "ID=UOS\nVERSION_ID=20"})
    assert distribution.package_family(entry, "uel20") == "rpm"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("CentOS release 6.7 (Final)", ("centos", 6, "6.7")),
        ("CentOS Linux release 7.9.2009 (Core)", ("centos", 7, "7.9.2009")),
        ("Red Hat Enterprise Linux Server release 6.7 (Santiago)", ("rhel", 6, "6.7")),
        ("Aliyun Linux release 7.2 LTS (Hunting Beagle)", ("alinux", 2, "7.2")),
        ("Aliyun Linux release 2.1903 LTS (Hunting Beagle)", ("alinux", 2, "2.1903")),
        ("Alibaba Cloud Linux (Aliyun Linux) release 2.1903 LTS (Hunting Beagle)", ("alinux", 2, "2.1903")),
        ("Alibaba Cloud Linux release 3 (OpenAnolis Edition)", ("alinux", 3, "3")),
        ("Alibaba Cloud Linux release 4 (OpenAnolis Edition)", ("alinux", 4, "4")),
        ("SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 3", ("sles", 11, "11")),
        ("Something Else 3", ("", 0, "")),
    ],
)
def test_release_files(line, expected):
    for entry in (distribution.identify({"/etc/redhat-release": line + "\n"}), distribution.identify_text(line)):
        assert (entry["id"], entry["major"], entry["version_id"]) == expected


def test_the_first_file_that_knows_counts():
    files = {
        "/etc/os-release": "# nothing\n",
        "/usr/lib/os-release": "ID=centos\nVERSION_ID=8",
        "/etc/redhat-release": "CentOS release 6.7 (Final)",
    }
    assert distribution.identify(files)["source"] == "/usr/lib/os-release"
    files["/etc/os-release"] = 'ID="tencentos"\nVERSION_ID="3.1"'
    assert distribution.identify(files)["id"] == "tencentos"
    assert distribution.identify({"/etc/debian_version": "7.11\n"})["major"] == 7
    assert distribution.identify({"/etc/debian_version": "trixie/sid\n"})["id"] == ""
    assert distribution.identify({})["id"] == ""


def test_shell_quotes():
    text = 'A="x \\"y\\" \\$z"\nB=\'a "b"\'\nC=plain # a comment\n#D=1\n E = 2\nexport F=3\nA2="unclosed\nG="last"\nG="really"'
    assert distribution.parse(text) == {
        "A": 'x "y" $z',
        "B": 'a "b"',
        "C": "plain",
        "F": "3",
        "A2": '"unclosed',
        "G": "really",
    }


@given(st.text(max_size=400))
def test_never_raises(text):
    entry = distribution.identify({"/etc/os-release": text, "/etc/redhat-release": text, "/etc/debian_version": text})
    assert isinstance(entry["major"], int)
    assert distribution.identify_text("ID=" + text)["source"]
