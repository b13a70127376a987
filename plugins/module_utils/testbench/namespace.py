# -*- coding: utf-8 -*-
# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network of our own: a child process in a new network namespace, with a TUN device that carries hand-made packets.

Everything here happens inside that namespace and goes with the child: the host's interfaces, addresses, routes, sysctls and
firewall are never looked at, let alone changed. No command is run; the kernel is asked with ioctls (netdevice(7), ipv6(7)).
"""

from __future__ import absolute_import, division, print_function

__metaclass__ = type

import errno
import fcntl
import json
import os
import select
import signal
import socket
import struct
import time

# Python has os.unshare() from 3.12; before, only ctypes reaches the system call, and a minimal Python may lack it.
if hasattr(os, "unshare"):
    ctypes = None
else:
    try:
        import ctypes
    except ImportError:
        ctypes = None

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

# linux/if_tun.h
TUN_DEVICE = "/dev/net/tun"
TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000

# linux/sockios.h
SIOCADDRT = 0x890B
SIOCGIFFLAGS, SIOCSIFFLAGS = 0x8913, 0x8914
SIOCSIFADDR, SIOCSIFNETMASK = 0x8916, 0x891C
SIOCGIFINDEX = 0x8933
IFF_UP = 0x1
RTF_UP, RTF_GATEWAY = 0x1, 0x2


class Refused(Exception):
    """The host does not let us have a network of our own; the text says what is missing."""


def why(problem):
    """An OSError, IOError or socket.error in words."""
    return getattr(problem, "strerror", None) or "%s" % (problem,)


def in_child(work, timeout):
    """Run work() in a forked child and return its answer (anything JSON can carry).

    Raises Refused with the child's words where it raised Refused, where it died, or where it was not done after `timeout` seconds.
    The child cannot outlive that by more than two seconds, even if we are killed.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _child(work, writer, timeout)
    os.close(writer)
    try:
        text = _read_until(reader, time.time() + timeout)
    finally:
        os.close(reader)
        status = _reap(pid)
    if not text:
        raise Refused(
            "the probe's child ended without an answer (wait status %d) within %g seconds" % (status, timeout)
        )
    answer = json.loads(text.decode("utf-8"))
    if "refused" in answer:
        raise Refused(answer["refused"])
    if "bug" in answer:
        raise RuntimeError("in the probe's child: %s" % answer["bug"])
    return answer["answer"]


def _child(work, writer, timeout):
    try:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(int(timeout) + 2)
        try:
            answer = {"answer": work()}
        except Refused as problem:
            answer = {"refused": "%s" % (problem,)}
        except BaseException:
            import traceback  # costs more than all else here, and is never wanted

            answer = {"bug": traceback.format_exc()}
        data = json.dumps(answer).encode("utf-8")
        while data:
            data = data[os.write(writer, data) :]
    finally:
        os._exit(0)


def _read_until(reader, deadline):
    """Everything up to end of file; empty where the deadline came first."""
    chunks = []
    while wait_readable(reader, deadline):
        chunk = os.read(reader, 65536)
        if not chunk:
            return b"".join(chunks)
        chunks.append(chunk)
    return b""


def _reap(pid):
    """The child's wait status. It has closed its pipe and is exiting, or it has had its time: kill is harmless or due."""
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
    return os.waitpid(pid, 0)[1]


def wait_readable(handle, deadline):
    """True as soon as a file descriptor can be read, False where the deadline (of time.time()) came first."""
    watch = select.poll()
    watch.register(handle, select.POLLIN)
    return bool(watch.poll(max(0, int((deadline - time.time()) * 1000))))


def unshare_network():
    """Put this process into a new network namespace; without root, into a new user namespace as well. Raises Refused."""
    code = _unshare(CLONE_NEWNET)
    if code == errno.EPERM and _unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0:
        return
    if code == errno.EPERM:
        raise Refused(
            "no permission to make a network namespace: it takes root (CAP_SYS_ADMIN), or a kernel with user namespaces"
        )
    if code in (errno.EINVAL, errno.ENOSYS):
        raise Refused("this kernel has no network namespaces (CONFIG_NET_NS)")
    if code:
        raise Refused("cannot make a network namespace: %s" % os.strerror(code))


def _unshare(flags):
    """unshare(2); returns 0 or an errno."""
    if hasattr(os, "unshare"):
        try:
            os.unshare(flags)
        except OSError as problem:
            return problem.errno
        return 0
    if ctypes is None:
        raise Refused("this Python has no ctypes, and one older than 3.12 cannot make a network namespace without it")
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(ctypes.c_int(flags)) == 0:
        return 0
    return ctypes.get_errno()


def _ifreq(name, payload=b""):
    """struct ifreq: 16 bytes of name, 24 of union."""
    return struct.pack("16s24s", name.encode("ascii"), payload)


