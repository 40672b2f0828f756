/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rule names of the configurations that were in force before: a record names its configuration
 * by number, and may come after the next one.
 */
#ifndef OP_HISTORY_H
#define OP_HISTORY_H

#include <stddef.h>
#include <stdint.h>

struct config;

/* As many as the kernel's side keeps: an older one cannot decide any more. */
#define HISTORY_MAX 8

struct history_entry {
	uint32_t number; /* 0: none */
	size_t n_names;
	char **names; /* one allocation, with the texts behind the pointers */
};

/* Empty when zero. */
struct history {
	struct history_entry entries[HISTORY_MAX];
	size_t next;
};

/* Forgets the oldest, and remembers the rules of @config, known as @number. -ENOMEM: their names
 * will not be known. */
int history_add(struct history *h, uint32_t number, const struct config *config);
void history_done(struct history *h);

/* Returns NULL where it is not known; else the name, which is valid until the next history_add().
 */
const char *history_rule_name(const struct history *h, uint32_t number, uint32_t rule_index);

#endif
