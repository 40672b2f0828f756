#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs shellcheck over every shell script, those without an ending too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

find tools tests bpf debian kmod .ci -type f ! -path 'tests/*/corpus/*' ! -path 'tests/unit/data/*' -print0 | sort -z |
	while IFS= read -r -d '' file; do
		case $file in
		*.sh | *.bash) printf '%s\0' "$file" ;;
		*)
			if head -n 1 "$file" | tr -d '\0' | grep -q -E '^#!(/usr)?/bin/((env )?(ba)?sh|busybox sh)'; then
				printf '%s\0' "$file"
			fi
			;;
		esac
	done | xargs -0 -n 8 -P 2 shellcheck
