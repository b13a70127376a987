/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The realip.toa authors */
/* TCP options of a packet, as every TOA module here looks for them. */
#ifndef TOA_OPTION_H
#define TOA_OPTION_H

#include <linux/tcp.h>
#include <linux/version.h>
#include <net/tcp.h>
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#include <linux/unaligned.h>
#else
#include <asm/unaligned.h>
#endif

/*
 * The first option that `wanted` says yes to; NULL where there is none, or where a malformed list ends the search before it.
 * The options of a packet that got this far lie in its linear part.
 */
static const u8 *find_option(const struct sk_buff *skb, bool (*wanted)(u8 kind, u8 length))
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
			return NULL;
		if (wanted(option[0], option[1]))
			return option;
		option += option[1];
	}
	return NULL;
}

#endif
