# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # the variables are for those who source this
#
# What every tool needs: messages, the places where things are kept, locks. Sourced by scripts that
# have set TOP to the root of the tree. Nothing here installs, builds or boots anything.

# Without it a failure inside $(...) goes unnoticed.
shopt -s inherit_errexit

CACHE=${OOMPOLICYD_CACHE:-/var/cache/oompolicyd}
BUILD=${OOMPOLICYD_BUILD:-$TOP/build}

say()
{
	printf '%s\n' "$*" >&2
}

# die STATUS MESSAGE...
die()
{
	local status=$1
	shift
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit "$status"
}

need_root()
{
	[[ $(id -u) -eq 0 ]] || die 77 "must be run as root: packages, file owners in the image and the cache need it"
}

# quietly LOG COMMAND...: the command's output goes to LOG and is shown only when it fails.
quietly()
{
	local log=$1 status=0
	shift
	"$@" >"$log" 2>&1 </dev/null || status=$?
	if ((status != 0)); then
		say "'$*' failed with status $status; the end of $log:"
		tail -n 40 "$log" >&2
	fi
	return "$status"
}

# with_lock FILE COMMAND...: one at a time, over all processes. The command must not leave
# background processes behind, as those would inherit the lock. It is not called as a condition,
# which would take `set -e` from it: a failure ends the shell, and that frees the lock too.
with_lock()
{
	local file=$1 fd
	shift
	mkdir -p "${file%/*}"
	exec {fd}>"$file"
	if ! flock -n "$fd"; then
		say "waiting for another run to finish (lock $file)"
		flock "$fd"
	fi
	"$@"
	exec {fd}>&-
}

# attempt COMMAND...: leaves the command's status in ATTEMPT. Unlike `if COMMAND`, `set -e` and die()
# keep their meaning inside; must not be called as a condition itself.
attempt()
{
	set +e
	(
		set -e
		"$@"
	)
	ATTEMPT=$?
	set -e
}

# The children that run, which child_end() ends. A value says what a child is for.
declare -A CHILDREN=()

# child_start WHAT COMMAND...: runs it beside this shell.
child_start()
{
	local what=$1
	shift
	"$@" &
	CHILDREN[$!]=$what
}

# child_wait: waits for any child; leaves what it was for in CHILD and its status in ATTEMPT.
child_wait()
{
	local pid=''
	ATTEMPT=0
	wait -n -p pid "${!CHILDREN[@]}" || ATTEMPT=$?
	CHILD=${CHILDREN[$pid]}
	unset "CHILDREN[$pid]"
}

# child_run COMMAND...: as `attempt`, for a command that takes long: a signal is seen at once, and
# child_end(), called from an EXIT trap, ends the command.
child_run()
{
	child_start run "$@"
	child_wait
}

child_end()
{
	local pid
	for pid in "${!CHILDREN[@]}"; do
		kill "$pid" 2>/dev/null || :
	done
	for pid in "${!CHILDREN[@]}"; do
		wait "$pid" 2>/dev/null || :
	done
	CHILDREN=()
}

# digest_files PATH...: one hash over the names and contents of all files below the paths.
digest_files()
{
	find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum | sha256sum | cut -c1-16
}
