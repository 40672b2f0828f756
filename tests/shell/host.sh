#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Directories that the tools take for their own.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

# expect NAME ours|refused FILE...: of a directory with these files.
expect()
{
	local name=$1 expected=$2 file seen=ours
	shift 2
	rm -rf "$work/place"
	mkdir "$work/place"
	for file; do
		install -D /dev/null "$work/place/$file"
	done
	(place_own "$work/place" lock/use OOMPOLICYD_CACHE) 2>"$work/said" || seen=refused
	if [[ $seen != "$expected" ]]; then
		echo "not ok $name: $seen"
	elif [[ $seen == refused ]] && ! grep -q 'holds other things: name a directory in OOMPOLICYD_CACHE' "$work/said"; then
		echo "not ok $name: said $(<"$work/said")"
	elif [[ $seen == ours && ! -e $work/place/lock/use ]]; then
		echo "not ok $name: it is not marked"
	else
		echo "ok $name"
	fi
}

expect empty ours
expect used_before ours lock/use root-trixie-1/complete
expect of_meson ours build.ninja meson.build
expect other_things refused log/syslog
expect hidden_things refused .profile
expect lock_of_others refused lock/other
