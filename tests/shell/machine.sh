#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A machine that others go on from: it is saved only where it has booted without a fault.
set -euo pipefail
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OOMPOLICYD_CACHE=$work/cache OOMPOLICYD_BUILD=$work/build
. "$TOP/tools/lib/all.sh"

machine_start()
{
	printf '%s\n' "$KERNEL_SAYS" >"$1/kernel"
	echo vm-ready >"$1/output"
	echo "$QEMU_SAYS" >"$1/qemu"
	true &
	MACHINE_PID=$!
}

# save KERNEL_SAYS QEMU_SAYS: "saved" or not, and what is said.
save()
{
	KERNEL_SAYS=$1 QEMU_SAYS=$2
	rm -rf "$work/machine"*
	(machine_boot "$work/machine" 5) 2>"$work/said" || :
	[[ ! -e $MACHINE_SAVED/complete ]] || echo saved
	grep -x -e "the kernel's log is not clean:" -e '.*could not be booted and saved' "$work/said" || :
}

# expect NAME EXPECTED KERNEL_SAYS QEMU_SAYS
expect()
{
	local seen
	seen=$(save "$3" "$4" | paste -sd' ')
	if [[ $seen == "$2" ]]; then
		echo "ok $1"
	else
		echo "not ok $1: '$seen', expected '$2'"
	fi
}

mkdir -p "$work/build"
: >"$work/disk"
MACHINE_DISK=$work/disk MACHINE_SAVED=$work/machine-key.booted
linux='[ 0.0] Linux version 6.12'
expect clean saved "$linux" 'Migration status: completed'
expect kernel_at_fault "the kernel's log is not clean:" "$linux"$'\n[ 9.9] WARNING: CPU: 0' 'Migration status: completed'
expect never_booted "the kernel's log is not clean:" '' ''
expect not_saved 'machine.sh: the machine that others go on from could not be booted and saved' "$linux" 'Migration status: failed'
