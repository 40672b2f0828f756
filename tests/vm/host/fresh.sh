#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vm: kernels=trixie extra=bookworm,sid timeout=1200
#
# fresh.sh RELEASE: the quick start, as on a machine that has never seen this tree: in a bare root of
# the release with git, mmdebstrap and what these depend on, a clone of the tree runs tools/demo to its
# end. Of the machine that runs the tests it sees the cache alone, whose content is made by recipe; a
# package that somebody has installed here cannot hide one that is missing. It is a plain chroot, so it
# stands for containers too.
set -euo pipefail

unset CDPATH
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd -P)
. "$TOP/tools/lib/all.sh"

# bare_fill DIRECTORY RELEASE
# shellcheck disable=SC2317 # called by cached_ensure
bare_fill()
{
	local option options=()
	archive_lines "$2" >"$1/sources.list"
	while IFS= read -r option; do
		options+=("--aptopt=$option")
	done < <(archive_options)
	unshare --mount mmdebstrap --mode=root --variant=minbase --format=directory "${options[@]}" \
		--dpkgopt=force-unsafe-io --include=git,ca-certificates,mmdebstrap "$2" "$1/root" "$1/sources.list"
}

release=$1
failed=0
# result NAME STATUS REASON
result()
{
	if (($2 == 0)); then
		printf 'ok %s\n' "$1"
	else
		printf 'not ok %s: %s\n' "$1" "$3"
		failed=1
	fi
}

host_require
trap 'child_end; temporary_end' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cache_use
key=$(sha256sum <"${BASH_SOURCE[0]}" | cut -c1-16)
bare=$CACHE/bare-$release-$key
cached_ensure "$bare" "a bare root of Debian $release" bare_fill "$release"
temporary "fresh-$release"
root=$TEMPORARY/root
cp -a --reflink=auto "$bare/root" "$root"
cp /etc/resolv.conf "$root/etc/resolv.conf"
mkdir -p "$root"/{srv/tree,var/cache/oompolicyd}

# bare_run COMMAND...: the root is no mount point itself, as in a plain chroot; all mounts end with the
# command.
bare_run()
{
	# shellcheck disable=SC2016 # expanded by the inner shell
	unshare --mount bash -euc '
		root=$1 top=$2 cache=$3 stay=$4
		shift 4
		mount --bind "$top" "$root/srv/tree"
		mount --bind "$cache" "$root/var/cache/oompolicyd"
		mount -t proc none "$root/proc"
		mount --rbind /dev "$root/dev"
		exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
			OOMPOLICYD_ROOTS_STAY="$stay" "$@"' \
		bare_run "$root" "$TOP" "$CACHE" "${OOMPOLICYD_ROOTS_STAY:-}" "$@"
}

# What the machine has: its packages, its apt's sources, its kernels.
bare_state()
{
	# shellcheck disable=SC2016 # dpkg-query's own placeholders
	bare_run sh -c 'dpkg-query -W -f "\${Package} \${Version}\n"
		cd /etc/apt && find . -type f | sort | xargs cat; ls /boot /lib/modules 2>&1 || :'
}

printf 'plan 4\n'
# What is not committed is not in the clone.
printf '[safe]\n\tdirectory = *\n' >"$root/root/.gitconfig"
bare_run git clone -q /srv/tree /root/oompolicyd
before=$(bare_state)
for name in demo_runs demo_runs_again; do
	status=0 started=$SECONDS
	bare_run /root/oompolicyd/tools/demo >"$TEMPORARY/demo" 2>&1 || status=$?
	sed 's/^/# /' "$TEMPORARY/demo"
	grep -q '^ok ' "$TEMPORARY/demo" || status=1
	result "$name" "$status" "tools/demo did not come to its end, see above"
	printf 'figure %s %d s\n' "$name" $((SECONDS - started))
done
after=$(bare_state)
status=0
[[ $after == "$before" ]] || status=1
result nothing_is_installed "$status" "packages, sources or kernels are others than before: $(diff <(echo "$before") <(echo "$after") | head -3 | paste -sd' ')"
status=0
! grep -q -s -F " $root/" /proc/[0-9]*/mountinfo || status=1
result nothing_is_mounted "$status" "file systems are still mounted below $root"
exit $failed
