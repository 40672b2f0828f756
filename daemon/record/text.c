/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the words of MESSAGE: who died, why, and what to change. Names in them were chosen by
 * whoever runs processes here, and are escaped. Knows no field but by its end.
 *
 * Invariant: a message is one to three printable lines; without room it is left out as a whole.
 */
#include "text.h"

#include <stdarg.h>
#include <string.h>

#include "api/words.h"
#include "util/basic.h"
#include "util/escape.h"

uint64_t record_pages_to_bytes(uint64_t pages, uint64_t page_size_bytes)
{
	uint64_t bytes;

	return __builtin_mul_overflow(pages, page_size_bytes, &bytes) ? UINT64_MAX : bytes;
}

static void append_va(struct record_text *t, const char *format, va_list ap) _printf_(2, 0);

static void append_va(struct record_text *t, const char *format, va_list ap)
{
	size_t left = sizeof(t->buffer) - t->used;
	int n = vsnprintf(t->buffer + t->used, left, format, ap);

	t->used += n < 0 || (size_t)n >= left ? left : (size_t)n;
}

void record_append(struct record_text *t, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	append_va(t, format, ap);
	va_end(ap);
}

void record_append_escaped(struct record_text *t, const char *text, size_t size)
{
	size_t left = sizeof(t->buffer) - t->used;

	if (left == 0)
		return;
	escape_text(text, size, t->buffer + t->used, left);
	t->used += strlen(t->buffer + t->used);
}

void record_field_end(struct record_text *t, size_t start)
{
	if (t->used >= sizeof(t->buffer) || t->n_fields >= RECORD_FIELDS_MAX) {
		t->truncated = true;
		t->used = start;
		return;
	}
	t->fields[t->n_fields++] = (struct iovec){t->buffer + start, t->used - start};
	t->used++;
}

void record_field(struct record_text *t, enum field field, const char *format, ...)
{
	size_t start = t->used;
	va_list ap;

	record_append(t, "%s=", field_name(field));
	va_start(ap, format);
	append_va(t, format, ap);
	va_end(ap);
	record_field_end(t, start);
}

void record_plain_field(struct record_text *t, const char *format, ...)
{
	size_t start = t->used;
	va_list ap;

	va_start(ap, format);
	append_va(t, format, ap);
	va_end(ap);
	record_field_end(t, start);
}

void record_append_level_path(struct record_text *t, const struct op_oom_record *e, uint32_t level)
{
	size_t length = strnlen(e->domain_path, sizeof(e->domain_path));

	if (length == 0 || e->flags & OP_OOM_PATH_CUT) {
		record_append(t, "cgroup %llu", (unsigned long long)e->levels[level].cgroup_id);
		return;
	}
	for (; level > 0 && length > 0; level--)
		do
			length--;
		while (length > 0 && e->domain_path[length] != '/');
	if (length == 0)
		record_append(t, "/");
	else
		record_append_escaped(t, e->domain_path, length);
}

/* "comm (pid 1, /path", or less where less is known; the caller closes the bracket. */
static void append_task(struct record_text *t, const struct op_task *task, const char *path)
{
	if (task->comm[0])
		record_append_escaped(t, task->comm, sizeof(task->comm));
	else
		record_append(t, "a task");
	record_append(t, " (pid %u", task->pid);
	if (path[0]) {
		record_append(t, ", ");
		record_append_escaped(t, path, OP_PATH_LEN);
	}
}

bool record_knows_domain(const struct op_oom_record *e)
{
	return e->reason != OP_REASON_NOT_ASKED;
}

static void append_domain(struct record_text *t, const struct op_oom_record *e)
{
	if (!record_knows_domain(e)) {
		record_append(t, "OOM: ");
		return;
	}
	if (e->flags & OP_OOM_DECLARED)
		record_append(t, "Declared ");
	record_append(t, e->flags & OP_OOM_SYSRQ ? "OOM by SysRq in " : "OOM in ");
	if (e->flags & OP_OOM_MEMCG && !e->domain_path[0])
		record_append(t, "cgroup %llu", (unsigned long long)e->domain_id);
	else if (e->flags & OP_OOM_MEMCG)
		record_append_escaped(t, e->domain_path, sizeof(e->domain_path));
	else
		record_append(t, "the system");
	if (e->flags & OP_OOM_DECLARED && e->declared[0]) {
		record_append(t, " (");
		record_append_escaped(t, e->declared, sizeof(e->declared));
		record_append(t, ")");
	}
	record_append(t, ": ");
}

