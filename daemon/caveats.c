/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Warns of what a configuration in force does not get, because of the backend or of the kernel's
 * settings. Knows neither the manager nor the kernel's BPF side.
 *
 * Invariant: it only says so; nothing is changed here.
 */
#include "caveats.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/basic.h"
#include "util/log.h"

void caveats_log_backend(const struct config *c, enum backend used, bool honours_kill)
{
	const struct rule *first = NULL;
	size_t n = 0;

	if (c->backend != BACKEND_AUTO && c->backend != used)
		log_warning("Backend=%s takes effect when the daemon is started again: %s stays.",
			    backend_to_string(c->backend), backend_to_string(used));
	for (size_t i = 0; !honours_kill && i < c->n_rules; i++)
		if (c->rules[i].kill != RULE_KILL_UNSET && n++ == 0)
			first = &c->rules[i];
	if (first)
		log_warning("%s:%u: Kill=%s in [Rule %s] has no effect with the backend %s, nor "
			    "has that of any other rule (%zu in all): memory.oom.group decides how "
			    "much is killed.",
			    first->file, first->line, rule_kill_to_string(first->kill), first->name,
			    backend_to_string(used), n);
}

static unsigned long read_sysctl(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char value[32];
	ssize_t n;

	n = fd < 0 ? -1 : read(fd, value, sizeof(value) - 1);
	if (n <= 0)
		return 0;
	value[n] = '\0';
	return strtoul(value, NULL, 10);
}

/* Both are looked at before a policy is asked (mm/oom_kill.c, out_of_memory()). */
void caveats_log_preemption(void)
{
	unsigned long panic = read_sysctl("/proc/sys/vm/panic_on_oom");

	if (panic)
		log_warning(
			"vm.panic_on_oom=%lu: %s panics the machine before the policy is asked.",
			panic, panic == 1 ? "an OOM of the system" : "every OOM, of cgroups too,");
	if (read_sysctl("/proc/sys/vm/oom_kill_allocating_task"))
		log_warning("vm.oom_kill_allocating_task=1: the task that allocates is killed "
			    "before the policy is asked.");
}
