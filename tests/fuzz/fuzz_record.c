/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ring buffer bytes: whatever they are, they are refused or can be formatted. The header, and the
 * ends of the strings, are mended in a second try, as chance alone would hardly make them.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct op_oom_record oom;
static struct op_member_record member;
static struct op_freed_record freed;
static struct record_members members;
static struct record_text text;

/* The message is printable, and the fields are some that the journal takes. */
static void check_text(size_t lines_max)
{
	const char *message = text.message;
	size_t n_lines = 1;

	if (text.truncated || text.n_fields < 3 || !message)
		abort();
	for (size_t i = 0; message[i]; i++)
		if (message[i] == '\n')
			n_lines++;
		else if ((unsigned char)message[i] < ' ' || message[i] == 0x7f)
			abort();
	if (n_lines > lines_max)
		abort();
	/* A field without a name would be dropped by the journal with the whole entry. */
	for (size_t i = 0; i < text.n_fields; i++) {
		const char *field = text.fields[i].iov_base;
		const char *equals = memchr(field, '=', text.fields[i].iov_len);

		if (!equals || equals == field || *field < 'A' || *field > 'Z')
			abort();
	}
}

static void format(const struct op_oom_record *e)
{
	const struct record_context context = {
		.rule = {e->rule_index & 1 ? "rule\n\"name\"" : NULL,
			 e->rule_index & 2 ? "/etc/\nx" : NULL, 1},
		.runner_rules = {"a b", NULL, "c\nd"},
		.n_lost = record_count_lost(e->source_id, e->header.seq),
		.page_size_bytes = 4096,
		.members = &members,
	};

	record_format(e, &context, &text);
	check_text(3);
}

static void mend(struct op_oom_record *e)
{
	e->header.version = OP_ABI_VERSION;
	e->header.type = OP_RECORD_OOM;
	e->n_levels %= OP_LEVELS_MAX + 1;
	e->n_runners %= OP_RUNNERS_MAX + 1;
	e->header.size = OP_OOM_RECORD_SIZE(e->n_runners);
	e->header.seq |= 1;
	e->decision = 1 + e->decision % OP_DECISION_NOBODY;
	e->reason %= OP_REASON_UNSEEN + 1;
	e->backend %= _OP_BACKEND_MAX;
	e->flags %= 2 * OP_OOM_DECLARED;
	e->priority %= OP_PRIORITY_MAX + 1;
	if (e->kill != OP_RULE_KILL_PROCESS && e->kill != OP_RULE_KILL_CGROUP)
		e->kill = 0;
	e->victim.pid |= e->decision == OP_DECISION_KILLED || e->decision == OP_DECISION_KERNEL;
	e->trigger.oom_score_adj %= 1001;
	e->victim.oom_score_adj %= 1001;
	e->trigger.comm[sizeof(e->trigger.comm) - 1] = '\0';
	e->victim.comm[sizeof(e->victim.comm) - 1] = '\0';
	for (uint32_t i = 0; i < e->n_runners; i++) {
		struct op_runner *r = &e->runners[i];

		r->pid |= 1;
		r->priority %= OP_PRIORITY_MAX + 1;
		r->reason = 1 + r->reason % OP_RUNNER_SPARED;
		r->oom_score_adj %= 1001;
		r->comm[sizeof(r->comm) - 1] = '\0';
		r->path[sizeof(r->path) - 1] = '\0';
	}
	e->policy[sizeof(e->policy) - 1] = '\0';
	e->declared[sizeof(e->declared) - 1] = '\0';
	e->domain_path[sizeof(e->domain_path) - 1] = '\0';
	e->trigger_path[sizeof(e->trigger_path) - 1] = '\0';
	e->victim_path[sizeof(e->victim_path) - 1] = '\0';
	e->source_path[sizeof(e->source_path) - 1] = '\0';
}

static void mend_member(struct op_member_record *e)
{
	e->header.version = OP_ABI_VERSION;
	e->header.type = OP_RECORD_MEMBER;
	e->header.size = sizeof(*e);
	e->header.seq |= 1;
	e->task.pid |= 1;
	e->task.oom_score_adj %= 1001;
	e->task.comm[sizeof(e->task.comm) - 1] = '\0';
	e->path[sizeof(e->path) - 1] = '\0';
}

/* A member from the first bytes, for the record that all of them make. */
static void add_members(const uint8_t *data, size_t size)
{
	struct op_member_record mended = {};

	memcpy(&mended, data, size < sizeof(mended) ? size : sizeof(mended));
	mend_member(&mended);
	if (record_decode_member(&mended, sizeof(mended), &member) < 0)
		abort();
	memset(&members, 0, offsetof(struct record_members, buffer));
	for (uint64_t i = 0; i <= mended.task.cgroup_id % (RECORD_MEMBER_SINGLES * 2); i++)
		record_members_add(&members, &member, 4096);
	for (size_t i = 0; i < members.n_fields; i++)
		if (members.fields[i].iov_len <= strlen("OOMPOLICY_MEMBER="))
			abort();
}

static void try_freed(const uint8_t *data, size_t size)
{
	struct op_freed_record e = {};

	if (record_decode_freed(data, size, &freed) == 0) {
		record_format_freed(&freed, 4096, &text);
		check_text(1);
	}
	memcpy(&e, data, size < sizeof(e) ? size : sizeof(e));
	e.header.version = OP_ABI_VERSION;
	e.header.type = OP_RECORD_FREED;
	e.header.size = sizeof(e);
	e.header.seq |= 1;
	e.header.ktime_nsec |= 1ULL << 63;
	e.killed_nsec >>= 1;
	e.pid |= 1;
	e.by = 1 + e.by % OP_FREED_REAPER;
	e.comm[sizeof(e.comm) - 1] = '\0';
	if (record_decode_freed(&e, sizeof(e), &freed) < 0)
		abort();
	record_format_freed(&freed, 4096, &text);
	check_text(1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct op_cgroup_record cgroup;
	struct op_oom_record mended = {};

	if (record_decode_cgroup(data, size, &cgroup) == 0)
		(void)record_cgroup_path_is_cut(&cgroup);
	if (record_decode_member(data, size, &member) == 0)
		record_members_add(&members, &member, 4096);
	if (record_decode_oom(data, size, &oom) == 0)
		format(&oom);

	try_freed(data, size);
	add_members(data, size);
	memcpy(&mended, data, size < sizeof(mended) ? size : sizeof(mended));
	mend(&mended);
	if (record_decode_oom(&mended, OP_OOM_RECORD_SIZE(mended.n_runners), &oom) < 0)
		abort();
	format(&oom);
	return 0;
}
