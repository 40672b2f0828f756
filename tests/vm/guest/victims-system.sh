# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=400 cpus=2 timeout=300 extra=bookworm
#
# The victim tables whose OOM is that of the whole, small machine. Every other process has the
# default priority, which is above the victims'.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/oomtest-lib.bash
. oomtest-lib.bash

plan $(($(tables_count no-daemon,small daemon,small) + 1))

swapoff -a
tables no-daemon,small
config_write_tables
daemon_start
records_begin
tables daemon,small
run_test one-record-a-kill test_one_record_a_kill
