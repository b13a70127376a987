// Copyright (c) 2026 The realip.toa authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// TOA for a stock kernel, 5.10 or later: the client's address out of a TCP option, shown by accept(), getpeername() and getsockopt().
//
// One sock_ops program reads the option when a connection is established and keeps the address in the socket's own storage; the others
// only show it. Which options count, and from whom, is data in maps, so that it changes without a reload.
//
// What the verifier of 5.10 asks for: the header is copied to the stack and walked there with an index that is a constant in each round,
// because offsets into the stack may not vary. A per-CPU buffer would not do: a sock_ops program in process context can be interrupted
// by another one on the same CPU, and one client would get the address of another.

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET 2
#define AF_INET6 10

#define TCP_SAVE_SYN 27
#define TOA_SOCKOPT 1348 // vtoa's name for the client's socket address, at level IPPROTO_IP

#define TCP_HEADER 20
#define TCP_OPTIONS 40
#define TCPOPT_EOL 0
#define TCPOPT_NOP 1

// What a getsockopt() program is shown of a value, on hosts with the smallest pages.
#define PAGE 4096

// Twice as many as a list may have: a new list is added before the old one goes.
#define NETWORKS 8192

// ---- what the loader sets

// Layouts of an option, by its length; a bit each in settings.layouts[kind].
#define PORT_IPV4 1    // length 8: port, IPv4 address
#define PORT_IPV6 2    // length 20: port, IPv6 address
#define VERSION_IPV4 4 // length 7: version 1, IPv4 address
#define VERSION_IPV6 8 // length 19: version, IPv6 address

struct settings {
	__u64 active;       // 1; 0 before the loader was here, and then nothing is read
	__u64 check_source; // 1: only packets from the networks in realip_trusted are believed
	__u8 layouts[256]; // by option kind; 0: not one of ours
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct settings);
} realip_config SEC(".maps");

// A network: `prefix` counts the 32 bits of `family` as well, so that ::/0 does not hold all of IPv4.
struct network {
	__u32 prefix;
	__u32 family; // 4 or 6
	__u32 address[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NETWORKS);
	__type(key, struct network);
	__type(value, __u32);
} realip_trusted SEC(".maps");

// ---- what the programs keep

// IMPOSSIBLE: an address that no client can have.
enum counter { TRANSLATED, NO_OPTION, UNTRUSTED, MALFORMED, IMPOSSIBLE, COUNTERS };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} realip_counters SEC(".maps");

// The client of a connection. All in network order; an IPv4 address is written as ::ffff:a.b.c.d.
struct client {
	__u32 address[4];
	__u16 port;
	__u16 has_port; // 0: the option carried none, and the peer's stays
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct client);
} realip_clients SEC(".maps");

// A field of what the kernel lends us, read or written by itself: the compiler would else choose between two addresses in place of two
// values, or make one store out of two, and such a pointer may not be reckoned with.
#define FIELD(field) (*(volatile typeof(field) *)&(field))

static __always_inline int is_ipv4(const __u32 *address)
{
	return !address[0] && !address[1] && address[2] == bpf_htonl(0xffff);
}

static __always_inline void count(__u32 which)
{
	__u64 *counter = bpf_map_lookup_elem(&realip_counters, &which);

	if (counter)
		__sync_fetch_and_add(counter, 1);
}

// ---- reading the option

// A TCP header on the stack. What is not filled is zero, which reads as the end of the options; the rest is room to read beyond.
struct header {
	__u32 words[(TCP_HEADER + TCP_OPTIONS + 20) / 4];
};

// The address that starts at `from`; all zeroes are nobody's.
static __always_inline int read_ipv4(const __u8 *from, struct client *client)
{
	client->address[0] = 0;
	client->address[1] = 0;
	client->address[2] = bpf_htonl(0xffff);
	__builtin_memcpy(&client->address[3], from, 4);
	return client->address[3] != 0;
}

