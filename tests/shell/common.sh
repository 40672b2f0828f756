#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Children of a shell: each is waited for once, with its status, however soon it ends.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

ended()
{
	exit "$1"
}

# In order of their names, as all have ended when the first is waited for.
children_wait()
{
	local seen=()
	while ((${#CHILDREN[@]} > 0)); do
		child_wait
		seen+=("$CHILD=$ATTEMPT")
	done
	printf '%s\n' "${seen[@]}" | sort | paste -sd' '
}

ended_before()
{
	child_start a ended 3
	child_start b ended 0
	child_start c ended 69
	sleep 0.5
	children_wait
}

one_runs_still()
{
	child_start a ended 4
	child_start b sleep 1
	sleep 0.3
	children_wait
}

sleeps()
{
	sleep 0.5
	exit "$1"
}

end_together()
{
	child_start a sleeps 6
	child_start b sleeps 7
	child_start c sleeps 8
	children_wait
}

# What waits in between makes the shell take note of those that have ended.
others_are_waited_for()
{
	child_start a ended 5
	sleep 0.3 &
	wait $!
	sleep 0.2 &
	wait $! || :
	children_wait
}

signal_comes_in()
{
	trap : USR1
	child_start a sleep 1
	(
		sleep 0.3
		kill -USR1 "$$"
	) &
	children_wait
}

attempts()
{
	local i
	for i in 0 1 7; do
		attempt ended "$i"
		printf '%s ' "$ATTEMPT"
	done
}

# One that runs aside is nobody else's.
aside()
{
	child_aside ended 9
	child_start a ended 3
	sleep 0.3
	children_wait
	attempt ended 4
	printf 'attempt=%s ' "$ATTEMPT"
	aside_wait
	printf 'aside=%s ' "$ATTEMPT"
	aside_wait
	printf 'none=%s\n' "$ATTEMPT"
}

aside_is_ended()
{
	local pid
	child_aside sleep 20
	pid=$ASIDE
	SECONDS=0
	child_end
	if kill -0 "$pid" 2>/dev/null; then
		echo "it runs still"
	else
		printf 'ended%s after %s s\n' "$ASIDE" "$SECONDS"
	fi
}

# A signal is seen while another has the lock.
signal_while_locked()
{
	local lock=$work/lock
	(
		exec 9>"$lock"
		flock 9
		sleep 4
	) >/dev/null &
	sleep 0.3
	trap 'printf "after %s s\n" "$SECONDS"; exit' USR1
	(
		sleep 0.3
		kill -USR1 "$$"
	) >/dev/null &
	SECONDS=0
	with_lock "$lock" true 2>/dev/null
	echo "not before it had the lock"
}

# As a program of its own: a subshell has no job control.
if (($# > 0)); then
	"$@"
	exit
fi
for test in ended_before one_runs_still end_together others_are_waited_for signal_comes_in attempts aside aside_is_ended signal_while_locked; do
	case $test in
	ended_before) expected='a=3 b=0 c=69' ;;
	one_runs_still) expected='a=4 b=0' ;;
	end_together) expected='a=6 b=7 c=8' ;;
	others_are_waited_for) expected='a=5' ;;
	signal_comes_in) expected='a=0' ;;
	attempts) expected='0 1 7 ' ;;
	aside) expected='a=3 attempt=4 aside=9 none=0' ;;
	aside_is_ended) expected='ended after [01] s' ;;
	signal_while_locked) expected='after [01] s' ;;
	esac
	expect_output "$test" "$expected" "${BASH_SOURCE[0]}" "$test"
	case $test in
	signal* | aside_is_ended) ;;
	*) expect_output "${test}_in_a_subshell" "$expected" "$test" ;;
	esac
done
