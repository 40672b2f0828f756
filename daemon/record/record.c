/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a record says, to people and to programs. The bytes come from the kernel, but names and
 * paths in them were chosen by whoever runs processes here: they are escaped in MESSAGE, and raw in
 * fields of their own, where nothing can be forged by them.
 *
 * Owns the field names. Invariant: what record_decode_*() let through can be read without another
 * check: strings end inside their arrays, enums are known, flags are known.
 */
#include "record.h"

#include <assert.h>
#include <string.h>
#include <syslog.h>

#include "api/fields.h"
#include "api/messages.h"
#include "api/words.h"
#include "gfp.h"
#include "text.h"
#include "unit.h"
#include "util/basic.h"
#include "util/escape.h"

#define OP_OOM_FLAGS \
	(OP_OOM_MEMCG | OP_OOM_SYSRQ | OP_OOM_REMOTE | OP_OOM_PATH_CUT | OP_OOM_DECLARED)

/* The longest name of a rule, CONFIG_RULE_NAME_MAX, with the NUL; that of a process is shorter. */
#define WORD_LEN 256

#define HAS_END(array) (memchr((array), '\0', sizeof(array)) != NULL)

static bool header_is_valid(const struct op_record_header *h, size_t size)
{
	return h->version == OP_ABI_VERSION && h->size == size && h->seq > 0;
}

static bool task_is_valid(const struct op_task *t)
{
	return HAS_END(t->comm) && t->oom_score_adj >= -1000 && t->oom_score_adj <= 1000;
}

static bool runner_is_valid(const struct op_runner *r)
{
	return r->pid > 0 && r->priority <= OP_PRIORITY_MAX && r->reason > 0 &&
	       r->reason < words_runner.n && r->oom_score_adj >= -1000 &&
	       r->oom_score_adj <= 1000 && HAS_END(r->comm) && HAS_END(r->path);
}

int record_decode_oom(const void *data, size_t size, struct op_oom_record *ret)
{
	if (size < OP_OOM_RECORD_SIZE(0) || size > sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, data, size);

	if (!header_is_valid(&ret->header, size) || ret->header.type != OP_RECORD_OOM ||
	    ret->n_runners > OP_RUNNERS_MAX || ret->n_levels > OP_LEVELS_MAX ||
	    size != OP_OOM_RECORD_SIZE(ret->n_runners))
		return -EBADMSG;
	for (uint32_t i = 0; i < ret->n_runners; i++)
		if (!runner_is_valid(&ret->runners[i]))
			return -EBADMSG;
	if (ret->decision < OP_DECISION_KILLED || ret->decision > OP_DECISION_NOBODY ||
	    ret->reason >= words_reason.n || (ret->flags & ~OP_OOM_FLAGS) ||
	    ret->priority > OP_PRIORITY_MAX ||
	    (ret->kill != 0 && ret->kill != OP_RULE_KILL_PROCESS &&
	     ret->kill != OP_RULE_KILL_CGROUP))
		return -EBADMSG;
	if (ret->backend >= words_backend.n)
		return -EBADMSG;
	if ((ret->decision == OP_DECISION_KILLED || ret->decision == OP_DECISION_KERNEL) &&
	    ret->victim.pid == 0)
		return -EBADMSG;
	if (!task_is_valid(&ret->trigger) || !task_is_valid(&ret->victim))
		return -EBADMSG;
	if (!HAS_END(ret->policy) || !HAS_END(ret->declared) || !HAS_END(ret->domain_path) ||
	    !HAS_END(ret->trigger_path) || !HAS_END(ret->victim_path) || !HAS_END(ret->source_path))
		return -EBADMSG;
	return 0;
}

int record_decode_member(const void *data, size_t size, struct op_member_record *ret)
{
	if (size != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, data, size);

	if (!header_is_valid(&ret->header, size) || ret->header.type != OP_RECORD_MEMBER ||
	    ret->task.pid == 0 || !task_is_valid(&ret->task) || !HAS_END(ret->path))
		return -EBADMSG;
	return 0;
}

int record_decode_freed(const void *data, size_t size, struct op_freed_record *ret)
{
	if (size != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, data, size);

	if (!header_is_valid(&ret->header, size) || ret->header.type != OP_RECORD_FREED ||
	    ret->pid == 0 || !HAS_END(ret->comm) || ret->by == 0 || ret->by >= words_freed.n ||
	    ret->header.ktime_nsec < ret->killed_nsec)
		return -EBADMSG;
	return 0;
}

