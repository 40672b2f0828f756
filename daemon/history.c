/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns copies of the names alone: whole configurations would be megabytes, for a record that
 * crosses a reload.
 */
#include "history.h"

#include <string.h>

#include "bpf/oompolicy.h"
#include "config/policy.h"
#include "util/basic.h"

_Static_assert(HISTORY_MAX == OP_CONFIGS_MAX, "as many as the kernel's side keeps");

int history_add(struct history *h, uint32_t number, const struct config *config)
{
	struct history_entry *e = &h->entries[h->next];
	size_t size = config->n_rules * sizeof(*e->names);
	char *text;

	h->next = (h->next + 1) % HISTORY_MAX;
	free(e->names);
	*e = (struct history_entry){};
	if (config->n_rules == 0)
		return 0;

	for (size_t i = 0; i < config->n_rules; i++)
		size += strlen(config->rules[i].name) + 1;
	e->names = malloc(size);
	if (!e->names)
		return -ENOMEM;
	e->number = number;
	e->n_names = config->n_rules;
	text = (char *)(e->names + e->n_names);
	for (size_t i = 0; i < e->n_names; i++) {
		e->names[i] = text;
		text = stpcpy(text, config->rules[i].name) + 1;
	}
	return 0;
}

void history_done(struct history *h)
{
	for (size_t i = 0; i < HISTORY_MAX; i++)
		free(h->entries[i].names);
	*h = (struct history){};
}

const char *history_rule_name(const struct history *h, uint32_t number, uint32_t rule_index)
{
	for (size_t i = 0; i < HISTORY_MAX && number > 0; i++) {
		const struct history_entry *e = &h->entries[i];

		if (e->number == number && rule_index < e->n_names)
			return e->names[rule_index];
	}
	return NULL;
}
