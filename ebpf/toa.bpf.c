// Copyright (c) 2026 The realip.toa authors
// SPDX-License-Identifier: GPL-3.0-or-later
//
// TOA for a stock kernel, 5.10 or later: the client's address out of a TCP option, shown by accept(), getpeername() and getsockopt().
//
// One sock_ops program reads the option when a connection is established, or from its first data, and keeps the address in the socket's own
// storage; the others only show it. Which options count, on which packet, from whom and on which ports is data in maps.
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
#define NAT64_SOCKOPT 4096 // the name that the modules of DPVS and Tencent give to an IPv6 client of an IPv4 connection

#define TCP_HEADER 20
#define TCP_OPTIONS 40
#define TCP_FLAG_SYN 0x02
#define TCPOPT_EOL 0
#define TCPOPT_NOP 1

// What a getsockopt() program is shown of a value, on hosts with the smallest pages.
#define PAGE 4096

#define NETWORKS 4096
#define PORTS 1024
#define OWN_ADDRESSES 4096

// ---- what the loader sets, once: other settings are another generation, with programs and maps of its own

// Where a load balancer writes its option: on which packets (bits of settings.packets), and on which side of what the client sent.
#define ON_SYN 1
#define ON_ACK 2  // the handshake's last packet, without data
#define ON_DATA 4 // the first packet with data
#define IN_FRONT 1
#define AT_THE_END 2

struct settings {
	__u64 one; // 1; 0 before the loader was here, and then nothing is read
	__u64 packets;
	__u64 place; // 0: nobody knows
	__u64 check_source; // 1: only packets from the networks in realip_trusted are believed
	__u64 check_port; // 1: only connections to the ports in realip_ports are read
	__u64 nat64; // 1: getsockopt(IPPROTO_IP, 4096) is answered
	__u64 lengths[256]; // by option kind, a bit for each length that is read
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

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, PORTS);
	__type(key, __u32);
	__type(value, __u32);
} realip_ports SEC(".maps");

// ---- what every generation shares; a change of one of these layouts takes a new name

// The host's own addresses, which no client has; an IPv4 address is written as ::ffff:a.b.c.d.
struct address {
	__u32 words[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, OWN_ADDRESSES);
	__type(key, struct address);
	__type(value, __u32);
} realip_own SEC(".maps");

// What became of a connection's option, one of the first seven for each; then what is worth knowing besides.
enum counter {
	TRANSLATED,
	NO_OPTION,
	UNTRUSTED,
	MALFORMED,  // of our kind, but of another length or meaning, or in a header that is broken
	IMPOSSIBLE, // an address that no client can have
	AMBIGUOUS,  // two options, and nobody knows which of them is the load balancer's
	MISPLACED,  // on a packet on which the load balancer does not write
	FULL,       // translated out of a header without room for a second option: the load balancer could not have added its own
	ON_OTHER_PORT,
	TRANSLATED_ON_SYN,
	TRANSLATED_ON_ACK,
	TRANSLATED_ON_DATA,
	FROM_TRUSTED, // established, from a source that may name clients
	COUNTERS
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} realip_events SEC(".maps");

// Connections that were translated, by the kind of their option.
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} realip_kinds SEC(".maps");

// The client of a connection. All in network order; an IPv4 address is written as ::ffff:a.b.c.d.
struct client {
	struct address address;
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
// values, or make one store out of two, and the verifier rejects arithmetic on such a pointer.
#define FIELD(field) (*(volatile typeof(field) *)&(field))

static __always_inline int is_ipv4(const struct address *address)
{
	return !address->words[0] && !address->words[1] && address->words[2] == bpf_htonl(0xffff);
}

static __always_inline struct settings *settings_now(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&realip_config, &zero);
}

static __always_inline void add_one(void *map, __u32 which)
{
	__u64 *counter = bpf_map_lookup_elem(map, &which);

	if (counter)
		__sync_fetch_and_add(counter, 1);
}

