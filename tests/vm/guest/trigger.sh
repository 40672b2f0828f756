# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=300 extra=bookworm,sid
#
# OOMs that are declared: by triggers when there is pressure, and by the administrator; with the
# daemon in the unit as shipped.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh

readonly UNIT=oompolicyd.service
readonly ROOT=/sys/fs/cgroup/trig
readonly MIB=$((1 << 20))

# config_triggers NAME...: a trigger for each of these cgroups, named by it or with more after a
# dash. The window takes CAP_SYS_RESOURCE, and is longer than what is left of the pressure after a
# kill: a process that is throttled sleeps for up to two seconds more.
config_triggers()
{
	local name
	{
		cat <<'END'
[Policy declared]

[Rule low]
Cgroup=/trig/*/low
Priority=10

[Rule high]
Cgroup=/trig/*/high
Priority=900

[Rule safe]
Cgroup=/trig/safe/**
Protect=yes
END
		for name; do
			printf '[Trigger %s]\nCgroup=/trig/%s\nPressure=some 100ms/9s\n' "$name" "${name%%-*}"
		done
	} | config_write
}

reload_triggers()
{
	config_triggers "$@"
	assert_status 0 systemctl reload "$UNIT"
}

# domain_make NAME CHILD...: leaves its directory in DOMAIN.
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

domain_remove()
{
	local name=$1 kill
	kill=$ROOT/$name/cgroup.kill
	[[ ! -e $kill ]] || echo 1 >"$kill"
	wait_for 20 "$name to be empty" domain_try_remove "$name"
}

domain_try_remove()
{
	[[ ! -d $ROOT/$1 ]] || find "$ROOT/$1" -depth -type d -exec rmdir {} +
}

# hog NAME CGROUP SIZE...: its process is in HOG.
hog()
{
	local name=$1 cgroup=$2
	shift 2
	rm -f "/run/hog-$name"
	spawn "$cgroup" memhog "/run/hog-$name" "$@"
	HOG=$SPAWNED
	wait_for 20 "$name to fill its memory" test -e "/run/hog-$name"
}

is_alive()
{
	kill -0 "$1"
}

# hogs_make NAME: a domain with one process of the lowest priority and a larger one that can grow,
# in LOW and HIGH. There is pressure while both are there after hogs_press().
hogs_make()
{
	# What a test that failed has left.
	domain_remove "$1"
	domain_make "$1" low high
	hog "$1-low" "$DOMAIN/low" 24M
	LOW=$HOG
	hog "$1-high" "$DOMAIN/high" 26M 12M
	HIGH=$HOG
}

# The one that grows is stopped at memory.high until the other is gone.
hogs_press()
{
	echo $(($(<"$DOMAIN/memory.current") + 2 * MIB)) >"$DOMAIN/memory.high"
	kill -USR1 "$HIGH"
}

# record_field FIELD: of the newest record of a kill.
record_field()
{
	journal_field "$1" "MESSAGE_ID=$MESSAGE_ID_KILL"
}

kills_count()
{
	journalctl --sync
	journalctl -q -o cat --since="$LOG_SINCE" "MESSAGE_ID=$MESSAGE_ID_KILL" --output-fields=OOMPOLICY_SEQ | wc -l
}

daemon_says()
{
	journalctl -q -o cat --since="$LOG_SINCE" "_PID=$(daemon_pid)" | grep -q -F -e "$1"
}

# declared_by TEXT: the kernel's report and the record say so.
declared_by()
{
	journal_wait 20 "the record" "MESSAGE_ID=$MESSAGE_ID_KILL"
	kernel_has "^oom_declared=$1\$" || fail "the kernel's report does not name $1"
	assert_eq "what the record says" "$(record_field OOMPOLICY_DECLARED)" "$1"
	assert_eq "who declared it" "$(record_field OOMPOLICY_TRIGGER_PID)" "$(daemon_pid)"
}

test_unit_sandbox()
{
	LOG_SINCE=$STARTED
	assert_eq "the daemon's seccomp mode" "$(sed -n 's/^Seccomp:\t//p' "/proc/$(daemon_pid)/status")" 2
	wait_for 10 "the trigger to be armed" daemon_says "[Trigger first] is armed: /trig/first."
	wait_for 10 "the other to wait" daemon_says "[Trigger late] waits for /trig/late."
}

# The lowest priority dies, and the larger one that made the pressure lives and gets its memory.
test_fires()
{
	hogs_make first
	hogs_press
	wait_for 20 "the low one to die" is_gone "$LOW"
	wait_for 20 "the high one to go on" hog_filled first-high $((38 * MIB))
	declared_by first
	assert_eq "the victim" "$(record_field OOMPOLICY_VICTIM_PID)" "$LOW"
	assert_eq "the domain" "$(record_field OOMPOLICY_DOMAIN)" /trig/first
	assert_eq "the policy" "$(record_field OOMPOLICY_POLICY)" declared
	assert_eq "the kills" "$(kills_count)" 1
	is_alive "$HIGH" || fail "the high one is dead"
	domain_remove first
}

hog_filled()
{
	[[ $(cat "/run/hog-$1") == "$2" ]]
}

# A cgroup that is made while the daemon runs, is removed, and is made again.
test_cgroup_comes_and_goes()
{
	local round
	for round in 1 2; do
		log_mark
		hogs_make late
		wait_for 10 "the trigger to be armed" daemon_says "[Trigger late] is armed: /trig/late is there."
		hogs_press
		wait_for 20 "the low one to die in round $round" is_gone "$LOW"
		declared_by late
		domain_remove late
		wait_for 10 "the trigger to wait" daemon_says "[Trigger late] waits for /trig/late, which is gone."
	done
}

# A reload takes one trigger away and adds another.
test_reload()
{
	domain_make first low high
	domain_make third low high
	domain_make fourth low high
	reload_triggers third
	wait_for 10 "the new trigger to be armed" daemon_says "[Trigger third] is armed: /trig/third."
	hogs_make third
	hogs_press
	wait_for 20 "the low one to die" is_gone "$LOW"
	declared_by third
	domain_remove third

	log_mark
	hogs_make first
	hogs_press
	sleep 4
	is_alive "$LOW" || fail "the trigger that was removed has fired"
	assert_eq "the kills" "$(kills_count)" 0
	domain_remove first
}

# What cannot be armed leaves the triggers as they were.
test_reload_refused()
{
	domain_make fourth low high
	reload_triggers fourth
	domain_make fifth
	echo 0 >"$ROOT/fifth/cgroup.pressure"
	config_triggers fifth
	assert_status 1 systemctl reload "$UNIT"
	wait_for 10 "the reason" daemon_says "the running policy stays: Cannot watch the pressure of /trig/fifth"
	hogs_make fourth
	hogs_press
	wait_for 20 "the low one to die" is_gone "$LOW"
	declared_by fourth
	domain_remove fourth
	domain_remove fifth
}

# Two triggers fire at once, and the victim of the first keeps its memory for a while: the second
# one waits for it too.
test_dying_victim()
{
	local tracer
	domain_make sixth low high
	reload_triggers sixth-a sixth-b
	hogs_make sixth
	rm -f /run/linger
	linger "$LOW" /run/linger &
	tracer=$!
	wait_for 20 "the low one to be held" test -e /run/linger
	hogs_press
	wait_for 20 "the second trigger" daemon_says "fired, but nothing was killed. Nobody else was killed: "
	wait_for 20 "the high one to go on" hog_filled sixth-high $((38 * MIB))
	kill "$tracer"
	wait_for 20 "the low one to die" is_gone "$LOW"
	assert_eq "the kills" "$(kills_count)" 1
	assert_eq "the victim" "$(record_field OOMPOLICY_VICTIM_PID)" "$LOW"
	is_alive "$HIGH" || fail "the high one is dead"
	domain_remove sixth
}

# The system's own pressure: a trigger on / is armed, and declares an OOM of the system.
test_system_trigger()
{
	domain_make seventh low high
	config_write <<'END'
[Policy declared]

[Rule low]
Cgroup=/trig/*/low
Priority=10

[Rule rest]
Cgroup=/
Priority=900

[Trigger all]
Cgroup=/
Pressure=some 200ms/9s
END
	assert_status 0 systemctl reload "$UNIT"
	wait_for 10 "the trigger to be armed" daemon_says "[Trigger all] is armed: /."
	hogs_make seventh
	hogs_press
	wait_for 20 "the low one to die" is_gone "$LOW"
	declared_by all
	assert_eq "the domain's type" "$(record_field OOMPOLICY_DOMAIN_TYPE)" system
	reload_triggers
	domain_remove seventh
}

# --- by hand

test_declare_memcg()
{
	hogs_make hand
	assert_status 0 oompolicyd --declare=/trig/hand
	assert_eq "what it says" "$OUTPUT" "Killed memhog (pid $LOW, /trig/hand/low)."
	wait_for 20 "the low one to die" is_gone "$LOW"
	is_alive "$HIGH" || fail "the high one is dead"
	declared_by --declare
	domain_remove hand
}

test_declare_system()
{
	hogs_make hand
	assert_status 0 oompolicyd --declare=/
	assert_eq "what it says" "$OUTPUT" "Killed memhog (pid $LOW, /trig/hand/low)."
	declared_by --declare
	assert_eq "the domain's type" "$(record_field OOMPOLICY_DOMAIN_TYPE)" system
	is_alive "$HIGH" || fail "the high one is dead"
	domain_remove hand
}

test_declare_refused()
{
	domain_make hand low
	mkdir -p /sys/fs/cgroup/bare
	assert_status 1 oompolicyd --declare=/trig/nothing
	assert_eq "what it says of no cgroup" "$OUTPUT" "There is no such cgroup."
	assert_status 1 oompolicyd --declare=trig
	assert_match "what it says of a bad path" "$OUTPUT" '^Expected the path of a cgroup'
	assert_status 1 oompolicyd --declare=/trig/../trig
	assert_match "what it says of a bad path" "$OUTPUT" '^Expected the path of a cgroup'
	assert_status 1 oompolicyd --declare=/trig/hand
	assert_match "what it says of an empty cgroup" "$OUTPUT" '^Nobody was killed: '
	mkdir -p "$ROOT/bare/below"
	assert_status 1 oompolicyd --declare=/trig/bare/below
	assert_match "what it says without the controller" "$OUTPUT" '^The cgroup has no memory controller'
	assert_status 64 oompolicyd --declare=/ --reload
	assert_eq "the kills" "$(kills_count)" 0
	domain_remove hand
	domain_remove bare
}

# storm_ends PROCESS
storm_ends()
{
	kill "$1" 2>/dev/null || :
	wait "$1" || :
}

# Another OOM is being handled: nothing is declared, and the daemon does not wait for it.
test_declare_busy()
{
	local storm i said=''
	domain_make storm low high other
	domain_make hand low
	nice -n 19 oomstorm duel "$ROOT/storm" "$ROOT"/storm/{low,high,other} 100000 >/run/duel &
	storm=$!
	trap 'storm_ends "$storm"' EXIT
	wait_for 20 "the first OOM" test -s /run/duel
	for ((i = 0; i < 300; i++)); do
		said=$(oompolicyd --declare=/trig/hand 2>&1) && fail "somebody was killed in an empty cgroup: $said"
		[[ $said != "Another OOM is being handled"* ]] || break
	done
	storm_ends "$storm"
	trap - EXIT
	assert_match "what it says" "$said" '^Another OOM is being handled'
	printf 'busy in attempt %d\n' $((i + 1))
	domain_remove storm
	domain_remove hand
}

test_declare_unprivileged()
{
	hogs_make hand
	assert_status 1 setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all \
		oompolicyd --declare=/trig/hand
	assert_match "what it says" "$OUTPUT" 'Permission denied'
	is_alive "$LOW" || fail "somebody was killed"
	assert_eq "the kills" "$(kills_count)" 0
	domain_remove hand
}

test_declare_without_daemon()
{
	daemon_stop
	assert_status 1 oompolicyd --declare=/trig/hand
	assert_match "what it says" "$OUTPUT" '^No oompolicyd answers'
	daemon_start
}

# As long as there is no pressure nothing wakes the daemon.
test_idle()
{
	local pid before after
	domain_make eighth low
	reload_triggers eighth
	hog eighth "$DOMAIN/low" 8M
	pid=$(daemon_pid)
	sleep 8 # status, and policies of the configuration before
	before=$(awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$pid/status")
	sleep 10
	after=$(awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$pid/status")
	((after - before <= 1)) || fail "woken up $((after - before)) times"
	domain_remove eighth
}

plan 14
mkdir -p $ROOT
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo +memory >$ROOT/cgroup.subtree_control
domain_make first low high
config_triggers first late
log_mark
readonly STARTED=$LOG_SINCE
daemon_start
run_test unit_sandbox test_unit_sandbox
run_test fires test_fires
run_test cgroup_comes_and_goes test_cgroup_comes_and_goes
run_test reload test_reload
run_test reload_refused test_reload_refused
run_test dying_victim test_dying_victim
run_test system_trigger test_system_trigger
run_test declare_memcg test_declare_memcg
run_test declare_system test_declare_system
run_test declare_refused test_declare_refused
run_test declare_busy test_declare_busy
run_test declare_unprivileged test_declare_unprivileged
run_test idle test_idle
run_test declare_without_daemon test_declare_without_daemon
