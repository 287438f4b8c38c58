/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which asyncio task of a CPython process runs, read from the interpreter's own structures: nothing is
 * written to the process and nothing runs in it. Only its main thread is looked at, and only if what is
 * found there agrees: the task that asyncio says is running has the context that the thread is in. */
#pragma once

/* Where a process's interpreter keeps what tells its asyncio tasks apart. */
struct python_layout {
	u64 context;	  /* address of the main thread's current context */
	u64 tasks;	  /* address of the dict of running tasks, by event loop */
	u64 number_type;  /* address of the type of numbers: the name of a task that nobody asked for */
	u16 task_name;	  /* in a task ... */
	u16 task_context;
	u16 text;	  /* the characters of an ASCII string */
	u16 closure;	  /* in a function */
	u16 wakeup;	  /* in what wakes a task up: the task */
	u16 old_keys;	  /* dicts are as before Python 3.11 */
	u16 pad[2];
};

/* tgid -> layout. Written by user space; read when a message head is sent iff the verdict says so. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct python_layout);
} python_by_tgid SEC(".maps");

/* The same in all versions that user space knows. */
#define PY_TYPE 8	   /* in every object */
#define PY_CALLBACK 24	   /* in a future: what runs when it is done */
#define PY_ARGS 24	   /* in a functools.partial: its arguments */
#define PY_FIRST 24	   /* in a tuple */
#define PY_DICT_KEYS 32	   /* in a dict */
#define PY_GATHERED 48	   /* in the closure of what asyncio.gather has run: the cell of the future that stands for all */
#define PY_CELL 16	   /* in a cell: what it refers to */
#define PY_NAME_MAX 12	   /* digits of a task's number */

static __always_inline u64 user_word(u64 addr)
{
	u64 v = 0;

	return bpf_probe_read_user(&v, sizeof(v), (void *)addr) ? 0 : v;
}

/* The value that was put last into a small dict. */
static __always_inline u64 dict_last(u64 dict, bool old)
{
	const u64 keys = user_word(dict + PY_DICT_KEYS);
	u64 head[5] = {};
	u64 entries, n, table;

	if (bpf_probe_read_user(head, sizeof(head), (void *)keys))
		return 0;
	if (old) { /* reference count, size, function, usable, entries */
		table = head[1];
		n = head[4];
		entries = keys + sizeof(head);
	} else { /* reference count, log2 sizes of table and index, kind, usable, entries */
		table = (head[1] >> 8) & 0xff;
		table = table < 8 && !((head[1] >> 16) & 0xff) ? 1ULL << table : ~0ULL;
		n = head[3];
		entries = keys + sizeof(head) - sizeof(u64);
	}
	if (table > 128 || !n || n > 128)
		return 0;
	return user_word(entries + table + (n - 1) * 24 + 16); /* hash, key, value */
}

/* The number in "Task-123", or in a number object; 0: somebody gave the task another name. */
static __always_inline u64 task_number(u64 name, const struct python_layout *py)
{
	char text[5 + PY_NAME_MAX + 3] = {};
	u64 head[4] = {}, n = 0;

	if (bpf_probe_read_user(head, sizeof(head), (void *)name))
		return 0;
	if (head[1] == py->number_type) { /* digits of 30 bits, their count above three bits */
		if (head[2] == 1 << 3)
			return (u32)head[3];
		return head[2] == 2 << 3 ? (u32)head[3] | (head[3] >> 32) << 30 : 0;
	}
	const u64 len = head[2];

	if (len < 6 || len > 5 + PY_NAME_MAX || bpf_probe_read_user(text, sizeof(text), (void *)(name + py->text)))
		return 0;
	if (text[0] != 'T' || text[1] != 'a' || text[2] != 's' || text[3] != 'k' || text[4] != '-' || text[5] == '0')
		return 0;
	for (int i = 5; i < 5 + PY_NAME_MAX; i++) {
		const u8 digit = (u8)text[i] - '0';

		if (i >= len)
			break;
		if (digit > 9)
			return 0;
		n = n * 10 + digit;
	}
	return n;
}

/* asyncio numbers its tasks. The address tells apart what somebody named like that. */
static __always_inline u64 task_id(u64 task, const struct python_layout *py)
{
	const u64 n = task_number(user_word(task + py->task_name), py);

	return n ? n ^ task << 24 : 0;
}

/* Is this a task that waits for future? What it waits for stands two words before its name. */
static __always_inline bool waits_for(u64 task, u64 future, u64 type, const struct python_layout *py)
{
	return task && user_word(task + PY_TYPE) == type && user_word(task + py->task_name - 16) == future;
}

/* The task that future wakes up when it is done, if one waits for it. */
static __always_inline u64 task_behind(u64 future, u64 type, const struct python_layout *py)
{
	const u64 waiter = user_word(user_word(future + PY_CALLBACK) + py->wakeup);

	return future && waits_for(waiter, future, type, py) ? waiter : 0;
}

/* The task that waits for the end of task: by itself, by asyncio.gather, or, before Python 3.12, by
 * asyncio.wait_for; 0: not known. What is no such thing ends in a task that waits for something else. */
static __always_inline u64 task_waiting(u64 task, const struct python_layout *py)
{
	const u64 type = user_word(task + PY_TYPE), callback = user_word(task + PY_CALLBACK);
	u64 waiter = task_behind(task, type, py);

	if (waiter || !callback)
		return waiter;
	waiter = task_behind(user_word(user_word(user_word(callback + py->closure) + PY_GATHERED) + PY_CELL), type, py);
	return waiter ? waiter : task_behind(user_word(user_word(callback + PY_ARGS) + PY_FIRST), type, py);
}

/* The slot's record starts with a head that this thread sends: notes on behalf of which task. */
__noinline int note_asyncio(u32 slot)
{
	struct scratch *sc = bpf_map_lookup_elem(&scratch_by_slot, &slot);

	if (!sc || sc->ev.tid != sc->ev.tgid)
		return 0;
	const u32 tgid = sc->ev.tgid;
	const struct python_layout *py = bpf_map_lookup_elem(&python_by_tgid, &tgid);

	if (!py)
		return 0;
	const u64 context = user_word(py->context), task = dict_last(py->tasks, py->old_keys);

	if (!context || !task || user_word(task + py->task_context) != context)
		return 0;
	sc->ev.task = task_id(task, py);
	const u64 waiter = task_waiting(task, py);

	if (waiter)
		sc->ev.parent_task = task_id(waiter, py);
	return 0;
}