/* ", priority 10 from /batch by rule batch": what a victim's place was. */
static void append_priority(struct record_text *t, const struct op_oom_record *e,
			    const struct record_context *context)
{
	record_append(t, ", priority %u", e->priority);
	if (e->source_id == 0) {
		record_append(t, " by default");
		return;
	}
	record_append(t, " from ");
	record_append_escaped(t, e->source_path, sizeof(e->source_path));
	if (context->rule.name) {
		record_append(t, " by rule ");
		record_append_escaped(t, context->rule.name, strlen(context->rule.name));
	}
}

static void append_members(struct record_text *t, const struct op_oom_record *e)
{
	if (e->n_members == 0)
		return;
	record_append(t, " and %u more process%s", e->n_members, e->n_members == 1 ? "" : "es");
	if (e->kill != OP_RULE_KILL_CGROUP)
		record_append(t, " by memory.oom.group");
	else if (e->source_path[0]) {
		record_append(t, " of ");
		record_append_escaped(t, e->source_path, sizeof(e->source_path));
	}
}

static void append_kill(struct record_text *t, const struct op_oom_record *e,
			const struct record_context *context)
{
	record_append(t, "killed ");
	append_task(t, &e->victim, e->victim_path);
	append_priority(t, e, context);
	record_append(t, ")");
	append_members(t, e);
}

static void append_waiting(struct record_text *t, const struct op_oom_record *e)
{
	record_append(t, "nobody killed, ");
	if (e->victim.pid == 0)
		record_append(t, "%s", word_text(&words_reason, e->reason));
	else {
		append_task(t, &e->victim, e->victim_path);
		record_append(t, ") is dying already");
	}
}

static void append_none(struct record_text *t, const struct op_oom_record *e)
{
	record_append(t, "left to the kernel, %s", word_text(&words_reason, e->reason));
	if (e->kill_error < 0)
		record_append(t, " (error %lld)", -(long long)e->kill_error);
	if (e->decision == OP_DECISION_NOBODY)
		record_append(t, "; it found nobody to kill");
	if (e->decision != OP_DECISION_KERNEL)
		return;
	record_append(t, "; it killed ");
	append_task(t, &e->victim, e->victim_path);
	record_append(t, ")");
	append_members(t, e);
}

/* Whether a limit was hit, and so which. */
static bool knows_limit(const struct op_oom_record *e)
{
	return e->flags & OP_OOM_MEMCG && !(e->flags & OP_OOM_DECLARED) && e->n_levels > 0 &&
	       e->levels[0].max_pages != OP_PAGES_UNLIMITED;
}

static void append_size(struct record_text *t, uint64_t pages, uint64_t page_size_bytes)
{
	static const char units[] = "BKMGTPE";
	uint64_t bytes = record_pages_to_bytes(pages, page_size_bytes), unit_bytes = 1;
	size_t unit = 0;

	while (bytes / unit_bytes >= 1024) {
		unit_bytes *= 1024;
		unit++;
	}
	record_append(t, "%llu.%llu%c", (unsigned long long)(bytes / unit_bytes),
		      (unsigned long long)(bytes % unit_bytes * 10 / unit_bytes), units[unit]);
}

/* The first that could have died instead, or NULL. */
static const struct op_runner *find_next(const struct op_oom_record *e)
{
	for (uint32_t i = 0; i < e->n_runners; i++) {
		const struct op_runner *r = &e->runners[i];

		if ((r->reason == OP_RUNNER_PRIORITY || r->reason == OP_RUNNER_PREFERENCE) &&
		    r->pid != e->victim.pid)
			return r;
	}
	return NULL;
}

static void append_next(struct record_text *t, const struct op_oom_record *e,
			const struct record_context *context)
{
	const struct op_runner *r = find_next(e);
	const char *rule;

	if (!r) {
		record_append(t, e->nr_tasks == 1 ? "It was the only process there."
						  : "No other was found that could be killed.");
		return;
	}
	rule = context->runner_rules[r - e->runners];
	record_append(t, "Next would have been ");
	if (r->comm[0])
		record_append_escaped(t, r->comm, sizeof(r->comm));
	else
		record_append(t, "a process");
	record_append(t, " (pid %u, ", r->pid);
	record_append_escaped(t, r->path, sizeof(r->path));
	record_append(t, ", priority %u", r->priority);
	if (rule) {
		record_append(t, " by rule ");
		record_append_escaped(t, rule, strlen(rule));
	}
	record_append(t, ", ");
	append_size(t, r->size_pages, context->page_size_bytes);
	record_append(t, "), %s.",
		      r->reason == OP_RUNNER_PRIORITY ? "whose priority is higher"
						      : "of the same priority");
}

