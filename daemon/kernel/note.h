/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The note, which lies beside what is pinned, for the next daemon: what it says, and what that
 * daemon does by it. How a pin is made and opened is pins.c's.
 */
#ifndef OP_KERNEL_NOTE_H
#define OP_KERNEL_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/oompolicy.h"
#include "config/policy.h"
#include "daemon/record/report.h"

/* "oompolcy" */
#define NOTE_MAGIC 0x6f6f6d706f6c6379ULL
#define NOTE_VERSION 1

/* A policy that is attached under a slot; the name is empty where none is. */
struct note_slot {
	char name[OP_POLICY_NAME_LEN];
	uint32_t program_id;
	uint32_t pad;
};

/*
 * The note: one map element in the memory of the daemon, which is why a kill can leave no half of
 * it unwritten. It is the first that is pinned and the last that goes. The first three fields are
 * the same in all versions.
 */
struct note {
	uint64_t magic;
	uint32_t version;
	uint32_t complete; /* 1: what is here is active */
	uint32_t size;	   /* of the note, bytes */
	uint32_t abi;	   /* OP_ABI_VERSION */
	uint64_t build_id; /* of the programs */
	uint32_t backend;  /* enum backend */
	uint32_t pid;	   /* of the daemon that had it last */
	uint32_t config_number;
	uint32_t pad;
	uint64_t rule_names_hash; /* of that configuration, see note_hash_rules() */
	uint64_t since_real_usec; /* when the policies were first active */
	struct report_position position;
	struct note_slot slots[OP_SLOTS_MAX];
};

/* What a note is worth. */
enum note_state {
	NOTE_NONE,    /* there is nothing */
	NOTE_FOREIGN, /* it is not ours */
	NOTE_HALF,    /* ours, and was never active, or was being removed */
	NOTE_OTHER,   /* ours and active, of a version that cannot be read here */
	NOTE_GOOD,
	_NOTE_STATE_MAX,
};

/* Judges the bytes of a note, which anything may be in. */
enum note_state note_judge(const void *data, size_t size);

/* What is to be done at a start. */
enum note_action {
	NOTE_LOAD,    /* nothing is active: what lies there goes, if anything does */
	NOTE_ADOPT,   /* all of it is taken over */
	NOTE_UPDATE,  /* the maps are taken over, and get the programs of this build */
	NOTE_REPLACE, /* a set of its own is made, and takes the place of that one */
	NOTE_LEAVE,   /* nothing is touched, and nothing pinned */
	_NOTE_ACTION_MAX,
};

/* @note is looked at where @state is NOTE_GOOD. @backend is the one that would be attached.
 */
enum note_action note_decide(enum note_state state, const struct note *note, uint64_t build_id,
			     enum backend backend);

/* FNV-1a: @hash is that of what came before, or NOTE_HASH_INIT. */
#define NOTE_HASH_INIT 0xcbf29ce484222325ULL
uint64_t note_hash(uint64_t hash, const void *data, size_t size);

/* As loader_hash_rules(). */
uint64_t note_hash_rules(const struct config *c);

#endif
