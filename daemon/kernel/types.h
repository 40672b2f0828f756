/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the functions of the door return and fill in, for the files behind it, which do not include
 * the door. Part of the door: loader.h includes it.
 */
#ifndef OP_KERNEL_TYPES_H
#define OP_KERNEL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/oompolicy.h"

/* Outcomes that the caller handles; each comes with a sentence for the administrator. */
#define LOADER_E_KERNEL 1    /* this kernel cannot do it: no hook, no BTF, no BPF */
#define LOADER_E_PRIVILEGE 2 /* the kernel could, we may not */

/* Room for any such sentence, with the terminating NUL. */
#define LOADER_WHY_SIZE 512

/* The BPF file system, and the directory in it in which the policies are pinned. */
#define PINS_ROOT "/sys/fs/bpf"
#define PINS_DIRECTORY PINS_ROOT "/oompolicyd"

/* Room for a path below PINS_ROOT: a directory and a NAME_MAX. */
#define PINS_PATH_SIZE 512

/* A policy as the kernel has it. */
struct loader_policy_status {
	const char *name; /* the loader's, valid until it changes */
	uint32_t link_id; /* 0: the kernel does not tell; likewise the next */
	uint32_t program_id;
	bool attached;
};

struct loader_policies {
	struct loader_policy_status items[OP_POLICIES_MAX + 1]; /* the recorder first */
	size_t n;
};

/* When the kernel asks it. */
enum loader_order {
	LOADER_ORDER_UNKNOWN, /* it has no link, which would tell when it was attached */
	LOADER_ORDER_BEFORE,  /* before one of ours: what it decides is decided */
	LOADER_ORDER_AFTER,   /* where ours have no opinion */
	_LOADER_ORDER_MAX,
};

struct loader_other {
	const char *hook;	       /* static: what it is attached to */
	char name[OP_POLICY_NAME_LEN]; /* any bytes; empty: it has none */
	uint32_t link_id;	       /* 0: it has none */
	uint32_t map_id;	       /* of a struct_ops; else 0 */
	uint32_t program_id;	       /* 0: not known */
	enum loader_order order;
};

/* More than this on one machine are counted only. */
#define LOADER_OTHERS_MAX 16

/* Called for each that was attached. It may be ours, or of no interest. */
typedef void (*loader_attached_t)(const struct op_link_record *e, void *userdata);

#endif
