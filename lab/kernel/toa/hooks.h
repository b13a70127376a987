/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The realip.toa authors */
/*
 * Functions of a module put into the operation tables of TCP sockets, and taken out again.
 *
 * Whoever includes this has two functions called: `accepted` with each new connection's socket and the packet that made it,
 * and `peer_name` with what the kernel says the peer is called, to put the client in its place. accept(), getpeername() and
 * SO_PEERNAME all ask through getname.
 */
#ifndef TOA_HOOKS_H
#define TOA_HOOKS_H

#include <linux/wait.h>
#include <net/inet_common.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#include "hookers.h"

static const struct toa_hooks *hooks;

/* What the tables held before us. */
static typeof(ipv4_specific.syn_recv_sock) v4_syn_recv_sock;
static typeof(ipv6_specific.syn_recv_sock) v6_syn_recv_sock;
static typeof(inet_stream_ops.getname) v4_getname;
static typeof(inet6_stream_ops.getname) v6_getname;

/* Calls of our getname under way: it may sleep, so that waiting for RCU alone would not do before the code goes away. */
static atomic_t getname_calls = ATOMIC_INIT(0);

/* No child: the backlog is full, or another CPU was first. */
static struct sock *accepted(struct sock *child, const struct sk_buff *skb)
{
	if (child)
		hooks->accepted(child, skb);
	return child;
}

static struct sock *hook_v4_syn_recv_sock(const struct sock *sk, struct sk_buff *skb, struct request_sock *req,
					  struct dst_entry *dst, struct request_sock *req_unhash, bool *own_req,
					  void (*opt_child_init)(struct sock *newsk, const struct sock *sk))
{
	return accepted(v4_syn_recv_sock(sk, skb, req, dst, req_unhash, own_req, opt_child_init), skb);
}

/* IPv4 connections to a dual-stack listener come this way too: the listener's table is IPv6's. */
static struct sock *hook_v6_syn_recv_sock(const struct sock *sk, struct sk_buff *skb, struct request_sock *req,
					  struct dst_entry *dst, struct request_sock *req_unhash, bool *own_req,
					  void (*opt_child_init)(struct sock *newsk, const struct sock *sk))
{
	return accepted(v6_syn_recv_sock(sk, skb, req, dst, req_unhash, own_req, opt_child_init), skb);
}

/* The kernel's getname answers with the length of the name, or with a negative error. */
static int peer_name(struct socket *sock, struct sockaddr *name, int peer, typeof(v4_getname) getname)
{
	int length;

	atomic_inc(&getname_calls);
	length = getname(sock, name, peer);
	if (length > 0 && peer)
		length = hooks->peer_name(sock->sk, name, length);
	atomic_dec(&getname_calls);
	return length;
}

static int hook_v4_getname(struct socket *sock, struct sockaddr *name, int peer)
{
	return peer_name(sock, name, peer, v4_getname);
}

static int hook_v6_getname(struct socket *sock, struct sockaddr *name, int peer)
{
	return peer_name(sock, name, peer, v6_getname);
}

static int hook(const struct toa_hooks *wanted)
{
	hooks = wanted;
	v4_syn_recv_sock = ipv4_specific.syn_recv_sock;
	v6_syn_recv_sock = ipv6_specific.syn_recv_sock;
	v4_getname = inet_stream_ops.getname;
	v6_getname = inet6_stream_ops.getname;
	smp_wmb(); /* whoever sees our functions in the tables must see what they call */
	WRITE_ONCE(ipv4_specific.syn_recv_sock, hook_v4_syn_recv_sock);
	WRITE_ONCE(ipv6_specific.syn_recv_sock, hook_v6_syn_recv_sock);
	WRITE_ONCE(inet_stream_ops.getname, hook_v4_getname);
	WRITE_ONCE(inet6_stream_ops.getname, hook_v6_getname);
	return 0;
}

/*
 * Three waits: for those who have read a pointer of ours and not yet entered (handshakes run to their end inside RCU; the
 * lab's kernels do not preempt a system call there), for those inside getname, and for those who have counted themselves
 * out and not yet returned.
 */
static void unhook(void)
{
	WRITE_ONCE(inet_stream_ops.getname, v4_getname);
	WRITE_ONCE(inet6_stream_ops.getname, v6_getname);
	WRITE_ONCE(ipv4_specific.syn_recv_sock, v4_syn_recv_sock);
	WRITE_ONCE(ipv6_specific.syn_recv_sock, v6_syn_recv_sock);
	synchronize_rcu();
	while (atomic_read(&getname_calls))
		schedule_timeout_uninterruptible(1);
	synchronize_rcu();
}

#endif
