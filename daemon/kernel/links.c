/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel says of the things that we made there, by their descriptors. Remembers nothing:
 * somebody else may have changed them a moment ago.
 */
#include "links.h"

#include <sys/epoll.h>

#include <bpf/bpf.h>

#include "types.h"
#include "util/basic.h"

uint32_t link_acquire_program(int program_fd)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);

	return program_fd >= 0 && bpf_prog_get_info_by_fd(program_fd, &info, &size) == 0 ? info.id
											 : 0;
}

static bool program_exists(uint32_t id)
{
	_cleanup_close_ int fd = bpf_prog_get_fd_by_id(id);

	return fd >= 0;
}

void link_acquire_status(int link_fd, uint32_t program_id, struct loader_policy_status *status)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	if (bpf_link_get_info_by_fd(link_fd, &info, &size) < 0)
		return;
	status->link_id = info.id;
	if (info.type == BPF_LINK_TYPE_STRUCT_OPS) {
		/* A link that was detached has no map any more (kernel/bpf/bpf_struct_ops.c,
		 * bpf_struct_ops_map_link_fill_link_info()); its program is that of the map. */
		status->attached = info.struct_ops.map_id != 0;
		status->program_id = program_exists(program_id) ? program_id : 0;
	} else {
		status->attached = info.prog_id != 0;
		status->program_id = info.prog_id;
	}
}

uint32_t link_acquire_id(int link_fd)
{
	struct bpf_link_info info = {};
	__u32 size = sizeof(info);

	return link_fd >= 0 && bpf_link_get_info_by_fd(link_fd, &info, &size) == 0 ? info.id : 0;
}

int link_watch(int epoll_fd, int link_fd, uint32_t slot)
{
	/* EPOLLHUP is always told; nothing else is of interest. */
	struct epoll_event event = {.data.u32 = slot};

	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, link_fd, &event) < 0 ? -errno : 0;
}
