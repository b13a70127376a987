# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB's environment block, and the settings files that are shell assignments: pure parsers, text in and dicts out."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

ENV_HEADER = "# GRUB Environment Block\n"
ENV_SIZE = 1024
_SHELL_ASSIGNMENT = r"(?m)^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z_0-9]*)=(.*)$"
_PIECE = re.compile(r"""\\(.)|'([^']*)'|"((?:\\.|[^"\\])*)"|\$\{?([A-Za-z_0-9]+|[?*#@])\}?|([^\\'"$]+|\$)""", re.S)


def parse_grubenv(text):
    """grubenv -> dict of its variables, or None where the text is not an environment block (GRUB would refuse it too).

    A backslash protects the character after it; `#` fills what is left (GRUB: lib/envblk.c).
    """
    if text is None or not text.startswith(ENV_HEADER):
        return None
    values = {}
    for line in re.findall(r"(?:\\.|[^\\\n])+", text[len(ENV_HEADER) :], re.S):
        if line.startswith("#") or "=" not in line:
            continue
        name, value = line.split("=", 1)
        values[name] = re.sub(r"\\([\s\S])", r"\1", value)
    return values


def parse_assignments(text):
    """/etc/default/grub and files like it -> dict. Shell quoting is undone, nothing is expanded; the last one wins."""
    values = {}
    for name, raw in re.findall(_SHELL_ASSIGNMENT, text or ""):
        values[name] = _first_shell_word(raw)
    return values


def _first_shell_word(raw):
    match = re.match(r"""(?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s;#'"\\]|(?<=\S)\#)*""", raw.strip())
    parts = []
    for piece in _PIECE.finditer(match.group(0)):
        escaped, single, double, variable, plain = piece.groups()
        if double is not None:
            parts.append(re.sub(r'\\([\\"$`])', r"\1", double))
        elif variable is not None:
            parts.append(piece.group(0))
        else:
            parts.append(escaped or single or plain or "")
    return "".join(parts)
