# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=400 extra=bookworm,sid,namespace,posted
#
# The policy language where it meets the kernel: the victim tables of Victim=, Kill= and several
# policies, then who answers for an OOM, how users and units are matched, drop-ins, and reloads
# under way.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/oomtest-lib.bash
. oomtest-lib.bash
# shellcheck source=tests/vm/guest/language-lib.bash
. language-lib.bash

# --- several policies

# domain_case CGROUP VICTIM POLICY PRIORITY RULE: two processes, of which one has a rule. The one
# that grows has none, and is smaller than the other without.
domain_case()
{
	clean
	hog_start plain "$1/plain" 16M
	hog_start mid "$1/mid" 8M
	hog_start trigger "$1/trigger" 2M 6M
	overrun "$1" trigger
	assert_eq "the dead of $1" "$DEAD" "$2"
	assert_killed "$2" POLICY "$3" EFFECTIVE_PRIORITY "$4" RULE "$5" DOMAIN "/$1"
	kernel_has "^oom_policy=$3\$" || fail "the kernel's report has no line oom_policy=$3"
}

policies_nested()
{
	cat <<'END'
[Policy all]
Cgroup=/lang
DefaultPriority=500

[Policy inner]
Cgroup=/lang/inner
DefaultPriority=200

[Policy deep]
Cgroup=/lang/inner/deep
Scope=memcg
DefaultPriority=800
Victim=newest

[Policy system]
Scope=system

[Rule mid]
Cgroup=/lang/**/mid
Priority=300

[Rule bait]
Cgroup=/lang/bait
Priority=0
END
}

test_nearest_policy()
{
	policies_nested | configure
	domain_case lang mid all 300 mid
	domain_case lang/inner plain inner 200 ""
	domain_case lang/inner/deep/x/y mid deep 300 mid
	domain_case lang/innermost mid all 300 mid
	domain_case lang/inner/other plain inner 200 ""
}

# sharer_start CGROUP OTHER MIB: two processes with the memory of one, the second in another cgroup. Leaves
# them as "owner" and "sharer".
sharer_start()
{
	rm -f /run/hog-owner /run/hog-sharer /run/sharer
	cgroup_make "$1"
	cgroup_make "$2"
	spawn "$CGROUPS/$1" taskset -c "$CPU" chrt -f 1 sharer /run/sharer $(($3 * MIB))
	PIDS[owner]=$SPAWNED
	disown
	wait_for 20 "the processes that share their memory" test -s /run/sharer
	PIDS[sharer]=$(</run/sharer)
	echo "${PIDS[sharer]}" >"$CGROUPS/$2/cgroup.procs"
	touch /run/hog-owner /run/hog-sharer
}

# The kernel kills whoever has the victim's memory: one that shares it with a protected process is not
# chosen, and one that shares it with a better one goes by that.
test_shared_memory()
{
	local case other rest
	for case in 'safe Protect=yes' 'high Priority=900'; do
		read -r other rest <<<"$case"
		clean
		printf '[Policy all]\nCgroup=/lang\n[Rule other]\nCgroup=/lang/%s\n%s\n[Rule bait]\nCgroup=/lang/bait\nPriority=0\n' \
			"$other" "$rest" | configure
		sharer_start lang/bait "lang/$other" 16
		hog_start plain lang/plain 8M
		hog_start trigger lang/trigger 2M 6M
		overrun lang trigger
		assert_eq "the dead beside one with $rest" "$DEAD" plain
	done
	assert_match "the ranking" "$(oompolicyctl rank --json=short /lang)" "\"pid\":${PIDS[owner]},[^}]*\"priority\":900"
}

# Who runs out of memory is in a cgroup namespace, as in a container: the rules for what is outside of it
# apply all the same.
test_cgroup_namespace()
{
	clean
	policies_nested | configure
	hog_start plain lang/plain 16M
	hog_start bait lang/bait 8M
	WRAPPER=(unshare --cgroup)
	hog_start trigger lang/trigger 2M 6M
	WRAPPER=()
	overrun lang trigger
	assert_eq "the dead" "$DEAD" bait
	assert_killed bait POLICY all RULE bait DOMAIN /lang VICTIM_CGROUP /lang/bait
}

