# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # the variables are for those who source this
#
# The kernels that the tests run on, all of them, in this one table.
#
# NAME     what a guest script says in its `# vm: kernels= extra=` and a result after the '@'
# SYSTEM   the Debian that is booted, which the module and the daemon are built in
# KERNEL   'package': the one that comes with that Debian; 'package-FLAVOUR': that of its package
#          linux-image-FLAVOUR-amd64; else the trimmed one that tests/vm/kernel builds by this name
#          from the linux-source package
# RUNS     'always', or only 'with-all', as it takes more time than a usual run has
# COMMAND LINE  what the kernel is told beside the usual. vm.module=posted: the module behaves as a
#          kernel with the posted series would, see tests/vm/posted
KERNEL_DEFAULT=trixie
KERNEL_TABLE='
trixie    trixie    package     always
bookworm  bookworm  package     always
sid       sid       package     always
v2        bookworm  memcg-v1    with-all
hybrid    bookworm  memcg-v1    with-all  systemd.unified_cgroup_hierarchy=0
v1        bookworm  memcg-v1    with-all  systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1
debug     bookworm  debug       with-all
namespace bookworm  namespace   with-all
clang     trixie    clang       with-all
rt        trixie    package-rt  with-all
posted    trixie    package     always    vm.module=posted
'

# kernel_names: one a line, in the table's order.
kernel_names()
{
	awk 'NF { print $1 }' <<<"$KERNEL_TABLE"
}

# kernel_select NAME: whether there is one; leaves its row in KERNEL_NAME, KERNEL_SYSTEM,
# KERNEL_SOURCE, KERNEL_RUNS and KERNEL_APPEND.
kernel_select()
{
	local name system source runs append
	while read -r name system source runs append; do
		[[ $name == "$1" ]] || continue
		KERNEL_NAME=$name KERNEL_SYSTEM=$system KERNEL_SOURCE=$source KERNEL_RUNS=$runs
		KERNEL_APPEND=$append
		return 0
	done < <(sed '/^$/d' <<<"$KERNEL_TABLE")
	return 1
}

# group_name SCRIPT KERNEL: what the results of a guest script on a kernel are called.
group_name()
{
	local name
	name=$(basename "$1" .sh)
	[[ $2 == "$KERNEL_DEFAULT" ]] || name+=@$2
	printf '%s\n' "$name"
}

# group_selected GROUP PATTERN: may the pattern match a test of this group? What stands before its
# slash must match up to the end of the group's name: 'module/' means 'module', not 'module@sid'.
group_selected()
{
	[[ $2 != */* || $1 =~ (${2%%/*})$ ]]
}

# script_setting SCRIPT NAME: the value of NAME= in the script's `# vm:` line, if there is one.
script_setting()
{
	sed -n 's/^# vm: *//p' "$1" | tr -s ' ' '\n' | sed -n "s/^$2=//p" | tail -n 1
}

# script_kernels SCRIPT [SETTING]: the kernels that a guest script is to run on, one a line; or with
# `extra`, those that it runs on with --all alone. Dies where it names one that is not in the table.
script_kernels()
{
	local kernels name setting=${2:-kernels}
	kernels=$(script_setting "$1" "$setting")
	for name in ${kernels//,/ }; do
		kernel_select "$name" || die 65 "$1: there is no kernel '$name', see tools/lib/kernels.sh"
		printf '%s\n' "$name"
	done
	[[ -n $kernels || $setting == extra ]] || printf '%s\n' "$KERNEL_DEFAULT"
}
