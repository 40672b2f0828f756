# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=300 kernels=bookworm,sid,v2 extra=trixie
#
# The page that tools/demo shows: one memory limit, a small workload that matters little, a large
# one that matters much, and one that must live. First the kernel chooses, then the policy does. What
# is claimed at the end was looked up, not assumed.
#
# What oompolicyctl shows here is what README.md shows of it: demo.look has the same lines, and only
# numbers and times may differ from run to run.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh

heading()
{
	printf '\n== %s\n' "$*"
}

# shown COMMAND...: as a user would type it, and what it answers.
shown()
{
	printf '# %s\n' "$*"
	"$@" || :
}

# looked COMMAND...: likewise, in a terminal of 80 columns, and kept to be compared.
looked()
{
	COLUMNS=80 shown "$@" | tee -a "$LOOK"
}

# write_unit NAME SIZE...: the process has the name, too.
write_unit()
{
	ln -sf /usr/lib/oompolicyd-tests/memhog "/run/$1"
	printf '[Service]\nSlice=demo.slice\nExecStart=%s\n' "/run/$1 /run/hog-$*" \
		>"/etc/systemd/system/$1.service"
}

write_units()
{
	printf '[Slice]\nMemoryMax=100M\nMemorySwapMax=0\n' >/etc/systemd/system/demo.slice
	write_unit batch 16M
	write_unit database 70M 18M
	write_unit shell 2M
	systemctl daemon-reload
}

# All three start, one after the other.
begin()
{
	rm -f /run/hog-{batch,database,shell}
	shown systemctl start {batch,database,shell}.service
	wait_for 20 "the workloads to be filled" \
		test -e /run/hog-batch -a -e /run/hog-database -a -e /run/hog-shell
}

# Returns when one of the two is gone.
overrun()
{
	printf 'batch holds 16 MB, database 70 MB, the limit is 100 MB; now database takes 18 MB more\n'
	workload_grow database
	wait_for 20 "a workload to die" one_is_gone
}

one_is_gone()
{
	! workload_is batch active || ! workload_is database active
}

states()
{
	systemctl show -p Id -p ActiveState -p Result {batch,database,shell}.service |
		awk -F= '/^ActiveState/ { s = $2 } /^Result/ { r = $2 } /^Id/ { i = $2 }
			i && s && r { printf "%-18s %-8s %s\n", i, s, r; i = s = r = "" }'
}

kernel_lines()
{
	journalctl -q -k -o cat --since="$LOG_SINCE" |
		grep -E 'invoked oom-killer|oom_policy=|oom-kill:|ut of memory: Killed' || :
}

test_kernel_alone()
{
	[[ $KERNEL_ALONE == "database.service failed oom-kill batch.service active success shell.service active success" ]] ||
		fail "without the daemon: $KERNEL_ALONE"
}

test_policy()
{
	[[ $POLICY == "batch.service failed oom-kill database.service active success shell.service active success" ]] ||
		fail "with the daemon: $POLICY"
	assert_eq "what database holds" "$(workload_filled database)" $((88 << 20))
}

test_enabled()
{
	assert_eq "the unit is-enabled" "$(systemctl is-enabled oompolicyd.service)" enabled
	assert_eq "the unit is-active" "$(systemctl is-active oompolicyd.service)" active
}

test_kernel_line()
{
	kernel_has '^oom_policy=demo$' || fail "the kernel's report has no line oom_policy=demo"
}

test_record()
{
	local field
	for field in "_SYSTEMD_UNIT=oompolicyd.service" "OOMPOLICY_DECISION=killed" \
		"OOMPOLICY_POLICY=demo" "OOMPOLICY_RULE=batch" "OOMPOLICY_EFFECTIVE_PRIORITY=10" \
		"OOMPOLICY_VICTIM_UNIT=batch.service" "OOMPOLICY_TRIGGER_UNIT=database.service" \
		"OOMPOLICY_DOMAIN=/demo.slice" "UNIT=batch.service"; do
		assert_eq "the record's ${field%%=*}" \
			"$(journal_field "${field%%=*}" MESSAGE_ID="$MESSAGE_ID_KILL")" "${field#*=}"
	done
	[[ -n $(journalctl -q -o cat -u batch.service MESSAGE_ID="$MESSAGE_ID_KILL") ]] ||
		fail "journalctl -u batch.service does not show the record"
}

