# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # the constants are for those who source this
#
# For guest scripts: `. lib.sh` comes first. A script says how many tests it holds and runs them:
#
#     plan 2
#     run_test flat test_flat
#     run_test nested test_nested
#
# A test is a function. It runs in a subshell with `set -e`, fails with the first command that
# fails, or says why with fail(), and is reported as one line `ok NAME` or `not ok NAME: reason`.
# Nothing here waits without a bound.
set -euo pipefail

# A script whose tests were all run still fails when one of them did.
TESTS_FAILED=0
trap 'status=$?; ((status > 0)) || exit "$TESTS_FAILED"' EXIT

readonly REASON_FILE=/run/test-reason
readonly CONFIG=/etc/oompolicy.conf

# The ids of journal entries, MESSAGE_ID_KILL and so on, as the daemon has them: api/messages.h.
while read -r _ name id; do
	declare -r "$name=${id//\"/}"
done < <(grep '^#define MESSAGE_ID_' messages.h)

plan()
{
	printf 'plan %d\n' "$1"
}

fail()
{
	printf 'failed: %s\n' "$*" >&2
	printf '%s\n' "$*" >"$REASON_FILE"
	exit 1
}

skip()
{
	printf '%s\n' "$*" >"$REASON_FILE"
	exit 77
}

# Says on standard error what is being looked at when a command fails that no assert covers.
trap_report()
{
	[[ -s $REASON_FILE ]] || printf "line %s: '%s' failed\n" "$1" "$2" >"$REASON_FILE"
}

# Does the module behave as a kernel with the posted series would, see tests/vm/posted?
is_posted()
{
	grep -q -w vm.module=posted /proc/cmdline
}

run_test()
{
	local name=$1 status=0 reason
	shift
	if [[ -n ${OOMPOLICYD_TEST_PATTERN:-} && ! $TEST_GROUP/$name =~ $OOMPOLICYD_TEST_PATTERN ]]; then
		return
	fi
	: >"$REASON_FILE"
	log_mark
	set +e
	(
		set -eE
		trap 'trap_report "$LINENO" "$BASH_COMMAND"' ERR
		"$@"
	)
	status=$?
	set -e
	reason=$(head -n 1 "$REASON_FILE")
	case $status in
	0) printf 'ok %s\n' "$name" ;;
	77) printf 'skip %s: %s\n' "$name" "$reason" ;;
	*)
		TESTS_FAILED=1
		printf -- '--- journal since the test %s began\n' "$name"
		journalctl -q --no-pager -o short-monotonic --since="$LOG_SINCE" | tail -n 100
		printf -- '---\nnot ok %s: %s\n' "$name" "${reason:-status $status}"
		;;
	esac
}

# figure NAME VALUE UNIT: a measured cost, which the host shows and collects.
figure()
{
	printf 'figure %s %s %s\n' "$1" "$2" "$3"
}

assert_eq()
{
	[[ $2 == "$3" ]] || fail "$1 is '$2', expected '$3'"
}

assert_match()
{
	[[ $2 =~ $3 ]] || fail "$1 is '$2', which does not match '$3'"
}

# assert_status EXPECTED COMMAND...: leaves what the command wrote in OUTPUT.
assert_status()
{
	local expected=$1 status=0
	shift
	OUTPUT=$("$@" 2>&1) || status=$?
	[[ $status -eq $expected ]] || fail "'$*' ended with $status, expected $expected: ${OUTPUT//$'\n'/ | }"
}

# wait_for SECONDS WHAT COMMAND...: polls until the command succeeds.
wait_for()
{
	local seconds=$1 what=$2 end
	shift 2
	end=$((SECONDS + seconds + 1))
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || fail "waited $seconds s for $what"
		sleep 0.1
	done
}

# --- the journal

# Everything below looks at entries after this point only. A time, as --after-cursor= of systemd
# 252 loses the first entry where the cursor's own does not match the filter.
log_mark()
{
	journalctl --sync
	LOG_SINCE=@$(date +%s.%6N)
}

# journal_has MATCH...
journal_has()
{
	[[ -n $(journalctl -q -o cat -n 1 --since="$LOG_SINCE" "$@") ]]
}

# journal_wait SECONDS WHAT MATCH...
journal_wait()
{
	local seconds=$1 what=$2
	shift 2
	wait_for "$seconds" "$what in the journal" journal_has "$@"
}

# journal_field FIELD MATCH...: of the newest entry that matches.
journal_field()
{
	local field=$1
	shift
	journalctl -q -o cat --output-fields="$field" -n 1 --since="$LOG_SINCE" "$@"
}

# kernel_has REGEX: the kernel said so since the last log_mark.
kernel_has()
{
	journalctl -q -k -o cat --since="$LOG_SINCE" | grep -q -E -e "$1"
}

