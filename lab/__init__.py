# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real virtual machines on one machine, without KVM: for the demo, molecule and the fault tests.

    from lab import machines
    machines.up(["ubuntu1604"])

Everything `lab/lab` does is a function here; see lab/README.md.
"""
