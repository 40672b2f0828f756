# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=400 extra=bookworm,sid
#
# language.sh once more, with the backend evaluate_task: what it can do of the language is the same,
# reloads in the middle of OOMs too.
# shellcheck disable=SC2034 # for oomtest-lib.bash
BACKEND=evaluate_task
# shellcheck source=tests/vm/guest/language.sh
. language.sh
