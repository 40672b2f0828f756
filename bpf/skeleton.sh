#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# skeleton.sh BPFTOOL OBJECT NAME LIBBPF_VERSION: print the skeleton header of OBJECT.
#
# bpftool 7.5 fills a member of struct bpf_map_skeleton for struct_ops maps that libbpf has only
# since 1.5; bookworm-backports pairs it with 1.4. The daemon attaches its struct_ops itself, so
# for an older libbpf those lines are left out.
set -eu
bpftool=$1 object=$2 name=$3 libbpf=$4

case $libbpf in
1.[0-4].* | 1.[0-4]) drop='/->link = &obj->links\./d' ;;
*) drop='' ;;
esac
"$bpftool" gen skeleton "$object" name "$name" | sed -e "$drop"
