# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The Debian image that the tests boot: finds it in the cache or has it built. An image is never
# changed once it is there, so it needs no lock to be used.

# The kernel is the one whose headers are installed: the module is built against them, and their
# package depends on that of the kernel itself.
kernel_release()
{
	local depends
	depends=$(dpkg-query -W -f '${Depends}' linux-headers-6.12-amd64) ||
		die 69 "the package linux-headers-6.12-amd64 is not installed"
	sed -n 's/.*linux-headers-\([0-9][^ ]*\) (= [^)]*).*/\1/p' <<<"$depends"
}

# The package's version, which differs between builds of the same release.
kernel_version()
{
	dpkg-query -W -f '${Version}' "linux-headers-$(kernel_release)"
}

image_dir()
{
	local key
	key=$(cd "$TOP/tests/vm/image" && digest_files . && kernel_version)
	key=$(sha256sum <<<"$key" | cut -c1-16)
	printf '%s/image-%s\n' "$CACHE" "$key"
}

# image_ensure: builds the image where the cache has none; prints its directory.
image_ensure()
{
	local dir
	dir=$(image_dir)
	if [[ ! -e $dir/complete ]]; then
		with_lock "$CACHE/lock/image" image_build "$dir" >&2
	fi
	touch "$dir/complete"
	printf '%s\n' "$dir"
}

image_build()
{
	local dir=$1 tmp started=$SECONDS
	# Another run may have built it while this one waited for the lock.
	[[ ! -e $dir/complete ]] || return 0
	say "building the Debian image, about a minute (kept in $dir)"
	# What a killed run left behind; nobody else builds while the lock is held.
	rm -rf "$CACHE"/tmp-image.*
	# Each recipe and kernel has an image of its own; what nobody has used for a month can go.
	find "$CACHE" -maxdepth 2 -path '*/image-*/complete' -mtime +30 -printf '%h\0' | xargs -0 -r rm -rf
	mkdir -p "$CACHE/log"
	tmp=$(mktemp -d "$CACHE/tmp-image.XXXXXX")
	if ! quietly "$CACHE/log/image" "$TOP/tests/vm/image/build" "$tmp" "$(kernel_release)"; then
		rm -rf "$tmp"
		die 1 "the image could not be built"
	fi
	touch "$tmp/complete"
	rm -rf "$dir"
	mv -T "$tmp" "$dir"
	say "built the image in $((SECONDS - started)) s"
}
