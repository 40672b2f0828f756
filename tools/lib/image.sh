# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2153 # variables are shared with those who source this
#
# The Debian file systems and the kernels that the tests boot: finds them in the cache or has them
# built. What is in the cache is never changed once it is there, so it needs no lock to be used.

# The build root whose tools make file systems and emulate machines, of any release.
TOOL_ROOT=$KERNEL_DEFAULT

# kernel_release SYSTEM: of that Debian's own kernel: the one that its build root has, against whose
# headers the module is built.
kernel_release()
{
	cat "$(root_find "$1")/kernel"
}

# system_version SYSTEM: what an image of it depends on that the recipe does not say.
system_version()
{
	sha256sum <"$(root_find "$1")/packages"
}

# NAME of an image is SYSTEM, or SYSTEM-stock for the machine that packages are installed on.

# image_packages NAME: one a line.
image_packages()
{
	local list=$TOP/tests/vm/image/packages
	[[ $1 != *-stock ]] || list+=.stock
	sed -e '/^#/d' -e '/^$/d' "$list" "$TOP/tests/vm/image/packages.$1"
}

image_dir()
{
	local key
	key=$({
		cd "$TOP/tests/vm/image" || exit
		digest_files build init initramfs overlay trim-modules "archive.${1%-stock}"
		image_packages "$1"
		system_version "${1%-stock}"
	} | sha256sum | cut -c1-16)
	printf '%s/image-%s-%s\n' "$CACHE" "$1" "$key"
}

# image_ensure NAME: leaves its directory in IMAGE, with what tests/vm/image/build makes and
# initramfs.cpio. The build roots of the system and TOOL_ROOT must be there.
image_ensure()
{
	IMAGE=$(image_dir "$1")
	cached_ensure "$IMAGE" "the system of a machine with Debian ${1/-/, }" image_fill "$1"
}

# image_fill DIRECTORY NAME
image_fill()
{
	local system=${2%-stock} option options=() release root
	archive_lines "$system" >"$1/sources.list"
	image_packages "$2" >"$1/include"
	while IFS= read -r option; do
		options+=("--aptopt=$option")
	done < <(archive_options)
	release=$(kernel_release "$system")
	root=$(root_find "$system")/root
	if [[ $2 == *-stock ]]; then
		sed -e '/^#/d' "$TOP/tests/vm/image/archive.$system" >"$1/archive"
		root=''
	fi
	"$TOP/tests/vm/image/build" "$1" "$system" "$release" "$root" "${options[@]}"
	ROOT_BINDS=("$1")
	root_run "$(root_find "$TOOL_ROOT")" "$TOP/tests/vm/image/initramfs" \
		"$1/initramfs.cpio" "$1/modules" "$(basename "$1"/modules/lib/modules/*)"
}

# kernel_dir SYSTEM SOURCE [DISK]
kernel_dir()
{
	local key root
	if [[ $2 == package ]]; then
		image_dir "$1${3:+-$3}"
		return
	fi
	root=$(root_find "$1-kernel")
	key=$(cd "$TOP/tests/vm" && digest_files kernel image/init image/initramfs image/trim-modules &&
		grep -E '^(linux-source-|linux-image-.*-rt-|gcc-|clang-|lld-)' "$root/packages")
	key=$(sha256sum <<<"$key" | cut -c1-16)
	printf '%s/kernel-%s-%s\n' "$CACHE" "$2" "$key"
}

# kernel_ensure SYSTEM SOURCE: as image_ensure, leaves in KERNEL_FILES the directory with vmlinuz,
# initramfs.cpio, modules/ and, where the build root of the kernel is not that of the system, headers/.
kernel_ensure()
{
	local what="the trimmed kernel '$2', about ten minutes"
	if [[ $2 == package ]]; then
		image_ensure "$1"
		KERNEL_FILES=$IMAGE
		return
	fi
	root_ensure "$1-kernel"
	KERNEL_FILES=$(kernel_dir "$1" "$2")
	[[ $2 != package-* ]] || what="the kernel of linux-image-${2#package-}-amd64"
	cached_ensure "$KERNEL_FILES" "$what" kernel_fill "$1" "$2"
}

# kernel_fill DIRECTORY SYSTEM SOURCE
kernel_fill()
{
	ROOT_BINDS=("$1")
	root_run "$(root_find "$2-kernel")" "$TOP/tests/vm/kernel/build" "$1" "$3"
}

# cached_ensure DIRECTORY WHAT COMMAND...: has the command fill the directory, which it gets as its
# first argument, once. The directory's name is KIND-NAME-KEY.
cached_ensure()
{
	local dir=$1
	if [[ ! -e $dir/complete ]]; then
		with_lock "$CACHE/lock/$(cached_kind "$dir")" cached_build "$@"
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
	local dir=$1 what=$2 command=$3 kind tmp log
	shift 3
	kind=$(cached_kind "$dir")
	log=$CACHE/log/$kind
	# Another run may have built it while this one waited for the lock.
	[[ ! -e $dir/complete ]] || return 0
	host_mmdebstrap
	# What a killed run left behind; nobody else builds while the lock is held.
	rm -rf --one-file-system "$CACHE/tmp-$kind".*
	# Each recipe and kernel has one of its own; what nobody has used for a month can go.
	find "$CACHE" -maxdepth 2 \( -path '*/image-*/complete' -o -path '*/kernel-*/complete' -o \
		-path '*/bare-*/complete' \) \
		-mtime +30 -printf '%h\0' | xargs -0 -r rm -rf
	mkdir -p "$CACHE/log"
	temporary "$kind"
	tmp=$TEMPORARY
	watched "$log" "$what" "$command" "$tmp" "$@"
	if ((ATTEMPT != 0)); then
		rm -rf --one-file-system "$tmp"
		archive_blame "$log" "${kind#*-}"
		tail -n 40 "$log" >&2
		die 1 "$what could not be made, the end of $log is above"
	fi
	touch "$tmp/complete"
	rm -rf --one-file-system "$dir"
	mv -T "$tmp" "$dir"
}
