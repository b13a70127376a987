// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 The realip.toa authors
/*
 * What Alibaba Cloud Linux's `vtoa` does, seen from outside, for the lab's kernels. It reads, from the packet that completes a
 * handshake and from no other,
 *
 *	254 (1) | 8 (1)  | client's port (2) | client's IPv4 address (4)	network order
 *	253 (1) | 20 (1) | client's port (2) | client's IPv6 address (16)
 *
 * and ignores options of any other shape. accept(), getpeername() and, from 5.10.134-17 on, getsockopt(IPPROTO_IP, 1348) give
 * the client. An IPv6 client is AF_INET6 on an AF_INET socket too; an IPv4 client is ::ffff:a.b.c.d on an AF_INET6 socket,
 * and AF_INET by getsockopt. Kernels older than 5.10.134-15 are refused.
 *
 * The real one has a field of its own in struct sock. The lab's kernel has none, and 18 bytes do not fit into sk_user_data, so
 * clients are kept in a table beside the sockets; an entry goes when its socket does.
 */
#define pr_fmt(fmt) "VTOA: " fmt

#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/netfilter.h>
#include <linux/proc_fs.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/utsname.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>
#include <asm/unaligned.h>

#include "hookers.h"
#include "option.h"

#define V4_KIND 254
#define V4_LENGTH 8
#define V6_KIND 253
#define V6_LENGTH 20

#define VTOA_SO_GET_CLIENT 1348

#define FIRST_BUILD_GETPEERNAME 15
#define FIRST_BUILD_GETSOCKOPT 17

enum toa_counter {
	SYN_RECV_SOCK_TOA,
	SYN_RECV_SOCK_NO_TOA,
	GETNAME_TOA_OK_V4,
	GETNAME_V6VTOA_OK,
	GETNAME_TOA_OK_V6,
	GETNAME_TOA_OK_MAPPED,
	GETNAME_TOA_MISMATCH,
	GETNAME_TOA_BYPASS,
	GETNAME_TOA_EMPTY,
	TOA_COUNTERS,
};

static const char *const counter_names[TOA_COUNTERS] = {
	[SYN_RECV_SOCK_TOA] = "syn_recv_sock_toa",
	[SYN_RECV_SOCK_NO_TOA] = "syn_recv_sock_no_toa",
	[GETNAME_TOA_OK_V4] = "getname_toa_ok_v4",
	[GETNAME_V6VTOA_OK] = "getname_v6vtoa_ok",
	[GETNAME_TOA_OK_V6] = "getname_toa_ok_v6",
	[GETNAME_TOA_OK_MAPPED] = "getname_toa_ok_mapped",
	[GETNAME_TOA_MISMATCH] = "getname_toa_mismatch",
	[GETNAME_TOA_BYPASS] = "getname_toa_bypass",
	[GETNAME_TOA_EMPTY] = "getname_toa_empty",
};

#include "counters.h"

union client {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct entry {
	struct hlist_node node;
	struct rcu_head rcu;
	struct sock *sk;
	void (*destruct)(struct sock *sk); /* what the socket had before us */
	union client client;
};

static DEFINE_HASHTABLE(clients, 10);
static DEFINE_SPINLOCK(clients_lock);
static bool has_getsockopt;

/* ---- which client belongs to which socket */

static struct entry *entry_of(const struct sock *sk)
{
	struct entry *entry;

