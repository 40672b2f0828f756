#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The interfaces of bpf_oom.ko other than the struct_ops policy: task evaluation, declared OOMs, memory
# cgroups, remote OOMs; and objects written against the posted patches alone.
# vm: memory=512 cpus=2 timeout=1500 kernels=trixie,sid,v2,debug extra=bookworm,namespace,clang,rt
. "$(dirname "$0")/lib.sh"

readonly INTERFACE=/usr/lib/oompolicyd-tests/interface
readonly CONFORMANCE=/usr/lib/oompolicyd-tests/conformance

# What is tested is in the kernel's report.
run_reported()
{
	reports_settle
	"$@"
}

test_unload_refused_while_attached()
{
	"$INTERFACE" stay >/run/interface-stay &
	local pid=$!
	wait_for 20 "the programs to be attached" grep -q attached /run/interface-stay
	assert_status 1 rmmod bpf_oom
	assert_match "rmmod's message" "$OUTPUT" 'in use'
	kill "$pid"
	wait "$pid" 2>/dev/null || :
	wait_for 10 "the module to be free" rmmod bpf_oom
	modprobe bpf_oom
}

# Declared OOMs run into the module's end, and find it refused or gone, never half there.
test_unload_while_declared()
{
	local i
	for ((i = 0; i < 10; i++)); do
		"$INTERFACE" declare-memcg 2>/dev/null &
		rmmod bpf_oom 2>/dev/null || :
		wait
		modprobe bpf_oom
	done
	"$INTERFACE" declare-memcg
}

# Every program of the daemon is in the table verifier-budget, and within it. Those that it has loaded
# are found by their names, as it keeps no descriptor of those of struct_ops.
test_verifier_budget()
{
	local backend decides name insns states most_insns most_states
	verified >/run/verified || fail "not all can be loaded"
	while read -r name insns states; do
		read -r most_insns most_states < <(awk -v name="$name" '$1 == name { print $2, $3 }' verifier-budget) ||
			fail "$name is not in the table verifier-budget"
		printf '%s: %d instructions of %d, %d states of %d\n' "$name" "$insns" "$most_insns" "$states" "$most_states"
		((insns <= most_insns)) || fail "$name takes $insns instructions, the budget is $most_insns"
		((states <= most_states)) || fail "$name takes $states states, the budget is $most_states"
	done </run/verified
	for backend in struct_ops evaluate_task; do
		decides=op_handle_oom
		[[ $backend == struct_ops ]] || decides=op_evaluate
		config_write <<END
[Daemon]
Backend=$backend

[Trigger any]
Cgroup=/
Pressure=full 900ms/1s
END
		systemctl restart oompolicyd.service || fail "no start with Backend=$backend: $(daemon_status)"
		bpftool prog list | sed -n 's/.* name \(op_[a-z_]*\) .*/\1/p' | sort -u >/run/loaded
		grep -q -x "$decides" /run/loaded || fail "$decides is not loaded, only: $(paste -sd' ' /run/loaded)"
		name=$(cut -d ' ' -f 1 /run/verified | sort | comm -13 - /run/loaded)
		[[ -z $name ]] || fail "nothing is known of $name"
	done
	daemon_stop
}

modprobe bpf_oom
mapfile -t names < <("$INTERFACE" list)
mapfile -t objects < <("$CONFORMANCE" list)
plan $((${#names[@]} + 2 * ${#objects[@]} + 3))
for name in "${names[@]}"; do
	run_test "$name" run_reported "$INTERFACE" "$name"
done
for name in "${objects[@]}"; do
	for types in '' -kernel; do
		run_test "conformance-$name$types" run_reported "$CONFORMANCE" "$name" \
			"/usr/lib/oompolicyd-tests/$name$types.conformance.o"
	done
done
run_test unload-refused-while-attached test_unload_refused_while_attached
run_test unload-while-declared test_unload_while_declared
run_test verifier-budget test_verifier_budget
