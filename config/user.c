/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The only module that asks NSS: what answers there may be a file, a cache or a network. */
#include "config/user.h"

#include "util/basic.h"

#include <pwd.h>

/* Entries of the user database beyond this are refused: a bound, far above any that is real. */
#define ENTRY_MAX (1 << 20)

int user_resolve(const char *name, uid_t *ret, void *userdata _unused_)
{
	_cleanup_free_ char *buf = NULL;

	for (size_t size = 1024; size <= ENTRY_MAX; size *= 2) {
		struct passwd entry, *found = NULL;
		int r;

		free(TAKE_PTR(buf));
		buf = malloc(size);
		if (!buf)
			return -ENOMEM;
		r = getpwnam_r(name, &entry, buf, size, &found);
		if (r == ERANGE)
			continue;
		if (found) {
			*ret = found->pw_uid;
			return 0;
		}
		/* getpwnam(3): several errors mean "no such name", and which depends on the
		 * service. */
		if (r == 0 || r == ENOENT || r == ESRCH || r == EBADF || r == EPERM)
			return -ESRCH;
		return -r;
	}
	return -E2BIG;
}