# reports_settle: the kernel leaves reports of OOMs out beyond ten in five seconds. Returns when the next
# four will be said.
reports_settle()
{
	local recent
	recent=$(dmesg | awk -v now="$(cut -d' ' -f1 /proc/uptime)" '
		/ invoked oom-killer: / { sub(/^\[ */, ""); recent += ($1 + 0 > now - 5) }
		END { print recent + 0 }')
	((recent <= 6)) || sleep 5
}

# --- the daemon

# config_write: standard input becomes the configuration.
config_write()
{
	cat >"$CONFIG.new"
	chmod 644 "$CONFIG.new"
	mv "$CONFIG.new" "$CONFIG"
}

daemon_start()
{
	systemctl start oompolicyd.service || fail "the daemon does not start: $(daemon_status)"
}

daemon_stop()
{
	systemctl stop oompolicyd.service
}

daemon_status()
{
	systemctl show -p ActiveState -p Result -p ExecMainStatus -p StatusText oompolicyd.service | paste -sd' '
}

daemon_pid()
{
	systemctl show -P MainPID oompolicyd.service
}

# policy_link POLICY: the id of the link by which the kernel has it; fails where it has none.
policy_link()
{
	# It fails where any is detached.
	{ oompolicyctl status || :; } | awk -v name="$1" '
		$1 == name && $NF == "attached" { print $(NF - 2); found = 1 }
		END { exit !found }'
}

# policy_detach POLICY
policy_detach()
{
	wait_for 20 "'$1' to be attached" policy_link "$1"
	bpftool link detach id "$(policy_link "$1")"
}

# policy_detach_for_good POLICY: more often than the daemon puts up with, see daemon/guard.h. Twice as
# often if need be, as it counts within a minute.
policy_detach_for_good()
{
	local i
	for ((i = 0; i < 12; i++)); do
		wait_for 20 "'$1' to be attached, or given up" policy_is_settled "$1"
		! policy_is_given_up || return 0
		bpftool link detach id "$(policy_link "$1")"
	done
	fail "the daemon does not give up"
}

policy_is_settled()
{
	policy_link "$1" || policy_is_given_up
}

policy_is_given_up()
{
	{ oompolicyctl status || :; } | grep -q 'Warning: Another program goes on detaching policies: '
}

# --- processes

# spawn CGROUP COMMAND...: there from its first instruction on. Its process is in SPAWNED.
spawn()
{
	local cgroup=$1
	shift
	(
		echo "$BASHPID" >"$cgroup/cgroup.procs"
		exec "$@"
	) &
	SPAWNED=$!
}

is_gone()
{
	! kill -0 "$1"
}

# So many since the machine was booted.
oom_kills()
{
	sed -n 's/^oom_kill //p' /proc/vmstat
}

# --- workloads: a slice with one limit, services in it

# workload_slice NAME LIMIT
workload_slice()
{
	mkdir -p /run/systemd/system
	printf '[Slice]\nMemoryMax=%s\nMemorySwapMax=0\n' "$2" >"/run/systemd/system/$1.slice"
	systemctl daemon-reload
}

# workload_start UNIT SLICE SIZE...: returns once the first SIZE is filled. With more than one SIZE it
# is one that grows.
workload_start()
{
	local unit=$1 slice=$2
	shift 2
	rm -f "/run/hog-$unit"
	systemctl reset-failed "$unit.service" 2>/dev/null || :
	systemd-run -q --unit="$unit" --slice="$slice.slice" \
		/usr/lib/oompolicyd-tests/memhog "/run/hog-$unit" "$@"
	wait_for 20 "$unit to fill its memory" test -e "/run/hog-$unit"
}

workload_grow()
{
	systemctl kill -s USR1 "$1.service"
}

workload_state()
{
	systemctl show -P ActiveState "$1.service"
}

workload_is()
{
	[[ $(workload_state "$1") == "$2" ]]
}

workload_filled()
{
	cat "/run/hog-$1"
}

# workload_overrun: runs a small and a large service over the limit of their slice, the large one
# growing, and leaves the name of the one that died, "small" or "large", in VICTIM.
workload_overrun()
{
	local dead=()
	workload_slice overrun 96M
	workload_start small overrun 16M
	workload_start large overrun 70M 18M
	workload_grow large
	wait_for 20 "a workload to die" workload_overrun_done
	workload_is small active || dead+=(small)
	workload_is large active || dead+=(large)
	VICTIM=${dead[*]}
	systemctl stop small.service large.service 2>/dev/null || :
	systemctl reset-failed small.service large.service 2>/dev/null || :
}

workload_overrun_done()
{
	! workload_is small active || ! workload_is large active
}
