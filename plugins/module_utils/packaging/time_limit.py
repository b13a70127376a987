# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hard limit of time. A limit for each read says nothing of the whole: a server that sends a byte now and then keeps within it for ever."""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import signal
import time


class TimeUp(BaseException):
    """Not an Exception: nothing that reads from a network may take it for trouble with the network."""


class TimeLimit:
    """Context that raises TimeUp within when its seconds are over. An alarm that was set before goes on counting, and rings where it is the earlier one."""

    def __init__(self, seconds):
        self.seconds = max(0.001, seconds)
        self.armed = False

    def __enter__(self):
        self.began = time.time()
        self.outer = signal.getitimer(signal.ITIMER_REAL)[0]
        if self.outer and self.outer <= self.seconds:
            return self
        try:
            self.handler = signal.signal(signal.SIGALRM, self._ring)
        except ValueError:  # not in the main thread, where no alarm can be set
            return self
        self.armed = True
        # Again each second: the first one may ring where Python drops what is raised (in a destructor, say).
        try:
            signal.setitimer(signal.ITIMER_REAL, self.seconds, 1.0)
        except TimeUp:
            self._disarm()
            raise
        return self

    def _ring(self, unused_signal, unused_frame):
        raise TimeUp()

    def __exit__(self, *unused):
        try:
            self._disarm()
        except TimeUp:  # it rang on the way out
            self._disarm()
            raise
        return False

    def _disarm(self):
        if self.armed:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self.handler)
            if self.outer:
                signal.setitimer(signal.ITIMER_REAL, max(0.01, self.outer - (time.time() - self.began)))
            self.armed = False
