# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=300
#
# What the daemon costs while nothing happens: memory of its own, and how often it is woken up; and
# what stays of a large configuration that is no more.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh

private_kib()
{
	awk '/^Private_/ { sum += $2 } END { print sum }' "/proc/$1/smaps_rollup"
}

# Every time slice of the process, over all its threads.
switches()
{
	cat "/proc/$1"/task/*/status | awk '/ctxt_switches/ { sum += $2 } END { print sum }'
}

bench_idle()
{
	local pid before after kib
	daemon_start
	# What the start and the boot leave behind comes to an end.
	sleep 10
	pid=$(daemon_pid)
	before=$(switches "$pid")
	sleep 30
	after=$(switches "$pid")
	kib=$(private_kib "$pid")
	figure wakeups_per_minute_idle $((2 * (after - before))) "context switches"
	figure private_memory "$kib" KiB
	((kib <= 4096)) || fail "$kib KiB of its own are over 4 MiB"
	# systemd's watchdog is fed every few minutes, which may fall into this one.
	((after - before <= 1)) || fail "woken up $((after - before)) times in half a minute of idleness"
}

# It took some 4 MiB while it was there.
bench_reload()
{
	local before after
	before=$(private_kib "$(daemon_pid)")
	seq 9000 | sed 's,.*,[Rule many&]\nCgroup=/idle/many/&\nPriority=700,' | config_write
	oompolicyd --reload
	figure private_memory_of_9000_rules "$(private_kib "$(daemon_pid)")" KiB
	config_write </dev/null
	oompolicyd --reload
	after=$(private_kib "$(daemon_pid)")
	figure private_memory_after_9000_rules "$after" KiB
	((after <= before + 512)) || fail "$before KiB of its own are $after KiB after two reloads"
}

plan 2
run_test idle bench_idle
run_test reload bench_reload
