/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon from start to end: owns the active configuration and every other module. */
#ifndef OP_MANAGER_H
#define OP_MANAGER_H

struct manager;

/* Outcomes that become an exit status of their own; the log says what was wrong. */
#define MANAGER_E_CONFIG 1    /* the configuration is bad */
#define MANAGER_E_KERNEL 2    /* the kernel cannot do it */
#define MANAGER_E_PRIVILEGE 3 /* the kernel does not let us */

/*
 * Makes the policies of the file @config_path active, or with NULL those of all files that apply,
 * and gets ready to follow and to log. Returns 0 and a manager that the caller owns; MANAGER_E_*; a
 * negative errno. Failures have been logged.
 */
int manager_new(const char *config_path, struct manager **ret);

/* Takes the policies out of the kernel, logs what is still waiting, and frees. Takes NULL. */
struct manager *manager_free(struct manager *m);

/* Runs until SIGTERM or SIGINT. Returns 0 or a negative errno, which has been logged. */
int manager_run(struct manager *m);

static inline void manager_freep(struct manager **m)
{
	manager_free(*m);
}

#endif