static __always_inline void count(__u32 which)
{
	add_one(&realip_events, which);
}

// ---- reading the option

// A TCP header on the stack, so that the options lie at a multiple of eight. What is not filled is zero, which reads as their end.
struct header {
	__u32 unused;
	__u32 words[(TCP_HEADER + TCP_OPTIONS) / 4];
	__u64 room; // to read beyond
} __attribute__((aligned(8)));

static __always_inline __u32 length_of(const struct header *header)
{
	return (((const __u8 *)header->words)[12] >> 4) * 4; // the header's own word
}

static __always_inline void read_ipv4(const __u8 *from, struct client *client)
{
	client->address.words[0] = 0;
	client->address.words[1] = 0;
	client->address.words[2] = bpf_htonl(0xffff);
	__builtin_memcpy(&client->address.words[3], from, 4);
}

// The client out of an option of ours; its length says what is inside.
static __always_inline void read_option(const __u8 *option, struct client *client)
{
	__u8 length = option[1];

	client->has_port = length != 7 && length != 19;
	if (client->has_port) {
		__builtin_memcpy(&client->port, option + 2, 2);
		if (length == 8 || length == 16) // 16 with an address of the load balancer's after it
			read_ipv4(option + 4, client);
		else // 20, or 40 with an address of the load balancer's after it
			__builtin_memcpy(&client->address, option + 4, 16);
	} else if (length == 7) {
		read_ipv4(option + 3, client);
	} else {
		__builtin_memcpy(&client->address, option + 3, 16);
	}
}

// Which of several options is the load balancer's: one bit of `matches`, or none where that is not known.
static __always_inline __u64 choose(__u64 matches, __u64 place)
{
	if (place == AT_THE_END) {
		matches |= matches >> 1;
		matches |= matches >> 2;
		matches |= matches >> 4;
		matches |= matches >> 8;
		matches |= matches >> 16;
		matches |= matches >> 32;
		return matches ^ (matches >> 1);
	}
	if (place != IN_FRONT && (matches & (matches - 1)))
		return 0;
	return matches & -matches;
}

// All ones if any bit of `bits` is set, else zero. The compiler must not know what it is: it would branch, and the verifier follow both sides.
static __always_inline __u64 mask_of(__u64 bits)
{
	bits = (bits | -bits) >> 63;
	asm volatile("" : "+r"(bits));
	return -bits;
}

static __always_inline __u64 either(__u64 mask, __u64 then, __u64 otherwise)
{
	return (then & mask) | (otherwise & ~mask);
}

// The options from byte n on, where bit n of `chosen` is set: each step moves everything to the front by a power of two, or does not.
static __always_inline void move_to_front(const struct header *header, __u64 chosen, __u64 *option)
{
	const __u64 *words = (const __u64 *)&header->words[TCP_HEADER / 4];
	__u64 w0 = words[0], w1 = words[1], w2 = words[2], w3 = words[3], w4 = words[4], mask;

	mask = mask_of(chosen & 0xff00000000);
	w0 = either(mask, w4, w0);
	w1 &= ~mask;
	w2 &= ~mask;
	w3 &= ~mask;
	w4 &= ~mask;
	mask = mask_of(chosen & 0xffff0000ffff0000);
	w0 = either(mask, w2, w0);
	w1 = either(mask, w3, w1);
	w2 = either(mask, w4, w2);
	w3 &= ~mask;
	w4 &= ~mask;
	mask = mask_of(chosen & 0xff00ff00ff00ff00);
	w0 = either(mask, w1, w0);
	w1 = either(mask, w2, w1);
	w2 = either(mask, w3, w2);
	w3 = either(mask, w4, w3);
	mask = mask_of(chosen & 0xf0f0f0f0f0f0f0f0);
	w0 = either(mask, w0 >> 32 | w1 << 32, w0);
	w1 = either(mask, w1 >> 32 | w2 << 32, w1);
	w2 = either(mask, w2 >> 32 | w3 << 32, w2);
	w3 = either(mask, w3 >> 32, w3);
	mask = mask_of(chosen & 0xcccccccccccccccc);
	w0 = either(mask, w0 >> 16 | w1 << 48, w0);
	w1 = either(mask, w1 >> 16 | w2 << 48, w1);
	w2 = either(mask, w2 >> 16 | w3 << 48, w2);
	w3 = either(mask, w3 >> 16, w3);
	mask = mask_of(chosen & 0xaaaaaaaaaaaaaaaa);
	option[0] = either(mask, w0 >> 8 | w1 << 56, w0);
	option[1] = either(mask, w1 >> 8 | w2 << 56, w1);
	option[2] = either(mask, w2 >> 8 | w3 << 56, w2);
}

