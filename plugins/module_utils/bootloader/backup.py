# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call is about to change, so that it can be put back."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type


class Backup:
    """Contents of a few files, and of a few words (file, offset, length) that have to stay where they are, to put them back."""

    def __init__(self, machine, names, words=()):
        self.machine = machine
        self.contents = dict((name, machine.read_bytes(name)) for name in names)
        self.words = [
            (name, offset, machine.read_bytes(name)[offset : offset + length]) for name, offset, length in words
        ]

    def put_back(self):
        for name, data in self.contents.items():
            if data is None:
                self.machine.remove(name)
            elif self.machine.read_bytes(name) != data:
                self.machine.write(name, data, shared=True)
        for name, offset, data in self.words:
            self.machine.write_at(name, offset, data)
