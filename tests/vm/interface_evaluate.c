// SPDX-License-Identifier: LGPL-2.1-or-later
/* The task-evaluation interface, the policy's name, the tracepoint. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "cgtree.h"
#include "interface.h"

/* --- bpf_oom_evaluate_task, for an OOM that @declare_domain declares */

static bool check_no_opinion(int (*declare_domain)(void))
{
	CHECK(start_eaters() && attach_evaluation());
	CHECK(answer(&large, NO_BPF_POLICY) && answer(&small, NO_BPF_POLICY));
	CHECK(declare_domain() == 1);
	CHECK(only_dead(&large));
	CHECK(bss->evaluated >= 2 && bss->begun == 1 && bss->asked_before == 0 && bss->ended == 0);
	CHECK(logged("oom_policy=default\n"));
	return true;
}

static bool check_select(int (*declare_domain)(void))
{
	CHECK(start_eaters() && attach_evaluation());
	CHECK(answer(&large, NO_BPF_POLICY) && answer(&small, BPF_EVAL_SELECT));
	CHECK(declare_domain() == 1);
	CHECK(only_dead(&small));
	return true;
}

static bool check_next(int (*declare_domain)(void))
{
	CHECK(start_eaters() && attach_evaluation());
	CHECK(answer(&large, BPF_EVAL_NEXT) && answer(&small, NO_BPF_POLICY));
	CHECK(declare_domain() == 1);
	CHECK(only_dead(&small));
	return true;
}

static bool check_abort(int (*declare_domain)(void))
{
	CHECK(start_eaters() && attach_evaluation());
	CHECK(answer(&large, BPF_EVAL_SELECT) && answer(&small, BPF_EVAL_ABORT));
	CHECK(declare_domain() == 1);
	CHECK(both_live());
	CHECK(bss->ended == 0);
	CHECK(!logged("oom-kill:"));
	return true;
}

static bool test_memcg_no_opinion(void)
{
	return check_no_opinion(declare_memcg);
}

static bool test_system_no_opinion(void)
{
	return check_no_opinion(declare_system);
}

static bool test_memcg_select(void)
{
	return check_select(declare_memcg);
}

static bool test_system_select(void)
{
	return check_select(declare_system);
}

static bool test_memcg_next(void)
{
	return check_next(declare_memcg);
}

static bool test_system_next(void)
{
	return check_next(declare_system);
}

static bool test_memcg_abort(void)
{
	return check_abort(declare_memcg);
}

static bool test_system_abort(void)
{
	return check_abort(declare_system);
}

/* A limit that is run into: the way of all the others but the declared ones. */
static bool test_charge_select(void)
{
	CHECK(start_eaters() && attach_evaluation());
	CHECK(answer(&large, BPF_EVAL_NEXT) && answer(&small, BPF_EVAL_SELECT));
	CHECK(eater_grow(&large, 36U << 20) == 1);
	CHECK(only_dead(&small));
	CHECK(logged("Memory cgroup out of memory: Killed process"));
	return true;
}

/* The badness of a task that was selected is what the next one is compared with. */
static bool test_selected_is_compared(void)
{
	struct eater third;

	CHECK(start_eaters() && attach_evaluation());
	CHECK(eater_start(&third, CGROUP, SMALL_BYTES * 2, 0) == 0);
	CHECK(answer(&large, NO_BPF_POLICY) && answer(&small, BPF_EVAL_SELECT));
	CHECK(declare_memcg() == 1);
	CHECK(wait_gone(&third) && both_live());
	return true;
}

/* One with oom_score_adj -1000 is not taken, whatever the program wants. */
static bool test_unkillable_not_selected(void)
{
	struct eater hard;

	CHECK(start_eaters() && attach_evaluation());
	CHECK(eater_start(&hard, CGROUP, SMALL_BYTES, -1000) == 0);
	CHECK(answer(&large, BPF_EVAL_NEXT) && answer(&hard, BPF_EVAL_SELECT));
	CHECK(declare_memcg() == 1);
	CHECK(only_dead(&small));
	CHECK(eater_lives(&hard));
	return true;
}

/* Makes the small one a victim that does not end: its tracer lets it stop in do_exit(), before it
 * gives up its memory. The reaper comes for that after two seconds. */
static bool make_lingering(void)
{
	return ptrace(PTRACE_SEIZE, small.pid, NULL, PTRACE_O_TRACEEXIT) == 0 &&
	       answer(&small, BPF_EVAL_SELECT) && answer(&large, BPF_EVAL_NEXT) &&
	       declare_memcg() == 1;
}

/* The program is asked before the kernel looks for a victim that is dying: an ABORT ends it, and so
 * does the kernel if the program has no opinion, but a NEXT passes over the victim. */
static bool check_dying(int small_answer, bool large_dies)
{
	CHECK(start_eaters() && attach_evaluation());
	CHECK(make_lingering());
	CHECK(answer(&small, small_answer) && answer(&large, NO_BPF_POLICY));
	CHECK(declare_memcg() == 1);
	CHECK(large_dies ? wait_gone(&large) : eater_lives(&large));
	return true;
}

/* A program that takes the victim again means to wait for it. It has no address space any more that
 * it could be chosen by, and so the next one would be. (On 7.2 the module waits before anybody is
 * asked.) */