// TRANSLATED with the client and the option's kind filled in, NO_OPTION, MALFORMED or AMBIGUOUS.
//
// Bit 0 of `starts` says that an option starts here, bit n that one starts n bytes on; bit n of `matches`, that one of ours started at byte n
// of the options. All bits are made of settings.one, which is 1 whenever the programs run: a constant would be known to the verifier, which
// would then follow every combination of lengths by itself (700,000 instructions instead of some thousand).
static __always_inline int find_option(const struct header *header, struct client *client, __u32 *kind_found)
{
	const __u8 *bytes = (const __u8 *)header->words;
	struct settings *settings = settings_now();
	__u64 one, none, starts, matches, other, ended, hidden, option[3];
	__u64 end = length_of(header);

	if (!settings)
		return NO_OPTION;
	one = FIELD(settings->one);
	none = one - 1;
	starts = one;
	// Nothing yet: options of ours, of our kinds, and what stands after the end of the options.
	matches = other = ended = hidden = none;
	for (__u32 at = TCP_HEADER; at < TCP_HEADER + TCP_OPTIONS; at++, starts >>= 1) {
		__u64 kind = bytes[at], length = bytes[at + 1], ours;
		__s64 left = end - at - length;

		hidden |= ended & kind;
		if (!(starts & 1))
			continue;
		if (kind == TCPOPT_EOL) {
			ended = one * 254; // padding after it may be NOPs
			starts = none;
			continue;
		}
		if (kind == TCPOPT_NOP) {
			starts |= one << 1;
			continue;
		}
		if (length < 2 || left < 0) {
			hidden = one;
			starts = none;
			continue;
		}
		ours = settings->lengths[kind];
		other |= ours;
		ours = ours >> (length & 63) & 1;
		if (length == 7 && bytes[at + 2] != 1) // another version of the CDN's
			ours = none;
		matches |= ours << (at - TCP_HEADER);
		starts |= one << (length & 63);
	}
	if (!matches)
		return other | hidden ? MALFORMED : NO_OPTION;
	// Where the load balancer writes at the end, or nobody knows where, its option may be among what cannot be read.
	if (hidden && FIELD(settings->place) != IN_FRONT)
		return AMBIGUOUS;
	matches = choose(matches, FIELD(settings->place));
	if (!matches)
		return AMBIGUOUS;
	move_to_front(header, matches, option);
	read_option((const __u8 *)option, client);
	*kind_found = *(const __u8 *)option;
	return TRANSLATED;
}

// The header of the packet that the program was called for. `none` is a zero that the verifier does not know: else it would follow headers of
// each length by themselves, because what is not filled would be known.
static __always_inline void read_packet(struct bpf_sock_ops *ctx, struct header *header, __u32 none)
{
	const __u32 *words = ctx->skb_data;
	const void *end = ctx->skb_data_end;

	header->unused = none;
	header->room = none;
#pragma unroll
	for (int word = 0; word < (TCP_HEADER + TCP_OPTIONS) / 4; word++)
		FIELD(header->words[word]) = none;
#pragma unroll
	for (int word = 0; word < (TCP_HEADER + TCP_OPTIONS) / 4; word++) {
		if ((const void *)(words + word + 1) > end)
			break;
		FIELD(header->words[word]) = words[word];
	}
}

