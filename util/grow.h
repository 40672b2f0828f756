/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Arrays that grow by one item at a time. */
#ifndef OP_GROW_H
#define OP_GROW_H

#include <errno.h>
#include <stdlib.h>

/*
 * Makes room for one more item in @array, which has @n and is the caller's to free; NULL for none.
 * The room doubles whenever @n is a power of two, so that the number of items is all there is to
 * keep. Gives 0, or -ENOMEM with the array as it was.
 */
#define GROW(array, n)                                                                         \
	({                                                                                     \
		__typeof__(array) _grown = (array);                                            \
		if (((n) & ((n) - 1)) == 0) {                                                  \
			_grown = reallocarray(_grown, (n) > 0 ? 2 * (n) : 1, sizeof(*_grown)); \
			if (_grown)                                                            \
				(array) = _grown;                                              \
		}                                                                              \
		_grown ? 0 : -ENOMEM;                                                          \
	})

#endif
