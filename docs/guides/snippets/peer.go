// Copyright (c) 2026 The realip.toa authors
// SPDX-License-Identifier: GPL-3.0-or-later

// Prints the client of every connection: go run peer.go 8080
package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"unsafe"
)

const toaClient = 1348 // as Alibaba's vtoa offers it

// clientOf gives the client of a connection: by 1348 where that is offered, else the peer.
func clientOf(conn *net.TCPConn) netip.AddrPort {
	peer := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	raw, err := conn.SyscallConn()
	if err != nil {
		return peer
	}
	var storage syscall.RawSockaddrAny
	length := uint32(unsafe.Sizeof(storage))
	var errno syscall.Errno
	err = raw.Control(func(fd uintptr) {
		_, _, errno = syscall.Syscall6(syscall.SYS_GETSOCKOPT, fd, syscall.IPPROTO_IP, toaClient,
			uintptr(unsafe.Pointer(&storage)), uintptr(unsafe.Pointer(&length)), 0)
	})
	if err != nil || errno != 0 {
		return peer
	}
	bytes := (*[28]byte)(unsafe.Pointer(&storage))
	port := binary.BigEndian.Uint16(bytes[2:4])
	if storage.Addr.Family == syscall.AF_INET6 {
		return netip.AddrPortFrom(netip.AddrFrom16(*(*[16]byte)(bytes[8:24])), port)
	}
	return netip.AddrPortFrom(netip.AddrFrom4(*(*[4]byte)(bytes[4:8])), port)
}

func main() {
	port := "8080"
	if len(os.Args) > 1 {
		port = os.Args[1]
	}
	listener, err := net.Listen("tcp", ":"+port)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("ready")
	for {
		conn, err := listener.Accept()
		if err != nil {
			continue
		}
		client := clientOf(conn.(*net.TCPConn))
		fmt.Println(netip.AddrPortFrom(client.Addr().Unmap(), client.Port()))
		conn.Close()
	}
}
