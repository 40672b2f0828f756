/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ring buffer bytes: whatever they are, they are refused or can be formatted. The header, and the
 * ends of the strings, are mended in a second try, as chance alone would hardly make them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct op_oom_event oom;
static struct record_text text;

static void format(const struct op_oom_event *e)
{
	const struct record_context context = {
		.rule_name = e->rule_index & 1 ? "rule\n\"name\"" : NULL,
		.n_lost = record_count_lost(e->source_id, e->header.seq),
		.page_size_bytes = 4096,
	};
	const char *message;

	record_format(e, &context, &text);
	message = text.message;

	if (text.truncated || text.n_fields < 3 || !message)
		abort();
	for (size_t i = 0; message[i]; i++)
		if ((unsigned char)message[i] < ' ' || message[i] == 0x7f)
			abort();
	/* A field without a name would be dropped by the journal with the whole entry. */
	for (size_t i = 0; i < text.n_fields; i++) {
		const char *field = text.fields[i].iov_base;
		const char *equals = memchr(field, '=', text.fields[i].iov_len);

		if (!equals || equals == field || *field < 'A' || *field > 'Z')
			abort();
	}
}

static void mend(struct op_oom_event *e)
{
	e->header.version = OP_ABI_VERSION;
	e->header.type = OP_EVENT_OOM;
	e->header.size = sizeof(*e);
	e->header.seq |= 1;
	e->decision = 1 + e->decision % 3;
	e->reason %= OP_REASON_NOT_UNIFIED + 1;
	e->flags %= 16;
	e->order = (int)((unsigned)e->order % 64) - 1;
	e->constraint %= 4;
	e->priority %= OP_PRIORITY_MAX + 1;
	e->victim.pid |= e->decision == OP_DECISION_KILLED;
	e->trigger.oom_score_adj %= 1001;
	e->victim.oom_score_adj %= 1001;
	e->trigger.comm[sizeof(e->trigger.comm) - 1] = '\0';
	e->victim.comm[sizeof(e->victim.comm) - 1] = '\0';
	e->policy[sizeof(e->policy) - 1] = '\0';
	e->domain_path[sizeof(e->domain_path) - 1] = '\0';
	e->trigger_path[sizeof(e->trigger_path) - 1] = '\0';
	e->victim_path[sizeof(e->victim_path) - 1] = '\0';
	e->source_path[sizeof(e->source_path) - 1] = '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct op_cgroup_event cgroup;
	struct op_oom_event mended = {};

	if (record_decode_cgroup(data, size, &cgroup) == 0)
		(void)record_cgroup_path_is_cut(&cgroup);
	if (record_decode_oom(data, size, &oom) == 0)
		format(&oom);

	memcpy(&mended, data, size < sizeof(mended) ? size : sizeof(mended));
	mend(&mended);
	if (record_decode_oom(&mended, sizeof(mended), &oom) < 0)
		abort();
	format(&oom);
	return 0;
}
