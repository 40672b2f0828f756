#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# bpf_oom.ko by itself: loading, unloading, what it refuses, what its interface does.
# vm: memory=512 cpus=2 timeout=1500 kernels=trixie,v2,debug extra=bookworm,sid
. "$(dirname "$0")/lib.sh"

readonly MODTEST=/usr/lib/oompolicyd-tests/modtest
readonly CYCLES=25

module_loaded()
{
	[[ -d /sys/module/bpf_oom ]]
}

# Every test begins with the module loaded, also after one that failed half-way, and with a report
# of the kernel for each OOM.
run_with_module()
{
	modprobe bpf_oom
	reports_settle
	"$@"
}

# The kernel frees a policy that is gone a moment later, and the module can be removed after that.
module_unload()
{
	wait_for 10 "the module to be free" rmmod bpf_oom
}

test_refuses_kernel_with_interface()
{
	module_unload
	insmod "/usr/lib/oompolicyd-tests/oom_clash.ko"
	assert_status 1 modprobe bpf_oom
	rmmod oom_clash
	kernel_has 'bpf_oom: this kernel has the BPF OOM interface already' || fail "it did not say why"
	modprobe bpf_oom
}

test_refuses_occupied_function()
{
	module_unload
	insmod "/usr/lib/oompolicyd-tests/oom_occupy.ko"
	assert_status 1 modprobe bpf_oom
	rmmod oom_occupy
	kernel_has 'bpf_oom: cannot hook out_of_memory' || fail "it did not say why"
	modprobe bpf_oom
	"$MODTEST" kill-and-report
}

# Processes that run into a limit all the time, in two cgroups at once.
storm_start()
{
	local n
	for n in 1 2; do
		mkdir -p "/sys/fs/cgroup/storm$n"
		echo 8M >"/sys/fs/cgroup/storm$n/memory.max"
		echo 0 >"/sys/fs/cgroup/storm$n/memory.swap.max"
		(
			echo "$BASHPID" >"/sys/fs/cgroup/storm$n/cgroup.procs"
			echo -1000 >/proc/self/oom_score_adj
			while [[ -e /run/storm ]]; do
				choom -n 0 -- head -c 16M /dev/zero | choom -n 0 -- tail >/dev/null || :
			done
		) 2>/dev/null &
	done
}

storm_stop()
{
	rm -f /run/storm
	wait
}

test_unload_while_ooms_happen()
{
	local i before after
	before=$(oom_kills)
	touch /run/storm
	trap storm_stop EXIT
	storm_start
	for ((i = 0; i < CYCLES; i++)); do
		module_unload
		modprobe bpf_oom
	done
	storm_stop
	trap - EXIT
	after=$(oom_kills)
	((after - before >= CYCLES)) || fail "only $((after - before)) OOM kills in $CYCLES cycles"
	reports_settle
	"$MODTEST" kill-and-report
}

test_unload_with_policy_refused()
{
	daemon_start
	assert_status 1 rmmod bpf_oom
	assert_match "rmmod's message" "$OUTPUT" 'in use'
	daemon_stop
	module_unload
	modprobe bpf_oom
}

test_unload_leaves_kernel_alone()
{
	module_unload
	! module_loaded || fail "the module is still there"
	workload_overrun
	assert_eq "the victim without the module" "$VICTIM" large
	! kernel_has 'oom_policy=' || fail "the report still names a policy"
	modprobe bpf_oom
}

# One report, and the validator of locks says nothing more: what ran after it was not looked at.
test_locks_still_checked()
{
	assert_match "the state of the lock validator" "$(</proc/lockdep_stats)" 'debug_locks: +1'
}

modprobe bpf_oom
mapfile -t names < <("$MODTEST" list)
last=()
[[ ! -e /proc/lockdep_stats ]] || last=(locks-still-checked test_locks_still_checked)
plan $((${#names[@]} + 5 + ${#last[@]} / 2))
for name in "${names[@]}"; do
	run_test "$name" run_with_module "$MODTEST" "$name"
done
run_test refuses-kernel-with-interface run_with_module test_refuses_kernel_with_interface
run_test refuses-occupied-function run_with_module test_refuses_occupied_function
run_test unload-while-ooms-happen run_with_module test_unload_while_ooms_happen
run_test unload-with-policy-refused run_with_module test_unload_with_policy_refused
run_test unload-leaves-kernel-alone run_with_module test_unload_leaves_kernel_alone
[[ ${#last[@]} -eq 0 ]] || run_test "${last[@]}"
