# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A trial boot: what its entry is called, and what its kernel is told, so that a boot that gets stuck becomes a reboot.

The words stand at the end of the command line, where the last of equals counts, and begin with a mark that bears a number of this one
trial. So a boot of another entry that has got hold of them (tools copy command lines) is no trial, and they can be found and taken out.
GNU's GRUB legacy hands over 255 characters and no more: those that matter most come first.
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import binascii
import os
import re

MARK_NAME = "realip_toa.trial"

# (what would otherwise stand still, the word that makes it a reboot, the same as a regular expression)
NO_WAY_TO_GET_STUCK = (
    ("kernel panic, and the shell of initramfs-tools", "panic=%d", r"panic=\d+"),
    ("emergency shell of dracut", "rd.shell=0 rd.emergency=reboot", r"rd\.shell=0(?:[ \t]+rd\.emergency=reboot)?"),
    ("kernel oops", "oops=panic", r"oops=panic"),
    ("task that hangs in the kernel", "hung_task_panic=1", r"hung_task_panic=1"),
    ("CPU that loops in the kernel", "softlockup_panic=1", r"softlockup_panic=1"),
    ("crash of systemd", "systemd.crash_reboot=1", r"systemd\.crash_reboot=1"),
)
_BEGINS, _ENDS = r"[ \t]*(?<![^\s\"'=])", r"(?![^\s\"'])"


def _beginning_of(word):
    """What matches a word that was cut off."""
    return re.escape(word[0]) + ("(?:%s)?" % _beginning_of(word[1:]) if len(word) > 1 else "")


_CUT = "|".join(
    _beginning_of(part[:-1])
    for unused, word, unused_pattern in NO_WAY_TO_GET_STUCK
    for part in word.replace("%d", "0").split()
)
_WORDS = re.compile(
    _BEGINS
    + re.escape(MARK_NAME)
    + r"=[0-9a-zA-Z]*"
    + _ENDS
    + "".join("(?:[ \t]+%s%s)?" % (pattern, _ENDS) for unused, unused_word, pattern in NO_WAY_TO_GET_STUCK)
    + r"(?:[ \t]+(?:%s)(?=[ \t]*(?:[\n\"']|\Z)))?" % _CUT
)


def new_nonce():
    return binascii.hexlify(os.urandom(6)).decode("ascii")


def trial_mark(nonce):
    return "%s=%s" % (MARK_NAME, nonce)


def trial_words(panic, nonce):
    """What is added to the command line of a trial boot."""
    words = [word % panic if "%" in word else word for unused, word, unused_pattern in NO_WAY_TO_GET_STUCK]
    return " ".join([trial_mark(nonce)] + words)


def without_trial_words(text):
    """A text in which no kernel is told that it is on trial, whichever trial that was; all else as it stands."""
    return _WORDS.sub("", text) if MARK_NAME in text else text


def trial_title(release):
    return "Trial boot of %s (realip.toa)" % release


def back_title(release):
    return "Back to %s (realip.toa)" % (release or "unknown")


def with_trial_words(line, words):
    """A line with a kernel's options, and the trial's words behind them."""
    return "%s %s" % (line.rstrip(), words)
