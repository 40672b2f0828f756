#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# sparse over the module, against the headers of the kernel that it is built for: address spaces,
# locks that are taken and not given back, endianness. What it says of the kernel's own headers is
# not ours to mend and left out.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

headers=$(printf '%s\n' /usr/src/linux-headers-*-amd64 | sort -V | tail -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r kmod "$work/"
log=$work/log
if ! make -C "$headers" M="$work/kmod" C=2 CHECK=sparse modules >"$log" 2>&1; then
	tail -n 20 "$log"
	exit 1
fi
# The checker is asked for by name: without it make would say nothing.
if ! grep -q '^ *CHECK ' "$log"; then
	printf 'sparse was not run\n'
	exit 1
fi

# Kfuncs and the hooks for others to attach to are called by no C code: nothing declares them.
called_by_bpf=$(sed -n -E 's/^__(bpf_kfunc|weak noinline) .*[ *]([a-z_]+)\(.*/\2/p' kmod/*.c | paste -sd'|')
! grep -F "$work/kmod/" "$log" | grep -E ' (warning|error): ' |
	grep -v -E "warning: symbol '($called_by_bpf)' was not declared" | sed "s,$work/,,"
