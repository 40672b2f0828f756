# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=500 extra=bookworm
#
# `oompolicyctl rank` against what happens: OOM after OOM, processes die in the order that it said
# before the first, with whom it said, and nobody dies of asking. The random tables ask before each of
# their OOMs, and the demo does on other kernels.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh

readonly UNIT=oompolicyd.service
readonly ROOT=/sys/fs/cgroup/rank
HOG=/usr/lib/oompolicyd-tests/memhog

# config_rank [BACKEND]
config_rank()
{
	config_write <<END
[Daemon]
Backend=${1:-auto}

[Policy default]
DefaultPriority=400

[Policy badness]
Cgroup=/rank/badness
Scope=memcg
Victim=badness

[Policy newest]
Cgroup=/rank/newest
Scope=memcg
Victim=newest

[Rule low]
Cgroup=/rank/*/low
Priority=10

[Rule pack]
Cgroup=/rank/*/pack
Priority=100
Kill=cgroup

[Rule last]
Cgroup=/rank/*/pack/last
Priority=950

[Rule high]
Cgroup=/rank/*/high
Priority=900

[Rule safe]
Cgroup=/rank/**/safe
Protect=yes
END
}

as_nobody()
{
	setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"
}

are_gone()
{
	local pid
	for pid; do
		is_gone "$pid" || return 1
	done
}

hog_filled()
{
	[[ $(cat "$1") == $(($2 << 20)) ]]
}

# hog DOMAIN/NAME MIB [COMMAND...]: one there that holds so much, run by the command. Its process is
# in SPAWNED, and its name, NAME, for failures.
hog()
{
	local cgroup=$ROOT/$1 size=$2 file
	shift 2
	mkdir -p "$cgroup"
	file=$(mktemp -u /run/hog.XXXXXX)
	spawn "$cgroup" "$@" "$HOG" "$file" "${size}M"
	wait_for 20 "a hog of $size MiB to fill its memory" hog_filled "$file" "$size"
}

# ranked DOMAIN: a line "PID NEVER WITH" a process, in their order; "-" for an empty NEVER.
ranked()
{
	oompolicyctl rank --json=short "$1" | sed 's/.*"processes":\[//; s/},{/}\n{/g' |
		sed -n 's/^{"pid":\([0-9]*\),.*"never":"\([^"]*\)","with_pid":\([0-9]*\).*/\1 \2 \3/p' |
		sed 's/  / - /'
}

outcome()
{
	oompolicyctl rank --json=short "$1" | sed -n 's/.*"outcome":"\([^"]*\)","reason":"\([^"]*\)".*/\1 \2/p'
}

# Every process of these domains, dead or alive, is of no use to the next test.
clear_domain()
{
	echo 1 >"$ROOT/$1/cgroup.kill"
	wait_for 20 "$1 to be empty" grep -q 'populated 0' "$ROOT/$1/cgroup.events"
}

