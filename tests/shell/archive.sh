#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the tools ask of the machine's apt, and what they say where a first run cannot go on.
set -euo pipefail
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OOMPOLICYD_CACHE=$work/cache OOMPOLICYD_BUILD=$work/build
mkdir -p "$work/cache/log"
. "$TOP/tools/lib/all.sh"

# expect NAME REGEX COMMAND...: what the command writes, on one line, with its status.
expect()
{
	local name=$1 regex=$2 seen status=0
	shift 2
	seen=$( ("$@") 2>&1) || status=$?
	seen="${seen//$'\n'/|} $status"
	if [[ $seen =~ $regex ]]; then
		echo "ok $name"
	else
		echo "not ok $name: '$seen' does not match '$regex'"
	fi
}

# The machine's apt has these archives: "URI ORIGIN COMPONENT LABEL" a line.
apt_has()
{
	printf '%s\n' "$@" >"$work/targets"
}

apt-get()
{
	case $1 in
	indextargets) cat "$work/targets" ;;
	update) return "${APT_UPDATE:-0}" ;;
	esac
}

lines()
{
	archive_lines "$1" | sed 's/\[signed-by=[^]]*\] //' | paste -sd'|'
}

apt_has 'http://m/debian/ Debian main Debian' 'http://m/debian/ Debian contrib Debian' \
	'http://s/security/ Debian main Debian-Security' 'http://o/ other main other'
expect lines_trixie '^deb http://m/debian/ trixie main\|deb http://m/debian/ trixie-updates main\|deb http://s/security/ trixie-security main 0$' lines trixie
expect lines_bookworm '^deb http://m/debian/ bookworm main\|.*bookworm-updates main\|.*bookworm-backports main\|deb http://s/security/ bookworm-security main 0$' lines bookworm
expect lines_sid '^deb http://m/debian/ sid main 0$' lines sid
apt_has 'http://m/debian/ Debian main Debian'
expect lines_without_security '^deb http://m/debian/ trixie main\|[^|]* trixie-updates main 0$' lines trixie
apt_has 'http://o/ other main other'
expect no_archive 'no archive of Debian configured.* 69$' lines trixie
APT_UPDATE=100
apt_has ''
expect no_lists_and_no_network 'could not fetch its package lists: is there a network\? 69$' lines trixie

# blame TEXT: of a log with that line.
blame()
{
	printf 'I: something\n%s\n' "$1" >"$work/log"
	archive_blame "$work/log" trixie
}
expect disk_full 'the disk is full: .* are left below .* 69$' blame 'E: write: No space left on device'
expect no_network 'cannot be reached: is there a network\? 69$' \
	blame "W: Failed to fetch http://m/x  Temporary failure resolving 'm'"
expect refused 'cannot be reached: is there a network\? 69$' blame 'Could not connect to m:80 (1.2.3.4). - connect (111: Connection refused)'
expect no_release 'does not have what is needed of Debian trixie: .* 69$' \
	blame "E: The repository 'http://m/debian trixie Release' does not have a Release file."
expect no_package 'does not have what is needed of Debian trixie: E: Unable to locate package x 69$' blame 'E: Unable to locate package x'
expect not_to_blame '^ 0$' blame 'dpkg: error processing package x'

# A first run is told what it will take, or that there is no room for it.
# shellcheck disable=SC2317 # the functions are called by cache_announce
announce()
(
	trap temporary_end EXIT
	df() { printf 'Avail\n%s\n' "$ROOM"; }
	archive_size() { echo "100 200"; }
	host_mmdebstrap() { :; }
	root_find() { :; }
	image_dir() { echo "$work/none"; }
	ROOM=$1
	cache_announce root:trixie image:trixie
)
expect announced 'First run: fetches about 200 MB of Debian packages, keeps about 800 MB in .*--clean.* 0$' announce 5000
expect no_room 'has room for 900 MB, and 1000 MB are needed: .* 69$' announce 900

# Nothing half made is kept, and what runs is ended with all that it has started.
cat >"$work/making" <<'END'
. "$TOP/tools/lib/all.sh"
trap 'child_end; temporary_end' EXIT
trap 'exit 143' TERM
making()
{
	sh -c 'sleep 300 & echo $! >"$1"; wait' - "$CACHE/pid"
}
temporary root-x
touch "$TEMPORARY/half"
watched "$CACHE/log/x" "something" making
END
interrupted()
{
	local making status=0 pid
	TOP=$TOP bash "$work/making" &
	making=$!
	until [[ -s $CACHE/pid ]]; do sleep 0.1; done
	kill -TERM "$making"
	wait "$making" || status=$?
	pid=$(<"$CACHE/pid")
	# A process that nobody waits for any more is none.
	[[ ! -e /proc/$pid ]] || grep -q '^State:.*Z' "/proc/$pid/status" || echo "it still runs"
	find "$CACHE" -name 'tmp-*' -printf '%f is left\n'
	return "$status"
}
expect interrupted '^ 143$' interrupted
