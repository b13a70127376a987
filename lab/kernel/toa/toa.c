// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 The realip.toa authors
/*
 * TCP Option Address for the lab's kernels: what a vendor's `toa` module does, seen from outside.
 *
 * The packet that completes a handshake makes the connection's socket. Our syn_recv_sock lets the kernel make it, then
 * looks in that packet, and in no other, for the option
 *
 *	kind (1) | length 8 (1) | client's port (2) | client's IPv4 address (4)		network order
 *
 * and keeps port and address in sk_user_data. Our getname asks the kernel for the peer's name, then puts the client's
 * in its place. accept(), getpeername() and SO_PEERNAME all ask through getname.
 */
#define pr_fmt(fmt) "TOA: " fmt

#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/wait.h>
#include <net/inet_common.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <net/tcp.h>
#include <asm/unaligned.h>

#define TOA_OPTION_LENGTH 8

/*
 * sk_user_data holds the 6 bytes themselves: address, port, and a mark that tells them from a pointer of somebody else.
 * The mark keeps the three lowest bits clear, which the kernel reads as flags (SK_USER_DATA_NOCOPY and others).
 */
#define TOA_MARK 0x70a0UL
#define TOA_MARK_BITS 16

static unsigned char kind = 200;
module_param(kind, byte, 0444);
MODULE_PARM_DESC(kind, "TCP option kind that carries the client's address (default 200); no other is read");

/*
 * Several vendors' modules return 1 where they fail to set themselves up. The kernel takes that for success: the module
 * is listed, yet nothing is hooked and there is no statistics file. Tests need such a module to show that they tell it
 * from a live one.
 */
static bool dead;
module_param(dead, bool, 0444);
MODULE_PARM_DESC(dead, "load without doing anything, as a module does whose init failed and returned 1");

enum toa_counter {
	SYN_RECV_SOCK_TOA,
	SYN_RECV_SOCK_NO_TOA,
	GETNAME_TOA_OK,
	GETNAME_TOA_MISMATCH,
	GETNAME_TOA_BYPASS,
	GETNAME_TOA_EMPTY,
	TOA_COUNTERS,
};

static const char *const counter_names[TOA_COUNTERS] = {
	[SYN_RECV_SOCK_TOA] = "syn_recv_sock_toa",
	[SYN_RECV_SOCK_NO_TOA] = "syn_recv_sock_no_toa",
	[GETNAME_TOA_OK] = "getname_toa_ok",
	[GETNAME_TOA_MISMATCH] = "getname_toa_mismatch",
	[GETNAME_TOA_BYPASS] = "getname_toa_bypass",
	[GETNAME_TOA_EMPTY] = "getname_toa_empty",
};

struct toa_counters {
	unsigned long value[TOA_COUNTERS];
};

static DEFINE_PER_CPU(struct toa_counters, toa_counters);

static void count(enum toa_counter counter)
{
	this_cpu_inc(toa_counters.value[counter]);
}

/* What the tables held before us. */
static typeof(ipv4_specific.syn_recv_sock) v4_syn_recv_sock;
static typeof(ipv6_specific.syn_recv_sock) v6_syn_recv_sock;
static typeof(inet_stream_ops.getname) v4_getname;
static typeof(inet6_stream_ops.getname) v6_getname;

/* Calls of our getname under way: it may sleep, so that waiting for RCU alone would not do before the code goes away. */
static atomic_t getname_calls = ATOMIC_INIT(0);
static bool hooked;

struct toa_client {
	__be32 address;
	__be16 port;
};

static void *pack_client(struct toa_client client)
{
	unsigned long bits = (unsigned long)ntohl(client.address) << 32 | (unsigned long)ntohs(client.port) << TOA_MARK_BITS;

	return (void *)(bits | TOA_MARK);
}

static bool unpack_client(const void *user_data, struct toa_client *client)
{
	unsigned long bits = (unsigned long)user_data;

	if ((bits & (BIT(TOA_MARK_BITS) - 1)) != TOA_MARK)
		return false;
	client->address = htonl(bits >> 32);
	client->port = htons(bits >> TOA_MARK_BITS & 0xffff);
	return true;
}

/* The options of a packet that got this far lie in its linear part; a malformed list ends the search. */
static bool find_client(const struct sk_buff *skb, struct toa_client *client)
{
	const struct tcphdr *header = tcp_hdr(skb);
	const u8 *option = (const u8 *)(header + 1);
	const u8 *end = (const u8 *)header + header->doff * 4;

	while (option < end && *option != TCPOPT_EOL) {
		if (*option == TCPOPT_NOP) {
			option++;
			continue;
		}
		if (end - option < 2 || option[1] < 2 || option[1] > end - option)
			return false;
		if (option[0] == kind && option[1] == TOA_OPTION_LENGTH) {
			client->port = get_unaligned((const __be16 *)(option + 2));
			client->address = get_unaligned((const __be32 *)(option + 4));
			return true;
		}
		option += option[1];
	}
	return false;
}

