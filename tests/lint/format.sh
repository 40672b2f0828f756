#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every C file is laid out as .clang-format says.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

find api bpf config ctl daemon kmod tests util -name '*.[ch]' -type f -print0 | sort -z |
	xargs -0 clang-format --dry-run -Werror
