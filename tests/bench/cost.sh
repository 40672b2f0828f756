# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=900
#
# What the module costs an OOM, by the kernel's own clock at the beginning and the end of
# mem_cgroup_out_of_memory(), which holds oom_lock, without the backtrace of the report: one with the
# module and no policy against one without the module; and a group of 400 processes that dies by
# Kill=cgroup against one that dies by memory.oom.group.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh

readonly ROOT=/sys/fs/cgroup/bench-module TRACE=/sys/kernel/tracing
readonly BLOCKS=8 RUNS=15 GROUP=400 GROUP_RUNS=5

# overrun: a process in the cgroup runs into the limit.
overrun()
{
	(
		echo "$BASHPID" >$ROOT/group/cgroup.procs
		exec tail /dev/zero
	) || :
}

# longest: of the OOMs in the trace, in microseconds, without the report's backtrace. One that only waits
# for the victim is short.
longest()
{
	awk '{ sub(/:$/, "", $4) }
		/ oom_begin: / { begun[$1] = $4; stack[$1] = 0 }
		/ stack_begin: / { unwound[$1] = $4 }
		/ stack_end: / { stack[$1] += $4 - unwound[$1] }
		/ oom_end: / { t = ($4 - begun[$1] - stack[$1]) * 1000000; if (t > most) most = t }
		END { printf "%d\n", most }' $TRACE/trace
}

# timed COMMAND...
timed()
{
	echo >$TRACE/trace
	"$@" >/dev/null 2>&1
	longest
}

# block KIND: RUNS OOMs, into /run/KIND.
block()
{
	local i
	for ((i = 0; i < RUNS; i++)); do
		reports_settle
		timed overrun >>"/run/$1"
	done
}

median()
{
	sort -n "/run/$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

bench_no_policy()
{
	local i stock with
	mkdir -p $ROOT
	echo +memory >$ROOT/cgroup.subtree_control
	mkdir -p $ROOT/group
	echo 8M >$ROOT/group/memory.max
	for ((i = 0; i < BLOCKS; i++)); do
		block stock
		modprobe bpf_oom
		block with
		rmmod bpf_oom
	done
	stock=$(median stock) with=$(median with)
	figure oom_stock "$stock" "us, the median of $((BLOCKS * RUNS))"
	figure oom_with_module "$with" "us, the median of $((BLOCKS * RUNS)), no policy: $(awk -v a="$with" -v b="$stock" 'BEGIN { printf "%.3f", a / b }') of the other"
}

# group KIND: a group of processes dies, and the time goes into /run/KIND.
group()
{
	local i
	echo max >$ROOT/group/memory.max
	for ((i = 0; i < GROUP; i++)); do
		spawn $ROOT/group sleep infinity
	done
	sleep 1
	echo $(($(<$ROOT/group/memory.current) + (8 << 20))) >$ROOT/group/memory.max
	timed overrun >>"/run/$1"
	wait_for 60 "the group to be gone" grep -q 'populated 0' $ROOT/group/cgroup.events
}

bench_group()
{
	local i
	echo 1 >$ROOT/group/memory.oom.group
	for ((i = 0; i < GROUP_RUNS; i++)); do
		reports_settle
		group by_kernel
	done
	echo 0 >$ROOT/group/memory.oom.group
	config_write <<'END'
[Policy bench]

[Rule group]
Cgroup=/bench-module/group
Kill=cgroup
END
	daemon_start
	for ((i = 0; i < GROUP_RUNS; i++)); do
		reports_settle
		log_mark
		group by_policy
		journalctl --sync
		assert_eq "the reports" "$(journalctl -q -k -o cat --since="$LOG_SINCE" | grep -c ' invoked oom-killer:')" 1
	done
	daemon_stop
	figure group_by_kernel "$(median by_kernel)" "us under oom_lock, $GROUP processes, the median of $GROUP_RUNS"
	figure group_by_policy "$(median by_policy)" "us under oom_lock, $GROUP processes, the median of $GROUP_RUNS"
}

plan 2
# What a report takes is the console's time, and its backtrace has the module's frames: both are left out.
echo N >/sys/module/printk/parameters/ignore_loglevel
dmesg -n 1
printf '%s\n' 'p:oom_begin mem_cgroup_out_of_memory' 'r:oom_end mem_cgroup_out_of_memory' \
	'p:stack_begin show_stack' 'r:stack_end show_stack' >$TRACE/kprobe_events
echo 1 >$TRACE/events/kprobes/enable
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
run_test no-policy bench_no_policy
run_test group bench_group
