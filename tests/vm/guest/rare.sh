# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=420 extra=bookworm
#
# What seldom happens and must work when it does, with the daemon in the unit as shipped: reloads
# and deaths of the daemon in the middle of OOMs, full rings, a full map, nobody to kill, the
# daemon's own cgroup out of memory, hostile names.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/records-lib.bash
. records-lib.bash

readonly UNIT=oompolicyd.service
readonly ROOT=/sys/fs/cgroup/rare
# Over what the ring holds: about 550 records with one runner-up.
readonly RING_KILLS=660
# Over the 1024 entries of the smallest rules map, and over the 450 records that the ring of
# cgroups holds.
readonly MANY=2000

# In every domain of these tests the small process is to die, where the kernel takes the large one.
config_rare()
{
	config_write <<END
[Policy rare]

[Rule small]
Cgroup=/rare/*/small
Priority=10

[Rule keep]
Cgroup=/rare/*/keep
Priority=900

[Rule many]
Cgroup=/rare/many/c*
Priority=700

[Rule last]
Cgroup=/rare/many/c$MANY
Priority=10
END
}

# config_flip NAME: two policies that never agree.
config_flip()
{
	local small=10 large=20
	[[ $1 == first ]] || small=20 large=10
	config_write <<END
[Policy $1]

[Rule small]
Cgroup=/rare/*/small
Priority=$small

[Rule large]
Cgroup=/rare/*/large
Priority=$large
END
}

# domain_make NAME CHILD...: leaves its directory in DOMAIN. The children have no limit of their own.
domain_make()
{
	local child
	DOMAIN=$ROOT/$1
	shift
	mkdir -p "$DOMAIN"
	for child; do
		mkdir -p "$DOMAIN/$child"
	done
}

# limit_above BYTES: the limit of DOMAIN is what it uses now and so much more.
limit_above()
{
	echo $(($(<"$DOMAIN/memory.current") + $1)) >"$DOMAIN/memory.max"
}

daemon_signal()
{
	systemctl kill --kill-whom=main -s "$1" "$UNIT"
}

daemon_is_up()
{
	systemctl is-active "$UNIT" && [[ $(daemon_pid) != 0 ]]
}

ruled()
{
	systemctl show -P StatusText "$UNIT" | sed -n 's/.* \([0-9]*\) cgroups ruled.*/\1/p'
}

ruled_at_least()
{
	(($(ruled) >= $1))
}

ruled_at_most()
{
	(($(ruled) <= $1))
}

# The tests below are about the daemon as it is shipped.
test_sandbox()
{
	local status
	status=/proc/$(daemon_pid)/status
	assert_eq "the daemon's seccomp mode" "$(sed -n 's/^Seccomp:\t//p' "$status")" 2
	assert_eq "its no_new_privs" "$(sed -n 's/^NoNewPrivs:\t//p' "$status")" 1
	assert_eq "its oom_score_adj" "$(<"/proc/$(daemon_pid)/oom_score_adj")" -1000
}

# Every OOM is decided by one of two policies, and by the one that its record names. Where a round
# had a second victim, its choice had no alternative left.
test_reload_at_the_oom()
{
	local storm before after name n
	domain_make reload small large trigger
	config_flip first
	assert_status 0 systemctl reload "$UNIT"
	before=$(oom_kills)
	nice -n 19 oomstorm duel "$DOMAIN" "$DOMAIN"/{small,large,trigger} 100000 >/run/duel &
	storm=$!
	for _ in 1 2; do
		for name in second first; do
			config_flip "$name"
			assert_status 0 systemctl reload "$UNIT"
		done
	done
	kill "$storm"
	wait "$storm" || fail "a round came to no end"
	after=$(oom_kills)
	wait_for 20 "a record for each of $((after - before)) kills" records_are $((after - before))
	assert_eq "the OOMs that no policy decided" \
		"$(for id in "$MESSAGE_ID_NO_OPINION" "$MESSAGE_ID_KERNEL_KILL"; do records_count "$id"; done | sum)" 0
	! kernel_has '^oom_policy=default$' || fail "the kernel decided an OOM by itself"

	records "$MESSAGE_ID_KILL" OOMPOLICY_TRIGGER_PID OOMPOLICY_POLICY OOMPOLICY_VICTIM_CGROUP \
		OOMPOLICY_EFFECTIVE_PRIORITY | awk '!seen[$1]++ { print $2, $3, $4 }' >/run/decided
	n=$(grep -v -x -e 'first /rare/reload/small 10' -e 'second /rare/reload/large 10' /run/decided) || :
	assert_eq "a victim of neither policy" "${n%%$'\n'*}" ""
	assert_eq "the rounds with a record" "$(wc -l </run/decided)" "$(wc -l </run/duel)"
	for name in first second; do
		n=$(grep -c "^$name " /run/decided) || :
		((n >= 3)) || fail "policy $name decided $n OOMs only"
	done
	printf '%d OOM kills during 4 reloads\n' $((after - before))
}

