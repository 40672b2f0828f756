/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the order of a list that BPF has made. The selection itself is BPF's: priorities, points and
 * who may be chosen are taken as they are, and compared as op_evaluate_task() of bpf/search.bpf.h
 * compares them.
 */
#include "rank.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>

#include "daemon/cgroups/cgroup.h"
#include "util/basic.h"
#include "util/format.h"
#include "util/path.h"

/* PAGE_COUNTER_MAX of include/linux/page_counter.h: what "max" is to the kernel. */
#define LIMIT_MAX_PAGES ((uint64_t)INT64_MAX / PAGE_BYTES)
#define PAGE_BYTES ((uint64_t)sysconf(_SC_PAGESIZE))

/* OOM_SCORE_ADJ_MIN of include/uapi/linux/oom.h. */
#define SCORE_ADJ_MIN (-1000)

/* A cgroup that a process is in, or has its rule from. */
struct rank_path {
	uint64_t id;
	char *path;		 /* owned; NULL: not found */
	size_t oom_group_length; /* of the path of the group that memory.oom.group makes; 0: none */
};

/* --- how much memory there is */

/* A limit in pages, as memory.max and memory.swap.max have it. */
static int read_limit(const char *directory, const char *name, uint64_t *ret)
{
	char text[32], *end;
	unsigned long long bytes;
	int r;

	r = cgroup_read_file(directory, name, text, sizeof(text));
	if (r < 0)
		return r;
	if (strcmp(text, "max") == 0) {
		*ret = LIMIT_MAX_PAGES;
		return 0;
	}
	errno = 0;
	bytes = strtoull(text, &end, 10);
	if (errno > 0 || end == text || *end)
		return -EBADMSG;
	*ret = bytes / PAGE_BYTES;
	return 0;
}

int rank_acquire_total_pages(const char *cgroup_root, const char *domain, uint64_t *ret)
{
	_cleanup_free_ char *directory = NULL;
	uint64_t max, swap, total_swap;
	char swappiness[16];
	struct sysinfo info;
	struct stat st;
	int r;

	if (sysinfo(&info) < 0)
		return -errno;
	total_swap = (uint64_t)info.totalswap * info.mem_unit / PAGE_BYTES;
	if (strcmp(domain, "/") == 0) {
		*ret = (uint64_t)info.totalram * info.mem_unit / PAGE_BYTES + total_swap;
		return 0;
	}
	directory = format_string("%s%s", cgroup_root, domain);
	if (!directory)
		return -ENOMEM;
	r = read_limit(directory, "memory.max", &max);
	if (r == -ENOENT)
		return stat(directory, &st) < 0 ? -ENOENT : -ENODATA;
	if (r < 0)
		return r;
	/* mem_cgroup_get_max() of mm/memcontrol.c. */
	if (read_limit(directory, "memory.swap.max", &swap) < 0 ||
	    (cgroup_read_file("/proc/sys/vm", "swappiness", swappiness, sizeof(swappiness)) >= 0 &&
	     strcmp(swappiness, "0") == 0))
		swap = 0;
	max += swap < total_swap ? swap : total_swap;
	*ret = max > 0 ? max : 1;
	return 0;
}

/* --- the order */

static int compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_processes(const void *a, const void *b)
{
	const struct op_ranked *x = &((const struct rank_process *)a)->ranked;
	const struct op_ranked *y = &((const struct rank_process *)b)->ranked;
	bool x_never = x->never != OP_NEVER_NOT, y_never = y->never != OP_NEVER_NOT;

	if (x_never != y_never)
		return x_never ? 1 : -1;
	if (!x_never && x->priority != y->priority)
		return compare_numbers(x->priority, y->priority);
	if (x->points != y->points)
		return compare_numbers(y->points, x->points);
	return compare_numbers(x->found, y->found);
}

/* --- paths */

static int compare_paths(const void *a, const void *b)
{
	return compare_numbers(((const struct rank_path *)a)->id,
			       ((const struct rank_path *)b)->id);
}

static struct rank_path *find_path(const struct rank *r, uint64_t id)
{
	const struct rank_path key = {.id = id};

	return bsearch(&key, r->paths, r->n_paths, sizeof(*r->paths), compare_paths);
}

