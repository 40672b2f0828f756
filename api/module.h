/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The name of the module that gives stock kernels the hooks. */
#ifndef OP_MODULE_H
#define OP_MODULE_H

#define KERNEL_MODULE "bpf_oom"

#endif
