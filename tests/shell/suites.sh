#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What becomes of a group that fails: which are run once more, and what is counted. Which groups go on
# from one boot. Which disks are made ahead. What is counted where meson or a disk's recipe fail.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"
. "$TOP/tools/lib/results.sh"
. "$TOP/tools/lib/suites.sh"
PATTERN='' CI=''

progress()
{
	:
}

# A group's name says how its first and its second run end.
guest_boot()
{
	local turn=1
	[[ ! -e $LOGS/$1.failed ]] || turn=2
	case $(cut -d- -f"$turn" <<<"$1") in
	good) echo "ok a" >"$LOGS/$1/output" ;;
	bad) echo "not ok a: why" >"$LOGS/$1/output" ;;
	alone) echo "${GROUP_SHARED[$1]:+not }ok a" >"$LOGS/$1/output" ;;
	fault)
		echo "ok a" >"$LOGS/$1/output"
		echo "the kernel's log is not clean:"
		exit 1
		;;
	unbooted)
		: >"$LOGS/$1/output"
		printf '%s\n' "the kernel's log is not clean:" 'no kernel has written to this log'
		exit 125
		;;
	esac >"$LOGS/$1/boot"
}

# As a program of its own with GROUP...: prints "passed failed unstable" after both turns.
if (($# > 0)); then
	for group; do
		GROUP_SCRIPT[$group]=none GROUP_KERNEL[$group]=none GROUP_SHARED[$group]=yes
	done
	exec 3>&1 >/dev/null
	groups_run vm 2 first "$@"
	again=("${GROUPS_FAILED[@]}")
	((${#again[@]} == 0)) || groups_again vm "${again[@]}"
	printf '%d %d %d\n' "$PASSED" "$FAILED" "${#UNSTABLE[@]}" >&3
	exit 0
fi

expect_output good '1 0 0' "${BASH_SOURCE[0]}" good
expect_output passes_then '1 0 1' "${BASH_SOURCE[0]}" bad-good
expect_output shares_no_boot_again '1 0 1' "${BASH_SOURCE[0]}" bad-alone
expect_output fails_again '0 1 0' "${BASH_SOURCE[0]}" bad-bad
expect_output fault_is_not_forgiven '1 1 0' "${BASH_SOURCE[0]}" fault-good
expect_output fault_at_the_second_run '1 1 0' "${BASH_SOURCE[0]}" bad-fault
expect_output not_booted_is_no_fault '1 0 1' "${BASH_SOURCE[0]}" unbooted-good
expect_output several '3 1 1' "${BASH_SOURCE[0]}" good bad-good fault-good

# expect_shared NAME EXPECTED GROUP=SETTINGS...: the groups in the order in which they run, those that
# share a boot with a +.
expect_shared()
{
	local name=$1 expected=$2 group settings seen='' groups=()
	shift 2
	mkdir -p "$work"/{guest,tests/vm/host,host/tests/vm/guest}
	for group; do
		settings=${group#*=} group=${group%%=*}
		GROUP_SCRIPT[$group]=$work/guest/$group
		[[ $group != host* ]] || GROUP_SCRIPT[$group]=$work/tests/vm/host/$group
		[[ $group != below* ]] || GROUP_SCRIPT[$group]=$work/host/tests/vm/guest/$group
		GROUP_KERNEL[$group]=$(sed -n 's/.*@//p' <<<"$group")
		printf '# vm: %s\n' "$settings" >"${GROUP_SCRIPT[$group]}"
		groups+=("$group")
	done
	groups_share "${groups[@]}"
	for group in "${GROUPS_ORDERED[@]}"; do
		seen+=" $group${GROUP_SHARED[$group]:++}"
	done
	if [[ $seen == " $expected" ]]; then
		echo "ok $name"
	else
		echo "not ok $name: '$seen', expected '$expected'"
	fi
}

expect_shared alike 'a+ b+' a='memory=1024 timeout=20' b='timeout=10 kernels=trixie memory=1024'
expect_shared one 'a' a='memory=1024'
expect_shared alone_comes_first 'b a+ c+' a='memory=1' b='memory=2' c='memory=1'
expect_shared command_line 'a b' a='append=x' b='append=y'
expect_shared kernel 'a@sid b+ c+' a@sid='' b='' c=''
expect_shared enabled 'a b' a='enabled=yes' b='enabled=no'
expect_shared clock 'a b' a='clock=instructions' b=''
expect_shared stock 'a b' a='disk=stock' b=''
expect_shared nothing_said 'a+ b+' a='' b=''
expect_shared below_a_directory_named_host 'below1+ below2+' below1='' below2=''
expect_shared host_has_no_machine 'host1 host2 a+ b+' a='' host1='' b='' host2=''

# expect_ahead NAME EXPECTED PATTERN STATUS: the disks that are made ahead, "KERNEL/DISK" each, where
# making one ends with STATUS.
expect_ahead()
{
	local name=$1 expected=$2 seen
	PATTERN=$3 AHEAD_STATUS=$4
	: >"$work/made"
	machines_ahead
	aside_wait
	seen=$(paste -sd' ' "$work/made")
	if [[ "$ATTEMPT $seen" == "$expected" ]]; then
		echo "ok $name"
	else
		echo "not ok $name: '$ATTEMPT $seen', expected '$expected'"
	fi
}

root_ensure()
{
	[[ -e $work/root ]]
}

disk_ensure()
{
	echo "$1/$2" >>"$work/made"
	return "$AHEAD_STATUS"
}

EVERY_KERNEL=no
rm -rf "${work:?}/guest"
mkdir "$work/guest"
echo '# vm: extra=v2' >"$work/guest/a.sh"
echo '# vm: kernels=trixie,sid,v1' >"$work/guest/b.sh"
echo '# vm: disk=stock' >"$work/guest/c.sh"
VM_SCRIPTS=("$work/guest"/*.sh)
expect_ahead ahead_without_a_root '0 ' '' 0
touch "$work/root"
expect_ahead ahead_each_once '0 trixie/ sid/ trixie/stock' '' 0
expect_ahead ahead_what_is_selected '0 trixie/stock' '^c/x' 0
expect_ahead ahead_nothing '0 ' '^d/x' 0
expect_ahead ahead_ends_at_the_first_failure '1 trixie/' '' 1
EVERY_KERNEL=yes
expect_ahead ahead_with_all '0 trixie/ v2/ sid/ v1/' '^[ab].*/' 0

# What fails in the middle of making a disk ends that, though no word is said.
# shellcheck disable=SC2317 # called by guest_groups
half_a_disk()
{
	disk_ensure()
	{
		false
		echo "went on" >&2
	}
	groups_run()
	{
		echo "booted:${*:4}"
	}
	groups_share()
	{
		GROUPS_ORDERED=("$@")
	}
	PATTERN='' PASSED=0 FAILED=0
	guest_groups vm 1 "$work/guest/c.sh" 2>&1
	echo "$FAILED"
}
expect_output half_a_disk 'FAILED machine@trixie-stock: could not be made skipped c: its machine could not be made, see above booted: 1' half_a_disk

# drops_boots GROUP...: the saved machines that are left after these have run.
# shellcheck disable=SC2317 # called by guest_groups
drops_boots()
{
	local group
	PATTERN=''
	for group; do
		GROUP_SCRIPT[$group]=$work/guest/a.sh GROUP_KERNEL[$group]=trixie
	done
	groups_select()
	{
		GROUPS_SELECTED=("$@") GROUPS_LEFT_OUT=()
	}
	machine_for()
	{
		READY[trixie]=yes
	}
	mkdir -p "$BUILD/vm/disk-trixie-1.booted"
	guest_groups vm 1 "$@" >/dev/null
	(cd "$BUILD/vm" && find . -name "*.booted" -printf "%f\n")
}
expect_output keeps_a_good_boot disk-trixie-1.booted drops_boots good-a good-b
expect_output drops_a_boot_that_others_failed_on '' drops_boots good-a bad-good

# unit_ends STATUS LINES: passed and failed, where meson ends with STATUS and tells of tests in LINES, one
# program that passes a line; a line "cut" is no JSON.
# shellcheck disable=SC2317 # called by unit_variant
unit_ends()
{
	local meson_status=$1 lines=$2
	build_or_fail()
	{
		ATTEMPT=0
	}
	suite_run()
	{
		case $1 in
		meson)
			printf '%b' "$lines" >"$BUILD/x/meson-logs/testlog.json"
			return "$meson_status"
			;;
		*)
			! grep -q cut "$3" || return 1
			echo "ok a" >"$BUILD/x/results/1"
			sed "s|.*|&\t0\t$BUILD/x/results/1|" "$3"
			;;
		esac
	}
	mkdir -p "$BUILD/x/meson-logs"
	PATTERN='' PASSED=0 FAILED=0
	unit_variant x >/dev/null
	echo "$PASSED $FAILED"
}
expect_output unit_all '2 0' unit_ends 0 'one\ntwo\n'
expect_output unit_killed '1 1' unit_ends 137 'one\n'
expect_output unit_list_cut_short '0 1' unit_ends 0 'one\ncut\n'