/* Makes an entry for each cgroup whose path is wanted. */
static int collect_ids(struct rank *r)
{
	size_t n = 0;

	r->paths = calloc(2 * r->n + 1, sizeof(*r->paths));
	if (!r->paths)
		return -ENOMEM;
	for (size_t i = 0; i < r->n; i++) {
		r->paths[n++].id = r->processes[i].ranked.cgroup_id;
		if (r->processes[i].ranked.source_id)
			r->paths[n++].id = r->processes[i].ranked.source_id;
	}
	qsort(r->paths, n, sizeof(*r->paths), compare_paths);
	for (size_t i = 0; i < n; i++)
		if (r->n_paths == 0 || r->paths[i].id != r->paths[r->n_paths - 1].id)
			r->paths[r->n_paths++] = r->paths[i];
	return 0;
}

enum group_state {
	GROUP_UNREAD,
	GROUP_NO,
	GROUP_YES,
};

struct finder {
	struct rank *rank;
	const char *cgroup_root;
	const char *domain; /* "" for the root */
	/* Of the current cgroup and those it is in, up to the domain, which is [0]. A parent comes
	 * before its children. */
	enum group_state groups[OP_DEPTH_MAX + 1];
};

/* The highest cgroup from the domain down that is a group (mem_cgroup_get_oom_group() of
 * mm/memcontrol.c). Returns the length of its path, 0 for none, or -ENOMEM. */
static ssize_t find_oom_group(struct finder *f, const char *path)
{
	size_t domain_length = strlen(f->domain), depth = path_depth(path + domain_length);

	for (size_t i = 0; i <= depth; i++) {
		size_t length = domain_length + path_prefix_length(path + domain_length, i);

		if (f->groups[i] == GROUP_UNREAD) {
			_cleanup_free_ char *directory = NULL;
			char text[16];

			directory = format_string("%s%.*s", f->cgroup_root, (int)length, path);
			if (!directory)
				return -ENOMEM;
			f->groups[i] = cgroup_read_file(directory, "memory.oom.group", text,
							sizeof(text)) >= 0 &&
						       strcmp(text, "1") == 0
					       ? GROUP_YES
					       : GROUP_NO;
		}
		if (f->groups[i] == GROUP_YES)
			return (ssize_t)length;
	}
	return 0;
}

static int visit_cgroup(const char *path, uint64_t id, void *userdata)
{
	struct finder *f = userdata;
	struct rank_path *found;
	size_t depth = path_depth(path);
	ssize_t length;

	if (depth > OP_DEPTH_MAX)
		return 0;
	f->groups[depth] = GROUP_UNREAD;
	found = find_path(f->rank, id);
	if (!found || found->path)
		return 0;
	found->path = format_string("%s%s", f->domain,
				    f->domain[0] && strcmp(path, "/") == 0 ? "" : path);
	if (!found->path)
		return -ENOMEM;
	length = find_oom_group(f, found->path);
	if (length < 0)
		return (int)length;
	found->oom_group_length = (size_t)length;
	return 0;
}

/* The cgroups that the domain is in: rules are inherited from there. */
static int find_ancestors(struct finder *f)
{
	size_t depth = path_depth(f->domain);

	for (size_t i = 0; i < depth; i++) {
		size_t length = path_prefix_length(f->domain, i);
		_cleanup_free_ char *directory = NULL;
		struct rank_path *found;
		struct stat st;

		directory = format_string("%s%.*s", f->cgroup_root, (int)length, f->domain);
		if (!directory)
			return -ENOMEM;
		if (stat(directory, &st) < 0)
			return -ENOENT;
		found = find_path(f->rank, st.st_ino);
		if (!found || found->path)
			continue;
		found->path = length > 0 ? strndup(f->domain, length) : strdup("/");
		if (!found->path)
			return -ENOMEM;
	}
	return 0;
}

static int find_paths(struct rank *r, const char *cgroup_root, const char *domain)
{
	struct finder f = {
		.rank = r,
		.cgroup_root = cgroup_root,
		.domain = strcmp(domain, "/") == 0 ? "" : domain,
	};
	_cleanup_free_ char *directory = NULL;
	int error;

	error = collect_ids(r);
	if (error == 0)
		error = find_ancestors(&f);
	if (error < 0)
		return error;
	directory = format_string("%s%s", cgroup_root, f.domain);
	if (!directory)
		return -ENOMEM;
	error = cgroup_walk(directory, visit_cgroup, &f);
	if (error < 0)
		return error;
	for (size_t i = 0; i < r->n; i++) {
		struct rank_process *p = &r->processes[i];
		const struct rank_path *cgroup = find_path(r, p->ranked.cgroup_id);
		const struct rank_path *source = find_path(r, p->ranked.source_id);

		p->cgroup = cgroup && cgroup->path ? cgroup->path : "";
		p->source = source && source->path ? source->path : "";
	}
	return 0;
}