# The kernel takes the largest.
test_no_policy_answers()
{
	clean
	policies_nested | configure
	hog_start plain lang-alone/plain 16M
	hog_start mid lang-alone/lang/inner/mid 8M
	hog_start trigger lang-alone/trigger 2M 6M
	overrun lang-alone trigger
	assert_eq "the dead" "$DEAD" plain
	record_load MESSAGE_ID="$MESSAGE_ID_KERNEL_KILL" OOMPOLICY_DOMAIN=/lang-alone
	assert_eq "the reason" "${RECORD[OOMPOLICY_REASON]-}" no-policy
	assert_eq "the decision" "${RECORD[OOMPOLICY_DECISION]-}" kernel
	assert_eq "the kernel's victim" "${RECORD[OOMPOLICY_VICTIM_PID]-}" "${PIDS[plain]}"
	kernel_has '^oom_policy=default$' || fail "the kernel's report has no line oom_policy=default"
	! kernel_has '^oom_policy=(all|inner|deep|system|oompolicyd)$' || fail "the kernel's report names a policy"
}

# system_oom NAME: SysRq-f, which is an OOM of the system whatever is free.
system_oom()
{
	wait_for 30 "the processes to fill their memory" hogs_filled
	echo f >/proc/sysrq-trigger
	wait_for 20 "a process to die" others_died ""
	sleep 0.3
	dead_names
}

test_system_scope()
{
	clean
	policies_nested | configure
	hog_start bait lang/bait 4M
	hog_start plain lang/inner/plain 16M
	system_oom
	assert_eq "the dead" "$DEAD" bait
	assert_killed bait POLICY system DOMAIN_TYPE system SYSRQ 1 EFFECTIVE_PRIORITY 0 RULE bait
	kernel_has '^oom_policy=system$' || fail "the kernel's report has no line oom_policy=system"
}

# The second comes while the first one's victim, which is held at its exit, is dying: it goes by the policy
# too, and not to the largest.
test_sysrq_twice()
{
	local tracer
	clean
	policies_nested | configure
	hog_start bait lang/bait 4M
	hog_start plain lang/inner/plain 16M
	wait_for 30 "the processes to fill their memory" hogs_filled
	rm -f /run/linger
	linger "${PIDS[bait]}" /run/linger &
	tracer=$!
	wait_for 20 "the bait to be held" test -e /run/linger
	echo f >/proc/sysrq-trigger
	wait_for 20 "the first to be killed" kernel_has "Killed process ${PIDS[bait]} "
	echo f >/proc/sysrq-trigger
	sleep 1
	kill "$tracer"
	wait_for 20 "a process to die" others_died ""
	sleep 0.3
	dead_names
	assert_eq "the dead" "$DEAD" bait
	! kernel_has '^oom_policy=default$' || fail "the kernel decided one by itself"
}

# A policy of cgroup OOMs alone, though it is that of the root.
test_system_without_policy()
{
	clean
	configure <<'END'
[Policy cgroups]
Scope=memcg

[Rule bait]
Cgroup=/lang/bait
Priority=0
END
	hog_start bait lang/bait 4M
	hog_start worst lang/worst 16M
	echo 1000 >"/proc/${PIDS[worst]}/oom_score_adj"
	system_oom
	assert_eq "the dead" "$DEAD" worst
	record_load MESSAGE_ID="$MESSAGE_ID_KERNEL_KILL" OOMPOLICY_DOMAIN_TYPE=system
	assert_eq "the reason" "${RECORD[OOMPOLICY_REASON]-}" no-policy

	clean
	hog_start bait lang/bait 8M
	hog_start trigger lang/trigger 10M 6M
	overrun lang trigger
	assert_eq "the dead of the cgroup's OOM" "$DEAD" bait
	assert_killed bait POLICY cgroups
}

