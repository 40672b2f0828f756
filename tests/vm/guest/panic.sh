# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# vm: memory=1024 cpus=2 timeout=300 extra=trixie,sid,v2 panic=panic_on_oom
#
# vm.panic_on_oom comes before any policy: 1 leaves the OOMs of memory cgroups to it, 2 leaves it none.
# shellcheck source=tests/vm/guest/lib.sh
. lib.sh

test_memcg_decided()
{
	sysctl -q vm.panic_on_oom=1
	workload_overrun
	assert_eq "the victim" "$VICTIM" small
}

# The policy would have its victim, and the machine go on.
test_panic()
{
	sysctl -q vm.panic_on_oom=2
	workload_overrun
	fail "the machine goes on, and dead is: $VICTIM"
}

plan 2
config_write <<'END'
[Policy panic]

[Rule small]
Unit=small.service
Priority=10
END
daemon_start
run_test memcg_decided test_memcg_decided
# Where it panics, that is what the host sees, and says so.
run_test panic_on_oom test_panic
