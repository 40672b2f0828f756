/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The door of daemon/kernel/, which alone knows libbpf and the skeletons: can this kernel do it,
 * load it, hand it rules, read its records. Of this folder the rest of the daemon includes no other
 * header.
 *
 * Behind it each file includes and calls only what stands below it:
 *
 *	loader       takes over what another daemon has left, and makes configurations active
 *	backends     the table of backends
 *	backend-*
 *	others       finds what others have attached
 *	backend      what a backend does, and tells of itself
 *	follow       the programs that follow victims and cgroups
 *	program-declare program-rank
 *	base         the shared maps, and links as descriptors
 *	pins         what outlives the daemon
 *	btf links note pin-path ring rules slots
 *	why          the sentences for the administrator
 *	types        what the door returns
 *
 * Below all of them are util/, messages.h and module.h of api/, bpf/oompolicy.h, config/policy.h,
 * and gfp.h and report.h of daemon/record/.
 */
#ifndef OP_KERNEL_LOADER_H
#define OP_KERNEL_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/oompolicy.h"
#include "config/policy.h"
#include "rules.h"
#include "types.h"

struct gfp_bits;
struct loader;
struct report_position;

/* Called for each record; the bytes are untrusted and valid during the call. */
typedef void (*loader_record_t)(const void *data, size_t size, void *userdata);

struct loader_callbacks {
	/* Takes the record. Returns 0, or a negative errno to get no more of them for now: it will
	 * have been dealt with when more are asked for. */
	int (*oom)(const void *data, size_t size, void *userdata);
	void *oom_userdata;
	loader_record_t cgroup;
	void *cgroup_userdata;
};

/*
 * Whether we may load anything at all, without a look at the kernel. Returns 0, or
 * LOADER_E_PRIVILEGE and a sentence.
 */
int loader_permitted(char why[static LOADER_WHY_SIZE]);

/*
 * Attaches the backend @wanted, with BACKEND_AUTO the first that works; it has no policy before the
 * first loader_commit(); opens the rings, follows what the kernel does, and cgroups. Following
 * is optional: when the kernel refuses it the log says so, and loader_cgroup_fd() is -EBADF.
 *
 * Returns 0 and a loader that the caller owns; LOADER_E_* and a sentence, of several backends about
 * the first that was tried; a negative errno.
 */
int loader_new(enum backend wanted, const struct loader_callbacks *callbacks,
	       char why[static LOADER_WHY_SIZE], struct loader **ret);

/* The names of the flags of an allocation, valid as long as the loader. */
const struct gfp_bits *loader_gfp_bits(const struct loader *l);

/* The backend in use; which OP_RULE_KILL_* of a rule have an effect with it on this kernel, where
 * memory.oom.group decides on the others; and why no better one is used: a sentence, empty where
 * none was wanted. */
enum backend loader_backend(const struct loader *l);
uint32_t loader_honoured_kills(const struct loader *l);
const char *loader_why_not_better(const struct loader *l);

/* Where the active policies come from. */
enum loader_origin {
	LOADER_LOADED,	 /* there were none before */
	LOADER_ADOPTED,	 /* they were attached, and are the same */
	LOADER_UPDATED,	 /* they were attached, and got new programs */
	LOADER_REPLACED, /* others were attached */
	_LOADER_ORIGIN_MAX,
};

/* What is known of the policies that were found, when a daemon comes after another. */
struct loader_history {
	enum loader_origin origin;
	bool is_pinned;		  /* they outlive this daemon */
	uint64_t since_real_usec; /* when they were first active */
	uint32_t pid;		  /* of the daemon before; 0: there was none */
	uint32_t config_number;	  /* of the active configuration */
	uint64_t rule_names_hash; /* of that; see loader_hash_rules() */
	size_t n_waiting;	  /* records of OOMs that are not in the journal yet */
};
void loader_acquire_history(const struct loader *l, struct loader_history *ret);

/* The hash of the names of the rules, in their order: whether a record's rule can be named. */
uint64_t loader_hash_rules(const struct config *c);

/* Notes for the next daemon what is about to be active. */
void loader_note_config(struct loader *l, uint32_t config_number, uint64_t rule_names_hash);

/* Where the records of OOMs are noted for the next daemon. The loader's. */
struct report_position *loader_position(struct loader *l);

/* Whether policies are pinned, of which this daemon may know nothing yet. */
bool loader_is_active(void);

/*
 * Takes all policies out of the kernel that are pinned, without a loader. Returns 1; 0 where there
 * are none; -EPERM where what is there is not ours, or is not to be removed, with a sentence.
 */
int loader_remove_pinned(char why[static LOADER_WHY_SIZE]);

/* Has loader_free() take the policies out of the kernel, also those that are pinned. */
void loader_remove(struct loader *l);

/* Frees everything. Policies that are pinned and active stay, without loader_remove(). Takes
 * NULL; returns NULL. */
struct loader *loader_free(struct loader *l);

/*
 * First step of another configuration: sees to it that each policy of @names can answer, and
 * gives their slots. Those that are new decide nothing before loader_commit(). Must be followed by
 * loader_commit() or loader_cancel(). On an error (LOADER_E_* with a sentence, or a negative errno)
 * everything is as before.
 */
