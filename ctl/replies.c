/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the order in which a tree is shown. Reads the cgroup file system, and asks nobody. */
#include "replies.h"

#include <fcntl.h>
#include <string.h>

#include "util/basic.h"
#include "util/format.h"

bool status_is_good(const struct status_report *s)
{
	for (size_t i = 0; i < s->n_policies; i++)
		if (!s->policies[i].attached)
			return false;
	return s->n_policies > 0;
}

/* Reads the beginning of a file. Returns its length, or a negative errno. */
static ssize_t read_start(const char *root, const char *path, const char *name, char *buf,
			  size_t size)
{
	_cleanup_free_ char *file = NULL;
	_cleanup_close_ int fd = -EBADF;
	ssize_t n;

	file = format_string("%s%s/%s", root, path, name);
	if (!file)
		return -ENOMEM;
	fd = open(file, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

void tree_acquire(struct tree *t, const char *root)
{
	for (size_t i = 0; i < t->n_nodes; i++) {
		struct tree_node *node = &t->nodes[i];
		const char *path = strcmp(node->row.cgroup, "/") == 0 ? "" : node->row.cgroup;
		char buf[32];
		ssize_t n;

		/* The root has none, and neither has a cgroup without the memory controller. */
		node->memory_bytes = read_start(root, path, "memory.current", buf, sizeof(buf)) > 0
					     ? strtoull(buf, NULL, 10)
					     : UINT64_MAX;
		n = read_start(root, path, "cgroup.procs", buf, sizeof(buf));
		/* A threaded cgroup does not say (-EOPNOTSUPP): better shown than not. */
		node->has_processes = n > 0 || n == -EOPNOTSUPP;
	}
}

/* What decides the place of a node among its siblings. */
struct place {
	uint32_t priority; /* the lowest in it or below of what may die; UINT32_MAX: nothing may */
	bool populated;
};

struct sorter {
	struct tree *tree;
	struct place *places;
	size_t *first_child, *next_sibling;
};

/* Whether @a comes before @b. */
static bool comes_before(const struct sorter *s, size_t a, size_t b)
{
	const struct tree_node *x = &s->tree->nodes[a], *y = &s->tree->nodes[b];
	uint64_t x_bytes = x->memory_bytes == UINT64_MAX ? 0 : x->memory_bytes;
	uint64_t y_bytes = y->memory_bytes == UINT64_MAX ? 0 : y->memory_bytes;

	if (s->places[a].priority != s->places[b].priority)
		return s->places[a].priority < s->places[b].priority;
	if (x_bytes != y_bytes)
		return x_bytes > y_bytes;
	return strcmp(x->row.cgroup, y->row.cgroup) < 0;
}

static void insert_child(const struct sorter *s, size_t parent, size_t child)
{
	size_t *place = &s->first_child[parent];

	while (*place != SIZE_MAX && comes_before(s, *place, child))
		place = &s->next_sibling[*place];
	s->next_sibling[child] = *place;
	*place = child;
}

/* Whether @path is below @ancestor. */
static bool is_below(const char *path, const char *ancestor)
{
	size_t length = strcmp(ancestor, "/") == 0 ? 0 : strlen(ancestor);

	return strncmp(path, ancestor, length) == 0 && path[length] == '/' && path[1] != '\0';
}

static void find_parents(struct tree *t)
{
	for (size_t i = 0; i < t->n_nodes; i++) {
		struct tree_node *node = &t->nodes[i];
		size_t parent = i > 0 ? i - 1 : SIZE_MAX;

		while (parent != SIZE_MAX &&
		       !is_below(node->row.cgroup, t->nodes[parent].row.cgroup))
			parent = t->nodes[parent].parent;
		node->parent = parent;
		node->depth = parent == SIZE_MAX ? 0 : t->nodes[parent].depth + 1;
	}
}

/* From the leaves up, as children come after their parents. */
static void find_places(const struct sorter *s)
{
	const struct tree *t = s->tree;

	for (size_t i = 0; i < t->n_nodes; i++)
		s->places[i] = (struct place){
			.priority = t->nodes[i].has_processes && !t->nodes[i].row.protect
					    ? t->nodes[i].row.priority
					    : UINT32_MAX,
			.populated = t->nodes[i].has_processes,
		};
	for (size_t i = t->n_nodes; i-- > 1;) {
		size_t parent = t->nodes[i].parent;

		if (parent == SIZE_MAX)
			continue;
		if (s->places[i].priority < s->places[parent].priority)
			s->places[parent].priority = s->places[i].priority;
		s->places[parent].populated |= s->places[i].populated;
	}
}

/* Links the nodes in the order in which they are shown. */
static void link_nodes(const struct sorter *s, bool all)
{
	struct tree *t = s->tree;
	size_t last = SIZE_MAX;

	for (size_t i = 0; i < t->n_nodes; i++)
		t->nodes[i].shown = all || i == 0 || s->places[i].populated;
	for (size_t i = 0; i != SIZE_MAX;) {
		struct tree_node *node = &t->nodes[i];
		size_t sibling = s->next_sibling[i], next;

		while (sibling != SIZE_MAX && !t->nodes[sibling].shown)
			sibling = s->next_sibling[sibling];
		node->last_child = sibling == SIZE_MAX;
		if (node->shown) {
			if (last != SIZE_MAX)
				t->nodes[last].next = i;
			last = i;
		}
		next = s->first_child[i];
		for (size_t up = i; next == SIZE_MAX && up != SIZE_MAX; up = t->nodes[up].parent)
			next = s->next_sibling[up];
		i = next;
	}
	if (last != SIZE_MAX)
		t->nodes[last].next = SIZE_MAX;
}

int tree_sort(struct tree *t, bool all)
{
	_cleanup_free_ struct place *places = calloc(t->n_nodes + 1, sizeof(*places));
	_cleanup_free_ size_t *first_child = calloc(t->n_nodes + 1, sizeof(*first_child));
	_cleanup_free_ size_t *next_sibling = calloc(t->n_nodes + 1, sizeof(*next_sibling));
	const struct sorter s = {t, places, first_child, next_sibling};

	if (!places || !first_child || !next_sibling)
		return -ENOMEM;
	if (t->n_nodes == 0)
		return 0;
	find_parents(t);
	find_places(&s);
	for (size_t i = 0; i < t->n_nodes; i++)
		first_child[i] = next_sibling[i] = SIZE_MAX;
	for (size_t i = 1; i < t->n_nodes; i++)
		if (t->nodes[i].parent != SIZE_MAX)
			insert_child(&s, t->nodes[i].parent, i);
	link_nodes(&s, all);
	return 0;
}
