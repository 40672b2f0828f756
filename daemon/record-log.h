/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The way of an OOM's record: from the kernel's ring to the journal, and to those in the daemon
 * that want to know of it.
 */
#ifndef OP_RECORD_LOG_H
#define OP_RECORD_LOG_H

#include <stddef.h>
#include <stdint.h>

struct config;
struct loader;
struct record_log;
struct op_oom_record;
struct record_text;
struct sd_event;

/* Called for each OOM after its entry was sent, with a checked record (see record_decode_oom()) and
 * its text, both valid during the call. */
typedef void (*record_log_seen_t)(const struct op_oom_record *e, const struct record_text *text,
				  void *userdata);

/* Makes all that is needed while memory is short. Returns 0 and what the caller owns, or -ENOMEM.
 */
int record_log_new(record_log_seen_t seen, void *userdata, struct record_log **ret);

/* Lets go of the loader, see record_log_set_loader(). Takes NULL; returns NULL. */
struct record_log *record_log_free(struct record_log *l);

/* Takes one record of the ring, as loader_callbacks.oom with the log as userdata. */
int record_log_take(const void *data, size_t size, void *userdata);

/* Reads the ring of @loader, which must outlive the log or be taken back by NULL, and goes on where
 * the daemon before this one was. */
void record_log_set_loader(struct record_log *l, struct loader *loader);

/* The configuration that is active from here on, known as @number: it gives the rules of records
 * their names. @config must outlive the next call, which copies what is needed of it. */
void record_log_set_config(struct record_log *l, const struct config *config, uint32_t number);

/* The names of the rules of a configuration that another daemon had, and that is not active here.
 */
void record_log_add_names(struct record_log *l, const struct config *config, uint32_t number);

/* Reads records whenever there are some. Returns 0 or a negative errno. */
int record_log_watch(struct record_log *l, struct sd_event *event);

/* Reads those that wait now. Where the journal takes none, it goes on with them in a while. Returns
 * 0, or a negative errno of the event loop. */
int record_log_consume(struct record_log *l);

/* At the end: reads the last ones, and waits a few seconds for the journal to take them. */
void record_log_drain(struct record_log *l);

#endif
