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

#include <stdarg.h>
#include <string.h>
#include <syslog.h>

#include "config/basic.h"
#include "config/escape.h"
#include "messages.h"
#include "unit.h"

#define OP_OOM_FLAGS \
	(OP_OOM_MEMCG | OP_OOM_SYSRQ | OP_OOM_REMOTE | OP_OOM_PATH_CUT | OP_OOM_DECLARED)

/* Orders of the page allocator stay below this on every architecture. */
#define ORDER_MAX 63

#define HAS_END(array) (memchr((array), '\0', sizeof(array)) != NULL)

static const char *const decision_names[] = {
	[OP_DECISION_KILLED] = "killed",   [OP_DECISION_NONE] = "no-opinion",
	[OP_DECISION_WAITING] = "waiting", [OP_DECISION_KERNEL] = "kernel",
	[OP_DECISION_NOBODY] = "nobody",
};
_Static_assert(ARRAY_SIZE(decision_names) == OP_DECISION_NOBODY + 1, "a name per decision");

/* The first is for a record of nobody's. */
static const char *const backend_names[] = {
	[OP_BACKEND_NONE] = NULL,
	[OP_BACKEND_STRUCT_OPS] = "struct_ops",
	[OP_BACKEND_EVALUATE_TASK] = "evaluate_task",
};

static const struct {
	const char *name;
	const char *sentence;
} reasons[] = {
	[OP_REASON_NONE] = {"none", "no reason was given"},
	[OP_REASON_NO_CANDIDATE] = {"no-candidate", "it has no task that may be killed"},
	[OP_REASON_ALL_PROTECTED] = {"all-protected",
				     "every task that could be killed is protected"},
	[OP_REASON_VICTIM_DYING] = {"victim-dying", "a victim is dying already"},
	[OP_REASON_NO_POLICY] = {"no-policy", "no policy answers for it"},
	[OP_REASON_DOMAIN_GONE] = {"domain-gone", "its cgroup is gone already"},
	[OP_REASON_VICTIM_GONE] = {"victim-gone", "the chosen task exited by itself"},
	[OP_REASON_KILL_FAILED] = {"kill-failed", "the kernel refused to kill the chosen task"},
	[OP_REASON_CONSTRAINT] = {"constraint", "only some memory nodes have run out"},
	[OP_REASON_NOT_UNIFIED] = {"not-unified", "its cgroup is of a version 1 hierarchy"},
	[OP_REASON_NOT_ASKED] = {"not-asked", "no policy was asked"},
	[OP_REASON_UNFINISHED] = {"unfinished", "its selection came to no end"},
};
_Static_assert(ARRAY_SIZE(reasons) == OP_REASON_UNFINISHED + 1, "a sentence per reason");

/* enum oom_constraint of include/linux/oom.h, and the words of its report. */
static const char *const constraint_names[] = {"none", "cpuset", "memory-policy", "memcg"};

static bool header_is_valid(const struct op_event_header *h, size_t size)
{
	return h->version == OP_ABI_VERSION && h->size == size && h->seq > 0;
}

static bool task_is_valid(const struct op_task *t)
{
	return HAS_END(t->comm) && t->oom_score_adj >= -1000 && t->oom_score_adj <= 1000;
}

