#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# No file over 700 lines, no function over 60: what is longer wants to be two.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
status=0

mapfile -d '' -t files < <(find . \( -name '*.[ch]' -o -name '*.sh' -o -name '*.bash' -o -path './tools/*' \) \
	-type f ! -path './.git/*' ! -path './build*' ! -path './.cache/*' -print0 | sort -z)

for file in "${files[@]}"; do
	n=$(wc -l <"$file")
	if ((n > 700)); then
		printf '%s: %d lines, at most 700\n' "$file" "$n"
		status=1
	fi
done

# A function of C is from a brace at the beginning of a line to the next one there, as clang-format has it.
found=$(printf '%s\0' "${files[@]}" | grep -z '\.[ch]$' | xargs -0 awk '
	FNR == 1 { begin = 0 }
	/^\{/ { begin = FNR }
	/^\}/ {
		if (begin && FNR - begin - 1 > 60)
			printf "%s:%d: a function of %d lines, at most 60\n", FILENAME, begin, FNR - begin - 1
		begin = 0
	}')
if [[ -n $found ]]; then
	printf '%s\n' "$found"
	status=1
fi
exit $status
