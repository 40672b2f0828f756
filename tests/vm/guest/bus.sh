# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=400 extra=bookworm
#
# oompolicyctl and the bus, with the daemon in the unit as shipped: what they say is compared with
# what the kernel says and with what this script did itself.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/records-lib.bash
. records-lib.bash

readonly UNIT=oompolicyd.service
readonly ROOT=/sys/fs/cgroup/bus

config_bus()
{
	config_write <<'END'
[Policy default]
DefaultPriority=400

[Policy other]
Cgroup=/bus/other
Scope=memcg
DefaultPriority=300
Victim=oldest

[Rule low]
Cgroup=/bus/*/low
Priority=10
Kill=process

[Rule high]
Cgroup=/bus/*/high
Priority=900

[Rule safe]
Cgroup=/bus/*/safe
Protect=yes
END
}

# as_user NAME COMMAND...
as_user()
{
	local user=$1
	shift
	setpriv --reuid="$user" --regid=65534 --clear-groups -- "$@"
}

as_nobody()
{
	as_user nobody "$@"
}

# polkit is there for one test: the others see a machine without it.
polkit_hide()
{
	ln -sf /dev/null /run/systemd/system/polkit.service
	systemctl daemon-reload
	systemctl stop polkit.service
}

polkit_show()
{
	rm /run/systemd/system/polkit.service
	systemctl daemon-reload
}

hog_filled()
{
	[[ $(cat "/run/hog-$1") == "$2" ]]
}

# json_value NAME JSON: of a member that is a number or a word.
json_value()
{
	sed -n "s/.*\"$1\":\"\{0,1\}\([^\",}]*\).*/\1/p" <<<"$2"
}

# overrun DOMAIN NAME [COMM]: a process in DOMAIN/NAME goes over the limit of DOMAIN and dies.
overrun()
{
	local domain=$ROOT/$1 comm=${3:-memhog}
	mkdir -p "$domain/$2"
	ln -sf /usr/lib/oompolicyd-tests/memhog "/run/$comm"
	rm -f /run/hog-bus
	echo max >"$domain/memory.max"
	spawn "$domain/$2" "/run/$comm" /run/hog-bus 1M 64M
	wait_for 20 "the hog to fill its memory" hog_filled bus $((1 << 20))
	echo $(($(<"$domain/memory.current") + (1 << 20))) >"$domain/memory.max"
	kill -USR1 "$SPAWNED"
	wait_for 20 "the hog to die" is_gone "$SPAWNED"
	echo max >"$domain/memory.max"
}

listed()
{
	[[ -n $(oompolicyctl list --no-legend --since="$LIST_SINCE" 2>/dev/null) ]]
}

# What bpftool finds in the kernel is what is shown.
test_status()
{
	local status id
	assert_status 0 oompolicyctl status
	assert_match "the first line" "${OUTPUT%%$'\n'*}" '^oompolicyd [0-9.]+: active$'
	status=$(oompolicyctl status --json=short)
	assert_eq "the backend" "$(json_value backend "$status")" struct_ops
	assert_eq "the rules" "$(json_value rules "$status")" 3
	while read -r id; do
		assert_match "link $id" "$(bpftool link show id "$id")" 'struct_ops'
	done < <(grep -o '"link_id":[0-9]*' <<<"$status" | cut -d: -f2)
	while read -r id; do
		assert_match "program $id" "$(bpftool prog show id "$id")" 'struct_ops +name op_handle_oom'
	done < <(grep -o '"program_id":[0-9]*' <<<"$status" | cut -d: -f2)
	assert_eq "the policies" "$(grep -o '"attached":true' <<<"$status" | wc -l)" 3
	assert_eq "links in the kernel" "$(bpftool link show | grep -c struct_ops)" 3

	mkdir -p "$ROOT"/{work/{low,high,safe,plain},other}
	wait_for 10 "the cgroups to be ruled" ruled 3
	# The same in JSON, for those who ask for metrics with it.
	assert_eq "metrics as JSON" "$(oompolicyctl metrics --json=short | sed 's/"map_entries":[0-9]*//')" \
		"$(oompolicyctl status --json=short | sed 's/"map_entries":[0-9]*//')"
	assert_eq "entries of the map" "$(oompolicyctl metrics | sed -n 's/^oompolicyd_map_entries //p')" \
		"$(bpftool map dump name op_rules | sed -n 's/^Found \([0-9]*\) elements*$/\1/p')"
}

