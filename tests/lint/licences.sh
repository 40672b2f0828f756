#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each file names its licence, in a line of its own or, where its format has no comments, in
# REUSE.toml; and the text of each licence that is named is in LICENSES.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
status=0

complain()
{
	printf '%s: %s\n' "$1" "$2"
	status=1
}

# The files that git knows; without git, as in an unpacked archive, all of them.
if ! listed=$(git -c safe.directory='*' ls-files 2>/dev/null) || [[ -z $listed ]]; then
	listed=$(find . -type f ! -path './.git/*' ! -path './build*' ! -path './.cache/*' -printf '%P\n')
fi
mapfile -t files < <(grep -v -E '^(LICENSES/|REUSE\.toml$)' <<<"$listed" | LC_ALL=C sort)

# REUSE.toml as "LICENCE REGEX" lines, one a path; a table without a licence gives none. The file is
# written so that this is enough to read it: one key a line, and in a list one path a line.
read_annotations()
{
	local line path paths=() licence=''
	while IFS= read -r line; do
		case $line in
		'[[annotations]]')
			for path in "${paths[@]}"; do
				[[ -z $licence ]] || printf '%s\t%s\n' "$licence" "$(path_regex "$path")"
			done
			paths=() licence=''
			;;
		'SPDX-License-Identifier = "'*'"') licence=${line#*\"} licence=${licence%\"} ;;
		'path = "'*'"' | '    "'*'",') line=${line#*\"} paths+=("${line%\"*}") ;;
		esac
	done < <(cat REUSE.toml; echo '[[annotations]]')
}

# path_regex GLOB: * stays within a folder, ** does not.
path_regex()
{
	sed -e 's/[.+?()]/\\&/g' -e 's/\*\*/\x01/g' -e 's/\*/[^\/]*/g' -e 's/\x01/.*/g' -e 's/.*/^&$/' <<<"$1"
}

licences=() regexes=() used=()
while IFS=$'\t' read -r licence regex; do
	licences+=("$licence") regexes+=("$regex") used+=(no)
done < <(read_annotations)

# By the name of a licence, a file that has it.
declare -A named=()

# note_names FILE EXPRESSION: "A OR B" names both.
note_names()
{
	local name
	for name in $2; do
		case $name in
		OR | AND | WITH) continue ;;
		esac
		[[ -v named[$name] ]] || named[$name]=$1
	done
}

for file in "${files[@]}"; do
	[[ -f $file && ! -L $file ]] || continue
	expression=$(head -n 5 "$file" | tr -d '\0' |
		LC_ALL=C sed -n 's/.*SPDX-License-Identifier: \(.*\)/\1/p' | head -n 1)
	# The end of a comment is no part of it.
	expression=${expression%%-->*} expression=${expression%%\*/*}
	annotated=no
	for i in "${!regexes[@]}"; do
		if [[ $file =~ ${regexes[i]} ]]; then
			annotated=yes used[i]=yes
			note_names "$file" "${licences[i]}"
		fi
	done
	if [[ -n $expression ]]; then
		note_names "$file" "$expression"
		[[ $annotated == no ]] || complain "$file" "has an SPDX line and is in REUSE.toml as well"
	elif [[ $annotated == no ]]; then
		complain "$file" "no SPDX line in its first five lines, and not in REUSE.toml"
	fi
done

for i in "${!regexes[@]}"; do
	[[ ${used[i]} == yes ]] || complain REUSE.toml "no file matches ${regexes[i]}"
done
for name in "${!named[@]}"; do
	[[ -s LICENSES/$name.txt ]] || complain "${named[$name]}" "LICENSES/$name.txt does not exist"
done
for file in LICENSES/*; do
	name=${file#LICENSES/}
	[[ -v named[${name%.txt}] ]] || complain "$file" "no file has this licence"
done
exit $status
