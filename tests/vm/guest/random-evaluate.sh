# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=600 extra=bookworm,sid,v2
#
# The first random tables of random.sh and random-language.sh once more, with the backend evaluate_task:
# the same tables, and the same model that has to be right about both. `random-evaluate.sh SEED`
# takes another seed.
# shellcheck disable=SC2034 # for oomtest-lib.bash
BACKEND=evaluate_task
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/oomtest-lib.bash
. oomtest-lib.bash

readonly COUNT=45 COUNT_LANGUAGE=25
seed=${1:-1}

plan $((COUNT + COUNT_LANGUAGE + 3))

config_write_tables
daemon_start
run_test backend-is-in-use test_backend_is_in_use
records_begin
random daemon $COUNT "$seed"
random daemon,language $COUNT_LANGUAGE "$seed"
run_test one-record-a-kill test_one_record_a_kill
run_test no-opinion-is-recorded test_no_opinion_is_recorded
