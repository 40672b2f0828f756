# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=500 extra=bookworm,sid,v2,posted
#
# Random tables against the reference model, which has to be right about the daemon's Rank before each
# OOM, too: the whole order, and who dies with whom. The few without the daemon hold the model's idea of
# the kernel's own choice against the kernel. `random.sh SEED` takes another seed.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/oomtest-lib.bash
. oomtest-lib.bash

readonly COUNT=50 COUNT_KERNEL=15
seed=${1:-1}

plan $((COUNT + COUNT_KERNEL + 2))

random no-daemon $COUNT_KERNEL "$seed"
config_write_tables
daemon_start
records_begin
random daemon $COUNT "$seed"
run_test one-record-a-kill test_one_record_a_kill
run_test no-opinion-is-recorded test_no_opinion_is_recorded
