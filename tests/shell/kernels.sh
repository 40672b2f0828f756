#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The table of kernels, what runs on which, and the choice among cached build roots.
set -euo pipefail
TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export OOMPOLICYD_CACHE=$work/cache
mkdir "$work/cache"
. "$TOP/tools/lib/common.sh"
. "$TOP/tools/lib/kernels.sh"
. "$TOP/tools/lib/root.sh"

# expect NAME EXPECTED COMMAND...: what the command writes, and 'fails' if it does.
expect()
{
	local name=$1 expected=$2 seen
	shift 2
	seen=$("$@" 2>/dev/null) || seen+=fails
	if [[ $seen == "$expected" ]]; then
		echo "ok $name"
	else
		echo "not ok $name: '$seen', expected '$expected'"
	fi
}

row()
{
	kernel_select "$1" || return
	printf '%s|%s|%s|%s|%s' "$KERNEL_NAME" "$KERNEL_SYSTEM" "$KERNEL_SOURCE" "$KERNEL_RUNS" "$KERNEL_APPEND"
}

# Every row is one that the tools can act upon.
table_is_sound()
{
	local name
	for name in $(kernel_names); do
		kernel_select "$name"
		[[ $KERNEL_RUNS == always || $KERNEL_RUNS == with-all ]] || echo "$name runs '$KERNEL_RUNS'"
		[[ -e $TOP/tests/vm/image/packages.$KERNEL_SYSTEM ]] || echo "$name has no image"
		[[ $KERNEL_SOURCE == package ]] || grep -q "^$KERNEL_SOURCE)" "$TOP/tests/vm/kernel/build" ||
			echo "$name has no recipe"
		[[ $KERNEL_SOURCE == package || -e $TOP/tests/vm/root/packages.$KERNEL_SYSTEM-kernel ]] ||
			echo "$name has no build root"
	done
}

# kernels_of TEXT [SETTING]: of a guest script that begins so.
kernels_of()
{
	printf '%s\n' "$1" >"$work/script.sh"
	script_kernels "$work/script.sh" "${2:-kernels}" | paste -sd' '
}

all_scripts_name_known_kernels()
{
	local script
	for script in "$TOP"/tests/vm/guest/*.sh "$TOP"/tests/bench/*.sh; do
		{ script_kernels "$script" && script_kernels "$script" extra; } >/dev/null || echo "$script"
	done
}

names_are_unique()
{
	for script in "$TOP"/tests/vm/{guest,host}/*.sh "$TOP"/tests/bench/*.sh; do
		group_name "$script" trixie
	done | sort | uniq -d
}

# make_root RELEASE RECIPE AGE_SECONDS [FILE]
make_root()
{
	local dir
	dir=$CACHE/root-$1-$2-$(($(date +%s) - $3))
	mkdir -p "$dir"
	touch "$dir/${4:-complete}"
}

found_age()
{
	local dir
	dir=$(root_find sid)
	root_age "$dir"
}

expect table_is_sound '' table_is_sound
expect row_plain 'trixie|trixie|package|always|' row trixie
expect row_with_command_line "v1|bookworm|memcg-v1|with-all|systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1" row v1
expect row_other_package 'rt|trixie|package-rt|with-all|' row rt
expect row_unknown fails row woody
expect row_empty fails row ''

expect group_on_default module group_name tests/vm/guest/module.sh trixie
expect group_on_other module@sid group_name tests/vm/guest/module.sh sid

expect default_kernel trixie kernels_of '# vm: memory=512 timeout=3'
expect no_settings trixie kernels_of 'echo'
expect several_kernels 'bookworm sid' kernels_of '# vm: memory=512 kernels=bookworm,sid timeout=3'
expect not_the_default 'v1' kernels_of '# vm: kernels=v1'
expect unknown_kernel 'fails' kernels_of '# vm: kernels=bookworms'
expect extra_kernels 'trixie v2' kernels_of '# vm: kernels=sid extra=trixie,v2' extra
expect no_extra_kernels '' kernels_of '# vm: kernels=bookworm,sid' extra
expect unknown_extra_kernel 'fails' kernels_of '# vm: extra=bookworms' extra
expect names_are_unique '' names_are_unique
expect scripts_name_known_kernels '' all_scripts_name_known_kernels

expect pattern_none '' group_selected module@sid ''
expect pattern_without_slash '' group_selected module 'kill'
expect pattern_group '' group_selected module 'module/'
expect pattern_group_of_other_kernel fails group_selected module@sid 'module/'
expect pattern_kernel '' group_selected module@sid 'module@sid/'
expect pattern_kernel_alone '' group_selected module@sid '@sid/'
expect pattern_kernel_spares_default fails group_selected module 'module@sid/'
expect pattern_longer_name fails group_selected victims-system '^victims/'
expect pattern_alternatives '' group_selected module@sid '^(demo|module)(@.*)?/kill'

recipe=$(root_recipe sid)
expect root_none '' root_find sid
make_root sid "$recipe" 100 incomplete
expect root_incomplete '' root_find sid
make_root sid 0123456789abcdef 50
expect root_of_another_recipe '' root_find sid
make_root trixie "$(root_recipe trixie)" 50
expect root_of_another_release '' root_find sid
make_root sid "$recipe" $((40 * 86400))
expect root_age_in_days 40 found_age
make_root sid "$recipe" $((3 * 86400))
expect root_newest 3 found_age
make_root sid "$recipe" -500000
expect root_of_a_later_clock 0 found_age

# ensured AGE_DAYS STAY: what is built where the only root is so old.
ensured()
{
	export OOMPOLICYD_ROOTS_STAY=$2
	rm -rf "$CACHE"/root-*
	make_root sid "$recipe" $(($1 * 86400))
	root_ensure sid
}

# shellcheck disable=SC2317 # called by root_ensure
root_build()
{
	echo "built $1"
}
expect root_young '' ensured 13 ''
expect root_old 'built sid' ensured 15 ''
expect root_old_in_a_run '' ensured 15 yes
