# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=768 cpus=2 timeout=300 extra=bookworm,sid,v2
#
# Events of OOMs of the system where the memory controller is cgroup v2: they come from BPF. With
# the daemon in the unit as shipped.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/records-lib.bash
. records-lib.bash
# shellcheck source=tests/vm/guest/rootoom-lib.bash
. rootoom-lib.bash

readonly UNIT=oompolicyd.service
readonly ROOT=/sys/fs/cgroup/low

# config LINE...: in [Daemon].
config()
{
	{
		printf '[Daemon]\n'
		printf '%s\n' "$@"
		printf '[Rule low]\nCgroup=/low\nPriority=10\n'
	} | config_write
}

test_source()
{
	wait_for 10 "the source" daemon_says "Events of OOMs of the system come from BPF"
}

hog_filled()
{
	[[ $(</run/hog) == "$1" ]]
}

# Memory really runs out.
test_system()
{
	# In steps, as no one may be larger than all memory.
	hog_start /run/hog 4M 400M 400M 400M
	echo "$HOG" >$ROOT/cgroup.procs
	kill -USR1 "$HOG"
	wait_for 60 "the hog to grow" hog_filled $((404 << 20))
	kill -USR1 "$HOG"
	wait_for 60 "the hog to die" is_gone "$HOG"
	wait_for 20 "the record" kills_at_least 1
	assert_eq "the victim" "$(kills OOMPOLICY_VICTIM_PID | sort -u)" "$HOG"
	assert_eq "the events" "$(events OOMPOLICY_SOURCE OOMPOLICY_CGROUP OOMPOLICY_SEQ OOMPOLICY_EVENTS | head -n 1)" \
		"bpf / $(kills OOMPOLICY_SEQ | head -n 1) 1"
	assert_match "the message" "$(events MESSAGE | head -n 1)" '^OOM in the system, told by bpf, record [0-9]+\.$'
}

test_declared()
{
	hog_start /run/hog 8M
	echo "$HOG" >$ROOT/cgroup.procs
	assert_status 0 oompolicyd --declare=/
	wait_for 20 "the hog to die" is_gone "$HOG"
	assert_eq "the events" "$(events OOMPOLICY_SOURCE OOMPOLICY_SEQ)" "bpf $(kills OOMPOLICY_SEQ)"
}

test_sysrq()
{
	hog_start /run/hog 8M
	echo "$HOG" >$ROOT/cgroup.procs
	echo f >/proc/sysrq-trigger
	wait_for 20 "the hog to die" is_gone "$HOG"
	wait_for 20 "the record" kills_at_least 1
	assert_eq "the record's SysRq" "$(kills OOMPOLICY_SYSRQ)" 1
	assert_no_event
}

test_memcg()
{
	hog_start /run/hog 8M 64M
	echo "$HOG" >$ROOT/cgroup.procs
	echo 16M >$ROOT/memory.max
	kill -USR1 "$HOG"
	wait_for 20 "the hog to die" is_gone "$HOG"
	echo max >$ROOT/memory.max
	wait_for 20 "the record" kills_at_least 1
	assert_no_event
}

test_paths_have_no_effect()
{
	config RootOomControl=/low
	assert_status 0 systemctl reload "$UNIT"
	wait_for 10 "the warning" daemon_says "the paths in RootOomControl= have no effect"
}

test_off()
{
	config RootOomControl=no
	assert_status 0 systemctl reload "$UNIT"
	hog_start /run/hog 8M
	echo "$HOG" >$ROOT/cgroup.procs
	assert_status 0 oompolicyd --declare=/
	wait_for 20 "the record" kills_at_least 1
	assert_no_event
}

plan 7
mkdir -p $ROOT
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
config
log_mark
daemon_start
sysctl -q kernel.sysrq=1
readonly STARTED=$LOG_SINCE
test_source_at_start()
{
	LOG_SINCE=$STARTED
	test_source
}
run_test source test_source_at_start
run_test system test_system
run_test declared test_declared
run_test sysrq test_sysrq
run_test memcg test_memcg
run_test paths_have_no_effect test_paths_have_no_effect
run_test off test_off
