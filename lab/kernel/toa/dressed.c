// SPDX-License-Identifier: GPL-2.0-or-later
// Copyright (c) 2026 The realip.toa authors
/*
 * Lets a running machine show any `uname -r`: `insmod dressed.ko release=5.10.134-16.3.al8.x86_64`. The name goes back to
 * what it was when the module is unloaded. For tests that want to see what is made of a name, and need no kernel of it.
 */
#include <linux/module.h>
#include <linux/string.h>
#include <linux/utsname.h>

static char *release;
module_param(release, charp, 0444);
MODULE_PARM_DESC(release, "what `uname -r` says as long as this module is loaded");

static char before[__NEW_UTS_LEN + 1];

static int __init dressed_init(void)
{
	if (!release || !*release || strlen(release) > __NEW_UTS_LEN)
		return -EINVAL;
	strscpy(before, init_uts_ns.name.release, sizeof(before));
	strscpy_pad(init_uts_ns.name.release, release, sizeof(init_uts_ns.name.release));
	return 0;
}

static void __exit dressed_exit(void)
{
	strscpy_pad(init_uts_ns.name.release, before, sizeof(init_uts_ns.name.release));
}

module_init(dressed_init);
module_exit(dressed_exit);
MODULE_DESCRIPTION("Another uname -r for a running machine");
MODULE_LICENSE("GPL");
