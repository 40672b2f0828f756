# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=400 extra=bookworm,sid
#
# The victim tables of victims.sh once more, with the backend evaluate_task: the
# same victims.
# shellcheck disable=SC2034 # for oomtest-lib.bash
BACKEND=evaluate_task
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/oomtest-lib.bash
. oomtest-lib.bash

plan $(($(tables_count daemon,existing daemon) + 3))

config_write_tables
oomtest --backend="$BACKEND" --needs=daemon,existing create
daemon_start
run_test backend-is-in-use test_backend_is_in_use
records_begin
tables daemon,existing
tables daemon
run_test one-record-a-kill test_one_record_a_kill
run_test no-opinion-is-recorded test_no_opinion_is_recorded
