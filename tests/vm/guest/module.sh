#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# bpf_oom.ko by itself: loading, unloading, what it refuses, what its interface does.
# vm: memory=512 cpus=2 timeout=1500 kernels=trixie,v2,debug extra=bookworm,sid,namespace,clang,rt
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

test_refuses_without_ftrace()
{
	module_unload
	sysctl -q kernel.ftrace_enabled=0
	assert_status 1 modprobe bpf_oom
	sysctl -q kernel.ftrace_enabled=1
	kernel_has 'bpf_oom: cannot hook [a-z_]*: .*kernel.ftrace_enabled is 0' || fail "it did not say why"
	modprobe bpf_oom
	"$MODTEST" kill-and-report
}

# What the module asks before it hooks: of functions as they are, and of some that are not.
test_fit()
{
	local clone twin
	clone=$(awk '$4 == "" { name[$3]++ } END { for (n in name) if (n ~ /^[a-z_]+[.](isra|constprop|part)[.]0$/) {
		base = n; sub(/[.].*/, "", base); if (name[base] == 1) { print base; exit } } }' /proc/kallsyms)
	twin=$(awk '$4 == "" && $2 ~ /[tT]/ && $3 ~ /^[a-z_]+$/ { name[$3]++ } END { for (n in name) if (name[n] > 1) { print n; exit } }' /proc/kallsyms)
	module_unload
	insmod /usr/lib/oompolicyd-tests/oom_fit.ko clone="$clone" twin="$twin"
	rmmod oom_fit
	modprobe bpf_oom
	kernel_has 'oom_fit: passed 7 of 7' || fail "the kernel's log says what does not fit"
	kernel_has 'out_of_memory of this kernel is bool\(oom_control\*\), and not s32\(oom_control\*\)' || fail "no word of the type"
	kernel_has "this kernel has no function no_such_function" || fail "no word of one that is missing"
	# clang makes none of that kind.
	[[ -z $clone ]] || kernel_has "compiler has made ${clone}[.][a-z.0-9]* of $clone" || fail "no word of the clone of $clone"
	kernel_has "this kernel has [0-9]* functions $twin" || fail "no word of the two $twin"
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
plan $((${#names[@]} + 7 + ${#last[@]} / 2))
for name in "${names[@]}"; do
	run_test "$name" run_with_module "$MODTEST" "$name"
done
run_test refuses-kernel-with-interface run_with_module test_refuses_kernel_with_interface
run_test refuses-occupied-function run_with_module test_refuses_occupied_function
run_test refuses-without-ftrace run_with_module test_refuses_without_ftrace
run_test fit run_with_module test_fit
run_test unload-while-ooms-happen run_with_module test_unload_while_ooms_happen
run_test unload-with-policy-refused run_with_module test_unload_with_policy_refused
run_test unload-leaves-kernel-alone run_with_module test_unload_leaves_kernel_alone
[[ ${#last[@]} -eq 0 ]] || run_test "${last[@]}"
