/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the map of the rules of one configuration: its size, and how entries go in and out. Refuses
 * to know what a key and a rule mean.
 */
#include "rules.h"

#include <bpf/bpf.h>

#include "bpf/oompolicy.h"
#include "util/basic.h"

/* Entries that are counted in one call: about 20 KiB of them. */
#define COUNT_BATCH 1024U

int loader_rules_init(struct loader_rules *r, size_t n_entries)
{
	uint32_t max_entries = OP_RULES_ENTRIES_MIN;
	int fd;

	*r = (struct loader_rules){.fd = -EBADF};
	if (n_entries > OP_RULES_ENTRIES_MAX)
		return -E2BIG;
	while (max_entries < OP_RULES_ENTRIES_MAX && max_entries / 2 < n_entries)
		max_entries *= 2;

	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "op_rules", sizeof(uint64_t),
			    sizeof(struct op_entry), max_entries, NULL);
	if (fd < 0)
		return fd;
	*r = (struct loader_rules){.fd = fd, .max_entries = max_entries};
	return 0;
}

void loader_rules_done(struct loader_rules *r)
{
	r->fd = safe_close(r->fd);
}

int loader_rules_fill(const struct loader_rules *r, const uint64_t *ids,
		      const struct op_entry *entries, size_t n)
{
	uint32_t n_done = (uint32_t)n;

	if (n > r->max_entries)
		return -E2BIG;
	if (n == 0 || bpf_map_update_batch(r->fd, ids, entries, &n_done, NULL) == 0)
		return 0;

	/* Not every kernel has it for every map. It tells how far it came; one by one tells why. */
	for (size_t i = n_done < n ? n_done : 0; i < n; i++) {
		int error = bpf_map_update_elem(r->fd, &ids[i], &entries[i], BPF_ANY);

		if (error < 0)
			return error;
	}
	return 0;
}

int loader_rules_set(const struct loader_rules *r, uint64_t id, const struct op_entry *entry)
{
	int error = bpf_map_update_elem(r->fd, &id, entry, BPF_NOEXIST);

	if (error == 0)
		return 1;
	if (error != -EEXIST)
		return error;
	return bpf_map_update_elem(r->fd, &id, entry, BPF_EXIST);
}

int loader_rules_remove(const struct loader_rules *r, uint64_t id, struct op_entry *ret)
{
	int error = bpf_map_lookup_and_delete_elem(r->fd, &id, ret);

	return error == -ENOENT ? 0 : error < 0 ? error : 1;
}

int loader_rules_count(const struct loader_rules *r, uint32_t *ret)
{
	_cleanup_free_ uint64_t *ids = reallocarray(NULL, COUNT_BATCH, sizeof(*ids));
	_cleanup_free_ struct op_entry *entries = reallocarray(NULL, COUNT_BATCH, sizeof(*entries));
	uint64_t token = 0;
	uint32_t n = 0;
	int error;

	if (!ids || !entries)
		return -ENOMEM;
	do {
		__u32 n_batch = COUNT_BATCH;

		error = bpf_map_lookup_batch(r->fd, n ? &token : NULL, &token, ids, entries,
					     &n_batch, NULL);
		if (error < 0 && error != -ENOENT)
			return error;
		n += n_batch;
	} while (error == 0);
	*ret = n;
	return 0;
}

int loader_rules_get(const struct loader_rules *r, uint64_t id, struct op_entry *ret)
{
	int error = bpf_map_lookup_elem(r->fd, &id, ret);

	return error == -ENOENT ? 0 : error < 0 ? error : 1;
}
