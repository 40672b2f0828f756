/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the sentences about what bpf(2) refuses. Refuses to know what was asked of it. */
#include "why.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void why_set(char why[static LOADER_WHY_SIZE], const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(why, LOADER_WHY_SIZE, format, ap);
	va_end(ap);
}

int why_translate(int r, char why[static LOADER_WHY_SIZE])
{
	if (r == -ENOMEM)
		return r;
	if (r == -EPERM) {
		why_set(why, "The kernel did not permit loading the policy: CAP_BPF, CAP_PERFMON "
			     "and, for a hook in a module, CAP_SYS_ADMIN are needed.");
		return LOADER_E_PRIVILEGE;
	}
	if (r == -ENOSYS) {
		why_set(why, "The kernel has no BPF (CONFIG_BPF_SYSCALL).");
		return LOADER_E_KERNEL;
	}
	why_set(why,
		"The kernel refused to load the policy: %s. "
		"OOMPOLICYD_LOG_LEVEL=debug shows its reasons.",
		strerror(-r));
	return LOADER_E_KERNEL;
}
