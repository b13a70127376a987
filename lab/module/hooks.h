/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The realip.toa authors */
/*
 * What lab/kernel/toa/hooks.h is for, on a distribution's own kernel, whose operation tables are read-only and not all known to
 * modules: probes on the functions that these tables name see what goes in and what comes out. Nothing of the kernel is
 * written to, and how many arguments a function has, which changes within a stable series, does not matter.
 */
#ifndef TOA_HOOKS_H
#define TOA_HOOKS_H

#include <linux/if_ether.h>
#include <linux/kprobes.h>
#include <linux/net.h>

#include "hookers.h"

/* Calls of one function that can be under way at once; getname may sleep until its socket is free. */
#define AT_ONCE 512

static const struct toa_hooks *hooks;

/* struct sock *tcp_v4_syn_recv_sock(const struct sock *sk, struct sk_buff *skb, ...) */
static int handshake_begins(struct kretprobe_instance *call, struct pt_regs *regs)
{
	*(const struct sk_buff **)call->data = (const struct sk_buff *)regs_get_kernel_argument(regs, 1);
	return 0;
}

/* For a packet of IPv4 the function of IPv6 calls that of IPv4, which is probed too: no second look. */
static int handshake6_begins(struct kretprobe_instance *call, struct pt_regs *regs)
{
	const struct sk_buff *skb = (const struct sk_buff *)regs_get_kernel_argument(regs, 1);

	return skb->protocol == htons(ETH_P_IP) ? 1 : handshake_begins(call, regs);
}

/* The packet belongs to the caller, and outlives the call. No child: the backlog is full, or another CPU was first. */
static int handshake_ends(struct kretprobe_instance *call, struct pt_regs *regs)
{
	struct sock *child = (struct sock *)regs_return_value(regs);

	if (child)
		hooks->accepted(child, *(const struct sk_buff **)call->data);
	return 0;
}

struct question {
	struct sock *sk;
	struct sockaddr *name;
};

/* int inet_getname(struct socket *sock, struct sockaddr *name, int peer): the length of the name, or a negative error */
static int getname_begins(struct kretprobe_instance *call, struct pt_regs *regs)
{
	const struct socket *sock = (const struct socket *)regs_get_kernel_argument(regs, 0);
	struct question *question = (struct question *)call->data;

	if (!(int)regs_get_kernel_argument(regs, 2) || !sock->sk || sock->sk->sk_protocol != IPPROTO_TCP)
		return 1;
	question->sk = sock->sk;
	question->name = (struct sockaddr *)regs_get_kernel_argument(regs, 1);
	return 0;
}

static int getname_ends(struct kretprobe_instance *call, struct pt_regs *regs)
{
	const struct question *question = (const struct question *)call->data;
	int length = (int)regs_return_value(regs);

	if (length > 0)
		regs_set_return_value(regs, hooks->peer_name(question->sk, question->name, length));
	return 0;
}

#define PROBE(function, begins, ends, what) \
	{ .kp.symbol_name = (function), .entry_handler = (begins), .handler = (ends), .data_size = sizeof(what), .maxactive = AT_ONCE }

static struct kretprobe handshake4 = PROBE("tcp_v4_syn_recv_sock", handshake_begins, handshake_ends, void *);
static struct kretprobe handshake6 = PROBE("tcp_v6_syn_recv_sock", handshake6_begins, handshake_ends, void *);
static struct kretprobe getname4 = PROBE("inet_getname", getname_begins, getname_ends, struct question);
static struct kretprobe getname6 = PROBE("inet6_getname", getname_begins, getname_ends, struct question);
static struct kretprobe *probes[] = { &handshake4, &handshake6, &getname4, &getname6 };

static int hook(const struct toa_hooks *wanted)
{
	hooks = wanted;
	return register_kretprobes(probes, ARRAY_SIZE(probes));
}

/* Returns when the last call that is under way has ended. */
static void unhook(void)
{
	unregister_kretprobes(probes, ARRAY_SIZE(probes));
}

#endif
