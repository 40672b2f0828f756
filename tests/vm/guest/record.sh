# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=200
#
# What a record says besides who died: the runners-up, the limits, the allocation's flags, whom
# memory.oom.group took along, and the message for people; against what the test itself set up.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/records-lib.bash
. records-lib.bash

readonly ROOT=/sys/fs/cgroup/record
readonly DIR=/run/record
readonly KILL="MESSAGE_ID=$MESSAGE_ID_KILL"

# configure N [BACKEND]
configure()
{
	config_write <<END
[Daemon]
RunnersUp=$1
Backend=${2:-auto}

[Policy record]

[Rule first]
Cgroup=/record/*/first
Priority=10

[Rule second]
Cgroup=/record/*/second
Priority=20

[Rule never]
Cgroup=/record/*/never
Protect=yes
END
}

# start CGROUP NAME SIZE...: a process called NAME, and its pid in SPAWNED.
start()
{
	local cgroup=$1 name=$2
	shift 2
	mkdir -p "$DOMAIN/$cgroup"
	ln -sf /usr/lib/oompolicyd-tests/memhog "$DIR/bin/$name"
	rm -f "$DIR/state/$name"
	spawn "$DOMAIN/$cgroup" "$DIR/bin/$name" "$DIR/state/$name" "$@"
	wait_for 20 "$name to fill its memory" test -e "$DIR/state/$name"
}

domain_begin()
{
	DOMAIN=$ROOT/$1
	mkdir -p "$DOMAIN"
	echo +memory >"$DOMAIN/cgroup.subtree_control"
}

# overrun PID: the process asks for more than its domain may have, and somebody dies.
overrun()
{
	LIMIT=$(($(<"$DOMAIN/memory.current") + (4 << 20)))
	LIMIT=$((LIMIT / 4096 * 4096))
	echo $LIMIT >"$DOMAIN/memory.max"
	kill -USR1 "$1"
	journal_wait 20 "the record" "$KILL"
}

domain_end()
{
	echo 1 >"$DOMAIN/cgroup.kill"
	wait_for 20 "the processes to be gone" grep -q 'populated 0' "$DOMAIN/cgroup.events"
	find "$DOMAIN" -depth -type d -exec rmdir {} +
}

runners_up()
{
	journal_field OOMPOLICY_RUNNERS_UP "$KILL"
}

# columns: of the runners-up, those that are known beforehand.
columns()
{
	runners_up | cut -d ' ' -f 1-6,8-
}

# test_runners_up BACKEND
test_runners_up()
{
	local first second small large pinned never name sizes size expected
	configure 8 "$1"
	daemon_stop
	domain_begin runners
	start second second 2M
	second=$SPAWNED
	start first first 1M
	first=$SPAWNED
	start never never 12M
	never=$SPAWNED
	start default 'small one' 3M
	small=$SPAWNED
	start default pinned 6M
	pinned=$SPAWNED
	echo -1000 >"/proc/$pinned/oom_score_adj"
	start default large 30M 8M
	large=$SPAWNED
	echo -7 >"/proc/$small/oom_score_adj"
	daemon_start
	overrun "$large"

	assert_eq "the backend" "$(journal_field OOMPOLICY_BACKEND "$KILL")" "$1"
	assert_eq "the victim" "$(journal_field OOMPOLICY_VICTIM_PID "$KILL")" "$first"
	name=/record/runners
	expected="$second second 0 0 20 second priority $name/second
$large large 0 0 500 - priority $name/default
$small small\\x20one 0 -7 500 - priority $name/default
$never never 0 0 500 never protected $name/never
$pinned pinned 0 -1000 500 - oom-score-adj $name/default"
	assert_eq "the runners-up" "$(columns)" "$expected"
	sizes=$(runners_up | cut -d ' ' -f 7 | paste -sd' ')
	for size in 2 30 3 12 6; do
		((${sizes%% *} >= size << 20 && ${sizes%% *} < (size + 12) << 20)) ||
			fail "the sizes are not 2M, 30M, 3M, 12M, 6M: $(runners_up)"
		sizes=${sizes#* }
	done
	assert_eq "processes looked at" "$(journal_field OOMPOLICY_TASKS "$KILL")" 6
	domain_end
}

# Among equals the larger dies; and no more are named than there is room.
test_runners_up_bounded()
{
	local i pids=()
	configure 3
	systemctl reload oompolicyd.service
	domain_begin bounded
	for i in 1 2 3 4 5; do
		start "c$i" "equal$i" $((i * 2))M 12M
		pids[i]=$SPAWNED
	done
	overrun "${pids[1]}"
	assert_eq "the victim" "$(journal_field OOMPOLICY_VICTIM_COMM "$KILL")" equal5
	assert_eq "the runners-up" "$(runners_up | cut -d ' ' -f 1,2,5,8)" "${pids[4]} equal4 500 preference
${pids[3]} equal3 500 preference
$(runners_up | tail -n 1 | cut -d ' ' -f 1,2,5,8)"
	domain_end

	configure 0
	systemctl reload oompolicyd.service
	log_mark
	domain_begin bounded
	start c1 equal1 2M 12M
	start c2 equal2 8M
	overrun "$(pgrep -x equal1)"
	assert_eq "the runners-up of RunnersUp=0" "$(runners_up)" ""
	domain_end
	configure 8
	systemctl reload oompolicyd.service
}

# More cgroups than are looked at for runners-up have the same priority: those that use the most are.
test_runners_up_of_many()
{
	local i
	domain_begin many
	start first first 2M 12M
	for i in {1..20}; do
		mkdir "$DOMAIN/c$i"
		spawn "$DOMAIN/c$i" sleep infinity
	done
	start last large 8M
	overrun "$(pgrep -x first)"
	assert_eq "the victim" "$(journal_field OOMPOLICY_VICTIM_COMM "$KILL")" first
	assert_eq "how many are named" "$(runners_up | wc -l)" 8
	assert_eq "the next" "$(runners_up | head -n 1 | cut -d ' ' -f 1,2,5,8)" "$SPAWNED large 500 priority"
	(($(journal_field OOMPOLICY_TASKS "$KILL") < 22)) || fail "all were looked at"
	domain_end
}

test_limits()
{
	local lines line usage
	domain_begin limits
	echo max >$ROOT/memory.max
	echo $((512 << 20)) >$ROOT/memory.high
	echo $((16 << 20)) >"$DOMAIN/memory.swap.max" || :
	start default hog 8M 8M
	overrun "$SPAWNED"
	lines=$(journal_field OOMPOLICY_LIMITS "$KILL")
	assert_eq "the lines" "$(wc -l <<<"$lines")" 2
	line=$(head -n 1 <<<"$lines")
	usage=${line%% *}
	((usage <= LIMIT && usage > LIMIT - (1 << 20))) || fail "the use is $usage, the limit $LIMIT"
	assert_eq "the domain's" "${line#* }" "$LIMIT max 0 $((16 << 20)) /record/limits"
	line=$(tail -n 1 <<<"$lines")
	((${line%% *} >= usage)) || fail "less is used above: $lines"
	assert_eq "its parent's" "${line#* }" "max $((512 << 20)) 0 max /record"
	echo max >$ROOT/memory.high
	domain_end
}

# In the kernel's own words.
test_gfp()
{
	local flags mask
	domain_begin gfp
	start default hog 8M 8M
	overrun "$SPAWNED"
	flags=$(journal_field OOMPOLICY_GFP_FLAGS "$KILL")
	mask=$(journal_field OOMPOLICY_GFP_MASK "$KILL")
	kernel_has "invoked oom-killer: gfp_mask=$mask\\(${flags//|/\\|}\\), order=0" ||
		fail "not what the kernel says: $mask($flags)"
	domain_end
}

test_oom_group()
{
	local victim other third
	domain_begin group
	mkdir "$DOMAIN/first"
	echo 1 >"$DOMAIN/first/memory.oom.group"
	start first victim 8M
	victim=$SPAWNED
	start first other 4M
	other=$SPAWNED
	start first third 2M
	third=$SPAWNED
	start default large 20M 8M
	overrun "$SPAWNED"
	assert_eq "the victim" "$(journal_field OOMPOLICY_VICTIM_PID "$KILL")" "$victim"
	assert_eq "Kill=" "$(journal_field OOMPOLICY_KILL "$KILL")" ""
	assert_eq "how many more" "$(journal_field OOMPOLICY_MEMBERS "$KILL")" 2
	assert_eq "the members" \
		"$(journalctl -q -o verbose --since="$LOG_SINCE" "$KILL" |
			sed -n 's/^ *OOMPOLICY_MEMBER=//p' | cut -d ' ' -f 1,2,4 | sort -n)" \
		"$(printf '%s\n' "$other other /record/group/first" "$third third /record/group/first" | sort -n)"
	assert_match "the message" "$(journal_field MESSAGE "$KILL")" "and 2 more processes by memory.oom.group,"
	assert_eq "records lost" "$(journal_field OOMPOLICY_LOST "$KILL")" 0
	domain_end
}

# Who, why and what to change, in the log of the unit that died.
test_message()
{
	local message line
	config_write <<'END'
[Policy record]

[Rule small]
Unit=small.service
Priority=10
END
	systemctl reload oompolicyd.service
	workload_overrun
	assert_eq "the victim" "$VICTIM" small
	journal_wait 20 "the record" "$KILL"
	message=$(journalctl -q -o cat -u small.service --since="$LOG_SINCE" "$KILL")
	assert_eq "its lines" "$(wc -l <<<"$message")" 3
	line=$(head -n 1 <<<"$message")
	assert_match "who" "$line" '^OOM in /overrun.slice: killed memhog \(pid [0-9]+, /overrun.slice/small.service, priority 10 from /overrun.slice/small.service by rule small\), triggered by memhog '
	line=$(sed -n 2p <<<"$message")
	assert_match "why" "$line" '^The limit is memory.max=96.0M of /overrun.slice, with 9[56].[0-9]M in use. Next would have been memhog \(pid [0-9]+, /overrun.slice/large.service, priority 500, [78][0-9].[0-9]M\), whose priority is higher.$'
	line=$(tail -n 1 <<<"$message")
	assert_eq "what to change" "$line" "To have another die: Priority= of [Rule small], $CONFIG:3. To have none die: MemoryMax= of overrun.slice."
	COLUMNS=80 oompolicyctl info "$(oompolicyctl list --no-legend | awk 'END { print $1 }')"
}

plan 8
mkdir -p $ROOT $DIR/bin $DIR/state
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo +memory >$ROOT/cgroup.subtree_control
run_test runners_up_evaluate test_runners_up evaluate_task
run_test runners_up test_runners_up struct_ops
run_test runners_up_bounded test_runners_up_bounded
run_test runners_up_of_many test_runners_up_of_many
run_test limits test_limits
run_test gfp test_gfp
run_test oom_group test_oom_group
run_test message test_message
