# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# All parts of the tools but those that run tests, in the order in which they need each other. Sourced
# by scripts that have set TOP to the root of the tree.
. "$TOP/tools/lib/common.sh"
. "$TOP/tools/lib/kernels.sh"
. "$TOP/tools/lib/host.sh"
. "$TOP/tools/lib/archive.sh"
. "$TOP/tools/lib/root.sh"
. "$TOP/tools/lib/image.sh"
. "$TOP/tools/lib/cache.sh"
. "$TOP/tools/lib/package.sh"
. "$TOP/tools/lib/build.sh"
. "$TOP/tools/lib/machine.sh"