// ---- whom to believe

static __always_inline int is_our_port(struct bpf_sock_ops *ctx, struct settings *settings)
{
	__u32 port = ctx->local_port;

	return !settings->check_port || bpf_map_lookup_elem(&realip_ports, &port);
}

// Does the packet come from one of the networks that may speak for clients?
static __always_inline int is_believed(struct bpf_sock_ops *ctx)
{
	struct settings *settings = settings_now();
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
	if (ctx->family == AF_INET || is_ipv4((struct address *)source.address)) {
		source.prefix = 32 + 32;
		source.family = 4;
		source.address[0] = ipv4;
	}
	return bpf_map_lookup_elem(&realip_trusted, &source) != 0;
}

// No client has one of these: of nobody, of the host itself, of a link or a group, and what loops back, which servers let much through from.
static __always_inline int is_for_clients4(__u32 address)
{
	__u32 first = bpf_ntohl(address) >> 24;

	return first != 0 && first != 127 && first < 224 && bpf_ntohl(address) >> 16 != 0xa9fe;
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

	if (is_ipv4(&client->address))
		return client->address.words[3] == remote4 || client->address.words[3] == local4;
	remote = (FIELD(ctx->remote_ip6[0]) ^ client->address.words[0]) | (FIELD(ctx->remote_ip6[1]) ^ client->address.words[1]);
	remote |= (FIELD(ctx->remote_ip6[2]) ^ client->address.words[2]) | (FIELD(ctx->remote_ip6[3]) ^ client->address.words[3]);
	local = (FIELD(ctx->local_ip6[0]) ^ client->address.words[0]) | (FIELD(ctx->local_ip6[1]) ^ client->address.words[1]);
	local |= (FIELD(ctx->local_ip6[2]) ^ client->address.words[2]) | (FIELD(ctx->local_ip6[3]) ^ client->address.words[3]);
	return ctx->family == AF_INET6 && (!remote || !local);
}

static __always_inline int is_possible(struct bpf_sock_ops *ctx, const struct client *client)
{
	if (client->has_port && !client->port)
		return 0;
	if (is_ipv4(&client->address) ? !is_for_clients4(client->address.words[3]) : !is_for_clients6(client->address.words))
		return 0;
	return !is_of_an_end(ctx, client) && !bpf_map_lookup_elem(&realip_own, &client->address);
}

// Keep what was found and count what became of it.
static __always_inline int settle(struct bpf_sock_ops *ctx, int found, const struct header *header, struct client *client, __u32 kind, __u32 packet)
{
	struct bpf_sock *sk = ctx->sk; // read once: the verifier forgets the check with the next read

	if (!is_believed(ctx))
		found = UNTRUSTED;
	else if (found == TRANSLATED && !is_possible(ctx, client))
		found = IMPOSSIBLE;
	else if (found == TRANSLATED && (!sk || !bpf_sk_storage_get(&realip_clients, sk, client, BPF_SK_STORAGE_GET_F_CREATE)))
		return found; // no memory
	count(found);
	if (found != TRANSLATED)
		return found;
	add_one(&realip_kinds, kind);
	count(packet == ON_SYN ? TRANSLATED_ON_SYN : packet == ON_ACK ? TRANSLATED_ON_ACK : TRANSLATED_ON_DATA);
	if (length_of(header) + (is_ipv4(&client->address) ? 8 : 20) > TCP_HEADER + TCP_OPTIONS)
		count(FULL);
	return found;
}

// Where a header comes from.
#define THIS_PACKET 0
#define SAVED_SYN 1

