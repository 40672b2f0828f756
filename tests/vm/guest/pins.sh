# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=600 extra=bookworm,posted
#
# The policy outlives the daemon: kills of the daemon in the middle of OOMs, restarts, upgrades, and
# what else may lie in the BPF file system. Each OOM is decided by policy, and has one record.
#
# The argument is the number of kills. The long run:
#     tests/vm/boot --memory 2048 --timeout 1800 tests/vm/guest/pins.sh 100
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/records-lib.bash
. records-lib.bash

readonly KILLS=${1:-4}
# The daemon is away for seconds: at this pace the ring holds what comes in that time.
readonly PAUSE_MSEC=50
readonly UNIT=oompolicyd.service
readonly ROOT=/sys/fs/cgroup/pins
readonly PINS=/sys/fs/bpf/oompolicyd
readonly NOTE=$PINS/meta
# Where in the note, see daemon/kernel/note.h.
readonly NOTE_COMPLETE=12 NOTE_ABI=20 NOTE_BUILD=24

# config_pins [STOP [BACKEND]]
config_pins()
{
	config_write <<END
[Daemon]
Stop=${1:-remove}
Backend=${2:-auto}

[Policy pins]

[Rule mark]
Cgroup=/pins/*/mark
Priority=10

[Rule keep]
Cgroup=/pins/*/keep
Priority=900
END
}

daemon_is_up()
{
	[[ $(systemctl show -P ActiveState $UNIT) == active && $(daemon_pid) != "${1:-0}" ]]
}

# Not past the limit of starts, which is not what these tests are about.
daemon_kill()
{
	systemctl reset-failed $UNIT
	systemctl kill --kill-whom=main -s KILL $UNIT
}

daemon_has_process()
{
	local pid
	pid=$(daemon_pid)
	((pid > 0 && pid != $1))
}

in_force()
{
	[[ -e $PINS/link-0 ]]
}

# A daemon that has just been started comes to the bus a little later.
status()
{
	wait_for 20 "the daemon on the bus" oompolicyctl status >/dev/null
	oompolicyctl status
}

handlers_are()
{
	(($(bpftool link list | grep -c ': struct_ops ') == $1))
}

# one_oom: in cgroups that are always there, as new ones are ruled by a daemon only.
one_oom()
{
	assert_eq "an OOM" "$(oomstorm burst $ROOT/one $ROOT/one/{keep,mark} 1)" "1 kept"
}

# storm_begin ROUNDS [WORKERS [PAUSE_MSEC]]: leaves its process in STORM; its result comes in /run/storm.
storm_begin()
{
	STORM_BEFORE=$(oom_kills)
	oomstorm paced $ROOT 4 "${2:-2}" "$1" "${3:-1}" >/run/storm &
	STORM=$!
	# Its cgroups have to be ruled.
	wait_for 20 "the first OOM" test_more_kills "$STORM_BEFORE"
}

test_more_kills()
{
	(($(oom_kills) > $1))
}

# Before its rounds are over; it finishes those that have begun.
storm_end()
{
	local workers
	# The line has no end, which read() takes for a failure.
	read -r -a workers </proc/"$STORM"/task/"$STORM"/children || :
	kill "${workers[@]}"
	wait "$STORM"
}

# storm_decided ROUNDS: all were decided by the policy.
storm_decided()
{
	[[ ! -d /proc/$STORM ]] || wait "$STORM"
	assert_eq "killed, lived, lost" "$(</run/storm)" "$1 0 0"
}

none_undecided()
{
	local id
	for id in "$MESSAGE_ID_NO_OPINION" "$MESSAGE_ID_KERNEL_KILL"; do
		assert_eq "the OOMs that no policy decided" "$(records "$id" MESSAGE)" ""
	done
}

# storm_accounted ROUNDS: all were decided by the policy, and each has one record.
storm_accounted()
{
	local kills wrong
	storm_decided "$1"
	kills=$(($(oom_kills) - STORM_BEFORE))
	records_settle 30 "$kills"
	assert_eq "the records, and those lost" "$RECORDED $LOST" "$kills 0"
	wrong=$(awk '$3 != $4 "/mark" || $5 != 10' /run/records)
	assert_eq "a record of a wrong victim" "${wrong%%$'\n'*}" ""
	assert_eq "the processes with two records" "$(cut -d ' ' -f 6 /run/records | sort | uniq -d)" ""
	# Nobody knows the rules of a daemon that was killed between their switch and its note of it.
	wrong=$(records "$MESSAGE_ID_KILL" OOMPOLICY_RULE | grep -vxF -e mark -e - || :)
	assert_eq "the rules" "$wrong" ""
	assert_eq "the policies" "$(records "$MESSAGE_ID_KILL" OOMPOLICY_POLICY | sort -u)" pins
	none_undecided
}

