#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One module a library: a header of a foreign library is included in the one file that owns it. And who
# may use whom. Programs under tests/ are on their own.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
status=0

# only WHAT REGEX FILE...: the include is found in no other file of the shipped code.
only()
{
	local what=$1 regex=$2 found
	shift 2
	found=$(grep -l -r -E --include='*.[ch]' "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($regex)[>\"]" \
		api config ctl daemon util | grep -v -x -F -f <(printf '%s\n' "$@") || :)
	if [[ -n $found ]]; then
		printf '%s is for %s alone, and included by:\n%s\n' "$what" "$*" "$found"
		status=1
	fi
}

only inih 'ini\.h' config/reader.c
only NSS '(pwd|grp)\.h' config/user.c
only libcgroup 'libcgroup(/.*)?\.h' daemon/cgroups/cgroup.c
only libbpf 'bpf/(libbpf|bpf|btf)\.h|.*\.skel\.h' daemon/kernel/*.c
only sd-journal 'systemd/sd-journal\.h' util/journal.c daemon/record/journal-find.c ctl/journal-reader.c
only sd-bus 'systemd/sd-bus\.h' daemon/bus/bus.c daemon/bus/introspect.c daemon/bus/object.c daemon/bus/polkit.c daemon/bus/values.c daemon/job.c ctl/bus-client.c ctl/bus-values.c
only jansson 'jansson\.h' ctl/json.c
only libkmod 'libkmod\.h' ctl/installed-module.c

# Who may use whom, from the table of docs/ARCHITECTURE.md. ROOM is the room of a file, by the file's
# path without its ending; USES is what each room may use.
declare -A ROOM=() USES=()
read_rooms()
{
	local line cells rooms room uses earlier=() allowed file
	while IFS= read -r line; do
		IFS='|' read -r -a cells <<<"$line"
		# shellcheck disable=SC2016 # these are Markdown's
		mapfile -t rooms < <(grep -o '`[^`]*`' <<<"${cells[1]}" | tr -d '`')
		# shellcheck disable=SC2016
		mapfile -t uses < <(grep -o '`[^`]*`' <<<"${cells[3]}" | tr -d '`')
		allowed=("${rooms[@]}" "${uses[@]}")
		if [[ ${cells[3]} == *'all above but'* ]]; then
			allowed=("${rooms[@]}")
			for room in "${earlier[@]}"; do
				[[ " ${uses[*]} " == *" $room "* ]] || allowed+=("$room")
			done
		else
			for room in "${uses[@]}"; do
				[[ " ${earlier[*]} " == *" $room "* ]] ||
					complain "$line" "uses $room, which does not stand above it in the table"
			done
		fi
		for room in "${rooms[@]}"; do
			USES[$room]=" ${allowed[*]} "
			if [[ $room == */ ]]; then
				while IFS= read -r file; do
					ROOM[${file%.*}]=$room
				done < <(find "$room" -maxdepth 1 -name '*.[ch]')
			else
				ROOM[$room]=$room
			fi
		done
		earlier+=("${rooms[@]}")
	done < <(grep '^| `' docs/ARCHITECTURE.md)
}

complain()
{
	printf '%s: %s\n' "$1" "$2"
	status=1
}

# check_include FILE HEADER: FILE includes "HEADER", by its path or of the own folder.
check_include()
{
	local file=$1 header=$2 room target
	room=${ROOM[${file%.*}]:-}
	[[ -n $room ]] || return 0 # said above
	[[ -e $header ]] || header=${file%/*}/$header
	# What is made by the build belongs to daemon/kernel/, see above.
	[[ -e $header && $header != bpf/oompolicy.h ]] || return 0
	target=${ROOM[${header%.*}]:-}
	if [[ -z $target ]]; then
		complain "$file" "includes $header, which has no room in docs/ARCHITECTURE.md"
	elif [[ ${USES[$room]} != *" $target "* ]]; then
		complain "$file" "includes $header: $room must not use $target"
	fi
}

read_rooms
while IFS= read -r file; do
	file=${file#./}
	[[ -n ${ROOM[${file%.*}]:-} ]] || complain "$file" "has no room in docs/ARCHITECTURE.md"
done < <(find api bpf config ctl daemon kmod util -name '*.[ch]')
while IFS=: read -r file header; do
	check_include "$file" "$header"
done < <(grep -r -o '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<][^">]*[">]' --include='*.[ch]' api bpf config ctl daemon kmod util |
	sed 's/:[^"<]*["<]/:/; s/[">]$//')

# The kernel side has one door.
found=$(grep -n -r -E --include='*.[ch]' 'include[[:space:]]*"(daemon/)?kernel/' config ctl daemon util |
	grep -v '"daemon/kernel/loader\.h"' || :)
if [[ -n $found ]]; then
	printf 'of daemon/kernel/ only loader.h is for others, and included is:\n%s\n' "$found"
	status=1
fi

# Behind it nothing includes what stands above it, in the order that loader.h shows.
above=()
while read -r -a patterns; do
	layer=()
	for pattern in "${patterns[@]}"; do
		while IFS= read -r name; do
			layer+=("$name")
		done < <(find daemon/kernel -name "$pattern.[ch]" -printf '%f\n' | sed 's/\.[ch]$//' | sort -u)
		[[ ${#layer[@]} -gt 0 ]] || complain daemon/kernel/loader.h "$pattern is no file of the folder"
	done
	for name in "${layer[@]}"; do
		for file in daemon/kernel/"$name".[ch]; do
			[[ -e $file && ${#above[@]} -gt 0 ]] || continue
			found=$(grep -E '^[[:space:]]*#[[:space:]]*include' "$file" |
				grep -F "${above[@]/#/-e}" || :)
			[[ -z $found ]] && continue
			printf '%s includes what stands above it:\n%s\n' "$file" "$found"
			status=1
		done
	done
	for name in "${layer[@]}"; do
		above+=("\"$name.h\"" "/$name.h")
	done
done < <(sed -n 's/^ \*\t//p' daemon/kernel/loader.h | sed 's/  .*//')
found=$(comm -3 <(printf '%s\n' "${above[@]}" | sed -n 's/^"\(.*\)\.h"$/\1/p' | sort) \
	<(find daemon/kernel -name '*.[ch]' -printf '%f\n' | sed 's/\.[ch]$//' | sort -u))
if [[ -n $found ]]; then
	printf 'in one of daemon/kernel/ and the list in its loader.h only:\n%s\n' "$found"
	status=1
fi

# Its result is undefined when it fails.
found=$(grep -n -r -E --include='*.c' '[^_a-z]v?asprintf\(' api config ctl daemon util |
	grep -v '^util/format\.c:' || :)
if [[ -n $found ]]; then
	printf 'format_string() is for this:\n%s\n' "$found"
	status=1
fi

# The model and its compilation do no I/O.
found=$(grep -n -E 'include[[:space:]]*<(fcntl|sys/stat|sys/socket|dirent|syslog|time|sys/time)\.h>|[^_a-z](f?open|fopen|printf|fprintf|clock_gettime|time)\(' \
	config/policy.c config/check.c config/index.c config/glob.c config/value.c || :)
if [[ -n $found ]]; then
	printf 'the policy model does no I/O:\n%s\n' "$found"
	status=1
fi
exit $status
