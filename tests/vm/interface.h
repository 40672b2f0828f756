/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests of the interfaces of bpf_oom.ko other than the struct_ops policy (modtest has that),
 * without the daemon. Most OOMs are declared, by the interface under test: they happen at once, in
 * the cgroup or for the system, and to the processes of the test alone. A process runs one test.
 */
#ifndef INTERFACE_H
#define INTERFACE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "eater.h"
#include "interface.skel.h"
#include "util/basic.h"

#define CGROUP "interface"
#define LARGE_BYTES (24U << 20)
#define SMALL_BYTES (8U << 20)
#define LIMIT_BYTES "67108864"

/* Of the kernel's interface: what a program may answer for a task. */
#define NO_BPF_POLICY 0
#define BPF_EVAL_ABORT 1
#define BPF_EVAL_NEXT 2
#define BPF_EVAL_SELECT 3

#define POLL_USEC 5000
#define PATIENCE_POLLS 2000 /* ten seconds */

#define CHECK(condition)                                                                   \
	do {                                                                               \
		if (!(condition)) {                                                        \
			snprintf(reason, sizeof(reason), "%s:%d: %s (errno %s)", __FILE__, \
				 __LINE__, #condition, strerror(errno));                   \
			return false;                                                      \
		}                                                                          \
	} while (0)

struct interface_test {
	const char *name;
	bool (*run)(void);
};

/* Each ends with a row without a name. */
extern const struct interface_test evaluate_tests[];
extern const struct interface_test declare_tests[];
extern const struct interface_test notify_tests[];

/* Why the test failed. */
extern char reason[512];
extern struct op_interface *skel;
extern struct op_interface__bss *bss;
/* The two processes of most tests. In this order they joined the cgroup, and are looked at. */
extern struct eater large, small;

/* As in interface.bpf.c. */
struct declaration {
	uint64_t cgroup_id;
	int32_t order;
	uint32_t wait;
	uint32_t with_text;
	uint32_t with_hold;
	int32_t result;
};

/* What is attached stays so until the process ends. */
bool attach(struct bpf_program *program);
bool attach_evaluation(void);
bool attach_handler(void);

/* What test_evaluate is to say of a process. */
bool answer(const struct eater *e, int value);

uint64_t cgroup_id(const char *path);

/* Runs a syscall program; it may change the @context. Returns its result, or a negative errno. */
int run_syscall_program(struct bpf_program *program, void *context, size_t size);

/* Return what bpf_out_of_memory() did. @text may be NULL. */
int declare_with(struct declaration d);
int declare(uint64_t id, const char *text);
int declare_memcg(void);
/* For the system, with everybody but the eaters out of it. */
int declare_system(void);

bool wait_until(const volatile bool *flag, bool value);
bool wait_gone(const struct eater *e);

bool prepare_cgroup(void);
/* Starts both, marks the kernel's log. */
bool start_eaters(void);
/* Is just this one of the eaters dead? */
bool only_dead(const struct eater *dead);
bool both_live(void);

/* Did the kernel log this since? */
bool logged(const char *text);

bool write_file(const char *path, const char *value);

#endif
