# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For guest scripts that compare reports of OOMs.

# shape LOG: the kernel's log without what differs from kill to kill: numbers, names, the stack, the tasks listed,
# the kinds of free blocks; and without what the kernel says now or later or not at all.
shape()
{
	awk '/ invoked oom-killer:/ { report = 1 }
		!report || /oom_reaper: |already exiting/ { next }
		/^CPU: / { stack = 1 }
		/^memory: usage|^Mem-Info:/ { stack = 0 }
		!stack' "$1" |
		sed -E -e 's/^.* invoked/COMM invoked/' -e 's/\(GFP_[A-Z_|]*\)/(GFP)/' \
			-e 's#/report/[a-z]+/(small|large)#PATH#g' -e 's#/report/[a-z]+#PATH#g' \
			-e 's/(small|large)2?/COMM/g' -e 's/0x[0-9a-f]+/N/g' -e 's/-?[0-9]+/N/g' \
			-e 's/^\[ *N\].*/TASK/' -e 's/ \([UMEHC]+\)//g' -e 's/ +/ /g' |
		uniq
}
