# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1536 cpus=2 timeout=300
#
# Selection as in scale.sh, when a cgroup with 100 and 1,000 cgroups in it reaches its limit. More
# would show little but reclaim, which goes through all of them 200 times before each OOM.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh
# shellcheck source=tests/vm/guest/scaletest-lib.bash
. scaletest-lib.bash

readonly RUNS=5

bench_select()
{
	rules_write "$1" spread
	daemon_start
	# The first OOM after a start looks at everybody: who was dying before is not known.
	scaletest select system 1 >/dev/null
	select_by_policy memcg spread "$1"
}

sysctl -q vm.oom_dump_tasks=0
plan 4
for n in 100 1000; do
	run_test "kernel_$n" bench_kernel memcg $n
	made=$((n - 1))
	run_test "select_$n" bench_select $n
	module_remove
done
echo 1 >/sys/fs/cgroup/oomtest/cgroup.kill
