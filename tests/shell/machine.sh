#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A machine that others go on from: it is saved only where it has booted without a fault.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

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

: >"$work/disk"
MACHINE_DISK=$work/disk MACHINE_SAVED=$work/machine-key.booted
linux='[ 0.0] Linux version 6.12'
expect_output clean saved save "$linux" 'Migration status: completed'
expect_output kernel_at_fault "the kernel's log is not clean:" save "$linux"$'\n[ 9.9] WARNING: CPU: 0' 'Migration status: completed'
expect_output never_booted "the kernel's log is not clean:" save '' ''
expect_output not_saved 'machine.sh: the machine that others go on from could not be booted and saved' save "$linux" 'Migration status: failed'
