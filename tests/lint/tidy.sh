#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# clang-tidy over user space, with the checks of .clang-tidy and the compile commands of the build
# directory in OOMPOLICYD_COMPILE_COMMANDS.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

find api config ctl daemon util -name '*.c' -print0 | sort -z |
	xargs -0 -n 4 -P 2 clang-tidy --quiet --warnings-as-errors='*' \
		-p "$OOMPOLICYD_COMPILE_COMMANDS" 2>&1 |
	{ grep -E -A 2 '(error|warning): ' || :; }
