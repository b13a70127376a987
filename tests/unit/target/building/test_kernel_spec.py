# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The two lines of tencent-toa.txt in kernel.spec, in the places where they belong."""

from __future__ import absolute_import, division, print_function

import os
import re

import pytest
from ansible_collections.realip.toa.plugins.module_utils.building.kernel_spec import add_patch, config_name, set_buildid
from ansible_collections.realip.toa.plugins.module_utils.host.io import TargetError

SAMPLE = os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "samples", "kernel-el.spec"
)


def spec():
    handle = open(SAMPLE)
    text = handle.read()
    handle.close()
    return text


def lines_around(text, line):
    lines = text.splitlines()
    place = lines.index(line)
    return lines[place - 1], lines[place + 1]


def test_both_lines_stand_after_the_last_of_their_kind():
    text = add_patch(spec())
    # 999999 is taken by linux-kernel-test.patch.
    assert lines_around(text, "Patch1000000: toa.patch") == ("Patch999999: linux-kernel-test.patch", "")
    assert lines_around(text, "ApplyOptionalPatch toa.patch") == (
        "ApplyOptionalPatch linux-kernel-test.patch",
        "%endif",
    )
    added = [line for line in text.splitlines() if "toa.patch" in line]
    assert len(added) == 2 and len(text.splitlines()) == len(spec().splitlines()) + 2
    assert add_patch(text) == text


def test_the_documents_number_where_it_is_free():
    text = add_patch(spec().replace("Patch999999: linux-kernel-test.patch", "Patch2: linux-kernel-test.patch"))
    assert "Patch999999: toa.patch" in text.splitlines()


def test_a_spec_that_knows_only_apply_patch():
    text = add_patch(re.sub(r"ApplyOptionalPatch linux.*\n", "", spec().replace("ApplyOptionalPatch()", "Other()")))
    assert lines_around(text, "ApplyPatch toa.patch") == ("ApplyPatch hotfix.patch", "%endif")


@pytest.mark.parametrize(
    "change, missing",
    [
        (lambda text: re.sub(r"(?m)^Patch.*\n", "", text), "PatchN: FILE"),
        (
            lambda text: re.sub(r"(?m)^Apply(Optional)?Patch \S.*\n", "", text),
            "ApplyOptionalPatch or ApplyPatch in %prep",
        ),
        (lambda text: text.replace("%prep", ""), "%prep"),
        (lambda text: "", "PatchN: FILE"),
    ],
)
def test_a_spec_of_another_shape_is_refused(change, missing):
    with pytest.raises(TargetError) as caught:
        add_patch(change(spec()))
    assert caught.value.code == "spec_unknown" and missing in caught.value.message


def test_buildid():
    text = set_buildid(spec(), ".toa")
    assert "%define buildid .toa" in text.splitlines() and "# % define buildid .local" not in text
    assert set_buildid(text, ".toa2").count("buildid .toa2") == 1
    with pytest.raises(TargetError):
        set_buildid("Name: kernel\n", ".toa")


def test_the_configuration_of_the_kernel_that_boots():
    names = [
        "config-x86_64-debug",
        "config-x86_64-generic",
        "config-powerpc64-generic",
        "config-x86_64-stray",
        "Makefile.config",
    ]
    assert config_name(spec(), names, "x86_64") == "config-x86_64-generic"
    el7 = "Source50: kernel-%{version}-x86_64.config\nSource51: kernel-%{version}-x86_64-debug.config\n"
    assert (
        config_name(el7, ["kernel-3.10.0-x86_64-debug.config", "kernel-3.10.0-x86_64.config"], "x86_64")
        == "kernel-3.10.0-x86_64.config"
    )
    with pytest.raises(TargetError) as caught:
        config_name(spec(), names, "aarch64")
    assert "config-aarch64-generic" in caught.value.message