duel_says()
{
	[[ $(tail -n 1 /run/duel) == "$1" ]]
}

# The policy goes on deciding while there is no daemon; pins.sh has more of this.
test_killed_at_the_oom()
{
	local storm old new n
	domain_make killed small large trigger
	old=$(daemon_pid)
	nice -n 19 oomstorm duel "$DOMAIN" "$DOMAIN"/{small,large,trigger} 100000 >/run/duel &
	storm=$!
	wait_for 20 "the first OOM" duel_says small
	kill -KILL "$old"
	wait_for 20 "the daemon to be gone" is_gone "$old"
	wait_for 40 "the daemon to be up" daemon_is_up
	new=$(daemon_pid)
	[[ $new != "$old" ]] || fail "the process is still the same"
	n=$(wc -l </run/duel)
	sleep 1
	(($(wc -l </run/duel) > n)) || fail "there were no more OOMs"
	kill "$storm"
	wait "$storm" || fail "a round came to no end"
	assert_eq "the victims" "$(grep -v several /run/duel | uniq | paste -sd' ')" small
	assert_eq "the restarts" "$(systemctl show -P NRestarts "$UNIT")" 1
	journal_has "MESSAGE_ID=$MESSAGE_ID_KILL" "_PID=$new" || fail "the new daemon recorded no kill"
}

# No new record for a second, after the first one has come.
records_have_come()
{
	local n
	n=$(records_count "$MESSAGE_ID_KILL")
	sleep 1
	((n > 0)) && records_are "$n"
}

# Decisions go on without a reader; records that find no room are counted.
test_ring_full()
{
	local before after storm kills lost
	domain_make ring keep small
	before=$(oom_kills)
	daemon_signal STOP
	trap 'daemon_signal CONT' EXIT
	storm=$(oomstorm burst "$DOMAIN" "$DOMAIN"/{keep,small} $RING_KILLS)
	assert_eq "the storm without a reader" "$storm" "$RING_KILLS kept"
	assert_eq "the records meanwhile" "$(records_count "$MESSAGE_ID_KILL")" 0
	daemon_signal CONT
	trap - EXIT
	wait_for 60 "the records that fit" records_have_come
	journal_wait 20 "the loss" "MESSAGE_ID=$MESSAGE_ID_RECORDS_LOST"
	# How many, in the records themselves, shows with the next one.
	storm=$(oomstorm burst "$DOMAIN" "$DOMAIN"/{keep,small} 1)
	assert_eq "the OOM after it" "$storm" "1 kept"
	after=$(oom_kills)
	assert_eq "the kills" $((after - before)) $((RING_KILLS + 1))
	wait_for 20 "the last record" records_have_come
	kills=$(records_count "$MESSAGE_ID_KILL")
	lost=$(records "$MESSAGE_ID_KILL" OOMPOLICY_LOST | sum)
	((lost > 0 && kills > 300)) || fail "$kills records and $lost lost: the ring was never full"
	assert_eq "records and lost ones" $((kills + lost)) $((after - before))
	assert_match "what it says" "$(journal_field MESSAGE "MESSAGE_ID=$MESSAGE_ID_RECORDS_LOST")" \
		"^$lost records of OOMs were lost"
}

# many_check: the last of the many cgroups is the only one that is to die before the others.
many_check()
{
	local first
	timeout 30 oomstorm duel "$DOMAIN" "$DOMAIN"/{c$MANY,c1,c2} 1 >/run/duel
	journal_wait 20 "the record" "MESSAGE_ID=$MESSAGE_ID_KILL"
	first=$(records "$MESSAGE_ID_KILL" OOMPOLICY_VICTIM_CGROUP OOMPOLICY_RULE | head -n 1)
	assert_eq "the victim and its rule" "$first" "/rare/many/c$MANY last"
}

