/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns the table of backends, and their order. Refuses to know what a driver does. */
#include "backends.h"

#include <assert.h>

#include "backend.h"
#include "btf.h"
#include "util/basic.h"

#define DRIVER(name, word) &backend_##word,

/* The best first. One whose check() always succeeds would end the search of "auto". */
static const struct backend_driver *const drivers[] = {OP_BACKENDS(DRIVER)};
static_assert(ARRAY_SIZE(drivers) == _BACKEND_MAX - 1, "a driver for each but auto");

const struct backend_driver *backends_find(enum backend id)
{
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (drivers[i]->id == id)
			return drivers[i];
	return NULL;
}

const struct backend_driver *backends_next(const struct backend_driver *previous,
					   enum backend wanted)
{
	bool is_after = !previous;

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		if (is_after && (wanted == BACKEND_AUTO || drivers[i]->id == wanted))
			return drivers[i];
		is_after = is_after || drivers[i] == previous;
	}
	return NULL;
}

struct pins_removal backends_removal(void)
{
	struct pins_removal ret = {};

	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		for (const struct pins_step *step = drivers[i]->removal; step->is_link; step++) {
			assert(ret.n < PINS_STEPS_MAX);
			ret.steps[ret.n++] = *step;
		}
	return ret;
}

int backends_check(const struct backend_driver *d, const struct kernel_types *types,
		   char why[static LOADER_WHY_SIZE])
{
	bool in_module = false;
	int r;

	r = d->check(types->vmlinux, why);
	if (r == -ENOENT && types->module) {
		in_module = true;
		r = d->check(types->module, why);
	}
	if (r == -ENOENT) {
		kernel_explain_no_hook(types, d->hook, why);
		return LOADER_E_KERNEL;
	}
	return r != 0 ? r : kernel_check_privilege(in_module, why);
}
