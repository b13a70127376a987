/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The realip.toa authors */
/*
 * The statistics file of a TOA module: a line for each counter, a column for each CPU.
 *
 * Whoever includes this has defined `enum toa_counter` with TOA_COUNTERS as its end, and counter_names[] after it.
 */
#ifndef TOA_COUNTERS_H
#define TOA_COUNTERS_H

#include <linux/percpu.h>
#include <linux/seq_file.h>

struct toa_counters {
	unsigned long value[TOA_COUNTERS];
};

static DEFINE_PER_CPU(struct toa_counters, toa_counters);

static void count(enum toa_counter counter)
{
	this_cpu_inc(toa_counters.value[counter]);
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

#endif
