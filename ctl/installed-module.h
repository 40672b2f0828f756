/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which module this machine would load. Beside it nothing in oompolicyctl knows libkmod. */
#ifndef OP_INSTALLED_MODULE_H
#define OP_INSTALLED_MODULE_H

/*
 * The version of the module that modprobe(8) would load now. @directory is the kernel's folder of
 * modules; NULL: that of the running kernel. Returns 1 and a text for the caller to free, which is
 * not escaped; 0 where no module is installed, or it has no version; a negative errno: -ENOENT
 * where the folder is not there.
 */
int installed_module_acquire_version(const char *directory, char **ret);

#endif
