# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of GRUB's script language that generated configurations use, as a list of nodes. Pure."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import re

_NESTING_LIMIT = 40
_TOKEN = re.compile(r"""[ \t\r]+|\#[^\n]*|\\\n|(\n|;)|((?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s;'"\\])+)""", re.S)


class Parser:
    """GRUB script -> list of nodes: ("command", words), ("if", branches), ("block", words, nodes), ("loop", nodes).

    Words keep their quotes; they are expanded when they are run.
    """

    def __init__(self, text):
        self.tokens = [match.group(2) or "\n" for match in _TOKEN.finditer(text) if match.group(1) or match.group(2)]
        self.place = 0

    def parse(self):
        nodes = []
        while self.place < len(self.tokens):
            nodes.extend(self.block((), 0))
            self.place += 1  # A stray "}" or "fi": GRUB would refuse the file; what is left is still worth reading.
        return nodes

    def block(self, ends, depth):
        nodes = []
        while self.place < len(self.tokens):
            token = self.tokens[self.place]
            if token in ends or (not ends and token in ("}", "fi", "done")):
                return nodes
            if token == "\n" or depth > _NESTING_LIMIT:
                self.place += 1
            elif token == "if":
                nodes.append(("if", self.branches(depth)))
            elif token in ("while", "until", "for"):
                self.place += 1
                self.block(("do",), depth + 1)
                self.place += 1
                nodes.append(("loop", self.block(("done",), depth + 1)))
                self.place += 1
            else:
                nodes.append(self.command(depth))
        return nodes

    def branches(self, depth):
        found = []
        while self.place < len(self.tokens) and self.tokens[self.place] in ("if", "elif"):
            self.place += 1
            condition = self.block(("then", "fi"), depth + 1)
            self.place += 1
            found.append((condition, self.block(("elif", "else", "fi"), depth + 1)))
        if self.place < len(self.tokens) and self.tokens[self.place] == "else":
            self.place += 1
            found.append((None, self.block(("fi",), depth + 1)))
        self.place += 1
        return found

    def command(self, depth):
        words = []
        while self.place < len(self.tokens) and self.tokens[self.place] != "\n":
            token = self.tokens[self.place]
            if token == "}":
                break
            self.place += 1
            if token == "{":
                nodes = self.block(("}",), depth + 1)
                self.place += 1
                return ("block", words, nodes)
            words.append(token)
        # "}" as the very first word cannot get here: block() returns on it or steps over it.
        if not words:
            self.place += 1
        return ("command", words)
