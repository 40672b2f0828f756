# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # the variables are for those who source this
#
# For the guest scripts of the policy language: `. language-lib.bash` comes after lib.sh. Processes
# in cgroups below lang and lang-alone, their OOMs, and the records of these.

readonly CGROUPS=/sys/fs/cgroup
readonly MIB=$((1024 * 1024))

# --- processes in cgroups. All those of a test share a processor, on which the one that grows comes
# last, so that a victim is gone before it asks again (see hog.h).

declare -A PIDS=()
CPU=1

cgroup_make()
{
	local dir=$CGROUPS component
	for component in ${1//\// }; do
		echo +memory >"$dir/cgroup.subtree_control"
		dir+=/$component
		mkdir -p "$dir"
	done
}

# What a process is started with, unshare for example; for one hog_start.
WRAPPER=()

# hog_start NAME CGROUP SIZE...: with more than one SIZE it is one that grows.
hog_start()
{
	local name=$1 cgroup=$2 turn=("${WRAPPER[@]}" chrt -f 1)
	shift 2
	(($# == 1)) || turn=("${WRAPPER[@]}" chrt -o 0)
	cgroup_make "$cgroup"
	rm -f "/run/hog-$name"
	spawn "$CGROUPS/$cgroup" taskset -c "$CPU" "${turn[@]}" memhog "/run/hog-$name" "$@"
	PIDS[$name]=$SPAWNED
	# The shell need not say what becomes of it.
	disown
}

hogs_filled()
{
	local name
	for name in "${!PIDS[@]}"; do
		[[ -e /run/hog-$name ]] || return 1
	done
}

# dead_names: leaves the names of the dead in DEAD.
dead_names()
{
	local name state names=()
	for name in "${!PIDS[@]}"; do
		state=Z
		{ read -r _ _ state _ <"/proc/${PIDS[$name]}/stat"; } 2>/dev/null || :
		[[ ${state:-Z} != [ZX] ]] || names+=("$name")
	done
	DEAD=$(printf '%s\n' "${names[@]}" | sort | paste -sd' ')
}

# others_died DEAD
others_died()
{
	dead_names
	[[ $DEAD != "$1" ]]
}

# domain_limit CGROUP ROOM_MIB
domain_limit()
{
	echo 0 >"$CGROUPS/$1/memory.swap.max"
	echo $(($(<"$CGROUPS/$1/memory.current") + $2 * MIB)) >"$CGROUPS/$1/memory.max"
}

# overrun CGROUP NAME: sets off one OOM by the growth of NAME; DEAD says who died, and before.
overrun()
{
	wait_for 30 "the processes to fill their memory" hogs_filled
	dead_names
	domain_limit "$1" 1
	kill -USR1 "${PIDS[$2]}"
	wait_for 20 "a process to die" others_died "$DEAD"
	# Is there another one that should not?
	sleep 0.3
	dead_names
}

cgroups_empty()
{
	! grep -s -q '^populated 1' "$CGROUPS"/{lang,lang-alone}/cgroup.events
}

cgroups_remove()
{
	local dir
	for dir in "$CGROUPS"/{lang,lang-alone}; do
		[[ ! -d $dir ]] || find "$dir" -depth -type d -exec rmdir {} +
	done
}

clean()
{
	local dir
	for dir in "$CGROUPS"/{lang,lang-alone}; do
		[[ ! -d $dir ]] || echo 1 >"$dir/cgroup.kill"
	done
	wait_for 20 "the last test's processes to end" cgroups_empty
	wait_for 20 "the last test's cgroups to go" cgroups_remove
	PIDS=()
}

# configure: standard input becomes the active configuration.
configure()
{
	config_write
	assert_status 0 oompolicyd --reload
}

# record_load MATCH...: the newest record, in RECORD.
declare -A RECORD=()
record_load()
{
	local line
	journal_wait 10 "the record of $*" "$@"
	RECORD=()
	while IFS= read -r line; do
		RECORD[${line%%=*}]=${line#*=}
	done < <(journalctl -q -o export -n 1 --since="$LOG_SINCE" "$@" | grep -a '^OOMPOLICY_.*=')
}

# assert_killed NAME FIELD VALUE...: it was the victim of a record with OOMPOLICY_FIELD=VALUE.
assert_killed()
{
	local name=$1
	shift
	record_load MESSAGE_ID="$MESSAGE_ID_KILL" OOMPOLICY_VICTIM_PID="${PIDS[$name]}"
	while (($# > 0)); do
		assert_eq "OOMPOLICY_$1 of the record of $name" "${RECORD[OOMPOLICY_$1]-}" "$2"
		shift 2
	done
}
