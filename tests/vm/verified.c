/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verified: what the kernel's verifier has to look at for each BPF program of the daemon: a line
 * with the name, the number of instructions, and of states, which is what a loop multiplies. The
 * kernel tells the second in its log alone, so all are loaded here once more.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bpf/oompolicy.h"
#include "cgroups.skel.h"
#include "declare.skel.h"
#include "evaluate.skel.h"
#include "freed.skel.h"
#include "links.skel.h"
#include "policy.skel.h"
#include "rank.skel.h"
#include "victims.skel.h"

/* BPF_LOG_STATS of include/linux/bpf_verifier.h */
#define LOG_STATS 4

#define PROGRAMS_MAX 8

static char logs[PROGRAMS_MAX][4096];

static int print_stats(const char *name, const char *log)
{
	/* Since 7.2 there is a line "insns processed" before it. */
	const char *line = strstr(log, "\nprocessed ");
	unsigned insns, states;

	if (!line ||
	    sscanf(line, " processed %u insns %*[^)]) max_states_per_insn %*u total_states %u",
		   &insns, &states) != 2) {
		fprintf(stderr, "verified: nothing is said of %s: %s\n", name, log);
		return 1;
	}
	printf("%s %u %u\n", name, insns, states);
	return 0;
}

static int look(struct bpf_object *object)
{
	struct bpf_program *program;
	int n = 0, status = 0, r;

	if (!object) {
		fprintf(stderr, "verified: cannot open: %s\n", strerror(errno));
		return 1;
	}
	bpf_object__for_each_program(program, object)
	{
		if (n == PROGRAMS_MAX)
			return 1;
		bpf_program__set_log_level(program, LOG_STATS);
		bpf_program__set_log_buf(program, logs[n++], sizeof(logs[0]));
	}
	r = bpf_object__load(object);
	if (r < 0) {
		fprintf(stderr, "verified: cannot load %s: %s\n", bpf_object__name(object),
			strerror(-r));
		return 1;
	}
	n = 0;
	bpf_object__for_each_program(program, object) status |=
		print_stats(bpf_program__name(program), logs[n++]);
	return status;
}

/* Opened as the daemon does it, which says so where it does more. */
#define LOOK(name)                                                \
	({                                                        \
		struct op_##name *skeleton = op_##name##__open(); \
		int r_ = look(skeleton ? skeleton->obj : NULL);   \
		op_##name##__destroy(skeleton);                   \
		r_;                                               \
	})

int main(void)
{
	struct op_policy *policy = op_policy__open();
	int status;

	/* Of the recorder the verifier looks at less: a part of it comes to nothing there. */
	if (policy)
		policy->rodata->slot = OP_SLOT_RECORDER + 1;
	status = look(policy ? policy->obj : NULL);
	op_policy__destroy(policy);
	status |= LOOK(evaluate);
	status |= LOOK(victims);
	status |= LOOK(freed);
	status |= LOOK(cgroups);
	status |= LOOK(declare);
	status |= LOOK(rank);
	status |= LOOK(links);
	return status;
}