static __always_inline int read_ipv6(const __u8 *from, struct client *client)
{
	__builtin_memcpy(client->address, from, 16);
	return (client->address[0] | client->address[1] | client->address[2] | client->address[3]) != 0;
}

static __always_inline void read_port(const __u8 *from, struct client *client)
{
	__builtin_memcpy(&client->port, from, 2);
	client->has_port = 1;
}

// The client out of one option of a kind that is ours; 0 where it is not as it should be.
static __always_inline int read_option(const __u8 *option, __u32 length, __u8 layouts, struct client *client)
{
	if (length == 8 && (layouts & PORT_IPV4)) {
		read_port(option + 2, client);
		return read_ipv4(option + 4, client);
	}
	if (length == 20 && (layouts & PORT_IPV6)) {
		read_port(option + 2, client);
		return read_ipv6(option + 4, client);
	}
	if (length == 7 && (layouts & VERSION_IPV4))
		return option[2] == 1 && read_ipv4(option + 3, client);
	if (length == 19 && (layouts & VERSION_IPV6))
		return read_ipv6(option + 3, client);
	return 0;
}

// TRANSLATED with the client filled in, NO_OPTION, or MALFORMED.
//
// Bit 0 of `starts` says that an option starts here, bit n that one starts n bytes on. Its bits are copies of settings.active, which is 1
// whenever the programs run: a constant would be known to the verifier, which would then follow every combination of lengths by itself
// (700,000 instructions instead of some thousand).
static __noinline int find_option(const struct header *header, struct client *client)
{
	const __u8 *bytes = (const __u8 *)header->words;
	__u32 zero = 0, end = (bytes[12] >> 4) * 4; // the header's own word on its length
	struct settings *settings = bpf_map_lookup_elem(&realip_config, &zero);
	__u64 one, starts;

	if (!settings)
		return NO_OPTION;
	one = starts = settings->active;
	for (__u32 at = TCP_HEADER; at < TCP_HEADER + TCP_OPTIONS - 1; at++, starts >>= 1) {
		__u8 kind = bytes[at], layouts;
		__u32 length;

		if (!(starts & 1))
			continue;
		if (kind == TCPOPT_EOL)
			return NO_OPTION;
		if (kind == TCPOPT_NOP) {
			starts |= one << 1;
			continue;
		}
		length = bytes[at + 1];
		if (length < 2 || length > TCP_OPTIONS)
			return MALFORMED;
		layouts = settings->layouts[kind];
		if (layouts)
			return at + length <= end && read_option(bytes + at, length, layouts, client) ? TRANSLATED : MALFORMED;
		starts |= one << length;
	}
	return NO_OPTION;
}

// In the packet that the program was called for.
static __always_inline int find_in_packet(struct bpf_sock_ops *ctx, struct client *client)
{
	struct header header = {};
	const __u32 *words = ctx->skb_data;
	const void *end = ctx->skb_data_end;

#pragma unroll
	for (int word = 0; word < (TCP_HEADER + TCP_OPTIONS) / 4; word++) {
		if ((const void *)(words + word + 1) > end)
			break;
		header.words[word] = words[word];
	}
	return find_option(&header, client);
}

// In the SYN, where the kernel was told to keep it when the listener was made; with SYN cookies there is none.
static __always_inline int find_in_syn(struct bpf_sock_ops *ctx, struct client *client)
{
	struct header header = {};
	long length = bpf_getsockopt(ctx, IPPROTO_TCP, TCP_BPF_SYN, &header, TCP_HEADER + TCP_OPTIONS);

	return length < TCP_HEADER ? NO_OPTION : find_option(&header, client);
}

