/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns what the journal gets of a configuration's errors. How files are found and read is
 * config/'s; what becomes active, the manager's.
 */
#include "configuration.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/diagnostics.h"
#include "config/layers.h"
#include "config/policy.h"
#include "util/basic.h"
#include "util/log.h"

int configuration_load(const char *path, struct config **ret,
		       char message[static CONTROL_MESSAGE_SIZE])
{
	_cleanup_(diagnostics_done) struct diagnostics diag = {};
	const char *first = NULL;
	int r;

	r = layers_load_system(path, &diag, ret);
	for (size_t i = 0; i < diag.n_items; i++) {
		const struct diagnostic *d = &diag.items[i];

		if (!first && d->level == DIAGNOSTIC_ERROR)
			first = d->message;
		log_message(d->level == DIAGNOSTIC_ERROR ? LOG_ERR : LOG_WARNING, NULL, "%s",
			    d->message);
	}
	if (r >= 0)
		return 0;

	if (!first)
		snprintf(message, CONTROL_MESSAGE_SIZE, "%s: %s", path ?: "The configuration",
			 strerror(-r));
	else if (diag.n_errors > 1)
		snprintf(message, CONTROL_MESSAGE_SIZE, "%.900s (and %zu more)", first,
			 diag.n_errors - 1);
	else
		snprintf(message, CONTROL_MESSAGE_SIZE, "%.1000s", first);
	return r == -ENOMEM ? r : -EINVAL;
}
