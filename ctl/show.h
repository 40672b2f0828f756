/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Turns what is known into what is printed: for people, or as JSON. Each writes to the terminal's
 * stream alone, asks nobody, and returns 0, -ENOMEM, or -EIO.
 */
#ifndef OP_SHOW_H
#define OP_SHOW_H

#include <stdint.h>

#include "json.h"
#include "term.h"

struct entry;
struct explanation;
struct ranking;
struct status_report;
struct tree;

/* @now_usec: CLOCK_REALTIME, for how long ago something was. */
int show_status(const struct status_report *s, uint64_t now_usec, enum json_mode mode,
		const struct term *t);

/* OpenMetrics text (https://openmetrics.io), which Prometheus and others read. */
int show_metrics(const struct status_report *s, const struct term *t);

/* After tree_acquire() and tree_sort(). */
int show_tree(const struct tree *tree, enum json_mode mode, const struct term *t);

/* Of the processes the @n_first that come first, or with SIZE_MAX all. */
int show_ranking(const struct ranking *ranking, size_t n_first, enum json_mode mode,
		 const struct term *t);

int show_explanation(const struct explanation *e, enum json_mode mode, const struct term *t);

/* One line a record. The heading comes by itself, as records may come one by one. */
void show_record_heading(const struct term *t);
int show_record_line(const struct entry *e, const struct term *t);

/* All of a record. */
int show_record(const struct entry *e, const struct term *t);

/* The caller's; NULL when memory is out. */
struct json *record_to_json(const struct entry *e);

#endif
