# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# Build roots: directories with another Debian release and its compilers and kernel headers, where
# what is to run on that release is built. They come from the mirror that this machine has its own
# Debian from. This machine's own release needs none.
#
# A root is never changed once it is complete. Its name says recipe and time:
# root-RELEASE-RECIPE-TIME; the file `packages` in it says what it is made of. One is used, without
# asking the network, until it is ROOT_DAYS old; then a newer one is tried for.

# The unstable release changes every day; this often is enough to see a new kernel in time.
ROOT_DAYS=14
HOST_SYSTEM=bookworm

root_recipe()
{
	(cd "$TOP/tests/vm" && digest_files root image/trim-modules)
}

# archive_lines RELEASE: lines for sources.list, after what this machine's apt has.
archive_lines()
{
	apt_targets | awk -v release="$1" -v host="$HOST_SYSTEM" -v keyring="$KEYRING" '
		$3 != "main" { next }
		release == host && $2 ~ "^" host "(-updates|-security|-backports)?$" { suite = $2 }
		release != host && $2 == host { suite = release }
		suite { print "deb [signed-by=" keyring "] " $1 " " suite " main"; suite = "" }' | sort -u
}

# apt_options: a proxy or a pinned archive of this machine holds for what is made from it as well.
apt_options()
{
	apt-config dump |
		sed -n -E 's/^(Acquire::(http|https|Retries|Check-Valid-Until|Check-Date)[^ ]* "[^"]+");$/--aptopt=\1/p'
}

# root_find RELEASE: the newest complete root of today's recipe, or nothing.
root_find()
{
	local dir found=''
	for dir in "$CACHE/root-$1-$(root_recipe)"-*; do
		[[ ! -e $dir/complete ]] || found=$dir
	done
	printf '%s\n' "$found"
}

# root_age DIRECTORY: in days, by its name. A clock that was set back makes it new, not old.
root_age()
{
	local made age
	made=${1##*-}
	age=$((($(date +%s) - made) / 86400))
	printf '%d\n' $((age > 0 ? age : 0))
}

# root_ensure RELEASE: prints the root's directory.
root_ensure()
{
	local release=$1 dir age
	dir=$(root_find "$release")
	if [[ -z $dir ]]; then
		with_lock "$CACHE/lock/root-$release" root_build "$release" >&2
		dir=$(root_find "$release")
	elif age=$(root_age "$dir") && ((age > ROOT_DAYS)); then
		attempt with_lock "$CACHE/lock/root-$release" root_build "$release" "$dir" >&2
		((ATTEMPT == 0)) || say "going on with the build root for $release that is $age days old"
		dir=$(root_find "$release")
	fi
	touch "$dir/complete"
	say "$(root_describe "$release" "$dir")"
	printf '%s\n' "$dir"
}

# root_describe RELEASE DIRECTORY
root_describe()
{
	printf '%s: kernel %s, libsystemd %s, %s, packages of %s\n' "$1" "$(root_version "$2" 'linux-headers-[0-9].*-amd64')" \
		"$(root_version "$2" 'libsystemd0')" "$(basename "$(readlink "$2/root/usr/bin/gcc")")" \
		"$(date -d "@${2##*-}" +%Y-%m-%d)"
}

# root_version DIRECTORY REGEX: of the package whose name matches.
root_version()
{
	sed -n -E "s/^$2(:amd64)? (.*)/\2/p" "$1/packages" | head -n 1
}

# root_build RELEASE [OLD]: OLD is the one to be replaced. Another run may have built one while
# this one waited for the lock.
root_build()
{
	local release=$1 old=${2:-} log tmp dir started=$SECONDS options
	[[ $(root_find "$release") == "$old" ]] || return 0
	log=$CACHE/log/root-$release
	say "building a root of Debian $release to compile in, about two minutes (kept in $CACHE)"
	mkdir -p "$CACHE/log"
	rm -rf "$CACHE/tmp-root-$release".*
	# They are large. What was not used since yesterday is no run's any more.
	find "$CACHE" -maxdepth 2 -path "*/root-$release-*/complete" ! -path "$old/complete" -mtime +1 \
		-printf '%h\0' | xargs -0 -r rm -rf
	tmp=$(mktemp -d "$CACHE/tmp-root-$release.XXXXXX")
	archive_lines "$release" >"$tmp/sources.list"
	if [[ ! -s $tmp/sources.list ]]; then
		rm -rf "$tmp"
		die 69 "apt has no '$HOST_SYSTEM main' archive configured"
	fi
	mapfile -t options < <(apt_options)
	if ! quietly "$log" "$TOP/tests/vm/root/build" "$tmp" "$release" "${options[@]}"; then
		rm -rf "$tmp"
		# Without a network, or with a mirror that lacks the release, the recipe is not to blame.
		if grep -q -E 'apt-get update .* failed|(Failed|Unable) to fetch' "$log"; then
			die 69 "the packages of Debian $release cannot be fetched"
		fi
		die 1 "the root of Debian $release could not be built"
	fi
	touch "$tmp/complete"
	dir=$CACHE/root-$release-$(root_recipe)-$(date +%s)
	mv -T "$tmp" "$dir"
	say "built it in $((SECONDS - started)) s, $(du -sh "$dir" | cut -f1)"
}

# root_run DIRECTORY COMMAND...: in the root, where the tree and the build directory are at their
# usual paths, and nothing else can be written to. All mounts end with the command.
root_run()
{
	local root=$1/root
	shift
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --mount --propagation private bash -euc '
		root=$1 top=$2 build=$3
		shift 3
		mount --bind "$root" "$root"
		mount -t tmpfs none "$root/tmp"
		mkdir -p "$root$top" "$root$build"
		mount --bind "$top" "$root$top"
		mount -o remount,bind,ro "$root$top"
		mkdir -p "$root$build"
		mount --bind "$build" "$root$build"
		mount -t proc none "$root/proc"
		mount --bind /dev "$root/dev"
		mount -o remount,bind,ro "$root"
		exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin HOME=/tmp LC_ALL=C.UTF-8 "$@"' \
		root_run "$root" "$TOP" "$BUILD" ${CC:+"CC=$CC"} ${DESTDIR:+"DESTDIR=$DESTDIR"} "$@"
}
