# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The Debian images and the trimmed kernels that the tests boot: finds them in the cache or has them
# built. What is in the cache is never changed once it is there, so it needs no lock to be used.

# kernel_release SYSTEM: of that Debian's own kernel. On this machine it is the one whose headers
# are installed: the module is built against them, and their package depends on that of the kernel.
kernel_release()
{
	local depends root
	if [[ $1 != "$HOST_SYSTEM" ]]; then
		root=$(root_find "$1")
		cat "$root/kernel"
		return
	fi
	depends=$(dpkg-query -W -f '${Depends}' linux-headers-6.12-amd64) ||
		die 69 "the package linux-headers-6.12-amd64 is not installed"
	sed -n 's/.*linux-headers-\([0-9][^ ]*\) (= [^)]*).*/\1/p' <<<"$depends"
}

# system_version SYSTEM: what an image of it depends on that the recipe does not say: the version of
# the kernel's package, which differs between builds of the same release, or all packages of the
# build root.
system_version()
{
	local root
	if [[ $1 == "$HOST_SYSTEM" ]]; then
		dpkg-query -W -f '${Version}\n' "linux-headers-$(kernel_release "$1")"
	else
		root=$(root_find "$1")
		sha256sum <"$root/packages"
	fi
}

image_dir()
{
	local key
	key=$(cd "$TOP/tests/vm/image" && digest_files . && system_version "$1")
	key=$(sha256sum <<<"$key" | cut -c1-16)
	printf '%s/image-%s-%s\n' "$CACHE" "$1" "$key"
}

# image_ensure SYSTEM: builds the image where the cache has none; prints its directory. Of another
# release than this machine's the build root must be there.
image_ensure()
{
	local dir
	dir=$(image_dir "$1")
	cached_ensure "$dir" "the image of Debian $1, about a minute" image_fill "$1"
	printf '%s\n' "$dir"
}

# image_fill DIRECTORY SYSTEM
image_fill()
{
	local options root=''
	[[ $2 == "$HOST_SYSTEM" ]] || root=$(root_find "$2")/root
	archive_lines "$2" >"$1/sources.list"
	mapfile -t options < <(apt_options)
	"$TOP/tests/vm/image/build" "$1" "$2" "$(kernel_release "$2")" "$root" "${options[@]}"
}

# kernel_dir SYSTEM SOURCE
kernel_dir()
{
	local key
	if [[ $2 == package ]]; then
		image_dir "$1"
		return
	fi
	key=$(cd "$TOP/tests/vm" && digest_files kernel image/init image/initramfs &&
		dpkg-query -W -f '${Version}\n' linux-source-6.12 gcc-12)
	key=$(sha256sum <<<"$key" | cut -c1-16)
	printf '%s/kernel-%s-%s\n' "$CACHE" "$2" "$key"
}

# kernel_ensure SYSTEM SOURCE: as image_ensure, for the directory with vmlinuz, initramfs.cpio,
# modules/ and, of a trimmed kernel, headers/.
kernel_ensure()
{
	local dir
	dir=$(kernel_dir "$1" "$2")
	if [[ $2 == package ]]; then
		image_ensure "$1"
		return
	fi
	packages_ensure "${PACKAGES_KERNEL[@]}"
	cached_ensure "$dir" "the trimmed kernel '$2', about ten minutes" kernel_fill "$2"
	printf '%s\n' "$dir"
}

# kernel_fill DIRECTORY SOURCE
kernel_fill()
{
	"$TOP/tests/vm/kernel/build" "$1" "$2"
}

# cached_ensure DIRECTORY WHAT COMMAND...: has the command fill the directory, which it gets as its
# first argument, once. The directory's name is KIND-NAME-KEY.
cached_ensure()
{
	local dir=$1
	if [[ ! -e $dir/complete ]]; then
		with_lock "$CACHE/lock/$(cached_kind "$dir")" cached_build "$@" >&2
	fi
	touch "$dir/complete"
}

cached_kind()
{
	local name=${1##*/}
	printf '%s\n' "${name%-*}"
}

cached_build()
{
	local dir=$1 what=$2 command=$3 kind tmp started=$SECONDS
	shift 3
	kind=$(cached_kind "$dir")
	# Another run may have built it while this one waited for the lock.
	[[ ! -e $dir/complete ]] || return 0
	say "building $what (kept in $dir)"
	# What a killed run left behind; nobody else builds while the lock is held.
	rm -rf "$CACHE/tmp-$kind".*
	# Each recipe and kernel has one of its own; what nobody has used for a month can go.
	find "$CACHE" -maxdepth 2 \( -path '*/image-*/complete' -o -path '*/kernel-*/complete' \) \
		-mtime +30 -printf '%h\0' | xargs -0 -r rm -rf
	mkdir -p "$CACHE/log"
	tmp=$(mktemp -d "$CACHE/tmp-$kind.XXXXXX")
	if ! quietly "$CACHE/log/$kind" "$command" "$tmp" "$@"; then
		rm -rf "$tmp"
		die 1 "it could not be built"
	fi
	touch "$tmp/complete"
	rm -rf "$dir"
	mv -T "$tmp" "$dir"
	say "built it in $((SECONDS - started)) s"
}
