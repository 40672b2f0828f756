// SPDX-License-Identifier: LGPL-2.1-or-later
#include "handlers.h"

#include <bpf/libbpf.h>

#include "handler.skel.h"
#include "util/basic.h"

int handler_attach(struct handler *h, pid_t pid, int result)
{
	struct bpf_link *link;
	int r;

	h->skeleton = op_handler__open();
	if (!h->skeleton)
		return -errno;
	h->skeleton->rodata->victim_pid = pid;
	h->skeleton->rodata->result = result;
	r = op_handler__load(h->skeleton);
	if (r < 0)
		return r;
	link = bpf_map__attach_struct_ops(h->skeleton->maps.test_ops);
	if (!link)
		return -errno;
	h->link = link;
	return 0;
}

uint64_t handler_count_calls(const struct handler *h)
{
	return h->skeleton ? h->skeleton->bss->calls : 0;
}

void handler_done(struct handler *h)
{
	bpf_link__destroy(h->link);
	h->link = NULL;
	op_handler__destroy(h->skeleton);
	h->skeleton = NULL;
}
