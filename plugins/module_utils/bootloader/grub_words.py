# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Words of single commands of GRUB's script language: conditions, names of variables, titles of entries. Pure."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

_OPTIONS_WITH_VALUE = ("--class", "--users", "--hotkey", "--source", "--id")


def compare(left, operator, right):
    if operator in ("=", "=="):
        return left == right
    if operator == "!=":
        return left != right
    numbers = []
    for side in (left, right):
        match = re.match(r"-?[0-9]+$", side)
        if match is None:
            return False
        numbers.append(int(side))
    return {
        "-eq": numbers[0] == numbers[1],
        "-ne": numbers[0] != numbers[1],
        "-lt": numbers[0] < numbers[1],
        "-le": numbers[0] <= numbers[1],
        "-gt": numbers[0] > numbers[1],
        "-ge": numbers[0] >= numbers[1],
    }.get(operator, False)


def names_of_variables(words):
    """Names of variables in the arguments of load_env and save_env: what is left without the options and the file."""
    names, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in ("-f", "--file"):
            skip = True
        elif not word.startswith("-"):
            names.append(word)
    return names


def title_and_id(words):
    title, identity, place = None, "", 0
    while place < len(words):
        word = words[place]
        if word in _OPTIONS_WITH_VALUE:
            place += 1
            if word == "--id" and place < len(words):
                identity = words[place]
        elif word.startswith("--id="):
            identity = word[len("--id=") :]
        elif title is None and not word.startswith("--"):
            title = word
        place += 1
    return title or "", identity
