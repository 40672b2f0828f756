/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The names of the bus interface, for the daemon and for oompolicyctl. Public: see
 * org.oompolicyd1(5). */
#ifndef OP_BUS_NAMES_H
#define OP_BUS_NAMES_H

#define BUS_NAME "org.oompolicyd1"
#define BUS_PATH "/org/oompolicyd1"
#define BUS_INTERFACE "org.oompolicyd1.Manager"

#define BUS_ERROR_CONFIGURATION "org.oompolicyd1.Error.Configuration" /* it has errors */
#define BUS_ERROR_NO_SUCH_CGROUP "org.oompolicyd1.Error.NoSuchCgroup"
#define BUS_ERROR_BUSY "org.oompolicyd1.Error.Busy" /* another OOM is being handled */
#define BUS_ERROR_FAILED "org.oompolicyd1.Error.Failed"

#define BUS_ACTION_RELOAD "org.oompolicyd1.reload"
#define BUS_ACTION_DECLARE "org.oompolicyd1.declare"

/* Where the system bus listens (D-Bus Specification, "Well-known Message Bus Instances"). */
#define BUS_SYSTEM_SOCKET "/run/dbus/system_bus_socket"

#endif
