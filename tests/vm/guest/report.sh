# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=300 extra=bookworm,posted
#
# What others read of an OOM. The kernel's lines: first of kills by the kernel alone, without the
# module, then of the same OOMs by policy, which must have the same shape and hold what the regular
# expressions of node agents look for. And the names in our records, which are anybody's choice.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/records-lib.bash
. records-lib.bash
# shellcheck source=tests/vm/guest/shape-lib.bash
. shape-lib.bash

readonly ROOT=/sys/fs/cgroup/report
readonly DIR=/run/report
# Of the victims, which tells them from the rest of the system.
readonly SMALL_UID=4321 LARGE_UID=5432

# start NAME UID CGROUP SIZE...: a process called NAME, and its pid in SPAWNED.
start()
{
	local name=$1 uid=$2 cgroup=$3
	shift 3
	ln -sf /usr/lib/oompolicyd-tests/memhog "$DIR/bin/$name"
	rm -f "$DIR/state/$name"
	spawn "$cgroup" setpriv "--reuid=$uid" --clear-groups "$DIR/bin/$name" "$DIR/state/$name" "$@"
	wait_for 20 "$name to fill its memory" test -e "$DIR/state/$name"
}

group_is_gone()
{
	local pid
	for pid; do
		is_gone "$pid" || return 1
	done
}

one_group_is_gone()
{
	group_is_gone "${SMALL[@]}" || group_is_gone "${LARGE[@]}"
}

report_ended()
{
	kernel_has "Killed process ${SMALL[0]} |Killed process ${LARGE[0]} "
}

# scene KIND: an OOM of two small processes or one against as many large ones. Leaves the kernel's
# lines in LOG and the dead in WHO ("small" or "large") and VICTIMS.
scene()
{
	local kind=$1 domain=$ROOT/$1
	LOG=$DIR/$2-$kind.log
	mkdir -p "$domain"
	echo +memory >"$domain/cgroup.subtree_control"
	mkdir -p "$domain"/{small,large}
	start small $SMALL_UID "$domain/small" 6M
	SMALL=("$SPAWNED")
	start large $LARGE_UID "$domain/large" 80M 4M
	LARGE=("$SPAWNED")
	case $kind in
	group | cgroup)
		start small2 $SMALL_UID "$domain/small" 1M
		SMALL+=("$SPAWNED")
		start large2 $LARGE_UID "$domain/large" 1M
		LARGE+=("$SPAWNED")
		;;&
	group)
		echo 1 >"$domain/small/memory.oom.group"
		echo 1 >"$domain/large/memory.oom.group"
		;;
	esac
	log_mark
	if [[ $kind == sysrq ]]; then
		echo f >/proc/sysrq-trigger
	else
		echo $(($(<"$domain/memory.current") + (1 << 20))) >"$domain/memory.max"
		kill -USR1 "${LARGE[0]}"
	fi
	wait_for 20 "a workload to die" one_group_is_gone
	wait_for 20 "the end of the report" report_ended
	journalctl --sync
	journalctl -q -k -o cat --since="$LOG_SINCE" >"$LOG"
	if group_is_gone "${SMALL[@]}"; then
		WHO=small VICTIMS=("${SMALL[@]}")
	else
		WHO=large VICTIMS=("${LARGE[@]}")
	fi
	echo 1 >"$domain/cgroup.kill"
	wait_for 20 "the processes to be gone" grep -q 'populated 0' "$domain/cgroup.events"
	rmdir "$domain"/{small,large} "$domain"
}

