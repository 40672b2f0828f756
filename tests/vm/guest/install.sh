# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=300 enabled=yes extra=bookworm
#
# The installed tree as an administrator meets it: enabled at boot, the command line, reload, stop,
# what it says when it cannot work.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh

readonly UNIT=oompolicyd.service
# The largest that `systemd-analyze security` may say, in tenths.
readonly EXPOSURE_MAX=20

# The name of the policy says which configuration is active.
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

# What is left open is shown, for who changes the unit.
test_unit_is_locked_down()
{
	assert_status 0 systemd-analyze security --no-pager --threshold=$EXPOSURE_MAX "$UNIT"
	grep -E '^✗|Overall' <<<"$OUTPUT"
	figure exposure "$(sed -n 's/.*Overall exposure level .*: \([0-9.]*\) .*/\1/p' <<<"$OUTPUT")" \
		"of 10, at most $((EXPOSURE_MAX / 10)).$((EXPOSURE_MAX % 10))"
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

# What somebody else can write to is refused wherever it is read, and what runs stays.
test_writable_config()
{
	local main_pid dropins=$CONFIG.d
	main_pid=$(daemon_pid)
	config_named safe
	assert_status 0 systemctl reload "$UNIT"

	chmod 666 "$CONFIG"
	assert_status 78 oompolicyd --check
	assert_match "what --check says" "$OUTPUT" "^$CONFIG: everybody can write to it"
	assert_status 1 systemctl reload "$UNIT"
	assert_match "the status" "$(status_text)" "^Policy 'safe' active.*$CONFIG: everybody can write"
	assert_status 78 oompolicyd
	chmod 644 "$CONFIG"

	mkdir -p "$dropins"
	chmod 1777 "$dropins"
	assert_status 78 oompolicyd --check
	assert_match "what --check says of a directory" "$OUTPUT" "^$dropins: everybody can write to it"
	chmod 755 "$dropins"
	printf '[Rule small]\nPriority=1\n' >"$dropins/own.conf"
	chown nobody "$dropins/own.conf"
	assert_status 1 systemctl reload "$UNIT"
	assert_match "the status" "$(status_text)" "^Policy 'safe' active.*own.conf: owned by another user"
	rm -r "$dropins"
	assert_status 0 systemctl reload "$UNIT"
	assert_eq "the main process" "$(daemon_pid)" "$main_pid"
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
	journal_wait 10 "the refusal" MESSAGE_ID="$MESSAGE_ID_RELOAD_FAILED"
	assert_match "the journal" "$(journal_field MESSAGE MESSAGE_ID="$MESSAGE_ID_RELOAD_FAILED")" "$CONFIG:2: "
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

daemon_is_another()
{
	local now
	now=$(daemon_pid)
	((now != 0 && now != $1))
}

# However often and fast it dies, also before it is up, systemd starts it again.
test_crashes()
{
	local pid before
	config_named crashes
	before=$(systemctl show -P NRestarts "$UNIT")
	for _ in {1..10}; do
		pid=$(daemon_pid)
		systemctl kill --kill-whom=main -s SEGV "$UNIT"
		wait_for 20 "the daemon to be another" daemon_is_another "$pid"
	done
	assert_eq "the restarts" $(($(systemctl show -P NRestarts "$UNIT") - before)) 10
	wait_for 40 "the daemon to be up" systemctl is-active "$UNIT"
	# Each is said where an administrator looks.
	journal_has -p warning "UNIT=$UNIT" || fail "no warning of the crashes"
	workload_overrun
	assert_eq "the victim" "$VICTIM" small
}

# One that hangs, as a stopped one does, is ended and started again.
test_hangs()
{
	local pid
	mkdir -p "/run/systemd/system/$UNIT.d"
	printf '[Service]\nWatchdogSec=6s\n' >"/run/systemd/system/$UNIT.d/watchdog.conf"
	systemctl daemon-reload
	assert_status 0 systemctl restart "$UNIT"
	pid=$(daemon_pid)
	# The watchdog is served, else this would show nothing.
	sleep 7
	assert_eq "the daemon's process after the first turn" "$(daemon_pid)" "$pid"
	kill -STOP "$pid"
	wait_for 30 "the daemon to be another" daemon_is_another "$pid"
	journal_has "UNIT=$UNIT" -g 'Watchdog timeout' || fail "systemd does not tell of a hang"
	rm -r "/run/systemd/system/$UNIT.d"
	systemctl daemon-reload
	assert_status 0 systemctl restart "$UNIT"
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

test_no_cgroup2()
{
	assert_status 69 unshare --mount sh -c 'umount --recursive /sys/fs/cgroup && exec oompolicyd'
	assert_match "what it says" "$OUTPUT" 'No cgroup2 hierarchy is mounted.*systemd.unified_cgroup_hierarchy=1'
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
	assert_eq "what it says" "$OUTPUT" "The policies are no longer active."
	workload_overrun
	assert_eq "the victim without the policy" "$VICTIM" large
	systemctl reset-failed "$UNIT" 2>/dev/null || :
}

plan 20
run_test enabled_at_boot test_enabled_at_boot
run_test unit_is_valid test_unit_is_valid
run_test unit_is_locked_down test_unit_is_locked_down
run_test no_failed_units test_no_failed_units
run_test command_line test_command_line
run_test check test_check
run_test writable_config test_writable_config
run_test reload test_reload
run_test reload_refused test_reload_refused
run_test sighup test_sighup
run_test restart test_restart
run_test crashes test_crashes
run_test hangs test_hangs
run_test stop_detaches test_stop_detaches
run_test module_missing test_module_missing
run_test unprivileged test_unprivileged
run_test no_cgroup2 test_no_cgroup2
run_test bad_config_at_start test_bad_config_at_start
run_test killed_keeps test_killed_keeps
run_test no_failed_units_at_the_end test_no_failed_units
