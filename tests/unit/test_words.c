/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The words of the public interface: found by their values and the other way round. */
#include "api/words.h"

#include <errno.h>

#include "bpf/oompolicy.h"
#include "test.h"
#include "util/basic.h"

static const struct words *const all[] = {
	&words_backend, &words_constraint, &words_decision, &words_exception,
	&words_freed,	&words_group,	   &words_kill,	    &words_never,
	&words_outcome, &words_reason,	   &words_runner,   &words_victim,
};

/* Each value from the first that has one to the last has a word of its own. */
static void test_each_value_has_its_word(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		uint32_t first = word_get(all[i], 0) ? 0 : 1;

		for (uint32_t value = first; value < all[i]->n; value++) {
			const char *word = word_get(all[i], value);

			if (!word)
				FAIL("value %u of list %zu has no word", value, i);
			CHECK_INT(word_find(all[i], word), value);
			CHECK(word_is(word, all[i], value));
			CHECK_STR(word_describe(all[i], word), word_text(all[i], value));
		}
		CHECK(!word_get(all[i], (uint32_t)all[i]->n));
		CHECK(!word_text(all[i], (uint32_t)all[i]->n));
	}
}

/* What programs match on stays. */
static void test_words_stay(void)
{
	CHECK_STR(word_get(&words_decision, OP_DECISION_NONE), "no-opinion");
	CHECK_STR(word_get(&words_reason, OP_REASON_UNFINISHED), "unfinished");
	CHECK_STR(word_get(&words_reason, OP_REASON_UNSEEN), "unseen");
	CHECK_STR(word_get(&words_constraint, 2), "memory-policy");
	CHECK_STR(word_get(&words_kill, API_KILL_UNSET), "");
	CHECK_STR(word_get(&words_exception, API_EXCEPTION_NONE), "");
	CHECK_STR(word_get(&words_backend, OP_BACKEND_NONE), "auto");
}

/* A daemon of a later version may send what is not known here. */
static void test_unknown_words(void)
{
	CHECK_INT(word_find(&words_never, "of-a-later-version"), -EINVAL);
	CHECK(!word_is("of-a-later-version", &words_never, OP_NEVER_INIT));
	CHECK(!word_is("init", &words_never, 1000));
	CHECK_STR(word_describe(&words_never, "of-a-later-version"), "of-a-later-version");
	CHECK_STR(word_describe(&words_never, "dying"), "dying already");
	CHECK_STR(word_describe(&words_never, "protected"), "protected");
}

static void test_lists(void)
{
	char buf[WORDS_SIZE];

	CHECK_STR(words_format(&words_victim, buf), "largest, badness, newest or oldest");
	CHECK_STR(words_format(&words_kill, buf), "process or cgroup");
	CHECK_STR(words_format(&words_freed, buf), "exit or reaper");
}

static const struct test_case cases[] = {
	TEST_CASE(each_value_has_its_word),
	TEST_CASE(words_stay),
	TEST_CASE(unknown_words),
	TEST_CASE(lists),
};
TEST_MAIN(cases)
