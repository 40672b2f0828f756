/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who dies first, and which rule says so. */
#include "show.h"

#include <string.h>

#include "replies.h"
#include "table.h"
#include "text.h"
#include "util/basic.h"
#include "util/escape.h"

/* "│ └─batch.slice", the way to it and its own name; the first node has all of its path. */
static char *draw_name(const struct tree *tree, const struct tree_node *node, bool utf8)
{
	static const char *const glyphs[2][4] = {
		{"| ", "  ", "|-", "`-"},
		{"\xe2\x94\x82 ", "  ", "\xe2\x94\x9c\xe2\x94\x80", "\xe2\x94\x94\xe2\x94\x80"},
	};
	const char *name = node->depth == 0 ? node->row.cgroup : strrchr(node->row.cgroup, '/') + 1;
	_cleanup_free_ char *escaped = text_escape(name, strlen(name));
	/* A glyph is at most six bytes. */
	size_t size = escaped ? 6 * node->depth + strlen(escaped) + 1 : 0, used = 0;
	/* By depth: whether the node on the way to it is the last child. */
	_cleanup_free_ bool *last = calloc(node->depth + 1, sizeof(*last));
	char *text = malloc(size + 1);

	if (!escaped || !last || !text) {
		free(text);
		return NULL;
	}
	for (const struct tree_node *n = node; n->depth > 0; n = &tree->nodes[n->parent])
		last[n->depth] = n->last_child;
	text[0] = '\0';
	for (size_t depth = 1; depth <= node->depth; depth++) {
		const char *glyph = glyphs[utf8][2 * (depth == node->depth) + last[depth]];

		used += (size_t)snprintf(text + used, size + 1 - used, "%s", glyph);
	}
	snprintf(text + used, size + 1 - used, "%s", escaped);
	return text;
}

static int print_table(const struct tree *tree, const struct term *t)
{
	static const struct table_column columns[] = {
		{.title = "PRIO", .align_right = true},	  {.title = "KILL"},
		{.title = "MEMORY", .align_right = true}, {.title = "RULE", .flexible = true},
		{.title = "CGROUP", .flexible = true},
	};
	_cleanup_(table_freep) struct table *table = NULL;
	int r;

	r = table_new(columns, ARRAY_SIZE(columns), &table);
	for (size_t i = 0; r == 0 && i < tree->n_nodes; i = tree->nodes[i].next) {
		const struct tree_node *node = &tree->nodes[i];
		_cleanup_free_ char *name = draw_name(tree, node, t->utf8);
		_cleanup_free_ char *rule =
			escape_printable(node->row.rule, strlen(node->row.rule));
		char priority[16], memory[TEXT_BYTES_SIZE];
		const char *cells[] = {
			priority,
			*node->row.kill ? node->row.kill : "-",
			text_format_bytes(node->memory_bytes, memory),
			rule && *rule ? rule : "-",
			name,
		};

		if (!name || !rule)
			return -ENOMEM;
		snprintf(priority, sizeof(priority), "%u", node->row.priority);
		if (node->row.protect)
			snprintf(priority, sizeof(priority), "never");
		r = table_add(table, cells, node->row.protect ? COLOUR_GREEN : COLOUR_NONE);
	}
	if (r < 0)
		return r;
	table_print(table, t, 0);
	if (!t->legend)
		return 0;
	if (*tree->policy)
		fprintf(t->out,
			"\nWhere memory runs out in %s, policy %s answers:\n"
			"what is higher up here dies first.\n",
			strcmp(tree->domain, "/") == 0 ? "the system" : "this cgroup",
			tree->policy);
	else
		fputs("\nNo policy answers where memory runs out here: the kernel chooses alone.\n",
		      t->out);
	return 0;
}

static int print_json(const struct tree *tree, enum json_mode mode, const struct term *t)
{
	_cleanup_(json_freep) struct json *object = json_new_object();
	struct json *array = json_new_array();

	for (size_t i = tree->n_nodes ? 0 : SIZE_MAX; i != SIZE_MAX; i = tree->nodes[i].next) {
		const struct tree_node *node = &tree->nodes[i];
		struct json *cgroup = json_new_object();

		json_add_values(cgroup, tree_row_fields, &node->row);
		if (node->memory_bytes != UINT64_MAX)
			json_add_number(cgroup, "memory_bytes", node->memory_bytes);
		json_append(array, cgroup);
	}
	json_add_text(object, "domain", tree->domain);
	json_add_text(object, "policy", tree->policy);
	json_add(object, "cgroups", array);
	return json_print(object, mode, t->out);
}

int show_tree(const struct tree *tree, enum json_mode mode, const struct term *t)
{
	return mode == JSON_OFF ? print_table(tree, t) : print_json(tree, mode, t);
}
