#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# bpf_oom.ko with the memory controller of cgroup v1: who listens on the root's memory.oom_control is
# woken by a system OOM.
# vm: memory=512 cpus=2 timeout=300 kernels=v1
. "$(dirname "$0")/lib.sh"

readonly INTERFACE=/usr/lib/oompolicyd-tests/interface

modprobe bpf_oom
mapfile -t names < <("$INTERFACE" list-v1)
plan ${#names[@]}
for name in "${names[@]}"; do
	run_test "$name" "$INTERFACE" "$name"
done
