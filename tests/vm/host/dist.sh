#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: kernels=trixie extra=bookworm,sid timeout=900
#
# dist.sh RELEASE: what is given to others: the packages are the same bytes when they are built
# again, lintian has no complaint, and what `meson dist` packs builds.
set -euo pipefail

unset CDPATH
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd -P)
. "$TOP/tools/lib/all.sh"

release=$1
failed=0
host_require
trap 'child_end; temporary_end' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cache_use
root_ensure "$release"

# check NAME COMMAND...
check()
{
	local name=$1
	shift
	attempt "$@"
	if ((ATTEMPT == 0)); then
		printf 'ok %s\n' "$name"
	else
		printf 'not ok %s: failed with status %d, see the log\n' "$name" "$ATTEMPT"
		failed=1
	fi
}

# What is not committed is not in it.
# shellcheck disable=SC2317 # called by check
build_dist()
{
	local dir=$BUILD/dist-$release
	rm -rf "$dir"
	mkdir -p "$dir"
	printf '[safe]\n\tdirectory = *\n' >"$dir/gitconfig"
	GIT_CONFIG_GLOBAL=$dir/gitconfig git clone -q "$TOP" "$dir/tree"
	# shellcheck disable=SC2016 # expanded by the inner shell
	root_run "$(root_find trixie)" sh -euc '
		cd "$1"
		export GIT_CONFIG_GLOBAL=$1/gitconfig
		meson setup build tree
		meson dist -C build --no-tests --formats xztar' dist "$dir"
	mkdir "$dir/unpacked"
	tar -C "$dir/unpacked" --strip-components=1 -xf "$dir"/build/meson-dist/*.tar.xz
	# shellcheck disable=SC2016 # expanded by the inner shell
	root_run "$ROOT" sh -euc 'cd "$1" && meson setup again unpacked && ninja -C again daemon/oompolicyd ctl/oompolicyctl' dist "$dir"
	rm -rf "$dir"
}

printf 'plan 2\n'
check same_bytes_and_lintian package_verify "$release" "$ROOT"
root_ensure trixie
root_ensure "$release"
check dist_builds build_dist
exit $failed