int record_decode_cgroup(const void *data, size_t size, struct op_cgroup_record *ret)
{
	if (size != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, data, size);

	if (!header_is_valid(&ret->header, size) || !HAS_END(ret->path) || ret->id == 0)
		return -EBADMSG;
	switch (ret->header.type) {
	case OP_RECORD_CGROUP_MKDIR:
		return ret->path[0] == '/' ? 0 : -EBADMSG;
	case OP_RECORD_CGROUP_RMDIR:
		return 0;
	default:
		return -EBADMSG;
	}
}

uint32_t record_type(const void *data, size_t size)
{
	struct op_record_header header;

	if (size < sizeof(header))
		return 0;
	memcpy(&header, data, sizeof(header));
	return header.type;
}

bool record_cgroup_path_is_cut(const struct op_cgroup_record *e)
{
	return strlen(e->path) >= sizeof(e->path) - 1;
}

uint64_t record_count_lost(uint64_t last, uint64_t seq)
{
	return seq > last ? seq - last - 1 : 0;
}

/* --- members */

/* One word, escaped as in MESSAGE with spaces besides; "-" for none. @text is at most WORD_LEN
 * long.
 */
static void format_word(const char *text, char *buf, size_t size)
{
	char escaped[ESCAPE_SIZE(WORD_LEN)];
	size_t used = 0;

	escape_text(text && *text ? text : "-", WORD_LEN, escaped, sizeof(escaped));
	for (const char *c = escaped; *c && used + sizeof("\\x20") <= size; c++)
		if (*c == ' ')
			used += (size_t)snprintf(buf + used, size - used, "\\x20");
		else
			buf[used++] = *c;
	buf[used] = '\0';
}

