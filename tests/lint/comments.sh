#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A function that a comment names, as name(), exists: in the code of this tree, or in the list of those of
# others, foreign-functions, which in turn names none that no comment does.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
status=0

mapfile -t files < <(find api bpf config ctl daemon kmod tests util -name '*.[ch]' -type f | sort)

# Lines "code NAME" for each identifier outside of comments, "comment NAME FILE" for name() in one.
words=$(perl -0777 -ne '
	my (%code, %named);
	s{/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"|\x27(?:[^\x27\\\n]|\\.)*\x27}{
		my $token = $&;
		if ($token =~ m{^/}) { $named{$1} = 1 while $token =~ /(?<![*\w])([A-Za-z_]\w*)\(\)/g; }
		$token =~ m{^/} ? " " : $token
	}gse;
	$code{$&} = 1 while /\b[A-Za-z_]\w*/g;
	print map { "code $_\n" } keys %code;
	print map { "comment $_ $ARGV\n" } keys %named;
' "${files[@]}" | LC_ALL=C sort -u)
foreign=$(sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\) .*/\1/p' tests/lint/foreign-functions)

missing=$(awk -v foreign="$foreign" '
	BEGIN { n = split(foreign, names, "\n"); for (i = 1; i <= n; i++) known[names[i]] = 1 }
	$1 == "code" { known[$2] = 1 }
	$1 == "comment" && !($2 in known) { print $3 ": " $2 "()" }' <<<"$words")
if [[ -n $missing ]]; then
	printf 'a comment names a function that does not exist:\n%s\n' "$missing"
	status=1
fi
unused=$(comm -23 <(LC_ALL=C sort <<<"$foreign") \
	<(sed -n 's/^comment \([^ ]*\) .*/\1/p' <<<"$words" | LC_ALL=C sort -u))
if [[ -n $unused ]]; then
	printf 'in tests/lint/foreign-functions and in no comment:\n%s\n' "$unused"
	status=1
fi
exit $status
