# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # HOG is for those who source this
#
# For the guest scripts about events of memory.oom_control: `. rootoom-lib.bash` comes after lib.sh.


# events FIELD...: a line for each event, '-' where it has no such field.
events()
{
	entries "$MESSAGE_ID_OOM_CONTROL" "$@"
}

# kills FIELD...: likewise for the records of kills.
kills()
{
	entries "$MESSAGE_ID_KILL" "$@"
}

entries()
{
	local id=$1 fields
	shift
	fields=$*
	journalctl --sync
	journalctl -q -o export --since="$LOG_SINCE" "--output-fields=${fields// /,}" "MESSAGE_ID=$id" |
		awk -F= -v names="$fields" '
			/^$/ {
				line = ""
				n = split(names, name, " ")
				for (i = 1; i <= n; i++)
					line = line (i > 1 ? " " : "") (name[i] in value ? value[name[i]] : "-")
				print line
				delete value
				next
			}
			{ key = $1; sub(/^[^=]*=/, ""); value[key] = $0 }'
}

events_count()
{
	events MESSAGE_ID | wc -l
}

events_are()
{
	(($(events_count) == $1))
}

kills_at_least()
{
	(($(kills MESSAGE_ID | wc -l) >= $1))
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