# --- Kill=cgroup: more than the policy kills in one round

readonly GROUP=300

group_is_dead()
{
	! grep -q '^populated 1' "$CGROUPS"/lang/big/{left,right}/cgroup.events
}

test_large_group()
{
	local i side kills expected named
	clean
	configure <<'END'
[Policy group]

[Rule big]
Cgroup=/lang/big
Priority=10
Kill=cgroup

[Rule kept]
Cgroup=/lang/big/kept
Protect=yes
END
	# A list of them all in each report would take a minute of serial line.
	echo 0 >/proc/sys/vm/oom_dump_tasks
	cgroup_make lang/big/left
	cgroup_make lang/big/right
	for ((i = 0; i < GROUP; i++)); do
		((i % 2)) && side=left || side=right
		spawn "$CGROUPS/lang/big/$side" memhog "/run/hog-member-$i" 64K
		PIDS[member-$i]=$SPAWNED
		disown
	done
	hog_start victim lang/big/left 8M
	hog_start kept lang/big/kept/x 4M
	hog_start trigger lang/trigger 2M 6M
	wait_for 60 "the processes to fill their memory" hogs_filled
	kills=$(oom_kills)
	overrun lang trigger
	wait_for 60 "the whole group to die" group_is_dead
	echo 1 >/proc/sys/vm/oom_dump_tasks
	dead_names
	expected=$(printf '%s\n' "${!PIDS[@]}" | grep -v -x -e kept -e trigger | sort | paste -sd' ')
	[[ $DEAD == "$expected" ]] || fail "$(wc -w <<<"$DEAD") died, expected the $((GROUP + 1)) of the group"
	assert_eq "kills" $(($(oom_kills) - kills)) $((GROUP + 1))
	assert_killed victim KILL cgroup MEMBERS $GROUP RULE big
	named=$(RECORDS_SINCE=$LOG_SINCE records_members)
	[[ $named == *member* ]] || fail "the record names no member"
	expected=$(for ((i = 0; i < GROUP; i++)); do
		echo "member ${PIDS[victim]} ${PIDS[member-$i]}"
	done)
	diff <(sort <<<"$expected") <(sort <<<"$named") >/dev/null ||
		fail "the record names $(wc -l <<<"$named") members, or others than those that died"
}

# --- what rules match

test_users_and_units()
{
	local names=() rule
	clean
	configure <<'END'
[Policy match]

[Rule user]
User=1234
Priority=10

[Rule name]
User=backup
Priority=20

[Rule worker]
Unit=worker@*.service
Priority=30

[Rule chosen]
Unit=worker@chosen.service
Priority=900

[Rule scope]
Unit=batch-?.scope
Priority=40

[Rule both]
Unit=none.service
Cgroup=/lang/listed
Priority=50
END
	# Those that are not matched are larger: the kernel would take them.
	hog_start user lang/user.slice/user-1234.slice/session 6M
	hog_start name "lang/user.slice/user-$(id -u backup).slice" 6M
	hog_start worker "lang/system.slice/worker@1.service" 6M
	hog_start scope lang/batch-7.scope 6M
	hog_start both lang/listed/x 6M
	hog_start chosen "lang/system.slice/worker@chosen.service" 10M
	hog_start other-user lang/user.slice/user-12345.slice 10M
	hog_start other-scope lang/batch-77.scope 10M
	hog_start other-unit lang/worker.service 10M
	hog_start trigger lang/trigger 2M 4M 4M 4M 4M 4M
	for rule in user name worker scope both; do
		overrun lang trigger
		names+=("$rule")
		assert_eq "the dead" "$DEAD" "$(printf '%s\n' "${names[@]}" | sort | paste -sd' ')"
		assert_killed "$rule" RULE "$rule"
	done
}

# --- layers

