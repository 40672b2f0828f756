/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * verified PREFIX: what the kernel's verifier had to look at for each BPF program that is loaded
 * and has a name which begins so: a line with the name and the number of instructions.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	__u32 id = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: verified PREFIX\n");
		return 64;
	}
	while (bpf_prog_get_next_id(id, &id) == 0) {
		struct bpf_prog_info info = {};
		__u32 size = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd < 0 && errno == ENOENT)
			continue; /* unloaded meanwhile */
		if (fd < 0 || bpf_prog_get_info_by_fd(fd, &info, &size) < 0) {
			fprintf(stderr, "verified: program %u: %s\n", id, strerror(errno));
			return 1;
		}
		if (strncmp(info.name, argv[1], strlen(argv[1])) == 0)
			printf("%s %u\n", info.name, info.verified_insns);
		close(fd);
	}
	return 0;
}
