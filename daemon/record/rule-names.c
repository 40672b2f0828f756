/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns copies of the names alone: whole configurations would be megabytes, for a record that
 * crosses a reload.
 */
#include "rule-names.h"

#include <assert.h>
#include <string.h>

#include "bpf/oompolicy.h"
#include "config/policy.h"
#include "util/basic.h"

static_assert(RULE_NAMES_CONFIGS == OP_CONFIGS_MAX, "as many as the kernel's side keeps");

int rule_names_add(struct rule_names *h, uint32_t number, const struct config *config)
{
	struct rule_names_config *e = &h->entries[h->next];
	size_t size = config->n_rules * sizeof(*e->names);
	char *text;

	h->next = (h->next + 1) % RULE_NAMES_CONFIGS;
	free(e->names);
	*e = (struct rule_names_config){};
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

void rule_names_done(struct rule_names *h)
{
	for (size_t i = 0; i < RULE_NAMES_CONFIGS; i++)
		free(h->entries[i].names);
	*h = (struct rule_names){};
}

const char *rule_names_find(const struct rule_names *h, uint32_t number, uint32_t rule_index)
{
	for (size_t i = 0; i < RULE_NAMES_CONFIGS && number > 0; i++) {
		const struct rule_names_config *e = &h->entries[i];

		if (e->number == number && rule_index < e->n_names)
			return e->names[rule_index];
	}
	return NULL;
}
