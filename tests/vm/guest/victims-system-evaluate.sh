# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=400 cpus=2 timeout=300 extra=bookworm,sid,v2
#
# The victim tables of victims-system.sh once more, with the backend evaluate_task.
# shellcheck disable=SC2034 # for oomtest-lib.bash
BACKEND=evaluate_task
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/oomtest-lib.bash
. oomtest-lib.bash

plan $(($(tables_count daemon,small) + 1))

swapoff -a
config_write_tables
daemon_start
records_begin
tables daemon,small
run_test one-record-a-kill test_one_record_a_kill
