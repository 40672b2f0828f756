# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=3072 cpus=2 timeout=400
#
# What start, reload and selection cost with 100, 1,000 and 10,000 rules and as many cgroups, a
# sleeping process in each.
#
# The OOMs are the system's, which SysRq makes at once: a cgroup's limit would have the kernel try
# to reclaim from 10,000 cgroups 200 times before each. The rules have priorities in no order, the
# usual case, and then all the same, the worst one: no cgroup can be passed over.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/scaletest-lib.bash
. scaletest-lib.bash

readonly RUNS=5

bench_reload()
{
	local n=$1 i
	rules_write "$n" spread
	log_mark
	daemon_start
	journal_wait 10 "the policy to be active" MESSAGE_ID="$MESSAGE_ID_POLICY_ACTIVE"
	median "start_$n" us < <(records OOMPOLICY_START_USEC "$MESSAGE_ID_POLICY_ACTIVE")
	log_mark
	for ((i = 0; i < RUNS; i++)); do
		oompolicyd --reload >/dev/null
	done
	wait_for 10 "the reloads in the journal" records_are "$MESSAGE_ID_POLICY_ACTIVE" $RUNS
	assert_match "the message" "$(journal_field MESSAGE MESSAGE_ID="$MESSAGE_ID_POLICY_ACTIVE")" \
		" $n rules, $n cgroups"
	median "reload_$n" us < <(records OOMPOLICY_RELOAD_USEC "$MESSAGE_ID_POLICY_ACTIVE")
	median "switch_$n" us < <(records OOMPOLICY_SWITCH_USEC "$MESSAGE_ID_POLICY_ACTIVE")
}

bench_select()
{
	# The first OOM after a start looks at everybody: who was dying before is not known.
	scaletest select system 1 >/dev/null
	select_by_policy system spread "$1"
	rules_write "$1" 500
	oompolicyd --reload >/dev/null
	select_by_policy system equal "$1"
}

# The reports would list all processes, which takes seconds on the emulated console.
sysctl -q vm.oom_dump_tasks=0
plan 9
for n in 100 1000 10000; do
	run_test "kernel_$n" bench_kernel system $n
	made=$((n - 1))
	run_test "reload_$n" bench_reload $n
	run_test "select_$n" bench_select $n
	module_remove
done
# Or the machine takes its time to end.
echo 1 >/sys/fs/cgroup/oomtest/cgroup.kill
