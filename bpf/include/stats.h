/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs count: nothing that happens on every call. Names reach Go through BTF (bpf2go), metrics through probes/. */
#pragma once

enum stat {
	STAT_LOST_RECORDS = 0,	/* data ring full */
	STAT_LOST_BYTES,	/* captured bytes of those */
	STAT_LOST_REQUESTS,	/* request heads among those: requests that nobody will hear of */
	STAT_LOST_CONTROL,	/* control ring full */
	STAT_UNSEEN_CALLS,	/* calls whose payload cannot be read: splice, io_uring, 32-bit callers */
	STAT_READ_FAULTS,	/* user memory was not there */
	STAT_SEGS_CUT,		/* calls with more buffers than SEGS_MAX or MMSG_MAX */
	STAT_CONNS,		/* connections announced */
	STAT_CONN_FULL,		/* no room for a connection's state */
	STAT_VERDICT_FULL,	/* no room for a forked child's verdict: it is not traced */
	STAT_PROGRESS_FULL,
	STAT_CALLER_FULL,	/* no room to note which goroutine sends a request */
	STAT_UNNOTED,		/* runs that no note could be left about: their stand-in works */
	STAT_STOOD_IN,		/* runs that the kernel skipped and a stand-in made up for */
	STAT_STOOD_IN_ENDS,	/* the same of the programs that are told of a connection's end */
	STAT_MAX,
};

/* enum stat -> count. Written by every program; read by the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, STAT_MAX);
	__type(key, u32);
	__type(value, u64);
} stats SEC(".maps");

/* Atomic, since another program may preempt this one; relaxed: only that way 5.10 knows it (BPF_FETCH came with 5.12). */
static __always_inline void stat_add(u32 which, u64 n)
{
	u64 *v = bpf_map_lookup_elem(&stats, &which);

	if (v && n) /* clang makes "or" of adding nothing, which 5.10 does not know either */
		__atomic_fetch_add(v, n, __ATOMIC_RELAXED);
}
