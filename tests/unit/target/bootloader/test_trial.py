# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a trial is told, and that it comes out of any text that has got hold of it, without a byte of anything else."""

from __future__ import absolute_import, division, print_function

import random

import pytest
from ansible_collections.realip.toa.plugins.module_utils.bootloader.trial import (
    NO_WAY_TO_GET_STUCK,
    new_nonce,
    trial_words,
    with_trial_words,
    without_trial_words,
)

OTHERS = [
    "root=UUID=0ac5c7b6",
    "ro",
    "panic=10",
    "panic=-1",
    "oops=panic",
    "quiet",
    "rd.shell=0",
    "rd.lvm.lv=cl/root",
    "console=ttyS0,115200n8",
    "xrealip_toa.trial=1",
    "$tuned_params",
    'dyndbg="file x +p"',
    "systemd.unit=multi-user.target",
    "hung_task_panic=0",
]
FRAMES = [
    "%s",
    "options %s\n",
    "\tlinux\t/vmlinuz-1 %s\n\tinitrd /initrd\n",
    'GRUB_CMDLINE_LINUX="%s"\nX=1\n',
    "args='%s'",
    "a\n%s\nb\n",
]


def test_every_way_to_get_stuck_has_its_word():
    words = trial_words(30, "abc").split()
    assert words[:2] == ["realip_toa.trial=abc", "panic=30"]
    assert len(words) == 1 + sum(len(word.split()) for unused, word, unused_pattern in NO_WAY_TO_GET_STUCK)


@pytest.mark.parametrize("seed", range(300))
def test_what_is_added_comes_out_wherever_it_was_copied_to(seed):
    chance = random.Random(seed)
    own = " ".join(chance.choice(OTHERS) for unused in range(chance.randint(1, 6)))
    behind = chance.choice(["", " resume=/dev/sda2", " panic=5", " oops=panic", " rd.shell=0"])
    frame = chance.choice(FRAMES)
    told = with_trial_words(own, trial_words(chance.randint(1, 3600), new_nonce()))
    assert without_trial_words(frame % (told + behind)) == frame % (own + behind)
    assert without_trial_words(frame % (own + behind)) == frame % (own + behind)


def test_a_panic_of_the_operators_stays_beside_ours():
    told = with_trial_words("ro panic=10", trial_words(30, "1a"))
    assert without_trial_words(told) == "ro panic=10"


@pytest.mark.parametrize("length", range(1, 160))
def test_a_line_that_was_cut_is_cleaned_of_what_is_whole(length):
    """GNU's GRUB legacy hands over 255 characters; a copy of that has no more either."""
    told = with_trial_words("root=/dev/sda1 ro", trial_words(30, "0123456789ab"))[
        : len("root=/dev/sda1 ro ") + length
    ].rstrip()
    left = without_trial_words(told)
    if "realip_toa.trial=" in told:
        assert left == "root=/dev/sda1 ro"


def test_text_that_is_nothing_but_the_words():
    assert without_trial_words(trial_words(30, "1a")) == ""
    assert without_trial_words('kernelopts="%s"' % trial_words(30, "1a")) == 'kernelopts=""'


def test_a_mark_alone_goes_too():
    assert without_trial_words("ro realip_toa.trial=1 quiet") == "ro quiet"
