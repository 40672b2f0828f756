#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The counting of results: what must not pass as success.
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
expect unit_style_failure '0 1 0 1' '' 1 'group/name$' "not ok name test.c:12: x is 1$n"
