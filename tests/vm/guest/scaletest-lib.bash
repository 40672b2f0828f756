# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # the constants are for those who source this
#
# For benchmarks with many cgroups, a sleeping process in each; after lib.sh. A benchmark sets RUNS.
# The kernel's own selection is clocked while the module is not there, as its hooks would slow it
# down: one more reason to win by.
made=0

# median NAME UNIT < NUMBERS: a figure of them, also left in MEDIAN, and the least in LEAST.
median()
{
	local name=$1 unit=$2 numbers
	mapfile -t numbers < <(sort -n)
	((${#numbers[@]} > 0)) || fail "no value for $name"
	printf '%s: %s\n' "$name" "${numbers[*]}"
	MEDIAN=${numbers[${#numbers[@]} / 2]}
	LEAST=${numbers[0]}
	figure "$name" "$MEDIAN" "$unit, the median of ${#numbers[@]}"
}

# ratio NAME KERNEL: MEDIAN and LEAST to those of the kernel. A busy host only ever adds to a time,
# so the least of each is the steadier comparison.
ratio()
{
	local median least
	read -r median least <"/run/$2"
	figure "$1" "$(awk -v a="$MEDIAN" -v b="$median" 'BEGIN { printf "%.3f", a / b }')" \
		"of the kernel's own"
	figure "$1_least" "$(awk -v a="$LEAST" -v b="$least" 'BEGIN { printf "%.3f", a / b }')" \
		"of the kernel's own, the least of each"
}

# records FIELD MESSAGE_ID: of all entries since the last log_mark, a line each.
records()
{
	journalctl -q -o cat --output-fields="$1" --since="$LOG_SINCE" MESSAGE_ID="$2"
}

records_are()
{
	(($(records MESSAGE_ID "$1" | wc -l) == $2))
}

# bench_kernel KIND N: adds cgroups up to N, one of them the hog's, and clocks the kernel.
bench_kernel()
{
	local kind=$1 n=$2
	! lsmod | grep -q '^bpf_oom ' || fail "the module is loaded"
	scaletest grow "$made" $((n - 1))
	scaletest select "$kind" "$RUNS" >/run/selection
	median "${kind}_kernel_$n" ns </run/selection
	echo "$MEDIAN $LEAST" >"/run/kernel-$n"
}

# select_by_policy KIND NAME N: OOMs among N cgroups that the daemon's policy decides. Figures for
# the selection alone, and for all from the beginning of the OOM to the kill.
select_by_policy()
{
	local kind=$1 name=$1_$2 n=$3 cgroups
	log_mark
	scaletest select "$kind" "$RUNS" >/run/selection
	wait_for 30 "$RUNS records" records_are "$MESSAGE_ID_KILL" "$RUNS"
	# With spread priorities it begins where the victim is, and need not go on.
	while read -r cgroups; do
		[[ $2 == spread ]] || ((cgroups >= n)) ||
			fail "the handler looked at $cgroups cgroups, $n were made"
	done < <(records OOMPOLICY_CGROUPS "$MESSAGE_ID_KILL")
	assert_eq "the victims' cgroup" \
		"$(records OOMPOLICY_VICTIM_CGROUP "$MESSAGE_ID_KILL" | sort -u)" /oomtest/hog
	median "${name}_processes_$n" "looked at" < <(records OOMPOLICY_TASKS "$MESSAGE_ID_KILL")
	median "${name}_select_$n" ns < <(records OOMPOLICY_SELECT_NSEC "$MESSAGE_ID_KILL")
	ratio "${name}_select_ratio_$n" "kernel-$n"
	median "${name}_way_$n" ns </run/selection
	ratio "${name}_way_ratio_$n" "kernel-$n"
}

# rules_write N PRIORITY
rules_write()
{
	scaletest rules "$1" "$2" | config_write
}

module_remove()
{
	daemon_stop
	# What is left of the policies goes a moment later. Of single tests none may have loaded it.
	! lsmod | grep -q '^bpf_oom ' || wait_for 20 "the module to be free" rmmod bpf_oom
}