/* "pid comm rss_bytes cgroup". Returns the length, or 0 when it does not fit. */
static size_t format_member(const struct op_member_record *e, uint64_t page_size_bytes, char *buf,
			    size_t size)
{
	char comm[ESCAPE_SIZE(OP_COMM_LEN)], path[ESCAPE_SIZE(OP_PATH_LEN)];
	uint64_t pages;
	int n;

	format_word(e->task.comm, comm, sizeof(comm));
	escape_text(e->path, sizeof(e->path), path, sizeof(path));
	if (__builtin_add_overflow(e->task.anon_pages, e->task.file_pages, &pages) ||
	    __builtin_add_overflow(pages, e->task.shmem_pages, &pages))
		pages = UINT64_MAX;
	n = snprintf(buf, size, "%u %s %llu %s", e->task.pid, comm,
		     (unsigned long long)record_pages_to_bytes(pages, page_size_bytes), path);
	return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

void record_members_add(struct record_members *m, const struct op_member_record *e,
			uint64_t page_size_bytes)
{
	char name[FIELD_NAME_SIZE],
		line[16 + ESCAPE_SIZE(OP_COMM_LEN) + 24 + ESCAPE_SIZE(OP_PATH_LEN)];
	size_t length, place;
	bool begins;

	snprintf(name, sizeof(name), "%s=", field_name(FIELD_MEMBER));
	if (m->ktime_nsec != e->header.ktime_nsec) {
		m->n_members = m->n_fields = m->used = 0;
		m->ktime_nsec = e->header.ktime_nsec;
	}
	length = format_member(e, page_size_bytes, line, sizeof(line));
	if (m->n_members >= RECORD_MEMBERS_MAX || length == 0 ||
	    m->used + strlen(name) + length > sizeof(m->buffer))
		return;

	place = m->n_members - RECORD_MEMBER_SINGLES;
	begins = m->n_members < RECORD_MEMBER_SINGLES || place % RECORD_MEMBER_LINES == 0;
	if (begins) {
		m->fields[m->n_fields++] = (struct iovec){m->buffer + m->used, 0};
		memcpy(m->buffer + m->used, name, strlen(name));
		m->used += strlen(name);
	} else
		m->buffer[m->used++] = '\n';
	memcpy(m->buffer + m->used, line, length);
	m->used += length;
	m->fields[m->n_fields - 1].iov_len =
		(size_t)(m->buffer + m->used - (char *)m->fields[m->n_fields - 1].iov_base);
	m->n_members++;
}

/* --- formatting */

/* @first: FIELD_VICTIM_PID or FIELD_TRIGGER_PID. */
static void format_task(struct record_text *t, enum field first, const struct op_task *task,
			const char *path, uint64_t page_size_bytes)
{
	char unit[UNIT_NAME_SIZE], user_unit[UNIT_NAME_SIZE];

	if (task->pid == 0)
		return;
	record_field(t, FIELD_OF_TASK(first, PID), "%u", task->pid);
	if (task->tid == 0) /* nothing but its pid was looked at */
		return;
	record_field(t, FIELD_OF_TASK(first, TID), "%u", task->tid);
	record_field(t, FIELD_OF_TASK(first, COMM), "%s", task->comm);
	record_field(t, FIELD_OF_TASK(first, UID), "%u", task->uid);
	record_field(t, FIELD_OF_TASK(first, CGROUP), "%s", path);
	record_field(t, FIELD_OF_TASK(first, CGROUP_ID), "%llu",
		     (unsigned long long)task->cgroup_id);
	unit_parse_cgroup(path, unit, user_unit);
	if (unit[0])
		record_field(t, FIELD_OF_TASK(first, UNIT), "%s", unit);
	if (user_unit[0])
		record_field(t, FIELD_OF_TASK(first, USER_UNIT), "%s", user_unit);
	record_field(t, FIELD_OF_TASK(first, START_USEC), "%llu",
		     (unsigned long long)task->start_boottime_nsec / 1000);
	record_field(t, FIELD_OF_TASK(first, OOM_SCORE_ADJ), "%d", task->oom_score_adj);

	const struct {
		enum field field;
		uint64_t bytes;
	} sizes[] = {
		{FIELD_OF_TASK(first, ANON_BYTES),
		 record_pages_to_bytes(task->anon_pages, page_size_bytes)},
		{FIELD_OF_TASK(first, FILE_BYTES),
		 record_pages_to_bytes(task->file_pages, page_size_bytes)},
		{FIELD_OF_TASK(first, SHMEM_BYTES),
		 record_pages_to_bytes(task->shmem_pages, page_size_bytes)},
		{FIELD_OF_TASK(first, SWAP_BYTES),
		 record_pages_to_bytes(task->swap_pages, page_size_bytes)},
		{FIELD_OF_TASK(first, PGTABLES_BYTES), task->pgtables_bytes},
	};
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		record_field(t, sizes[i].field, "%llu", (unsigned long long)sizes[i].bytes);
}

/*
 * Makes `journalctl -u UNIT` of the victim show the record. It matches UNIT= only from PID 1, and
 * OBJECT_SYSTEMD_UNIT= from every sender with uid 0; journald fills the latter in from OBJECT_PID=
 * while the process lives, which a victim seldom still does.
 */
static void format_object(struct record_text *t, const struct op_oom_record *e)
{
	char unit[UNIT_NAME_SIZE], user_unit[UNIT_NAME_SIZE];

	if (e->victim.pid == 0)
		return;
	record_plain_field(t, "OBJECT_PID=%u", e->victim.pid);
	unit_parse_cgroup(e->victim_path, unit, user_unit);
	if (user_unit[0]) {
		record_plain_field(t, "USER_UNIT=%s", user_unit);
		record_plain_field(t, "OBJECT_SYSTEMD_USER_UNIT=%s", user_unit);
	}
	if (unit[0]) {
		record_plain_field(t, "UNIT=%s", unit);
		record_plain_field(t, "OBJECT_SYSTEMD_UNIT=%s", unit);
	}
}

/* Whose the victim was, by the rules; not known where the kernel chose without a policy. */
static void format_priority(struct record_text *t, const struct op_oom_record *e,
			    const struct record_context *context)
{
	if (e->decision != OP_DECISION_KILLED &&
	    (e->decision != OP_DECISION_KERNEL || e->rule_index == OP_RULE_NONE))
		return;
	if (context->rule.name)
		record_field(t, FIELD_RULE, "%s", context->rule.name);
	record_field(t, FIELD_EFFECTIVE_PRIORITY, "%u", e->priority);
	record_field(t, FIELD_PRIORITY_SOURCE, "%s",
		     e->source_id == 0 ? "policy default" : e->source_path);
}

static void format_decision(struct record_text *t, const struct op_oom_record *e,
			    const struct record_context *context)
{
	if (e->policy[0])
		record_field(t, FIELD_POLICY, "%s", e->policy);
	if (e->backend != OP_BACKEND_NONE)
		record_field(t, FIELD_BACKEND, "%s", word_get(&words_backend, e->backend));
	record_field(t, FIELD_DECISION, "%s", word_get(&words_decision, e->decision));
	if (e->decision != OP_DECISION_KILLED)
		record_field(t, FIELD_REASON, "%s", word_get(&words_reason, e->reason));
	if (e->kill_error)
		record_field(t, FIELD_KILL_ERROR, "%d", e->kill_error);
	format_priority(t, e, context);
	if (e->decision == OP_DECISION_KILLED && e->kill)
		record_field(t, FIELD_KILL, "%s",
			     word_get(&words_kill, e->kill == OP_RULE_KILL_CGROUP
							   ? API_KILL_CGROUP
							   : API_KILL_PROCESS));
	if (e->decision == OP_DECISION_KILLED || e->decision == OP_DECISION_KERNEL)
		record_field(t, FIELD_MEMBERS, "%u", e->n_members);
	record_field(t, FIELD_CONFIG, "%u", e->config);
}

/* What ran out, and what was asked for. */
static void format_domain(struct record_text *t, const struct op_oom_record *e,
			  const struct gfp_bits *gfp_bits)
{
	char flags[GFP_TEXT_SIZE];
	const char *constraint;

	if (!record_knows_domain(e))
		return;
	record_field(t, FIELD_DOMAIN, "%s", e->domain_path);
	record_field(t, FIELD_DOMAIN_ID, "%llu", (unsigned long long)e->domain_id);
	record_field(t, FIELD_DOMAIN_TYPE, "%s", e->flags & OP_OOM_MEMCG ? "memcg" : "system");
	record_field(t, FIELD_REMOTE, "%d", !!(e->flags & OP_OOM_REMOTE));
	record_field(t, FIELD_SYSRQ, "%d", !!(e->flags & OP_OOM_SYSRQ));
	if (e->flags & OP_OOM_DECLARED)
		record_field(t, FIELD_DECLARED, "%s", e->declared);
	constraint = word_get(&words_constraint, e->constraint);
	if (constraint)
		record_field(t, FIELD_CONSTRAINT, "%s", constraint);
	else
		record_field(t, FIELD_CONSTRAINT, "%u", e->constraint);
	record_field(t, FIELD_GFP_MASK, "0x%x", e->gfp_mask);
	if (gfp_bits && gfp_format(gfp_bits, e->gfp_mask, flags) == 0)
		record_field(t, FIELD_GFP_FLAGS, "%s", flags);
	record_field(t, FIELD_ORDER, "%d", e->order);
	record_field(t, FIELD_TASKS, "%u", e->nr_tasks);
	record_field(t, FIELD_CGROUPS, "%u", e->nr_cgroups);
	record_field(t, FIELD_SELECT_NSEC, "%llu", (unsigned long long)e->select_nsec);
	record_field(t, FIELD_HANDLER_NSEC, "%llu", (unsigned long long)e->handler_nsec);
}

static void format_number(struct record_text *t, const struct op_oom_record *e,
			  const struct record_context *context)
{
	record_field(t, FIELD_KTIME_USEC, "%llu", (unsigned long long)e->header.ktime_nsec / 1000);
	record_field(t, FIELD_SEQ, "%llu", (unsigned long long)e->header.seq);
	record_field(t, FIELD_LOST, "%llu", (unsigned long long)context->n_lost);
	record_field(t, FIELD_SUPPRESSED, "%u", e->suppressed);
	record_field(t, FIELD_PATH_CUT, "%d", !!(e->flags & OP_OOM_PATH_CUT));
}

static void append_limit(struct record_text *t, uint64_t pages, uint64_t page_size_bytes)
{
	if (pages == OP_PAGES_UNLIMITED)
		record_append(t, " max");
	else
		record_append(t, " %llu",
			      (unsigned long long)record_pages_to_bytes(pages, page_size_bytes));
}

/* A line for each cgroup: "current max high swap.current swap.max cgroup". The paths are those of
 * the domain and its ancestors; where they are not known there are ids. */
static void format_limits(struct record_text *t, const struct op_oom_record *e,
			  uint64_t page_size_bytes)
{
	size_t start = t->used;

	if (e->n_levels == 0)
		return;
	record_append(t, "%s=", field_name(FIELD_LIMITS));
	for (uint32_t i = 0; i < e->n_levels; i++) {
		const struct op_level *l = &e->levels[i];

		record_append(
			t, "%s%llu", i ? "\n" : "",
			(unsigned long long)record_pages_to_bytes(l->usage_pages, page_size_bytes));
		append_limit(t, l->max_pages, page_size_bytes);
		append_limit(t, l->high_pages, page_size_bytes);
		append_limit(t, l->swap_usage_pages, page_size_bytes);
		append_limit(t, l->swap_max_pages, page_size_bytes);
		record_append(t, " ");
		record_append_level_path(t, e, i);
	}
	record_field_end(t, start);
}

/* A line for each: "pid comm uid oom_score_adj priority rule size reason cgroup". The kernel may
 * have chosen one of them after all: it is not among them. */
static void format_runners(struct record_text *t, const struct op_oom_record *e,
			   const struct record_context *context)
{
	size_t start = t->used;
	bool first = true;

	record_append(t, "%s=", field_name(FIELD_RUNNERS_UP));
	for (uint32_t i = 0; i < e->n_runners; i++) {
		char comm[ESCAPE_SIZE(OP_COMM_LEN)], rule[ESCAPE_SIZE(WORD_LEN)];
		const struct op_runner *r = &e->runners[i];

		if (r->pid == e->victim.pid)
			continue;
		format_word(r->comm, comm, sizeof(comm));
		format_word(context->runner_rules[i], rule, sizeof(rule));
		record_append(t, "%s%u %s %u %d %u %s %llu %s ", first ? "" : "\n", r->pid, comm,
			      r->uid, r->oom_score_adj, r->priority, rule,
			      (unsigned long long)record_pages_to_bytes(r->size_pages,
									context->page_size_bytes),
			      word_get(&words_runner, r->reason));
		first = false;
		record_append_escaped(t, r->path, sizeof(r->path));
	}
	if (first)
		t->used = start;
	else
		record_field_end(t, start);
}

/* Behind all others, where they do not count against RECORD_FIELDS_MAX. */
static void format_members(struct record_text *t, const struct op_oom_record *e,
			   const struct record_members *m)
{
	if (!m || m->ktime_nsec != e->header.ktime_nsec)
		return;
	memcpy(t->fields + t->n_fields, m->fields, m->n_fields * sizeof(m->fields[0]));
	t->n_fields += m->n_fields;
}

static void text_begin(struct record_text *t, const char *message_id, int priority)
{
	t->n_fields = 0;
	t->used = 0;
	t->truncated = false;
	t->message = "";
	t->message_id = message_id;
	t->priority = priority;
}

static void format_kind(struct record_text *t)
{
	record_plain_field(t, "MESSAGE_ID=%s", t->message_id);
	record_plain_field(t, "PRIORITY=%d", t->priority);
}

void record_format(const struct op_oom_record *e, const struct record_context *context,
		   struct record_text *ret)
{
	static const struct {
		const char *message_id;
		int priority;
	} kinds[] = {
		[OP_DECISION_KILLED] = {MESSAGE_ID_KILL, LOG_WARNING},
		[OP_DECISION_NONE] = {MESSAGE_ID_NO_OPINION, LOG_WARNING},
		[OP_DECISION_WAITING] = {MESSAGE_ID_WAITING, LOG_NOTICE},
		[OP_DECISION_KERNEL] = {MESSAGE_ID_KERNEL_KILL, LOG_WARNING},
		[OP_DECISION_NOBODY] = {MESSAGE_ID_NOBODY, LOG_WARNING},
	};
	static_assert(ARRAY_SIZE(kinds) == OP_DECISION_NOBODY + 1, "a kind for each decision");

	text_begin(ret, kinds[e->decision].message_id, kinds[e->decision].priority);
	record_append_message(ret, e, context);
	format_kind(ret);
	format_object(ret, e);
	format_decision(ret, e, context);
	format_domain(ret, e, context->gfp_bits);
	format_limits(ret, e, context->page_size_bytes);
	format_number(ret, e, context);
	format_task(ret, FIELD_VICTIM_PID, &e->victim, e->victim_path, context->page_size_bytes);
	format_task(ret, FIELD_TRIGGER_PID, &e->trigger, e->trigger_path, context->page_size_bytes);
	format_runners(ret, e, context);
	format_members(ret, e, context->members);
}

void record_format_freed(const struct op_freed_record *e, uint64_t page_size_bytes,
			 struct record_text *ret)
{
	text_begin(ret, MESSAGE_ID_FREED, LOG_INFO);
	record_append_freed_message(ret, e, page_size_bytes);
	format_kind(ret);
	/* Those of its OOM's record, by which the two find each other. */
	record_field(ret, FIELD_SEQ, "%llu", (unsigned long long)e->header.seq);
	record_field(ret, FIELD_KTIME_USEC, "%llu", (unsigned long long)e->oom_ktime_nsec / 1000);
	record_field(ret, FIELD_VICTIM_PID, "%u", e->pid);
	record_field(ret, FIELD_VICTIM_COMM, "%s", e->comm);
	record_field(ret, FIELD_FREED_USEC, "%llu",
		     (unsigned long long)(e->header.ktime_nsec - e->killed_nsec) / 1000);
	record_field(ret, FIELD_FREED_BY, "%s", word_get(&words_freed, e->by));
	if (e->by == OP_FREED_REAPER)
		record_field(
			ret, FIELD_LEFT_BYTES, "%llu",
			(unsigned long long)record_pages_to_bytes(e->left_pages, page_size_bytes));
}
