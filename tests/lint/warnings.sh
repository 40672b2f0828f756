#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Builds the tree as others may, and fails if a compiler or linker warns of anything. Needs what
# builds the tree and nothing else; the tree is only read, and builds are in $TMPDIR.
#
# OOMPOLICYD_VARIANTS is what to build: words COMPILER:LEVEL[+EXTRA...]. "clang" is whichever of
# that name there is; LEVEL is of meson's -Doptimization=; EXTRA is
#   fortify  -D_FORTIFY_SOURCE=3
#   ndebug   without assertions
#   lto      optimized when it is linked
#   package  the flags that Debian's packages are built with
# Without it: a few that differ most, or all of them with OOMPOLICYD_EVERY=yes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

variants=${OOMPOLICYD_VARIANTS:-}
if [[ -z $variants && ${OOMPOLICYD_EVERY:-no} == yes ]]; then
	for compiler in gcc clang; do
		for variant in 0 {2,3,s}{,+fortify} 2+package 3+ndebug 2+lto; do
			variants+=" $compiler:$variant"
		done
	done
elif [[ -z $variants ]]; then
	variants='gcc:0 gcc:3+fortify gcc:s+ndebug clang:3+fortify'
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# find_compiler NAME: Debian 12 has clang under names with a version alone.
find_compiler()
{
	local name
	for name in "$1" "$1"-{21,20,19,18,17,16}; do
		! command -v "$name" || return 0
	done
	printf 'there is no %s\n' "$1" >&2
	return 1
}

# build COMPILER LEVEL EXTRA...: one directory a compiler, as what does not go by the variant, like
# BPF objects, is not built again there.
build()
{
	local name=$1 dir=$work/$1 arguments=("-Doptimization=$2") flags=() extra ndebug=false lto=false cc
	shift 2
	for extra; do
		case $extra in
		fortify) flags+=(-D_FORTIFY_SOURCE=3) ;;
		ndebug) ndebug=true ;;
		lto) lto=true ;;
		package)
			mapfile -t -O "${#flags[@]}" flags < <(package_flags)
			((${#flags[@]} > 0)) || return 1
			;;
		*)
			printf 'there is no extra %s\n' "$extra"
			return 1
			;;
		esac
	done
	arguments+=("-Dc_args=${flags[*]}" "-Db_ndebug=$ndebug" "-Db_lto=$lto")
	if [[ -e $dir ]]; then
		meson configure "$dir" "${arguments[@]}" || return 1
	else
		cc=$(find_compiler "$name") || return 1
		# The fuzz targets are for clang alone, and need libraries that it may lack.
		if [[ $name != clang* ]]; then
			:
		elif "$cc" -fsanitize=fuzzer,address -x c -o "$work/probe" - \
			<<<'int LLVMFuzzerTestOneInput(void) { return 0; }'; then
			arguments+=(-Dfuzz=true -Db_lundef=false)
		else
			printf '%s: without the fuzz targets\n' "$name" >&3
		fi
		CC=$cc CFLAGS='' LDFLAGS='' meson setup "$dir" --prefix=/usr -Dwerror=false \
			"${arguments[@]}" || return 1
	fi
	ninja -C "$dir" -k 0
}

package_flags()
{
	local variable
	for variable in CFLAGS CPPFLAGS; do
		DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get "$variable"
	done | tr -s ' ' '\n'
}

for variant in $variants; do
	log=$work/log status=0
	IFS=':+' read -r -a words <<<"$variant"
	begun=$SECONDS
	build "${words[@]}" 3>&1 >"$log" 2>&1 </dev/null || status=$?
	printf '%s: %s s\n' "$variant" "$((SECONDS - begun))"
	! grep -F 'warning:' "$log" | sort -u || failed=1
	if ((status != 0)); then
		grep -E -A 8 -m 3 '^FAILED:|error:|ERROR:' "$log" | cut -c 1-300 || tail -n 20 "$log"
		failed=1
	fi
done
exit "$failed"
