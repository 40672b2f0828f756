# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=400 kernels=trixie,v2,posted extra=bookworm
#
# The victim tables whose OOM is that of a cgroup: first with the kernel alone, then with policies
# of the tests' own, then with the daemon.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/oomtest-lib.bash
. oomtest-lib.bash

plan $(($(tables_count no-daemon no-daemon,module daemon,existing daemon) + 2))

tables no-daemon
modprobe bpf_oom
tables no-daemon,module

config_write_tables
oomtest --needs=daemon,existing create
daemon_start
records_begin
tables daemon,existing
tables daemon
run_test one-record-a-kill test_one_record_a_kill
run_test no-opinion-is-recorded test_no_opinion_is_recorded