# die_in_order DOMAIN: OOM after OOM in it takes whom `rank` said before, in its order. What it said
# is in RANKED.
die_in_order()
{
	local pid never with expected='' seen='' step=() left
	RANKED=$(ranked "/rank/$1")
	while read -r pid never with; do
		[[ $never == - || $with != 0 ]] || continue
		if [[ $with == 0 && -n $expected ]]; then
			expected+=$'\n'
		fi
		expected+="$pid "
	done <<<"$RANKED"
	expected+=$'\n'
	printf 'rank says:\n%s' "$expected"
	while read -r -a step && ((${#step[@]} > 0)); do
		assert_eq "what is to come" "$(outcome "/rank/$1")" "kill "
		assert_status 0 oompolicyctl declare --yes "/rank/$1"
		assert_match "the victim" "$OUTPUT" "\(pid ${step[0]},"
		wait_for 20 "${step[*]} to die" are_gone "${step[@]}"
		seen+="${step[*]} "
		left=$(ranked "/rank/$1" | awk '$2 == "-" || $3 { n++ } END { print n + 0 }')
		assert_eq "how many are left after $seen" "$left" \
			$(($(wc -w <<<"$expected") - $(wc -w <<<"$seen")))
	done <<<"$expected"
}

# Priorities first, sizes within them; a group dies at once; who is protected stays.
test_order()
{
	local low small large pack=() last high safe before spared
	hog work/high 6 && high=$SPAWNED
	hog work/plain 4 && small=$SPAWNED
	hog work/other 9 && large=$SPAWNED
	hog work/pack 3 && pack+=("$SPAWNED")
	hog work/pack/deep 5 && pack+=("$SPAWNED")
	hog work/pack/last 2 && last=$SPAWNED
	hog work/low 1 && low=$SPAWNED
	hog work/safe 20 && safe=$SPAWNED
	hog work/low 8 choom -n -1000 -- && spared=$SPAWNED

	before=$(cat "$ROOT/work"/memory.events; oompolicyctl metrics | grep -E '^oompolicyd_(ooms|kills)')
	RANKED=$(ranked /rank/work)
	for _ in {1..5}; do
		assert_eq "the same again" "$(ranked /rank/work)" "$RANKED"
	done
	assert_eq "the order" "$RANKED" "$low - 0
${pack[1]} - 0
${pack[0]} - ${pack[1]}
$last - ${pack[1]}
$large - 0
$small - 0
$high - 0
$safe protected 0
$spared oom-score-adj 0"
	assert_eq "events and counters" "$before" \
		"$(cat "$ROOT/work"/memory.events; oompolicyctl metrics | grep -E '^oompolicyd_(ooms|kills)')"
	COLUMNS=80 oompolicyctl rank /rank/work

	die_in_order work
	assert_eq "what is to come at the end" "$(outcome /rank/work)" "kernel all-protected"
	assert_match "and in words" "$(oompolicyctl rank /rank/work)" \
		'^All who may be killed are protected: the kernel would choose'
	! is_gone "$safe" || fail "the protected one is dead"
	! is_gone "$spared" || fail "the one with -1000 is dead"
	clear_domain work
	assert_eq "without anybody" "$(outcome /rank/work)" "kernel no-candidate"
}

# What Victim= counts, counts here: with a limit of 200 MiB a score of 300 is worth 60.
test_badness()
{
	local adjusted large
	echo 200M >"$ROOT/badness/memory.max"
	hog badness/a 30 && large=$SPAWNED
	hog badness/b 2 choom -n 300 -- && adjusted=$SPAWNED
	assert_eq "the order" "$(ranked /rank/badness)" "$adjusted - 0"$'\n'"$large - 0"
	echo max >"$ROOT/badness/memory.max"
	clear_domain badness
	echo 50M >"$ROOT/badness/memory.max"
	hog badness/a 30 && large=$SPAWNED
	hog badness/b 2 choom -n 300 -- && adjusted=$SPAWNED
	assert_eq "the order with a lower limit" "$(ranked /rank/badness)" "$large - 0"$'\n'"$adjusted - 0"
	die_in_order badness
}

test_newest()
{
	local first second
	hog newest/a 9 && first=$SPAWNED
	hog newest/b 1 && second=$SPAWNED
	assert_eq "the order" "$(ranked /rank/newest)" "$second - 0"$'\n'"$first - 0"
	die_in_order newest
}

# crowd CGROUP N: so many processes there; their ids, the newest first.
crowd()
{
	mkdir -p "$ROOT/$1"
	(
		echo "$BASHPID" >"$ROOT/$1/cgroup.procs"
		for ((i = 0; i < $2; i++)); do
			sleep 1000 >/dev/null &
			echo $!
		done
	) | tac
}

# Of more than can be kept the ones that die last are left out, wherever in the tree they are.
test_many()
{
	local usual last first
	usual=$(crowd newest/a 400)
	last=$(crowd newest/high 400)
	first=$(crowd newest/low 400)
	assert_eq "the number left out" \
		"$(oompolicyctl rank --json=short /rank/newest | grep -o '"left_out":[0-9]*')" '"left_out":176'
	ranked /rank/newest | cut -d' ' -f1 >/run/ranked
	head -n 1024 <<<"$first"$'\n'"$usual"$'\n'"$last" | diff - /run/ranked ||
		fail "the order is another, see above"
	clear_domain newest
}

# memory.oom.group is the kernel's, and asks no rule.
test_oom_group()
{
	local leader safe other
	mkdir -p "$ROOT/work"/group
	echo +memory >"$ROOT/work/group/cgroup.subtree_control"
	hog work/group/in 6 && leader=$SPAWNED
	hog work/group/safe 2 && safe=$SPAWNED
	hog work/plain 3 && other=$SPAWNED
	echo 1 >"$ROOT/work/group/memory.oom.group"
	assert_eq "the order" "$(ranked /rank/work)" "$leader - 0
$safe protected $leader
$other - 0"
	die_in_order work
	rmdir "$ROOT/work"/group/{in,safe} "$ROOT/work/group"
}

# A daemon that has just been started comes to the bus a little later.
daemon_restart()
{
	systemctl restart "$UNIT"
	wait_for 20 "the daemon on the bus" oompolicyctl status
}

# The same from the kernel's own selection, where Kill= has no say.
test_evaluate_task()
{
	local low high pack=()
	config_rank evaluate_task
	daemon_restart
	assert_match "the backend" "$(oompolicyctl status --json=short)" '"backend":"evaluate_task"'
	hog work/high 6 && high=$SPAWNED
	hog work/pack 3 && pack+=("$SPAWNED")
	hog work/pack 5 && pack+=("$SPAWNED")
	hog work/low 1 && low=$SPAWNED
	assert_eq "the order" "$(ranked /rank/work)" "$low - 0
${pack[1]} - 0
${pack[0]} - 0
$high - 0"
	die_in_order work
	config_rank
	daemon_restart
}

# All of the system: whom nobody kills is there, too, with the reason.
test_system()
{
	local list json
	list=$(ranked /)
	json=$(oompolicyctl rank --json=short)
	grep -x '1 init 0' <<<"$list" || fail "init is not in the list"
	grep -x "$(daemon_pid) daemon 0" <<<"$list" || fail "the daemon is not in the list"
	assert_eq "kernel threads" "$(grep -cx '2 .*' <<<"$list")" 0
	assert_eq "processes" "$(grep -o '{"pid":' <<<"$json" | wc -l)" \
		"$(grep -o '"tasks":[0-9]*' <<<"$json" | cut -d: -f2)"
	assert_eq "once they never die they never do" "$(awk '$2 != "-" && !$3 { never = 1; next }
		never { print "after" }' <<<"$list")" ""
	assert_eq "lines too wide for a terminal" "$(COLUMNS=80 oompolicyctl rank --no-legend |
		sed 's/…/-/' | awk 'length > 80')" ""
	assert_eq "some" "$(oompolicyctl rank --no-legend -n 3 | wc -l)" 3
}

# Who may not change anything may ask, and hostile names reach no terminal.
test_unprivileged()
{
	local comm=$'e\nX=1\e%n\xff' name=$'evil\e[31m\xff%n%s' out
	ln -sf "$HOG" "/run/$comm"
	HOG=/run/$comm hog "work/$name" 2
	for out in "" --json=pretty; do
		# shellcheck disable=SC2086 # an empty one is none
		out=$(as_nobody oompolicyctl rank $out /rank/work)
		[[ $out != *[^[:print:][:space:]]* ]] || fail "bytes are printed as they are: ${out@Q}"
	done
	assert_status 0 as_nobody oompolicyctl rank "/rank/work/$name"
	assert_match "the name" "$OUTPUT" 'e\\nX=1\\x1b%n\\xff'
	clear_domain work
	rmdir "$ROOT/work/$name"
}

test_failures()
{
	mkdir -p "$ROOT/work/plain/uncontrolled"
	assert_status 1 oompolicyctl rank /rank/none
	assert_match "the sentence" "$OUTPUT" 'no such cgroup'
	assert_status 1 oompolicyctl rank /rank/work/plain/uncontrolled
	assert_match "the sentence" "$OUTPUT" 'no memory controller'
	assert_status 64 oompolicyctl rank rank/work
	assert_status 64 oompolicyctl rank /rank/../work
	rmdir "$ROOT/work/plain/uncontrolled"
}

# Where the policies do not decide nothing is made up.
test_no_policy()
{
	hog newest/a 1
	policy_detach_for_good newest
	assert_eq "detached" "$(outcome /rank/newest)" "kernel detached"
	assert_eq "the list" "$(ranked /rank/newest)" ""
	config_write <<<$'[Policy newest]\nCgroup=/rank/newest\nScope=memcg'
	daemon_restart
	assert_eq "of another domain" "$(outcome /rank/work)" "kernel no-policy"
	assert_eq "of the system" "$(outcome /)" "kernel no-policy"
	assert_eq "its own" "$(outcome /rank/newest)" "kill "
	clear_domain newest
}

plan 10
mkdir -p "$ROOT/work"/{low,pack/{deep,last},high,safe,plain} "$ROOT"/{badness,newest}/{a,b}
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo +memory >"$ROOT/cgroup.subtree_control"
echo +memory >"$ROOT/work/cgroup.subtree_control"
config_rank
daemon_start
run_test order test_order
run_test badness test_badness
run_test newest test_newest
run_test many test_many
run_test oom_group test_oom_group
run_test system test_system
run_test unprivileged test_unprivileged
run_test failures test_failures
run_test evaluate_task test_evaluate_task
run_test no_policy test_no_policy
