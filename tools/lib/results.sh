# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Counts tests. The programs and scripts that hold tests say one line for each,
#     ok NAME | not ok NAME: reason | skip NAME: reason
# and may say `plan N` before; all other lines are log. Owns the totals.

PASSED=0
FAILED=0
SKIPPED=0

result_pass()
{
	PASSED=$((PASSED + 1))
}

# result_fail NAME REASON
result_fail()
{
	FAILED=$((FAILED + 1))
	printf 'FAILED %s: %s\n' "$1" "$2"
}

# result_skip NAME REASON: where nobody looks, a skip that could have run is a failure.
result_skip()
{
	if [[ ${CI:-} == true ]]; then
		result_fail "$1" "skipped, and that is not accepted here: $2"
		return
	fi
	SKIPPED=$((SKIPPED + 1))
	printf 'skipped %s: %s\n' "$1" "$2"
}

# results_count GROUP STATUS FILE PATTERN: takes the lines of FILE, which a program or machine that
# ended with STATUS has written, into the totals. A group that failed without saying which test,
# that said nothing, or that left its plan unfulfilled counts as one more failure. With a PATTERN
# only the tests "GROUP/NAME" that match it count, and the plan is not compared.
results_count()
{
	local group=$1 status=$2 file=$3 pattern=${4:-} line name reason plan='' said=0 matched=0 failed=$FAILED
	while IFS= read -r line || [[ -n $line ]]; do
		case $line in
		'ok '* | 'not ok '* | 'skip '*) ;;
		'plan '*)
			plan=${line#plan }
			continue
			;;
		*) continue ;;
		esac
		said=$((said + 1))
		name=${line#not } reason=''
		name=${name#* }
		if [[ $line == 'not ok '* && $name =~ ^([^\ ]+)\ ([^\ ]+:[0-9]+:\ .*)$ ]]; then
			# A unit test: the place comes before the reason.
			name=${BASH_REMATCH[1]} reason=${BASH_REMATCH[2]}
		elif [[ $line != 'ok '* ]]; then
			reason=${name#*: } name=${name%%: *}
		fi
		if [[ -n $pattern && ! $group/$name =~ $pattern ]]; then
			continue
		fi
		matched=$((matched + 1))
		case $line in
		ok*) result_pass ;;
		not*) result_fail "$group/$name" "$reason" ;;
		skip*) result_skip "$group/$name" "$reason" ;;
		esac
	done <"$file"

	if ((FAILED > failed)); then
		return
	fi
	if ((status == 124)); then
		result_fail "$group" "the time was up"
	elif ((status != 0)) && [[ -z $pattern || $matched -gt 0 || $said -eq 0 ]]; then
		result_fail "$group" "ended with status $status"
	elif [[ -z $pattern && -n $plan && $plan != "$said" ]]; then
		result_fail "$group" "$said of $plan planned tests were run"
	elif [[ -z $pattern ]] && ((said == 0)); then
		result_fail "$group" "said nothing about any test"
	fi
}

# results_good GROUP STATUS FILE PATTERN: would results_count() find no failure? Counts nothing.
results_good()
{
	local before="$PASSED $FAILED $SKIPPED" good=yes
	results_count "$@" >/dev/null
	[[ $before == *" $FAILED "* ]] || good=no
	read -r PASSED FAILED SKIPPED <<<"$before"
	[[ $good == yes ]]
}

# result_unstable GROUP WHY: it counts as passed. More than UNSTABLE_MAX of them are a failure.
UNSTABLE=()
UNSTABLE_MAX=2
result_unstable()
{
	UNSTABLE+=("$1")
	printf 'unstable %s: %s\n' "$1" "$2"
	((${#UNSTABLE[@]} != UNSTABLE_MAX + 1)) ||
		result_fail unstable "more than $UNSTABLE_MAX groups failed at first and passed then"
}

# results_end: the last line, and whether all is well. Nothing at all is not.
results_end()
{
	((${#UNSTABLE[@]} == 0)) || printf 'unstable: %s\n' "${UNSTABLE[*]}"
	printf '%d passed, %d failed, %d skipped\n' "$PASSED" "$FAILED" "$SKIPPED"
	((FAILED == 0 && PASSED > 0))
}
