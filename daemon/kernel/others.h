/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What others have attached where the kernel asks about an OOM, and being told of it. For
 * daemon/kernel/ alone. */
#ifndef OP_KERNEL_OTHERS_H
#define OP_KERNEL_OTHERS_H

#include <stdbool.h>
#include <stdint.h>

#include "types.h"

struct backend_driver;
struct base;
struct kernel_types;

/* Where the kernel's types have what others may attach to. */
struct others_hooks {
	uint32_t ops_value_id;	 /* the value of a struct_ops map of bpf_oom_ops; 0: none */
	uint32_t handler_offset; /* in it, bytes; likewise the next */
	uint32_t name_offset;
	bool is_module;	      /* they are bpf_oom.ko's, not a kernel's with the posted series */
	uint32_t evaluate_id; /* the function bpf_oom_evaluate_task; 0: none */
	bool has_update;      /* a struct_ops without a link can be followed, and: */
	bool has_trampoline;  /* a program that changes what a function returns */
};
void others_find_hooks(const struct kernel_types *types, struct others_hooks *ret);

/* As loader_find_others(), beside what @driver has attached. */
int others_find(const struct others_hooks *hooks, const struct backend_driver *driver,
		const struct base *b, struct loader_other items[static LOADER_OTHERS_MAX]);

/* What the kernel tells of those that come. Returns 0 and what the caller owns, or a negative
 * errno: this kernel does not tell. */
struct others_watch;
int others_watch_new(const struct others_hooks *hooks, struct others_watch **ret);
struct others_watch *others_watch_free(struct others_watch *w);

/* As loader_watch_others(), for the descriptor, and loader_consume_others(). */
int others_watch_fd(const struct others_watch *w);
void others_watch_consume(struct others_watch *w, loader_attached_t attached, void *userdata);

#endif
