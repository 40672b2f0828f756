# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The suites of tools/check. Each builds what it needs, runs its tests and counts them with
# results.sh; a suite that cannot be built is a failed test.

# Machines and fuzzers that run side by side. The tests of a machine wait much of their time: two of
# them, with two processors each, share two cores well. Benchmarks run alone.
LANES=2

# The place of the test groups' logs.
LOGS=$BUILD/vm/log

# build_or_fail NAME COMMAND...: whether the command could be run; one failed test if not.
build_or_fail()
{
	local name=$1
	shift
	attempt "$@"
	if ((ATTEMPT != 0)); then
		result_fail "$name" "could not be built"
	fi
}

# suite_build VARIANT [MESON_ARGUMENT...]: configures and compiles $BUILD/VARIANT.
suite_build()
{
	local dir=$BUILD/$1
	shift
	build_configure "$dir" "$@"
	build_compile "$dir"
}

# script_tests GROUP FILE...: programs that print result lines.
script_tests()
{
	local group=$1 file output
	shift
	output=$(mktemp)
	for file; do
		attempt "$file" >"$output" 2>&1
		results_count "$group/$(basename "$file" .sh)" "$ATTEMPT" "$output" "$PATTERN"
	done
	rm -f "$output"
}

# --- unit

suite_unit()
{
	script_tests unit "$TOP"/tests/shell/*.sh
	progress "unit: scripts"
	unit_variant tree
	# gcc sees ghosts in instrumented code; what it warns of was judged in the build before.
	CC=gcc unit_variant asan -Db_sanitize=address,undefined -Dwerror=false
	CC=clang-16 unit_variant clang -Db_sanitize=address,undefined -Db_lundef=false
}

# unit_variant NAME MESON_ARGUMENT...
unit_variant()
{
	local variant=$1 dir=$BUILD/$1 before=$PASSED name status file
	build_or_fail "unit/$variant" suite_build "$@"
	((ATTEMPT == 0)) || return 0

	rm -rf "$dir/results" "$dir/meson-logs/testlog.json"
	mkdir -p "$dir/results"
	ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
		meson test -C "$dir" --no-rebuild --num-processes 2 >"$dir/results/log" 2>&1 </dev/null || :
	if [[ ! -s $dir/meson-logs/testlog.json ]]; then
		tail -n 20 "$dir/results/log"
		result_fail "unit/$variant" "meson ran no test"
		return
	fi
	while IFS=$'\t' read -r name status file; do
		results_count "unit/$variant/$name" "$status" "$file" "$PATTERN"
	done < <(python3 "$TOP/tools/lib/testlog.py" "$dir/meson-logs/testlog.json" "$dir/results")
	progress "unit: $variant, $((PASSED - before)) passed"
}

# --- fuzz

suite_fuzz()
{
	local target name names=() next=0 n=0
	CC=clang-16 build_or_fail fuzz suite_build fuzz -Dfuzz=true -Db_lundef=false
	((ATTEMPT == 0)) || return 0
	mkdir -p "$BUILD/log"
	for target in "$BUILD"/fuzz/tests/fuzz/fuzz_*; do
		name=${target##*/}
		if [[ -f $target && -x $target ]] && wanted "fuzz/$name"; then
			names+=("$name")
		fi
	done
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
	exec timeout -k 5 "$((FUZZ_SECONDS + 120))" "$BUILD/fuzz/tests/fuzz/$1" \
		"-max_total_time=$FUZZ_SECONDS" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
		"-artifact_prefix=$BUILD/log/$1-" "$corpus" "${seeds[@]}" >"$BUILD/log/$1" 2>&1
}

# --- vm and bench: a guest script is one boot

# What holds groups up, by kernel: why no payload could be made.
declare -A UNAVAILABLE=()

# payload_for KERNEL: makes it, once a run, and leaves its path in PAYLOAD; empty if there is none.
# A Debian that the mirror has not, or no mirror, is told apart from what does not build.
declare -A PAYLOADS=()
payload_for()
{
	local output
	PAYLOAD=${PAYLOADS[$1]:-}
	[[ -z $PAYLOAD && -z ${UNAVAILABLE[$1]:-} ]] || return 0
	output=$(mktemp)
	attempt payload_ensure "$1" >"$output"
	case $ATTEMPT in
	0) PAYLOADS[$1]=$(tail -n 1 "$output") ;;
	69) UNAVAILABLE[$1]="what it runs on is not to be had here, see above" ;;
	*)
		UNAVAILABLE[$1]="its payload could not be built, see above"
		result_fail "payload@$1" "could not be built"
		;;
	esac
	rm -f "$output"
	PAYLOAD=${PAYLOADS[$1]:-}
}

# guest_groups SUITE LANES FILE...: each script on each of its kernels, so many at a time.
guest_groups()
{
	local suite=$1 lanes=$2 script group kernel kernels extra n=0
	shift 2
	local groups=() left_out=()
	local -A script_of=() kernel_of=()
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
				left_out+=("$group")
				continue
			fi
			groups+=("$group")
			script_of[$group]=$script kernel_of[$group]=$kernel
		done
	done
	((${#left_out[@]} == 0)) || progress "$suite: only with --all: ${left_out[*]}"

	# What all share is made before the first of them is booted.
	local ready=()
	for group in "${groups[@]}"; do
		payload_for "${kernel_of[$group]}"
		if [[ -z $PAYLOAD ]]; then
			result_skip "$group" "${UNAVAILABLE[${kernel_of[$group]}]}"
			continue
		fi
		ready+=("$group")
	done

	local -A begun=()
	local next=0 total=${#ready[@]}
	while ((n < total)); do
		while ((next < total && ${#CHILDREN[@]} < lanes)); do
			group=${ready[next]}
			next=$((next + 1))
			begun[$group]=$SECONDS
			mkdir -p "$LOGS/$group"
			child_start "$group" guest_boot "$group" "${kernel_of[$group]}" "${script_of[$group]}"
		done
		child_wait
		group=$CHILD
		n=$((n + 1))
		cat "$LOGS/$group/boot"
		results_count "$group" "$ATTEMPT" "$LOGS/$group/output" "$PATTERN"
		progress "$suite: $n/$total $group, $((SECONDS - begun[$group])) s (logs in $LOGS/$group)"
	done
}

# guest_boot GROUP KERNEL SCRIPT: is replaced by the boot, so that a signal reaches that.
guest_boot()
{
	payload_for "$2"
	OOMPOLICYD_TEST_PATTERN=$PATTERN exec "$TOP/tests/vm/boot" --kernel "$2" \
		--payload "$PAYLOAD" --quiet --logs "$LOGS/$1" "$3" >"$LOGS/$1/boot" 2>&1
}

suite_vm()
{
	guest_groups vm "$LANES" "$TOP"/tests/vm/guest/*.sh
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
	local script name output
	output=$(mktemp)
	for script in "$TOP"/tests/lint/*.sh; do
		name=$(basename "$script" .sh)
		wanted "lint/$name" || continue
		if [[ $name == tidy ]]; then
			CC=clang-16 build_or_fail lint/tidy suite_build clang -Db_sanitize=address,undefined -Db_lundef=false
			((ATTEMPT == 0)) || continue
			export OOMPOLICYD_COMPILE_COMMANDS=$BUILD/clang
		fi
		child_run timeout 900 "$script" >"$output" 2>&1
		if ((ATTEMPT == 0)); then
			result_pass
			continue
		fi
		head -n 100 "$output"
		result_fail "lint/$name" "see above"
	done
	rm -f "$output"
}