/* Why: the limit that was hit, and whom the victim was preferred to. */
static void append_why(struct record_text *t, const struct op_oom_record *e,
		       const struct record_context *context)
{
	bool killed = e->decision == OP_DECISION_KILLED;

	if (!knows_limit(e) && !killed)
		return;
	record_append(t, "\n");
	if (knows_limit(e)) {
		record_append(t, "The limit is memory.max=");
		append_size(t, e->levels[0].max_pages, context->page_size_bytes);
		record_append(t, " of ");
		record_append_level_path(t, e, 0);
		record_append(t, ", with ");
		append_size(t, e->levels[0].usage_pages, context->page_size_bytes);
		record_append(t, " in use.");
	}
	if (killed) {
		record_append(t, knows_limit(e) ? " " : "");
		append_next(t, e, context);
	}
}

/* What gives the domain more memory: of a cgroup that systemd has made, its setting. */
static void append_remedy(struct record_text *t, const struct op_oom_record *e)
{
	static const char *const suffixes[] = {".slice", ".service", ".scope"};
	const char *slash = strrchr(e->domain_path, '/'), *dot = strrchr(e->domain_path, '.');
	bool is_unit = false;

	if (!knows_limit(e))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes) && slash && dot > slash; i++)
		is_unit |= strcmp(dot, suffixes[i]) == 0;
	record_append(t, " To have none die: ");
	if (is_unit) {
		record_append(t, "MemoryMax= of ");
		record_append_escaped(t, slash + 1, strlen(slash + 1));
		record_append(t, ".");
	} else
		record_append(t, "its memory.max.");
}

static void append_change(struct record_text *t, const struct op_oom_record *e,
			  const struct record_context *context)
{
	if (e->decision == OP_DECISION_KILLED) {
		record_append(t, "\nTo have another die: ");
		if (context->rule.name) {
			record_append(t, "Priority= of [Rule ");
			record_append_escaped(t, context->rule.name, strlen(context->rule.name));
			record_append(t, "]");
			if (context->rule.file) {
				record_append(t, ", ");
				record_append_escaped(t, context->rule.file,
						      strlen(context->rule.file));
				record_append(t, ":%u", context->rule.line);
			}
		} else
			record_append(t, "a [Rule] with Priority= for its cgroup");
		record_append(t, ".");
		append_remedy(t, e);
	} else if (e->reason == OP_REASON_ALL_PROTECTED)
		record_append(t,
			      "\nTo have the policy choose: Protect=no for some of its cgroups.");
	else if (e->reason == OP_REASON_NO_POLICY)
		record_append(t, "\nTo have a policy choose: Cgroup= and Scope= of a [Policy].");
}

static void message_end(struct record_text *t, size_t start)
{
	record_field_end(t, start);
	if (t->n_fields > 0)
		t->message = t->buffer + start + strlen("MESSAGE=");
}

static void append_span(struct record_text *t, uint64_t usec)
{
	if (usec < 1000)
		record_append(t, "%llu us", (unsigned long long)usec);
	else if (usec < 1000000)
		record_append(t, "%llu ms", (unsigned long long)(usec / 1000));
	else
		record_append(t, "%llu.%llu s", (unsigned long long)(usec / 1000000),
			      (unsigned long long)(usec / 100000 % 10));
}

void record_append_freed_message(struct record_text *t, const struct op_freed_record *e,
				 uint64_t page_size_bytes)
{
	size_t start = t->used;

	record_append(t, "MESSAGE=The memory of ");
	record_append_escaped(t, e->comm[0] ? e->comm : "a process", sizeof(e->comm));
	record_append(t, " (pid %u) was back ", e->pid);
	append_span(t, (e->header.ktime_nsec - e->killed_nsec) / 1000);
	record_append(t, " after it was killed");
	if (e->by == OP_FREED_REAPER) {
		record_append(t, ", by the kernel's OOM reaper: the process is still there, with ");
		append_size(t, e->left_pages, page_size_bytes);
	}
	record_append(t, ".");
	message_end(t, start);
}

void record_append_message(struct record_text *t, const struct op_oom_record *e,
			   const struct record_context *context)
{
	size_t start = t->used;

	record_append(t, "MESSAGE=");
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
		record_append(t, ", triggered by ");
		append_task(t, &e->trigger, e->trigger_path);
		record_append(t, ")");
	}
	append_why(t, e, context);
	append_change(t, e, context);
	message_end(t, start);
}
