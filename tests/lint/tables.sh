#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A table by an enum has an assertion of its size: static_assert(ARRAY_SIZE(TABLE) ...), or WORDS(TABLE, ...).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# shellcheck disable=SC2016 # these are Perl's
found=$(find api config ctl daemon util -name '*.c' -type f -print0 | sort -z | xargs -0 perl -0777 -ne '
	while (/static const (?:struct \{[^}]*\} )?[^;{=]*?(\w+)\[\]\s*=\s*\{\s*\[[A-Z0-9_]+\]/g) {
		my $table = $1;
		print "$ARGV: $table\n"
			unless /static_assert\(\s*ARRAY_SIZE\(\Q$table\E\) ==/ || /\bWORDS\(\Q$table\E,/;
	}')
if [[ -n $found ]]; then
	printf 'a table by an enum whose size nothing asserts:\n%s\n' "$found"
	exit 1
fi
