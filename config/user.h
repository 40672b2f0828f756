/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The user database, for User= of a rule. */
#ifndef OP_USER_H
#define OP_USER_H

#include <sys/types.h>

/*
 * A parser_resolve_user_t that asks the name service. May block as long as that takes. Returns 0,
 * -ESRCH where there is no such user, or the negative errno of the look-up. @userdata is not used.
 */
int user_resolve(const char *name, uid_t *ret, void *userdata);

#endif
