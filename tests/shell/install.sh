#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# `meson install` over a tree that an administrator has edited: it changes nothing of theirs and puts
# nothing below /etc. OOMPOLICYD_MESON_BUILD names a build directory that is up to date; without it
# one is made.
set -euo pipefail
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# expect NAME EXPECTED COMMAND...: what the command writes, and 'fails' if it does.
expect()
{
	local name=$1 expected=$2 seen
	shift 2
	seen=$("$@" 2>&1) || seen+=fails
	if [[ $seen == "$expected" ]]; then
		echo "ok $name"
	else
		echo "not ok $name: '$seen', expected '$expected'"
	fi
}

build=${OOMPOLICYD_MESON_BUILD:-}
if [[ -z $build ]]; then
	build=$work/build
	if ! { meson setup "$build" "$TOP" --prefix=/usr -Dtests=false -Dvmtests=false &&
		ninja -C "$build"; } >"$work/log" 2>&1 </dev/null; then
		tail -n 40 "$work/log"
		echo "not ok build: it could not be built"
		exit 1
	fi
fi

install_to()
{
	DESTDIR=$1 meson install -C "$build" --no-rebuild --quiet
}

# snapshot DIRECTORY: each file with its content, owner and mode, each link with its target.
snapshot()
{
	(cd "$1" && find . -printf '%p %y %m %U %G %l %T@\n' | sort && find . -type f -exec sha256sum {} + | sort)
}

unchanged()
{
	[[ $(snapshot "$work/edited/etc") == "$before" ]] || diff <(printf '%s\n' "$before") <(snapshot "$work/edited/etc")
}

all_below_usr()
{
	find "$work/new" -mindepth 1 -maxdepth 1 -printf '%P\n'
}

installed()
{
	[[ -f $work/new/usr/lib/oompolicy.conf ]] || echo "no oompolicy.conf"
	[[ -x $work/new/usr/sbin/oompolicyd ]] || echo "no oompolicyd"
	[[ -x $work/new/usr/bin/oompolicyctl ]] || echo "no oompolicyctl"
}

# The unit can be enabled; neither a preset nor a link does it.
preset()
{
	grep -v '^#' "$work"/new/usr/lib/systemd/system-preset/*oompolicyd.preset
}

enabled_by_links()
{
	grep -q '^WantedBy=' "$(find "$work/new" -name oompolicyd.service)" || echo "no WantedBy="
	find "$work/new" -type l -printf '%P\n'
}

versions()
{
	local version page conf
	version=$("$work/new/usr/sbin/oompolicyd" --version)
	for page in "$work"/new/usr/share/man/man?/*; do
		grep -q "^\.TH .*\"$version\"" "$page" || echo "$page is not of $version"
	done
	conf=("$work"/new/usr/src/bpf_oom-*/dkms.conf)
	[[ ${conf[0]} == */bpf_oom-"${version#oompolicyd }"/dkms.conf ]] || echo "${conf[0]} is not of $version"
	grep -q -x "PACKAGE_VERSION=\"${version#oompolicyd }\"" "${conf[0]}" || echo "dkms.conf is not of $version"
}

# A machine where the administrator has rules, a drop-in file, and has disabled the service.
mkdir -p "$work"/edited/etc/{oompolicy.conf.d,systemd/system/multi-user.target.wants}
printf '[Rule mine]\nUnit=mine.service\nPriority=900\n' >"$work/edited/etc/oompolicy.conf"
printf '[Rule mine]\nProtect=yes\n' >"$work/edited/etc/oompolicy.conf.d/mine.conf"
before=$(snapshot "$work/edited/etc")

expect install '' install_to "$work/edited"
expect edited_files_stay '' unchanged
expect install_again '' install_to "$work/edited"
expect edited_files_stay_again '' unchanged
expect install_new '' install_to "$work/new"
expect nothing_in_etc usr all_below_usr
expect files '' installed
expect preset_is_disable 'disable oompolicyd.service' preset
expect no_links '' enabled_by_links
expect one_version '' versions
