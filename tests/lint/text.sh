#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What no file of the tree may hold, and what each must.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
status=0

mapfile -d '' -t files < <(find . -type f ! -path './.git/*' ! -path './build*' ! -path './.cache/*' \
	! -path './tests/*/corpus/*' ! -path './tests/unit/data/*' -print0 | sort -z)

# complain WHAT TEXT
complain()
{
	[[ -z $2 ]] && return
	printf '%s:\n%s\n' "$1" "$2"
	status=1
}

# The words are put together so that this file does not hold them.
marker='TO''DO|FIX''ME|XX''X|HA''CK'
complain "a marker of unfinished work" "$(grep -n -w -E "$marker" "${files[@]}" || :)"
mirror='deb\.deb''ian\.org|ftp\.[a-z.]*deb''ian\.org|snap''shot\.deb''ian'
complain "a mirror is named; it is the machine's to choose" "$(grep -n -i -E "$mirror" "${files[@]}" || :)"
complain "trailing white space" "$(grep -n -I -E '[[:blank:]]+$' "${files[@]}" || :)"

# Each MESSAGE_ID has its text in the catalog and the other way round.
catalog=systemd/oompolicyd.catalog
if [[ -e $catalog ]]; then
	complain "in one of api/messages.h and $catalog only" "$(comm -3 \
		<(sed -n 's/^#define MESSAGE_ID_[A-Z_]* "\([0-9a-f]\{32\}\)"$/\1/p' api/messages.h | sort) \
		<(sed -n 's/^-- \([0-9a-f]\{32\}\)$/\1/p' "$catalog" | sort))"
else
	complain "missing" "$catalog"
fi

# What the interface says is written once: ids, and names of fields; what tests expect stands for itself.
complain "a message id that is not taken from api/messages.h" "$(
	grep -rnE '\b[0-9a-f]{32}\b' --include='*.[ch]' --include='*.sh' --include='*.bash' \
		api bpf config ctl daemon tests/bench tests/vm util | grep -v '^api/messages\.h:' || :)"
complain "a field of the journal that is not taken from api/fields.h" "$(
	grep -rnE '"([^"\\]|\\.)*OOMPOLICY_' --include='*.[ch]' api config ctl daemon util |
		grep -v '^api/fields\.h:' || :)"

# What README.md shows is what the demo is held to, part by part.
readme=$(<README.md) part=''
while IFS= read -r line; do
	if [[ $line != ... ]]; then
		part+=$line$'\n'
		continue
	fi
	[[ $readme == *"\`\`\`console"$'\n'"$part"* ]] ||
		complain "in tests/vm/guest/demo.look and not in README.md" "$part"
	part=''
done < <(cat tests/vm/guest/demo.look; echo ...)
exit $status
