// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * intruder OBJECT STATE_FILE [no-link]: attaches all that is in a BPF object, as any other program
 * might, and makes STATE_FILE. It is attached until this program is told to end. With no-link a
 * struct_ops is attached as before there were links for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#define LINKS_MAX 8

static struct bpf_link *links[LINKS_MAX];
static int n_links;

static int keep(struct bpf_link *link)
{
	if (!link || n_links == LINKS_MAX)
		return link ? -E2BIG : -errno;
	links[n_links++] = link;
	return 0;
}

static int attach(const char *path, bool with_links)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;
	struct bpf_map *map;
	int r = 0;

	if (!object)
		return -errno;
	bpf_object__for_each_map(map, object)
	{
		if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS && !with_links)
			r = bpf_map__set_map_flags(map, 0);
	}
	if (r == 0)
		r = bpf_object__load(object);
	bpf_object__for_each_map(map, object)
	{
		if (r == 0 && bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS)
			r = keep(bpf_map__attach_struct_ops(map));
	}
	bpf_object__for_each_program(program, object)
	{
		if (r == 0 && bpf_program__type(program) == BPF_PROG_TYPE_TRACING)
			r = keep(bpf_program__attach(program));
	}
	return r;
}

int main(int argc, char **argv)
{
	bool with_links = argc == 3;
	int fd, r, signal_number;
	sigset_t end;

	if (argc < 3 || argc > 4 || (argc == 4 && strcmp(argv[3], "no-link") != 0)) {
		fprintf(stderr, "usage: intruder OBJECT STATE_FILE [no-link]\n");
		return 64;
	}
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigprocmask(SIG_BLOCK, &end, NULL);
	r = attach(argv[1], with_links);
	if (r < 0) {
		fprintf(stderr, "intruder: %s: %s\n", argv[1], strerror(-r));
		return 1;
	}
	fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0) {
		perror("intruder: open");
		return 1;
	}
	close(fd);
	sigwait(&end, &signal_number);
	/* What has no link stays when its process is gone. */
	while (n_links > 0)
		bpf_link__destroy(links[--n_links]);
	return 0;
}
