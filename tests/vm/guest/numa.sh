# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=300 extra=sid append=numa=fake=2
#
# Two memory nodes, of which one has run out: only the kernel knows whose death helps. Both backends
# leave it the choice, and the record says why.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/records-lib.bash
. records-lib.bash

readonly UNIT=oompolicyd.service
readonly ROOT=/sys/fs/cgroup/numa

# start CHILD MEMORY_NODE SIZE...: leaves its process in SPAWNED, once the first size is filled.
start()
{
	local child=$1
	mkdir -p "$ROOT/$child"
	echo "$2" >"$ROOT/$child/cpuset.mems"
	rm -f "/run/hog-$child"
	spawn "$ROOT/$child" memhog "/run/hog-$child" "${@:3}"
	wait_for 60 "$child to fill its memory" test -s "/run/hog-$child"
}

# test_cpuset BACKEND
test_cpuset()
{
	local elsewhere small large
	config_write <<END
[Daemon]
Backend=$1

[Policy numa]

[Rule elsewhere]
Cgroup=/numa/elsewhere
Priority=0

[Rule small]
Cgroup=/numa/small
Priority=10
END
	systemctl restart $UNIT
	start elsewhere 0 32M
	elsewhere=$SPAWNED
	start small 1 16M
	small=$SPAWNED
	start large 1 64M 900M
	large=$SPAWNED
	kill -USR1 "$large"
	wait_for 90 "the large process to die" is_gone "$large"
	kill -0 "$small" || fail "the small process is dead"
	kill -0 "$elsewhere" || fail "the process on the other node is dead"
	kernel_has "oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=.*,mems_allowed=1,global_oom,.*,pid=$large," ||
		fail "it was another OOM"
	journal_wait 20 "the record" "MESSAGE_ID=$MESSAGE_ID_KERNEL_KILL" "OOMPOLICY_VICTIM_PID=$large"
	assert_eq "the record" "$(records "$MESSAGE_ID_KERNEL_KILL" OOMPOLICY_BACKEND OOMPOLICY_DECISION OOMPOLICY_REASON \
		OOMPOLICY_CONSTRAINT OOMPOLICY_DOMAIN OOMPOLICY_TRIGGER_PID)" "$1 kernel constraint cpuset / $large"
	assert_match "the message" "$(journal_field MESSAGE "MESSAGE_ID=$MESSAGE_ID_KERNEL_KILL")" 'only some memory nodes have run out'
	kill "$small" "$elsewhere"
	wait_for 20 "the others to end" is_gone "$small"
	wait_for 20 "the others to end" is_gone "$elsewhere"
}

plan 2
sysctl -q vm.oom_dump_tasks=0
assert_eq "the memory nodes" "$(</sys/devices/system/node/has_normal_memory)" 0-1
mkdir -p $ROOT
echo '+memory +cpuset' >/sys/fs/cgroup/cgroup.subtree_control
echo '+memory +cpuset' >$ROOT/cgroup.subtree_control
for backend in struct_ops evaluate_task; do
	run_test "cpuset_$backend" test_cpuset $backend
done
