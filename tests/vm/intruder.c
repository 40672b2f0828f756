// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * intruder OBJECT STATE_FILE: attaches all that is in a BPF object, as any other program might, and
 * makes STATE_FILE. It is attached for as long as this program runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

static int attach(const char *path)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;
	struct bpf_map *map;

	if (!object || bpf_object__load(object) < 0)
		return -errno;
	bpf_object__for_each_map(map, object) if (bpf_map__type(map) == BPF_MAP_TYPE_STRUCT_OPS &&
						  !bpf_map__attach_struct_ops(map)) return -errno;
	bpf_object__for_each_program(
		program, object) if (bpf_program__type(program) == BPF_PROG_TYPE_TRACING &&
				     !bpf_program__attach(program)) return -errno;
	return 0;
}

int main(int argc, char **argv)
{
	int fd, r;

	if (argc != 3) {
		fprintf(stderr, "usage: intruder OBJECT STATE_FILE\n");
		return 64;
	}
	r = attach(argv[1]);
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
	for (;;)
		pause();
}
