# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=500 extra=bookworm,posted
#
# What others do to the policies, or beside them: detach them, attach their own, take the module, the
# pins or the cgroup tree away. The daemon is told by the kernel, says so, and mends what is its own.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/records-lib.bash
. records-lib.bash

readonly UNIT=oompolicyd.service
readonly ROOT=/sys/fs/cgroup/guard
readonly OBJECTS=/usr/lib/oompolicyd-tests
readonly PINS=/sys/fs/bpf/oompolicyd

# What is attached once is attached for the status, too.
all_attached()
{
	oompolicyctl status
}

# decided POLICY DOMAIN: an OOM there has the policy's victim, not the kernel's.
decided()
{
	log_mark
	assert_eq "an OOM" "$(oomstorm burst "$ROOT/$2" "$ROOT/$2"/{keep,mark} 1)" "1 kept"
	records_settle 20 1
	assert_eq "who decided" "$(records "$MESSAGE_ID_KILL" OOMPOLICY_POLICY OOMPOLICY_RULE)" "$1 mark"
}

decided_by_all()
{
	decided guard one
	decided other other
}

# One policy, and the one that records what no policy answers for.
test_detached()
{
	local name
	for name in other oompolicyd; do
		log_mark
		policy_detach $name
		journal_wait 10 "that it was detached" "MESSAGE_ID=$MESSAGE_ID_POLICY_DETACHED" OOMPOLICY_POLICY=$name
		journal_wait 20 "that it is attached again" "MESSAGE_ID=$MESSAGE_ID_POLICY_RESTORED"
		assert_status 0 oompolicyctl status
		decided_by_all
	done
	# The next daemon takes over what this one has attached again.
	systemctl restart $UNIT
	wait_for 20 "the daemon" all_attached
	assert_match "the status" "$(oompolicyctl status)" 'Policies: pinned, adopted, '
	decided_by_all
}

# Whoever goes on is left to it, loudly, until the administrator says otherwise. The module is in use
# as long as the daemon runs, whatever was detached, so it cannot be taken away.
test_fight()
{
	policy_detach_for_good other
	journal_wait 20 "that it gives up" "MESSAGE_ID=$MESSAGE_ID_POLICY_GIVEN_UP" PRIORITY=2
	assert_status 1 oompolicyctl status
	assert_match "the status" "$OUTPUT" 'Warning: Another program goes on detaching policies: '
	decided guard one
	policy_detach guard
	policy_detach oompolicyd
	wait_for 10 "no policy to be left" none_attached
	assert_status 1 modprobe -r bpf_oom
	assert_match "why" "$OUTPUT" 'bpf_oom is in use'
	systemctl reload $UNIT
	assert_status 0 oompolicyctl status
	[[ $OUTPUT != *Warning:* ]] || fail "it still warns: $OUTPUT"
	decided_by_all
}

none_attached()
{
	! { oompolicyctl status || :; } | grep -q ' attached$'
}

warns()
{
	{ oompolicyctl status || :; } | grep -q -E -e "Warning: $1"
}

warns_not()
{
	! warns "$1"
}

# intrude OBJECT [no-link]: leaves the process in INTRUDER.
intrude()
{
	rm -f /run/intruder
	intruder "$OBJECTS/$1.conformance.o" /run/intruder "${@:2}" &
	INTRUDER=$!
	wait_for 20 "it to be attached" test -e /run/intruder
}

withdraw()
{
	kill "$INTRUDER"
	wait "$INTRUDER" || :
	wait_for 10 "it to be gone" warns_not Another
}

# The module asks in the order of attachment, and what was posted for the kernel in the opposite one.
LATER=after EARLIER=before
! is_posted || LATER=before EARLIER=after

