# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What the tools keep: the cache, shared by all checkouts, and the build directory of this one. Says
# before a first run what it will take, and gives it back.

# cache_use: for as long as this process and its children live, nobody cleans.
cache_use()
{
	mkdir -p "$CACHE/lock"
	exec {CACHE_LOCK}>"$CACHE/lock/use"
	flock -n -s "$CACHE_LOCK" || die 75 "tools/demo --clean is at work, try again when it has ended"
}

# cache_announce root:NAME|image:NAME...: how much will be fetched and kept where, if any of them is not
# there; dies where there is not the room for it. An image comes after the root of its release.
cache_announce()
{
	local fetched=0 kept=0 what name packages size free times
	for what; do
		name=${what#*:}
		case $what in
		root:*)
			[[ -z $(root_find "$name") ]] || continue
			mapfile -t packages < <(root_packages "$name")
			times=1
			;;
		image:*)
			if [[ -n $(root_find "$name") && -e $(image_dir "$name")/complete ]]; then
				continue
			fi
			mapfile -t packages < <(image_packages "$name")
			# The system of a machine is kept as a tree, and with the packages as a disk.
			times=3
			;;
		esac
		((kept > 0)) || say "asking the archive of Debian what a first run takes"
		host_mmdebstrap
		size=$(archive_size "${name%%-*}" "${packages[@]}")
		fetched=$((fetched + ${size% *}))
		kept=$((kept + times * ${size#* }))
	done
	((kept > 0)) || return 0
	printf 'First run: fetches about %d MB of Debian packages, keeps about %d MB in %s and %s.\n' \
		"$fetched" "$kept" "$CACHE" "$BUILD"
	printf '"tools/demo --clean" gives the space back.\n'
	free=$(df --output=avail --block-size=1MB "$CACHE" | tail -n 1)
	((free > kept + fetched)) ||
		die 69 "$CACHE has room for $((free)) MB, and $((kept + fetched)) MB are needed: free some, or name another place in OOMPOLICYD_CACHE"
}

# cache_clean: removes all that is kept.
cache_clean()
{
	local kept
	mkdir -p "$CACHE/lock"
	exec {CACHE_LOCK}>"$CACHE/lock/use"
	flock -n "$CACHE_LOCK" || die 75 "tools/demo or tools/check is at work, try again when it has ended"
	kept=$(du -smc "$CACHE" "$BUILD" 2>/dev/null | tail -n 1 | cut -f1)
	rm -rf --one-file-system "$CACHE" "$BUILD"
	printf 'Removed %s and %s, %d MB. The package mmdebstrap stays: "apt-get remove mmdebstrap" removes it.\n' \
		"$CACHE" "$BUILD" "$kept"
}
