# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which distribution a host is: out of os-release, or of the release file where there is none (CentOS 6).

Never out of Ansible's os_family: it knows neither Anolis nor OpenCloudOS, and calls the rpm flavour of UOS a Debian.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.realip.toa.plugins.module_utils.common.distributions import FAMILIES

# /etc first: TencentOS 3.1 ships a CentOS 8 file under /usr/lib.
OS_RELEASE_FILES = ("/etc/os-release", "/usr/lib/os-release")
# The vendor's own file before the one that a rebuild keeps for compatibility.
RELEASE_FILES = (
    "/etc/alinux-release",
    "/etc/centos-release",
    "/etc/oracle-release",
    "/etc/system-release",
    "/etc/redhat-release",
    "/etc/SuSE-release",
)
DEBIAN_VERSION = "/etc/debian_version"

# First words of a release file and the os-release ID that later releases of the same distribution carry.
RELEASE_NAMES = (
    ("centos", "centos"), ("red hat", "rhel"), ("rocky", "rocky"), ("almalinux", "almalinux"), ("oracle", "ol"), ("scientific", "scientific"),
    ("alibaba cloud linux", "alinux"), ("aliyun", "alinux"), ("anolis", "anolis"), ("tencentos", "tencentos"), ("opencloudos", "opencloudos"),
    ("fedora", "fedora"), ("amazon", "amzn"), ("opensuse", "opensuse"), ("suse linux enterprise", "sles"), ("openeuler", "openeuler"),
    ("kylin", "kylin"),
)  # fmt: skip

_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Z][A-Z0-9_]*)=(.*)\Z")
_VERSION = re.compile(r"\brelease\s+v?(\d+(?:\.\d+)*)|\b(\d+(?:\.\d+)*)", re.IGNORECASE)
_LONGEST_VALUE = 512


def parse(text: str) -> dict[str, str]:
    """KEY=value lines, quoted as a shell would have them; anything else is passed over. The last assignment counts."""
    values = {}
    for line in text.splitlines()[:256]:
        match = _ASSIGNMENT.match(line)
        if match:
            values[match.group(1)] = _unquote(match.group(2).strip())[:_LONGEST_VALUE]
    return values


def identify(files: Mapping[str, str]) -> dict[str, Any]:
    """`os` of the facts, without `package_manager`, out of {path: text}; `id` is "" where nothing said what this is.

    `id` and `id_like` are in lower case (openEuler and UOS write capitals); `major` is an int, 0 where there is none.
    """
    for path in OS_RELEASE_FILES:
        values = parse(files.get(path, ""))
        if values.get("ID"):
            return _from_os_release(values, path)
    for path in RELEASE_FILES:
        line = files.get(path, "").strip().split("\n", 1)[0].strip()
        if line:
            return _from_release_line(line, path)
    version = files.get(DEBIAN_VERSION, "").strip()
    if version[:1].isdigit():
        return _entry(
            id="debian",
            version_id=version[:_LONGEST_VALUE],
            pretty_name=f"Debian {version}"[:_LONGEST_VALUE],
            source=DEBIAN_VERSION,
        )
    return _entry()


def identify_text(text: str) -> dict[str, Any]:
    """The same for one text of unknown name: the contents of an os-release file or the line of a release file."""
    if parse(text).get("ID"):
        return identify({OS_RELEASE_FILES[0]: text})
    return identify({"/etc/redhat-release": text})


def package_family(entry: Mapping[str, Any], kernel_tag: str = "") -> str:
    """`rpm`, `deb` or `none`: what this distribution is made of where the host itself could not be asked.

    UOS exists in both; its server kernels carry the tag `uel20`, and only those are rpm.
    """
    if entry["platform_id"] or kernel_tag.startswith("uel"):
        return "rpm"
    names = [entry["id"], *entry["id_like"]]
    known = {FAMILIES[name] for name in names if name in FAMILIES}
    if "deb" in known or entry["id"] == "uos":
        return "deb"
    return "rpm" if known else "none"


def describe(entry: Mapping[str, Any]) -> str:
    """A distribution in a few words for a message."""
    return (
        entry["pretty_name"]
        or " ".join(part for part in (entry["id"], entry["version_id"]) if part)
        or "an unknown distribution"
    )


def _entry(**known: Any) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "id": "", "version_id": "", "major": 0, "id_like": [], "platform_id": "", "pretty_name": "", "variant": "", "source": "",
    }  # fmt: skip
    entry.update(known)
    entry["major"] = entry["major"] or _major(entry["version_id"])
    return entry


def _from_os_release(values: Mapping[str, str], path: str) -> dict[str, Any]:
    return _entry(
        id=values["ID"].lower(),
        version_id=values.get("VERSION_ID", ""),
        id_like=values.get("ID_LIKE", "").lower().split(),
        platform_id=values.get("PLATFORM_ID", ""),
        pretty_name=values.get("PRETTY_NAME", "") or values.get("NAME", ""),
        variant=values.get("VARIANT", "") or values.get("VARIANT_ID", ""),
        source=path,
    )


def _from_release_line(line: str, path: str) -> dict[str, Any]:
    lowered = line.lower()
    name = next((known for start, known in RELEASE_NAMES if lowered.startswith(start)), "")
    match = _VERSION.search(line)
    version = (match.group(1) or match.group(2)) if match and name else ""
    entry = _entry(id=name, version_id=version, pretty_name=line[:_LONGEST_VALUE], source=path)
    if name == "alinux" and entry["major"] == 7:
        # "Aliyun Linux release 7.2 LTS (Hunting Beagle)": the number is that of the CentOS it follows; Hunting Beagle is Alinux 2.
        entry["major"] = 2
    return entry


def _major(version: str) -> int:
    """ "16.04" -> 16, "V10" -> 10, "2.1903" -> 2; 0 where there is no number."""
    match = re.match(r"[Vv]?(\d{1,6})", version)
    return int(match.group(1)) if match else 0


def _unquote(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == "'":
        return value[1:-1]
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\([\"$`\\])", r"\1", value[1:-1])
    return value.split(" #", 1)[0].strip()
