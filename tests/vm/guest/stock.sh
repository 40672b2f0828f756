# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=500 extra=bookworm,sid,v2
#
# With the module loaded, an OOM in which BPF has no say goes as without it: random ones have the same
# victims, and the kernel's log has the same reports of them, line by line. With no program at all the
# module is not in the OOM's path; with one that only looks on it is. `stock.sh SEED` takes another seed.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/oomtest-lib.bash
. oomtest-lib.bash
# shellcheck source=tests/vm/guest/shape-lib.bash
. shape-lib.bash

readonly COUNT=15
readonly DIR=/run/stock SWAP=/var/tmp/swap
SEED=${1:-7}

# watch: a program that has no say is attached, in WATCHER.
watch()
{
	rm -f $DIR/watch
	/usr/lib/oompolicyd-tests/interface stay-watch >$DIR/watch &
	WATCHER=$!
	disown
	wait_for 20 "the program to be attached" grep -q attached $DIR/watch
}

unload()
{
	[[ -z ${WATCHER:-} ]] || kill "$WATCHER" 2>/dev/null || :
	wait_for 10 "the module to be free" rmmod bpf_oom
}

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

# as_without NUMBER FILE WHAT: the same OOM goes as it did without the module.
as_without()
{
	local difference
	one "$1" "$2"
	difference=$(diff "$DIR/without" "$2") || fail "the kernel's log differs with $3: ${difference//$'\n'/ | }"
}

# is_in_path: have functions of the module been called by the OOM, by the backtrace of its report? What
# the kernel is not sure of has a question mark.
is_in_path()
{
	awk '/ \[bpf_oom\]/ && !/^ *[?] / { found = 1 } END { exit !found }' "$DIR/log"
}

test_random()
{
	lsmod | grep -q '^bpf_oom ' && fail "the module is loaded"
	one "$1" "$DIR/without"
	(($(wc -l <"$DIR/without") > 20)) || fail "that is no whole report"
	modprobe bpf_oom
	trap unload EXIT
	as_without "$1" "$DIR/with" "the module"
	! is_in_path || fail "the module is in the path of an OOM that nobody asks about"
	watch
	as_without "$1" "$DIR/watched" "the module and a program"
	is_in_path || fail "the module is not in the path of an OOM that a program looks at"
}

# swapoff_overrun: the end of a swapoff in a cgroup whose memory does not fit without the swap, in FATE.
swapoff_overrun()
{
	local cgroup=/sys/fs/cgroup/stock hog status=0
	echo +memory >/sys/fs/cgroup/cgroup.subtree_control
	mkdir -p $cgroup
	echo $((32 << 20)) >$cgroup/memory.max
	rm -f $DIR/hog
	spawn $cgroup memhog $DIR/hog 64M
	hog=$SPAWNED
	wait_for 60 "the process to fill its memory" test -e $DIR/hog
	reports_settle
	log_mark
	# shellcheck disable=SC2016 # expanded by the inner shell
	timeout 60 sh -c 'echo $$ >"$1/cgroup.procs" && exec swapoff "$2"' sh $cgroup $SWAP || status=$?
	journalctl --sync
	FATE="status $status, $(journalctl -q -k -o cat --since="$LOG_SINCE" | grep -c 'Killed process [0-9]* (swapoff)') killed"
	! is_gone "$hog" || FATE+=", the other one too"
	echo 1 >$cgroup/cgroup.kill
	wait_for 20 "the process to be gone" grep -q 'populated 0' $cgroup/cgroup.events
}

# Whoever takes swap away is taken first, once.
test_swapoff()
{
	local without
	dd if=/dev/zero of=$SWAP bs=1M count=80 status=none
	chmod 600 $SWAP
	mkswap -q $SWAP
	swapon $SWAP
	trap 'swapoff $SWAP || :; rm -f $SWAP' EXIT
	swapoff_overrun
	without=$FATE
	assert_match "the stock kernel" "$without" '^status (137|1|255), [1-9][0-9]* killed$'
	modprobe bpf_oom
	trap 'swapoff $SWAP || :; rm -f $SWAP; unload' EXIT
	swapoff_overrun
	assert_eq "with the module" "$FATE" "$without"
	watch
	swapoff_overrun
	assert_eq "with the module and a program" "$FATE" "$without"
}

plan $((COUNT + 1))
mkdir -p $DIR
run_test swapoff test_swapoff
for ((n = 1; n <= COUNT; n++)); do
	run_test "random-$n" test_random $n
done