// Does the packet come from one of the networks that may speak for clients?
static __always_inline int is_believed(struct bpf_sock_ops *ctx)
{
	__u32 zero = 0;
	struct settings *settings = bpf_map_lookup_elem(&realip_config, &zero);
	struct network source;
	__u32 ipv4;

	if (!settings || !settings->check_source)
		return settings != 0;
	// All of them at once: fields that are read in one branch only would be read through one pointer that may be either.
	ipv4 = FIELD(ctx->remote_ip4);
	source.address[0] = FIELD(ctx->remote_ip6[0]);
	source.address[1] = FIELD(ctx->remote_ip6[1]);
	source.address[2] = FIELD(ctx->remote_ip6[2]);
	source.address[3] = FIELD(ctx->remote_ip6[3]);
	source.prefix = 32 + 128;
	source.family = 6;
	// A dual-stack listener shows IPv4 as a mapped address.
	if (ctx->family == AF_INET || is_ipv4(source.address)) {
		source.prefix = 32 + 32;
		source.family = 4;
		source.address[0] = ipv4;
	}
	return bpf_map_lookup_elem(&realip_trusted, &source) != 0;
}

// No client has one of these: nobody's, this host's, those of a link or a group, and what loops back. Servers let much through from the last.
static __always_inline int is_for_clients4(__u32 address)
{
	__u32 first = bpf_ntohl(address) >> 24;

	return first != 0 && first != 127 && first < 224;
}

static __always_inline int is_for_clients6(const __u32 *address)
{
	if (!address[0] && !address[1] && !address[2]) // ::, ::1, and what RFC 4291 calls IPv4-compatible
		return 0;
	return (address[0] & bpf_htonl(0xff000000)) != bpf_htonl(0xff000000) &&
	       (address[0] & bpf_htonl(0xffc00000)) != bpf_htonl(0xfe800000);
}

// Is it the address of either end of this connection: the load balancer's, or the host's own?
static __always_inline int is_of_an_end(struct bpf_sock_ops *ctx, const struct client *client)
{
	__u32 remote4 = FIELD(ctx->remote_ip4), local4 = FIELD(ctx->local_ip4);
	__u32 remote, local;

	if (is_ipv4(client->address))
		return client->address[3] == remote4 || client->address[3] == local4;
	remote = (FIELD(ctx->remote_ip6[0]) ^ client->address[0]) | (FIELD(ctx->remote_ip6[1]) ^ client->address[1]);
	remote |= (FIELD(ctx->remote_ip6[2]) ^ client->address[2]) | (FIELD(ctx->remote_ip6[3]) ^ client->address[3]);
	local = (FIELD(ctx->local_ip6[0]) ^ client->address[0]) | (FIELD(ctx->local_ip6[1]) ^ client->address[1]);
	local |= (FIELD(ctx->local_ip6[2]) ^ client->address[2]) | (FIELD(ctx->local_ip6[3]) ^ client->address[3]);
	return ctx->family == AF_INET6 && (!remote || !local);
}

static __always_inline int is_possible(struct bpf_sock_ops *ctx, const struct client *client)
{
	if (client->has_port && !client->port)
		return 0;
	if (is_ipv4(client->address) ? !is_for_clients4(client->address[3]) : !is_for_clients6(client->address))
		return 0;
	return !is_of_an_end(ctx, client);
}

// Keep what was found, count it, and say whether later packets are to be looked at: TRANSLATED and UNTRUSTED settle the matter.
static __always_inline int settle(struct bpf_sock_ops *ctx, int found, struct client *client)
{
	struct bpf_sock *sk = ctx->sk; // read once: the verifier forgets the check with the next read

	if (found == TRANSLATED && !is_believed(ctx))
		found = UNTRUSTED;
	else if (found == TRANSLATED && !is_possible(ctx, client))
		found = IMPOSSIBLE;
	else if (found == TRANSLATED && (!sk || !bpf_sk_storage_get(&realip_clients, sk, client, BPF_SK_STORAGE_GET_F_CREATE)))
		return NO_OPTION; // no memory: a later packet may have more luck
	count(found);
	return found;
}

