/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A backend, which is a way for the policies into the kernel's OOM: what it does, and what it tells
 * of itself so that nobody asks which one it is. For daemon/kernel/ alone. */
#ifndef OP_KERNEL_BACKEND_H
#define OP_KERNEL_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base.h"
#include "config/policy.h"
#include "types.h"

struct btf;

/* Where others may attach to, too. */
enum backend_hook {
	BACKEND_HOOK_HANDLER,	 /* handlers of the kernel's OOM */
	BACKEND_HOOK_EVALUATION, /* a program in the kernel's own selection */
};

struct backend_driver {
	enum backend id;
	const char *hook; /* in the kernel's types, for the sentence that it is missing */

	/* Which OP_RULE_KILL_* of a rule say how much is killed, where the kernel can do it; on the
	 * others memory.oom.group decides. */
	uint32_t honoured_kills;

	/* The kernel asks what another set has attached later before it asks this one: what this
	 * one decides from then on the other has decided. */
	bool yields;

	/* The steps by which its links go, the last of which is empty. Also those of an older
	 * version, and of a daemon that had this backend. */
	const struct pins_step *removal;

	/*
	 * Judges what @btf, of the kernel or of a module, has of the hook. Returns 0 for the shape
	 * that this backend is built for, -ENOENT where there is none, LOADER_E_KERNEL and a
	 * sentence for any other.
	 */
	int (*check)(const struct btf *btf, char why[static LOADER_WHY_SIZE]);

	/*
	 * Loads and attaches what there is before the first configuration, keeps the shared maps,
	 * and gives its own state in b->state. On an error, LOADER_E_* with a sentence or a
	 * negative errno, detach() is called.
	 */
	int (*attach)(struct base *b, char why[static LOADER_WHY_SIZE]);

	/* The bytes of the object with the policy's program: another build has others. */
	const void *(*program)(size_t *ret_size);

	/*
	 * Takes over the pinned links, and with @update gives them the programs of this build. The
	 * shared maps are there already. Errors as attach(), and -EOPNOTSUPP where this kernel
	 * cannot do what @update asks; what is pinned stays as it is.
	 */
	int (*adopt)(struct base *b, bool update, char why[static LOADER_WHY_SIZE]);

	/* Takes everything out of the kernel that is not pinned. Takes a NULL state. */
	void (*detach)(struct base *b);

	/* The steps of another configuration; see loader.h. stage() comes before the switch to
	 * @config, an index into the configurations, and may be called without prepare(). */
	int (*prepare)(struct base *b, const char *const *names, size_t n_names,
		       uint16_t *ret_slots, char why[static LOADER_WHY_SIZE]);
	int (*stage)(struct base *b, uint32_t config);
	void (*commit)(struct base *b, uint64_t now_usec);
	void (*cancel)(struct base *b);
	uint64_t (*expire)(struct base *b, uint64_t now_usec);

	/* Adds the policies as the kernel has them. */
	void (*acquire_policies)(const struct base *b, struct loader_policies *ret);

	/*
	 * Attaches again what somebody else has detached, under the slots that it had: the maps,
	 * and so the active rules, are the same. Errors as attach(). NULL where nothing can be
	 * detached.
	 */
	int (*restore)(struct base *b, char why[static LOADER_WHY_SIZE]);

	/* Whether the link with this id is ours. */
	bool (*owns_link)(const struct base *b, uint32_t link_id);

	/* When the kernel asks what others have attached to @hook by the link with this id, which
	 * is 0 where they have none. */
	enum loader_order (*order_of)(const struct base *b, enum backend_hook hook,
				      uint32_t link_id);

	/* What was watched under @slot, see link_watch(), was detached: forgets the link's
	 * descriptor in b->detach_fd, and gives the policy's name. NULL where no link can be. */
	const char *(*forget)(struct base *b, uint32_t slot);
};

/* The driver of each, backend_struct_ops and so on. */
#define BACKEND_DECLARATION(name, word) extern const struct backend_driver backend_##word;
OP_BACKENDS(BACKEND_DECLARATION)

#endif
