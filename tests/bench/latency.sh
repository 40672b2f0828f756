# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=300
#
# How long it takes until an OOM is in the journal, by the clock of both: from the kill, which is
# the last thing before the record, and from the moment the policy was asked, which adds its choice
# and the kernel's own report on a console.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/records-lib.bash
. records-lib.bash

readonly ROOT=/sys/fs/cgroup/latency
readonly RUNS=50
readonly TARGET_USEC=20000

# figure_median NAME < MICROSECONDS: leaves it in MEDIAN too.
figure_median()
{
	local values
	mapfile -t values < <(sort -n)
	assert_eq "the values of $1" ${#values[@]} $RUNS
	MEDIAN=${values[RUNS / 2]}
	printf '%s: %s\n' "$1" "${values[*]}"
	figure "$1" "$MEDIAN" "us, the median of $RUNS; the longest: ${values[-1]}"
}

bench_latency()
{
	local i
	mkdir -p $ROOT/{keep,hog}
	for ((i = 0; i < RUNS; i++)); do
		assert_eq "the OOM" "$(oomstorm burst $ROOT $ROOT/{keep,hog} 1)" "1 kept"
		# One at a time: a burst is read in one go.
		sleep 0.1
	done
	wait_for 20 "the records" records_are $RUNS
	records "$MESSAGE_ID_KILL" __MONOTONIC_TIMESTAMP OOMPOLICY_KTIME_USEC OOMPOLICY_HANDLER_NSEC >/run/times
	figure_median record_after_oom < <(awk '{ print $1 - $2 }' /run/times)
	figure_median record_after_kill < <(awk '{ printf "%d\n", $1 - $2 - $3 / 1000 }' /run/times)
	((MEDIAN <= TARGET_USEC)) || fail "$MEDIAN us are more than $TARGET_USEC"
}

plan 1
config_write <<'END'
[Policy latency]

[Rule keep]
Cgroup=/latency/keep
Priority=900
END
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
daemon_start
run_test latency bench_latency
