/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What other programs do to the policies, told by a loader that only says so. */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <systemd/sd-event.h>

#include "daemon/attachments.h"
#include "daemon/kernel/loader.h"
#include "daemon/warnings.h"
#include "test.h"
#include "util/basic.h"

/* The other side. */
static struct {
	int detach_fd;
	bool attached, refuses;
	bool was_told; /* that it was detached */
	unsigned n_restores;
	struct loader_other others[LOADER_OTHERS_MAX];
	int n_others;
	char pins[64]; /* the directory; empty: there is none */
	unsigned n_missing, n_restored;
	bool abandoned;
} kernel;

static unsigned n_changes;

int loader_detach_fd(const struct loader *l)
{
	(void)l;
	return kernel.detach_fd;
}

const char *loader_next_detached(struct loader *l)
{
	uint64_t n;

	(void)l;
	if (kernel.was_told)
		return NULL;
	kernel.was_told = true;
	CHECK(read(kernel.detach_fd, &n, sizeof(n)) == sizeof(n));
	return "mine";
}

int loader_restore(struct loader *l, char why[static LOADER_WHY_SIZE])
{
	(void)l;
	kernel.n_restores++;
	if (kernel.refuses) {
		snprintf(why, LOADER_WHY_SIZE, "Not now.");
		return LOADER_E_KERNEL;
	}
	kernel.attached = true;
	return 0;
}

void loader_acquire_policies(const struct loader *l, struct loader_policies *ret)
{
	(void)l;
	*ret = (struct loader_policies){.items = {{.name = "mine", .attached = kernel.attached}},
					.n = 1};
}

const char *loader_order_to_string(enum loader_order order)
{
	(void)order;
	return "some";
}

int loader_find_others(const struct loader *l, struct loader_other items[static LOADER_OTHERS_MAX])
{
	(void)l;
	memcpy(items, kernel.others, sizeof(kernel.others));
	return kernel.n_others;
}

int loader_watch_others(struct loader *l)
{
	(void)l;
	return -EPERM;
}

void loader_unwatch_others(struct loader *l)
{
	(void)l;
}

void loader_consume_others(struct loader *l, loader_attached_t attached, void *userdata)
{
	(void)l;
	(void)attached;
	(void)userdata;
}

void loader_describe_pins(const struct loader *l, char *buf, size_t size)
{
	(void)l;
	snprintf(buf, size, "%s", kernel.pins);
}

unsigned loader_count_missing_pins(const struct loader *l)
{
	(void)l;
	return kernel.n_missing;
}

int loader_restore_pins(struct loader *l)
{
	(void)l;
	kernel.n_missing = 0;
	kernel.n_restored++;
	(void)mkdir(kernel.pins, 0700);
	return 0;
}

void loader_abandon_pins(struct loader *l, const char *why)
{
	(void)l;
	CHECK(strstr(why, "goes on removing"));
	kernel.abandoned = true;
	kernel.n_missing = 0;
	kernel.pins[0] = '\0';
}

static void note_change(void *userdata)
{
	(void)userdata;
	n_changes++;
}

static struct attachments *begin(struct sd_event **ret_event)
{
	struct attachments *g = NULL;

	kernel.detach_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	CHECK(kernel.detach_fd >= 0);
	kernel.attached = kernel.was_told = true;
	kernel.refuses = false;
	kernel.n_restores = 0;
	kernel.n_others = 0;
	n_changes = 0;
	CHECK(sd_event_new(ret_event) >= 0);
	CHECK_INT(attachments_new(*ret_event, NULL, note_change, NULL, &g), 0);
	attachments_watch_others(g, *ret_event);
	return g;
}

static void end(struct attachments *g, struct sd_event *event)
{
	attachments_free(g);
	sd_event_unref(event);
	close(kernel.detach_fd);
}

static void detach(struct sd_event *event)
{
	const uint64_t one = 1;

	kernel.attached = kernel.was_told = false;
	CHECK(write(kernel.detach_fd, &one, sizeof(one)) == sizeof(one));
	CHECK(sd_event_run(event, 1000000) > 0);
}

static size_t n_warnings(const struct attachments *g)
{
	struct warnings warnings = {};

	attachments_acquire_warnings(g, &warnings);
	return warnings.n;
}

