/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel as the programs see it through their helpers: maps, memory that may not be there, rings
 * that may be full, a clock and a current task. Everything is allocated by itself, so that the address
 * sanitizer sees each step beyond it. */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST_MAPS 32
#define HOST_REGIONS 512

struct host_entry {
	struct host_entry *next;
	void *key, *value;
};

struct host_map {
	const void *map;
	u32 used;
	struct host_entry *first; /* most recently used first */
};

struct host_region {
	const u8 *start;
	u64 size;
	bool user;
};

static struct {
	struct host_map maps[HOST_MAPS];
	struct host_region regions[HOST_REGIONS];
	u32 region_count;
	u64 now, cgroup;
	u32 tgid, tid;
	struct task_struct task;
	struct mm_struct mm;
	struct pt_regs regs;
	void (*on_record)(bool control, const void *record, u32 size);
	bool (*ring_full)(void); /* asked for each record; NULL: never */
	const void *no_room_in;	 /* a map that takes no new entry */
} host;

static inline void *host_copy(const void *of, u32 size)
{
	void *copy = malloc(size);

	if (!copy)
		abort();
	memcpy(copy, of, size);
	return copy;
}

static inline struct host_map *host_map_of(const void *map)
{
	for (u32 i = 0; i < HOST_MAPS; i++) {
		if (!host.maps[i].map)
			host.maps[i].map = map;
		if (host.maps[i].map == map)
			return &host.maps[i];
	}
	abort();
}

static inline struct host_entry **host_find(struct host_map *m, u32 key_size, const void *key)
{
	struct host_entry **at = &m->first;

	while (*at && memcmp((*at)->key, key, key_size))
		at = &(*at)->next;
	return at;
}

static inline void host_remove(struct host_map *m, struct host_entry **at)
{
	struct host_entry *gone = *at;

	*at = gone->next;
	free(gone->key);
	free(gone->value);
	free(gone);
	m->used--;
}

static inline void *host_add(struct host_map *m, u32 key_size, const void *key, u32 value_size, const void *value)
{
	struct host_entry *e = malloc(sizeof(*e));

	if (!e)
		abort();
	e->key = host_copy(key, key_size);
	e->value = value ? host_copy(value, value_size) : calloc(1, value_size);
	e->next = m->first;
	m->first = e;
	m->used++;
	return e->value;
}

void *host_lookup(const struct host_map_def *d, const void *key)
{
	struct host_map *m = host_map_of(d->map);
	struct host_entry **at = host_find(m, d->key_size, key);

	if (*at)
		return (*at)->value;
	if ((d->type != BPF_MAP_TYPE_PERCPU_ARRAY && d->type != BPF_MAP_TYPE_ARRAY) || *(const u32 *)key >= d->max)
		return NULL;
	return host_add(m, d->key_size, key, d->value_size, NULL); /* an array has all its entries */
}

long host_update(const struct host_map_def *d, const void *key, const void *value, u64 flags)
{
	struct host_map *m = host_map_of(d->map);
	struct host_entry **at = host_find(m, d->key_size, key);

	if (*at) {
		if (flags & BPF_NOEXIST)
			return HOST_EXIST;
		memcpy((*at)->value, value, d->value_size);
		return 0;
	}
	if (host.no_room_in == d->map)
		return HOST_FULL;
	if (m->used >= d->max) {
		if (d->type != BPF_MAP_TYPE_LRU_HASH)
			return HOST_FULL;
		for (at = &m->first; (*at)->next; at = &(*at)->next)
			;
		host_remove(m, at);
	}
	host_add(m, d->key_size, key, d->value_size, value);
	return 0;
}

long host_delete(const struct host_map_def *d, const void *key)
{
	struct host_map *m = host_map_of(d->map);
	struct host_entry **at = host_find(m, d->key_size, key);

	if (!*at)
		return HOST_NOENT;
	host_remove(m, at);
	return 0;
}

void *host_storage(const void *map, u32 value_size, const void *of, u64 flags)
{
	struct host_map *m = host_map_of(map);
	struct host_entry **at = host_find(m, sizeof(of), &of);

	if (*at)
		return (*at)->value;
	return flags & BPF_SK_STORAGE_GET_F_CREATE ? host_add(m, sizeof(of), &of, value_size, NULL) : NULL;
}

long host_output(const void *ring, const void *data, u64 size)
{
	if (host.ring_full && host.ring_full())
		return HOST_AGAIN;
	void *copy = host_copy(data, size); /* all of it must be readable */

	if (host.on_record)
		host.on_record(ring == &control_ring, copy, size);
	free(copy);
	return 0;
}

/* Makes size bytes at start readable, by the program's way of reading user or kernel memory. */
static inline void host_map_memory(const void *start, u64 size, bool user)
{
	if (host.region_count == HOST_REGIONS)
		abort();
	host.regions[host.region_count++] = (struct host_region){start, size, user};
}

static inline void host_unmap_memory(void)
{
	host.region_count = 0;
}

/* As the kernel does, a read that fails leaves zeroes. */
long host_read(void *dst, u32 size, const void *src, bool user)
{
	const u8 *from = src;

	for (u32 i = 0; i < host.region_count; i++) {
		const struct host_region *r = &host.regions[i];

		if (r->user == user && from >= r->start && size <= r->size && (u64)(from - r->start) <= r->size - size) {
			memcpy(dst, src, size);
			return 0;
		}
	}
	memset(dst, 0, size);
	return HOST_FAULT;
}

u64 bpf_ktime_get_ns(void)
{
	return host.now;
}

u64 bpf_get_current_pid_tgid(void)
{
	return (u64)host.tgid << 32 | host.tid;
}

u64 bpf_get_current_cgroup_id(void)
{
	return host.cgroup;
}

u32 bpf_get_smp_processor_id(void)
{
	return 0;
}

struct task_struct *bpf_get_current_task_btf(void)
{
	return &host.task;
}

struct pt_regs *bpf_task_pt_regs(const struct task_struct *task)
{
	return task == &host.task ? &host.regs : NULL;
}

/* Forgets everything, as if the programs were loaded anew. */
static inline void host_reset(void)
{
	for (u32 i = 0; i < HOST_MAPS; i++)
		while (host.maps[i].first)
			host_remove(&host.maps[i], &host.maps[i].first);
	memset(&host, 0, sizeof(host));
	host.now = 1000;
	host.task.mm = &host.mm;
}

static inline u64 host_stat(u32 which)
{
	const u64 *v = bpf_map_lookup_elem(&stats, &which);

	return v ? *v : 0;
}

static inline void host_judge(u32 tgid, u32 state)
{
	const struct verdict v = {.state = state};

	bpf_map_update_elem(&verdict_by_tgid, &tgid, &v, BPF_ANY);
}
