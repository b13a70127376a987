# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kernel releases (`uname -r`) of all families: what is in the string, and which of two is newer.

No table of known kernels: a release is read by the few rules that rpm, dpkg and vendor kernels share.

    5.10.134  -  19.3.2  .  al8     .  x86_64  +  debug         rpm:  upstream, build, tag, arch, flavour
    4.18.0    -  372.16.1 . el8_6.0.1 . x86_64                  rpm:  the tag carries the minor release of the distribution
    5.10.134  -  007.ali5000 . al8  .  x86_64                   words between build and tag are `extra`, build is 7
    5.10.0    -  27  -  rt  -  amd64                            dpkg: upstream, build (ABI), flavour, arch
    6.12.41+deb13-cloud-amd64                                   dpkg: tag without build
    4.4.87.toa                                                  make bindeb-pkg with a local version: upstream, flavour
    5.4.119-19.0009.28                                          neither tag nor arch
"""

from __future__ import annotations

import re
from typing import Any, TypeAlias

Kernel: TypeAlias = dict[str, Any]
Numbers: TypeAlias = tuple[int, ...]

# Names of `uname -m` and of Debian's kernel packages, with the one name we use for each.
ARCHITECTURES = {
    "amd64": "x86_64", "x86_64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64", "i386": "i686", "i486": "i686", "i586": "i686",
    "i686": "i686", "ppc64el": "ppc64le", "powerpc64le": "ppc64le", "ppc64le": "ppc64le", "ppc64": "ppc64", "s390x": "s390x",
    "loongarch64": "loongarch64", "loong64": "loongarch64", "riscv64": "riscv64", "armv7l": "armv7l", "armv7hl": "armv7l",
    "armmp": "armv7l", "mips64el": "mips64el", "sw_64": "sw_64",
}  # fmt: skip

# struct utsname gives a release 64 characters; anything much longer was not made by a kernel.
LONGEST_RELEASE = 128

_ARCH = re.compile("[._+-](" + "|".join(sorted(ARCHITECTURES, key=len, reverse=True)) + ")(?=$|[.+_-])")
_UPSTREAM = re.compile(r"(\d{1,9}(?:\.\d{1,9}){1,3})(?=$|[-+._~])")
_LEGAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]*\Z")
_NUMBER = re.compile(r"\d{1,18}\Z")
# el8, al8, an23, el7uek, oe2203sp3, amzn2023, deb13 - but not v2101 or rc3, which are versions of something else.
_TAG = re.compile(r"(?!(?:v|rc|rt|pre|git)\d)([a-z]+\d+(?:sp\d+)?)([a-z]*)\Z")
_REALTIME = re.compile(r"rt\d*\Z")


def normal_arch(name: str) -> str:
    """`amd64` -> `x86_64` and so on; a name that nobody knows is given back as it is."""
    return ARCHITECTURES.get(name, name)


def parse(release: object) -> Kernel:
    """A release in parts; never raises. What is not a kernel release gives empty parts (`upstream: []`).

    `release` str, `upstream`, `build` and `dist_minor` lists of int, `tag`, `flavour`, `arch` and `extra` str, `debug` bool.
    `build` holds the leading numbers after the upstream version, `dist_minor` the numbers that belong to the tag.
    """
    text = release.strip() if isinstance(release, str) else ""
    kernel = _empty(text)
    match = _UPSTREAM.match(text) if _LEGAL.match(text) and len(text) <= LONGEST_RELEASE else None
    if match is None:
        return kernel
    kernel["upstream"] = _numbers(match.group(1))
    rest, kernel["arch"], suffix = _split_arch(text[match.end() :])
    tokens = [token for token in re.split(r"[-+._~]", rest) if token]
    _read_tokens(kernel, tokens, [token for token in re.split(r"[-+._~]", suffix) if token])
    return kernel


def parse_strict(release: object) -> Kernel:
    """As `parse`, but ValueError with one sentence for a human where the text is not a kernel release."""
    if not isinstance(release, str):
        raise ValueError(
            f"a kernel release is a string as `uname -r` prints it, for example 5.10.134-16.3.al8.x86_64; got {release!r:.80}"
        )
    kernel = parse(release)
    if not kernel["upstream"]:
        raise ValueError(
            f"{release!r:.80} is not a kernel release as `uname -r` prints it, for example 5.10.134-16.3.al8.x86_64"
        )
    return kernel


def as_kernel(value: object) -> Kernel:
    """A release string, or a dict that `parse` once made (so also `ansible_facts.toa.kernel`), as a parsed kernel.

    Raises ValueError for anything else.
    """
    if isinstance(value, dict):
        if not isinstance(value.get("release"), str):
            raise ValueError(
                "a parsed kernel is a dict with `release`, as the filter realip.toa.kernel_release makes it"
            )
        return parse_strict(value["release"])
    return parse_strict(value)


def number_key(kernel: Kernel) -> tuple[Numbers, Numbers]:
    """(upstream, build) for comparing; 6.12 and 6.12.0 are the same upstream version."""
    upstream = tuple(kernel["upstream"])
    return upstream + (0,) * (4 - len(upstream)), tuple(kernel["build"])


def compare(left: Kernel, right: Kernel, family: str = "rpm") -> int:
    """-1, 0 or 1 as `left` is older than, as old as, or newer than `right`.

    By numbers first: upstream, build, then those of the tag. Where all are equal, what remains of the strings decides, under the
    rules of the family (`rpm` or `deb`). Only within one tag is the build number a matter of age; `same_line` tells.
    """
    one, other = (number_key(kernel) + (tuple(kernel["dist_minor"]),) for kernel in (left, right))
    if one != other:
        return -1 if one < other else 1
    order = dpkg_order if family == "deb" else rpm_order
    return order(_without_arch(left), _without_arch(right))


def same_line(left: Kernel, right: Kernel) -> bool:
    """True where both carry the tag of the same distribution, so that their builds can be compared."""
    return left["tag"] == right["tag"]


def at_least(running: object, wanted: object) -> bool:
    """True where `running` is `wanted` or newer, by (upstream, build).

    A `wanted` with a tag (5.10.134-15.al8) is only reached by kernels of that tag. Both may be strings or parsed
    kernels. Raises ValueError for what is neither.
    """
    have, need = as_kernel(running), as_kernel(wanted)
    if need["tag"] and not same_line(have, need):
        return False
    if need["tag"]:
        return number_key(have) + (tuple(have["dist_minor"]),) >= number_key(need) + (tuple(need["dist_minor"]),)
    return number_key(have) >= number_key(need)


def is_older(candidate: Kernel, running: Kernel) -> bool:
    """True where `candidate` is older than `running` by (upstream, build): a downgrade, whatever the words around say."""
    return number_key(candidate) < number_key(running)


def rpm_order(left: str, right: str) -> int:
    """-1, 0 or 1 by rpm's rules: segments of digits or letters; digits are newer than letters, more is newer, `~` is older."""
    one, other = re.findall(r"\d+|[A-Za-z]+|~", left), re.findall(r"\d+|[A-Za-z]+|~", right)
    for a, b in zip(one, other, strict=False):
        if a == b:
            continue
        if "~" in (a, b):
            return -1 if a == "~" else 1
        if a.isdigit() != b.isdigit():
            return 1 if a.isdigit() else -1
        x, y = (int(a), int(b)) if a.isdigit() else (a, b)
        if x != y:
            return -1 if x < y else 1
    if len(one) == len(other):
        return 0
    longer, sign = (one, 1) if len(one) > len(other) else (other, -1)
    return -sign if longer[min(len(one), len(other))] == "~" else sign


