# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=600 extra=bookworm
#
# OOMs while what the daemon needs is not there: a journal that does not read or is killed, memory
# for the daemon itself. The kernel alone would take the larger process each time.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/records-lib.bash
. records-lib.bash

readonly UNIT=oompolicyd.service
readonly ROOT=/sys/fs/cgroup/attack
# How many messages the journal's socket holds: fewer than systemd's 512, to fill it sooner.
readonly SOCKET=64
readonly FEW=50
# Over SOCKET, and with it over what the daemon's ring holds besides (about 550 with one runner-up).
readonly SOCKET_FULL=100
readonly ALL_FULL=700

journal_stop()
{
	systemctl stop systemd-journald{,-dev-log,-audit}.socket systemd-journald.service 2>/dev/null
}

journal_start()
{
	systemctl start systemd-journald{,-dev-log}.socket systemd-journald.service
}

# journald_pause: until journald_resume, or the end of the test.
journald_pause()
{
	journalctl --sync
	JOURNALD=$(systemctl show -P MainPID systemd-journald.service)
	trap 'kill -CONT "$JOURNALD"' EXIT
	kill -STOP "$JOURNALD"
}

journald_resume()
{
	trap - EXIT
	kill -CONT "$JOURNALD"
}

# kills N: in domains of two workers.
kills()
{
	assert_eq "killed, lived, lost" "$(timeout 120 oomstorm storm $ROOT 2 2 "$1")" "$1 0 0"
}

# accounted KILLS [LESS]: a record of each, or it is said to be lost; of LESS neither.
accounted()
{
	local wrong less=${2:-0}
	records_settle 20 "$1"
	((RECORDED + LOST <= $1 && RECORDED + LOST >= $1 - less)) ||
		fail "$RECORDED records and $LOST lost ones for $1 kills"
	wrong=$(awk '$3 != $4 "/mark"' /run/records)
	assert_eq "a record of a wrong victim" "${wrong%%$'\n'*}" ""
	printf '%d kills, %d records, %d lost\n' "$1" "$RECORDED" "$LOST"
}

same_daemon()
{
	assert_eq "the daemon's process" "$(daemon_pid)" "$1"
	assert_match "the daemon" " $(daemon_status) " ' ActiveState=active '
}

test_journal_pauses()
{
	local pid
	pid=$(daemon_pid)
	journald_pause
	kills $FEW
	journald_resume
	accounted $FEW
	assert_eq "the records lost" "$LOST" 0
	same_daemon "$pid"
}

# The daemon goes on with its work: what it is told, and the cgroups that come.
test_journal_pauses_for_long()
{
	local pid
	pid=$(daemon_pid)
	journald_pause
	kills $SOCKET_FULL
	timeout 20 oompolicyd --reload >/run/reload 2>&1 || fail "no reload: $(</run/reload)"
	assert_eq "killed, lived, lost in new cgroups" "$(oomstorm fresh $ROOT 5 10 1500)" "10 0 0"
	journald_resume
	accounted $((SOCKET_FULL + 10))
	assert_eq "the records lost" "$LOST" 0
	same_daemon "$pid"
}

test_journal_pauses_for_too_long()
{
	local pid
	pid=$(daemon_pid)
	journald_pause
	kills $ALL_FULL
	journald_resume
	journal_wait 60 "the loss" "MESSAGE_ID=$MESSAGE_ID_RECORDS_LOST"
	kills 2
	accounted $((ALL_FULL + 2))
	((LOST > 0)) || fail "no record was lost: $ALL_FULL are too few to tell"
	same_daemon "$pid"
}

test_journal_is_killed()
{
	local pid storm old
	pid=$(daemon_pid)
	old=$(systemctl show -P MainPID systemd-journald.service)
	timeout 120 oomstorm storm $ROOT 2 2 $SOCKET_FULL >/run/storm &
	storm=$!
	sleep 1
	kill -KILL "$old"
	wait "$storm"
	assert_eq "killed, lived, lost" "$(</run/storm)" "$SOCKET_FULL 0 0"
	[[ $(systemctl show -P MainPID systemd-journald.service) != "$old" ]] || fail "the journal was not killed"
	# The entry that journald had read and not written is gone with it; nobody can tell.
	accounted $SOCKET_FULL 1
	assert_eq "the records lost" "$LOST" 0
	same_daemon "$pid"
}

# Nothing listens meanwhile, not even systemd for journald.
test_journal_is_stopped()
{
	local pid
	pid=$(daemon_pid)
	journalctl --sync
	trap journal_start EXIT
	journal_stop
	kills $FEW
	trap - EXIT
	journal_start
	accounted $FEW
	assert_eq "the records lost" "$LOST" 0
	same_daemon "$pid"
}

