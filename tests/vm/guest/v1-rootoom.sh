# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=300 kernels=hybrid
#
# memory.oom_control of cgroup v1, on the root and on a cgroup that RootOomControl= names, with the
# daemon in the unit as shipped. (Without any cgroup2 mount the daemon does not run.)
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/records-lib.bash
. records-lib.bash
# shellcheck source=tests/vm/guest/rootoom-lib.bash
. rootoom-lib.bash

readonly UNIT=oompolicyd.service
readonly MEMORY=/sys/fs/cgroup/memory
readonly UNIFIED=/sys/fs/cgroup/unified

# hog_put SIZE...: a process of the lowest priority, in the cgroup v1 $1.
hog_put()
{
	local cgroup=$1
	shift
	hog_start /run/hog "$@"
	echo "$HOG" >$UNIFIED/low/cgroup.procs
	echo "$HOG" >"$MEMORY/$cgroup/cgroup.procs"
}

limit()
{
	echo "$2" >"$MEMORY/$1/memory.limit_in_bytes"
}

test_source()
{
	log_mark
	daemon_start
	wait_for 10 "the source" daemon_says \
		"Events of OOMs come from memory.oom_control of cgroup v1, of 2 cgroups."
	! daemon_says "tells of no OOM of the system on this kernel" || fail "it says that the root cannot fire"
}

test_system()
{
	hog_put other 8M
	assert_status 0 oompolicyd --declare=/
	wait_for 20 "the hog to die" is_gone "$HOG"
	wait_for 20 "the event" events_are 1
	assert_eq "the event" "$(events OOMPOLICY_SOURCE OOMPOLICY_CGROUP OOMPOLICY_SEQ OOMPOLICY_EVENTS)" \
		"memory.oom_control / $(kills OOMPOLICY_SEQ) 1"
}

test_sysrq()
{
	hog_put other 8M
	echo f >/proc/sysrq-trigger
	wait_for 20 "the hog to die" is_gone "$HOG"
	assert_no_event
}

# Only the cgroup that is listened to, and not the root.
test_memcg()
{
	hog_put watched 8M 64M
	limit watched 16M
	kill -USR1 "$HOG"
	wait_for 20 "the hog to die" is_gone "$HOG"
	limit watched -1
	wait_for 20 "the event" events_are 1
	assert_eq "the event" "$(events OOMPOLICY_SOURCE OOMPOLICY_CGROUP)" "memory.oom_control /watched"
	assert_match "its record" "$(events OOMPOLICY_SEQ)" '^[0-9]+$'
	assert_eq "the record with that number" \
		"$(journal_field OOMPOLICY_DOMAIN_TYPE "OOMPOLICY_SEQ=$(events OOMPOLICY_SEQ)" OOMPOLICY_DOMAIN_TYPE=memcg)" memcg
}

test_other_memcg()
{
	hog_put other 8M 64M
	limit other 16M
	kill -USR1 "$HOG"
	wait_for 20 "the hog to die" is_gone "$HOG"
	limit other -1
	assert_no_event
}

# Nobody is killed, so there is no record to wait for.
test_kill_disabled()
{
	echo 1 >$MEMORY/watched/memory.oom_control
	hog_put watched 8M 64M
	limit watched 16M
	kill -USR1 "$HOG"
	wait_for 20 "the event" events_are 1
	assert_eq "the event" "$(events OOMPOLICY_CGROUP OOMPOLICY_OOM_KILL_DISABLE OOMPOLICY_SEQ)" "/watched 1 -"
	kill -0 "$HOG" || fail "the hog is dead"
	limit watched -1
	echo 0 >$MEMORY/watched/memory.oom_control
	kill -KILL "$HOG"
	wait_for 20 "the hog to die" is_gone "$HOG"
}

test_removed()
{
	wait_for 20 "the cgroup to be empty" rmdir $MEMORY/watched
	wait_for 10 "what it says" daemon_says "The cgroup v1 /watched is gone"
	assert_no_event
}

# Without the module nothing would tell; that is no error, and the next reload looks again.
test_reload()
{
	mkdir $MEMORY/watched
	assert_status 0 systemctl reload "$UNIT"
	wait_for 10 "the source" daemon_says "of cgroup v1, of 2 cgroups."
	printf '[Daemon]\nRootOomControl=no\n' | config_write
	assert_status 0 systemctl reload "$UNIT"
	hog_put watched 8M
	assert_status 0 oompolicyd --declare=/
	assert_no_event
	kill -KILL "$HOG" 2>/dev/null || :
}

plan 8
[[ -e $MEMORY/memory.oom_control ]] || fail "the memory controller is not of cgroup v1"
mkdir -p $UNIFIED/low $MEMORY/watched $MEMORY/other
sysctl -q kernel.sysrq=1
config_write <<'END'
[Daemon]
RootOomControl=/watched

[Rule low]
Cgroup=/low
Priority=10
END
run_test source test_source
run_test system test_system
run_test sysrq test_sysrq
run_test memcg test_memcg
run_test other_memcg test_other_memcg
run_test kill_disabled test_kill_disabled
run_test removed test_removed
run_test reload test_reload