SEC("sockops")
int realip_sockops(struct bpf_sock_ops *ctx)
{
	int parse = BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG;
	__u32 op = ctx->op, flags = ctx->bpf_sock_ops_cb_flags;
	struct client client = {};
	int one = 1, found;

	if (op == BPF_SOCK_OPS_TCP_LISTEN_CB)
		bpf_setsockopt(ctx, IPPROTO_TCP, TCP_SAVE_SYN, &one, sizeof(one));
	// The packet that completes the handshake (with TCP_DEFER_ACCEPT the first data, with Fast Open the SYN), or a later one with an option
	// that the kernel does not know.
	if (op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB && op != BPF_SOCK_OPS_PARSE_HDR_OPT_CB)
		return 1;
	found = find_in_packet(ctx, &client);
	if (found == NO_OPTION && op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		found = find_in_syn(ctx, &client);
	if (found == NO_OPTION && op == BPF_SOCK_OPS_PARSE_HDR_OPT_CB)
		return 1;
	found = settle(ctx, found, &client);
	if (found == TRANSLATED || found == UNTRUSTED)
		flags &= ~parse;
	else
		flags |= parse;
	bpf_sock_ops_cb_flags_set(ctx, flags);
	return 1;
}

// ---- showing the client

static __always_inline struct client *client_of(struct bpf_sock *sk)
{
	return sk ? bpf_sk_storage_get(&realip_clients, sk, 0, 0) : 0;
}

SEC("cgroup/getpeername4")
int realip_peer4(struct bpf_sock_addr *ctx)
{
	struct client *client = client_of(ctx->sk);

	// There is no room for an IPv6 address in what an AF_INET socket answers.
	if (client && is_ipv4(client->address)) {
		ctx->user_ip4 = client->address[3];
		if (client->has_port)
			ctx->user_port = client->port;
	}
	return 1;
}

SEC("cgroup/getpeername6")
int realip_peer6(struct bpf_sock_addr *ctx)
{
	struct client *client = client_of(ctx->sk);

	if (client) {
		ctx->user_ip6[0] = client->address[0];
		ctx->user_ip6[1] = client->address[1];
		ctx->user_ip6[2] = client->address[2];
		ctx->user_ip6[3] = client->address[3];
		if (client->has_port)
			ctx->user_port = client->port;
	}
	return 1;
}

struct sockaddr4 {
	__u16 family;
	__u16 port;
	__u32 address;
	__u32 zero[2];
};

struct sockaddr6 {
	__u16 family;
	__u16 port;
	__u32 flow;
	__u32 address[4];
	__u32 scope;
};

// The client as a socket address; 0 where there is no client, or no room for it.
static __always_inline int answer(struct bpf_sockopt *ctx)
{
	struct sockaddr6 *out6 = ctx->optval;
	struct sockaddr4 *out4 = ctx->optval;
	struct bpf_sock *sk = ctx->sk;
	struct client *client = client_of(sk);
	__u16 port;

	if (!client || !sk)
		return 0;
	port = FIELD(sk->dst_port);
	if (client->has_port)
		port = client->port;
	if (is_ipv4(client->address)) {
		if ((void *)(out4 + 1) > ctx->optval_end)
			return 0;
		out4->family = AF_INET;
		out4->port = port;
		out4->address = client->address[3];
		out4->zero[0] = 0;
		out4->zero[1] = 0;
		FIELD(ctx->optlen) = sizeof(*out4);
	} else {
		if ((void *)(out6 + 1) > ctx->optval_end)
			return 0;
		out6->family = AF_INET6;
		out6->port = port;
		out6->flow = 0;
		__builtin_memcpy(out6->address, client->address, sizeof(out6->address));
		out6->scope = 0;
		FIELD(ctx->optlen) = sizeof(*out6);
	}
	FIELD(ctx->retval) = 0; // the kernel itself knows no such option
	return 1;
}

SEC("cgroup/getsockopt")
int realip_getopt(struct bpf_sockopt *ctx)
{
	if (ctx->level == IPPROTO_IP && ctx->optname == TOA_SOCKOPT && answer(ctx))
		return 1;
	// A value that is longer than what we are shown would be refused (EFAULT); 0 leaves everything as the kernel has answered it.
	if (ctx->optlen > PAGE)
		ctx->optlen = 0;
	return 1;
}

char _license[] SEC("license") = "GPL";
