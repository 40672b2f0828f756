# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What is asked of the machine that the tools run on: Debian's apt, mmdebstrap, the right to mount.
# Nothing else of it is used, and nothing but mmdebstrap is installed on it. Everything that
# compiles, tests or emulates is in build roots, see root.sh.

# host_require: dies with a sentence where the tools cannot work.
host_require()
{
	need_root
	[[ $(dpkg --print-architecture 2>/dev/null) == amd64 ]] ||
		die 69 "needs a Debian of the architecture amd64, whose kernels the tests boot"
	# make and qemu take them for separators.
	[[ $TOP$BUILD != *[[:space:]:,]* ]] ||
		die 69 "the path of the tree or of the build directory has a space, a colon or a comma: use another one"
	mkdir -p "$CACHE" "$BUILD" 2>/dev/null || die 73 "cannot write to $CACHE or $BUILD"
	place_own "$CACHE" lock/use OOMPOLICYD_CACHE
	place_own "$BUILD" use OOMPOLICYD_BUILD
	local probe status=0
	probe=$(mktemp -d)
	host_probe "$probe" 2>/dev/null || status=$?
	rmdir "$probe"
	((status == 0)) ||
		die 69 "this container may not mount file systems or make devices, which build roots need: allow it (CAP_SYS_ADMIN, CAP_MKNOD), or use a machine"
}

# place_own DIRECTORY MARK VARIABLE: leaves MARK in it. Dies where the directory has other things and no
# mark: they would be taken for what the tools have made, and removed. One of meson's, where somebody
# builds the tree by hand, is shared.
place_own()
{
	[[ -e $1/$2 || -e $1/build.ninja || -z $(ls -A "$1") ]] ||
		die 73 "$1 holds other things: name a directory in $3 that is empty, such as $1/oompolicyd"
	mkdir -p "$(dirname "$1/$2")"
	: >>"$1/$2"
}

# host_probe DIRECTORY: may file systems be mounted, and devices made? Leaves nothing of them.
host_probe()
{
	if unshare --mount true; then
		# shellcheck disable=SC2016 # expanded by the inner shell
		unshare --mount sh -c 'mount -t tmpfs none "$1" && mknod "$1/null" c 1 3' - "$1"
	else
		mount -t tmpfs none "$1" || return
		mknod "$1/null" c 1 3 && umount "$1"
	fi
}

# host_private_mounts SCRIPT ARGUMENT...: returns where mounts can be kept from the rest of the
# machine. In a plain chroot they cannot, as / is no mount point: there it runs the script again in
# a view of the same tree where it is one, and ends with the script's status. The view is on a mount
# that nobody shares, so nothing that is mounted or unmounted in it shows elsewhere.
host_private_mounts()
{
	! unshare --mount true 2>/dev/null || return 0
	VIEW=$(mktemp -d /tmp/oompolicyd-root.XXXXXX)
	trap 'child_end; host_view_end' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	mount -t tmpfs none "$VIEW"
	mount --make-private "$VIEW"
	mkdir "$VIEW/root"
	mount --rbind / "$VIEW/root"
	mount --make-rprivate "$VIEW/root"
	# shellcheck disable=SC2016 # expanded by the inner shell
	attempt chroot "$VIEW/root" bash -c 'cd "$1" && shift && exec "$@"' - "$PWD" "$@"
	exit "$ATTEMPT"
}

host_view_end()
{
	umount --recursive --lazy "$VIEW/root" || :
	umount --lazy "$VIEW" || :
	rmdir "$VIEW" || :
}

# host_mmdebstrap: installs it where it is missing.
host_mmdebstrap()
{
	[[ ! -x /usr/bin/mmdebstrap ]] || return 0
	with_lock "$CACHE/lock/apt" host_install
}

host_install()
{
	[[ ! -x /usr/bin/mmdebstrap ]] || return 0
	say "installing mmdebstrap with apt, all that is installed on this machine"
	mkdir -p "$CACHE/log"
	host_apt_update
	DEBIAN_FRONTEND=noninteractive quietly "$CACHE/log/apt-install" \
		apt-get -o DPkg::Lock::Timeout=600 install -q -y --no-install-recommends mmdebstrap ||
		die 69 "apt could not install mmdebstrap; if it was interrupted before: dpkg --configure -a"
}

host_apt_update()
{
	mkdir -p "$CACHE/log"
	quietly "$CACHE/log/apt-update" apt-get update -q ||
		die 69 "this machine's apt could not fetch its package lists: is there a network?"
}
