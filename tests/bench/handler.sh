# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=2048 cpus=2 timeout=300
#
# What the handler costs: nanoseconds from its start to the end of the kill, as the record tells
# them, for OOM domains of 10, 100 and 1000 cgroups with one process each.
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

# In the cgroup $1 from its first instruction on.
spawn()
{
	local cgroup=$1
	shift
	(
		echo "$BASHPID" >"$cgroup/cgroup.procs"
		exec "$@"
	) &
}

# One OOM in $ROOT, of a process that is the largest of it; prints what the handler took.
measure()
{
	log_mark
	rm -f /run/hog-bench
	spawn $ROOT/hog memhog /run/hog-bench 8M 64M
	wait_for 20 "the hog to be filled" test -e /run/hog-bench
	echo $(($(<$ROOT/memory.current) + (4 << 20))) >$ROOT/memory.max
	kill -USR1 "$(<$ROOT/hog/cgroup.procs)"
	journal_wait 30 "the record" MESSAGE_ID="$MESSAGE_ID_KILL"
	echo max >$ROOT/memory.max
	assert_eq "the victim" "$(journal_field OOMPOLICY_VICTIM_CGROUP MESSAGE_ID="$MESSAGE_ID_KILL")" /bench/hog
	local cgroups
	cgroups=$(journal_field OOMPOLICY_CGROUPS MESSAGE_ID="$MESSAGE_ID_KILL")
	((cgroups >= $1)) || fail "the handler looked at $cgroups cgroups, $1 were made"
	journal_field OOMPOLICY_HANDLER_NSEC MESSAGE_ID="$MESSAGE_ID_KILL"
}

bench_cgroups()
{
	local n=$1 i samples=()
	bench_teardown
	mkdir -p $ROOT/hog
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	echo +memory >$ROOT/cgroup.subtree_control
	for ((i = 1; i < n; i++)); do
		mkdir $ROOT/c$i
		spawn $ROOT/c$i sleep infinity
	done
	for i in 1 2 3 4 5; do
		samples+=("$(measure "$n")")
	done
	bench_teardown
	printf 'nanoseconds: %s\n' "${samples[*]}"
	figure "handler_${n}_cgroups" "$(printf '%s\n' "${samples[@]}" | sort -n | sed -n 3p)" "ns, the median of 5"
}

plan 3
config_write <<'END'
[Policy bench]
END
daemon_start
run_test cgroups_10 bench_cgroups 10
run_test cgroups_100 bench_cgroups 100
run_test cgroups_1000 bench_cgroups 1000
