#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# meson.build has the version. What a tool outside meson reads is the same, and no other file has one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
status=0

version=$(sed -n "s/^  version : '\(.*\)',\$/\1/p" meson.build)
if [[ -z $version ]]; then
	echo "meson.build: no version"
	exit 1
fi

# same FILE FOUND
same()
{
	[[ $2 == "$version" ]] && return
	printf "%s: version '%s', meson.build has '%s'\n" "$1" "$2" "$version"
	status=1
}

same debian/changelog "$(sed -n '1s/^oompolicyd (\([^)]*\)) .*/\1/p' debian/changelog)"
same packaging/oompolicyd.spec "$(sed -n 's/^Version: *//p' packaging/oompolicyd.spec)"
same kmod/dkms.conf.in "$(sed -n 's/^PACKAGE_VERSION="\(.*\)"$/\1/p' kmod/dkms.conf.in |
	sed "s/^@VERSION@\$/$version/")"
for page in man/*.[1-8]; do
	same "$page" "$(sed -n 's/^\.TH .*"oompolicyd \([^"]*\)".*/\1/p' "$page" | sed "s/^@VERSION@\$/$version/")"
done
found=$(grep -n 'MODULE_VERSION("' kmod/*.c || :)
if [[ -n $found ]]; then
	printf 'the version of the module is that of the build:\n%s\n' "$found"
	status=1
fi
exit $status