int loader_prepare(struct loader *l, const char *const *names, size_t n_names, uint16_t *ret_slots,
		   char why[static LOADER_WHY_SIZE]);

/* Undoes loader_prepare(). Harmless after loader_commit(). */
void loader_cancel(struct loader *l);

/*
 * Makes @rules active: with what loader_prepare() made ready, or for the policies that are active
 * already where it was not called. One step; an OOM sees all of the configuration before or all of
 * this one. @rules stays the caller's, to be updated while active. The time of that step alone is
 * given in @ret_switch_nsec. On an error (likewise) everything is as before loader_prepare().
 */
int loader_commit(struct loader *l, const struct loader_rules *rules, uint64_t *ret_switch_nsec,
		  char why[static LOADER_WHY_SIZE]);

/*
 * Detaches policies that have not been used for a while. Returns when there will be more to do, in
 * microseconds of CLOCK_MONOTONIC, or UINT64_MAX: not before another loader_commit().
 */
uint64_t loader_expire(struct loader *l);

/* Readable when there are records; -EBADF where cgroups are not followed. Owned by the loader. */
int loader_oom_fd(const struct loader *l);
int loader_cgroup_fd(const struct loader *l);

/* Pass all waiting records to the callback. Return a negative errno, which may be the callback's.
 */
int loader_consume_ooms(struct loader *l);
int loader_consume_cgroups(struct loader *l);

/* Counts the OOM records that found the ring full, since the first policy was loaded. */
uint64_t loader_count_ooms_lost(const struct loader *l);

/* Counts the cgroup records that the BPF side could not store, since it was loaded. */
uint64_t loader_count_cgroups_lost(const struct loader *l);

/* Reads back what is in the kernel now, which somebody else may have detached. */
void loader_acquire_policies(const struct loader *l, struct loader_policies *ret);

/* The counters of the BPF side; zero where they cannot be read. */
void loader_acquire_stats(const struct loader *l, struct op_stats *ret);

/* Readable when a policy was detached by somebody else; -EBADF where the kernel cannot tell. Owned
 * by the loader. */
int loader_detach_fd(const struct loader *l);

/* The name of a policy that was detached by somebody else, each once, or NULL. */
const char *loader_next_detached(struct loader *l);

/*
 * Attaches again what was detached by somebody else. Until then the kernel decides for it. Returns
 * 0, also where nothing was to be done; LOADER_E_* and a sentence; a negative errno.
 */
int loader_restore(struct loader *l, char why[static LOADER_WHY_SIZE]);

/* The directory of the pins, as this process reaches it; empty where nothing is pinned. */
void loader_describe_pins(const struct loader *l, char *buf, size_t size);

/* How many of the pins somebody else has removed; none where nothing is pinned. */
unsigned loader_count_missing_pins(const struct loader *l);

/* Makes those again. Returns 0, or a negative errno where that cannot be, and then it is as after
 * loader_abandon_pins(). */
int loader_restore_pins(struct loader *l);

/* Removes what is left of the pins, and logs why: nothing outlives the daemon from here on. */
void loader_abandon_pins(struct loader *l, const char *why);

/* "before" */
const char *loader_order_to_string(enum loader_order order);

/*
 * Finds what others have attached where the kernel asks about an OOM. Looks through all that is
 * attached: some microseconds for each link and map of the machine. Returns how many there are, of
 * which the first LOADER_OTHERS_MAX are in @items; or a negative errno.
 */
int loader_find_others(const struct loader *l, struct loader_other items[static LOADER_OTHERS_MAX]);

/* Begins to be told of what is attached. Returns a descriptor, the loader's, which is readable when
 * something was; or a negative errno: this kernel does not tell. */
int loader_watch_others(struct loader *l);
void loader_unwatch_others(struct loader *l);

/* Passes on each that was attached since the last call. */
void loader_consume_others(struct loader *l, loader_attached_t attached, void *userdata);

/* Loads the program that declares OOMs. Returns 0; LOADER_E_KERNEL and a sentence when this kernel
 * cannot declare any; a negative errno. */
int loader_load_declare(struct loader *l, char why[static LOADER_WHY_SIZE]);

/*
 * Declares an OOM of the cgroup with this id, or with 0 of the system, and returns when the kernel
 * is done with it. @text is what its report says as the constraint. Not before
 * loader_load_declare().
 *
 * Returns 1 when there was progress: somebody was killed, or is dying already; 0 when there was
 * none; -EBUSY when another OOM is current; -ENOENT when there is no such cgroup2 cgroup; -ENODATA
 * when it has no memory controller of its own; -ENODEV when it is being removed; errno of bpf(2).
 */
int loader_declare(const struct loader *l, uint64_t cgroup_id,
		   const char text[static OP_DECLARED_LEN]);

/* Loads the program that tells who would die, which takes tens of milliseconds. Returns 1; 0 where
 * that has been done; or a negative errno. */
int loader_load_rank(struct loader *l);

/*
 * Runs the selection once, and kills nobody. The first three members of @run are the question, the
 * others the answer; the run->n_ranked processes are in @ret, which has room for OP_RANK_MAX, in no
 * order. Not before loader_load_rank(). Returns 0 or a negative errno.
 */
int loader_rank(const struct loader *l, struct op_rank_run *run, struct op_ranked *ret);

static inline void loader_freep(struct loader **l)
{
	loader_free(*l);
}

#endif
