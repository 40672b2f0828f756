/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the module that is loaded says of itself. */
#ifndef OP_LOADED_MODULE_H
#define OP_LOADED_MODULE_H

#include <stddef.h>

#define LOADED_MODULE_VERSION_SIZE 64
#define LOADED_MODULE_HOOK_SIZE 64
#define LOADED_MODULE_HOOKS_MAX 16

struct loaded_module {
	char version[LOADED_MODULE_VERSION_SIZE]; /* "": no module is loaded */
	/* The kernel functions that it hooks. None where an older module does not name them. */
	char hooks[LOADED_MODULE_HOOKS_MAX][LOADED_MODULE_HOOK_SIZE];
	size_t n_hooks;
};

/* Reads the files of the module below @sysfs. What cannot be read, or is not what the module
 * writes, is left empty; both kinds of text are fit for D-Bus. */
void loaded_module_acquire(const char *sysfs, struct loaded_module *ret);

#endif
