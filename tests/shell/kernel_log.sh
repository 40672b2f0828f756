#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The checker of kernel logs, against logs that are clean and logs that are not.
set -euo pipefail
checker=$(cd "$(dirname "${BASH_SOURCE[0]}")/../vm" && pwd)/kernel-log
log=$(mktemp)
trap 'rm -f "$log"' EXIT
boot='[    0.000000] Linux version 6.12.1 (builder) #1 SMP'
report='[    9.1] hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
[    9.1] CPU: 0 PID: 331 Comm: hog
[    9.1] Call Trace:
[    9.1]  <TASK>
[    9.1]  dump_stack_lvl+0x5d/0x80
[    9.2] Memory cgroup out of memory: Killed process 331 (hog)'

# expect NAME clean|bad TEXT [PANIC]
expect()
{
	local seen=clean
	printf '%s\r\n' "$3" >"$log"
	"$checker" "$log" "${@:4}" >"$log.out" || seen=bad
	if [[ $seen != "$2" ]]; then
		echo "not ok $1: the log was found $seen"
	elif [[ $seen == bad && ! -s $log.out ]]; then
		echo "not ok $1: nothing was printed"
	else
		echo "ok $1"
	fi
	rm -f "$log.out"
}

expect clean clean "$boot"
expect oom_report clean "$boot"$'\n'"$report"
expect two_oom_reports clean "$boot"$'\n'"$report"$'\n'"$report"
expect tainting_module clean "$boot"$'\n[ 3.0] bpf_oom: loading out-of-tree module taints kernel.'
expect frame_of_a_checker clean "$boot"$'\n'"$report"$'\n[ 9.1]  ? lockdep_hardirqs_on_prepare+0x220/0x220'
expect debug_kernel clean "$boot"$'\n[ 0.1] Lock dependency validator: Copyright (c) 2006 Red Hat, Inc., Ingo Molnar
[ 0.1] rcu: \tRCU lockdep checking is enabled.\n[ 0.0] kasan: KernelAddressSanitizer initialized (generic)'
expect empty bad ''
expect not_booted bad 'SeaBIOS'
expect trace_without_oom bad "$boot"$'\n[ 9.1] Call Trace:'
expect second_trace_in_report bad "$boot"$'\n'"$report"$'\n[ 9.3] Call Trace:'
panic='[ 9.4] Kernel panic - not syncing: Out of memory: compulsory panic_on_oom is selected
[ 9.4] Call Trace:
[ 9.4]  panic+0x1/0x2'
expect wanted_panic clean "$boot"$'\n'"$report"$'\n'"$panic" panic_on_oom
expect another_panic bad "$boot"$'\n[ 9.4] Kernel panic - not syncing: Fatal exception' panic_on_oom
expect no_panic bad "$boot"$'\n'"$report" panic_on_oom
expect warning_before_panic bad "$boot"$'\n[ 9.0] WARNING: CPU: 1\n'"$panic" panic_on_oom
while IFS='|' read -r name text; do
	expect "$name" bad "$boot"$'\n[   12.3] '"$text"
done <<'END'
warning|WARNING: CPU: 1 PID: 12 at mm/oom_kill.c:100 oom_kill_process+0x1/0x2
bug|BUG: kernel NULL pointer dereference, address: 0000000000000008
bug_at|kernel BUG at mm/slub.c:500!
sleeping|BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580
oops|Oops: 0000 [#1] PREEMPT SMP
hung_task|INFO: task oompolicyd:213 blocked for more than 120 seconds.
recursive_lock|WARNING: possible recursive locking detected
circular_lock|possible circular locking dependency detected
general_protection|general protection fault, probably for non-canonical address
kasan|BUG: KASAN: slab-use-after-free in handler+0x1/0x2
ubsan|UBSAN: shift-out-of-bounds in mm/page_alloc.c:10:3
rcu_stall|rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
rcu_self_stall|rcu: INFO: rcu_preempt self-detected stall on CPU
soft_lockup|watchdog: BUG: soft lockup - CPU#0 stuck for 26s!
rcu_usage|WARNING: suspicious RCU usage
lockdep_off|INFO: lockdep is turned off.
panic|Kernel panic - not syncing: System is deadlocked on memory
refcount|refcount_t: underflow; use-after-free.
END