# At random moments of a storm, some before it has written what the one before left.
test_killed()
{
	local rounds pid
	storm_begin 1000000 1 $PAUSE_MSEC
	for ((i = 0; i < KILLS; i++)); do
		pid=$(daemon_pid)
		sleep "0.$(printf '%03d' $((RANDOM % 700)))"
		daemon_kill
		# Every third is killed again before it is ready, or just after.
		wait_for 20 "the next process" daemon_has_process "$pid"
		((i % 3 == 0)) || wait_for 20 "the next daemon" daemon_is_up "$pid"
	done
	wait_for 20 "the last daemon" daemon_is_up 0
	storm_end
	rounds=$(cut -d ' ' -f 1 /run/storm)
	((rounds > KILLS)) || fail "there were $rounds OOMs only"
	storm_accounted "$rounds"
	journal_has "MESSAGE_ID=$MESSAGE_ID_POLICY_ADOPTED" || fail "no daemon says that it adopted"
	printf '%d kills of the daemon among %d OOMs, %d records, %s looked for\n' \
		"$KILLS" "$rounds" "$RECORDED" "$(journalctl -q -o cat --since="$LOG_SINCE" _COMM=oompolicyd | grep -c '^Looking whether' || :)"
}

test_restarts()
{
	storm_begin 200
	for ((i = 0; i < 3; i++)); do
		systemctl reset-failed $UNIT
		systemctl restart $UNIT
	done
	storm_accounted 200
	journal_has "MESSAGE_ID=$MESSAGE_ID_POLICY_KEPT" || fail "it does not say that the policy stays"
	! journal_has "MESSAGE_ID=$MESSAGE_ID_POLICY_INACTIVE" || fail "the policy was off"
	assert_match "the status" "$(status)" 'Policies: pinned, adopted, since '
}

test_stop()
{
	daemon_stop
	[[ ! -e $PINS ]] || fail "there is $(ls $PINS)"
	wait_for 5 "the handlers to be gone" handlers_are 0
	journal_wait 10 "that it is off" "MESSAGE_ID=$MESSAGE_ID_POLICY_INACTIVE"
	daemon_start
}

test_stop_keeps()
{
	config_pins keep
	systemctl reload $UNIT
	daemon_stop
	journal_wait 10 "that it stays" "MESSAGE_ID=$MESSAGE_ID_POLICY_KEPT"
	one_oom
	config_pins
	assert_status 0 oompolicyd --check
	in_force || fail "the policy is gone"
	daemon_start
	records_settle 20 1
	assert_eq "the records" "$RECORDED" 1
	assert_eq "the adopted records" "$(journal_field OOMPOLICY_ADOPTED_RECORDS "MESSAGE_ID=$MESSAGE_ID_POLICY_ADOPTED")" 1
}

test_remove()
{
	assert_status 1 oompolicyd --remove
	config_pins keep
	systemctl reload $UNIT
	daemon_stop
	in_force || fail "the policy is gone"
	assert_status 0 oompolicyd --remove
	[[ ! -e $PINS ]] || fail "there is $(ls $PINS)"
	wait_for 5 "the handlers to be gone" handlers_are 0
	config_pins
	daemon_start
}

# note_poke OFFSET BYTE...: changes the note of a daemon that is not running.
note_poke()
{
	local offset=$1 bytes i=0 byte
	shift
	mapfile -t bytes < <(bpftool -j map lookup pinned $NOTE key 0 0 0 0 | sed 's/.*"value":\[\([^]]*\)\].*/\1/' | tr -d '"' | tr ',' '\n')
	for byte; do
		bytes[offset + i]=$byte
		i=$((i + 1))
	done
	bpftool map update pinned $NOTE key 0 0 0 0 value "${bytes[@]}"
}

# found ORIGIN OFFSET BYTE...: a start among OOMs, after a stop that keeps the policy and a change of
# the note.
found()
{
	local origin=$1
	shift
	config_pins keep
	systemctl reload $UNIT
	storm_begin 150
	daemon_stop
	note_poke "$@"
	config_pins
	daemon_start
	assert_match "the status" "$(status)" "Policies: pinned, $origin, since "
	storm_decided 150
	[[ ! -e $PINS-next ]] || fail "the other set is still there"
	wait_for 5 "no handlers but two" handlers_are 2
}

# The maps stay, and with them all records; or where programs cannot be exchanged, each OOM is recorded in
# those of the set that decided it.
test_other_build()
{
	local origin=updated
	! is_posted || origin=replaced
	found $origin $NOTE_BUILD 1 2 3 4 5 6 7 8
	storm_accounted 150
}

# Records of another version cannot be read.
test_other_version()
{
	found replaced $NOTE_ABI 99
	journal_wait 10 "what is lost" "MESSAGE_ID=$MESSAGE_ID_RECORDS_LOST"
	assert_match "what it says" "$(journal_field MESSAGE "MESSAGE_ID=$MESSAGE_ID_RECORDS_LOST")" \
		'^[0-9]+ bytes of records of OOMs were lost'
	log_mark
	one_oom
	records_settle 20 1
	assert_eq "the records after it" "$RECORDED" 1
}