test_other_policy()
{
	intrude policy
	# Nobody has asked the daemon for anything.
	journal_wait 10 "that it was seen" "MESSAGE_ID=$MESSAGE_ID_OTHER_POLICY" OOMPOLICY_OTHER_ORDER=$LATER
	assert_match "what it says" "$(journal_field MESSAGE "MESSAGE_ID=$MESSAGE_ID_OTHER_POLICY")" \
		"^Another program's '[^ ]+' \(bpf_oom_ops, link [0-9]+, program [0-9]+\), attached by intruder \(pid $INTRUDER\), is asked $LATER these policies"
	warns "Another program.* is asked $LATER these policies" || fail "the status says nothing"
	decided guard one
	# A daemon that comes later.
	systemctl stop $UNIT
	log_mark
	systemctl start $UNIT
	journal_wait 10 "that it was seen" "MESSAGE_ID=$MESSAGE_ID_OTHER_POLICY" OOMPOLICY_OTHER_ORDER=$EARLIER
	wait_for 10 "the warning" warns "Another program.* is asked $EARLIER these policies"
	assert_match "the metrics" "$(oompolicyctl metrics)" $'\noompolicyd_warnings 1\n'
	withdraw
	assert_eq "those that were seen" "$(journalctl -q -o cat --since="$LOG_SINCE" "MESSAGE_ID=$MESSAGE_ID_OTHER_POLICY" | wc -l)" 1
}

# As programs did before there were links for it. The kernel does not say when it was attached.
test_other_policy_without_link()
{
	intrude policy no-link
	journal_wait 10 "that it was seen" "MESSAGE_ID=$MESSAGE_ID_OTHER_POLICY" OOMPOLICY_OTHER_ORDER=unknown \
		OOMPOLICY_OTHER_HOOK=bpf_oom_ops
	assert_match "what it says" "$(journal_field MESSAGE "MESSAGE_ID=$MESSAGE_ID_OTHER_POLICY")" \
		"^Another program's '[^ ]+' .*attached by intruder \\(pid $INTRUDER\\)"
	warns 'Another program' || fail "the status says nothing"
	decided guard one
	withdraw
}

# Of the other hook, whichever backend we have.
test_other_evaluation()
{
	intrude evaluate
	journal_wait 10 "that it was seen" "MESSAGE_ID=$MESSAGE_ID_OTHER_POLICY" OOMPOLICY_OTHER_ORDER=after \
		OOMPOLICY_OTHER_HOOK=bpf_oom_evaluate_task
	withdraw
}

# What the daemon reads there is the same wherever it is mounted.
# in_daemon COMMAND...: where it sees the mounts that the daemon sees. Since systemd 256 a unit without a
# network has a /sys of its own, and what happens to the machine's does not reach it.
in_daemon()
{
	nsenter --target "$(daemon_pid)" --mount "$@"
}

tree_umount()
{
	umount -l /sys/fs/cgroup
	! in_daemon mountpoint -q /sys/fs/cgroup || in_daemon umount -l /sys/fs/cgroup
}

tree_mount()
{
	local mount=(mount -t cgroup2 -o 'nodev,nosuid,noexec,nsdelegate,memory_recursiveprot' none /sys/fs/cgroup)
	"${mount[@]}"
	in_daemon mountpoint -q /sys/fs/cgroup || in_daemon "${mount[@]}"
}

test_cgroup_tree()
{
	mount -o remount,nodev,nosuid,noexec,nsdelegate,memory_localevents /sys/fs/cgroup
	mkdir -p /run/second
	mount -t cgroup2 none /run/second
	assert_status 0 systemctl reload $UNIT
	decided guard one
	# It is still there, so the daemon goes there.
	tree_umount
	journal_wait 10 "where it is" "MESSAGE_ID=$MESSAGE_ID_CGROUPS_FOUND"
	assert_match "what it says" "$(journal_field MESSAGE "MESSAGE_ID=$MESSAGE_ID_CGROUPS_FOUND")" ' on /run/second now'
	assert_status 0 oompolicyd --reload
	umount -l /run/second
	journal_wait 10 "that it is nowhere" "MESSAGE_ID=$MESSAGE_ID_CGROUPS_LOST"
	warns 'The cgroup2 hierarchy is not mounted' || fail "the status says nothing"
	assert_status 1 oompolicyd --reload
	tree_mount
	journal_wait 10 "that it is back" "MESSAGE_ID=$MESSAGE_ID_CGROUPS_FOUND"
	wait_for 10 "no warning" warns_not The
	assert_status 0 systemctl reload $UNIT
	mkdir -p $ROOT/new/{keep,mark}
	decided_by_all
	decided guard new
}