// Which packet it is: ON_SYN, ON_ACK or ON_DATA.
static __always_inline __u32 packet_of(struct bpf_sock_ops *ctx, const struct header *header)
{
	if (((const __u8 *)header->words)[13] & TCP_FLAG_SYN)
		return ON_SYN;
	return ctx->skb_len > length_of(header) ? ON_DATA : ON_ACK;
}

// Load balancers add their option until the client has acknowledged something of the server's; what comes later is as the client sent it. Is
// this the first data of such a client, in order?
static __always_inline int is_first_data(struct bpf_sock_ops *ctx, const struct header *header)
{
	return !ctx->bytes_received && !ctx->bytes_acked && bpf_ntohl(header->words[1]) == ctx->rcv_nxt &&
	       bpf_ntohl(header->words[2]) == ctx->snd_una;
}

// Read the option and settle what it is worth. Returns what was found, and in the second byte on which packet; 0 is none that counts.
//
// A global function: the verifier looks at it once, and not again for each call and each state of the caller.
__noinline int realip_read(struct bpf_sock_ops *ctx, __u32 source)
{
	struct settings *settings = settings_now();
	struct header header;
	struct client client = {};
	__u32 packet, kind = 0;
	int found;

	if (!settings || !settings->one)
		return NO_OPTION;
	read_packet(ctx, &header, FIELD(settings->one) - 1);
	if (source == SAVED_SYN) {
		__builtin_memset(&header, 0, sizeof(header));
		if (bpf_getsockopt(ctx, IPPROTO_TCP, TCP_BPF_SYN, header.words, TCP_HEADER + TCP_OPTIONS) < TCP_HEADER)
			return NO_OPTION; // as with SYN cookies
		packet = ON_SYN;
	} else {
		packet = packet_of(ctx, &header);
		if (ctx->op == BPF_SOCK_OPS_PARSE_HDR_OPT_CB && (packet != ON_DATA || !is_first_data(ctx, &header)))
			return NO_OPTION;
	}
	found = find_option(&header, &client, &kind);
	if (found == TRANSLATED || found == AMBIGUOUS) {
		if (settings->packets & packet)
			found = settle(ctx, found, &header, &client, kind, packet);
		else
			found = MISPLACED;
	}
	return found | packet << 8;
}

// A listener is there: have its SYNs kept, where the load balancer writes on them. An application that keeps more of them is left alone.
static __always_inline void listens(struct bpf_sock_ops *ctx)
{
	int kept = 0, keep = 1;

	bpf_getsockopt(ctx, IPPROTO_TCP, TCP_SAVE_SYN, &kept, sizeof(kept)); // older kernels (5.10, 5.15) do not say
	if (!kept)
		bpf_setsockopt(ctx, IPPROTO_TCP, TCP_SAVE_SYN, &keep, sizeof(keep));
}

static __always_inline int is_nothing(int found)
{
	found &= 255;
	return found == NO_OPTION || found == MALFORMED || found == MISPLACED;
}

// A connection is there. The packet that made it is the handshake's ACK, with TCP_DEFER_ACCEPT the first data, with Fast Open the SYN. What it
// says goes before what the SYN said, which load balancers hand on as the client sent it.
static __always_inline void established(struct bpf_sock_ops *ctx, __u32 packets)
{
	int found = realip_read(ctx, THIS_PACKET), packet = found >> 8;

	if (is_believed(ctx))
		count(FROM_TRUSTED);
	if (is_nothing(found) && (packets & ON_SYN) && packet != ON_SYN) {
		int syn = realip_read(ctx, SAVED_SYN);

		if ((syn & 255) != NO_OPTION)
			found = syn;
	}
	if (!is_nothing(found))
		return;
	count(found & 255);
	// The load balancer had no room on the ACK, or writes on data alone.
	if (packet == ON_ACK && (packets & ON_DATA))
		bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG);
}

