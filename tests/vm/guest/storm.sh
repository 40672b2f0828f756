# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=500 extra=bookworm
#
# Many OOMs: as fast as they come, in many cgroups, on all processors at once, in cgroups that are
# made a moment before and among thousands that come and go. The kernel alone would take the larger
# process each time, which is the one to be kept.
#
# The argument is the number of kills in a row. The long run, for a growth that 400 do not show:
#     tests/vm/boot --memory 2048 --timeout 1800 tests/vm/guest/storm.sh 10000
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/records-lib.bash
. records-lib.bash

readonly KILLS=${1:-400}
readonly DOMAINS=50
readonly PARALLEL_KILLS=$((KILLS / 4))
# Among cgroups that come and go: by eight workers, as each waits until its new cgroup is ruled.
readonly FRESH_KILLS=96
readonly FRESH_WORKERS=8
readonly SETTLE_MSEC=1500
readonly CHURN_PER_MINUTE=5000
readonly ROOT=/sys/fs/cgroup/storm
# What a daemon that leaks a record, an fd or a task a kill cannot stay below.
readonly GROWTH_KIB=256
readonly GROWTH_OBJECTS=$((KILLS / 4))

# accounted BEFORE WHAT: each kill since there were BEFORE has a record, or is said to be lost; each
# was decided by the policy, and took a marked process.
accounted()
{
	local kills wrong
	# Tells of what was lost until then.
	assert_eq "the OOM after it" "$(oomstorm fresh $ROOT 1 1 $SETTLE_MSEC)" "1 0 0"
	kills=$(($(oom_kills) - $1))
	records_settle 20 "$kills"
	assert_eq "records ($RECORDED) and lost ones ($LOST)" $((RECORDED + LOST)) "$kills"
	wrong=$(awk '$3 != $4 "/mark" || $5 != 10' /run/records)
	assert_eq "a record of a wrong victim" "${wrong%%$'\n'*}" ""
	wrong=$(awk 'NR > 1 && $1 != last + $2 + 1 { print last, "and then", $0 } { last = $1 }' /run/records)
	assert_eq "a gap in the numbers" "${wrong%%$'\n'*}" ""
	assert_eq "the processes with two records" "$(cut -d ' ' -f 6 /run/records | sort | uniq -d)" ""
	assert_eq "the OOMs that no policy decided" "$(records_count "$MESSAGE_ID_NO_OPINION")" 0
	printf '%s: %d kills, %d records, %d lost\n' "$2" "$kills" "$RECORDED" "$LOST"
}

test_burst()
{
	local before
	before=$(oom_kills)
	assert_eq "killed, lived, lost" "$(oomstorm storm $ROOT 1 1 100)" "100 0 0"
	accounted "$before" burst
	assert_eq "the records lost" "$LOST" 0
}

test_in_a_row()
{
	local before began=$EPOCHREALTIME
	before=$(oom_kills)
	assert_eq "killed, lived, lost" "$(oomstorm storm $ROOT $DOMAINS 1 "$KILLS")" "$KILLS 0 0"
	figure storm_kills "$KILLS" "in a row, in $(((${EPOCHREALTIME/./} - ${began/./}) / 1000)) ms"
	accounted "$before" row
}

# Two workers a processor, so that there is always one that waits for the other's OOM.
test_parallel()
{
	local before workers=$(($(nproc) * 2))
	before=$(oom_kills)
	assert_eq "killed, lived, lost" \
		"$(oomstorm storm $ROOT $workers $workers $PARALLEL_KILLS)" "$PARALLEL_KILLS 0 0"
	accounted "$before" parallel
}

