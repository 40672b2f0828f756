/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The map of the rules of one configuration. Part of the door: loader.h includes it. */
#ifndef OP_KERNEL_RULES_H
#define OP_KERNEL_RULES_H

#include <stddef.h>
#include <stdint.h>

struct op_entry;

/*
 * Largest rules map. The map is preallocated, at about 80 bytes an entry, so that no lookup or
 * update ever allocates; at the limit it costs the kernel 80 MiB for a quarter of a million ruled
 * cgroups, each with its place in the order, far more than a machine can run. Cgroups beyond
 * inherit, which is logged.
 */
#define OP_RULES_ENTRIES_MAX (1U << 20)
#define OP_RULES_ENTRIES_MIN 1024U

/* A rules map, which is active or will be. Embedded; owns the descriptor. */
struct loader_rules {
	int fd; /* -EBADF: none */
	uint32_t max_entries;
};

/* Creates an empty map with room for @n_entries and as many again. -E2BIG, or errno of bpf(2). */
int loader_rules_init(struct loader_rules *r, size_t n_entries);
void loader_rules_done(struct loader_rules *r);

/*
 * Sets @n entries, of different ids, in as few calls as the kernel takes. Returns 0, -E2BIG when
 * they do not fit, or errno of bpf(2).
 */
int loader_rules_fill(const struct loader_rules *r, const uint64_t *ids,
		      const struct op_entry *entries, size_t n);

/* Sets the entry of a cgroup. Returns 1 when it is new, 0 when it was there, -E2BIG when full. */
int loader_rules_set(const struct loader_rules *r, uint64_t id, const struct op_entry *entry);

/*
 * Removes the entry of a cgroup. Returns 1 when there was one, which is then in @ret; 0 when not;
 * or errno of bpf(2).
 */
int loader_rules_remove(const struct loader_rules *r, uint64_t id, struct op_entry *ret);

/* The entry of a key. Returns 1 and fills @ret; 0 where there is none; or errno of bpf(2). */
int loader_rules_get(const struct loader_rules *r, uint64_t id, struct op_entry *ret);

/* Counts the entries as the kernel has them. Returns 0, -ENOMEM, or errno of bpf(2). */
int loader_rules_count(const struct loader_rules *r, uint32_t *ret);

#endif
