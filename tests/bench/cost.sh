# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=1 timeout=900 clock=instructions
#
# What the module costs an OOM, between the beginning and the end of mem_cgroup_out_of_memory(), which
# holds oom_lock: one with the module and no policy against one without the module, and one that a
# program looks at without having a say; and a group of 400 processes that dies by Kill=cgroup against one
# that dies by memory.oom.group. The time is that of 2 ns an instruction. What an interrupt takes is more
# than the module does, so of some OOMs the shortest counts.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh

readonly ROOT=/sys/fs/cgroup/bench-module TRACE=/sys/kernel/tracing
readonly BLOCKS=6 RUNS=8 GROUP=400 GROUP_RUNS=5

# overrun: a process in the cgroup runs into the limit.
overrun()
{
	(
		echo "$BASHPID" >$ROOT/group/cgroup.procs
		exec tail /dev/zero
	) || :
}

# longest: of the OOMs in the trace, in microseconds. One that only waits for the victim is short.
longest()
{
	awk '{ sub(/:$/, "", $4) }
		/ oom_begin: / { begun[$1] = $4 }
		/ oom_end: / { t = ($4 - begun[$1]) * 1000000; if (t > most) most = t }
		END { if (!most) exit 1; printf "%d\n", most }' $TRACE/trace
}

# timed COMMAND...
timed()
{
	echo >$TRACE/trace
	"$@" >/dev/null 2>&1
	longest
}

# block KIND: RUNS OOMs, the shortest into /run/KIND.
block()
{
	local i
	rm -f /run/block
	for ((i = 0; i < RUNS; i++)); do
		reports_settle
		timed overrun >>/run/block
	done
	sort -n /run/block | head -n 1 >>"/run/$1"
}

median()
{
	sort -n "/run/$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# against_stock NAME KIND TEXT: each block beside the one without the module right before it.
against_stock()
{
	local ratio
	ratio=$(paste "/run/$2" /run/stock | awk '{ printf "%.3f\n", $1 / $2 }' | sort -n |
		awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }')
	figure "$1" "$(median "$2")" "us, $3: $ratio of that without the module"
}

bench_no_policy()
{
	local i watcher
	mkdir -p $ROOT
	echo +memory >$ROOT/cgroup.subtree_control
	mkdir -p $ROOT/group
	echo 8M >$ROOT/group/memory.max
	for ((i = 0; i < BLOCKS; i++)); do
		block stock
		modprobe bpf_oom
		block with
		/usr/lib/oompolicyd-tests/interface stay-watch >/run/watcher &
		watcher=$!
		wait_for 20 "the program to be attached" grep -q attached /run/watcher
		block watched
		kill "$watcher"
		wait "$watcher" || :
		wait_for 20 "the module to be free" rmmod bpf_oom
	done
	figure oom_stock "$(median stock)" "us, without the module"
	against_stock oom_with_module with "with it, and no program"
	against_stock oom_watched watched "with it, a program that has no say, and a longer backtrace"
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
# A report on the console takes ten times what all the rest does.
echo N >/sys/module/printk/parameters/ignore_loglevel
dmesg -n 1
printf '%s\n' 'p:oom_begin mem_cgroup_out_of_memory' 'r:oom_end mem_cgroup_out_of_memory' >$TRACE/kprobe_events
echo 1 >$TRACE/events/kprobes/enable
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
run_test no-policy bench_no_policy
run_test group bench_group
