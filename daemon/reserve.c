/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns how the daemon's memory is backed. Knows nothing of what it is used for.
 *
 * A page fault is an allocation, and one that fails for want of memory is tried again until there
 * is some (mm/oom_kill.c, pagefault_out_of_memory()), so that a daemon alone in a cgroup that is
 * full could wait for ever. So what has been touched stays: its text, which reclaim would drop
 * first, its stack and its heap, with some of each ahead.
 *
 * Pages are locked as they are touched, not all at once: the libraries have three times as much
 * that is never used, 5 MiB more of memory of the daemon's own.
 */
#include "reserve.h"

#include <malloc.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "util/basic.h"
#include "util/log.h"

/* What a record takes on the heap is some KiB, on the bus. Below glibc's M_MMAP_THRESHOLD, as it
 * would not come from the heap otherwise. */
#define HEAP_BYTES (96U << 10)
/* The largest frame on the way of a record is that of the journal's iovecs, some 10 KiB. */
#define STACK_BYTES (64U << 10)

/* Of the linker (ld(1), PROVIDE): the program's first byte, of a page, and the end of its text. */
extern const char __executable_start[], etext[];

static void touch_heap(void)
{
	void *block;

	/* Or free() gave it back at once. */
	mallopt(M_TRIM_THRESHOLD, 2 * HEAP_BYTES);
	block = malloc(HEAP_BYTES);
	if (block)
		explicit_bzero(block, HEAP_BYTES);
	free(block);
}

static __attribute__((noinline)) void touch_stack(void)
{
	char block[STACK_BYTES];

	explicit_bzero(block, sizeof(block));
}

static void touch_text(void)
{
	size_t size_bytes = (uintptr_t)etext - (uintptr_t)__executable_start;

	/* Since Linux 5.14; without it the first record is what touches it. */
	(void)madvise((void *)__executable_start, size_bytes, MADV_POPULATE_READ);
}

void reserve_acquire(void)
{
	if (mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) < 0)
		log_warning("Cannot keep the daemon in memory: %s, ignoring. It may be slow to "
			    "write records while memory is short.",
			    strerror(errno));
	touch_heap();
	touch_stack();
	touch_text();
}

void reserve_trim(void)
{
	/* The kernel refuses to give up pages that are locked (madvise(2), EINVAL). */
	munlockall();
	malloc_trim(HEAP_BYTES);
	reserve_acquire();
}