// A later packet, with an option that the kernel does not know. Only the first data is read.
static __always_inline void more_came(struct bpf_sock_ops *ctx)
{
	int found = realip_read(ctx, THIS_PACKET), packet = found >> 8;

	found &= 255;
	if (found == MALFORMED)
		count(found);
	if (packet == ON_DATA || ctx->bytes_received || ctx->bytes_acked)
		bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags & ~BPF_SOCK_OPS_PARSE_UNKNOWN_HDR_OPT_CB_FLAG);
}

SEC("sockops")
int realip_sockops(struct bpf_sock_ops *ctx)
{
	struct settings *settings;
	__u32 op = ctx->op;

	if (op != BPF_SOCK_OPS_TCP_LISTEN_CB && op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB && op != BPF_SOCK_OPS_PARSE_HDR_OPT_CB)
		return 1;
	settings = settings_now();
	if (!settings || !settings->one)
		return 1;
	if (!is_our_port(ctx, settings)) {
		if (op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
			count(ON_OTHER_PORT);
	} else if (op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB) {
		established(ctx, settings->packets);
	} else if (op == BPF_SOCK_OPS_PARSE_HDR_OPT_CB) {
		more_came(ctx);
	} else if (settings->packets & ON_SYN) {
		listens(ctx);
	}
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
	if (client && is_ipv4(&client->address)) {
		ctx->user_ip4 = client->address.words[3];
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
		ctx->user_ip6[0] = client->address.words[0];
		ctx->user_ip6[1] = client->address.words[1];
		ctx->user_ip6[2] = client->address.words[2];
		ctx->user_ip6[3] = client->address.words[3];
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
	if (is_ipv4(&client->address)) {
		if ((void *)(out4 + 1) > ctx->optval_end)
			return 0;
		out4->family = AF_INET;
		out4->port = port;
		out4->address = client->address.words[3];
		out4->zero[0] = 0;
		out4->zero[1] = 0;
		FIELD(ctx->optlen) = sizeof(*out4);
	} else {
		if ((void *)(out6 + 1) > ctx->optval_end)
			return 0;
		out6->family = AF_INET6;
		out6->port = port;
		out6->flow = 0;
		__builtin_memcpy(out6->address, &client->address, sizeof(out6->address));
		out6->scope = 0;
		FIELD(ctx->optlen) = sizeof(*out6);
	}
	FIELD(ctx->retval) = 0; // the kernel itself knows no such option
	return 1;
}

// DPVS's struct toa_nat64_peer.
struct nat64_peer {
	__u32 address[4];
	__u16 port;
	__u16 unused;
};

// As DPVS's module: the IPv6 client of an IPv4 connection, which getpeername() has no room for.
static __always_inline int answer_nat64(struct bpf_sockopt *ctx)
{
	struct nat64_peer *out = ctx->optval;
	struct settings *settings = settings_now();
	struct client *client = client_of(ctx->sk);

	if (!settings || !settings->nat64 || !client || is_ipv4(&client->address) || (void *)(out + 1) > ctx->optval_end)
		return 0;
	__builtin_memcpy(out->address, &client->address, sizeof(out->address));
	out->port = client->port;
	out->unused = 0;
	FIELD(ctx->optlen) = sizeof(*out);
	FIELD(ctx->retval) = 0;
	return 1;
}

SEC("cgroup/getsockopt")
int realip_getopt(struct bpf_sockopt *ctx)
{
	if (ctx->level == IPPROTO_IP && ctx->optname == TOA_SOCKOPT && answer(ctx))
		return 1;
	if (ctx->level == IPPROTO_IP && ctx->optname == NAT64_SOCKOPT && answer_nat64(ctx))
		return 1;
	// A value that is longer than what we are shown would be refused (EFAULT); 0 leaves everything as the kernel has answered it.
	if (ctx->optlen > PAGE)
		ctx->optlen = 0;
	return 1;
}

char _license[] SEC("license") = "GPL";
