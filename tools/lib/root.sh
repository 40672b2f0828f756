# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2153 # variables are shared with those who source this
#
# Build roots: directories with a Debian release, its compilers and kernel headers. Everything is
# compiled, tested, packaged and emulated in one, and nothing with what the machine itself has.
# They come from the mirror that this machine has its own Debian from.
#
# NAME is RELEASE or RELEASE-KIND; what it is made of are the lists tests/vm/root/packages,
# packages.RELEASE and packages.RELEASE-KIND. A root is never changed once it is complete. Its
# directory says recipe and time: root-NAME-RECIPE-TIME; the file `packages` in it says what it is
# made of. One is used, without asking the network, until it is ROOT_DAYS old; then a newer one is
# tried for; not in the middle of a run, where OOMPOLICYD_ROOTS_STAY is set, as machines that were made
# with the old one would not be found by the new.

# The unstable release changes every day; this often is enough to see a new kernel in time.
ROOT_DAYS=14

# root_recipe NAME: one word for how it is made.
root_recipe()
{
	(
		cd "$TOP/tests/vm" || exit
		digest_files root/build image/trim-modules
		root_packages "$1"
	) | sha256sum | cut -c1-16
}

# root_packages NAME: one a line.
root_packages()
{
	local list lists=("$TOP/tests/vm/root/packages" "$TOP/tests/vm/root/packages.${1%%-*}")
	[[ $1 != *-* ]] || lists+=("$TOP/tests/vm/root/packages.$1")
	for list in "${lists[@]}"; do
		sed -e '/^#/d' -e '/^$/d' "$list"
	done
}

# root_find NAME: the newest complete root of today's recipe, or nothing.
root_find()
{
	local dir found=''
	for dir in "$CACHE/root-$1-$(root_recipe "$1")"-*; do
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

# root_ensure NAME: leaves the root's directory in ROOT.
root_ensure()
{
	local name=$1 age
	ROOT=$(root_find "$name")
	if [[ -z $ROOT ]]; then
		with_lock "$CACHE/lock/root-$name" root_build "$name"
		ROOT=$(root_find "$name")
	elif [[ -z ${OOMPOLICYD_ROOTS_STAY:-} ]] && age=$(root_age "$ROOT") && ((age > ROOT_DAYS)); then
		attempt with_lock "$CACHE/lock/root-$name" root_build "$name" "$ROOT"
		((ATTEMPT == 0)) || say "going on with the build root '$name' that is $age days old"
		ROOT=$(root_find "$name")
	fi
	touch "$ROOT/complete"
}

# root_describe NAME DIRECTORY
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

# root_build NAME [OLD]: OLD is the one to be replaced. Another run may have built one while
# this one waited for the lock.
root_build()
{
	local name=$1 old=${2:-} log tmp recipe option options=()
	[[ $(root_find "$name") == "$old" ]] || return 0
	log=$CACHE/log/root-$name
	recipe=$(root_recipe "$name")
	host_mmdebstrap
	mkdir -p "$CACHE/log"
	rm -rf --one-file-system "$CACHE/tmp-root-$name".*
	# They are large. What was not used since yesterday is no run's any more.
	find "$CACHE" -maxdepth 2 -path "*/root-$name-*/complete" ! -path "*/${old##*/}/complete" -mtime +1 \
		-printf '%h\0' | xargs -0 -r rm -rf
	temporary "root-$name"
	tmp=$TEMPORARY
	archive_lines "${name%%-*}" >"$tmp/sources.list"
	root_packages "$name" >"$tmp/include"
	while IFS= read -r option; do
		options+=("--aptopt=$option")
	done < <(archive_options)
	watched "$log" "the build root of Debian ${name/-/ for }" \
		"$TOP/tests/vm/root/build" "$tmp" "${name%%-*}" "${options[@]}"
	if ((ATTEMPT != 0)); then
		rm -rf --one-file-system "$tmp"
		archive_blame "$log" "${name%%-*}"
		tail -n 40 "$log" >&2
		die 1 "the build root '$name' could not be made, the end of $log is above"
	fi
	touch "$tmp/complete"
	mv -T "$tmp" "$CACHE/root-$name-$recipe-$(date +%s)"
	say "$(root_describe "$name" "$(root_find "$name")")"
}

# Paths beside the tree, the build directory and the cache that root_run() shows at the same place,
# to be written to.
ROOT_BINDS=()

# NAME=VALUE for the environment of what root_run() runs.
ROOT_ENVIRONMENT=()

# root_run DIRECTORY COMMAND...: in the root, where the tree (read-only), the cache (read-only) and the
# build directory are at their usual paths, and nothing else can be written to. All mounts end with
# the command.
root_run()
{
	(root_become "$@")
}

# root_become DIRECTORY COMMAND...: as root_run; this shell becomes the command, so that a signal
# reaches it.
root_become()
{
	local root=$1/root
	shift
	# shellcheck disable=SC2016 # expanded by the inner shell
	exec unshare --mount --propagation private bash -euc '
		root=$1 top=$2 build=$3 cache=$4 binds=$5
		shift 5
		mount --bind "$root" "$root"
		mount -t tmpfs none "$root/tmp"
		mkdir -p "$root$top" "$root$build" "$root$cache" "${@:1:binds}"
		for path in "$top" "$cache" "$build" "${@:1:binds}"; do
			mkdir -p "$root$path"
			mount --bind "$path" "$root$path"
			if [[ $path == "$top" || $path == "$cache" ]]; then
				mount -o remount,bind,ro "$root$path"
			fi
		done
		shift "$binds"
		mount -t proc none "$root/proc"
		mount --rbind /dev "$root/dev"
		mount -o remount,bind,ro "$root"
		exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin HOME=/tmp LC_ALL=C.UTF-8 "$@"' \
		root_run "$root" "$TOP" "$BUILD" "$CACHE" "${#ROOT_BINDS[@]}" "${ROOT_BINDS[@]}" \
		${CC:+"CC=$CC"} "${ROOT_ENVIRONMENT[@]}" "$@"
}