# One process, so that the record says which priority is active.
assert_priority()
{
	clean
	hog_start alone lang/alone 2M 6M
	overrun lang alone
	assert_killed alone EFFECTIVE_PRIORITY "$1" POLICY layered
}

# dropin FILE PRIORITY
dropin()
{
	mkdir -p "${1%/*}"
	printf '[Rule alone]\nPriority=%s\n' "$2" >"$1"
}

readonly LOCAL=/etc/oompolicy.conf.d VENDOR=/usr/lib/oompolicy.conf.d

layered()
{
	rm -rf "$LOCAL" "$VENDOR"
	config_write <<'END'
[Policy layered]

[Rule alone]
Cgroup=/lang/alone
Priority=100
END
}

test_dropin_overrides()
{
	layered
	assert_status 0 oompolicyd --reload
	assert_priority 100
	dropin $LOCAL/50-a.conf 200
	dropin $LOCAL/60-b.other 999
	# Not before a reload.
	assert_priority 100
	assert_status 0 systemctl reload oompolicyd.service
	assert_priority 200
}

test_dropin_order_and_masks()
{
	layered
	dropin $LOCAL/50-a.conf 200
	dropin $VENDOR/60-b.conf 300
	assert_status 0 oompolicyd --reload
	assert_priority 300
	dropin $LOCAL/60-b.conf 400
	assert_status 0 oompolicyd --reload
	assert_priority 400
	assert_status 0 oompolicyd --cat-config
	assert_match "what applies" "$OUTPUT" "# $CONFIG.*Priority=100.*# $LOCAL/50-a.conf.*Priority=200.*# $LOCAL/60-b.conf.*Priority=400"
	assert_match "what is masked" "$OUTPUT" "$VENDOR/60-b.conf"
	[[ $OUTPUT != *Priority=300* ]] || fail "--cat-config shows what is in a masked file"
	ln -sf /dev/null $LOCAL/60-b.conf
	assert_status 0 oompolicyd --reload
	assert_priority 200
	assert_status 0 oompolicyd --cat-config
	[[ $OUTPUT != *Priority=[34]00* ]] || fail "--cat-config shows what is in a masked file"
	assert_match "what is masked" "$OUTPUT" "$VENDOR/60-b.conf"
}

test_broken_dropin()
{
	local pid
	layered
	dropin $LOCAL/50-a.conf 200
	assert_status 0 oompolicyd --reload
	assert_status 0 oompolicyd --check
	pid=$(daemon_pid)
	dropin $LOCAL/70-c.conf 1001
	mkdir -p $VENDOR
	printf '\n\n[Rule other]\nUnit=a.service\nPriorty=1\n' >$VENDOR/80-d.conf
	assert_status 78 oompolicyd --check
	assert_match "what --check says" "$OUTPUT" "$LOCAL/70-c.conf:2: .*$VENDOR/80-d.conf:5: "
	assert_status 1 systemctl reload oompolicyd.service
	journal_wait 10 "the refusal" MESSAGE_ID="$MESSAGE_ID_RELOAD_FAILED"
	assert_match "the refusal" "$(journal_field MESSAGE MESSAGE_ID="$MESSAGE_ID_RELOAD_FAILED")" "$LOCAL/70-c.conf:2: "
	assert_match "the status" "$(daemon_status)" "Policy 'layered' active.*$LOCAL/70-c.conf:2: "
	assert_status 78 oompolicyd --reload
	assert_match "what --reload says" "$OUTPUT" "$LOCAL/70-c.conf:2: "
	assert_priority 200
	assert_eq "the main process" "$(daemon_pid)" "$pid"
	rm $VENDOR/80-d.conf
	dropin $LOCAL/70-c.conf 210
	assert_status 0 oompolicyd --reload
	assert_priority 210
}

# --- a reload is a transaction

readonly FIRST='[Policy first-one]
Cgroup=/lang/one

[Policy first-two]
Cgroup=/lang/two

[Policy first-spare]
Cgroup=/lang/spare

