/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rule names of the configurations that were active before: a record names its configuration
 * by number, and may come after the next one.
 */
#ifndef OP_RULE_NAMES_H
#define OP_RULE_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct config;

/* As many as the kernel's side keeps: an older one cannot decide any more. */
#define RULE_NAMES_CONFIGS 8

struct rule_names_config {
	uint32_t number; /* 0: none */
	size_t n_names;
	char **names; /* one allocation, with the texts behind the pointers */
};

/* Empty when zero. */
struct rule_names {
	struct rule_names_config entries[RULE_NAMES_CONFIGS];
	size_t next;
};

/* Forgets the oldest, and remembers the rules of @config, known as @number. -ENOMEM: their names
 * will not be known. */
int rule_names_add(struct rule_names *h, uint32_t number, const struct config *config);
void rule_names_done(struct rule_names *h);

/* Returns NULL where it is not known; else the name, which is valid until the next
 * rule_names_add().
 */
const char *rule_names_find(const struct rule_names *h, uint32_t number, uint32_t rule_index);

#endif
