/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The services that oompolicyctl meets on the bus of test_bus.c: ours, which answers with made-up
 * facts, and a polkit that says yes to a reload, asks for a password for an OOM, and says no to the
 * rest. Each is a process of its own, which ends with SIGTERM.
 */
#ifndef OP_BUS_SERVICE_H
#define OP_BUS_SERVICE_H

/* Both return the status to exit with. */
int bus_service_run(void);
int bus_service_run_polkit(void);

#endif