[Rule first-red]
Cgroup=/lang/*/red
Priority=10

[Rule first-blue]
Cgroup=/lang/*/blue
Priority=20

[Rule trigger]
Cgroup=/lang/*/trigger
Priority=900
'
readonly SECOND='[Policy second]
Cgroup=/lang

[Rule trigger]
Cgroup=/lang/*/trigger
Priority=900

[Rule second-blue]
Cgroup=/lang/*/blue
Priority=30

[Rule second-red]
Cgroup=/lang/*/red
Priority=40
'
readonly ROUNDS=3 HOGS=7
readonly RACE=/run/race

reload_loop()
{
	while [[ ! -e $RACE/stop ]]; do
		config_write <<<"$SECOND"
		oompolicyd --reload >>$RACE/reloads 2>&1 || echo "$?" >>$RACE/failed
		config_write <<<"$FIRST"
		oompolicyd --reload >>$RACE/reloads 2>&1 || echo "$?" >>$RACE/failed
	done
}

is_content()
{
	[[ $(<"/run/hog-$1") -gt $((3 * MIB)) ]]
}

# How many have died so far of the colour of which fewer have.
count_fewer()
{
	awk '{ red += gsub(/red/, ""); blue += gsub(/blue/, "") } END { print red < blue ? red + 0 : blue + 0 }' $RACE/names
}

# overrun_loop DOMAIN CPU: the one that grows takes what several victims have, one OOM after the
# other; of either colour there are more than die. It goes on until both configurations had three
# kills, or had every chance.
overrun_loop()
{
	local round i
	CPU=$2
	for ((round = 0; round < ROUNDS || (round < 6 * ROUNDS && $(count_fewer) < 3); round++)); do
		PIDS=()
		for ((i = 0; i < HOGS; i++)); do
			hog_start "$1-red-$i" "lang/$1/red" 3M
			hog_start "$1-blue-$i" "lang/$1/blue" 3M
		done
		hog_start "$1-trigger" "lang/$1/trigger" 2M 14M
		wait_for 60 "the processes to fill their memory" hogs_filled
		domain_limit "lang/$1" 1
		kill -USR1 "${PIDS[$1-trigger]}"
		wait_for 60 "the growth of $1" is_content "$1-trigger"
		sleep 0.2
		dead_names
		echo "$DEAD" >>$RACE/names
		for i in $DEAD; do
			echo "${PIDS[$i]}"
		done >>"$RACE/dead"
		echo max >"$CGROUPS/lang/$1/memory.max"
		for i in "${!PIDS[@]}"; do
			[[ " $DEAD " == *" $i "* ]] || kill -KILL "${PIDS[$i]}"
		done
		wait_for 10 "the end of the others" all_died
	done
}

all_died()
{
	dead_names
	[[ $(wc -w <<<"$DEAD") == "${#PIDS[@]}" ]]
}

