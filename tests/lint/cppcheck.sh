#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Runs cppcheck over user space. The kernel's and BPF's headers mean nothing to it, and neither does
# the cleanup attribute: leaks are for the sanitizers to find, formats for the compiler. Nor does it
# know that check() of the benchmarks ends the program, or that a loop over n entries has filled them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

find api config ctl daemon tests util -name '*.c' ! -name '*.bpf.c' ! -path 'tests/fuzz/*' -print0 | sort -z |
	xargs -0 cppcheck -j 2 --quiet --std=c11 --language=c -I. -D_GNU_SOURCE -D__x86_64__ \
		--enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
		--suppress=missingIncludeSystem --suppress=unknownMacro \
		--suppress=memleak --suppress=resourceLeak --suppress=invalidPrintfArgType_uint \
		--suppress=nullPointerOutOfMemory --suppress=normalCheckLevelMaxBranches \
		--suppress=uninitvar \
		--template='{file}:{line}: {severity}: {message} [{id}]'
