# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # HOG is for those who source this
#
# For the guest scripts about events of memory.oom_control: `. rootoom-lib.bash` comes after lib.sh
# and records-lib.bash.

# events FIELD...: a line for each event, '-' where it has no such field.
events()
{
	records "$MESSAGE_ID_OOM_CONTROL" "$@"
}

# kills FIELD...: likewise for the records of kills.
kills()
{
	records "$MESSAGE_ID_KILL" "$@"
}

events_count()
{
	records_count "$MESSAGE_ID_OOM_CONTROL"
}

events_are()
{
	(($(events_count) == $1))
}

kills_at_least()
{
	(($(records_count "$MESSAGE_ID_KILL") >= $1))
}

# No event within the time in which one without a record is logged.
assert_no_event()
{
	sleep 2
	assert_eq "the events" "$(events MESSAGE | paste -sd' ')" ""
}

# hog_start FILE SIZE...: a process in the cgroups of this shell, to be moved; it is HOG.
hog_start()
{
	rm -f "$1"
	memhog "$@" &
	HOG=$!
	wait_for 30 "the hog to fill its memory" test -e "$1"
}

daemon_says()
{
	journalctl -q -o cat --since="$LOG_SINCE" "_PID=$(daemon_pid)" | grep -q -F -e "$1"
}
