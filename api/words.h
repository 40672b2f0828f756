/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words of the public interface, each with what it means to people. Programs match on the
 * words, so a word never changes its meaning; the texts may.
 */
#ifndef OP_API_WORDS_H
#define OP_API_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct word {
	const char *word; /* NULL: there is none for this value */
	const char *text; /* NULL: the word says it all */
};

/* The words of one kind by their values. */
struct words {
	const struct word *items;
	size_t n;
};

/* What is killed with a victim: values of Kill=. */
enum api_kill {
	API_KILL_UNSET,
	API_KILL_PROCESS,
	API_KILL_CGROUP,
	_API_KILL_MAX,
};

/* What takes others along with a victim. */
enum api_group {
	API_GROUP_NONE,
	API_GROUP_KILL_CGROUP, /* Kill=cgroup: all of what the rule matches */
	API_GROUP_OOM_GROUP,   /* memory.oom.group, where no rule sets Kill= */
	_API_GROUP_MAX,
};

/* What an OOM would come to. */
enum api_outcome {
	API_OUTCOME_KILL,
	API_OUTCOME_WAIT,
	API_OUTCOME_KERNEL,
	_API_OUTCOME_MAX,
};

/* Why it would be left to the kernel. */
enum api_exception {
	API_EXCEPTION_NONE,
	API_EXCEPTION_NO_POLICY,
	API_EXCEPTION_DETACHED,
	API_EXCEPTION_ALL_PROTECTED,
	API_EXCEPTION_NO_CANDIDATE,
	_API_EXCEPTION_MAX,
};

extern const struct words words_backend;    /* OP_BACKEND_*; none: "auto" */
extern const struct words words_constraint; /* enum oom_constraint of include/linux/oom.h */
extern const struct words words_decision;   /* OP_DECISION_* */
extern const struct words words_exception;  /* enum api_exception */
extern const struct words words_freed;	    /* OP_FREED_* */
extern const struct words words_group;	    /* enum api_group */
extern const struct words words_kill;	    /* enum api_kill */
extern const struct words words_never;	    /* OP_NEVER_* */
extern const struct words words_outcome;    /* enum api_outcome */
extern const struct words
	words_reason; /* OP_REASON_*; the text goes on after "left to the kernel, " */
extern const struct words words_runner; /* OP_RUNNER_* */
extern const struct words words_victim; /* OP_VICTIM_*; the text goes on after "within one " */

/* The word of a value; NULL where there is none. */
const char *word_get(const struct words *w, uint32_t value);

/* Its text, or the word where it has none; NULL as above. */
const char *word_text(const struct words *w, uint32_t value);

/* Whether @word is the one of @value. */
bool word_is(const char *word, const struct words *w, uint32_t value);

/* The value of a word, or -EINVAL. */
int word_find(const struct words *w, const char *word);

/* Room for "a, b or c" of any list. */
#define WORDS_SIZE 256

/* All words of a list, "a, b or c", without one that is empty. Returns @buf. */
char *words_format(const struct words *w, char buf[static WORDS_SIZE]);

/* The text of a word; the word itself where it is not known here, as a later version may have more,
 * or where it has none. */
const char *word_describe(const struct words *w, const char *word);

#endif
