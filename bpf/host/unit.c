/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Unit tests of one backend's programs, compiled for the host. Exits with 1 if a check failed. */
#include "programs.h"
#include "machine.h"
#include "calls.h"
#include "check.h"

/* fentry does not look at registers, but its sources are the same. */
#if BACKEND == BACKEND_FENTRY
#include "../include/syscall.h"
#endif

#include "pure_tests.h"
#include "memory_tests.h"
#include "program_tests.h"
#include "process_tests.h"
#include "python_tests.h"
#include "standin_tests.h"
#if BACKEND != BACKEND_FENTRY
#include "syscall_tests.h"
#endif

static const struct test tests[] = {
	{"tchars", tchars},
	{"heads", heads},
	{"classify agrees with head_kind", classify_agrees},
	{"the begin of a FastCGI request", fastcgi_begins},
	{"ends of chunked bodies", chunked_ends},
	{"positions, turns, budgets", positions},
	{"first looks", looks},
	{"gathering", gathers},
	{"one buffer", one_buffer},
	{"gathering in part", gathers_in_part},
	{"rewinding", rewinds},
	{"exchange", exchange},
	{"strangers", strangers},
	{"cgroups", cgroups},
	{"no HTTP", no_http},
	{"bytes that did not move", not_moved},
	{"quiet turns", quiet},
	{"full ring", full_ring},
	{"ends", ends},
	{"sequence numbers", sequences},
	{"reused address", reused_address},
	{"announced again", announced_again},
	{"lives of processes", lives},
	{"programs have names", programs_have_names},
	{"programs are recalled", programs_are_recalled},
	{"candidates are recalled", candidates_are_recalled},
	{"listening", listens},
	{"limits", limits_are_counted},
	{"a stand-in is silent", stand_in_is_silent},
	{"a stand-in stands in", stand_in_stands_in},
	{"stand-ins wait", stand_ins_wait},
	{"notes are bounded", notes_are_bounded},
	{"notes are apart", notes_are_apart},
	{"interrupts have notes", interrupts_have_notes},
	{"ends are stood in for", ends_are_stood_in_for},
	{"execs are stood in for", execs_are_stood_in_for},
	{"stand-ins have ids", stand_ins_have_ids},
	{"tasks of asyncio", tasks_are_read},
	{"dicts before Python 3.11", old_dicts},
	{"names of tasks", names_of_tasks},
	{"tasks that wait", waiting_tasks},
	{"heads of tasks", heads_of_tasks},
#if BACKEND != BACKEND_FENTRY
	{"messages of recvmmsg", messages_received},
	{"messages of sendmmsg", messages_sent},
	{"descriptors", descriptors},
	{"32-bit callers", compat},
	{"held and cut", held_and_cut},
#endif
};

int main(void)
{
	return run_tests(tests, sizeof(tests) / sizeof(tests[0]));
}
