// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 The realip.toa authors
/*
 * The module that vtoa rests on, as on Alibaba Cloud Linux: it keeps the operation tables of TCP sockets and puts another
 * module's functions into them. /proc/hookers says whose. It changes no address by itself.
 */
#define pr_fmt(fmt) "hookers: " fmt

#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

#include "hooks.h"

static DEFINE_MUTEX(lock);
static const char *user;

int hookers_install(const struct toa_hooks *wanted, const char *name)
{
	int error;

	mutex_lock(&lock);
	error = user ? -EBUSY : hook(wanted);
	if (!error)
		user = name;
	mutex_unlock(&lock);
	return error;
}
EXPORT_SYMBOL_GPL(hookers_install);

void hookers_remove(void)
{
	mutex_lock(&lock);
	unhook();
	user = NULL;
	mutex_unlock(&lock);
}
EXPORT_SYMBOL_GPL(hookers_remove);

static int show_hooks(struct seq_file *seq, void *unused)
{
	static const char *const tables[] = {
		"ipv4_specific.syn_recv_sock", "ipv6_specific.syn_recv_sock", "inet_stream_ops.getname", "inet6_stream_ops.getname",
	};
	int table;

	mutex_lock(&lock);
	for (table = 0; user && table < ARRAY_SIZE(tables); table++)
		seq_printf(seq, "%s: %s\n", tables[table], user);
	mutex_unlock(&lock);
	return 0;
}

static int __init hookers_init(void)
{
	return proc_create_single("hookers", 0444, NULL, show_hooks) ? 0 : -ENOMEM;
}

static void __exit hookers_exit(void)
{
	remove_proc_entry("hookers", NULL);
}

module_init(hookers_init);
module_exit(hookers_exit);
MODULE_DESCRIPTION("Hooks in the operation tables of TCP sockets, for one other module");
MODULE_LICENSE("GPL");
