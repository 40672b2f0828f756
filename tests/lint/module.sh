#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Nothing in the module calls a function of the kernel through a pointer, unless it is one that the
# kernel calls so itself: other functions have no ENDBR that a processor with IBT asks for, and no type
# that a kernel with kCFI does. Neither is there under emulation, so the object file is looked at.
#
# And the module compiles where the kernel has an interface itself: it refuses to be loaded there, but
# DKMS, which builds it for each new kernel, must not fail.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Functions of the module that have an indirect call, and what it comes to.
legal='
__traceiter_select_bad_process_end  the probes of a tracepoint
__traceiter_bpf_oom_end             likewise
hook_callback                       wanted of a hook, the functions of this module in hook.c
run_policy                          handle_out_of_memory of a BPF program, by its trampoline
percpu_ref_put_many                 the release of a percpu reference, which the kernel calls so too
'

headers=$(printf '%s\n' /usr/src/linux-headers-*-amd64 | sort -V | tail -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build DIRECTORY [MAKE_ARGUMENT]
build()
{
	cp -r kmod "$work/$1"
	if ! make -C "$headers" M="$work/$1" modules "${@:2}" >"$work/log" 2>&1; then
		tail -n 20 "$work/log"
		exit 1
	fi
}

build with-hook "KCFLAGS=-include $PWD/tests/lint/hook-2023.h"
build kmod

# A function that is inlined is found by its line of the source.
objdump -d -r -l "$work/kmod/bpf_oom.ko" >"$work/text"
indirect=$(awk '
	/^[0-9a-f]+ <.*>:$/ { function_ = substr($2, 2, length($2) - 3) }
	/^[A-Za-z_][A-Za-z_0-9.]*\(\):$/ { inlined = substr($1, 1, length($1) - 3) }
	/__x86_indirect_thunk|(call|jmp) +\*/ { print function_, inlined }' "$work/text" | sort -u)
# Not one would mean that they are not found: there are those of the table.
if [[ -z $indirect ]]; then
	printf 'no indirect call was found in bpf_oom.ko: %s does not know how they look\n' "$0"
	exit 1
fi
status=0
while read -r outer inner; do
	if ! grep -q "^$inner " <<<"$legal"; then
		printf 'kmod: %s (%s) calls through a pointer; make it a static call, as in symbols.c, or say here what it comes to\n' "$inner" "$outer"
		status=1
	fi
done <<<"$indirect"
exit "$status"