static bool test_dying_select(void)
{
	uint64_t before, after;
	int declared;

	CHECK(start_eaters() && attach_evaluation() && attach(skel->progs.test_exit));
	CHECK(cgtree_read_u64(CGROUP, "memory.events", "oom_kill", &before) == 0);
	CHECK(answer(&small, BPF_EVAL_SELECT) && answer(&large, BPF_EVAL_NEXT));
	bss->hold_exit_pid = small.pid;
	bss->hold = true;
	CHECK(declare_memcg() == 1);
	CHECK(wait_until(&bss->holding, true));
	CHECK(answer(&large, NO_BPF_POLICY));
	declared = declare_memcg();
	CHECK(bss->holding);
	bss->hold = false;
	CHECK(declared == 1);
	CHECK(only_dead(&small));
	CHECK(cgtree_read_u64(CGROUP, "memory.events", "oom_kill", &after) == 0);
	CHECK(after - before == 1);
	return true;
}

static bool test_dying_abort(void)
{
	return check_dying(BPF_EVAL_ABORT, false);
}

static bool test_dying_no_opinion(void)
{
	return check_dying(NO_BPF_POLICY, false);
}

static bool test_dying_next(void)
{
	return check_dying(BPF_EVAL_NEXT, true);
}

/* --- the policy's name */

static bool check_name(const char *name, uint32_t size, const char *line)
{
	CHECK(start_eaters() && attach_evaluation());
	memcpy(bss->name, name, size);
	bss->name_size = size;
	CHECK(declare_memcg() == 1);
	CHECK(only_dead(&large));
	CHECK(logged(line));
	return true;
}

static bool test_name(void)
{
	return check_name("cg_prio", sizeof("cg_prio"), "oom_policy=cg_prio\n");
}

static bool test_name_without_end(void)
{
	return check_name("abcdefgh", 4, "oom_policy=abcd\n");
}

static bool test_name_too_long(void)
{
	return check_name("a_name_of_twenty_bytes", 22, "oom_policy=a_name_of_twent\n");
}

static bool test_name_escaped(void)
{
	return check_name("a\nb\033 \303", 6, "oom_policy=a?b???\n");
}

/* A policy that kills is the one that decides, whatever the other interface calls itself. */
static bool test_name_of_handler_first(void)
{
	CHECK(start_eaters() && attach_evaluation() && attach_handler());
	memcpy(bss->name, "other", sizeof("other"));
	bss->name_size = sizeof("other");
	bss->kill_pid = small.pid;
	CHECK(declare_memcg() == 1);
	CHECK(only_dead(&small));
	CHECK(bss->begun == 0);
	CHECK(logged("oom_policy=interface\n"));
	return true;
}

/* --- select_bad_process_end */

/* Reads what the tracepoint wrote since it was enabled. */
static bool traced(const char *text)
{
	static char trace[64 * 1024];
	_cleanup_fclose_ FILE *f = fopen("/sys/kernel/tracing/trace", "re");
	size_t n;

	if (!f)
		return false;
	n = fread(trace, 1, sizeof(trace) - 1, f);
	trace[n] = '\0';
	return strstr(trace, text) != NULL;
}

static bool test_end_tracepoint(void)
{
	CHECK(start_eaters() && attach_evaluation());
	CHECK(write_file("/sys/kernel/tracing/trace", ""));
	CHECK(write_file("/sys/kernel/tracing/events/oom/select_bad_process_end/enable", "1"));
	memcpy(bss->name, "cg_prio", sizeof("cg_prio"));
	bss->name_size = sizeof("cg_prio");
	bss->other_answer = BPF_EVAL_NEXT;
	CHECK(declare_memcg() == 0);
	CHECK(write_file("/sys/kernel/tracing/events/oom/select_bad_process_end/enable", "0"));
	CHECK(both_live());
	CHECK(bss->ended == 1 && bss->end_order == 0 && bss->end_memcg && bss->end_root);
	CHECK(traced("select_bad_process_end: policy_name=cg_prio"));
	CHECK(!logged("invoked oom-killer"));
	return true;
}

/* By SysRq, the one OOM of the system that is reported but ends in no panic. */
static bool test_end_system(void)
{
	CHECK(start_eaters() && attach_evaluation());
	bss->other_answer = BPF_EVAL_NEXT;
	CHECK(write_file("/proc/sysrq-trigger", "f"));
	for (unsigned i = 0; i < PATIENCE_POLLS && !logged("no killable processes"); i++)
		usleep(POLL_USEC);
	CHECK(logged("Out of memory and no killable processes"));
	CHECK(both_live());
	CHECK(bss->ended == 1 && bss->end_order == -1 && !bss->end_memcg);
	return true;
}

const struct interface_test evaluate_tests[] = {
	{"evaluate-memcg-no-opinion", test_memcg_no_opinion},
	{"evaluate-memcg-select", test_memcg_select},
	{"evaluate-memcg-next", test_memcg_next},
	{"evaluate-memcg-abort", test_memcg_abort},
	{"evaluate-system-no-opinion", test_system_no_opinion},
	{"evaluate-system-select", test_system_select},
	{"evaluate-system-next", test_system_next},
	{"evaluate-system-abort", test_system_abort},
	{"evaluate-charge-select", test_charge_select},
	{"evaluate-selected-is-compared", test_selected_is_compared},
	{"evaluate-unkillable-not-selected", test_unkillable_not_selected},
	{"evaluate-dying-abort", test_dying_abort},
	{"evaluate-dying-no-opinion", test_dying_no_opinion},
	{"evaluate-dying-next", test_dying_next},
	{"evaluate-dying-select", test_dying_select},
	{"name", test_name},
	{"name-without-end", test_name_without_end},
	{"name-too-long", test_name_too_long},
	{"name-escaped", test_name_escaped},
	{"name-of-handler-first", test_name_of_handler_first},
	{"end-tracepoint", test_end_tracepoint},
	{"end-system", test_end_system},
	{NULL, NULL},
};