/* Attached again each time, up to the limit, and not after it until the administrator says so. */
static void test_fight(void)
{
	struct sd_event *event;
	struct attachments *g = begin(&event);

	for (unsigned i = 1; i <= ATTACHMENTS_RESTORES_MAX; i++) {
		detach(event);
		CHECK(kernel.attached);
		CHECK_INT(kernel.n_restores, i);
		CHECK_INT(n_warnings(g), 0);
	}
	detach(event);
	CHECK(!kernel.attached);
	CHECK_INT(kernel.n_restores, ATTACHMENTS_RESTORES_MAX);
	CHECK_INT(n_warnings(g), 1);
	CHECK_INT(n_changes, ATTACHMENTS_RESTORES_MAX + 1);

	attachments_retry(g);
	CHECK(kernel.attached);
	CHECK_INT(n_warnings(g), 0);
	detach(event);
	CHECK(kernel.attached);
	end(g, event);
}

/* A kernel that refuses is asked again, and by a timer. */
static void test_refused(void)
{
	struct sd_event *event;
	struct attachments *g = begin(&event);

	kernel.refuses = true;
	detach(event);
	CHECK(!kernel.attached);
	kernel.refuses = false;
	CHECK(sd_event_run(event, 10000000) > 0);
	CHECK(kernel.attached);
	CHECK_INT(kernel.n_restores, 2);
	/* No timer is left. */
	CHECK_INT(sd_event_run(event, 0), 0);
	end(g, event);
}

static void test_others(void)
{
	struct warnings warnings = {};
	struct sd_event *event;
	struct attachments *g = begin(&event);

	kernel.others[0] = (struct loader_other){
		.hook = "hook",
		.name = "the\033irs",
		.link_id = 7,
		.program_id = 8,
		.order = LOADER_ORDER_BEFORE,
	};
	kernel.n_others = 1;
	attachments_look(g);
	attachments_look(g);
	CHECK_INT(n_changes, 1);
	attachments_acquire_warnings(g, &warnings);
	CHECK_INT(warnings.n, 1);
	CHECK_STR(warnings.items[0],
		  "Another program's 'the\\x1birs' (hook, link 7, program 8) is asked before "
		  "these policies: what it kills for they never see.");
	/* What comes first may change, when ours are attached again. */
	kernel.others[0].order = LOADER_ORDER_AFTER;
	attachments_look(g);
	CHECK_INT(n_changes, 2);
	kernel.n_others = 0;
	attachments_look(g);
	attachments_look(g);
	CHECK_INT(n_changes, 3);
	CHECK_INT(n_warnings(g), 0);
	/* More than there is room for. */
	for (uint32_t i = 0; i < LOADER_OTHERS_MAX; i++)
		kernel.others[i] = (struct loader_other){.hook = "hook", .link_id = i + 1};
	kernel.n_others = LOADER_OTHERS_MAX + 3;
	attachments_look(g);
	CHECK_INT(n_warnings(g), LOADER_OTHERS_MAX + 1);
	end(g, event);
}

/* Takes the directory away, as others may, and waits for what comes of it. */
static void remove_pins(struct sd_event *event, unsigned n_missing)
{
	unsigned changes = n_changes;

	kernel.n_missing = n_missing;
	CHECK(rmdir(kernel.pins) == 0);
	for (int i = 0; i < 10 && kernel.n_missing && n_changes == changes; i++)
		CHECK(sd_event_run(event, 1000000) >= 0);
}

/* They are made again, in a directory that is watched again, up to the limit. */
static void test_pins(void)
{
	struct sd_event *event;
	struct attachments *g;

	snprintf(kernel.pins, sizeof(kernel.pins), "/tmp/test_attachments.XXXXXX");
	CHECK(mkdtemp(kernel.pins));
	g = begin(&event);
	for (unsigned i = 1; i <= ATTACHMENTS_RESTORES_MAX; i++) {
		remove_pins(event, i);
		CHECK_INT(kernel.n_restored, i);
		CHECK_INT(n_changes, i);
	}
	remove_pins(event, 1);
	CHECK_INT(kernel.n_restored, ATTACHMENTS_RESTORES_MAX);
	CHECK(kernel.abandoned);
	end(g, event);
}

static const struct test_case cases[] = {
	TEST_CASE(pins),
	TEST_CASE(fight),
	TEST_CASE(refused),
	TEST_CASE(others),
};
TEST_MAIN(cases)
