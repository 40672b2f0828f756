#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The manual pages format without a warning.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
status=0

while IFS= read -r -d '' page; do
	warnings=$(groff -man -ww -z -Tutf8 -k "$page" 2>&1) || :
	if [[ -n $warnings ]]; then
		printf '%s\n' "$warnings"
		status=1
	fi
done < <(find man -name '*.[1-8]' -print0)
exit $status
