# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One call on a host: the program that is sent, the connection, and the checked answer."""
