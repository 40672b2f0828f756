# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=400 append=numa=fake=2 extra=bookworm,sid,v2
#
# What an OOM came to is in its record, whoever decided: each outcome with each backend, under the
# unit as shipped. The two must say the same.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/oomtest-lib.bash
. oomtest-lib.bash

readonly UNIT=oompolicyd.service
readonly ROOT=/sys/fs/cgroup/outcome
readonly MIB=$((1 << 20))
BACKENDS=(struct_ops evaluate_task)

# use BACKEND: restarts the daemon with it.
use()
{
	BACKEND=$1
	config_write <<END
[Daemon]
Backend=$1

[Policy everything]

[Policy outcome]
Cgroup=/outcome
DefaultPriority=300

[Rule small]
Cgroup=/outcome/*/small
Priority=10

[Rule keep]
Cgroup=/outcome/*/keep*
Protect=yes
END
	systemctl restart "$UNIT" || fail "the daemon does not start: $(daemon_status)"
}

# domain_make NAME CHILD...: leaves its directory in DOMAIN.
domain_make()
{
	local child
	DOMAIN=$ROOT/$1
	mkdir -p "$DOMAIN"
	echo max >"$DOMAIN/memory.max"
	echo 0 >"$DOMAIN/memory.swap.max"
	shift
	for child; do
		mkdir -p "$DOMAIN/$child"
	done
}

