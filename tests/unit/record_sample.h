/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A record as the kernel side sends it, and the fields that are made of it. */
#ifndef OP_RECORD_SAMPLE_H
#define OP_RECORD_SAMPLE_H

#include "daemon/record/record.h"
#include "test.h"

/* What was formatted last. */
static struct record_text text;

static const struct record_context context = {
	.rule = {"low", "/etc/oompolicy.conf", 12},
	.runner_rules = {"low", NULL, "a b"},
	.n_lost = 0,
	.page_size_bytes = 4096,
};

/* A kill in a memcg, with every member set. */
static inline struct op_oom_record sample(void)
{
	struct op_oom_record e = {
		.header =
			{
				.version = OP_ABI_VERSION,
				.type = OP_RECORD_OOM,
				.size = OP_OOM_RECORD_SIZE(0),
				.seq = 7,
				.ktime_nsec = 5000999,
			},
		.decision = OP_DECISION_KILLED,
		.flags = OP_OOM_MEMCG,
		.order = 3,
		.gfp_mask = 0x140cca,
		.constraint = 3,
		.priority = 10,
		.rule_index = 1,
		.nr_tasks = 12,
		.nr_cgroups = 4,
		.config = 6,
		.kill = OP_RULE_KILL_PROCESS,
		.backend = OP_BACKEND_EVALUATE_TASK,
		.source_id = 300,
		.domain_id = 200,
		.select_nsec = 12345,
		.handler_nsec = 45678,
		.trigger = {.pid = 99, .tid = 100, .uid = 5, .oom_score_adj = -100, .comm = "db"},
		.victim =
			{
				.pid = 123,
				.tid = 123,
				.uid = 1000,
				.oom_score_adj = 500,
				.start_boottime_nsec = 7000001,
				.cgroup_id = 301,
				.anon_pages = 2,
				.file_pages = 3,
				.shmem_pages = 4,
				.swap_pages = 5,
				.pgtables_bytes = 8192,
				.comm = "hog",
			},
		.policy = "default",
		.domain_path = "/work.slice",
		.trigger_path = "/work.slice/db.service",
		.victim_path = "/work.slice/low.service/x",
		.source_path = "/work.slice/low.service",
	};

	return e;
}

/* The value of a field, NULL when there is none; fails when there are two. */
static inline const char *value(const char *name)
{
	static char buf[RECORD_BUFFER_SIZE];
	const char *found = NULL;

	for (size_t i = 0; i < text.n_fields; i++) {
		const char *field = text.fields[i].iov_base;
		size_t length = text.fields[i].iov_len, n = strlen(name);

		if (length <= n || memcmp(field, name, n) != 0 || field[n] != '=')
			continue;
		if (found)
			FAIL("%s is there twice", name);
		memcpy(buf, field + n + 1, length - n - 1);
		buf[length - n - 1] = '\0';
		found = buf;
	}
	return found;
}

#endif
