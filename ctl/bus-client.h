/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Asks the daemon. Beside bus-values.c the one file of oompolicyctl that knows sd-bus. */
#ifndef OP_BUS_CLIENT_H
#define OP_BUS_CLIENT_H

struct explanation;
struct ranking;
struct status_report;
struct tree;

/* Room for the sentence that each failure comes with, with the terminating NUL. */
#define BUS_CLIENT_WHY_SIZE 1200

/*
 * Each function returns 0 or a negative errno with a sentence in @why:
 *   -ENOTCONN    no bus, or no daemon on it
 *   -EACCES      not permitted
 *   -EBADMSG     the configuration has errors
 *   -EINVAL      the path is none of a cgroup
 *   -EOPNOTSUPP  this daemon or kernel cannot do it
 *   -ENOENT      there is no such cgroup
 *   -EIO         anything else
 * Paths may be any bytes.
 */

/* What they fill in is the caller's, to be given to *_done(). They never start the daemon. */
int bus_client_get_status(struct status_report *ret, char why[static BUS_CLIENT_WHY_SIZE]);
int bus_client_get_tree(const char *cgroup, struct tree *ret, char why[static BUS_CLIENT_WHY_SIZE]);
int bus_client_explain(const char *cgroup, struct explanation *ret,
		       char why[static BUS_CLIENT_WHY_SIZE]);

int bus_client_get_ranking(const char *cgroup, struct ranking *ret,
			   char why[static BUS_CLIENT_WHY_SIZE]);

void status_report_done(struct status_report *s);
void tree_done(struct tree *t);
void ranking_done(struct ranking *l);
void explanation_done(struct explanation *e);

/* These change something. The daemon's sentence is in @why also where they succeed. */
int bus_client_reload(char why[static BUS_CLIENT_WHY_SIZE]);
int bus_client_declare(const char *cgroup, char why[static BUS_CLIENT_WHY_SIZE]);

#endif
