# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What tests of the tools begin with: the tools' functions, with cache and build in a directory that ends
# with the test.
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OOMPOLICYD_CACHE=$work/cache OOMPOLICYD_BUILD=$work/build
. "$TOP/tools/lib/all.sh"

# expect_output NAME PATTERN COMMAND...: what it prints, in one line.
expect_output()
{
	local name=$1 expected=$2 seen
	shift 2
	seen=$("$@" | paste -sd' ')
	# shellcheck disable=SC2053 # a pattern
	if [[ $seen == $expected ]]; then
		echo "ok $name"
	else
		echo "not ok $name: '$seen', expected '$expected'"
	fi
}
