/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads back what the kernel has. For daemon/kernel/ alone; everybody else asks loader.h. */
#ifndef OP_KERNEL_LINKS_H
#define OP_KERNEL_LINKS_H

#include <stdint.h>

struct loader_policy_status;

/* The id of a program, 0 where the kernel does not tell. */
uint32_t link_acquire_program(int program_fd);

/* Fills in what the kernel says of a link; @program_id was its program when it was made. What it
 * does not say stays as it is in @status. */
void link_acquire_status(int link_fd, uint32_t program_id, struct loader_policy_status *status);

/* The id of a link, 0 where there is none. */
uint32_t link_acquire_id(int link_fd);

/* Has @epoll_fd tell @slot when the link is detached. -EPERM: this kernel cannot tell. */
int link_watch(int epoll_fd, int link_fd, uint32_t slot);

#endif