test_rank()
{
	assert_eq "the pid of the victim, which was the first in the list" \
		"$(journal_field OOMPOLICY_VICTIM_PID MESSAGE_ID="$MESSAGE_ID_KILL")" "$RANKED"
}

# One line of words, with a # for each number: what is left is the same in each run. How the memory
# comes back, and when that is known, is not.
words()
{
	sed -E '/^ *Memory back:/d; s/\<[0-9a-f]{13}\>/#/g; s/[0-9]+(\.[0-9]+)?/#/g' |
		tr -s '[:space:]' ' '
}

# Each paragraph of demo.look is there. Between its parts are lines of dots.
test_look()
{
	local shown part=''
	shown=$(words <"$LOOK")
	while IFS= read -r line; do
		if [[ -n $line && $line != ... ]]; then
			part+=$line$'\n'
			continue
		fi
		part=$(words <<<"$part")
		[[ $shown == *"$part"* ]] || fail "it does not show '$part'"
		part=''
	done < <(cat demo.look; echo ...)
}

# On one line, the dead one first.
summary()
{
	states | awk '{ text = $1 " " $2 " " $3 } $2 == "failed" { print 0, text; next } { print 1, text }' |
		sort | cut -d' ' -f2- | paste -sd' '
}

plan 7
LOOK=/run/look
: >$LOOK

heading "The machine"
shown uname -srvm
printf 'PID 1: %s, %s\n' "$(</proc/1/comm)" "$(systemctl --version | head -n 1)"
printf 'machine: %s, %s\n' "$(systemd-detect-virt || :)" "$(systemctl is-active multi-user.target) multi-user.target"
write_units
shown cat /etc/systemd/system/demo.slice

heading "First without the daemon: the kernel kills the largest"
log_mark
begin
overrun
kernel_lines
states
KERNEL_ALONE=$(summary)
systemctl stop {batch,database,shell}.service
systemctl reset-failed {batch,database,shell}.service 2>/dev/null || :

heading "The administrator's order"
config_write <<'END'
[Policy demo]

[Rule database]
Unit=database.service
Priority=900

[Rule batch]
Unit=batch.service
Priority=10

[Rule shell]
Unit=shell.service
Protect=yes
END
shown cat "$CONFIG"

heading "The daemon"
shown systemctl enable --now oompolicyd
shown systemctl status --no-pager --full -n 0 oompolicyd

heading "The same workloads again: who would die"
log_mark
begin
looked oompolicyctl tree /demo.slice
looked oompolicyctl rank /demo.slice
RANKED=$(oompolicyctl rank --no-legend /demo.slice | awk '{ print $3; exit }')

heading "Who dies"
overrun
states
POLICY=$(summary)

heading "The kernel's own lines"
kernel_lines

heading "The daemon's record"
(wait_for 10 "the daemon's record" journal_has MESSAGE_ID="$MESSAGE_ID_KILL") || :
shown journalctl --no-pager -u oompolicyd
# Another record may follow: the kernel asks again while the victim is dying.
looked oompolicyctl info "$(oompolicyctl list --no-legend | awk '$4 == "killed" { print $1 }')"
printf '# journalctl -o verbose -u batch   (some of the fields)\n'
journalctl -q --no-pager -o verbose -u batch --since="$LOG_SINCE" MESSAGE_ID="$MESSAGE_ID_KILL" |
	grep -E ' (MESSAGE_ID|UNIT|OBJECT_PID|OOMPOLICY_(POLICY|RULE|EFFECTIVE_PRIORITY|DOMAIN|VICTIM_UNIT|VICTIM_ANON_BYTES|TRIGGER_UNIT|HANDLER_NSEC))=' || :

heading "Is that what happened"
since=$LOG_SINCE
check()
{
	run_test "$1" in_second_run "$2"
}
in_second_run()
{
	LOG_SINCE=$since
	"$1"
}
check "the kernel alone killed the large workload" test_kernel_alone
check "the daemon is enabled and runs" test_enabled
check "with the policy the small one died and the large one lives" test_policy
check "who died was the first that oompolicyctl rank had named" test_rank
check "the kernel names the policy in its report" test_kernel_line
check "the journal has the record, also under the victim's unit" test_record
check "oompolicyctl shows what README.md says it does" test_look
