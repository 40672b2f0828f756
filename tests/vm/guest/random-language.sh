# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=400 extra=bookworm,sid,posted
#
# Random tables of the whole language against the reference model: several policies with each
# Victim=, Kill=, and memory.oom.group. `random-language.sh SEED` takes another seed.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/oomtest-lib.bash
. oomtest-lib.bash

readonly COUNT=50
seed=${1:-1}

plan $((COUNT + 3))

config_write_tables
daemon_start
records_begin
random daemon,language $COUNT "$seed"
run_test one-record-a-kill test_one_record_a_kill
run_test members-are-recorded test_members_are_recorded
run_test no-opinion-is-recorded test_no_opinion_is_recorded
