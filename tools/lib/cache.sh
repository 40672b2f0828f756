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
	# What a killed run has left, where there is no other.
	! flock -n "$CACHE_LOCK" || rm -rf --one-file-system "$CACHE"/tmp-*
	if ! flock -w 20 -s "$CACHE_LOCK" || [[ ! /dev/fd/$CACHE_LOCK -ef $CACHE/lock/use ]]; then
		die 75 "tools/demo --clean is at work, try again when it has ended"
	fi
}

# build_use: one run at a time in a checkout.
build_use()
{
	mkdir -p "$BUILD"
	exec {BUILD_LOCK}>"$BUILD/use"
	flock -n "$BUILD_LOCK" || die 75 "another run is at work in $BUILD, try again when it has ended"
}

# cache_room MB: dies where there is less.
cache_room()
{
	local free
	free=$(df --output=avail --block-size=1MB "$CACHE" | tail -n 1)
	((free > $1)) ||
		die 69 "$CACHE has room for $((free)) MB, and $1 MB are needed: free some, or name another place in OOMPOLICYD_CACHE"
}

# cache_announce root:NAME|image:NAME...: how much will be fetched and kept where, if any of them is not
# there; dies where there is not the room for it. An image comes after the root of its release.
cache_announce()
{
	local fetched=0 kept=0 what name packages size times
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
		cache_room 200
		host_mmdebstrap
		attempt archive_size "${name%%-*}" "${packages[@]}" >"$CACHE/tmp-size.$RUN.out"
		((ATTEMPT == 0)) || exit "$ATTEMPT"
		size=$(<"$CACHE/tmp-size.$RUN.out")
		fetched=$((fetched + ${size% *}))
		kept=$((kept + times * ${size#* }))
	done
	((kept > 0)) || return 0
	printf 'First run: fetches about %d MB of Debian packages, keeps about %d MB in %s and %s.\n' \
		"$fetched" "$kept" "$CACHE" "$BUILD"
	printf '"tools/demo --clean" gives the space back.\n'
	cache_room $((kept + fetched))
}

# cache_clean: removes all that the tools have made there, by its names; the place may hold other things.
cache_clean()
{
	local before
	mkdir -p "$CACHE/lock" "$BUILD"
	exec {CACHE_LOCK}>"$CACHE/lock/use"
	flock -n "$CACHE_LOCK" || die 75 "tools/demo or tools/check is at work, try again when it has ended"
	build_use
	say "removing what is kept in $CACHE and $BUILD"
	before=$(du -smc "$CACHE" "$BUILD" | tail -n 1 | cut -f1)
	rm -rf --one-file-system "$CACHE"/{root,image,kernel,bare,tmp}-* "$CACHE/log" \
		"$BUILD"/{tree,kmod,test-modules,conformance,package,dist}-* \
		"$BUILD"/{asan,clang,fuzz}{,.lock} "$BUILD"/{packages,log,vm,figures,lock}
	# Last, so that nobody begins before.
	rm -rf "$CACHE/lock" "$BUILD/use"
	rmdir "$CACHE" "$BUILD" 2>/dev/null || :
	printf 'Removed what was kept in %s and %s, %d MB. The package mmdebstrap stays: "apt-get remove mmdebstrap" removes it.\n' \
		"$CACHE" "$BUILD" "$before"
}
