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
	# shellcheck disable=SC2016 # the text is for the inner shell
	unshare --mount --propagation unchanged bash -c 'mount -t tmpfs none "$1"' - /mnt 2>/dev/null ||
		die 69 "this container may not mount file systems, which build roots need: allow it (CAP_SYS_ADMIN), or use a machine"
}

# host_private_mounts SCRIPT ARGUMENT...: returns where mounts can be kept from the rest of the
# machine. In a plain chroot they cannot, as / is no mount point: there it runs the script again in
# a view of the same tree where it is one, and ends with the script's status.
host_private_mounts()
{
	local view status=0
	! unshare --mount true 2>/dev/null || return 0
	view=$(mktemp -d /tmp/oompolicyd-root.XXXXXX)
	mount --rbind / "$view"
	attempt setpriv --pdeathsig TERM unshare --mount --propagation unchanged chroot "$view" "$@"
	status=$ATTEMPT
	umount --recursive --lazy "$view"
	rmdir "$view"
	exit "$status"
}

# host_mmdebstrap: installs it where it is missing.
host_mmdebstrap()
{
	[[ ! -x /usr/bin/mmdebstrap ]] || return 0
	say "installing mmdebstrap with apt, all that is installed on this machine"
	mkdir -p "$CACHE/log"
	host_apt_update
	DEBIAN_FRONTEND=noninteractive quietly "$CACHE/log/apt-install" \
		apt-get install -q -y --no-install-recommends mmdebstrap ||
		die 69 "apt could not install mmdebstrap"
}

host_apt_update()
{
	mkdir -p "$CACHE/log"
	quietly "$CACHE/log/apt-update" apt-get update -q ||
		die 69 "this machine's apt could not fetch its package lists: is there a network?"
}
