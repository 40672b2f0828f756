# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # the variables are for those who source this
#
# What every tool needs: messages, the places where things are kept, locks. Sourced by scripts that
# have set TOP to the root of the tree. Nothing here installs, builds or boots anything.

# Without it a failure inside $(...) goes unnoticed.
shopt -s inherit_errexit

# Of the caller's environment nothing changes what is made: su without - has no sbin, a checkout may
# have been made with any umask.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
umask 022
[[ ${TMPDIR:-/tmp} == /* && -d ${TMPDIR:-/tmp} ]] || export TMPDIR=/tmp

CACHE=$(realpath -m -- "${OOMPOLICYD_CACHE:-/var/cache/oompolicyd}")
BUILD=$(realpath -m -- "${OOMPOLICYD_BUILD:-$TOP/build}")

# One word for this run, also among those of other containers that share the cache.
RUN=$$-$(tr -d - </proc/sys/kernel/random/uuid | cut -c1-12)

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
	[[ $(id -u) -eq 0 ]] || die 77 "must be run as root: build roots, file owners in the image and the cache need it"
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

# watched LOG WHAT COMMAND...: the command's output goes to LOG, its status to ATTEMPT. Says on standard
# error what is being made, each phase that the log tells of ("I: ...", as mmdebstrap's), and the time,
# unless there was hardly anything to do. Not to be called as a condition.
watched()
{
	local log=$1 what=$2 started=$SECONDS phase='' seen='' begun=no
	shift 2
	: >"$log"
	child_start run watched_command "$log" "$@"
	while ! child_ended; do
		phase=$(sed -n 's/^I: \(.*[a-z]\)\.\.\.$/\1/p' "$log" | tail -n 1)
		if [[ -t 2 ]]; then
			printf '\r\033[K%s: %d s%s' "$what" $((SECONDS - started)) "${phase:+, $phase}" >&2
		elif [[ $phase != "$seen" ]]; then
			say "$what: $phase, $((SECONDS - started)) s"
			seen=$phase begun=yes
		elif [[ $begun == no ]] && ((SECONDS - started > 1)); then
			say "$what ..."
			begun=yes
		fi
		sleep 0.5 &
		wait $! || :
	done
	child_wait
	[[ ! -t 2 ]] || printf '\r\033[K' >&2
	if ((ATTEMPT != 0)); then
		say "$what: failed after $((SECONDS - started)) s"
	elif ((SECONDS - started > 1)); then
		say "$what: $((SECONDS - started)) s"
	fi
}

watched_command()
{
	local log=$1
	shift
	exec >"$log" 2>&1
	"$@"
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
		say "waiting for what is being made there already (lock $file)"
		attempt flock "$fd"
		((ATTEMPT == 0)) || exit "$ATTEMPT"
	fi
	"$@"
	exec {fd}>&-
}

# The children that run, which child_end() ends. A value says what a child is for.
declare -A CHILDREN=()

# child_start WHAT COMMAND...: runs it beside this shell, in a process group of its own, so that
# nothing of what it starts is left when it is ended.
child_start()
{
	local what=$1
	shift
	# A child's own children stay in its group.
	((BASH_SUBSHELL > 0)) || set -m
	child_main "$@" </dev/null &
	set +m
	CHILDREN[$!]=$what
}

child_main()
{
	CHILDREN=() ASIDE=''
	"$@"
}

# The child that runs beside all others, if one does: child_wait() and attempt() do not see it.
ASIDE=''

# child_aside COMMAND...: starts it; there is one at a time. What it says on a terminal are lines of their
# own, as others say there how far they are.
child_aside()
{
	child_start aside aside_main "$@"
	ASIDE=$!
	unset "CHILDREN[$ASIDE]"
}

aside_main()
{
	[[ ! -t 2 ]] || exec 2> >(exec sed -u 's/^/\r\x1b[K/' >&2)
	"$@"
}

# aside_wait: until it has ended, if there is one. No other child may run. Leaves its status in ATTEMPT.
aside_wait()
{
	ATTEMPT=0
	[[ -n $ASIDE ]] || return 0
	CHILDREN[$ASIDE]=aside
	ASIDE=''
	child_wait
}

# child_wait: waits for any child; leaves what it was for in CHILD and its status in ATTEMPT.
child_wait()
{
	ATTEMPT=0
	# One that the shell has taken note of already is waited for by its own number alone.
	while ! child_ended; do
		# Returns without one when a signal comes in.
		wait -n "${!CHILDREN[@]}" 2>/dev/null || :
	done
	wait "$ENDED" || ATTEMPT=$?
	CHILD=${CHILDREN[$ENDED]}
	unset "CHILDREN[$ENDED]"
}

# attempt COMMAND...: leaves the command's status in ATTEMPT. Unlike `if COMMAND`, `set -e` and die()
# keep their meaning inside; must not be called as a condition itself. A signal is seen at once, and
# child_end(), called from an EXIT trap, ends the command.
attempt()
{
	child_start run "$@"
	child_wait
}

# child_ended: whether one has, whose number is in ENDED then; child_wait() tells which.
child_ended()
{
	for ENDED in "${!CHILDREN[@]}"; do
		kill -0 "$ENDED" 2>/dev/null || return 0
	done
	return 1
}

child_end()
{
	local pid tries
	# A second signal must not cut this short.
	trap '' INT TERM HUP
	[[ -z $ASIDE ]] || CHILDREN[$ASIDE]=aside
	for pid in "${!CHILDREN[@]}"; do
		kill -- "-$pid" 2>/dev/null || :
	done
	for pid in "${!CHILDREN[@]}"; do
		wait "$pid" 2>/dev/null || :
		# What the child has started may be writing still. Of what it was just starting the signal can
		# be lost: bash has a handler of its own until the program is there.
		for ((tries = 0; tries < 100; tries++)); do
			kill -0 -- "-$pid" 2>/dev/null || break
			((tries != 5)) || kill -- "-$pid" 2>/dev/null || :
			sleep 0.1
		done
		kill -KILL -- "-$pid" 2>/dev/null || :
	done
	CHILDREN=() ASIDE=''
}

# temporary WHAT: makes a directory in the cache that ends with this process, and leaves it in TEMPORARY.
temporary()
{
	mkdir -p "$CACHE"
	TEMPORARY=$(mktemp -d "$CACHE/tmp-$1.$RUN.XXXXXX")
}

# temporary_end: for the EXIT trap. What is mounted below is never followed.
temporary_end()
{
	rm -rf --one-file-system "$CACHE"/tmp-*."$RUN".*
}

# digest_files PATH...: one hash over the names and contents of all files below the paths.
digest_files()
{
	find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum | sha256sum | cut -c1-16
}

# digest_words WORD...: one short hash over them.
digest_words()
{
	printf '%s\0' "$@" | sha256sum | cut -c1-8
}