many_remove()
{
	find "$DOMAIN" -mindepth 1 -type d -exec rmdir {} +
	wait_for 30 "their rules to go" ruled_at_most 100
}

# More cgroups with a rule than the map was made for, few enough at a time for the ring.
test_rules_map_full()
{
	local i
	domain_make many
	ruled_at_most 100 || fail "$(ruled) cgroups have a rule already"
	for ((i = 1; i <= MANY; i += 200)); do
		(cd "$DOMAIN" && seq -f 'c%.0f' $i $((i + 199)) | xargs mkdir)
		sleep 0.5
	done
	wait_for 30 "the rules of $MANY cgroups" ruled_at_least $MANY
	many_check
	many_remove
}

test_cgroup_ring_full()
{
	domain_make many
	daemon_signal STOP
	trap 'daemon_signal CONT' EXIT
	(cd "$DOMAIN" && seq -f 'c%.0f' 1 $MANY | xargs mkdir)
	daemon_signal CONT
	trap - EXIT
	wait_for 30 "the rules of $MANY cgroups" ruled_at_least $MANY
	many_check
	many_remove
}

# hog_filled NAME BYTES
hog_filled()
{
	[[ $(cat "/run/hog-$1") == "$2" ]]
}

# The kernel retries for as long as nobody may be killed. It takes a record a second to say so.
test_nobody_to_kill()
{
	local began lasted n suppressed
	domain_make spared hog
	rm -f /run/hog-spared
	spawn "$DOMAIN/hog" choom -n -1000 -- memhog /run/hog-spared 4M 8M
	wait_for 20 "the process to fill its memory" hog_filled spared $((4 << 20))
	began=$SECONDS
	limit_above $((1 << 20))
	kill -USR1 "$SPAWNED"
	sleep 4
	echo max >"$DOMAIN/memory.max"
	lasted=$((SECONDS - began + 1))
	wait_for 30 "the process to go on" hog_filled spared $((12 << 20))
	kill -KILL "$SPAWNED"
	records "$MESSAGE_ID_NOBODY" OOMPOLICY_REASON OOMPOLICY_DOMAIN OOMPOLICY_SUPPRESSED >/run/retries
	n=$(wc -l </run/retries)
	((n >= 2 && n <= lasted + 1)) || fail "$n records in $lasted s"
	assert_eq "what they say" "$(cut -d' ' -f 1,2 /run/retries | sort -u)" "no-candidate /rare/spared"
	suppressed=$(cut -d' ' -f 3 /run/retries | sum)
	((suppressed > 0)) || fail "no record was left out"
	assert_eq "the kills" "$(records_count "$MESSAGE_ID_KILL")" 0
	daemon_is_up || fail "the daemon is gone: $(daemon_status)"
	printf '%d records in %d s, %d left out\n' "$n" "$lasted" "$suppressed"
}

# The daemon is the larger one here, and has no oom_score_adj to save it. It is not even considered.
test_daemon_in_the_domain()
{
	local pid hog resident victim
	pid=$(daemon_pid)
	DOMAIN=/sys/fs/cgroup$(systemctl show -P ControlGroup "$UNIT")
	choom -n 0 -p "$pid" >/dev/null
	rm -f /run/hog-beside
	mkdir -p $ROOT/start
	spawn $ROOT/start memhog /run/hog-beside 64K 64M
	hog=$SPAWNED
	wait_for 20 "the hog to fill its memory" hog_filled beside $((64 << 10))
	echo "$hog" >"$DOMAIN/cgroup.procs"
	systemctl set-property --runtime "$UNIT" MemoryMax=$(($(<"$DOMAIN/memory.current") + (256 << 10)))
	resident=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status")
	kill -USR1 "$hog"
	wait_for 20 "the hog to die" is_gone "$hog"
	systemctl set-property --runtime "$UNIT" MemoryMax=infinity
	wait_for 20 "the record" records_are 1
	assert_eq "the victim" "$(journal_field OOMPOLICY_VICTIM_PID "MESSAGE_ID=$MESSAGE_ID_KILL")" "$hog"
	victim=$(records "$MESSAGE_ID_KILL" OOMPOLICY_VICTIM_{ANON,FILE,SHMEM,SWAP,PGTABLES}_BYTES | tr ' ' '\n' | sum)
	((resident > victim / 1024)) || fail "the hog was the larger one: $((victim / 1024)) KiB, the daemon $resident KiB"
	# What systemd makes of a death in the unit's cgroup takes a moment.
	sleep 2
	assert_eq "the daemon's process" "$(daemon_pid)" "$pid"
	assert_match "the daemon" " $(daemon_status) " ' ActiveState=active '
	choom -n -1000 -p "$pid" >/dev/null
}

