# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=500 extra=bookworm,sid,v2
#
# With the module loaded, and no program attached, an OOM goes as without it: random ones have the same
# victims, and the kernel's log has the same reports of them, line by line. `stock.sh SEED` takes another
# seed.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/oomtest-lib.bash
. oomtest-lib.bash
# shellcheck source=tests/vm/guest/shape-lib.bash
. shape-lib.bash

readonly COUNT=15
readonly DIR=/run/stock
SEED=${1:-7}

# one NUMBER FILE: the random OOM, whose victim is the one that the kernel takes; the log's shape is in FILE.
one()
{
	local result
	reports_settle
	log_mark
	result=$(oomtest_here --needs=no-daemon --seed="$SEED" --only="$1" random)
	grep -q '^ok ' <<<"$result" || fail "${result//$'\n'/ | }"
	journalctl --sync
	journalctl -q -k -o cat --since="$LOG_SINCE" >"$DIR/log"
	{
		grep -c ' invoked oom-killer:' "$DIR/log" || :
		shape "$DIR/log"
	} >"$2"
}

test_random()
{
	local difference
	lsmod | grep -q '^bpf_oom ' && fail "the module is loaded"
	one "$1" "$DIR/without"
	(($(wc -l <"$DIR/without") > 20)) || fail "that is no whole report"
	modprobe bpf_oom
	one "$1" "$DIR/with" || { rmmod bpf_oom; return 1; }
	rmmod bpf_oom
	difference=$(diff "$DIR/without" "$DIR/with") ||
		fail "the kernel's log differs with the module: ${difference//$'\n'/ | }"
}

plan $COUNT
mkdir -p $DIR
for ((n = 1; n <= COUNT; n++)); do
	run_test "random-$n" test_random $n
done