/* --- who dies together */

static bool is_within(const char *path, const char *group, size_t length)
{
	if (length == 1) /* the root */
		return path[0] != '\0';
	return strncmp(path, group, length) == 0 && (path[length] == '/' || !path[length]);
}

/* What the death of @p takes along: the first bytes of a path, 0 for nothing more. */
static size_t find_group(const struct rank *r, const struct rank_process *p, uint32_t honoured,
			 const char **ret_path, enum api_group *ret)
{
	const struct rank_path *cgroup = find_path(r, p->ranked.cgroup_id);
	uint32_t kill = p->ranked.rule_flags & honoured;

	*ret = API_GROUP_NONE;
	*ret_path = p->source;
	if (kill & OP_RULE_KILL_CGROUP) {
		*ret = API_GROUP_KILL_CGROUP;
		return strlen(p->source);
	}
	if (kill & OP_RULE_KILL_PROCESS)
		return 0;
	if (!cgroup || !cgroup->oom_group_length)
		return 0;
	*ret = API_GROUP_OOM_GROUP;
	*ret_path = cgroup->path;
	return cgroup->oom_group_length;
}

/* Kill=cgroup goes by op_collect() of bpf/search.bpf.h, the kernel by oom_kill_memcg_member() of
 * mm/oom_kill.c, which asks no rule. */
static bool dies_along(const struct op_ranked *p, enum api_group group)
{
	if (p->never == OP_NEVER_NOT)
		return true;
	return group == API_GROUP_OOM_GROUP &&
	       (p->never == OP_NEVER_VFORK || p->never == OP_NEVER_SHARED ||
		(p->never == OP_NEVER_PROTECTED && p->pid != 1 &&
		 p->oom_score_adj != SCORE_ADJ_MIN));
}

/* Puts who dies along right after whom it dies with. */
static int gather_groups(struct rank *r, uint32_t honoured)
{
	struct rank_process *gathered = calloc(r->n + 1, sizeof(*gathered));
	_cleanup_free_ bool *taken = calloc(r->n + 1, sizeof(*taken));
	size_t n = 0;

	if (!gathered || !taken) {
		free(gathered);
		return -ENOMEM;
	}
	for (size_t i = 0; i < r->n; i++) {
		struct rank_process *leader = &gathered[n];
		const char *path;
		size_t length;

		if (taken[i])
			continue;
		/* It has died when a group that it belongs to does. */
		taken[i] = true;
		*leader = r->processes[i];
		n++;
		if (leader->ranked.never != OP_NEVER_NOT)
			continue;
		length = find_group(r, leader, honoured, &path, &leader->group);
		for (size_t j = 0; length > 0 && j < r->n; j++) {
			const struct rank_process *p = &r->processes[j];

			if (taken[j] || !is_within(p->cgroup, path, length) ||
			    !dies_along(&p->ranked, leader->group))
				continue;
			taken[j] = true;
			gathered[n] = *p;
			gathered[n].with_pid = leader->ranked.pid;
			gathered[n].group = leader->group;
			n++;
		}
	}
	free(r->processes);
	r->processes = gathered;
	return 0;
}

int rank_init(struct rank *r, const struct op_ranked *items, size_t n, const char *cgroup_root,
	      const char *domain, uint32_t honoured)
{
	int error;

	*r = (struct rank){.processes = calloc(n + 1, sizeof(*r->processes)), .n = n};
	if (!r->processes)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		r->processes[i].ranked = items[i];
	qsort(r->processes, n, sizeof(*r->processes), compare_processes);
	error = find_paths(r, cgroup_root, domain);
	if (error == 0)
		error = gather_groups(r, honoured);
	if (error < 0)
		rank_done(r);
	return error;
}

void rank_done(struct rank *r)
{
	for (size_t i = 0; i < r->n_paths; i++)
		free(r->paths[i].path);
	free(r->paths);
	free(r->processes);
	*r = (struct rank){};
}