	hash_for_each_possible_rcu(clients, entry, node, (unsigned long)sk, lockdep_is_held(&clients_lock))
		if (entry->sk == sk)
			return entry;
	return NULL;
}

static bool client_of(const struct sock *sk, union client *client)
{
	const struct entry *entry;

	rcu_read_lock();
	entry = entry_of(sk);
	if (entry)
		*client = entry->client;
	rcu_read_unlock();
	return entry;
}

static void forget_client(struct sock *sk)
{
	void (*destruct)(struct sock *sk);
	struct entry *entry;

	spin_lock_bh(&clients_lock);
	entry = entry_of(sk);
	if (entry) {
		hash_del_rcu(&entry->node);
		sk->sk_destruct = entry->destruct;
		kfree_rcu(entry, rcu);
	}
	destruct = sk->sk_destruct;
	spin_unlock_bh(&clients_lock);
	destruct(sk);
}

/* Sockets that outlive the module get their own destructor back; the wait is for those on their way through ours. */
static void forget_all_clients(void)
{
	struct hlist_node *next;
	struct entry *entry;
	int bucket;

	spin_lock_bh(&clients_lock);
	hash_for_each_safe(clients, bucket, next, entry, node) {
		hash_del_rcu(&entry->node);
		entry->sk->sk_destruct = entry->destruct;
		kfree_rcu(entry, rcu);
	}
	spin_unlock_bh(&clients_lock);
	synchronize_rcu();
}

/* ---- reading the option */

static bool is_ours(u8 kind, u8 length)
{
	return (kind == V4_KIND && length == V4_LENGTH) || (kind == V6_KIND && length == V6_LENGTH);
}

static void read_client(const u8 *option, union client *client)
{
	memset(client, 0, sizeof(*client));
	if (option[0] == V4_KIND) {
		client->v4.sin_family = AF_INET;
		client->v4.sin_port = get_unaligned((const __be16 *)(option + 2));
		client->v4.sin_addr.s_addr = get_unaligned((const __be32 *)(option + 4));
	} else {
		client->v6.sin6_family = AF_INET6;
		client->v6.sin6_port = get_unaligned((const __be16 *)(option + 2));
		memcpy(&client->v6.sin6_addr, option + 4, sizeof(client->v6.sin6_addr));
	}
}

static void keep_client(struct sock *child, const struct sk_buff *skb)
{
	const u8 *option = find_option(skb, is_ours);
	struct entry *entry = option ? kmalloc(sizeof(*entry), GFP_ATOMIC) : NULL;

	if (!entry) {
		count(SYN_RECV_SOCK_NO_TOA);
		return;
	}
	read_client(option, &entry->client);
	entry->sk = child;
	entry->destruct = child->sk_destruct;
	child->sk_destruct = forget_client;
	spin_lock_bh(&clients_lock);
	hash_add_rcu(clients, &entry->node, (unsigned long)child);
	spin_unlock_bh(&clients_lock);
	count(SYN_RECV_SOCK_TOA);
}

/* ---- showing the client */

static int client_name(struct sock *sk, struct sockaddr *name, int length)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)name;
	union client client;

	if (!client_of(sk, &client)) {
		count(GETNAME_TOA_EMPTY);
		return length;
	}
	if (client.any.sa_family == AF_INET6) {
		count(GETNAME_TOA_OK_V6);
		*in6 = client.v6;
		return sizeof(*in6);
	}
	if (sk->sk_family == AF_INET) {
		count(GETNAME_TOA_OK_V4);
		*(struct sockaddr_in *)name = client.v4;
		return sizeof(client.v4);
	}
	count(GETNAME_TOA_OK_MAPPED);
	in6->sin6_port = client.v4.sin_port;
	in6->sin6_flowinfo = 0;
	in6->sin6_scope_id = 0;
	ipv6_addr_set_v4mapped(client.v4.sin_addr.s_addr, &in6->sin6_addr);
	return length;
}

static const struct toa_hooks vtoa_hooks = {
	.accepted = keep_client,
	.peer_name = client_name,
};

/* As without vtoa where there is no client. A buffer that is too small gets what fits, and the caller the length it would take. */
static int get_client(struct sock *sk, int optname, void __user *value, int *length)
{
	union client client;
	int size;

	if (!client_of(sk, &client))
		return -ENOPROTOOPT;
	size = client.any.sa_family == AF_INET ? sizeof(client.v4) : sizeof(client.v6);
	if (*length < 0)
		return -EINVAL;
	if (copy_to_user(value, &client, min(*length, size)))
		return -EFAULT;
	*length = size;
	return 0;
}

static struct nf_sockopt_ops client_sockopt = {
	.pf = PF_INET,
	.get_optmin = VTOA_SO_GET_CLIENT,
	.get_optmax = VTOA_SO_GET_CLIENT + 1,
	.get = get_client,
	.owner = THIS_MODULE,
};

/* ---- the module */

/* The build in "5.10.134-BUILD...", which is what decides; 0 where the kernel is called otherwise. */
static unsigned int build_of_kernel(void)
{
	unsigned int build = 0;

	sscanf(init_uts_ns.name.release, "5.10.134-%u", &build);
	return build;
}

static int __init vtoa_init(void)
{
	unsigned int build = build_of_kernel();
	int error = -ENOMEM;

	if (build < FIRST_BUILD_GETPEERNAME) {
		pr_err("kernel %s is older than 5.10.134-%u\n", init_uts_ns.name.release, FIRST_BUILD_GETPEERNAME);
		return -EOPNOTSUPP;
	}
	if (!proc_create_single("vtoa_stats", 0444, init_net.proc_net, show_counters))
		return error;
	has_getsockopt = build >= FIRST_BUILD_GETSOCKOPT;
	error = has_getsockopt ? nf_register_sockopt(&client_sockopt) : 0;
	if (error)
		goto no_sockopt;
	error = hookers_install(&vtoa_hooks, KBUILD_MODNAME);
	if (error)
		goto no_hooks;
	pr_info("vtoa loaded\n");
	return 0;

no_hooks:
	if (has_getsockopt)
		nf_unregister_sockopt(&client_sockopt);
no_sockopt:
	remove_proc_entry("vtoa_stats", init_net.proc_net);
	return error;
}

static void __exit vtoa_exit(void)
{
	hookers_remove();
	if (has_getsockopt)
		nf_unregister_sockopt(&client_sockopt);
	forget_all_clients();
	remove_proc_entry("vtoa_stats", init_net.proc_net);
	pr_info("vtoa unloaded\n");
}

module_init(vtoa_init);
module_exit(vtoa_exit);
MODULE_DESCRIPTION("The client's address from TCP options 254 and 253");
MODULE_LICENSE("GPL");
