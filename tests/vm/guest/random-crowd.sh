# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=400 extra=bookworm,posted
#
# Random tables in domains of so many cgroups that the policy searches them by the order of
# priorities, against the same model. `random-crowd.sh SEED` takes another seed.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/oomtest-lib.bash
. oomtest-lib.bash

readonly COUNT=30 CROWD=300
seed=${1:-2}

# A search by the order looks at fewer cgroups than there are; where no victim comes before the
# default priority all of them are looked at. How many tables are of which kind is the seed's affair.
test_the_order_was_used()
{
	local all few
	all=$(records_of_kills OOMPOLICY_CGROUPS | wc -l)
	few=$(records_of_kills OOMPOLICY_CGROUPS | awk -v crowd="$CROWD" '$1 < crowd' | wc -l)
	echo "# $few of $all searches by the order"
	((few > 0 && few < all)) || fail "$few of $all searches used the order"
}

records_of_kills()
{
	journalctl -q -o cat --output-fields="$1" --since="$RECORDS_SINCE" \
		-u oompolicyd.service MESSAGE_ID="$MESSAGE_ID_KILL"
}

plan $((COUNT + 3))

config_write_tables
daemon_start
records_begin
random daemon,language $COUNT "$seed" --crowd=$CROWD
run_test one-record-a-kill test_one_record_a_kill
run_test no-opinion-is-recorded test_no_opinion_is_recorded
run_test the-order-was-used test_the_order_was_used