# The module as sysfs and modinfo have it. What is installed is in the files of this machine, so not told
# of a bus that may be another's; of another version it is told how to load it.
test_module()
{
	local loaded installed other file
	loaded=$(</sys/module/bpf_oom/version)
	installed=$(modinfo -F version bpf_oom)
	other=${installed//?/x} # as long as what it takes the place of
	file=$(modinfo -n bpf_oom)
	assert_status 0 as_nobody oompolicyctl status
	assert_match "both versions" "$OUTPUT" \
		$'\n'"       Module: bpf_oom $loaded \(installed: $installed\)"$'\n'
	[[ $OUTPUT != *Warning:* ]] || fail "there is a warning"
	assert_match "in JSON" "$(oompolicyctl status --json=short)" \
		"\"module_version\":\"$loaded\",.*\"module_installed\":\"$installed\""

	assert_status 0 env DBUS_SYSTEM_BUS_ADDRESS=unix:path=/var/run/dbus/system_bus_socket oompolicyctl status
	assert_match "of another machine, maybe" "$OUTPUT" $'\n'"       Module: bpf_oom $loaded"$'\n'

	sed "s/\x00version=$installed\x00/\x00version=$other\x00/" "$file" >/run/bpf_oom.ko
	# shellcheck disable=SC2016 # expanded by the inner shell
	assert_status 0 unshare --mount sh -c 'mount --bind /run/bpf_oom.ko "$1" && oompolicyctl status' sh "$file"
	assert_match "another version" "$OUTPUT" " \(installed: $other\)"$'\n'
	assert_match "the warning" "$OUTPUT" \
		"Warning: Module bpf_oom $other is installed, but $loaded is loaded: "
}

# What a live patch cannot replace.
test_hooks()
{
	local hooks
	hooks=$(</sys/module/bpf_oom/parameters/hooks)
	assert_match "the module's own list" ",$hooks," ',out_of_memory,'
	assert_status 0 oompolicyctl status
	assert_match "the hooks" "$OUTPUT" $'\n'"        Hooks: ${hooks//,/, }"$'\n'
	assert_match "in JSON" "$(oompolicyctl status --json=short)" \
		"\"module_hooks\":\\[\"${hooks//,/\",\"}\"\\]"
	assert_match "on the bus" \
		"$(busctl get-property org.oompolicyd1 /org/oompolicyd1 org.oompolicyd1.Manager ModuleHooks)" \
		'^as [0-9]+ .*"out_of_memory"'
}

ruled()
{
	[[ $(oompolicyctl metrics | sed -n 's/^oompolicyd_cgroups_ruled //p') == "$1" ]]
}

# What dies first is at the top, with the memory that the kernel counts.
test_tree()
{
	local tree
	mkdir -p "$ROOT/work"/{low,high,safe,plain}
	spawn "$ROOT/work/low" sleep 60
	spawn "$ROOT/work/high" sleep 60
	spawn "$ROOT/work/safe" sleep 60
	rm -f /run/hog-tree
	spawn "$ROOT/work/plain" /usr/lib/oompolicyd-tests/memhog /run/hog-tree 20M
	wait_for 20 "the hog to fill its memory" hog_filled tree $((20 << 20))
	wait_for 10 "the cgroups to be ruled" ruled 3

	tree=$(oompolicyctl tree --no-legend /bus/work)
	printf '%s\n' "$tree"
	assert_eq "the order" "$(awk '{ print $1, $2, $4 }' <<<"$tree" | paste -sd,)" \
		"400 - -,10 process low,400 - -,900 - high,never - safe"
	assert_match "the memory" "$(sed -n 3p <<<"$tree")" ' 2[01]\.[0-9]M '
	tree=$(oompolicyctl tree --json=short /bus/other --all)
	assert_eq "the policy" "$(json_value policy "$tree")" other
	assert_match "its default" "$tree" '"priority":300'
	assert_status 1 oompolicyctl tree /bus/none
	assert_match "the system" "$(oompolicyctl tree)" 'policy default answers'
	# For a look at it.
	oompolicyctl tree
	oompolicyctl status
	kill %% 2>/dev/null || :
	for directory in low high safe plain; do
		echo 1 >"$ROOT/work/$directory/cgroup.kill"
	done
}

test_explain()
{
	assert_status 0 oompolicyctl explain /bus/work/low/deep
	assert_match "the rule" "$OUTPUT" $'\n        Rule: low, by /bus/work/low\n'
	assert_match "the source" "$OUTPUT" "\* low +Cgroup=/bus/\*/low +/bus/work/low +$CONFIG:"
	assert_match "a cgroup that is not there" "$OUTPUT" 'no such cgroup now'
	assert_status 0 oompolicyctl explain /bus/other
	assert_match "the default" "$OUTPUT" 'Priority: 300 \(Default'
	assert_match "the policies" "$OUTPUT" 'Policy: other where it runs out itself, default for'
}

# What changes is told: signals of properties, and of records, are kept in /run/signals.
signals_begin()
{
	busctl --json=short --match="type='signal',sender='org.oompolicyd1'" \
		--match="type='signal',interface='org.oompolicyd1.test'" monitor >/run/signals &
	MONITOR=$!
	wait_for 10 "busctl to listen" signals_come
}

signals_come()
{
	busctl emit /test org.oompolicyd1.test Ping
	grep -q Ping /run/signals
}

signals_end()
{
	kill "$MONITOR"
}

# signal_has PROPERTY REGEX
signal_has()
{
	grep PropertiesChanged /run/signals | grep -e "$1" | grep -q -e "$2"
}

# The record in the journal, on the bus, in `list` and in `info` is one and the same.
test_record()
{
	local id line signal
	signals_begin
	LIST_SINCE=$(date '+%Y-%m-%d %H:%M:%S')
	overrun work low
	wait_for 20 "the signal" grep -q OomRecord /run/signals
	wait_for 20 "the record" listed
	wait_for 10 "the signal of properties" signal_has '"LastOom"' '"ooms":[1-9]'
	mkdir -p "$ROOT/new/low"
	wait_for 10 "the signal of a ruled cgroup" signal_has '"CgroupsRuled"' '"data":4'
	rmdir "$ROOT/new/low" "$ROOT/new"
	signals_end

	signal=$(grep OomRecord /run/signals)
	assert_eq "signals" "$(wc -l <<<"$signal")" 1
	assert_match "the victim in the signal" "$signal" \
		"\"OOMPOLICY_VICTIM_PID\":\{\"type\":\"s\",\"data\":\"$SPAWNED\"\}"
	assert_match "the cgroup in the signal" "$signal" \
		'"OOMPOLICY_VICTIM_CGROUP":\{"type":"s","data":"/bus/work/low"\}'
	assert_match "its rule" "$signal" '"OOMPOLICY_RULE":\{"type":"s","data":"low"\}'

	assert_match "the limits in the signal" "$signal" \
		'"OOMPOLICY_LIMITS":\{"type":"s","data":"[0-9]+ [0-9]+ max [0-9]+ [a-z0-9]+ /bus/work\\n'

	line=$(oompolicyctl list --no-legend --since="$LIST_SINCE")
	printf '%s\n' "$line"
	assert_eq "lines" "$(wc -l <<<"$line")" 1
	assert_match "the line" "$line" "^[0-9a-f]{13} [-0-9]{10} [0-9:]{8} killed +10 memhog\[$SPAWNED\] +/bus/work$"
	id=${line%% *}
	assert_status 0 oompolicyctl info "$id"
	COLUMNS=80 oompolicyctl info "$id"
	assert_match "the victim" "$OUTPUT" $'\n'"      Victim: memhog \(pid $SPAWNED, uid 0, "
	assert_match "its cgroup" "$OUTPUT" $'\n'"      Cgroup: /bus/work/low"$'\n'
	assert_match "its rule" "$OUTPUT" $'\n'"        Rule: low"$'\n'
	assert_match "the policy" "$OUTPUT" $'\n'"     Outcome: killed by policy default"$'\n'
	assert_eq "the last" "$(oompolicyctl info)" "$OUTPUT"
	assert_match "JSON" "$(oompolicyctl list --json=short --since="$LIST_SINCE")" \
		"^\[\{\"id\":\"$id\",.*\"OOMPOLICY_VICTIM_PID\":\"$SPAWNED\""
	assert_match "the last record" "$(oompolicyctl status)" 'Last record: number [0-9]+ at '

	# Filters.
	[[ -n $(oompolicyctl list --policy=default --no-legend --since="$LIST_SINCE") ]] || fail "filtered out"
	assert_eq "of another policy" "$(oompolicyctl list --policy=other --no-legend 2>/dev/null)" ""
	assert_eq "before" "$(oompolicyctl list --until="$LIST_SINCE" --no-legend 2>/dev/null)" ""
	assert_eq "of a unit" "$(oompolicyctl list --unit=none 2>&1)" \
		"oompolicyctl: No record of an OOM fits."
}

# A unit's victim is found by its unit, and --follow sees it come.
test_follow()
{
	local follow
	LIST_SINCE=$(date '+%Y-%m-%d %H:%M:%S')
	oompolicyctl list --follow --no-legend -n 0 >/run/follow 2>&1 &
	follow=$!
	sleep 2
	workload_overrun
	wait_for 20 "the record" grep -q killed /run/follow
	kill $follow
	assert_eq "lines" "$(wc -l </run/follow)" 1
	[[ -n $(oompolicyctl list --unit="$VICTIM" --no-legend --since="$LIST_SINCE") ]] ||
		fail "$VICTIM is not found by its unit"
}

# Who may not change anything may look.
test_unprivileged()
{
	local before
	assert_status 0 as_nobody oompolicyctl status
	assert_status 0 as_nobody oompolicyctl tree
	assert_status 0 as_nobody oompolicyctl explain /
	assert_status 0 as_nobody oompolicyctl metrics
	before=$(json_value configuration "$(oompolicyctl status --json=short)")
	assert_status 77 as_nobody oompolicyctl reload
	assert_match "the sentence" "$OUTPUT" 'only root may, as polkit gives no answer'
	assert_status 77 as_nobody oompolicyctl declare --yes /bus/work
	assert_eq "the configuration" "$(json_value configuration "$(oompolicyctl status --json=short)")" \
		"$before"
	# Without the groups that may, the journal shows nothing, and says so.
	assert_status 0 as_nobody oompolicyctl list
	assert_match "the hint" "$OUTPUT" 'systemd-journal'
	# An entry of somebody else with our fields is none of ours.
	as_nobody logger --journald <<END
MESSAGE=forged
SYSLOG_IDENTIFIER=oompolicyd
MESSAGE_ID=$MESSAGE_ID_KILL
OOMPOLICY_DECISION=killed
OOMPOLICY_VICTIM_COMM=forged
END
	journal_wait 10 "the forged entry" OOMPOLICY_VICTIM_COMM=forged
	! oompolicyctl list | grep forged || fail "a forged entry is shown"
}

# Debian's polkitd, with a rule as an administrator writes it: who it names may, others may not, and
# who only looks is not asked about.
test_polkit()
{
	local out low reload before
	cat >/etc/polkit-1/rules.d/10-oompolicyd.rules <<'END'
polkit.addRule(function(action, subject) {
	if (action.id.indexOf("org.oompolicyd1.") != 0)
		return polkit.Result.NOT_HANDLED;
	if (subject.user == "games")
		return polkit.Result.YES;
	if (subject.user == "news")
		return polkit.Result.NO;
	return polkit.Result.NOT_HANDLED;
});
END
	chmod 644 /etc/polkit-1/rules.d/10-oompolicyd.rules
	polkit_show
	for out in status tree rank metrics "explain /"; do
		# shellcheck disable=SC2086 # a command and its argument
		assert_status 0 as_nobody oompolicyctl $out
	done
	assert_eq "polkit, after looking" "$(systemctl show -P ActiveState polkit.service)" inactive

	spawn "$ROOT/work/low" sleep 60
	low=$SPAWNED
	before=$(json_value configuration "$(oompolicyctl status --json=short)")
	assert_status 77 as_nobody oompolicyctl reload
	assert_match "the sentence" "$OUTPUT" '^oompolicyctl: Not permitted: .*administrator.*root'
	assert_eq "polkit, after a request" "$(systemctl show -P ActiveState polkit.service)" active
	assert_status 77 as_nobody oompolicyctl declare --yes /bus/work
	assert_status 77 as_user news oompolicyctl reload
	assert_match "the sentence" "$OUTPUT" "^oompolicyctl: Not permitted by polkit's rules"
	assert_match "in JSON" "$(as_user news oompolicyctl reload --json=short 2>/dev/null)" \
		'^\{"ok":false,"message":"Not permitted'
	assert_status 77 as_user news oompolicyctl declare --yes /bus/work
	assert_eq "the configuration" \
		"$(json_value configuration "$(oompolicyctl status --json=short)")" "$before"
	! is_gone "$low" || fail "killed though it was not permitted"

	assert_status 0 oompolicyctl reload
	assert_status 0 as_user games oompolicyctl reload
	assert_eq "the configuration" \
		"$(json_value configuration "$(oompolicyctl status --json=short)")" $((before + 2))
	assert_status 0 as_user games oompolicyctl declare --yes /bus/work
	assert_match "the outcome" "$OUTPUT" "\(pid $low,"
	wait_for 20 "it to die" is_gone "$low"

	# While polkit thinks, others are answered.
	systemctl kill -s STOP polkit.service
	as_user games oompolicyctl reload >/run/polkit-reload &
	reload=$!
	assert_status 0 as_nobody oompolicyctl status
	! is_gone "$reload" || fail "it did not wait for polkit"
	systemctl kill -s CONT polkit.service
	wait "$reload" || fail "not permitted after polkit had to think: $(cat /run/polkit-reload)"
	rm /etc/polkit-1/rules.d/10-oompolicyd.rules
	polkit_hide
}

# A declared OOM kills as the rules say, though no memory is short, and the answer names the victim.
test_declare()
{
	local low high
	rm -f /run/hog-low /run/hog-high
	spawn "$ROOT/work/low" /usr/lib/oompolicyd-tests/memhog /run/hog-low 1M
	low=$SPAWNED
	spawn "$ROOT/work/high" /usr/lib/oompolicyd-tests/memhog /run/hog-high 4M
	high=$SPAWNED
	wait_for 20 "the small hog to fill its memory" hog_filled low $((1 << 20))
	wait_for 20 "the large hog to fill its memory" hog_filled high $((4 << 20))
	LIST_SINCE=$(date '+%Y-%m-%d %H:%M:%S')
	assert_status 64 oompolicyctl declare /bus/work
	! is_gone "$low" || fail "killed without being asked"
	assert_status 0 oompolicyctl declare --yes /bus/work
	assert_match "the outcome" "$OUTPUT" "Killed memhog \(pid $low, /bus/work/low\)"
	wait_for 20 "the small hog to die" is_gone "$low"
	! is_gone "$high" || fail "the one with the higher priority is dead"
	wait_for 20 "the record" listed
	assert_match "the record" "$(oompolicyctl info)" "memhog \(pid $low,"
	assert_eq "records" "$(oompolicyctl list --no-legend --since="$LIST_SINCE" | wc -l)" 1

	assert_status 1 oompolicyctl declare --yes /bus/none
	assert_status 1 oompolicyctl declare --yes /bus/other
	! is_gone "$high" || fail "the one of another cgroup is dead"
	kill "$high"
}

test_reload()
{
	local before
	before=$(json_value configuration "$(oompolicyctl status --json=short)")
	assert_status 0 oompolicyctl reload
	assert_match "the outcome" "$OUTPUT" 'active'
	assert_eq "the configuration" "$(json_value configuration "$(oompolicyctl status --json=short)")" \
		$((before + 1))
	config_write <<<'[Policy'
	assert_status 78 oompolicyctl reload
	assert_status 78 oompolicyctl check
	assert_match "the status" "$(oompolicyctl status)" 'Reload failed: /etc/oompolicy.conf:1'
	config_bus
	assert_status 0 oompolicyctl check
	assert_status 0 oompolicyctl reload
	! oompolicyctl status | grep 'Reload failed' || fail "still failed"
}

# Names are data: nothing of them reaches a terminal as it is.
test_hostile_names()
{
	local comm=$'e\nX=1\e%n\xff' name=$'evil\e[31m\xff%n%s' out words
	LIST_SINCE=$(date '+%Y-%m-%d %H:%M:%S')
	overrun work "$name" "$comm"
	wait_for 20 "the record" listed
	for out in "list -n 1" "info" "info --json=pretty" "tree --all" "tree --all --json=short" \
		"list --json=short"; do
		IFS=' ' read -r -a words <<<"$out"
		out=$(oompolicyctl "${words[@]}") || fail "'${words[*]}' fails"
		[[ $out != *[^[:print:][:space:]]* ]] || fail "'${words[*]}' prints bytes as they are: ${out@Q}"
	done
	assert_match "the victim" "$(oompolicyctl info)" $'\n      Victim: e\\\\nX=1\\\\x1b%n\\\\xff \(pid '
	assert_match "the tree" "$(oompolicyctl tree --all "/bus/work/$name")" \
		'/bus/work/evil\\x1b\[31m\\xff%n%s'
	assert_status 0 oompolicyctl explain "/bus/work/$name"
	assert_match "the explanation" "$OUTPUT" '^/bus/work/evil\\x1b\[31m\\xff%n%s'
	rmdir "$ROOT/work/$name"
}

# Somebody else takes a policy out of the kernel, again and again.
test_detached()
{
	signals_begin
	policy_detach_for_good other
	wait_for 10 "the signal" signal_has '"Policies"' '"other",[^]]*false'
	signals_end
	assert_status 1 oompolicyctl status
	assert_match "the first line" "${OUTPUT%%$'\n'*}" 'NOT all policies'
	assert_match "the policy" "$(grep '^other' <<<"$OUTPUT")" ' DETACHED$'
	journal_wait 10 "the warning" "MESSAGE_ID=$MESSAGE_ID_POLICY_DETACHED" OOMPOLICY_POLICY=other
	assert_match "the others" "$(oompolicyctl metrics)" 'policy_attached\{policy="default"\} 1'
	assert_match "this one" "$(oompolicyctl metrics)" 'policy_attached\{policy="other"\} 0'
	systemctl restart "$UNIT"
	wait_for 20 "the daemon on the bus, with all policies" daemon_is_on_bus
}

daemon_is_on_bus()
{
	oompolicyctl status
}

# The bus is no condition for anything, and is found again when it comes back.
test_bus_restart()
{
	local pid
	pid=$(daemon_pid)
	systemctl stop dbus.socket dbus.service
	LIST_SINCE=$(date '+%Y-%m-%d %H:%M:%S')
	sleep 1
	assert_status 69 oompolicyctl status
	assert_match "the sentence" "$OUTPUT" 'system bus: .*systemctl status dbus.socket'
	overrun work low
	wait_for 20 "the record without a bus" listed
	systemctl start dbus.socket dbus.service
	wait_for 20 "the daemon to come back to the bus" daemon_is_on_bus
	assert_eq "the daemon" "$(daemon_pid)" "$pid"

	systemctl stop dbus.socket dbus.service
	systemctl restart "$UNIT"
	wait_for 20 "the daemon to start without a bus" systemctl is-active "$UNIT"
	systemctl start dbus.socket dbus.service
	wait_for 20 "the daemon to find the bus" daemon_is_on_bus
}

# Asking does not start what was stopped, nor what is disabled; enabled, the bus starts it.
test_activation()
{
	daemon_stop
	assert_status 69 oompolicyctl status
	assert_match "the sentence" "$OUTPUT" 'not running.*systemctl status oompolicyd'
	assert_eq "the daemon" "$(systemctl show -P ActiveState "$UNIT")" inactive
	systemctl enable -q "$UNIT"
	busctl get-property org.oompolicyd1 /org/oompolicyd1 org.oompolicyd1.Manager Version
	assert_eq "the daemon, enabled" "$(systemctl show -P ActiveState "$UNIT")" active
	systemctl disable -q "$UNIT"
	daemon_stop
	! busctl get-property org.oompolicyd1 /org/oompolicyd1 org.oompolicyd1.Manager Version \
		2>/dev/null || fail "the bus starts a unit that is disabled"
	daemon_start
}

# at_terminal COMMAND: what a terminal gets of it.
at_terminal()
{
	TERM=xterm script -qec "$1" /dev/null
}

# What only a terminal gets: colours, the pager, a question.
test_terminal()
{
	local escape=$'\e[' tree='oompolicyctl tree --all --no-legend /bus/work' pager=/run/pager low
	[[ $(PAGER='' at_terminal "$tree") == *"$escape"* ]] || fail "there are no colours"
	[[ $(NO_COLOR=1 PAGER='' at_terminal "$tree") != *"$escape"* ]] || fail "NO_COLOR has no effect"
	[[ $($tree) != *"$escape"* ]] || fail "colours in a pipe"

	printf '#!/bin/sh\necho paged\nexec cat\n' >$pager
	chmod 755 $pager
	assert_match "by the pager" "$(PAGER=$pager at_terminal "$tree")" '^paged.*/bus/work'
	[[ $(PAGER=$pager at_terminal "$tree --no-pager") != *paged* ]] || fail "--no-pager has no effect"
	[[ $(PAGER=$pager $tree) != *paged* ]] || fail "a pager in a pipe"
	assert_match "by a pager that is not there" "$(PAGER=/none at_terminal "$tree")" '/bus/work'
	assert_status 1 sh -c 'oompolicyctl tree >/dev/full'
	assert_match "the sentence" "$OUTPUT" 'No space left on device'

	spawn "$ROOT/work/low" sleep 60
	low=$SPAWNED
	assert_status 1 at_terminal 'oompolicyctl declare /bus/work' <<<n
	assert_match "the question" "$OUTPUT" 'Declare an OOM of /bus/work\?.*Nothing was declared'
	! is_gone "$low" || fail "killed though the answer was no"
	assert_status 0 at_terminal 'oompolicyctl declare /bus/work' <<<y
	assert_match "the outcome" "$OUTPUT" "\(pid $low,"
	wait_for 20 "it to die" is_gone "$low"
}

# complete WORD...: what bash would offer for the last.
complete_words()
{
	COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
	_oompolicyctl || :
	printf '%s\n' "${COMPREPLY[@]}" | sort | paste -sd' '
}

# The completion as installed, of cgroups and records that are there.
test_completion()
{
	local id
	# shellcheck source=/dev/null
	. /usr/share/bash-completion/completions/oompolicyctl
	assert_eq "commands" "$(complete_words oompolicyctl re)" reload
	assert_eq "cgroups" "$(complete_words oompolicyctl tree /bus/)" "/bus/other /bus/work"
	assert_eq "below" "$(complete_words oompolicyctl explain --json=short /bus/work/l)" /bus/work/low
	mkdir -p "$ROOT/work/an odd\$(name"
	assert_eq "odd names" "$(complete_words oompolicyctl rank "/bus/work/an")" "/bus/work/an odd\$(name"
	rmdir "$ROOT/work/an odd\$(name"
	assert_eq "policies" "$(complete_words oompolicyctl list --policy = o)" "oompolicyd other"
	id=$(oompolicyctl list --no-legend -n 1 | cut -d' ' -f1)
	assert_eq "records" "$(complete_words oompolicyctl info "$id")" "$id"
}

private_kib()
{
	awk '/^Private_/ { sum += $2 } END { print sum }' "/proc/$1/smaps_rollup"
}

# The bus costs little memory, and none for those who ask often.
test_memory()
{
	local pid before after
	pid=$(daemon_pid)
	sleep 2
	before=$(private_kib "$pid")
	for _ in {1..50}; do
		oompolicyctl tree --json=short --all >/dev/null
	done
	after=$(private_kib "$pid")
	figure private_memory_on_bus "$before" KiB
	figure private_memory_after_50_trees "$after" KiB
	((before <= 4096)) || fail "$before KiB of its own are over 4 MiB"
	((after <= before + 512)) || fail "asking for the tree 50 times made $before KiB $after KiB"
}

plan 18
polkit_hide
mkdir -p "$ROOT"/{work/{low,high,safe,plain},other}
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo +memory >"$ROOT/cgroup.subtree_control"
echo +memory >"$ROOT/work/cgroup.subtree_control"
config_bus
daemon_start
run_test status test_status
run_test module test_module
run_test hooks test_hooks
run_test tree test_tree
run_test explain test_explain
run_test record test_record
run_test follow test_follow
run_test unprivileged test_unprivileged
run_test polkit test_polkit
run_test declare test_declare
run_test terminal test_terminal
run_test reload test_reload
run_test hostile_names test_hostile_names
run_test completion test_completion
run_test memory test_memory
run_test detached test_detached
run_test bus_restart test_bus_restart
run_test activation test_activation
