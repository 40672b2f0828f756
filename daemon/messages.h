/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The MESSAGE_ID of each kind of journal entry. Public: people and programs match on them, so an
 * id never changes its meaning. Each has a text in systemd/oompolicyd.catalog; a test holds the
 * two lists together.
 */
#ifndef OP_MESSAGES_H
#define OP_MESSAGES_H

#define MESSAGE_ID_KILL "095b20a1263f4798b369550b0ce93f2f"
#define MESSAGE_ID_NO_OPINION "2fa0258d21e84224a17a11e0c72e0c5c"
#define MESSAGE_ID_KERNEL_KILL "675d459c84364fc7b38880b7cbf21747"
#define MESSAGE_ID_NOBODY "bde45ad3e56f46cfb232d5b30c611c3b"
#define MESSAGE_ID_WAITING "e13b10c29b9d4ed2b47f92203f1137c7"
#define MESSAGE_ID_FREED "ec6dd499ae904697a1c9e707ed6a0667"
#define MESSAGE_ID_RECORDS_LOST "93485ea9ed744c5fa0e62b4412789f47"
#define MESSAGE_ID_POLICY_ACTIVE "fbf89a43cb1940d58c0d85211a2eb772"
#define MESSAGE_ID_POLICY_INACTIVE "be047c40413e4417b987156cfe69e541"
#define MESSAGE_ID_POLICY_DETACHED "948968d5d7ca4914ae1c93b012d08ee8"
#define MESSAGE_ID_NOT_PINNED "f35400cfc84344798a76534ec4eb209e"
#define MESSAGE_ID_POLICY_ADOPTED "61ed6a81630e47038b396dc3fb8e7317"
#define MESSAGE_ID_POLICY_KEPT "579354bba4614b0a88a06349f8d7d233"
#define MESSAGE_ID_RELOAD_FAILED "a35558c7088a4c5fbbd755394708299d"
#define MESSAGE_ID_OOM_CONTROL "04f5053bb7984dfc88e07d24b5c6e16f"

#endif