static void keep_client(struct sock *child, const struct sk_buff *skb)
{
	struct toa_client client;

	/* No child: the backlog is full, or another CPU was first. Data of somebody else's stay as they are. */
	if (!child || child->sk_user_data)
		return;
	if (!find_client(skb, &client)) {
		count(SYN_RECV_SOCK_NO_TOA);
		return;
	}
	child->sk_user_data = pack_client(client);
	count(SYN_RECV_SOCK_TOA);
}

static struct sock *toa_v4_syn_recv_sock(const struct sock *sk, struct sk_buff *skb, struct request_sock *req,
					 struct dst_entry *dst, struct request_sock *req_unhash, bool *own_req,
					 void (*opt_child_init)(struct sock *newsk, const struct sock *sk))
{
	struct sock *child = v4_syn_recv_sock(sk, skb, req, dst, req_unhash, own_req, opt_child_init);

	keep_client(child, skb);
	return child;
}

/* IPv4 connections to a dual-stack listener come this way too: the listener's table is IPv6's. */
static struct sock *toa_v6_syn_recv_sock(const struct sock *sk, struct sk_buff *skb, struct request_sock *req,
					 struct dst_entry *dst, struct request_sock *req_unhash, bool *own_req,
					 void (*opt_child_init)(struct sock *newsk, const struct sock *sk))
{
	struct sock *child = v6_syn_recv_sock(sk, skb, req, dst, req_unhash, own_req, opt_child_init);

	keep_client(child, skb);
	return child;
}

static bool client_of(const struct sock *sk, struct toa_client *client)
{
	const void *user_data = READ_ONCE(sk->sk_user_data);

	/* A socket that the kernel itself reads (NFS, TLS, sockmaps) uses sk_user_data in its own way. */
	if (READ_ONCE(sk->sk_data_ready) != sock_def_readable) {
		count(GETNAME_TOA_BYPASS);
		return false;
	}
	if (!user_data) {
		count(GETNAME_TOA_EMPTY);
		return false;
	}
	if (!unpack_client(user_data, client)) {
		count(GETNAME_TOA_MISMATCH);
		return false;
	}
	count(GETNAME_TOA_OK);
	return true;
}

/* The kernel's getname answers with the length of the name, or with a negative error. */
static int toa_v4_getname(struct socket *sock, struct sockaddr *name, int peer)
{
	struct sockaddr_in *in = (struct sockaddr_in *)name;
	struct toa_client client;
	int length;

	atomic_inc(&getname_calls);
	length = v4_getname(sock, name, peer);
	if (length > 0 && peer && client_of(sock->sk, &client)) {
		in->sin_port = client.port;
		in->sin_addr.s_addr = client.address;
	}
	atomic_dec(&getname_calls);
	return length;
}

static int toa_v6_getname(struct socket *sock, struct sockaddr *name, int peer)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)name;
	struct toa_client client;
	int length;

	atomic_inc(&getname_calls);
	length = v6_getname(sock, name, peer);
	if (length > 0 && peer && client_of(sock->sk, &client)) {
		in6->sin6_port = client.port;
		in6->sin6_flowinfo = 0;
		in6->sin6_scope_id = 0;
		ipv6_addr_set_v4mapped(client.address, &in6->sin6_addr);
	}
	atomic_dec(&getname_calls);
	return length;
}

static int show_counters(struct seq_file *seq, void *unused)
{
	int counter, cpu;

	seq_printf(seq, "%-26s", "");
	for_each_possible_cpu(cpu)
		seq_printf(seq, "       CPU%-2d", cpu);
	for (counter = 0; counter < TOA_COUNTERS; counter++) {
		seq_printf(seq, "\n%-25s:", counter_names[counter]);
		for_each_possible_cpu(cpu)
			seq_printf(seq, " %11lu", per_cpu(toa_counters, cpu).value[counter]);
	}
	seq_putc(seq, '\n');
	return 0;
}

static void hook(void)
{
	v4_syn_recv_sock = ipv4_specific.syn_recv_sock;
	v6_syn_recv_sock = ipv6_specific.syn_recv_sock;
	v4_getname = inet_stream_ops.getname;
	v6_getname = inet6_stream_ops.getname;
	smp_wmb(); /* whoever sees our functions in the tables must see what they call */
	WRITE_ONCE(ipv4_specific.syn_recv_sock, toa_v4_syn_recv_sock);
	WRITE_ONCE(ipv6_specific.syn_recv_sock, toa_v6_syn_recv_sock);
	WRITE_ONCE(inet_stream_ops.getname, toa_v4_getname);
	WRITE_ONCE(inet6_stream_ops.getname, toa_v6_getname);
	hooked = true;
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

static int __init toa_init(void)
{
	if (dead)
		return 1;
	if (!proc_create_single("toa_stats", 0444, init_net.proc_net, show_counters))
		return -ENOMEM;
	hook();
	pr_info("toa loaded\n");
	return 0;
}

static void __exit toa_exit(void)
{
	if (hooked) {
		unhook();
		remove_proc_entry("toa_stats", init_net.proc_net);
	}
	pr_info("toa unloaded\n");
}

module_init(toa_init);
module_exit(toa_exit);
MODULE_DESCRIPTION("TCP Option Address: the client's address from a TCP option");
MODULE_LICENSE("GPL");
