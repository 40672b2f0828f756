/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the reading of /sys/module/bpf_oom. Refuses to know what is installed: the unit's sandbox
 * hides the kernel's modules from the daemon, so that is the client's. */
#include "loaded-module.h"

#include <string.h>

#include "api/module.h"
#include "daemon/cgroups/cgroup.h"
#include "util/basic.h"
#include "util/bytes.h"
#include "util/format.h"

/* The characters of a symbol; compilers put a dot and a word behind some (".constprop.0"). */
#define SYMBOL_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."

/* "out_of_memory,dump_header". A name that is no symbol, or longer than any of ours, is left out.
 */
static void parse_hooks(const char *text, struct loaded_module *ret)
{
	while (ret->n_hooks < LOADED_MODULE_HOOKS_MAX) {
		size_t length = strcspn(text, ",");

		if (length > 0 && length < LOADED_MODULE_HOOK_SIZE &&
		    strspn(text, SYMBOL_CHARACTERS) == length) {
			memcpy(ret->hooks[ret->n_hooks], text, length);
			ret->hooks[ret->n_hooks++][length] = '\0';
		}
		if (text[length] == '\0')
			return;
		text += length + 1;
	}
}

void loaded_module_acquire(const char *sysfs, struct loaded_module *ret)
{
	char hooks[LOADED_MODULE_HOOKS_MAX * LOADED_MODULE_HOOK_SIZE];
	_cleanup_free_ char *directory = format_string("%s/module/" KERNEL_MODULE, sysfs);

	*ret = (struct loaded_module){};
	if (!directory)
		return;
	if (cgroup_read_file(directory, "version", ret->version, sizeof(ret->version)) < 0 ||
	    !bytes_are_text(ret->version, strlen(ret->version))) {
		ret->version[0] = '\0';
		return;
	}
	if (cgroup_read_file(directory, "parameters/hooks", hooks, sizeof(hooks)) == 0)
		parse_hooks(hooks, ret);
}