def dpkg_order(left: str, right: str) -> int:
    """-1, 0 or 1 by dpkg's rules: by turns non-digits and digits; letters before other characters, `~` before the end."""
    one, other = _dpkg_key(left), _dpkg_key(right)
    return (one > other) - (one < other)


def _dpkg_key(text: str) -> list[Any]:
    def weight(character: str) -> int:
        return -1 if character == "~" else ord(character) if character.isalpha() else ord(character) + 256

    key: list[Any] = []
    for words, number in re.findall(r"([^\d]*)(\d*)", text)[:-1] or [("", "")]:
        # The end of a run of non-digits weighs 0: more than `~`, less than anything else.
        key.append([weight(character) for character in words] + [0])
        key.append(int(number or "0"))
    key.append([0])
    return key


def _empty(text: str) -> Kernel:
    return {
        "release": text, "upstream": [], "build": [], "tag": "", "dist_minor": [], "flavour": "", "arch": "", "extra": "", "debug": False,
    }  # fmt: skip


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(".")]


def _split_arch(rest: str) -> tuple[str, str, str]:
    """`-16.3.al8.x86_64+debug` -> (`-16.3.al8`, `x86_64`, `+debug`)."""
    found = list(_ARCH.finditer(rest))
    if not found:
        return rest, "", ""
    last = found[-1]
    return rest[: last.start()], normal_arch(last.group(1)), rest[last.end() :]


def _read_tokens(kernel: Kernel, tokens: list[str], suffix: list[str]) -> None:
    """Sort what lies between upstream version and architecture into build, extra, tag, dist_minor and flavour."""
    leading = 0
    while leading < len(tokens) and _NUMBER.match(tokens[leading]):
        leading += 1
    kernel["build"] = [int(token) for token in tokens[:leading]]
    middle = tokens[leading:]
    flavour: list[str] = []
    # The tag closes an rpm release, so the last token that looks like one is it: al8 in 007.ali5000.al8.
    tags = [(index, tag) for index, token in enumerate(middle) if (tag := _TAG.match(token))]
    if not tags:
        flavour += [token for token in middle if not _NUMBER.match(token)]
    else:
        at, tag = tags[-1]
        kernel["tag"] = tag.group(1)
        kernel["extra"] = ".".join(middle[:at])
        kernel["dist_minor"] = [int(token) for token in middle[at + 1 :] if _NUMBER.match(token)]
        flavour += ["rt"] if any(_REALTIME.match(token) for token in middle[:at]) else []
        flavour += [tag.group(2)] if tag.group(2) else []
        flavour += [token for token in middle[at + 1 :] if not _NUMBER.match(token)]
    flavour += suffix
    kernel["flavour"] = "-".join(flavour)
    kernel["debug"] = any(word.startswith("debug") or word == "dbg" for word in flavour)


def _without_arch(kernel: Kernel) -> str:
    release, arch, suffix = _split_arch(kernel["release"])
    return release + suffix
