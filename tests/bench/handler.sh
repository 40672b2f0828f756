# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=2048 cpus=2 timeout=300
#
# What the handler costs, as the record tells it, for OOM domains of 10, 100 and 1000 cgroups with
# one process each, with and without runners-up: nanoseconds to choose, and in all. The second
# contains the kill and the kernel's report, which is as slow as the console. All have the same
# priority, so that the choice looks at each of them; bench_search has other rules.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh

readonly ROOT=/sys/fs/cgroup/bench

bench_teardown()
{
	[[ -d $ROOT ]] || return 0
	echo 1 >$ROOT/cgroup.kill
	wait_for 60 "the processes to be gone" grep -q 'populated 0' $ROOT/cgroup.events
	find $ROOT -mindepth 1 -type d -exec rmdir {} +
	rmdir $ROOT
}

# One OOM in $ROOT, of a process that is the largest of it; adds to SELECT_NSEC and HANDLER_NSEC.
measure()
{
	local hog cgroups record="MESSAGE_ID=$MESSAGE_ID_KILL"
	log_mark
	rm -f /run/hog-bench
	spawn $ROOT/hog memhog /run/hog-bench 8M 64M
	hog=$!
	wait_for 20 "the hog to be filled" test -e /run/hog-bench
	echo $(($(<$ROOT/memory.current) + (4 << 20))) >$ROOT/memory.max
	kill -USR1 "$hog"
	journal_wait 30 "the record" "$record"
	echo max >$ROOT/memory.max
	assert_eq "the victim" "$(journal_field OOMPOLICY_VICTIM_CGROUP "$record")" /bench/hog
	wait "$hog" || :
	cgroups=$(journal_field OOMPOLICY_CGROUPS "$record")
	((cgroups >= $1)) || fail "the handler looked at $cgroups cgroups, $1 were made"
	SELECT_NSEC+=("$(journal_field OOMPOLICY_SELECT_NSEC "$record")")
	HANDLER_NSEC+=("$(journal_field OOMPOLICY_HANDLER_NSEC "$record")")
	((SELECT_NSEC[-1] > 0 && SELECT_NSEC[-1] <= HANDLER_NSEC[-1])) ||
		fail "it took ${SELECT_NSEC[-1]} ns to choose and ${HANDLER_NSEC[-1]} ns in all"
}

# figure_median NAME NSEC...
figure_median()
{
	local name=$1
	shift
	printf 'nanoseconds: %s\n' "$*"
	figure "$name" "$(printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p")" "ns, the median of $#"
}

# bench_runners N SUFFIX RUNNERS
bench_runners()
{
	local i SELECT_NSEC=() HANDLER_NSEC=()
	printf '[Daemon]\nRunnersUp=%d\n[Policy bench]\n' "$3" | config_write
	oompolicyd --reload >/dev/null
	for i in 1 2 3 4 5; do
		measure "$1"
	done
	figure_median "select_$1_cgroups$2" "${SELECT_NSEC[@]}"
	figure_median "handler_$1_cgroups$2" "${HANDLER_NSEC[@]}"
}

bench_cgroups()
{
	local n=$1 i
	bench_teardown
	mkdir -p $ROOT/hog
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	echo +memory >$ROOT/cgroup.subtree_control
	for ((i = 1; i < n; i++)); do
		mkdir $ROOT/c$i
		spawn $ROOT/c$i sleep infinity
	done
	bench_runners "$n" '' 8
	bench_runners "$n" _no_runners 0
	bench_teardown
}

# Or the report has a line for each process, and is nearly all that the handler costs.
sysctl -q vm.oom_dump_tasks=0
plan 3
daemon_start
run_test cgroups_10 bench_cgroups 10
run_test cgroups_100 bench_cgroups 100
run_test cgroups_1000 bench_cgroups 1000