def _sockaddr_in(address):
    return struct.pack("=H2x4s8x", socket.AF_INET, socket.inet_aton(address))


class Tun:
    """A TUN device in the namespace this process is in: what is written to it arrives as if from a network, and the answers are read from it."""

    def __init__(self, name="toaprobe"):
        self.name = name
        try:
            self.handle = os.open(TUN_DEVICE, os.O_RDWR | os.O_NONBLOCK)
        except OSError as problem:
            raise Refused("%s cannot be opened: %s; load the kernel module `tun`" % (TUN_DEVICE, why(problem)))
        self._ask(self.handle, TUNSETIFF, _ifreq(name, struct.pack("=H", IFF_TUN | IFF_NO_PI)), "make a TUN device")

    def _ask(self, handle, request, argument, purpose):
        try:
            return fcntl.ioctl(handle, request, argument)
        except (IOError, OSError) as problem:
            raise Refused("cannot %s: %s" % (purpose, why(problem)))

    def set_up(self, address, netmask):
        """Bring `lo` and the device up and give the device an IPv4 address."""
        control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._ask(control, SIOCSIFADDR, _ifreq(self.name, _sockaddr_in(address)), "set the address of a TUN device")
            self._ask(
                control, SIOCSIFNETMASK, _ifreq(self.name, _sockaddr_in(netmask)), "set the netmask of a TUN device"
            )
            for name in ("lo", self.name):
                flags = struct.unpack(
                    "=16xH22x", self._ask(control, SIOCGIFFLAGS, _ifreq(name), "read the flags of %s" % name)
                )[0]
                self._ask(control, SIOCSIFFLAGS, _ifreq(name, struct.pack("=H", flags | IFF_UP)), "bring %s up" % name)
        finally:
            control.close()

    def route_everything(self, gateway):
        """Send all IPv4 into the device. The gateway is what names the device: struct rtentry wants a pointer for a name."""
        control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            anywhere = _sockaddr_in("0.0.0.0")  # nosec B104 # a route
            # Native alignment: rt_pad1, rt_dst, rt_gateway, rt_genmask, rt_flags, and 60 bytes or more that stay zero.
            route = struct.pack("@L16s16s16sH70x", 0, anywhere, _sockaddr_in(gateway), anywhere, RTF_UP | RTF_GATEWAY)
            self._ask(control, SIOCADDRT, route, "add a route in the probe's namespace")
        finally:
            control.close()

    def set_up6(self, address, prefix):
        """Give the device an IPv6 address and all IPv6 routes. A TUN device has no ARP, so there is no duplicate address detection to wait for."""
        try:
            control = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        except socket.error as problem:
            raise Refused("this kernel has no IPv6: %s" % why(problem))
        try:
            index = struct.unpack("=16xi20x", self._ask(control, SIOCGIFINDEX, _ifreq(self.name), "find a TUN device"))[
                0
            ]
            # struct in6_ifreq
            request = struct.pack("=16sIi", socket.inet_pton(socket.AF_INET6, address), prefix, index)
            self._ask(control, SIOCSIFADDR, request, "give a TUN device an IPv6 address")
            # struct in6_rtmsg: destination ::, source ::, gateway ::, type, lengths 0 and 0, metric, info, flags, interface
            route = struct.pack("@48sIHHILIi", b"", 0, 0, 0, 1, 0, RTF_UP, index)
            self._ask(control, SIOCADDRT, route, "add an IPv6 route in the probe's namespace")
        finally:
            control.close()

    def send(self, packet):
        os.write(self.handle, packet)

    def receive(self, deadline):
        """The next packet, or None where the deadline came first."""
        while wait_readable(self.handle, deadline):
            try:
                return os.read(self.handle, 4096)
            except OSError as problem:
                if problem.errno not in (errno.EAGAIN, errno.EINTR):
                    raise
        return None


def set_namespaced_sysctl(path, value, since, release):
    """Write a sysctl below /proc/sys/net of the namespace this process is in. Raises Refused.

    `since` is the first kernel, as [major, minor], in which each namespace has its own: before it the write would change the host.
    """
    numbers = [int(part) for part in "".join(c if c.isdigit() else " " for c in release).split()[:2]]
    if numbers < since:
        raise Refused(
            "before kernel %d.%d the sysctl %s belongs to the whole host, which the probe leaves alone"
            % (since[0], since[1], path)
        )
    try:
        handle = os.open("/proc/sys/net/" + path, os.O_WRONLY)
        try:
            os.write(handle, ("%d\n" % value).encode("ascii"))
        finally:
            os.close(handle)
    except OSError as problem:
        raise Refused("cannot set the sysctl %s in the probe's namespace: %s" % (path, why(problem)))