daemon_says()
{
	journalctl -q -o cat --since="$LOG_SINCE" "_PID=$(daemon_pid)" | grep -q -F -e "$1"
}

# The kernel would not ask the policy then, which is said at start.
test_allocating_task_is_warned_of()
{
	trap 'sysctl -q vm.oom_kill_allocating_task=0' EXIT
	sysctl -q vm.oom_kill_allocating_task=1
	assert_status 0 systemctl restart "$UNIT"
	wait_for 10 "the warning" daemon_says 'vm.oom_kill_allocating_task=1: '
	sysctl -q vm.oom_kill_allocating_task=0
	log_mark
	assert_status 0 systemctl restart "$UNIT"
	wait_for 10 "the start" daemon_says "Policy 'rare' active"
	! daemon_says oom_kill_allocating_task || fail "it warns where there is nothing to warn of"
}

# What a value of such bytes looks like in `journalctl -o json`.
json_bytes()
{
	printf '%s' "$1" | LC_ALL=C od -An -v -t u1 | tr -s ' \n' ',' | sed 's/^,*/[/; s/,*$/]/'
}

# Names are data: they end no line, make no field, and come back as they were.
test_hostile_names()
{
	local comm=$'e\nPRIORITY=0\e%n' name=$'evil\e[31m\xff%n%s' record message field
	domain_make hostile "$name"
	ln -sf /usr/lib/oompolicyd-tests/memhog "/run/$comm"
	rm -f /run/hog-hostile
	spawn "$DOMAIN/$name" "/run/$comm" /run/hog-hostile 1M 64M
	wait_for 20 "the hog to fill its memory" hog_filled hostile $((1 << 20))
	assert_eq "the process's name" "$(<"/proc/$SPAWNED/comm")" "$comm"
	limit_above $((1 << 20))
	kill -USR1 "$SPAWNED"
	wait_for 20 "the hog to die" is_gone "$SPAWNED"
	wait_for 20 "the record" records_are 1

	record=$(journalctl -q -o json --since="$LOG_SINCE" "MESSAGE_ID=$MESSAGE_ID_KILL")
	for field in VICTIM_COMM TRIGGER_COMM; do
		[[ $record == *"\"OOMPOLICY_$field\":$(json_bytes "$comm")"* ]] || fail "$field is not as it was: $record"
	done
	for field in VICTIM_CGROUP TRIGGER_CGROUP; do
		[[ $record == *"\"OOMPOLICY_$field\":$(json_bytes "/rare/hostile/$name")"* ]] ||
			fail "$field is not as it was: $record"
	done
	[[ $record == *'"PRIORITY":"4"'* ]] || fail "its priority was forged: $record"
	[[ $record == *"\"OOMPOLICY_VICTIM_PID\":\"$SPAWNED\""* ]] || fail "the victim is another: $record"
	message=$(journal_field MESSAGE "MESSAGE_ID=$MESSAGE_ID_KILL")
	# Three lines of its own, and not one more.
	assert_eq "its lines" "$(wc -l <<<"$message")" 3
	[[ ${message//$'\n'/} != *[[:cntrl:]]* ]] || fail "the message has control characters: ${message@Q}"
	assert_match "the message" "$message" \
		'killed e\\nPRIORITY=0\\[^ ]*%n \(pid '"$SPAWNED"', /rare/hostile/evil\\[^ ]*\[31m\\[^ ]*%n%s, priority '
}

# spawn_as PID CGROUP COMMAND...: as spawn(), with the id of a process that is gone. Another process may
# be faster.
spawn_as()
{
	local pid=$1 i
	shift
	for ((i = 0; i < 50; i++)); do
		echo $((pid - 1)) >/proc/sys/kernel/ns_last_pid
		spawn "$@"
		((SPAWNED != pid)) || return 0
		kill -KILL "$SPAWNED"
		wait "$SPAWNED" 2>/dev/null || :
	done
	fail "no process got the id $pid"
}

# A record is about whoever died, also where it is read when another process has the id, and another
# cgroup the path.
test_reused_ids()
{
	local victim id
	domain_make reused small other
	id=$(stat -c %i "$DOMAIN/small")
	rm -f /run/hog-reused
	daemon_signal STOP
	trap 'daemon_signal CONT' EXIT
	spawn "$DOMAIN/small" memhog /run/hog-reused 1M 64M
	victim=$SPAWNED
	wait_for 20 "the hog to fill its memory" hog_filled reused $((1 << 20))
	limit_above $((1 << 20))
	kill -USR1 "$victim"
	wait_for 20 "the hog to die" is_gone "$victim"
	echo max >"$DOMAIN/memory.max"
	wait_for 10 "its cgroup to be empty" rmdir "$DOMAIN/small"
	mkdir "$DOMAIN/small"
	(($(stat -c %i "$DOMAIN/small") != id)) || fail "the kernel has used the cgroup's id again"
	spawn_as "$victim" "$DOMAIN/other" sleep 60
	daemon_signal CONT
	trap - EXIT
	wait_for 20 "the record" records_are 1
	assert_eq "who died" "$(records "$MESSAGE_ID_KILL" OOMPOLICY_VICTIM_{PID,COMM,CGROUP} OOMPOLICY_RULE)" \
		"$victim memhog /rare/reused/small small"
	kill -0 "$victim" || fail "the process that has the id now is gone"
	kill -KILL "$victim"
}

# A process that happens to get the id of a daemon that was killed is not spared.
test_reused_daemon_pid()
{
	local pid keep
	pid=$(daemon_pid)
	# Before it dies, as somebody has to give them their rules.
	domain_make dead small keep
	wait_for 10 "their rules" test_dead_are_ruled
	mkdir -p "/run/systemd/system/$UNIT.d"
	printf '[Service]\nRestart=no\n' >"/run/systemd/system/$UNIT.d/dead.conf"
	systemctl daemon-reload
	daemon_signal KILL
	wait_for 20 "the daemon to be gone" is_gone "$pid"
	rm -f /run/hog-{small,keep}
	spawn "$DOMAIN/keep" memhog /run/hog-keep 8M
	keep=$SPAWNED
	spawn_as "$pid" "$DOMAIN/small" memhog /run/hog-small 1M 64M
	wait_for 20 "the processes to fill their memory" hog_filled small $((1 << 20))
	wait_for 20 "the processes to fill their memory" hog_filled keep $((8 << 20))
	limit_above $((1 << 20))
	kill -USR1 "$pid"
	wait_for 20 "a process to die" test_one_is_gone "$pid" "$keep"
	is_gone "$pid" || fail "the one that has the dead daemon's id was spared"
	! is_gone "$keep" || fail "the other one died, too"
	kill -KILL "$keep"
	rm "/run/systemd/system/$UNIT.d/dead.conf"
	systemctl daemon-reload
	systemctl reset-failed "$UNIT"
	daemon_start
	wait_for 20 "the record" records_are 1
}

test_dead_are_ruled()
{
	(($(oompolicyctl tree --all --json=short /rare/dead | grep -o -E '"rule": ?"(small|keep)"' | wc -l) == 2))
}

test_one_is_gone()
{
	is_gone "$1" || is_gone "$2"
}

plan 12
mkdir -p $ROOT
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo +memory >$ROOT/cgroup.subtree_control
config_rare
daemon_start
run_test sandbox test_sandbox
run_test reload_at_the_oom test_reload_at_the_oom
config_rare
systemctl reload "$UNIT"
run_test killed_at_the_oom test_killed_at_the_oom
run_test ring_full test_ring_full
run_test rules_map_full test_rules_map_full
run_test cgroup_ring_full test_cgroup_ring_full
run_test hostile_names test_hostile_names
run_test reused_ids test_reused_ids
run_test reused_daemon_pid test_reused_daemon_pid
run_test daemon_in_the_domain test_daemon_in_the_domain
run_test nobody_to_kill test_nobody_to_kill
run_test allocating_task_is_warned_of test_allocating_task_is_warned_of