pins_count()
{
	N_PINS=$(find $PINS -type f | wc -l)
}

pins_are_back()
{
	[[ -e $PINS/meta && $(find $PINS -type f | wc -l) -eq $N_PINS ]]
}

pins_remove()
{
	find $PINS -depth -delete
}

# What lets the policy outlive the daemon is made again; the next daemon adopts it.
test_pins_removed()
{
	local pid
	pins_count
	rm $PINS/link-0
	journal_wait 10 "that it was removed" "MESSAGE_ID=$MESSAGE_ID_PINS_RESTORED"
	assert_match "what it says" "$(journal_field MESSAGE "MESSAGE_ID=$MESSAGE_ID_PINS_RESTORED")" ' removed 1 pins of '
	pins_are_back || fail "there is $(ls $PINS)"
	pins_remove
	wait_for 10 "all of it" pins_are_back
	decided_by_all
	log_mark
	pid=$(daemon_pid)
	systemctl kill --kill-whom=main -s KILL $UNIT
	# Nobody but the kernel has the policies now.
	assert_eq "an OOM" "$(oomstorm burst $ROOT/one $ROOT/one/{keep,mark} 1)" "1 kept"
	wait_for 20 "the next daemon" daemon_is_another "$pid"
	assert_match "the status" "$(oompolicyctl status)" 'Policies: pinned, adopted, '
	records_settle 20 1
	assert_eq "the records" "$RECORDED" 1
}

daemon_is_another()
{
	(($(daemon_pid) != $1)) && oompolicyctl status
}

# Whoever goes on gets his way, and the daemon goes on without.
test_pins_removed_for_good()
{
	local i
	pins_count
	for ((i = 0; i < 12; i++)); do
		pins_remove
		wait_for 10 "the pins, or the end of them" pins_are_settled
		! journal_has "MESSAGE_ID=$MESSAGE_ID_NOT_PINNED" || break
	done
	journal_has "MESSAGE_ID=$MESSAGE_ID_NOT_PINNED" || fail "the daemon does not give up"
	assert_match "the status" "$(oompolicyctl status)" 'Policies: not pinned, '
	decided_by_all
	assert_status 0 systemctl reload $UNIT
	decided_by_all
	systemctl restart $UNIT
	wait_for 20 "the daemon" all_attached
	assert_match "the status" "$(oompolicyctl status)" 'Policies: pinned, '
	decided_by_all
}

# What somebody else has put there is not touched.
test_pins_replaced()
{
	pins_remove
	mkdir -m 755 $PINS
	bpftool map create $PINS/other type array key 4 value 4 entries 1 name other
	journal_wait 10 "that it is not pinned" "MESSAGE_ID=$MESSAGE_ID_NOT_PINNED"
	assert_match "why" "$(journal_field MESSAGE "MESSAGE_ID=$MESSAGE_ID_NOT_PINNED")" "^$PINS is not a directory of root alone"
	decided_by_all
	systemctl stop $UNIT
	[[ -e $PINS/other ]] || fail "what is not the daemon's is gone"
	pins_remove
	systemctl start $UNIT
	assert_match "the status" "$(oompolicyctl status)" 'Policies: pinned, '
	decided_by_all
}

pins_are_settled()
{
	pins_are_back || journal_has "MESSAGE_ID=$MESSAGE_ID_NOT_PINNED"
}

plan $((9 - $(is_posted && echo 1 || echo 0)))
storm_setup
mkdir -p $ROOT/{one,other}/{keep,mark}
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo +memory >$ROOT/cgroup.subtree_control
config_write <<END
[Policy guard]

[Policy other]
Cgroup=/guard/other

[Rule mark]
Cgroup=/guard/**/mark
Priority=10

[Rule keep]
Cgroup=/guard/**/keep
Priority=900
END
daemon_start
run_test detached test_detached
run_test fight test_fight
run_test other_policy test_other_policy
run_test other_policy_without_link test_other_policy_without_link
is_posted || run_test other_evaluation test_other_evaluation
run_test pins_removed test_pins_removed
run_test pins_removed_for_good test_pins_removed_for_good
run_test pins_replaced test_pins_replaced
run_test cgroup_tree test_cgroup_tree
