// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 The realip.toa authors
/*
 * TCP Option Address for the lab's kernels, and for stock ones (lab/module): what a vendor's `toa` module does, seen from outside.
 *
 * The packet that completes a handshake makes the connection's socket. We look in that packet,
 * and in no other, for the option
 *
 *	kind (1) | length 8 (1) | client's port (2) | client's IPv4 address (4)		network order
 *
 * and keep port and address in sk_user_data. accept(), getpeername() and SO_PEERNAME ask for the peer's name; we put the
 * client's in its place.
 */
#define pr_fmt(fmt) "TOA: " fmt

#include <linux/module.h>
#include <linux/proc_fs.h>
#include <net/ipv6.h>
#include <net/net_namespace.h>

#include "hooks.h"
#include "option.h"

#define TOA_OPTION_LENGTH 8

/*
 * sk_user_data holds the 6 bytes themselves: address, port, and a mark. The mark keeps the three lowest bits clear, which
 * the kernel reads as flags (SK_USER_DATA_NOCOPY and others). A pointer of somebody else's begins with 0xffff, which no
 * client's address does.
 */
#define TOA_MARK 0x70a0UL
#define TOA_MARK_BITS 16
#define POINTER_PREFIX 0xffffUL

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

#include "counters.h"

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

static bool is_pointer(const void *user_data)
{
	return (unsigned long)user_data >> 48 == POINTER_PREFIX;
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

static bool is_ours(u8 option, u8 length)
{
	return option == kind && length == TOA_OPTION_LENGTH;
}

static void keep_client(struct sock *child, const struct sk_buff *skb)
{
	struct toa_client client;
	const u8 *option;

	/* Data of somebody else's stay as they are. */
	if (child->sk_user_data)
		return;
	option = find_option(skb, is_ours);
	if (!option) {
		count(SYN_RECV_SOCK_NO_TOA);
		return;
	}
	client.port = get_unaligned((const __be16 *)(option + 2));
	client.address = get_unaligned((const __be32 *)(option + 4));
	child->sk_user_data = pack_client(client);
	count(SYN_RECV_SOCK_TOA);
}

static bool client_of(const struct sock *sk, struct toa_client *client)
{
	const void *user_data = READ_ONCE(sk->sk_user_data);

	if (!user_data) {
		count(GETNAME_TOA_EMPTY);
		return false;
	}
	/* A socket that the kernel itself reads (NFS, TLS, sockmaps) uses sk_user_data in its own way. */
	if (is_pointer(user_data)) {
		count(GETNAME_TOA_BYPASS);
		return false;
	}
	if (!unpack_client(user_data, client)) {
		count(GETNAME_TOA_MISMATCH);
		return false;
	}
	count(GETNAME_TOA_OK);
	return true;
}

static int client_name(struct sock *sk, struct sockaddr *name, int length)
{
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)name;
	struct sockaddr_in *in = (struct sockaddr_in *)name;
	struct toa_client client;

	if (!client_of(sk, &client))
		return length;
	if (name->sa_family == AF_INET) {
		in->sin_port = client.port;
		in->sin_addr.s_addr = client.address;
		return length;
	}
	in6->sin6_port = client.port;
	in6->sin6_flowinfo = 0;
	in6->sin6_scope_id = 0;
	ipv6_addr_set_v4mapped(client.address, &in6->sin6_addr);
	return length;
}

static const struct toa_hooks toa_hooks = {
	.accepted = keep_client,
	.peer_name = client_name,
};

static int __init toa_init(void)
{
	int error;

	if (dead)
		return 1;
	if (!proc_create_single("toa_stats", 0444, init_net.proc_net, show_counters))
		return -ENOMEM;
	error = hook(&toa_hooks);
	if (error) {
		remove_proc_entry("toa_stats", init_net.proc_net);
		return error;
	}
	hooked = true;
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