hog_filled()
{
	[[ -s /run/hog-beside ]]
}

# The daemon itself is the one that needs memory, for a reload, when its cgroup has none left: a
# process beside it dies for that, and the daemon goes on and records it.
test_daemon_allocates()
{
	local pid hog cgroup
	pid=$(daemon_pid)
	cgroup=$(own_cgroup)
	rm -f /run/hog-beside
	spawn "$cgroup" memhog /run/hog-beside 8M
	hog=$SPAWNED
	wait_for 20 "the hog to fill its memory" hog_filled
	rules_many
	echo $(($(<"$cgroup/memory.current") + (64 << 10))) >"$cgroup/memory.max"
	trap 'echo max >"$cgroup/memory.max"' EXIT
	timeout 60 oompolicyd --reload >/run/reload 2>&1 || fail "no reload: $(</run/reload)"
	trap - EXIT
	echo max >"$cgroup/memory.max"
	wait_for 20 "the record" records_are 1
	assert_eq "the victim" "$(journal_field OOMPOLICY_VICTIM_PID "MESSAGE_ID=$MESSAGE_ID_KILL")" "$hog"
	assert_eq "who triggered it" "$(journal_field OOMPOLICY_TRIGGER_PID "MESSAGE_ID=$MESSAGE_ID_KILL")" "$pid"
	assert_match "the runners-up" "$(journal_field OOMPOLICY_RUNNERS_UP "MESSAGE_ID=$MESSAGE_ID_KILL")" \
		"^$pid oompolicyd 0 -1000 500 - [0-9]+ spared ${cgroup#/sys/fs/cgroup}"
	is_gone "$hog" || fail "the hog lives"
	same_daemon "$pid"
}

own_cgroup()
{
	printf '/sys/fs/cgroup%s' "$(systemctl show -P ControlGroup "$UNIT")"
}

# Nothing can be charged to the daemon's cgroup, and nobody in it can be killed. Decisions are made
# in the kernel as ever; the daemon does not even fault, and writes its records when it can.
test_daemon_at_its_limit()
{
	local pid cgroup ooms
	pid=$(daemon_pid)
	cgroup=$(own_cgroup)
	mkdir -p $ROOT/limit/{mark,keep}
	assert_eq "before" "$(oomstorm fresh $ROOT 1 1 1500)" "1 0 0"
	log_mark
	ooms=$(sed -n 's/^oom //p' "$cgroup/memory.events")
	trap 'echo max >"$cgroup/memory.max"' EXIT
	# Less than it holds however much is taken from it.
	echo 1M >"$cgroup/memory.max"
	assert_eq "the storm" "$(timeout 60 oomstorm burst $ROOT/limit $ROOT/limit/{keep,mark} $FEW)" "$FEW kept"
	(($(sed -n 's/^oom //p' "$cgroup/memory.events") > ooms)) || fail "the daemon lacked nothing"
	same_daemon "$pid"
	! kernel_has 'VM_FAULT_OOM' || fail "the daemon could not go on for want of a page"
	trap - EXIT
	echo max >"$cgroup/memory.max"
	wait_for 20 "the records" records_are $FEW
	assert_eq "the victims" "$(records "$MESSAGE_ID_KILL" OOMPOLICY_VICTIM_CGROUP | sort -u)" /attack/limit/mark
	assert_eq "the records lost" "$(records "$MESSAGE_ID_KILL" OOMPOLICY_LOST | sort -u)" 0
	same_daemon "$pid"
	assert_eq "the daemon's locked memory" "$(($(sed -n 's/^VmLck:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status") > 0))" 1
	rmdir $ROOT/limit/{mark,keep} $ROOT/limit
}

config_attack()
{
	cat <<'END'
[Policy attack]

[Rule mark]
Cgroup=/attack/*/mark
Priority=10

[Rule keep]
Cgroup=/attack/*/keep
Priority=900
END
}

# A configuration that takes some 4 MiB.
rules_many()
{
	{
		config_attack
		seq 9000 | sed 's,.*,[Rule many&]\nCgroup=/attack/many/&\nPriority=700,'
	} | config_write
}

plan 7
storm_setup
journal_stop
sysctl -q net.unix.max_dgram_qlen=$SOCKET
journal_start
mkdir -p $ROOT
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo +memory >$ROOT/cgroup.subtree_control
config_attack | config_write
daemon_start
run_test journal_pauses test_journal_pauses
run_test journal_pauses_for_long test_journal_pauses_for_long
run_test journal_pauses_for_too_long test_journal_pauses_for_too_long
run_test journal_is_killed test_journal_is_killed
run_test journal_is_stopped test_journal_is_stopped
run_test daemon_at_its_limit test_daemon_at_its_limit
run_test daemon_allocates test_daemon_allocates
