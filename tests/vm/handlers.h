/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Test policies: small OOM handlers that kill one given process or nobody, and return what they
 * are told to. Owns the loaded objects; attached as long as the set is not done.
 */
#ifndef HANDLERS_H
#define HANDLERS_H

#include <stdint.h>
#include <sys/types.h>

/* As the kernel's report names them. */
#define HANDLERS_POLICY_NAME "oomtest"

struct op_handler;

struct handler {
	struct op_handler *skeleton;
	void *link;
};

/* Loads and attaches one more; the kernel runs them in the order of these calls. A @pid of 0
 * kills nobody. */
int handler_attach(struct handler *h, pid_t pid, int result);

/* How often it has run. */
uint64_t handler_count_calls(const struct handler *h);

void handler_done(struct handler *h);

#endif
