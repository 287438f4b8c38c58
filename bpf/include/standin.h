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
	SITE_STATE = 0, /* run by interrupts, too */
	SITE_DESTROY,
	SITE_INTERRUPTS, /* how many are; the others are run by tasks only */
	SITE_FORK = SITE_INTERRUPTS,
	SITE_EXEC,
	SITE_EXIT,
	SITE_SEND,
	SITE_RECV,
	SITE_UNIX_SEND,
	SITE_UNIX_RECV,
	SITE_SPLICE,
	SITE_PAGE,
	SITE_UNIX_PAGE,
	SITE_MAX,
};

#define TASKS_PER_LINE 32

/* Neighbours are far apart: they run on different processors. */
struct note_line {
	u16 of[TASKS_PER_LINE]; /* a bit for each enum site: the first program was run, its stand-in was not yet */
};

/* thread id & note_mask -> the notes of the task at thread id >> note_shift, and of others. Each task's are
 * written and read by the programs that it runs. Used iff role. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1024); /* user space makes it note_mask + 1 */
	__type(key, u32);
	__type(value, struct note_line);
} notes_by_task SEC(".maps");

struct interrupt_notes {
	u64 on[SITE_INTERRUPTS]; /* enum site -> the socket that the first program was run for, 0: its stand-in knows */
};

/* pid_tgid of whoever was interrupted -> notes. An interrupt finds those of the task, which must not be
 * taken for its own. Used iff role. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, struct interrupt_notes);
} notes_by_interrupted SEC(".maps");

static const struct interrupt_notes no_notes;

/* Are both programs of every site attached? Written by user space. */
u32 standing_in;

/* The first program found no place for a note: its stand-in finds none, and works. */
static __always_inline bool note_refused(void)
{
	stat_add(STAT_UNNOTED, 1);
	return !standing_in;
}

/* Does the stand-in, which found no note, work? */
static __always_inline bool stand_in(u32 stat)
{
	if (!standing_in)
		return false;
	stat_add(stat, 1);
	return true;
}

static __always_inline u16 *notes_of_task(void)
{
	const u32 tid = bpf_get_current_pid_tgid(), line = tid & note_mask, at = tid >> note_shift;
	struct note_line *l = bpf_map_lookup_elem(&notes_by_task, &line);

	if (!l || at >= TASKS_PER_LINE)
		return NULL;
	barrier_var(l); /* or clang adds to it before it was compared */
	return &l->of[at];
}

/* Is the work of a site on this program? Asked once, before anything else. */
static __always_inline bool on_duty(u32 site)
{
	const u16 note = 1 << site;

	if (role == ROLE_ALONE)
		return true;
	u16 *notes = notes_of_task();

	if (role == ROLE_FIRST) {
		if (!notes)
			return note_refused();
		*notes |= note;
		return true;
	}
	if (notes && *notes & note) {
		*notes &= ~note;
		return false;
	}
	return stand_in(STAT_STOOD_IN);
}

static __always_inline bool interrupt_noted(u32 site, u64 task, u64 on)
{
	struct interrupt_notes *n = bpf_map_lookup_elem(&notes_by_interrupted, &task);

	if (!n) {
		bpf_map_update_elem(&notes_by_interrupted, &task, &no_notes, BPF_NOEXIST);
		n = bpf_map_lookup_elem(&notes_by_interrupted, &task);
	}
	if (n)
		n->on[site] = on;
	return n;
}

/* The same where interrupts run the site, too, for sockets of anybody. */
static __always_inline bool on_duty_for(u32 site, u64 on)
{
	if (role == ROLE_ALONE)
		return true;
	const u64 current = bpf_get_current_pid_tgid();
	const u64 task = current ? current : bpf_get_smp_processor_id() + 1; /* no task: each processor has an idle one */

	if (role == ROLE_FIRST)
		return interrupt_noted(site, task, on) || note_refused();
	struct interrupt_notes *n = bpf_map_lookup_elem(&notes_by_interrupted, &task);

	if (n && n->on[site] == on) {
		n->on[site] = 0;
		return false;
	}
	return stand_in(STAT_STOOD_IN_ENDS);
}
