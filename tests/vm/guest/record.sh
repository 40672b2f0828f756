# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=400 extra=bookworm,posted
#
# What a record says besides who died: all about the victim and the trigger, the runners-up, the
# limits, the allocation's flags, whom memory.oom.group took along, when the memory was back, and the
# message for people; against what the test itself set up.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/records-lib.bash
. records-lib.bash

readonly ROOT=/sys/fs/cgroup/record
readonly DIR=/run/record
# Not in memory, as what is in DIR.
readonly SWAP=/var/tmp/swap FILE=/var/tmp/file
# What the kernel's counters of a process may be wrong by: 32 pages on each processor
# (percpu_counter_batch of lib/percpu_counter.c).
COUNTER_DRIFT=$(($(nproc) * 32 * 4096))
readonly COUNTER_DRIFT
readonly KILL="MESSAGE_ID=$MESSAGE_ID_KILL"
readonly KERNEL_KILL="MESSAGE_ID=$MESSAGE_ID_KERNEL_KILL"
readonly FREED="MESSAGE_ID=$MESSAGE_ID_FREED"

# configure N [BACKEND [STOP]]
configure()
{
	config_write <<END
[Daemon]
RunnersUp=$1
Backend=${2:-auto}
Stop=${3:-remove}

[Policy record]

[Rule first]
Cgroup=/record/*/first
Priority=10

[Rule second]
Cgroup=/record/*/second
Priority=20

[Rule never]
Cgroup=/record/*/never*
Protect=yes
END
}

# A command before the program, which it runs.
AS=()

# start CGROUP NAME SIZE...: a process called NAME, and its pid in SPAWNED.
start()
{
	local cgroup=$1 name=$2
	shift 2
	mkdir -p "$DOMAIN/$cgroup"
	ln -sf /usr/lib/oompolicyd-tests/memhog "$DIR/bin/$name"
	rm -f "$DIR/state/$name"
	spawn "$DOMAIN/$cgroup" "${AS[@]}" "$DIR/bin/$name" "$DIR/state/$name" "$@"
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
	overrun_begin "$1"
	journal_wait 20 "the record" "$KILL"
}

overrun_begin()
{
	LIMIT=$(($(<"$DOMAIN/memory.current") + (4 << 20)))
	LIMIT=$((LIMIT / 4096 * 4096))
	echo $LIMIT >"$DOMAIN/memory.max"
	BEGUN=${EPOCHREALTIME/./}
	kill -USR1 "$1"
}

# fields_acquire MATCH: of the newest entry, for field() and fields_are().
fields_acquire()
{
	journalctl -q -o export -n 1 --since="$LOG_SINCE" "$1" | grep -a '^OOMPOLICY_' >/run/fields
}

field()
{
	sed -n "s/^OOMPOLICY_$1=//p" /run/fields
}

# fields_are NAME VALUE...
fields_are()
{
	while (($# > 0)); do
		assert_eq "OOMPOLICY_$1" "$(field "$1")" "$2"
		shift 2
	done
}

inode()
{
	stat -c %i "$1"
}

# uptime_usec: CLOCK_MONOTONIC, in steps of 10 ms; the machine was never suspended.
uptime_usec()
{
	awk '{ printf "%d\n", $1 * 1000000 }' /proc/uptime
}

# status PID NAME: in bytes.
status()
{
	awk -v name="$2:" '$1 == name { print $2 * 1024 }' "/proc/$1/status"
}

# start_ticks PID: since boot, 100 a second.
start_ticks()
{
	sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 20
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
	# Its death makes all the room that is asked for.
	start first first 4M
	first=$SPAWNED
	start never never 12M
	never=$SPAWNED
	start default 'small one' 3M
	small=$SPAWNED
	start default pinned 6M
	pinned=$SPAWNED
	echo -1000 >"/proc/$pinned/oom_score_adj"
	start default large 30M 6M
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

# Among equals the larger dies; and no more are named than there is room. The one that asks for more
# stays below the others by more than the kernel can take back for it.
test_runners_up_bounded()
{
	local i pids=()
	configure 3
	systemctl reload oompolicyd.service
	domain_begin bounded
	for i in 1 2 3 4 5; do
		start "c$i" "equal$i" $((i * 10 - 8))M 12M
		pids[i]=$SPAWNED
	done
	overrun "${pids[1]}"
	assert_eq "the victim" "$(journal_field OOMPOLICY_VICTIM_COMM "$KILL")" equal5
	assert_eq "the runners-up" "$(runners_up | cut -d ' ' -f 1,2,5,8)" "${pids[4]} equal4 500 preference
${pids[3]} equal3 500 preference
${pids[2]} equal2 500 preference"
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
}

# swap_begin: room for some of a victim's memory.
swap_begin()
{
	dd if=/dev/zero of=$SWAP bs=1M count=16 status=none
	chmod 600 $SWAP
	mkswap -q $SWAP
	swapon $SWAP
}

swap_end()
{
	[[ ! -e $SWAP ]] || swapoff $SWAP || :
	rm -f $SWAP
}

# test_fields BACKEND: all that is said about the victim and the trigger, from /proc just before.
test_fields()
{
	local victim trigger name expected before after wrong cgroups=2
	# The kernel's own walk comes by those with processes, a policy's by all.
	[[ $1 == evaluate_task ]] || cgroups=5
	domain_begin fields
	swap_begin
	dd if=/dev/zero of=$FILE bs=1M count=3 status=none
	chmod 644 $FILE
	AS=(choom -n 37 -- setpriv --reuid=65534 --regid=65534 --clear-groups --)
	start first/below 'a victim' 4M shared:2M file:$FILE
	AS=()
	victim=$SPAWNED
	for expected in $((6 << 20)) $((9 << 20)); do
		kill -USR1 "$victim"
		wait_for 20 "the next step" grep -qx $expected "$DIR/state/a victim"
	done
	# The others' is locked.
	echo 2M >"$DOMAIN/first/memory.reclaim" 2>/dev/null || :
	cat "$DOMAIN/memory.swap.current" >"$DOMAIN/memory.swap.max"
	start default/trigger trigger 20M 8M
	trigger=$SPAWNED

	for name in RssAnon RssFile RssShmem VmSwap VmPTE; do
		(($(status "$victim" $name) > 0)) || fail "the victim has no $name"
	done
	expected=(
		VICTIM_PID "$victim" VICTIM_TID "$victim" VICTIM_COMM 'a victim' VICTIM_UID 65534
		VICTIM_CGROUP /record/fields/first/below
		VICTIM_CGROUP_ID "$(inode "$DOMAIN/first/below")" VICTIM_OOM_SCORE_ADJ 37
		VICTIM_PGTABLES_BYTES "$(status "$victim" VmPTE)" VICTIM_UNIT ""
		RULE first EFFECTIVE_PRIORITY 10 PRIORITY_SOURCE /record/fields/first
		TRIGGER_PID "$trigger" TRIGGER_TID "$trigger" TRIGGER_COMM trigger TRIGGER_UID 0
		TRIGGER_CGROUP /record/fields/default/trigger
		TRIGGER_CGROUP_ID "$(inode "$DOMAIN/default/trigger")" TRIGGER_OOM_SCORE_ADJ 0
		BACKEND "$1" DOMAIN /record/fields DOMAIN_ID "$(inode "$DOMAIN")" CONSTRAINT memcg ORDER 0
		TASKS 2 CGROUPS "$cgroups" REMOTE 0 SYSRQ 0 SUPPRESSED 0 LOST 0 PATH_CUT 0 KILL_ERROR ""
		CONFIG "$(journal_field_of_boot OOMPOLICY_CONFIG "MESSAGE_ID=$MESSAGE_ID_POLICY_ACTIVE")"
	)
	local started=("$(start_ticks "$victim")" "$(start_ticks "$trigger")") file
	for name in RssAnon RssShmem VmSwap; do
		status "$victim" $name
	done >/run/expected
	file=$(status "$victim" RssFile)
	before=$(uptime_usec)
	overrun "$trigger"
	after=$(($(uptime_usec) + 10000))

	fields_acquire "$KILL"
	fields_are "${expected[@]}"
	assert_eq "the victim's start" $(($(field VICTIM_START_USEC) / 10000)) "${started[0]}"
	assert_eq "the trigger's start" $(($(field TRIGGER_START_USEC) / 10000)) "${started[1]}"
	for name in ANON SHMEM SWAP; do
		printf '%s %s %s\n' $name "$(field VICTIM_${name}_BYTES)" "$(sed -n 1p /run/expected)"
		sed -i 1d /run/expected
	done >/run/sizes
	wrong=$(awk -v drift=$COUNTER_DRIFT '$2 - $3 > drift || $3 - $2 > drift' /run/sizes)
	assert_eq "a size that is not as in /proc" "$wrong" ""
	# What is not locked may have gone meanwhile.
	(($(field VICTIM_FILE_BYTES) >= (3 << 20) - COUNTER_DRIFT && $(field VICTIM_FILE_BYTES) <= file + COUNTER_DRIFT)) ||
		fail "the victim's file pages are $(field VICTIM_FILE_BYTES), 3M to $file expected"
	(($(field TRIGGER_ANON_BYTES) >= 20 << 20 && $(field TRIGGER_ANON_BYTES) <= 29 << 20)) ||
		fail "the trigger's anonymous pages are $(field TRIGGER_ANON_BYTES), 20M to 29M expected"
	(($(field KTIME_USEC) >= before && $(field KTIME_USEC) <= after)) ||
		fail "the OOM was at $(field KTIME_USEC), $before to $after expected"
	(($(field SELECT_NSEC) > 0 && $(field SELECT_NSEC) <= $(field HANDLER_NSEC))) ||
		fail "$(field SELECT_NSEC) ns to choose, $(field HANDLER_NSEC) in all"
	(($(field HANDLER_NSEC) <= (after - before) * 1000)) ||
		fail "$(field HANDLER_NSEC) ns in the handler, the OOM took $((after - before)) us"
	domain_end
}

# Those that cgroups before and since have.
journal_field_of_boot()
{
	journalctl -q -b -o cat --output-fields="$1" -n 1 "$2"
}

# More cgroups than are looked at for runners-up have the same priority: those that use the most are.
test_runners_up_of_many()
{
	local i
	configure 8
	systemctl reload oompolicyd.service
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

# Who died with it, and who did not: one is spared by its oom_score_adj. Leaves the victim in VICTIM
# and the others' lines in EXPECTED.
group_begin()
{
	local other third
	domain_begin "$1"
	mkdir "$DOMAIN/$2"
	echo 1 >"$DOMAIN/$2/memory.oom.group"
	start "$2" victim 8M
	VICTIM=$SPAWNED
	start "$2" other 4M
	other=$SPAWNED
	start "$2/below" 'third one' 2M
	third=$SPAWNED
	start "$2" spared 1M
	SPARED=$SPAWNED
	echo -1000 >"/proc/$SPARED/oom_score_adj"
	EXPECTED=$(printf '%s\n' "$other other /record/$1/$2" "$third third\\x20one /record/$1/$2/below" | sort -n)
}

group_is_gone()
{
	! pgrep -f "$DIR/bin/(victim|other|third one)"
}

# group_end MATCH
group_end()
{
	fields_acquire "$1"
	assert_eq "the victim" "$(field VICTIM_PID)" "$VICTIM"
	assert_eq "how many more" "$(field MEMBERS)" 2
	assert_eq "the members" "$(field MEMBER | cut -d ' ' -f 1,2,4 | sort -n)" "$EXPECTED"
	assert_match "the message" "$(journal_field MESSAGE "$1")" "and 2 more processes by memory.oom.group,"
	assert_eq "records lost" "$(field LOST)" 0
	wait_for 20 "the group to die" group_is_gone
	! is_gone "$SPARED" || fail "the kernel did not spare the one with -1000"
	domain_end
}

# test_oom_group BACKEND
test_oom_group()
{
	group_begin group first
	start default large 20M 8M
	overrun "$SPAWNED"
	fields_are BACKEND "$1" KILL ""
	group_end "$KILL"
}

# The kernel's own choice: the policy has no opinion, as all are protected.
test_oom_group_kernel()
{
	group_begin kernel never
	start never-too trigger 1M 8M
	overrun_begin "$SPAWNED"
	journal_wait 20 "the record" "$KERNEL_KILL"
	group_end "$KERNEL_KILL"
}

# freed_are ID VICTIM DONE: the entry says that the memory of the one that the record ID is about was
# back before DONE, a time in microseconds.
freed_are()
{
	local usec took=$(($3 - BEGUN))
	journal_wait 20 "when the memory was back" "$FREED"
	fields_acquire "$1"
	local seq ktime comm
	seq=$(field SEQ)
	ktime=$(field KTIME_USEC)
	comm=$(field VICTIM_COMM)
	assert_eq "the victim" "$(field VICTIM_PID)" "$2"
	fields_acquire "$FREED"
	fields_are SEQ "$seq" KTIME_USEC "$ktime" VICTIM_PID "$2" VICTIM_COMM "$comm"
	usec=$(field FREED_USEC)
	((usec > 0 && usec <= took)) || fail "the memory was back after $usec us, the test waited $took"
}

# freed_once: there is one entry for the one record.
freed_once()
{
	assert_eq "the entries" "$(records_count "$MESSAGE_ID_FREED")" 1
}

# test_freed NAME
test_freed()
{
	local victim id
	domain_begin "freed-$1"
	start first gone 8M
	victim=$SPAWNED
	start default large 20M 8M
	overrun "$SPAWNED"
	wait "$victim" || :
	freed_are "$KILL" "$victim" "${EPOCHREALTIME/./}"
	fields_are FREED_BY exit LEFT_BYTES ""
	freed_once
	assert_match "the message" "$(journal_field MESSAGE "$FREED")" \
		"^The memory of gone \\(pid $victim\\) was back [0-9.]+ (us|ms|s) after it was killed\\.$"
	assert_match "the catalog" "$(journalctl -q -x -n 1 --since="$LOG_SINCE" "$FREED")" \
		"Subject: The memory of process $victim \\(gone\\) is back"
	id=$(oompolicyctl list --no-legend | awk '$4 == "killed" { id = $1 } END { print id }')
	assert_match "info" "$(oompolicyctl info "$id")" "Memory back: [0-9.]+ (us|ms|s) after it was killed"
	assert_eq "info --json" "$(oompolicyctl info --json=short "$id" | grep -o '"OOMPOLICY_FREED_USEC":"[0-9]*"')" \
		"\"OOMPOLICY_FREED_USEC\":\"$(field FREED_USEC)\""
	domain_end
}

test_freed_kernel()
{
	local victim
	domain_begin freed-kernel
	start never gone 8M
	victim=$SPAWNED
	start never-too large 2M 8M
	overrun_begin "$SPAWNED"
	journal_wait 20 "the record" "$KERNEL_KILL"
	wait "$victim" || :
	freed_are "$KERNEL_KILL" "$victim" "${EPOCHREALTIME/./}"
	freed_once
	domain_end
}

# One that is held at its exit: the kernel takes its memory after two seconds.
test_freed_by_reaper()
{
	local victim tracer
	domain_begin freed-reaper
	start first stuck 8M
	victim=$SPAWNED
	rm -f $DIR/state/linger
	linger "$victim" $DIR/state/linger &
	tracer=$!
	wait_for 20 "the victim to be held" test -e $DIR/state/linger
	start default large 20M 8M
	overrun "$SPAWNED"
	journal_wait 30 "when the memory was back" "$FREED"
	! is_gone "$victim" || fail "the victim is gone"
	freed_are "$KILL" "$victim" "${EPOCHREALTIME/./}"
	fields_are FREED_BY reaper
	(($(field FREED_USEC) >= 1900000)) || fail "the reaper came after $(field FREED_USEC) us"
	(($(field LEFT_BYTES) < 4 << 20)) || fail "$(field LEFT_BYTES) bytes are left of 8M"
	assert_match "the message" "$(journal_field MESSAGE "$FREED")" "by the kernel's OOM reaper"
	kill "$tracer"
	wait "$victim" || :
	freed_once
	domain_end
}

# While no daemon runs, and after the next one has taken over.
test_freed_without_daemon()
{
	local victim ended
	configure 8 auto keep
	systemctl reload oompolicyd.service
	domain_begin freed-away
	start first gone 8M
	victim=$SPAWNED
	start default large 20M 8M
	daemon_stop
	overrun_begin "$SPAWNED"
	wait "$victim" || :
	ended=${EPOCHREALTIME/./}
	! journal_has "$KILL" || fail "there is a record without a daemon"
	daemon_start
	journal_wait 20 "the record" "$KILL"
	freed_are "$KILL" "$victim" "$ended"
	freed_once
	domain_end

	log_mark
	test_freed adopted
	configure 8
	systemctl reload oompolicyd.service
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
	fields_acquire "$KILL"
	fields_are VICTIM_UNIT small.service TRIGGER_UNIT large.service VICTIM_USER_UNIT ""
	assert_match "the catalog" "$(journalctl -q -x -n 1 --since="$LOG_SINCE" "$KILL")" \
		"Subject: The OOM policy killed process $(field VICTIM_PID) \(memhog\)"
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

backends='evaluate_task struct_ops'
! is_posted || backends=struct_ops
plan $((9 + 4 * $(wc -w <<<"$backends")))
journalctl --update-catalog
mkdir -p $ROOT $DIR/bin $DIR/state
chmod 1777 $DIR/state
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo +memory >$ROOT/cgroup.subtree_control
for backend in $backends; do
	run_test "runners_up_$backend" test_runners_up "$backend"
	run_test "fields_$backend" test_fields "$backend"
	swap_end
	run_test "oom_group_$backend" test_oom_group "$backend"
	run_test "freed_$backend" test_freed "$backend"
done
run_test oom_group_kernel test_oom_group_kernel
run_test freed_kernel test_freed_kernel
run_test freed_by_reaper test_freed_by_reaper
run_test freed_without_daemon test_freed_without_daemon
run_test runners_up_bounded test_runners_up_bounded
run_test runners_up_of_many test_runners_up_of_many
run_test limits test_limits
run_test gfp test_gfp
run_test message test_message