# hog CHILD SIZE...: leaves its process in HOG, once the first size is filled.
hog()
{
	local cgroup=$DOMAIN/$1 file=/run/hog-${DOMAIN##*/}-$1
	shift
	rm -f "$file"
	spawn "$cgroup" memhog "$file" "$@"
	HOG=$SPAWNED
	disown
	wait_for 20 "the process of $cgroup to fill its memory" test -s "$file"
}

# hog_unkillable CHILD SIZE...
hog_unkillable()
{
	local cgroup=$DOMAIN/$1 file=/run/hog-${DOMAIN##*/}-$1
	shift
	rm -f "$file"
	spawn "$cgroup" choom -n -1000 -- memhog "$file" "$@"
	HOG=$SPAWNED
	disown
	wait_for 20 "the process of $cgroup to fill its memory" test -s "$file"
}

limit_above()
{
	echo $(($(<"$DOMAIN/memory.current") + $1 * MIB)) >"$DOMAIN/memory.max"
}

domain_end()
{
	local dir
	for dir in "$ROOT"/*/; do
		echo 1 >"$dir/cgroup.kill"
		echo max >"$dir/memory.max"
	done
}

# assert_record ID FIELD VALUE...: the newest record of that kind has OOMPOLICY_FIELD=VALUE; '-' for
# no such field.
assert_record()
{
	local id=$1 record value
	shift
	journal_wait 10 "the record" "MESSAGE_ID=$id"
	record=$(journalctl -q -o export -n 1 --since="$LOG_SINCE" "MESSAGE_ID=$id" | grep -a '^OOMPOLICY_')
	while (($# > 0)); do
		value=$(sed -n "s/^OOMPOLICY_$1=//p" <<<"$record")
		assert_eq "OOMPOLICY_$1" "${value:--}" "$2"
		shift 2
	done
}

test_policy_kills()
{
	local small large
	domain_make kill small large
	hog small 4M
	small=$HOG
	hog large 12M 4M
	large=$HOG
	limit_above 1
	kill -USR1 "$large"
	wait_for 20 "the small process to die" is_gone "$small"
	assert_record "$MESSAGE_ID_KILL" BACKEND "$BACKEND" DECISION killed REASON - POLICY outcome \
		DOMAIN /outcome/kill DOMAIN_TYPE memcg VICTIM_PID "$small" VICTIM_CGROUP /outcome/kill/small \
		RULE small EFFECTIVE_PRIORITY 10 PRIORITY_SOURCE /outcome/kill/small TRIGGER_PID "$large" \
		CONSTRAINT memcg REMOTE 0 SYSRQ 0 TASKS 2 MEMBERS 0 DECLARED -
	kernel_has '^oom_policy=outcome$' || fail "the kernel's report names another policy"
}

test_kernel_kills()
{
	local other
	domain_make kernel keep keep-too
	hog keep-too 4M
	other=$HOG
	hog keep 12M 4M
	limit_above 1
	kill -USR1 "$HOG"
	wait_for 20 "a process to die" is_gone "$HOG"
	! is_gone "$other" || fail "the other one died too"
	assert_record "$MESSAGE_ID_KERNEL_KILL" BACKEND "$BACKEND" DECISION kernel REASON all-protected \
		POLICY outcome DOMAIN /outcome/kernel VICTIM_PID "$HOG" VICTIM_CGROUP /outcome/kernel/keep \
		RULE keep EFFECTIVE_PRIORITY 300 PRIORITY_SOURCE /outcome/kernel/keep TRIGGER_PID "$HOG"
	! journal_has "MESSAGE_ID=$MESSAGE_ID_NO_OPINION" || fail "there is a second record of it"
}

# Somebody else's program ends every selection that no policy decides: what the policy found stands
# in a record a second, which is sent when the OOM is there again.
test_aborted()
{
	local reason=all-protected n suppressed
	[[ $BACKEND != evaluate_task ]] || reason=unfinished
	domain_make aborted keep
	hog keep 12M 4M
	rm -f /run/aborter
	/usr/lib/oompolicyd-tests/interface stay-abort >/run/aborter &
	ABORTER=$!
	disown
	trap 'kill "$ABORTER" 2>/dev/null || :' EXIT
	wait_for 20 "the program to be attached" grep -q attached /run/aborter
	limit_above 1
	kill -USR1 "$HOG"
	wait_for 20 "two records" aborted_at_least 2
	kill "$ABORTER"
	wait_for 20 "the process to die" is_gone "$HOG"
	assert_record "$MESSAGE_ID_NO_OPINION" BACKEND "$BACKEND" DECISION no-opinion REASON "$reason" \
		POLICY outcome DOMAIN /outcome/aborted VICTIM_PID - TRIGGER_PID "$HOG"
	aborted OOMPOLICY_SUPPRESSED >/run/suppressed
	n=$(wc -l </run/suppressed)
	suppressed=$(awk '{ n += $1 } END { print n + 0 }' /run/suppressed)
	((suppressed > 0)) || fail "none was left out beside $n records"
	assert_record "$MESSAGE_ID_KERNEL_KILL" BACKEND "$BACKEND" REASON all-protected VICTIM_PID "$HOG"
}

# aborted FIELD
aborted()
{
	journalctl -q -o cat "--output-fields=$1" --since="$LOG_SINCE" "MESSAGE_ID=$MESSAGE_ID_NO_OPINION"
}

aborted_at_least()
{
	(($(aborted OOMPOLICY_SEQ | wc -l) >= $1))
}

# Two domains at once, for some seconds: each has its own record a second.
test_nobody()
{
	local hogs=() name n close
	for name in first second; do
		domain_make "$name" only
		hog_unkillable only 4M 4M
		hogs+=("$HOG")
		limit_above 1
	done
	kill -USR1 "${hogs[@]}"
	sleep 3
	domain_end
	assert_record "$MESSAGE_ID_NOBODY" BACKEND "$BACKEND" DECISION nobody REASON no-candidate POLICY outcome \
		VICTIM_PID - EFFECTIVE_PRIORITY -
	journalctl --sync
	for name in first second; do
		journalctl -q -o cat --output-fields=OOMPOLICY_KTIME_USEC --since="$LOG_SINCE" \
			"MESSAGE_ID=$MESSAGE_ID_NOBODY" "OOMPOLICY_DOMAIN=/outcome/$name" | sort -n >/run/times
		n=$(wc -l </run/times)
		((n >= 2)) || fail "there are $n records of the domain $name"
		# The second is between their ends, and the time in the record that of the beginning.
		close=$(awk 'NR > 1 && $1 - last < 500000 { print $1 - last } { last = $1 }' /run/times)
		assert_eq "records of $name that are closer, us" "$close" ""
	done
	n=$(journalctl -q -o cat --output-fields=OOMPOLICY_SUPPRESSED --since="$LOG_SINCE" \
		"MESSAGE_ID=$MESSAGE_ID_NOBODY" | awk '{ n += $1 } END { print n + 0 }')
	((n > 0)) || fail "none was left out"
}

# A victim that is held at its exit: the next OOM waits.
test_waiting()
{
	config_write_tables
	systemctl reload "$UNIT"
	# What it says is a result line, and this group counts its own.
	assert_status 0 oomtest --backend="$BACKEND" --needs=daemon --group=x \
		--pattern='^x/victim-already-dying$' tables
	assert_record "$MESSAGE_ID_WAITING" BACKEND "$BACKEND" DECISION waiting REASON victim-dying POLICY vmtest \
		DOMAIN /oomtest/victim-already-dying \
		VICTIM_PID "$(journal_field OOMPOLICY_VICTIM_PID "MESSAGE_ID=$MESSAGE_ID_KILL")"
	use "$BACKEND"
}

# remote SCORE: leaves the other process, its state and the error in REMOTE.
remote()
{
	domain_make remote only
	echo $((8 * MIB)) >"$DOMAIN/memory.max"
	timeout 30 remotewriter "$DOMAIN/only" 32 "$1" >/run/remote &
	WRITER=$!
	wait "$WRITER"
	read -r -a REMOTE </run/remote
}

# The writer is not a member of what ran out, and never dies for it.
test_remote()
{
	remote 0
	assert_eq "the other process" "${REMOTE[1]}" dead
	assert_record "$MESSAGE_ID_KILL" BACKEND "$BACKEND" REMOTE 1 DOMAIN /outcome/remote \
		VICTIM_PID "${REMOTE[0]}" VICTIM_CGROUP /outcome/remote/only TRIGGER_COMM remotewriter
	[[ $(journal_field OOMPOLICY_TRIGGER_PID "MESSAGE_ID=$MESSAGE_ID_KILL") != "${REMOTE[0]}" ]] ||
		fail "the trigger is the other process"
}

test_remote_with_nobody()
{
	# Of OOMs that kill nobody one a second is recorded, and the test before may end with one.
	sleep 1.5
	remote -1000
	assert_eq "the other process" "${REMOTE[1]}" alive
	((REMOTE[2] != 0)) || fail "the write had no error"
	assert_record "$MESSAGE_ID_NOBODY" BACKEND "$BACKEND" REMOTE 1 DOMAIN /outcome/remote REASON no-candidate \
		TRIGGER_COMM remotewriter
	! kernel_has 'no killable processes' || fail "the kernel warns of nobody to kill"
}

# vm.oom_kill_allocating_task comes before any policy: the task that declares the OOM dies.
test_allocating_task()
{
	local victim
	assert_status 0 /usr/lib/oompolicyd-tests/interface declare-system-allocating-task
	assert_record "$MESSAGE_ID_KERNEL_KILL" BACKEND - DECISION kernel REASON not-asked POLICY - \
		VICTIM_COMM interface TRIGGER_COMM interface
	victim=$(journal_field OOMPOLICY_VICTIM_PID "MESSAGE_ID=$MESSAGE_ID_KERNEL_KILL")
	assert_record "$MESSAGE_ID_KERNEL_KILL" TRIGGER_PID "$victim"
}

# nodes_make NAME: a domain of two children, each bound to a memory node.
nodes_make()
{
	[[ $(</sys/devices/system/node/has_normal_memory) == 0-1 ]] || skip "this kernel does not emulate memory nodes"
	domain_make "$1" elsewhere large
	echo '+memory +cpuset' >"$DOMAIN/cgroup.subtree_control"
	echo 0 >"$DOMAIN/elsewhere/cpuset.mems"
	echo 1 >"$DOMAIN/large/cpuset.mems"
}

# Two memory nodes. A victim on the one that is held at its exit is no reason to wait for those who have
# run out of the other: its end would not help them. The kernel's reaper counts it as dead after two
# seconds, which an attempt may miss.
attempt_cpuset_beside_dying()
{
	local elsewhere large free
	nodes_make "beside-$1"
	hog elsewhere 8M 900M
	elsewhere=$HOG
	free=$(awk '/MemFree:/ { print int($4 / 1024) }' /sys/devices/system/node/node1/meminfo)
	hog large $((free - 40))M 900M
	large=$HOG
	rm -f /run/linger
	linger "$elsewhere" /run/linger &
	LINGER=$!
	disown
	trap 'kill "$LINGER" 2>/dev/null || :' EXIT
	wait_for 20 "the one elsewhere to be held" test -e /run/linger
	reports_settle
	log_mark
	echo $((16 * MIB)) >"$DOMAIN/elsewhere/memory.max"
	kill -USR1 "$elsewhere"
	wait_for 20 "the one elsewhere to be chosen" kernel_has "Killed process $elsewhere "
	kill -USR1 "$large"
	wait_for 90 "the large process to die" is_gone "$large"
	kill "$LINGER"
	wait_for 20 "the one elsewhere to be gone" is_gone "$elsewhere"
	journalctl --sync
	kernel_has "oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=.*,mems_allowed=1,global_oom,.*,pid=$large," ||
		fail "it was another OOM"
	journalctl -q -k -o cat --since="$LOG_SINCE" | grep -o -E "Killed process $large |reaped process $elsewhere " |
		head -n 1 >/run/first
}

test_cpuset_beside_dying()
{
	local attempt
	for attempt in 1 2 3 4; do
		attempt_cpuset_beside_dying $attempt
		[[ $(</run/first) != Killed* ]] || break
	done
	assert_match "what came first" "$(</run/first)" '^Killed'
	journal_wait 10 "the record" "MESSAGE_ID=$MESSAGE_ID_KERNEL_KILL" OOMPOLICY_CONSTRAINT=cpuset
	! journal_has "MESSAGE_ID=$MESSAGE_ID_WAITING" || fail "an OOM has waited for one on the other node"
}

# One of two memory nodes has run out: only the kernel knows whose death helps, and is left the choice.
test_cpuset()
{
	local elsewhere small large
	nodes_make cpuset
	mkdir -p "$DOMAIN/small"
	echo 1 >"$DOMAIN/small/cpuset.mems"
	hog elsewhere 32M
	elsewhere=$HOG
	hog small 16M
	small=$HOG
	hog large 64M 900M
	large=$HOG
	kill -USR1 "$large"
	wait_for 90 "the large process to die" is_gone "$large"
	! is_gone "$small" || fail "the small process is dead"
	! is_gone "$elsewhere" || fail "the process on the other node is dead"
	kernel_has "oom-kill:constraint=CONSTRAINT_CPUSET,nodemask=.*,mems_allowed=1,global_oom,.*,pid=$large," ||
		fail "it was another OOM"
	assert_record "$MESSAGE_ID_KERNEL_KILL" BACKEND "$BACKEND" DECISION kernel REASON constraint CONSTRAINT cpuset \
		DOMAIN / VICTIM_PID "$large" TRIGGER_PID "$large"
	assert_match "the message" "$(journal_field MESSAGE "MESSAGE_ID=$MESSAGE_ID_KERNEL_KILL")" 'only some memory nodes have run out'
}

test_backend_is_kept()
{
	local other=struct_ops
	[[ $BACKEND != struct_ops ]] || other=evaluate_task
	sed -i "s/^Backend=.*/Backend=$other/" "$CONFIG"
	systemctl reload "$UNIT"
	wait_for 10 "the warning" daemon_says "Backend=$other takes effect when the daemon is started again"
	test_backend_is_in_use
	use "$BACKEND"
}

daemon_says()
{
	journalctl -q -o cat --since="$LOG_SINCE" "_PID=$(daemon_pid)" | grep -q -F -e "$1"
}

plan $((12 * ${#BACKENDS[@]} + 4))
mkdir -p "$ROOT"
echo '+memory +cpuset' >/sys/fs/cgroup/cgroup.subtree_control
echo '+memory +cpuset' >"$ROOT/cgroup.subtree_control"
for backend in "${BACKENDS[@]}"; do
	use "$backend"
	run_test "backend-is-in-use-$backend" test_backend_is_in_use
	run_test "policy-kills-$backend" test_policy_kills
	run_test "kernel-kills-$backend" test_kernel_kills
	run_test "aborted-$backend" test_aborted
	run_test "nobody-$backend" test_nobody
	run_test "waiting-$backend" test_waiting
	run_test "remote-$backend" test_remote
	run_test "remote-with-nobody-$backend" test_remote_with_nobody
	run_test "allocating-task-$backend" test_allocating_task
	run_test "cpuset-$backend" test_cpuset
	run_test "cpuset-beside-dying-$backend" test_cpuset_beside_dying
	run_test "backend-is-kept-$backend" test_backend_is_kept
	domain_end
done

# What the one that is in use cannot do is said, once.
test_kill_is_warned_of()
{
	printf '\n[Rule whole]\nCgroup=/outcome/whole\nKill=cgroup\n' >>"$CONFIG"
	systemctl reload "$UNIT"
	wait_for 10 "the warning" daemon_says 'Kill=cgroup in [Rule whole] has no effect with the backend evaluate_task'
}

# The first that the kernel can do.
test_auto()
{
	sed -i 's/^Backend=.*/Backend=auto/' "$CONFIG"
	systemctl restart "$UNIT"
	BACKEND=struct_ops test_backend_is_in_use
	wait_for 10 "the log" daemon_says 'The backend is struct_ops.'
}

# vm.panic_on_oom comes before any policy, and 1 leaves them the OOMs of memory cgroups.
test_panic_on_system_oom()
{
	sysctl -q vm.panic_on_oom=1
	test_policy_kills
}

# The policy would have its victim, and the machine go on. That it does not is what the host sees.
test_panic_on_oom()
{
	echo 'vm-panic panic_on_oom'
	sysctl -q vm.panic_on_oom=2
	test_policy_kills
	fail "the machine goes on"
}

run_test kill-is-warned-of test_kill_is_warned_of
run_test auto test_auto
BACKEND=struct_ops
run_test panic-on-system-oom test_panic_on_system_oom
run_test panic_on_oom test_panic_on_oom
