/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The realip.toa authors */
#ifndef TOA_HOOKERS_H
#define TOA_HOOKERS_H

#include <linux/skbuff.h>
#include <net/sock.h>

/*
 * accepted: a connection was made by this packet. peer_name: `name`, `length` bytes of a sockaddr_storage, is the peer's
 * address; answers with the length of what is there in the end.
 */
struct toa_hooks {
	void (*accepted)(struct sock *child, const struct sk_buff *skb);
	int (*peer_name)(struct sock *sk, struct sockaddr *name, int length);
};

/* The service of the module `hookers`: one user at a time (-EBUSY). */
int hookers_install(const struct toa_hooks *wanted, const char *user);
void hookers_remove(void);

#endif
