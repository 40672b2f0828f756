/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the program that tells who would die, of which two descriptors are all that is kept. Refuses
 * to know what the answer means.
 *
 * Invariant: of the policies' maps it has only those that nobody writes in BPF; everything else is
 * its own, as it runs beside the policies.
 */
#include "program-rank.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base.h"
#include "bpf/oompolicy.h"
#include "rank.skel.h"
#include "util/basic.h"

#define RANKED_SIZE (OP_RANK_MAX * sizeof(struct op_ranked))

struct program_rank {
	int program_fd;
	int ranked_fd; /* the map that the program fills */
};

static void rank_skeleton_freep(struct op_rank **skeleton)
{
	op_rank__destroy(*skeleton);
}

/* What only an OOM has a use for comes with the headers, and is not wanted. */
static int choose_maps(const struct base *b, struct op_rank *skeleton)
{
	struct bpf_map *const unused[] = {skeleton->maps.op_events, skeleton->maps.op_stats,
					  skeleton->maps.op_pending, skeleton->maps.op_repetitions};
	int r;

	r = bpf_map__reuse_fd(skeleton->maps.op_configs, b->shared[SHARED_CONFIGS]);
	if (r >= 0)
		r = bpf_map__reuse_fd(skeleton->maps.op_switch_map, b->shared[SHARED_SWITCH]);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(unused); i++)
		r = bpf_map__set_autocreate(unused[i], false);
	return r;
}

int program_rank_new(const struct base *b, struct program_rank **ret)
{
	_cleanup_(rank_skeleton_freep) struct op_rank *skeleton = NULL;
	_cleanup_(program_rank_freep) struct program_rank *k = NULL;
	struct op_switch self = {};
	int r;

	k = calloc(1, sizeof(*k));
	if (!k)
		return -ENOMEM;
	k->program_fd = k->ranked_fd = -EBADF;

	skeleton = op_rank__open();
	if (!skeleton)
		return -errno;
	skeleton->rodata->page_bytes = base_page_bytes();
	base_note_self(&self);
	skeleton->bss->daemon_tgid = self.daemon_tgid;
	skeleton->bss->daemon_start_ticks = self.daemon_start_ticks;
	r = choose_maps(b, skeleton);
	if (r >= 0)
		r = op_rank__load(skeleton);
	if (r < 0)
		return r;
	k->program_fd = fcntl(bpf_program__fd(skeleton->progs.op_rank), F_DUPFD_CLOEXEC, 3);
	if (k->program_fd < 0)
		return -errno;
	k->ranked_fd = fcntl(bpf_map__fd(skeleton->maps.op_ranked), F_DUPFD_CLOEXEC, 3);
	if (k->ranked_fd < 0)
		return -errno;
	*ret = TAKE_PTR(k);
	return 0;
}

struct program_rank *program_rank_free(struct program_rank *k)
{
	if (!k)
		return NULL;
	safe_close(k->ranked_fd);
	safe_close(k->program_fd);
	free(k);
	return NULL;
}

int program_rank_run(const struct program_rank *k, struct op_rank_run *run, struct op_ranked *ret)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .ctx_in = run, .ctx_size_in = sizeof(*run));
	void *ranked;
	int r;

	r = bpf_prog_test_run_opts(k->program_fd, &options);
	if (r < 0)
		return r;
	if (run->n_ranked > OP_RANK_MAX)
		return -EBADMSG;
	if (run->n_ranked == 0)
		return 0;
	/* An array map's elements lie side by side, as each is a multiple of 8 bytes. */
	ranked = mmap(NULL, RANKED_SIZE, PROT_READ, MAP_SHARED, k->ranked_fd, 0);
	if (ranked == MAP_FAILED)
		return -errno;
	memcpy(ret, ranked, run->n_ranked * sizeof(*ret));
	munmap(ranked, RANKED_SIZE);
	return 0;
}
