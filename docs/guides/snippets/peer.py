# Copyright (c) 2026 The realip.toa authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints the client of every connection: python3 peer.py 8080"""

import socket
import struct
import sys

TOA_CLIENT = 1348  # as Alibaba's vtoa offers it
STORAGE = 128  # sizeof(struct sockaddr_storage)


def client_of(connection):
    """(address, port) of the client: by 1348 where that is offered, else the peer."""
    try:
        raw = connection.getsockopt(socket.IPPROTO_IP, TOA_CLIENT, STORAGE)
    except OSError:
        return connection.getpeername()[:2]
    family = struct.unpack("=H", raw[:2])[0]
    port = struct.unpack("!H", raw[2:4])[0]
    address = raw[8:24] if family == socket.AF_INET6 else raw[4:8]
    return socket.inet_ntop(family, address), port


def main():
    listener = socket.create_server(("", int(sys.argv[1]) if len(sys.argv) > 1 else 8080))
    print("ready", flush=True)
    while True:
        connection, _peer = listener.accept()
        with connection:
            address, port = client_of(connection)
            print(f"{address}:{port}", flush=True)


if __name__ == "__main__":
    main()