# found PATTERN NAME...: the groups of the one line of LOG that matches, in those variables.
found()
{
	local pattern=$1 line n=0 i
	shift
	while IFS= read -r line; do
		[[ $line =~ $pattern ]] || continue
		n=$((n + 1))
		for ((i = 1; i <= $#; i++)); do
			printf -v "${!i}" '%s' "${BASH_REMATCH[i]}"
		done
	done <"$LOG"
	((n == 1)) || fail "$n lines match '$pattern'"
}

# killed: "PID NAME" of each process that a line says was killed, in the agents' ways to read it.
killed()
{
	sed -n -E 's/.*Killed process ([0-9]+) \((.+)\).*/\1 \2/p' "$LOG" | sort -u
}

# parsed KIND: every field is what the test knows.
parsed()
{
	local kind=$1 uid=$SMALL_UID comm constraint nodemask cpuset mems oom_memcg task_memcg task pid id
	local i expected=() prefix='' cpuset_known=/
	[[ $WHO == small ]] || uid=$LARGE_UID
	found '^(.*) invoked oom-killer:' comm
	if [[ $kind == sysrq ]]; then
		prefix='Out of memory'
		assert_match "who invoked it" "$comm" '^kworker/'
		found 'oom-kill:constraint=(.*),nodemask=(.*),cpuset=(.*),mems_allowed=(.*),global_oom,task_memcg=(.*),task=(.*),pid=(.*),uid=(.*)' \
			constraint nodemask cpuset mems task_memcg task pid id
		assert_eq "constraint" "$constraint" CONSTRAINT_NONE
	else
		prefix='Memory cgroup out of memory'
		assert_eq "who invoked it" "$comm" large
		# That of the trigger: systemd may have handed the controller on to the first level.
		[[ ! -e $ROOT/cpuset.cpus.effective ]] || cpuset_known=report
		found 'oom-kill:constraint=(.*),nodemask=(.*),cpuset=(.*),mems_allowed=(.*),oom_memcg=(.*),task_memcg=(.*),task=(.*),pid=(.*),uid=(.*)' \
			constraint nodemask cpuset mems oom_memcg task_memcg task pid id
		assert_eq "constraint" "$constraint" CONSTRAINT_MEMCG
		assert_eq "oom_memcg" "$oom_memcg" "/report/$kind"
	fi
	assert_eq "nodemask" "$nodemask" "(null)"
	assert_eq "cpuset" "$cpuset" "$cpuset_known"
	assert_eq "mems_allowed" "$mems" 0
	assert_eq "task_memcg" "$task_memcg" "/report/$kind/$WHO"
	assert_eq "task" "$task" "$WHO"
	assert_eq "pid" "$pid" "${VICTIMS[0]}"
	assert_eq "uid" "$id" "$uid"

	expected=("${VICTIMS[0]} $WHO")
	for ((i = 1; i < ${#VICTIMS[@]}; i++)); do
		expected+=("${VICTIMS[i]} ${WHO}2")
	done
	assert_eq "the processes killed" "$(killed | paste -sd,)" "$(printf '%s\n' "${expected[@]}" | sort | paste -sd,)"
	grep -q -E "^$prefix: Killed process [0-9]+ \($WHO\) total-vm:[0-9]+kB, anon-rss:[0-9]+kB, file-rss:[0-9]+kB, shmem-rss:[0-9]+kB, UID:$uid " "$LOG" ||
		fail "no line of the kill as it should be: $(grep 'Killed process' "$LOG" | head -n 1)"
	if [[ $kind == group ]]; then
		found "^Tasks in (.*) are going to be killed due to memory.oom.group set$" task_memcg
		assert_eq "the group" "$task_memcg" "/report/$kind/$WHO"
	fi
}

test_kernel()
{
	lsmod | grep -q '^bpf_oom ' && fail "the module is loaded"
	scene "$1" kernel
	assert_eq "the victim" "$WHO" large
	parsed "$1"
	! grep -q oom_policy= "$LOG" || fail "a policy without the module"
	shape "$LOG" >"$DIR/shape-$1"
	(($(wc -l <"$DIR/shape-$1") > 20)) || fail "that is no whole report"
}

test_policy()
{
	local difference
	scene "$1" policy
	assert_eq "the victim" "$WHO" small
	parsed "$1"
	assert_eq "our line" "$(grep oom_policy= "$LOG")" "oom_policy=report"
	[[ -s $DIR/shape-$1 ]] || skip "nothing to compare with: the kernel's part of the test did not run"
	difference=$(shape "$LOG" | sed '/^oom_policy=COMM$/d; /^oom_policy=report$/d' | diff "$DIR/shape-$1" -) ||
		fail "the report has another shape: ${difference//$'\n'/ | }"
}

# A group that dies by Kill= has what one has that dies by memory.oom.group: one report, and a line for each
# process.
test_policy_cgroup()
{
	scene cgroup policy
	assert_eq "the victim" "$WHO" small
	parsed cgroup
	assert_eq "the reports" "$(grep -c ' invoked oom-killer:' "$LOG")" 1
	assert_eq "our line" "$(grep oom_policy= "$LOG")" "oom_policy=report"
}

# field_names: of the newest record of a kill, without those that journald adds while it still
# finds the process of OBJECT_PID=.
field_names()
{
	journalctl -q -o json -n 1 --since="$LOG_SINCE" "MESSAGE_ID=$MESSAGE_ID_KILL" |
		grep -a -o -E '"[A-Z0-9_]+":' | grep -v '^"OBJECT_' | sort
}

# Names are data: fields hold them as they were, the message has them printable, nothing is forged.
# test_names COMM CGROUP
test_names()
{
	local comm=$1 name=$2 domain=$ROOT/names field message record="MESSAGE_ID=$MESSAGE_ID_KILL"
	mkdir -p "$domain/$name"
	ln -sf /usr/lib/oompolicyd-tests/memhog "$DIR/bin/$comm"
	rm -f $DIR/state/names
	spawn "$domain/$name" "$DIR/bin/$comm" $DIR/state/names 1M 64M
	wait_for 20 "the hog to fill its memory" test -e $DIR/state/names
	assert_eq "the process's name" "$(<"/proc/$SPAWNED/comm")" "$comm"
	echo $(($(<$domain/memory.current) + (1 << 20))) >$domain/memory.max
	kill -USR1 "$SPAWNED"
	wait_for 20 "the hog to die" is_gone "$SPAWNED"
	wait_for 20 "the record" records_are 1
	echo max >$domain/memory.max
	rmdir "$domain/$name"

	for field in VICTIM_COMM TRIGGER_COMM; do
		assert_eq "$field" "$(journal_field OOMPOLICY_$field "$record")" "$comm"
	done
	for field in VICTIM_CGROUP TRIGGER_CGROUP; do
		assert_eq "$field" "$(journal_field OOMPOLICY_$field "$record")" "/report/names/$name"
	done
	assert_eq "the victim" "$(journal_field OOMPOLICY_VICTIM_PID "$record")" "$SPAWNED"
	assert_eq "the path is cut" "$(journal_field OOMPOLICY_PATH_CUT "$record")" 0
	message=$(journal_field MESSAGE "$record")
	[[ $(LC_ALL=C tr -d '[:print:]' <<<"$message" | wc -c) == 3 ]] ||
		fail "the message is not three printable lines: ${message@Q}"
	assert_match "the message" "$message" "\(pid $SPAWNED, /report/names/"
	if [[ $comm == plain ]]; then
		field_names >$DIR/field-names
		(($(wc -l <$DIR/field-names) > 40)) || fail "that are not all fields"
	elif [[ -s $DIR/field-names ]]; then
		assert_eq "the fields that differ" "$(field_names | diff $DIR/field-names - | paste -sd' ')" ""
	fi
}

LONG_NAME=$(printf 'n%.0s' {1..255})
plan $((11 - $(is_posted && echo 1 || echo 0)))
mkdir -p $ROOT $DIR/bin
mkdir -m 1777 $DIR/state
chmod 755 $DIR
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo +memory >$ROOT/cgroup.subtree_control
for kind in memcg group sysrq; do
	run_test kernel_$kind test_kernel $kind
done
config_write <<'END'
[Policy report]

[Rule small]
Cgroup=/report/*/small
Priority=10

[Rule whole]
Cgroup=/report/cgroup/small
Priority=10
Kill=cgroup
END
daemon_start
for kind in memcg group sysrq; do
	run_test policy_$kind test_policy $kind
done
# The posted series has no kill for one more process, and reports each of the group.
is_posted || run_test policy_cgroup test_policy_cgroup
run_test names_plain test_names plain plain
run_test names_quotes test_names "\"q\\'\`\$(x)" "qu\"o't\\e\$(x)\`;&|"
run_test names_bytes test_names $'\xff\x80 \xe2\x80\xae\x01' "$LONG_NAME"
run_test names_field test_names $'x\nOOMPOLICY_X=1' 'OOMPOLICY_VICTIM_PID=1'
