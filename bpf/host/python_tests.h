/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests of the reading of asyncio tasks, on objects laid out as CPython lays them. */
#pragma once

/* Words of the interpreter's memory, by what starts there. Each object has room for 32. */
enum heap {
	H_THREAD = 0, H_DICT = 32, H_KEYS = 64, H_TASK = 96, H_NAME = 128, H_CALLBACK = 160, H_WAITER = 192,
	H_WAITER_NAME = 224, H_CLOSURE = 256, H_CELL = 288, H_ALL = 320, H_WAKEUP = 352, H_ARGS = 384, H_SIZE = 416,
};

#define CONTEXT 0x1000
#define TASK_TYPE 0x2000
#define NUMBER_TYPE 0x3000
#define W_NAME (144 / 8)
#define W_CONTEXT (152 / 8)
#define W_WAITS_FOR (W_NAME - 2)

static u64 heap[H_SIZE];

#define AT(where) ((u64)&heap[where])

static void name_is(u32 where, const char *name)
{
	heap[where + 1] = 0; /* type */
	heap[where + 2] = strlen(name);
	memset(&heap[where + 6], 0xff, 32);
	memcpy(&heap[where + 6], name, strlen(name));
}

/* A process of Python 3.11 whose main thread runs Task-7, with nobody waiting for that. */
static struct python_layout *python(void)
{
	static struct python_layout py;
	const u32 tgid = SELECTED;

	py = (struct python_layout){
		.context = AT(H_THREAD), .tasks = AT(H_DICT), .number_type = NUMBER_TYPE,
		.task_name = 144, .text = 48, .closure = 72, .wakeup = 24,
	};
	memset(heap, 0, sizeof(heap));
	heap[H_THREAD] = CONTEXT;
	heap[H_DICT + 4] = AT(H_KEYS);
	heap[H_KEYS + 1] = 3 | 3 << 8; /* log2 of the table, in entries and bytes */
	heap[H_KEYS + 3] = 2;	       /* entries: one that was removed, and the last */
	heap[H_KEYS + 4 + 1 + 3 + 2] = AT(H_TASK);
	heap[H_TASK + 1] = heap[H_WAITER + 1] = TASK_TYPE;
	heap[H_TASK + W_NAME] = AT(H_NAME);
	heap[H_TASK + W_CONTEXT] = CONTEXT;
	heap[H_WAITER + W_NAME] = AT(H_WAITER_NAME);
	name_is(H_NAME, "Task-7");
	name_is(H_WAITER_NAME, "Task-123456789");
	bpf_map_update_elem(&python_by_tgid, &tgid, &py, BPF_ANY);
	return &py;
}

/* The tasks that are read, as a layout of py says. */
static const struct ev_data *read_tasks(const struct python_layout *py)
{
	struct scratch *sc = slot_of(SLOT_SEND);
	const u32 tgid = SELECTED;

	bpf_map_update_elem(&python_by_tgid, &tgid, py, BPF_ANY);
	host_map_memory(heap, sizeof(heap), true);
	note_task(sc);
	sc->request = 1;
	note_asyncio(SLOT_SEND);
	host_unmap_memory();
	return &sc->ev;
}

static u64 numbered(u32 task, u64 number)
{
	return number ^ AT(task) << 24;
}

static void tasks_are_read(void)
{
	struct python_layout *py = python();
	const struct ev_data *ev = read_tasks(py);

	CHECK(ev->task == numbered(H_TASK, 7) && !ev->parent_task, "%llx %llx", ev->task, ev->parent_task);
	heap[H_THREAD] = CONTEXT + 8;
	CHECK(!read_tasks(py)->task, "the thread is in another context than the task's");
	heap[H_THREAD] = 0;
	heap[H_TASK + W_CONTEXT] = 0;
	CHECK(!read_tasks(py)->task, "the thread is in no context");
	py = python();
	heap[H_KEYS + 3] = 0;
	CHECK(!read_tasks(py)->task, "no task runs");
	py = python();
	py->tasks = 8;
	CHECK(!read_tasks(py)->task, "the dict is not there");
	py = python();
	heap[H_KEYS + 1] |= 1 << 16;
	CHECK(!read_tasks(py)->task, "a dict of strings");
	py = python();
	host.tid = SELECTED + 1;
	CHECK(!read_tasks(py)->task, "another thread");
	host.tid = SELECTED;
}

static void old_dicts(void)
{
	struct python_layout *py = python();

	py->old_keys = 1;
	heap[H_KEYS + 1] = 8; /* bytes of the table */
	heap[H_KEYS + 3] = 0;
	heap[H_KEYS + 4] = 1; /* entries */
	heap[H_KEYS + 5 + 1 + 2] = AT(H_TASK);
	CHECK(read_tasks(py)->task == numbered(H_TASK, 7), "%llx", read_tasks(py)->task);
	heap[H_KEYS + 1] = 256;
	CHECK(!read_tasks(py)->task, "a table of wide entries");
}

