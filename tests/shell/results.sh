#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The counting of results: what must not pass as success.
# shellcheck disable=SC2030,SC2031 # each count is in a subshell of its own
set -euo pipefail
lib=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../tools/lib" && pwd)/results.sh
file=$(mktemp)
trap 'rm -f "$file"' EXIT

# count CI STATUS PATTERN TEXT: prints "passed failed skipped end-status".
count()
(
	# shellcheck source=tools/lib/results.sh
	. "$lib"
	CI=$1
	printf '%s' "$4" >"$file"
	results_count group "$2" "$file" "$3" >/dev/null
	end=0
	results_end >/dev/null || end=$?
	printf '%d %d %d %d\n' "$PASSED" "$FAILED" "$SKIPPED" "$end"
)

# expect NAME RESULT CI STATUS PATTERN TEXT
expect()
{
	local seen
	seen=$(count "$3" "$4" "$5" "$6")
	if [[ $seen == "$2" ]]; then
		echo "ok $1"
	else
		echo "not ok $1: counted '$seen', expected '$2'"
	fi
}

n=$'\n'
expect one_passed '1 0 0 0' '' 0 '' "plan 1${n}ok a$n"
expect no_final_newline '2 0 0 0' '' 0 '' "ok a${n}ok b"
expect log_is_no_test '1 0 0 0' '' 0 '' "okay${n}# ok${n} not ok${n}ok a$n"
expect one_failed '1 1 0 1' '' 1 '' "ok a${n}not ok b: why: because$n"
expect failed_with_status_0 '0 1 0 1' '' 0 '' "not ok b: why$n"
expect one_skipped '1 0 1 0' '' 0 '' "ok a${n}skip b: no such kernel$n"
expect only_skipped '0 0 1 1' '' 0 '' "skip b: no such kernel$n"
expect skipped_on_ci '1 1 0 1' true 0 '' "ok a${n}skip b: no such kernel$n"
expect silent '0 1 0 1' '' 0 '' ''
expect died '1 1 0 1' '' 139 '' "ok a$n"
expect time_up '1 1 0 1' '' 124 '' "ok a$n"
expect plan_short '1 1 0 1' '' 0 '' "plan 2${n}ok a$n"
expect plan_over '2 1 0 1' '' 0 '' "plan 1${n}ok a${n}ok b$n"
expect plan_zero '0 1 0 1' '' 0 '' "plan 0$n"
expect pattern '1 0 0 0' '' 0 'b$' "plan 2${n}ok a${n}ok b$n"
expect pattern_on_group '1 0 0 0' '' 0 '^group/a' "ok a${n}ok b$n"
expect pattern_nothing '0 0 0 1' '' 0 'zzz' "ok a$n"
expect pattern_spares_a_failure '1 0 0 0' '' 0 'a' "ok a${n}not ok b: why$n"
expect pattern_and_died_before '0 1 0 1' '' 125 'b$' "plan 3$n"
expect pattern_and_died_elsewhere '0 0 0 1' '' 1 'zzz' "ok a$n"
expect unit_style_failure '0 1 0 1' '' 1 'group/name$' "not ok name test.c:12: x is 1$n"

# good STATUS TEXT: whether results_good() finds it so, and that it counts nothing.
good()
(
	# shellcheck source=tools/lib/results.sh
	. "$lib"
	PASSED=5 FAILED=1 SKIPPED=2
	printf '%s' "$2" >"$file"
	if results_good group "$1" "$file" ''; then echo "good $PASSED $FAILED $SKIPPED"; else echo "bad $PASSED $FAILED $SKIPPED"; fi
)

# unstable N: the last lines with so many unstable groups, and the status.
unstable()
(
	# shellcheck source=tools/lib/results.sh
	. "$lib"
	local i end=0
	PASSED=9
	for ((i = 1; i <= $1; i++)); do
		result_unstable "g$i" "failed once" >/dev/null
	done
	results_end | paste -sd'|'
	results_end >/dev/null || end=$?
	echo "$end"
)

# is NAME EXPECTED COMMAND...
is()
{
	local name=$1 expected=$2 seen
	shift 2
	seen=$("$@" | paste -sd' ')
	if [[ $seen == "$expected" ]]; then
		echo "ok $name"
	else
		echo "not ok $name: '$seen', expected '$expected'"
	fi
}

is good_counts_nothing 'good 5 1 2' good 0 "ok a${n}ok b$n"
is bad_counts_nothing 'bad 5 1 2' good 0 "ok a${n}not ok b: why$n"
is bad_by_status 'bad 5 1 2' good 124 "ok a$n"
is none_unstable '9 passed, 0 failed, 0 skipped 0' unstable 0
is two_unstable 'unstable: g1 g2|9 passed, 0 failed, 0 skipped 0' unstable 2
is three_unstable 'unstable: g1 g2 g3|9 passed, 1 failed, 0 skipped 1' unstable 3
is four_unstable 'unstable: g1 g2 g3 g4|9 passed, 1 failed, 0 skipped 1' unstable 4
