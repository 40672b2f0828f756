/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the order in which a tree is shown. Reads the cgroup file system, and asks nobody. */
#include "model.h"

#include <fcntl.h>
#include <string.h>

#include "util/basic.h"
#include "util/format.h"

bool status_is_good(const struct status *s)
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
	for (size_t i = 0; i < t->n_rows; i++) {
		struct tree_row *row = &t->rows[i];
		const char *path = strcmp(row->path, "/") == 0 ? "" : row->path;
		char buf[32];
		ssize_t n;

		/* The root has none, and neither has a cgroup without the memory controller. */
		row->memory_bytes = read_start(root, path, "memory.current", buf, sizeof(buf)) > 0
					    ? strtoull(buf, NULL, 10)
					    : UINT64_MAX;
		n = read_start(root, path, "cgroup.procs", buf, sizeof(buf));
		/* A threaded cgroup does not say (-EOPNOTSUPP): better shown than not. */
		row->has_processes = n > 0 || n == -EOPNOTSUPP;
	}
}

/* What decides the place of a row among its siblings. */
struct rank {
	uint32_t priority; /* the lowest in it or below of what may die; UINT32_MAX: nothing may */
	bool populated;
};

struct sorter {
	struct tree *tree;
	struct rank *ranks;
	size_t *first_child, *next_sibling;
};

/* Whether @a comes before @b. */
static bool comes_before(const struct sorter *s, size_t a, size_t b)
{
	const struct tree_row *x = &s->tree->rows[a], *y = &s->tree->rows[b];
	uint64_t x_bytes = x->memory_bytes == UINT64_MAX ? 0 : x->memory_bytes;
	uint64_t y_bytes = y->memory_bytes == UINT64_MAX ? 0 : y->memory_bytes;

	if (s->ranks[a].priority != s->ranks[b].priority)
		return s->ranks[a].priority < s->ranks[b].priority;
	if (x_bytes != y_bytes)
		return x_bytes > y_bytes;
	return strcmp(x->path, y->path) < 0;
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
	for (size_t i = 0; i < t->n_rows; i++) {
		struct tree_row *row = &t->rows[i];
		size_t parent = i > 0 ? i - 1 : SIZE_MAX;

		while (parent != SIZE_MAX && !is_below(row->path, t->rows[parent].path))
			parent = t->rows[parent].parent;
		row->parent = parent;
		row->depth = parent == SIZE_MAX ? 0 : t->rows[parent].depth + 1;
	}
}

/* From the leaves up, as children come after their parents. */
static void find_ranks(const struct sorter *s)
{
	const struct tree *t = s->tree;

	for (size_t i = 0; i < t->n_rows; i++)
		s->ranks[i] = (struct rank){
			.priority = t->rows[i].has_processes && !t->rows[i].protect
					    ? t->rows[i].priority
					    : UINT32_MAX,
			.populated = t->rows[i].has_processes,
		};
	for (size_t i = t->n_rows; i-- > 1;) {
		size_t parent = t->rows[i].parent;

		if (parent == SIZE_MAX)
			continue;
		if (s->ranks[i].priority < s->ranks[parent].priority)
			s->ranks[parent].priority = s->ranks[i].priority;
		s->ranks[parent].populated |= s->ranks[i].populated;
	}
}

/* Links the rows in the order in which they are shown. */
static void link_rows(const struct sorter *s, bool all)
{
	struct tree *t = s->tree;
	size_t last = SIZE_MAX;

	for (size_t i = 0; i < t->n_rows; i++)
		t->rows[i].shown = all || i == 0 || s->ranks[i].populated;
	for (size_t i = 0; i != SIZE_MAX;) {
		struct tree_row *row = &t->rows[i];
		size_t sibling = s->next_sibling[i], next;

		while (sibling != SIZE_MAX && !t->rows[sibling].shown)
			sibling = s->next_sibling[sibling];
		row->last_child = sibling == SIZE_MAX;
		if (row->shown) {
			if (last != SIZE_MAX)
				t->rows[last].next = i;
			last = i;
		}
		next = s->first_child[i];
		for (size_t up = i; next == SIZE_MAX && up != SIZE_MAX; up = t->rows[up].parent)
			next = s->next_sibling[up];
		i = next;
	}
	if (last != SIZE_MAX)
		t->rows[last].next = SIZE_MAX;
}

int tree_sort(struct tree *t, bool all)
{
	_cleanup_free_ struct rank *ranks = calloc(t->n_rows + 1, sizeof(*ranks));
	_cleanup_free_ size_t *first_child = calloc(t->n_rows + 1, sizeof(*first_child));
	_cleanup_free_ size_t *next_sibling = calloc(t->n_rows + 1, sizeof(*next_sibling));
	const struct sorter s = {t, ranks, first_child, next_sibling};

	if (!ranks || !first_child || !next_sibling)
		return -ENOMEM;
	if (t->n_rows == 0)
		return 0;
	find_parents(t);
	find_ranks(&s);
	for (size_t i = 0; i < t->n_rows; i++)
		first_child[i] = next_sibling[i] = SIZE_MAX;
	for (size_t i = 1; i < t->n_rows; i++)
		if (t->rows[i].parent != SIZE_MAX)
			insert_child(&s, t->rows[i].parent, i);
	link_rows(&s, all);
	return 0;
}