int record_decode_oom(const void *data, size_t size, struct op_oom_event *ret)
{
	if (size != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, data, size);

	if (!header_is_valid(&ret->header, size) || ret->header.type != OP_EVENT_OOM)
		return -EBADMSG;
	if (ret->decision < OP_DECISION_KILLED || ret->decision > OP_DECISION_NOBODY ||
	    ret->reason >= ARRAY_SIZE(reasons) || (ret->flags & ~OP_OOM_FLAGS) ||
	    ret->constraint >= ARRAY_SIZE(constraint_names) || ret->order < -1 ||
	    ret->order > ORDER_MAX || ret->priority > OP_PRIORITY_MAX ||
	    (ret->kill != 0 && ret->kill != OP_RULE_KILL_PROCESS &&
	     ret->kill != OP_RULE_KILL_CGROUP))
		return -EBADMSG;
	if (ret->backend >= ARRAY_SIZE(backend_names))
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

int record_decode_member(const void *data, size_t size, struct op_member_event *ret)
{
	if (size != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, data, size);

	if (!header_is_valid(&ret->header, size) || ret->header.type != OP_EVENT_MEMBER ||
	    ret->task.pid == 0 || !task_is_valid(&ret->task) || !HAS_END(ret->path))
		return -EBADMSG;
	return 0;
}

int record_decode_cgroup(const void *data, size_t size, struct op_cgroup_event *ret)
{
	if (size != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, data, size);

	if (!header_is_valid(&ret->header, size) || !HAS_END(ret->path) || ret->id == 0)
		return -EBADMSG;
	switch (ret->header.type) {
	case OP_EVENT_CGROUP_MKDIR:
		return ret->path[0] == '/' ? 0 : -EBADMSG;
	case OP_EVENT_CGROUP_RMDIR:
		return 0;
	default:
		return -EBADMSG;
	}
}

uint32_t record_type(const void *data, size_t size)
{
	struct op_event_header header;

	if (size < sizeof(header))
		return 0;
	memcpy(&header, data, sizeof(header));
	return header.type;
}

bool record_cgroup_path_is_cut(const struct op_cgroup_event *e)
{
	return strlen(e->path) >= sizeof(e->path) - 1;
}

uint64_t record_count_lost(uint64_t last, uint64_t seq)
{
	return seq > last ? seq - last - 1 : 0;
}

/* Saturates, as no count in a record is trusted. */
static uint64_t pages_to_bytes(uint64_t pages, uint64_t page_size_bytes)
{
	uint64_t bytes;

	return __builtin_mul_overflow(pages, page_size_bytes, &bytes) ? UINT64_MAX : bytes;
}

/* --- members */

/* One word, escaped as in MESSAGE with spaces besides; "-" for none. */
static void format_word(const char *text, char *buf, size_t size)
{
	char escaped[ESCAPE_SIZE(OP_COMM_LEN)];
	size_t used = 0;

	escape_text(*text ? text : "-", OP_COMM_LEN, escaped, sizeof(escaped));
	for (const char *c = escaped; *c && used + sizeof("\\x20") <= size; c++)
		if (*c == ' ')
			used += (size_t)snprintf(buf + used, size - used, "\\x20");
		else
			buf[used++] = *c;
	buf[used] = '\0';
}

/* "pid comm rss_bytes cgroup". Returns the length, or 0 when it does not fit. */
static size_t format_member(const struct op_member_event *e, uint64_t page_size_bytes, char *buf,
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
		     (unsigned long long)pages_to_bytes(pages, page_size_bytes), path);
	return n < 0 || (size_t)n >= size ? 0 : (size_t)n;
}

