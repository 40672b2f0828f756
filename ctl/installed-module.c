/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns libkmod, which finds the module as modprobe(8) does, by the index of depmod(8), and reads
 * what is compressed. modprobe.d(5) is left out: it says whether and how a module is loaded, not
 * which.
 */
#include "installed-module.h"

#include <string.h>
#include <syslog.h>

#include <libkmod.h>

#include "api/module.h"
#include "util/basic.h"

static void kmodp(struct kmod_ctx **k)
{
	kmod_unref(*k);
}

static void modulep(struct kmod_module **m)
{
	kmod_module_unref(*m);
}

/* Finds "version" in what the module says of itself. */
static int find_version(const struct kmod_list *info, char **ret)
{
	for (const struct kmod_list *item = info; item; item = kmod_list_next(info, item)) {
		if (strcmp(kmod_module_info_get_key(item), "version") != 0)
			continue;
		*ret = strdup(kmod_module_info_get_value(item));
		return *ret ? 1 : -ENOMEM;
	}
	return 0;
}

int installed_module_acquire_version(const char *directory, char **ret)
{
	static const char *const no_configuration[] = {NULL};
	_cleanup_(kmodp) struct kmod_ctx *kmod = kmod_new(directory, no_configuration);
	_cleanup_(modulep) struct kmod_module *module = NULL;
	struct kmod_list *info = NULL;
	int r;

	if (!kmod)
		return -ENOMEM;
	/* A container that has the bus of its host has not its modules. */
	if (access(kmod_get_dirname(kmod), F_OK) < 0)
		return -errno;
	/* It would write to standard error. */
	kmod_set_log_priority(kmod, LOG_EMERG);
	r = kmod_module_new_from_name(kmod, KERNEL_MODULE, &module);
	if (r < 0)
		return r;
	if (!kmod_module_get_path(module))
		return 0;
	r = kmod_module_get_info(module, &info);
	if (r >= 0)
		r = find_version(info, ret);
	kmod_module_info_free_list(info);
	return r;
}