# becomes BACKEND ORIGIN
becomes()
{
	config_pins keep "$1"
	systemctl reset-failed $UNIT
	systemctl restart $UNIT
	assert_match "the status" "$(status)" " Backend: $1"$'\n.*'"Policies: pinned, $2, since "
}

# One OOM after the other, fewer in all than the ring holds; each prints "1 kept" where the policy decided.
steady()
{
	while [[ ! -e /run/steady-end ]]; do
		oomstorm burst $ROOT/one $ROOT/one/{keep,mark} 1
	done >/run/steady
}

# From one to the other, and each time what was there decides until the next one does.
test_backends()
{
	local kills steady
	rm -f /run/steady-end
	STORM_BEFORE=$(oom_kills)
	steady &
	steady=$!
	becomes evaluate_task replaced
	becomes evaluate_task adopted
	daemon_stop
	note_poke $NOTE_BUILD 1 2 3 4 5 6 7 8
	daemon_start
	assert_match "the status" "$(status)" 'Policies: pinned, updated, since '
	becomes struct_ops replaced
	wait_for 5 "no handlers but two" handlers_are 2
	touch /run/steady-end
	wait "$steady"
	kills=$(($(oom_kills) - STORM_BEFORE))
	assert_eq "the OOMs, and those that were decided" "$(sort /run/steady | uniq -c | xargs)" "$kills 1 kept"
	records_settle 30 "$kills"
	assert_eq "the records" "$RECORDED" "$kills"
	assert_eq "the processes with two records" "$(cut -d ' ' -f 6 /run/records | sort | uniq -d)" ""
	none_undecided
	printf '%d OOMs, %d records\n' "$kills" "$RECORDED"
	config_pins
	systemctl reload $UNIT
}

test_half_made()
{
	daemon_stop
	mkdir -m 700 $PINS-next
	daemon_start
	[[ ! -e $PINS-next ]] || fail "the half that was made is still there"
	config_pins keep
	systemctl reload $UNIT
	daemon_stop
	note_poke $NOTE_COMPLETE 0
	config_pins
	daemon_start
	assert_match "the status" "$(status)" 'Policies: pinned, loaded, since '
	wait_for 5 "no handlers but two" handlers_are 2
	one_oom
}

# What is somebody else's stays as it is, and the policy is active all the same.
foreign()
{
	daemon_start
	journal_wait 10 "the warning" "MESSAGE_ID=$MESSAGE_ID_NOT_PINNED"
	assert_match "the status" "$(status)" 'Policies: not pinned'
	one_oom
	daemon_stop
	wait_for 5 "the handlers to be gone" handlers_are 0
}

test_foreign()
{
	daemon_stop
	mkdir -m 755 $PINS
	foreign
	assert_eq "the mode" "$(stat -c %a $PINS)" 755
	chmod 700 $PINS
	bpftool map create $PINS/map-op_events type array key 4 value 4 entries 1 name theirs
	foreign
	assert_match "the map" "$(bpftool map show pinned $PINS/map-op_events)" theirs
	assert_status 1 oompolicyd --remove
	mv $PINS/map-op_events $PINS/theirs
	foreign
	rm $PINS/theirs
	rmdir $PINS
}

test_unwritable()
{
	mkdir -p /run/systemd/system/$UNIT.d
	printf '[Service]\nBindPaths=\n' >/run/systemd/system/$UNIT.d/unwritable.conf
	systemctl daemon-reload
	foreign
	rm /run/systemd/system/$UNIT.d/unwritable.conf
	systemctl daemon-reload
	daemon_start
}

# start_usec: from the process's start to the policy's being active.
start_usec()
{
	journal_wait 10 "its line" "MESSAGE_ID=$MESSAGE_ID_POLICY_ACTIVE" "_PID=$(daemon_pid)"
	journal_field OOMPOLICY_START_USEC "MESSAGE_ID=$MESSAGE_ID_POLICY_ACTIVE" "_PID=$(daemon_pid)"
}

test_cost()
{
	daemon_stop
	daemon_start
	figure pins_start_loaded "$(start_usec)" us
	systemctl reset-failed $UNIT
	systemctl restart $UNIT
	figure pins_start_adopted "$(start_usec)" us
}

plan $((12 - $(is_posted && echo 1 || echo 0)))
# So many records for each kill of the daemon.
STORM_KILLS=$((KILLS * 100))
storm_setup
mkdir -p $ROOT
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo +memory >$ROOT/cgroup.subtree_control
mkdir -p $ROOT/one/{keep,mark}
config_pins
daemon_start
run_test restarts test_restarts
run_test killed test_killed
run_test stop test_stop
run_test stop_keeps test_stop_keeps
run_test remove test_remove
run_test other_build test_other_build
run_test other_version test_other_version
is_posted || run_test backends test_backends
run_test half_made test_half_made
run_test foreign test_foreign
run_test unwritable test_unwritable
run_test cost test_cost