static void names_of_tasks(void)
{
	static const struct {
		const char *name;
		u64 number;
	} names[] = {
		{"Task-1", 1}, {"Task-123456789012", 123456789012}, {"Task-1234567890123", 0}, {"Task-", 0}, {"Task-01", 0},
		{"Task-1a", 0}, {"task-1", 0}, {"worker", 0}, {"", 0}, {"Task-1 ", 0}, {"Task_1", 0}, {"TaskX1", 0}, {"Tosk-1", 0}, {"Tazk-1", 0}, {"Tasc-1", 0},
	};
	struct python_layout *py = python();

	for (u32 i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		name_is(H_NAME, names[i].name);
		const u64 want = names[i].number ? numbered(H_TASK, names[i].number) : 0;

		CHECK(read_tasks(py)->task == want, "%s: %llx", names[i].name, read_tasks(py)->task);
	}
	heap[H_NAME + 1] = NUMBER_TYPE;
	heap[H_NAME + 2] = 1 << 3;
	heap[H_NAME + 3] = 0xeeeeeeee00000007; /* behind one digit is nothing of it */
	CHECK(read_tasks(py)->task == numbered(H_TASK, 7), "%llx", read_tasks(py)->task);
	heap[H_NAME + 2] = 2 << 3;
	heap[H_NAME + 3] = 5ULL << 32 | 7;
	CHECK(read_tasks(py)->task == numbered(H_TASK, 5ULL << 30 | 7), "%llx", read_tasks(py)->task);
	heap[H_NAME + 2] = 3 << 3;
	CHECK(!read_tasks(py)->task, "a number of three digits");
	heap[H_NAME + 2] = 1;
	CHECK(!read_tasks(py)->task, "zero");
}

static void waiting_tasks(void)
{
	const u64 want = numbered(H_WAITER, 123456789);
	struct python_layout *py = python();

	heap[H_TASK + 3] = AT(H_CALLBACK); /* await task: a method of who waits */
	heap[H_CALLBACK + 3] = AT(H_WAITER);
	CHECK(!read_tasks(py)->parent_task, "the other task does not wait");
	heap[H_WAITER + W_WAITS_FOR] = AT(H_TASK);
	CHECK(read_tasks(py)->parent_task == want, "%llx", read_tasks(py)->parent_task);
	heap[H_WAITER + 1] = 0;
	CHECK(!read_tasks(py)->parent_task, "what waits is no task");

	py = python(); /* gather: a function with the future of all in its closure */
	heap[H_TASK + 3] = AT(H_CALLBACK);
	heap[H_CALLBACK + 9] = AT(H_CLOSURE);
	heap[H_CLOSURE + 6] = AT(H_CELL);
	heap[H_CELL + 2] = AT(H_ALL);
	heap[H_ALL + 3] = AT(H_WAKEUP);
	heap[H_WAKEUP + 3] = AT(H_WAITER);
	CHECK(!read_tasks(py)->parent_task, "the other task does not wait");
	heap[H_WAITER + W_WAITS_FOR] = AT(H_ALL);
	CHECK(read_tasks(py)->parent_task == want, "%llx", read_tasks(py)->parent_task);

	py = python(); /* wait_for: a partial, whose argument is the future */
	heap[H_TASK + 3] = AT(H_CALLBACK);
	heap[H_CALLBACK + 3] = AT(H_ARGS);
	heap[H_ARGS + 3] = AT(H_ALL);
	heap[H_ALL + 3] = AT(H_WAKEUP);
	heap[H_WAKEUP + 3] = AT(H_WAITER);
	heap[H_WAITER + W_WAITS_FOR] = AT(H_ALL);
	CHECK(read_tasks(py)->parent_task == want, "%llx", read_tasks(py)->parent_task);
	name_is(H_WAITER_NAME, "mine");
	CHECK(!read_tasks(py)->parent_task && read_tasks(py)->task, "who waits has another name");
}

/* Only heads that are sent, by processes of which user space has said so. */
static void heads_of_tasks(void)
{
	struct host_sock *s = new_sock(AF_INET);
	struct verdict v = {.state = VERDICT_SELECTED};
	const u32 tgid = SELECTED;
	const u64 want = numbered(H_TASK, 7);

	python();
	for (u32 told = 0; told < 2; told++) {
		forget();
		v.go.python = told;
		bpf_map_update_elem(&verdict_by_tgid, &tgid, &v, BPF_ANY);
		host_map_memory(heap, sizeof(heap), true);
		RECEIVES(s, request);
		host_map_memory(heap, sizeof(heap), true);
		SENDS(s, response);
		const struct ev_data *q = nth(EV_DATA, 0), *a = nth(EV_DATA, 1);

		CHECK(q && a && !q->task && a->task == (told ? want : 0), "told %u: %llx", told, a ? a->task : 0);
	}
	bpf_map_delete_elem(&python_by_tgid, &tgid);
	forget();
	host_map_memory(heap, sizeof(heap), true);
	SENDS(s, request);
	const struct ev_data *q = nth(EV_DATA, 0);

	CHECK(!q || !q->task, "nobody knows the layout");
}
