/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration as the daemon takes it from its files. */
#ifndef OP_CONFIGURATION_H
#define OP_CONFIGURATION_H

#include "control.h"

struct config;

/*
 * Reads and validates the file @path, or with NULL the layered set, and logs every diagnostic.
 * Returns 0 and what the caller owns; -ENOMEM; or -EINVAL with a summary in @message.
 */
int configuration_load(const char *path, struct config **ret,
		       char message[static CONTROL_MESSAGE_SIZE]);

#endif