void record_members_add(struct record_members *m, const struct op_member_event *e,
			uint64_t page_size_bytes)
{
	static const char name[] = "OOMPOLICY_MEMBER=";
	char line[16 + ESCAPE_SIZE(OP_COMM_LEN) + 24 + ESCAPE_SIZE(OP_PATH_LEN)];
	size_t length, place;
	bool begins;

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

static void append(struct record_text *t, const char *format, ...) _printf_(2, 3);

/* Appends to the field that is being written; an overflow is noticed in field_end(). */
static void append(struct record_text *t, const char *format, ...)
{
	size_t left = sizeof(t->buffer) - t->used;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(t->buffer + t->used, left, format, ap);
	va_end(ap);
	t->used += n < 0 ? left : (size_t)n;
	if (t->used > sizeof(t->buffer))
		t->used = sizeof(t->buffer);
}

static void append_escaped(struct record_text *t, const char *text, size_t size)
{
	size_t left = sizeof(t->buffer) - t->used;

	if (left == 0)
		return;
	escape_text(text, size, t->buffer + t->used, left);
	t->used += strlen(t->buffer + t->used);
}

/* Closes the field begun at @start. Its NUL stays in the buffer, so that it can be read as text. */
static void field_end(struct record_text *t, size_t start)
{
	if (t->used >= sizeof(t->buffer) || t->n_fields >= RECORD_FIELDS_MAX) {
		t->truncated = true;
		t->used = start;
		return;
	}
	t->fields[t->n_fields++] = (struct iovec){t->buffer + start, t->used - start};
	t->used++;
}

static void field(struct record_text *t, const char *format, ...) _printf_(2, 3);

static void field(struct record_text *t, const char *format, ...)
{
	size_t start = t->used, left = sizeof(t->buffer) - start;
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(t->buffer + start, left, format, ap);
	va_end(ap);
	t->used += n < 0 || (size_t)n >= left ? left : (size_t)n;
	field_end(t, start);
}

/* "comm (pid 1, /path", or less where less is known; the caller closes the bracket. */
static void append_task(struct record_text *t, const struct op_task *task, const char *path)
{
	if (task->comm[0])
		append_escaped(t, task->comm, sizeof(task->comm));
	else
		append(t, "a task");
	append(t, " (pid %u", task->pid);
	if (path[0]) {
		append(t, ", ");
		append_escaped(t, path, OP_PATH_LEN);
	}
}

/* Of an OOM that no policy was asked about only the victim was seen. */
static bool knows_domain(const struct op_oom_event *e)
{
	return e->reason != OP_REASON_NOT_ASKED;
}

static void append_domain(struct record_text *t, const struct op_oom_event *e)
{
	if (!knows_domain(e)) {
		append(t, "OOM: ");
		return;
	}
	if (e->flags & OP_OOM_DECLARED)
		append(t, "Declared ");
	append(t, e->flags & OP_OOM_SYSRQ ? "OOM by SysRq in " : "OOM in ");
	if (e->flags & OP_OOM_MEMCG && !e->domain_path[0])
		append(t, "cgroup %llu", (unsigned long long)e->domain_id);
	else if (e->flags & OP_OOM_MEMCG)
		append_escaped(t, e->domain_path, sizeof(e->domain_path));
	else
		append(t, "the system");
	if (e->flags & OP_OOM_DECLARED && e->declared[0]) {
		append(t, " (");
		append_escaped(t, e->declared, sizeof(e->declared));
		append(t, ")");
	}
	append(t, ": ");
}

/* ", priority 10 from /batch by rule batch": what a victim's place was. */
static void append_priority(struct record_text *t, const struct op_oom_event *e,
			    const struct record_context *context)
{
	append(t, ", priority %u", e->priority);
	if (e->source_id == 0) {
		append(t, " by default");
		return;
	}
	append(t, " from ");
	append_escaped(t, e->source_path, sizeof(e->source_path));
	if (context->rule_name) {
		append(t, " by rule ");
		append_escaped(t, context->rule_name, strlen(context->rule_name));
	}
}

static void append_kill(struct record_text *t, const struct op_oom_event *e,
			const struct record_context *context)
{
	append(t, "killed ");
	append_task(t, &e->victim, e->victim_path);
	append_priority(t, e, context);
	append(t, ")");
	if (e->n_members > 0) {
		append(t, " and %u more process%s", e->n_members, e->n_members == 1 ? "" : "es");
		if (e->source_path[0]) {
			append(t, " of ");
			append_escaped(t, e->source_path, sizeof(e->source_path));
		}
	}
}

static void append_waiting(struct record_text *t, const struct op_oom_event *e)
{
	append(t, "nobody killed, ");
	if (e->victim.pid == 0)
		append(t, "%s", reasons[e->reason].sentence);
	else {
		append_task(t, &e->victim, e->victim_path);
		append(t, ") is dying already");
	}
}

static void append_none(struct record_text *t, const struct op_oom_event *e)
{
	append(t, "left to the kernel, %s", reasons[e->reason].sentence);
	if (e->kill_error < 0)
		append(t, " (error %lld)", -(long long)e->kill_error);
	if (e->decision == OP_DECISION_NOBODY)
		append(t, "; it found nobody to kill");
	if (e->decision != OP_DECISION_KERNEL)
		return;
	append(t, "; it killed ");
	append_task(t, &e->victim, e->victim_path);
	append(t, ")");
}

static void format_message(struct record_text *t, const struct op_oom_event *e,
			   const struct record_context *context)
{
	size_t start = t->used;

	append(t, "MESSAGE=");
	append_domain(t, e);
	switch (e->decision) {
	case OP_DECISION_KILLED:
		append_kill(t, e, context);
		break;
	case OP_DECISION_WAITING:
		append_waiting(t, e);
		break;
	default:
		append_none(t, e);
		break;
	}
	if (e->trigger.pid) {
		append(t, ", triggered by ");
		append_task(t, &e->trigger, e->trigger_path);
		append(t, ")");
	}
	field_end(t, start);
	if (t->n_fields > 0)
		t->message = t->buffer + start + strlen("MESSAGE=");
}

static void format_task(struct record_text *t, const char *who, const struct op_task *task,
			const char *path, uint64_t page_size_bytes)
{
	char unit[UNIT_NAME_SIZE], user_unit[UNIT_NAME_SIZE];

	if (task->pid == 0)
		return;
	field(t, "OOMPOLICY_%s_PID=%u", who, task->pid);
	if (task->tid == 0) /* nothing but its pid was looked at */
		return;
	field(t, "OOMPOLICY_%s_TID=%u", who, task->tid);
	field(t, "OOMPOLICY_%s_COMM=%s", who, task->comm);
	field(t, "OOMPOLICY_%s_UID=%u", who, task->uid);
	field(t, "OOMPOLICY_%s_CGROUP=%s", who, path);
	field(t, "OOMPOLICY_%s_CGROUP_ID=%llu", who, (unsigned long long)task->cgroup_id);
	unit_parse_cgroup(path, unit, user_unit);
	if (unit[0])
		field(t, "OOMPOLICY_%s_UNIT=%s", who, unit);
	if (user_unit[0])
		field(t, "OOMPOLICY_%s_USER_UNIT=%s", who, user_unit);
	field(t, "OOMPOLICY_%s_START_USEC=%llu", who,
	      (unsigned long long)task->start_boottime_nsec / 1000);
	field(t, "OOMPOLICY_%s_OOM_SCORE_ADJ=%d", who, task->oom_score_adj);

	const struct {
		const char *name;
		uint64_t bytes;
	} sizes[] = {
		{"ANON", pages_to_bytes(task->anon_pages, page_size_bytes)},
		{"FILE", pages_to_bytes(task->file_pages, page_size_bytes)},
		{"SHMEM", pages_to_bytes(task->shmem_pages, page_size_bytes)},
		{"SWAP", pages_to_bytes(task->swap_pages, page_size_bytes)},
		{"PGTABLES", task->pgtables_bytes},
	};
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		field(t, "OOMPOLICY_%s_%s_BYTES=%llu", who, sizes[i].name,
		      (unsigned long long)sizes[i].bytes);
}

/*
 * Makes `journalctl -u UNIT` of the victim show the record. It matches UNIT= only from PID 1, and
 * OBJECT_SYSTEMD_UNIT= from every sender with uid 0; journald fills the latter in from OBJECT_PID=
 * while the process lives, which a victim seldom still does.
 */
static void format_object(struct record_text *t, const struct op_oom_event *e)
{
	char unit[UNIT_NAME_SIZE], user_unit[UNIT_NAME_SIZE];

	if (e->victim.pid == 0)
		return;
	field(t, "OBJECT_PID=%u", e->victim.pid);
	unit_parse_cgroup(e->victim_path, unit, user_unit);
	if (user_unit[0]) {
		field(t, "USER_UNIT=%s", user_unit);
		field(t, "OBJECT_SYSTEMD_USER_UNIT=%s", user_unit);
	}
	if (unit[0]) {
		field(t, "UNIT=%s", unit);
		field(t, "OBJECT_SYSTEMD_UNIT=%s", unit);
	}
}

/* Whose the victim was, by the rules; not known where the kernel chose without a policy. */
static void format_priority(struct record_text *t, const struct op_oom_event *e,
			    const struct record_context *context)
{
	if (e->decision != OP_DECISION_KILLED &&
	    (e->decision != OP_DECISION_KERNEL || e->rule_index == OP_RULE_NONE))
		return;
	if (context->rule_name)
		field(t, "OOMPOLICY_RULE=%s", context->rule_name);
	field(t, "OOMPOLICY_EFFECTIVE_PRIORITY=%u", e->priority);
	field(t, "OOMPOLICY_PRIORITY_SOURCE=%s",
	      e->source_id == 0 ? "policy default" : e->source_path);
}

static void format_decision(struct record_text *t, const struct op_oom_event *e,
			    const struct record_context *context)
{
	if (e->policy[0])
		field(t, "OOMPOLICY_POLICY=%s", e->policy);
	if (backend_names[e->backend])
		field(t, "OOMPOLICY_BACKEND=%s", backend_names[e->backend]);
	field(t, "OOMPOLICY_DECISION=%s", decision_names[e->decision]);
	if (e->decision != OP_DECISION_KILLED)
		field(t, "OOMPOLICY_REASON=%s", reasons[e->reason].name);
	if (e->kill_error)
		field(t, "OOMPOLICY_KILL_ERROR=%d", e->kill_error);
	format_priority(t, e, context);
	if (e->decision == OP_DECISION_KILLED) {
		if (e->kill)
			field(t, "OOMPOLICY_KILL=%s",
			      e->kill == OP_RULE_KILL_CGROUP ? "cgroup" : "process");
		field(t, "OOMPOLICY_MEMBERS=%u", e->n_members);
	}
	field(t, "OOMPOLICY_CONFIG=%u", e->config);
}

/* What ran out, and what was asked for. */
static void format_domain(struct record_text *t, const struct op_oom_event *e)
{
	if (!knows_domain(e))
		return;
	field(t, "OOMPOLICY_DOMAIN=%s", e->domain_path);
	field(t, "OOMPOLICY_DOMAIN_ID=%llu", (unsigned long long)e->domain_id);
	field(t, "OOMPOLICY_DOMAIN_TYPE=%s", e->flags & OP_OOM_MEMCG ? "memcg" : "system");
	field(t, "OOMPOLICY_REMOTE=%d", !!(e->flags & OP_OOM_REMOTE));
	field(t, "OOMPOLICY_SYSRQ=%d", !!(e->flags & OP_OOM_SYSRQ));
	if (e->flags & OP_OOM_DECLARED)
		field(t, "OOMPOLICY_DECLARED=%s", e->declared);
	field(t, "OOMPOLICY_CONSTRAINT=%s", constraint_names[e->constraint]);
	field(t, "OOMPOLICY_GFP_MASK=0x%x", e->gfp_mask);
	field(t, "OOMPOLICY_ORDER=%d", e->order);
	field(t, "OOMPOLICY_TASKS=%u", e->nr_tasks);
	field(t, "OOMPOLICY_CGROUPS=%u", e->nr_cgroups);
	field(t, "OOMPOLICY_SELECT_NSEC=%llu", (unsigned long long)e->select_nsec);
	field(t, "OOMPOLICY_HANDLER_NSEC=%llu", (unsigned long long)e->handler_nsec);
}

static void format_number(struct record_text *t, const struct op_oom_event *e,
			  const struct record_context *context)
{
	field(t, "OOMPOLICY_KTIME_USEC=%llu", (unsigned long long)e->header.ktime_nsec / 1000);
	field(t, "OOMPOLICY_SEQ=%llu", (unsigned long long)e->header.seq);
	field(t, "OOMPOLICY_LOST=%llu", (unsigned long long)context->n_lost);
	field(t, "OOMPOLICY_SUPPRESSED=%u", e->suppressed);
	field(t, "OOMPOLICY_PATH_CUT=%d", !!(e->flags & OP_OOM_PATH_CUT));
}

/* Behind all others, where they do not count against RECORD_FIELDS_MAX. */
static void format_members(struct record_text *t, const struct op_oom_event *e,
			   const struct record_members *m)
{
	if (!m || m->ktime_nsec != e->header.ktime_nsec)
		return;
	memcpy(t->fields + t->n_fields, m->fields, m->n_fields * sizeof(m->fields[0]));
	t->n_fields += m->n_fields;
}

void record_format(const struct op_oom_event *e, const struct record_context *context,
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

	ret->n_fields = 0;
	ret->used = 0;
	ret->truncated = false;
	ret->message = "";
	ret->message_id = kinds[e->decision].message_id;
	ret->priority = kinds[e->decision].priority;

	format_message(ret, e, context);
	field(ret, "MESSAGE_ID=%s", ret->message_id);
	field(ret, "PRIORITY=%d", ret->priority);
	format_object(ret, e);
	format_decision(ret, e, context);
	format_domain(ret, e);
	format_number(ret, e, context);
	format_task(ret, "VICTIM", &e->victim, e->victim_path, context->page_size_bytes);
	format_task(ret, "TRIGGER", &e->trigger, e->trigger_path, context->page_size_bytes);
	format_members(ret, e, context->members);
}