# Which configuration has which number, and what every record says, with what is wrong with it.
race_judge()
{
	{
		journalctl -q -o export --since="$LOG_SINCE" -u oompolicyd.service MESSAGE_ID="$MESSAGE_ID_POLICY_ACTIVE" \
			--output-fields=MESSAGE,MESSAGE_ID,OOMPOLICY_CONFIG
		journalctl -q -o export --since="$LOG_SINCE" -u oompolicyd.service MESSAGE_ID="$MESSAGE_ID_KILL" \
			--output-fields=MESSAGE_ID,OOMPOLICY_CONFIG,OOMPOLICY_POLICY,OOMPOLICY_RULE,OOMPOLICY_EFFECTIVE_PRIORITY,OOMPOLICY_DOMAIN,OOMPOLICY_VICTIM_CGROUP
	} | awk -v active="$MESSAGE_ID_POLICY_ACTIVE" '
		/^[A-Z_]+=/ { name = $0; sub(/=.*/, "", name); sub(/^[^=]*=/, ""); value[name] = $0 }
		/^$/ {
			number = value["OOMPOLICY_CONFIG"]
			if (value["MESSAGE_ID"] == active) {
				kind[number] = value["MESSAGE"] ~ /first-one.*first-two/ ? "first" : "second"
			} else {
				domain = value["OOMPOLICY_DOMAIN"]
				sub(/.*\//, "", domain)
				cgroup = "/lang/" domain "/"
				k = kind[number]
				if (k == "first")
					expected = "first-" domain " first-red 10 " cgroup "red"
				else if (k == "second")
					expected = "second second-blue 30 " cgroup "blue"
				else
					expected = "a configuration that was announced"
				said = value["OOMPOLICY_POLICY"] " " value["OOMPOLICY_RULE"] " " \
					value["OOMPOLICY_EFFECTIVE_PRIORITY"] " " value["OOMPOLICY_VICTIM_CGROUP"]
				print said == expected ? k : "wrong: config " number " (" k "): " said ", expected " expected
			}
			delete value
		}'
}

test_reload_is_a_transaction()
{
	local kills verdict reloads reloader one two status=0
	clean
	rm -rf $RACE "$LOCAL" "$VENDOR"
	mkdir $RACE
	: >$RACE/dead
	: >$RACE/names
	cgroup_make lang/one/red
	cgroup_make lang/two/red
	configure <<<"$FIRST"
	kills=$(oom_kills)
	reload_loop &
	reloader=$!
	overrun_loop one 0 &
	one=$!
	overrun_loop two 1 &
	two=$!
	wait $one || status=$?
	wait $two || status=$?
	touch $RACE/stop
	wait $reloader
	((status == 0)) || fail "the OOMs could not all be made: $(<"$REASON_FILE")"
	[[ ! -e $RACE/failed ]] || fail "a reload failed: $(tail -n 1 $RACE/reloads)"
	kills=$(($(oom_kills) - kills))
	reloads=$(wc -l <$RACE/reloads)
	((kills >= 2 * ROUNDS)) || fail "there were $kills kills"
	((reloads >= 10)) || fail "there were $reloads reloads"
	wait_for 10 "the records" race_recorded "$kills"
	verdict=$(race_judge)
	! grep '^wrong' <<<"$verdict" | head -n 5 || fail "$(grep -m 1 '^wrong' <<<"$verdict") ($(grep -c '^wrong' <<<"$verdict") of $kills)"
	assert_eq "records" "$(wc -l <<<"$verdict")" "$kills"
	for id in "$MESSAGE_ID_NO_OPINION" "$MESSAGE_ID_KERNEL_KILL"; do
		! journal_has MESSAGE_ID="$id" || fail "an OOM was left to the kernel: $(journal_field MESSAGE MESSAGE_ID="$id")"
	done
	diff <(sort -u $RACE/dead) <(RECORDS_SINCE=$LOG_SINCE records_kills | cut -d' ' -f1 | sort -u) >/dev/null ||
		fail "the recorded victims are not those that died"
	# Otherwise nothing was tried.
	(($(grep -c first <<<"$verdict") > 2 && $(grep -c second <<<"$verdict") > 2)) ||
		fail "of $kills kills $(grep -c first <<<"$verdict") were under the first configuration"
	printf '# %d kills, %d under the first configuration, %d reloads\n' "$kills" "$(grep -c first <<<"$verdict")" "$reloads"
}

race_recorded()
{
	journalctl --sync
	(($(RECORDS_SINCE=$LOG_SINCE records_kills | wc -l) >= $1))
}

# --- policies come and go

# Links of the kernel that keep a policy attached: one is the recorder's.
links_are()
{
	[[ $(grep -l '^link_type:[[:space:]]*struct_ops' "/proc/$(daemon_pid)/fdinfo/"* 2>/dev/null | wc -l) == "$1" ]]
}

three_policies()
{
	printf '[Policy %s]\nCgroup=/lang/%s\nDefaultPriority=%s\n' lasting lasting 100 leaving leaving 200 going going 300
}

one_policy()
{
	printf '[Policy lasting]\nCgroup=/lang/lasting\nDefaultPriority=100\n'
}

test_policy_leaves_and_comes_back()
{
	local began
	clean
	three_policies | configure
	wait_for 12 "the policies of the last tests to be detached" links_are 4
	one_policy | configure
	began=$(date +%s%N)
	links_are 4 || fail "a policy was detached at once: an OOM may be in its hands"
	# The name is known again before the time is up, and then it stays.
	three_policies | configure
	sleep 6
	links_are 4 || fail "a policy that is active again was detached"
	(($(date +%s%N) - began > 6000000000)) || fail "the clock stood still"

	one_policy | configure
	began=$(date +%s%N)
	wait_for 12 "two policies to be detached" links_are 2
	(($(date +%s%N) - began > 4000000000)) || fail "they were detached after $((($(date +%s%N) - began) / 1000000)) ms"
	hog_start plain lang/leaving/plain 8M
	hog_start trigger lang/leaving/trigger 2M 6M
	overrun lang/leaving trigger
	record_load MESSAGE_ID="$MESSAGE_ID_KERNEL_KILL" OOMPOLICY_DOMAIN=/lang/leaving
	assert_eq "the reason" "${RECORD[OOMPOLICY_REASON]-}" no-policy

	three_policies | configure
	links_are 4 || fail "the policies are not attached again"
	clean
	hog_start plain lang/leaving/plain 8M
	hog_start trigger lang/leaving/trigger 2M 6M
	overrun lang/leaving trigger
	assert_eq "the dead" "$DEAD" plain
	assert_killed plain POLICY leaving EFFECTIVE_PRIORITY 200
	kernel_has '^oom_policy=leaving$' || fail "the kernel's report has no line oom_policy=leaving"
}

# That the kernel takes along what the rule would spare is said before it happens.
test_kill_process_warns()
{
	clean
	printf '[Policy all]\n[Rule whole]\nCgroup=/lang/a\nKill=cgroup\n[Rule one]\nCgroup=/lang/b\nKill=process\n' | configure
	journalctl --sync
	assert_match "what is said" "$(journalctl -q -o cat --since="$LOG_SINCE" -u oompolicyd.service -p warning)" \
		'^/etc/oompolicy.conf:5: Kill=process in \[Rule one\] has no effect with the backend struct_ops of this kernel \(1 rules in all\): memory.oom.group decides how much is killed, and takes protected processes along.$'
}

# What only handlers can do: to kill a group, and to be several.
handlers=1
[[ $BACKEND == struct_ops ]] || handlers=0
posted=0
! is_posted || posted=1
plan $(($(tables_count daemon,language) + 15 + 3 * handlers + posted))

config_write_tables
daemon_start
run_test backend-is-in-use test_backend_is_in_use
records_begin
tables daemon,language
run_test one-record-a-kill test_one_record_a_kill
((handlers == 0)) || run_test members-are-recorded test_members_are_recorded
run_test no-opinion-is-recorded test_no_opinion_is_recorded

((posted == 0)) || run_test kill-process-warns test_kill_process_warns
run_test nearest-policy test_nearest_policy
run_test shared-memory test_shared_memory
run_test cgroup-namespace test_cgroup_namespace
run_test no-policy-answers test_no_policy_answers
run_test system-scope test_system_scope
run_test sysrq-twice test_sysrq_twice
run_test system-without-policy test_system_without_policy
((handlers == 0)) || run_test large-group test_large_group
run_test users-and-units test_users_and_units
run_test dropin-overrides test_dropin_overrides
run_test dropin-order-and-masks test_dropin_order_and_masks
run_test broken-dropin test_broken_dropin
run_test reload-is-a-transaction test_reload_is_a_transaction
((handlers == 0)) || run_test policy-leaves-and-comes-back test_policy_leaves_and_comes_back
clean
