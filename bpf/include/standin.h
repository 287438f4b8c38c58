/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stand-ins. The kernel does not run a program that is under way already on the same processor
 * (prog->active, kernel/bpf/trampoline.c and kernel/trace/bpf_trace.c): what preempts or interrupts a
 * program would go unseen where it should run too, for as long as the interrupted one waits. On kernels
 * where a task can lose the processor in the middle of a program each one is therefore loaded twice.
 * The first leaves a note about its task, and works; the second, which runs right behind it, takes the
 * note away, or works if there is none: then the first was skipped. */
#pragma once

/* Programs with a stand-in. Those of which one at most is attached share a site. */
enum site {
	SITE_FORK = 0,
	SITE_EXEC,
	SITE_EXIT,
	SITE_STATE,
	SITE_DESTROY,
	SITE_SEND,
	SITE_RECV,
	SITE_UNIX_SEND,
	SITE_UNIX_RECV,
	SITE_SPLICE,
	SITE_PAGE,
	SITE_UNIX_PAGE,
	SITE_MAX,
};

struct notes {
	u64 at[SITE_MAX]; /* enum site -> what the first program works on, 0: it was not run, or its stand-in knows */
};

/* pid_tgid -> notes about the task. Written and read by the two programs of each site, of every task that
 * they see. Used iff role. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct notes);
} notes_by_task SEC(".maps");

static const struct notes no_notes;

/* Whoever runs: in an interrupt of an idle processor, that one. */
static __always_inline u64 noted_task(void)
{
	const u64 task = bpf_get_current_pid_tgid();

	return task ? task : bpf_get_smp_processor_id() + 1;
}

/* Are both programs of every site attached? Written by user space. */
u32 standing_in;

static __always_inline bool note_left(u32 site, u64 on)
{
	const u64 task = noted_task();
	struct notes *n = bpf_map_lookup_elem(&notes_by_task, &task);

	if (!n) {
		bpf_map_update_elem(&notes_by_task, &task, &no_notes, BPF_NOEXIST);
		n = bpf_map_lookup_elem(&notes_by_task, &task);
	}
	if (!n) {
		stat_add(STAT_UNNOTED, 1);
		return !standing_in; /* the stand-in finds no note either, and works */
	}
	n->at[site] = on;
	return true;
}

static __always_inline bool note_missing(u32 site, u64 on)
{
	const u64 task = noted_task();
	struct notes *n = bpf_map_lookup_elem(&notes_by_task, &task);

	if (n && n->at[site] == on) {
		n->at[site] = 0;
		return false;
	}
	if (!standing_in)
		return false;
	stat_add(site == SITE_STATE || site == SITE_DESTROY ? STAT_STOOD_IN_ENDS : STAT_STOOD_IN, 1);
	return true;
}

/* Is the work of a site on this program? Asked once, before anything else. */
static __always_inline bool on_duty_for(u32 site, u64 on)
{
	if (role == ROLE_ALONE)
		return true;
	return role == ROLE_FIRST ? note_left(site, on) : note_missing(site, on);
}

/* The same where no interrupt runs it: a task works on one thing at a time. */
static __always_inline bool on_duty(u32 site)
{
	return on_duty_for(site, 1);
}