# holdings: what the daemon and the kernel hold, a name and a number a line.
holdings()
{
	local pid
	pid=$(daemon_pid)
	awk '/^Private_/ { kib += $2 } END { print "memory_kib", kib }' "/proc/$pid/smaps_rollup"
	printf 'fds %d\n' "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)"
	# The maps and programs are the daemon's; each is counted once.
	awk '/^memlock:/ { bytes = $2 } /^(map|prog)_id:/ && !seen[$0]++ { print $1, bytes }' \
		"/proc/$pid"/fdinfo/* | awk '{ n[$1]++; sum[$1] += $2 }
		END { for (i in n) { print i "s", n[i]; print i "bytes", sum[i] } }' | tr -d ':'
	# Those that the kernel has not merged with others of the same size.
	awk '$1 ~ /^(task_struct|mm_struct|pid|signal_cache|cred_jar)$/ { print "slab_" $1, $2 }' /proc/slabinfo
	sed -n 's/^nr_dying_descendants /dying_cgroups /p' /sys/fs/cgroup/cgroup.stat
}

# of NAME FILE
of()
{
	sed -n "s/^$1 //p" "$2"
}

# grown: what is more than /run/holdings-before says, by more than its bound. All is in /run/growth.
grown()
{
	local name before after bound
	holdings >/run/holdings
	: >/run/growth
	while read -r name before; do
		after=$(of "$name" /run/holdings)
		printf '%s %d -> %d\n' "$name" "$before" "$after" >>/run/growth
		case $name in
		memory_kib) bound=$GROWTH_KIB ;;
		slab_* | dying_cgroups) bound=$GROWTH_OBJECTS ;;
		*) bound=0 ;;
		esac
		((after - before <= bound)) || printf '%s grew from %d to %d. ' "$name" "$before" "$after"
	done </run/holdings-before
}

test_nothing_grows()
{
	local name tries=8 grown
	# Freed after a grace period, and when the processors' caches of free objects are full; and the
	# daemon may be about a new set of rules, after which the old one is kept for a while.
	until sleep 3 && grown=$(grown) && [[ -z $grown ]]; do
		((--tries > 0)) || fail "over $KILLS kills: $grown"
	done
	cat /run/growth
	for name in memory_kib fds map_ids map_idbytes prog_ids prog_idbytes slab_task_struct dying_cgroups; do
		[[ -n $(of $name /run/holdings-before) ]] || fail "nothing is known of $name"
	done
}

test_churn()
{
	local before churn began pid made
	pid=$(daemon_pid)
	before=$(oom_kills)
	mkdir $ROOT/churn
	began=$EPOCHREALTIME
	oomstorm churn $ROOT/churn $CHURN_PER_MINUTE >/run/churn &
	churn=$!
	assert_eq "killed, lived, lost" \
		"$(oomstorm fresh $ROOT $FRESH_WORKERS $FRESH_KILLS $SETTLE_MSEC)" "$FRESH_KILLS 0 0"
	kill "$churn"
	wait "$churn"
	made=$(($(</run/churn) * 60000000 / (${EPOCHREALTIME/./} - ${began/./})))
	((made > CHURN_PER_MINUTE * 9 / 10)) || fail "only $made cgroups a minute were made"
	rmdir $ROOT/churn
	accounted "$before" "with $made cgroups a minute"
	assert_eq "the daemon's process" "$(daemon_pid)" "$pid"
}

plan 6
STORM_KILLS=$((KILLS + PARALLEL_KILLS))
storm_setup
mkdir -p $ROOT
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo +memory >$ROOT/cgroup.subtree_control
config_write <<'END'
[Policy storm]

[Rule mark]
Cgroup=/storm/*/mark
Priority=10

[Rule keep]
Cgroup=/storm/*/keep
Priority=900

[Rule churn]
Cgroup=/storm/churn/*
Priority=5
END
daemon_start
run_test burst test_burst
# What the first OOMs leave behind is there to stay.
oomstorm storm $ROOT $DOMAINS 1 $((DOMAINS * 2)) >/dev/null
holdings >/run/holdings-before
run_test in_a_row test_in_a_row
run_test parallel test_parallel
run_test nothing_grows test_nothing_grows
run_test churn test_churn
run_test nothing_grows_after_churn test_nothing_grows
