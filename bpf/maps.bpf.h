/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the objects of a backend share with each other and the daemon: the daemon gives them all the
 * same maps.
 */
#ifndef OP_MAPS_BPF_H
#define OP_MAPS_BPF_H

#include "kernel.h"

/* Configurations; op_switch_map says which is active. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, OP_CONFIGS_MAX);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_HASH);
			__uint(max_entries, 1024);
			__uint(key_size, sizeof(__u64));
			__uint(value_size, sizeof(struct op_entry));
		});
} op_configs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct op_switch);
} op_switch_map SEC(".maps");

/* 2 MiB: 250 records with all their runners-up, 600 without, far more than a machine can kill
 * before the daemon runs once. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 2 << 20);
} op_events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct op_stats);
} op_stats SEC(".maps");

#endif
