# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=180 enabled=yes
#
# The installed tree as an administrator meets it: enabled at boot, the command line, reload, stop,
# what it says when it cannot work.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh

readonly UNIT=oompolicyd.service
readonly MESSAGE_ID_RELOAD_FAILED=a35558c7088a4c5fbbd755394708299d

# The name of the policy says which configuration is in force.
config_named()
{
	config_write <<END
[Policy $1]

[Rule small]
Unit=small.service
Priority=10
END
}

config_broken()
{
	config_write <<'END'
[Policy broken]
DefaultPriority=1001

[Rule small]
Unit=small.service
Prioritty=10
END
}

status_text()
{
	systemctl show -P StatusText "$UNIT"
}

test_enabled_at_boot()
{
	assert_eq "is-enabled" "$(systemctl is-enabled "$UNIT")" enabled
	wait_for 20 "the daemon to start at boot" systemctl is-active "$UNIT"
	assert_match "the status" "$(status_text)" "^Policy 'default' active"
}

test_unit_is_valid()
{
	assert_status 0 systemd-analyze verify --man=no "$UNIT"
	assert_eq "what systemd-analyze says" "$OUTPUT" ""
}

test_no_failed_units()
{
	assert_eq "failed units" "$(systemctl list-units --failed --plain --no-legend)" ""
}

test_command_line()
{
	assert_status 0 oompolicyd --version
	assert_match "the version" "$OUTPUT" '^oompolicyd [0-9]'
	assert_status 0 oompolicyd --help
	assert_match "the help" "$OUTPUT" '--check'
	assert_status 64 oompolicyd --no-such-option
	assert_status 64 oompolicyd one-too-many
}

test_check()
{
	assert_status 0 oompolicyd --check
	config_broken
	assert_status 78 oompolicyd --check
	# All errors, each with its place.
	assert_match "the first error" "$OUTPUT" "$CONFIG:2: "
	assert_match "the second error" "$OUTPUT" "$CONFIG:6: "
	# One file that was asked for must be there; a set without any file is the defaults.
	rm "$CONFIG"
	assert_status 78 oompolicyd --check="$CONFIG"
	assert_match "what it says" "$OUTPUT" "$CONFIG"
	assert_status 0 oompolicyd --check
}

test_reload()
{
	config_named first
	assert_status 0 systemctl reload "$UNIT"
	assert_match "the status" "$(status_text)" "^Policy 'first' active"
}

test_reload_refused()
{
	local main_pid
	main_pid=$(daemon_pid)
	config_broken
	assert_status 1 systemctl reload "$UNIT"
	journal_wait 10 "the refusal" MESSAGE_ID=$MESSAGE_ID_RELOAD_FAILED
	assert_match "the journal" "$(journal_field MESSAGE MESSAGE_ID=$MESSAGE_ID_RELOAD_FAILED)" "$CONFIG:2: "
	assert_match "the status" "$(status_text)" "^Policy 'first' active.*$CONFIG:2: "
	assert_eq "the main process" "$(daemon_pid)" "$main_pid"

	workload_overrun
	assert_eq "the victim" "$VICTIM" small
	kernel_has '^oom_policy=first$' || fail "the kernel's report has no line oom_policy=first"
}

test_sighup()
{
	config_named second
	systemctl kill --kill-whom=main -s HUP "$UNIT"
	wait_for 20 "the reload" status_has "Policy 'second' active"
	workload_overrun
	assert_eq "the victim" "$VICTIM" small
	kernel_has '^oom_policy=second$' || fail "the kernel's report has no line oom_policy=second"
}

status_has()
{
	[[ $(status_text) == *"$1"* ]]
}

test_restart()
{
	local main_pid
	main_pid=$(daemon_pid)
	assert_status 0 systemctl restart "$UNIT"
	[[ $(daemon_pid) != "$main_pid" ]] || fail "the process is still the same"
	workload_overrun
	assert_eq "the victim" "$VICTIM" small
}

# Nothing of the policy is left in the kernel.
test_stop_detaches()
{
	daemon_stop
	assert_eq "the result" "$(systemctl show -P Result "$UNIT")" success
	workload_overrun
	assert_eq "the victim" "$VICTIM" large
	! kernel_has 'oom_policy=(first|second)' || fail "the policy is still named in the report"
}

test_module_missing()
{
	modprobe -r bpf_oom
	assert_status 69 oompolicyd
	assert_match "what it says" "$OUTPUT" 'bpf_oom'
	assert_eq "the lines it says" "$(wc -l <<<"$OUTPUT")" 1
	daemon_start
	daemon_stop
}

test_unprivileged()
{
	modprobe bpf_oom
	assert_status 77 setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all oompolicyd
	assert_eq "the lines it says" "$(wc -l <<<"$OUTPUT")" 1
}

test_bad_config_at_start()
{
	config_broken
	assert_status 78 oompolicyd
	assert_match "what it says" "$OUTPUT" "$CONFIG:2: "
}

# Killed, not stopped: the policy outlives the daemon, until it is removed.
test_killed_keeps()
{
	config_named third
	daemon_start
	systemctl kill --kill-whom=main -s KILL "$UNIT"
	systemctl stop "$UNIT"
	[[ -e /sys/fs/bpf/oompolicyd/link-0 ]] || fail "the policy is gone"
	assert_status 0 oompolicyd --remove
	assert_eq "what it says" "$OUTPUT" "The policies are no longer in force."
	workload_overrun
	assert_eq "the victim without the policy" "$VICTIM" large
	systemctl reset-failed "$UNIT" 2>/dev/null || :
}

plan 15
run_test enabled_at_boot test_enabled_at_boot
run_test unit_is_valid test_unit_is_valid
run_test no_failed_units test_no_failed_units
run_test command_line test_command_line
run_test check test_check
run_test reload test_reload
run_test reload_refused test_reload_refused
run_test sighup test_sighup
run_test restart test_restart
run_test stop_detaches test_stop_detaches
run_test module_missing test_module_missing
run_test unprivileged test_unprivileged
run_test bad_config_at_start test_bad_config_at_start
run_test killed_keeps test_killed_keeps
run_test no_failed_units_at_the_end test_no_failed_units
