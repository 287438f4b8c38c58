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
	u16 task_name;	  /* in a task; its context follows, and what it waits for stands two words before */
	u16 text;	  /* the characters of an ASCII string: 40 or 48 */
	u16 closure;	  /* in a function */
	u16 wakeup;	  /* in what wakes a task up: the task */
	u16 old_keys;	  /* dicts are as before Python 3.11 */
	u16 pad[3];
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

	if (addr < 4096) /* a fault costs more than all else here */
		return 0;
	return bpf_probe_read_user(&v, sizeof(v), (void *)addr) ? 0 : v;
}

/* What matters of a task. */
struct py_task {
	u64 type, loop, callback;	    /* as they lie, from PY_TYPE on */
	u64 waits_for, coroutine, name, context; /* as they lie, the name at task_name */
};

/* An object that is a name: a string's characters start behind four or, before Python 3.12, five words. */
struct py_name {
	u64 type, length;
	u64 words[6];
};

/* Copies of what is looked at: on the stack they would not fit into what a chain of calls may use. */
struct py_look {
	struct py_task task, waiter;
	struct py_name name;
	u64 keys[5];
};

/* enum scratch_slot -> copies. Used by note_asyncio alone. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOT_MAX);
	__type(key, u32);
	__type(value, struct py_look);
} look_by_slot SEC(".maps");

static __always_inline bool task_read(struct py_task *t, u64 task, const struct python_layout *py)
{
	return task >= 4096 && !bpf_probe_read_user(&t->type, 24, (void *)(task + PY_TYPE)) &&
	       !bpf_probe_read_user(&t->waits_for, 32, (void *)(task + py->task_name - 16));
}

/* The value that was put last into a small dict. */
static __always_inline u64 dict_last(u64 *head, u64 dict, bool old)
{
	const u64 size = sizeof(((struct py_look *)0)->keys);
	const u64 keys = user_word(dict + PY_DICT_KEYS);
	u64 entries, n, table;

	if (keys < 4096 || bpf_probe_read_user(head, size, (void *)keys))
		return 0;
	if (old) { /* reference count, size, function, usable, entries */
		table = head[1];
		n = head[4];
		entries = keys + size;
	} else { /* reference count, log2 sizes of table and index, kind, usable, entries */
		table = (head[1] >> 8) & 0xff;
		table = table < 8 && !((head[1] >> 16) & 0xff) ? 1ULL << table : ~0ULL;
		n = head[3];
		entries = keys + size - sizeof(u64);
	}
	if (table > 128 || !n || n > 128)
		return 0;
	return user_word(entries + table + (n - 1) * 24 + 16); /* hash, key, value */
}

/* The number in "Task-123", or in a number object; 0: somebody gave the task another name. */
static __always_inline u64 task_number(struct py_name *o, u64 name, const struct python_layout *py)
{
	u64 n = 0;

	if (name < 4096 || bpf_probe_read_user(o, sizeof(*o), (void *)(name + PY_TYPE)))
		return 0;
	if (o->type == py->number_type) { /* digits of 30 bits, their count above three bits */
		if (o->length == 1 << 3)
			return (u32)o->words[0];
		return o->length == 2 << 3 ? (u32)o->words[0] | (o->words[0] >> 32) << 30 : 0;
	}
	const char *text = (const char *)&o->words[py->text == 48 ? 3 : 2];

	if (o->length < 6 || o->length > 5 + PY_NAME_MAX)
		return 0;
	if (text[0] != 'T' || text[1] != 'a' || text[2] != 's' || text[3] != 'k' || text[4] != '-' || text[5] == '0')
		return 0;
	for (int i = 5; i < 5 + PY_NAME_MAX; i++) {
		const u8 digit = (u8)text[i] - '0';

		if (i >= o->length)
			break;
		if (digit > 9)
			return 0;
		n = n * 10 + digit;
	}
	return n;
}

/* asyncio numbers its tasks. The address tells apart what somebody named like that. */
static __always_inline u64 task_id(struct py_look *look, u64 task, u64 name, const struct python_layout *py)
{
	const u64 n = task_number(&look->name, name, py);

	return n ? n ^ task << 24 : 0;
}

/* Is this a task that waits for future, one of the same type as another? */
static __always_inline bool waits_for(struct py_task *t, u64 task, u64 future, u64 type, const struct python_layout *py)
{
	return task_read(t, task, py) && t->type == type && t->waits_for == future;
}

/* The task that waits for the end of the one looked at, which is at task: by itself, by asyncio.gather, or,
 * before Python 3.12, by asyncio.wait_for; 0: not known. What is no such thing ends in a task that waits for
 * something else. */
static __always_inline u64 task_waiting(struct py_look *look, u64 task, const struct python_layout *py)
{
	const struct py_task *t = &look->task;
	struct py_task *w = &look->waiter;
	u64 waiter = user_word(t->callback + py->wakeup), future;

	if (!t->callback)
		return 0;
	if (!waits_for(w, waiter, task, t->type, py)) {
		future = user_word(user_word(user_word(t->callback + py->closure) + PY_GATHERED) + PY_CELL);
		waiter = user_word(user_word(future + PY_CALLBACK) + py->wakeup);
		if (!waits_for(w, waiter, future, t->type, py)) {
			future = user_word(user_word(t->callback + PY_ARGS) + PY_FIRST);
			waiter = user_word(user_word(future + PY_CALLBACK) + py->wakeup);
			if (!waits_for(w, waiter, future, t->type, py))
				return 0;
		}
	}
	return task_id(look, waiter, w->name, py);
}

/* The slot's record starts with a head that this thread sends: notes on behalf of which task. */
__noinline int note_asyncio(u32 slot)
{
	struct scratch *sc = bpf_map_lookup_elem(&scratch_by_slot, &slot);

	if (!sc || sc->ev.tid != sc->ev.tgid)
		return 0;
	const u32 tgid = sc->ev.tgid;
	const struct python_layout *py = bpf_map_lookup_elem(&python_by_tgid, &tgid);

	struct py_look *look = bpf_map_lookup_elem(&look_by_slot, &slot);

	if (!py || !look)
		return 0;
	const u64 context = user_word(py->context), task = dict_last(look->keys, py->tasks, py->old_keys);

	if (!context || !task_read(&look->task, task, py) || look->task.context != context)
		return 0;
	sc->ev.task = task_id(look, task, look->task.name, py);
	if (sc->request)
		sc->ev.parent_task = task_waiting(look, task, py);
	return 0;
}
