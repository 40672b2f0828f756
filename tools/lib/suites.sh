# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034,SC2153 # variables are shared with those who source this
#
# The suites of tools/check. Each builds what it needs, runs its tests and counts them with
# results.sh; a suite that cannot be built is a failed test.

# Machines and fuzzers that run side by side. The tests of a machine wait much of their time: two of
# them, with two processors each, share two cores well. Benchmarks run alone.
LANES=2

# The place of the test groups' logs.
LOGS=$BUILD/vm/log

# build_or_fail NAME COMMAND...: leaves in ATTEMPT whether the command could be run; one failed test if
# not.
build_or_fail()
{
	local name=$1
	shift
	attempt "$@"
	if ((ATTEMPT != 0)); then
		result_fail "$name" "could not be built"
	fi
}

# suite_build VARIANT [MESON_ARGUMENT...]: configures and compiles $BUILD/VARIANT in the build root of
# the default release, where lint, unit and fuzz run.
suite_build()
{
	local variant=$1
	shift
	build_in "$TOOL_ROOT"
	build_tree "$BUILD/$variant" "$@"
}

# suite_run COMMAND...: in that build root.
suite_run()
{
	root_ensure "$TOOL_ROOT"
	root_run "$ROOT" "$@"
}

# may_hold GROUP: may the pattern match a test "GROUP/NAME", where GROUP is of two words?
may_hold()
{
	[[ $PATTERN != */*/* || $1 =~ ($(cut -d/ -f1,2 <<<"$PATTERN"))$ ]]
}

# script_tests GROUP FILE...: programs that print result lines.
script_tests()
{
	local group=$1 file output
	shift
	output=$(mktemp)
	for file; do
		may_hold "$group/$(basename "$file" .sh)" || continue
		attempt suite_run "$file" >"$output" 2>&1
		results_count "$group/$(basename "$file" .sh)" "$ATTEMPT" "$output" "$PATTERN"
	done
	rm -f "$output"
}

# --- unit

suite_unit()
{
	script_tests unit "$TOP"/tests/shell/*.sh
	progress "unit: scripts"
	unit_variant "tree-$TOOL_ROOT" -Dwerror=true
	# gcc sees ghosts in instrumented code; what it warns of was judged in the build before.
	CC=gcc unit_variant asan -Db_sanitize=address,undefined
	CC=clang unit_variant clang "${CLANG_BUILD[@]}"
}

# What clang-tidy judges as well.
CLANG_BUILD=('-Db_sanitize=address,undefined' -Db_lundef=false -Dwerror=true)

# unit_variant NAME MESON_ARGUMENT...
unit_variant()
{
	local variant=$1 dir=$BUILD/$1 before=$PASSED failed=$FAILED ended name status file
	may_hold "unit/$variant" || return 0
	build_or_fail "unit/$variant" suite_build "$@"
	((ATTEMPT == 0)) || return 0

	rm -rf "$dir/results" "$dir/meson-logs/testlog.json"
	mkdir -p "$dir/results"
	ROOT_ENVIRONMENT=(ASAN_OPTIONS=detect_leaks=1:abort_on_error=0
		UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1)
	attempt suite_run meson test -C "$dir" --no-rebuild --num-processes 2 >"$dir/results/log" 2>&1
	ended=$ATTEMPT
	ROOT_ENVIRONMENT=()
	if [[ ! -s $dir/meson-logs/testlog.json ]]; then
		tail -n 20 "$dir/results/log"
		result_fail "unit/$variant" "meson ran no test"
		return
	fi
	attempt suite_run python3 "$TOP/tools/lib/testlog.py" "$dir/meson-logs/testlog.json" "$dir/results" \
		>"$dir/results/list"
	((ATTEMPT == 0)) || result_fail "unit/$variant" "what meson wrote could not be read"
	while IFS=$'\t' read -r name status file; do
		results_count "unit/$variant/$name" "$status" "$file" "$PATTERN"
	done <"$dir/results/list"
	[[ -n $PATTERN ]] || ((ended == 0 || FAILED > failed)) ||
		result_fail "unit/$variant" "meson ended with status $ended and told of no failure"
	progress "unit: $variant, $((PASSED - before)) passed"
}

# --- fuzz

suite_fuzz()
{
	local target name names=() next=0 n=0
	CC=clang build_or_fail fuzz suite_build fuzz -Dfuzz=true -Db_lundef=false
	((ATTEMPT == 0)) || return 0
	mkdir -p "$BUILD/log"
	for target in "$BUILD"/fuzz/tests/fuzz/fuzz_*; do
		name=${target##*/}
		if [[ -f $target && -x $target ]] && wanted "fuzz/$name"; then
			names+=("$name")
		fi
	done
	((${#names[@]} > 0)) || [[ -n $PATTERN ]] || result_fail fuzz "no target was built"
	while ((n < ${#names[@]})); do
		while ((next < ${#names[@]} && ${#CHILDREN[@]} < LANES)); do
			child_start "${names[next]}" fuzz_run "${names[next]}"
			next=$((next + 1))
		done
		child_wait
		name=$CHILD
		n=$((n + 1))
		if ((ATTEMPT == 0)); then
			result_pass
			progress "fuzz: $name, $(sed -n 's/^stat::number_of_executed_units: *//p' "$BUILD/log/$name") runs"
		else
			tail -n 30 "$BUILD/log/$name"
			result_fail "fuzz/$name" "status $ATTEMPT, log in $BUILD/log/$name"
		fi
	done
}

# fuzz_run NAME: is replaced by the target. Finds are kept from run to run, apart from the corpus of
# the tree.
fuzz_run()
{
	local corpus=$BUILD/fuzz/found/$1 directory seeds=()
	mkdir -p "$corpus"
	for directory in "$TOP/tests/fuzz/corpus/${1#fuzz_}" "$TOP/tests/fuzz/corpus/$1"; do
		[[ ! -d $directory ]] || seeds+=("$directory")
	done
	root_ensure "$TOOL_ROOT"
	root_become "$ROOT" timeout -k 5 "$((FUZZ_SECONDS + 120))" "$BUILD/fuzz/tests/fuzz/$1" \
		"-max_total_time=$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
		"-artifact_prefix=$BUILD/log/$1-" "$corpus" "${seeds[@]}" >"$BUILD/log/$1" 2>&1
}

# --- vm and bench: a guest script is one machine

# What holds groups up, by kernel: why its machine could not be made.
declare -A UNAVAILABLE=()

# machine_for SCRIPT KERNEL: has its disk made, once a run; READY or UNAVAILABLE say whether it could be.
# A Debian that the mirror has not, or no mirror, is told apart from what does not build.
declare -A READY=()
machine_for()
{
	local machine disk
	disk=$(script_setting "$1" disk)
	machine=$2${disk:+-$disk}
	[[ -z ${READY[$machine]:-}${UNAVAILABLE[$machine]:-} ]] || return 0
	attempt disk_ensure "$2" "$disk"
	case $ATTEMPT in
	0) READY[$machine]=yes ;;
	69) UNAVAILABLE[$machine]="what it runs on is not to be had here, see above" ;;
	*)
		UNAVAILABLE[$machine]="its machine could not be made, see above"
		result_fail "machine@$machine" "could not be made"
		;;
	esac
}

# groups_select FILE...: each script on each of its kernels, of what this run is to run. Leaves those
# groups in GROUPS_SELECTED, and what only runs with --all in GROUPS_LEFT_OUT.
groups_select()
{
	local script group kernel kernels extra
	GROUPS_SELECTED=() GROUPS_LEFT_OUT=()
	for script; do
		[[ ${script##*/} == lib.sh ]] && continue
		kernels=$(script_kernels "$script")
		extra=$(script_kernels "$script" extra)
		for kernel in $kernels $extra; do
			group=$(group_name "$script" "$kernel")
			group_selected "$group" "$PATTERN" || continue
			kernel_select "$kernel"
			if [[ $EVERY_KERNEL == no ]] &&
				{ [[ $KERNEL_RUNS == with-all ]] || grep -q -x "$kernel" <<<"$extra"; }; then
				GROUPS_LEFT_OUT+=("$group")
				continue
			fi
			GROUPS_SELECTED+=("$group")
			GROUP_SCRIPT[$group]=$script GROUP_KERNEL[$group]=$kernel
		done
	done
}

# guest_groups SUITE LANES FILE...: runs them, so many at a time. One that fails is run once more by
# itself, and counts as it ends then.
guest_groups()
{
	local suite=$1 lanes=$2 group disk machine ready=() again=()
	shift 2
	groups_select "$@"
	((${#GROUPS_LEFT_OUT[@]} == 0)) || progress "$suite: only with --all: ${GROUPS_LEFT_OUT[*]}"
	aside_wait

	# What all share is made before the first of them is booted.
	for group in "${GROUPS_SELECTED[@]}"; do
		disk=$(script_setting "${GROUP_SCRIPT[$group]}" disk)
		machine=${GROUP_KERNEL[$group]}${disk:+-$disk}
		machine_for "${GROUP_SCRIPT[$group]}" "${GROUP_KERNEL[$group]}"
		if [[ -n ${READY[$machine]:-} ]]; then
			ready+=("$group")
		else
			result_skip "$group" "${UNAVAILABLE[$machine]}"
		fi
	done

	export OOMPOLICYD_ROOTS_STAY=yes
	groups_share "${ready[@]}"
	SHARED_FAILED=no
	groups_run "$suite" "$lanes" first "${GROUPS_ORDERED[@]}"
	# What they went on from may be what was wrong.
	[[ $SHARED_FAILED == no ]] || rm -rf "$BUILD"/vm/disk-*.booted
	again=("${GROUPS_FAILED[@]}")
	((${#again[@]} == 0)) || groups_again "$suite" "${again[@]}"
}

# groups_share GROUP...: those whose machines are alike go on from one that is booted once. Leaves all in
# GROUPS_ORDERED: the others come first, as the longest are among them.
groups_share()
{
	local group machine alone=() shared=()
	local -A machines=() count=()
	GROUPS_ORDERED=() GROUP_SHARED=()
	for group; do
		machine=$(group_machine "$group")
		machines[$group]=$machine
		count[$machine]=$((${count[$machine]:-0} + 1))
	done
	for group; do
		machine=${machines[$group]}
		if [[ $machine == host ]] || ((count[$machine] == 1)); then
			alone+=("$group")
		else
			shared+=("$group")
			GROUP_SHARED[$group]=yes
		fi
	done
	GROUPS_ORDERED=("${alone[@]}" "${shared[@]}")
}

# group_machine GROUP: what is alike in two machines that are.
group_machine()
{
	local script=${GROUP_SCRIPT[$1]} name
	if [[ $script == */tests/vm/host/* ]]; then
		echo host
		return
	fi
	printf '%s' "${GROUP_KERNEL[$1]}"
	for name in disk memory cpus append clock enabled; do
		printf ' %s' "$(script_setting "$script" "$name")"
	done
}

# groups_again SUITE GROUP...: the second run of those that failed, one at a time, each on a boot of its
# own: what they shared may be what was wrong.
groups_again()
{
	local suite=$1 group
	shift
	GROUP_SHARED=()
	progress "$suite: once more, one at a time: $*"
	groups_run "$suite" 1 last "$@"
	for group; do
		if [[ " ${GROUPS_FAILED[*]} " != *" $group "* ]]; then
			result_unstable "$group" "failed, and passed when it was run by itself; logs in $LOGS/$group.failed and $LOGS/$group"
		fi
	done
}

# The script and the kernel of each group, and of those that share a boot: yes.
declare -A GROUP_SCRIPT=() GROUP_KERNEL=() GROUP_SHARED=()

# groups_run SUITE LANES first|last GROUP...: leaves those that failed in GROUPS_FAILED, and in SHARED_FAILED
# whether one of them shared its boot; the first time these are not counted, and their logs are kept
# apart. A fault of the kernel counts at once, and is not looked for a second time.
groups_run()
{
	local suite=$1 lanes=$2 turn=$3 group n=0 next=0 failed word
	shift 3
	local ready=("$@") total=$#
	local -A begun=()
	GROUPS_FAILED=()
	while ((n < total)); do
		while ((next < total && ${#CHILDREN[@]} < lanes)); do
			group=${ready[next]}
			next=$((next + 1))
			begun[$group]=$SECONDS
			rm -rf "${LOGS:?}/$group"
			mkdir -p "$LOGS/$group"
			child_start "$group" guest_boot "$group" "${GROUP_KERNEL[$group]}" "${GROUP_SCRIPT[$group]}"
		done
		child_wait
		group=$CHILD
		n=$((n + 1))
		failed=no word=''
		results_good "$group" "$ATTEMPT" "$LOGS/$group/output" "$PATTERN" || failed=yes word=', failed'
		[[ $failed == no || -z ${GROUP_SHARED[$group]:-} ]] || SHARED_FAILED=yes
		cat "$LOGS/$group/boot"
		if [[ $failed == yes && $turn == first ]] && ! kernel_at_fault "$group"; then
			GROUPS_FAILED+=("$group")
			rm -rf "${LOGS:?}/$group.failed"
			cp -a "$LOGS/$group" "$LOGS/$group.failed"
		else
			[[ $failed == no || $turn == first ]] || GROUPS_FAILED+=("$group")
			results_count "$group" "$ATTEMPT" "$LOGS/$group/output" "$PATTERN"
		fi
		progress "$suite: $n/$total $group, $((SECONDS - begun[$group])) s$word (logs in $LOGS/$group)"
	done
}

# kernel_at_fault GROUP: whether its machine's kernel says so. One that never booted is not.
kernel_at_fault()
{
	grep -q -x "the kernel's log is not clean:" "$LOGS/$1/boot" &&
		! grep -q -x 'no kernel has written to this log' "$LOGS/$1/boot"
}

# guest_boot GROUP KERNEL SCRIPT: is replaced by the boot, so that a signal reaches that. A script of
# tests/vm/host runs on this machine and boots its own.
guest_boot()
{
	if [[ $3 == */tests/vm/host/* ]]; then
		exec timeout "$(script_setting "$3" timeout)" "$3" "$2" >"$LOGS/$1/output" 2>"$LOGS/$1/boot"
	fi
	OOMPOLICYD_TEST_PATTERN=$PATTERN exec "$TOP/tests/vm/boot" --kernel "$2" \
		${GROUP_SHARED[$1]:+--shared} --ready --quiet --logs "$LOGS/$1" "$3" >"$LOGS/$1/boot" 2>&1
}

VM_SCRIPTS=("$TOP"/tests/vm/guest/*.sh "$TOP"/tests/vm/host/*.sh)

suite_vm()
{
	guest_groups vm "$LANES" "${VM_SCRIPTS[@]}"
}

# machines_ahead: has the disks made that suite_vm() will need, while other suites run: dpkg fills one
# core, and leaves the other idle. What fails here is tried again there, and counted there.
machines_ahead()
{
	local group
	attempt root_ensure "$TOOL_ROOT"
	((ATTEMPT == 0)) || return 0
	groups_select "${VM_SCRIPTS[@]}"
	((${#GROUPS_SELECTED[@]} == 0)) || child_aside disks_ensure "${GROUPS_SELECTED[@]}"
}

# disks_ensure GROUP...
disks_ensure()
{
	local group kernel disk
	local -A made=()
	for group; do
		kernel=${GROUP_KERNEL[$group]}
		disk=$(script_setting "${GROUP_SCRIPT[$group]}" disk)
		[[ -z ${made[$kernel $disk]:-} ]] || continue
		disk_ensure "$kernel" "$disk"
		made[$kernel $disk]=yes
	done
}

suite_bench()
{
	local scripts=("$TOP"/tests/bench/*.sh) script group figures=$BUILD/figures
	guest_groups bench 1 "${scripts[@]}"
	: >"$figures"
	for script in "${scripts[@]}"; do
		group=$(basename "$script" .sh)
		[[ ! -e $LOGS/$group/output ]] || sed -n 's/^figure //p' "$LOGS/$group/output" >>"$figures"
	done
	awk '{ name = $1; value = $2; sub(/^[^ ]+ [^ ]+ /, ""); printf "figure %-32s %12s %s\n", name, value, $0 }' "$figures"
}

# --- lint

suite_lint()
{
	local script name release
	for script in "$TOP"/tests/lint/*.sh; do
		name=$(basename "$script" .sh)
		wanted "lint/$name" || continue
		if [[ $name == tidy ]]; then
			CC=clang build_or_fail lint/tidy suite_build clang "${CLANG_BUILD[@]}"
			((ATTEMPT == 0)) || continue
		fi
		lint_run "$name" "$TOOL_ROOT" "$script"
	done
	[[ $EVERY_KERNEL == yes ]] || return 0
	# Other compilers find other things.
	for release in bookworm sid; do
		! wanted "lint/warnings@$release" || lint_run "warnings@$release" "$release" "$TOP/tests/lint/warnings.sh"
	done
}

# lint_run NAME ROOT SCRIPT: in that build root.
lint_run()
{
	local output started=$SECONDS
	output=$(mktemp)
	root_ensure "$2"
	ROOT_ENVIRONMENT=("OOMPOLICYD_COMPILE_COMMANDS=$BUILD/clang" "OOMPOLICYD_EVERY=$EVERY_KERNEL")
	attempt root_run "$ROOT" timeout 3000 "$3" >"$output" 2>&1
	ROOT_ENVIRONMENT=()
	if ((ATTEMPT == 0)); then
		result_pass
	else
		head -n 100 "$output"
		result_fail "lint/$1" "see above"
	fi
	rm -f "$output"
	progress "lint: $1, $((SECONDS - started)) s"
}
