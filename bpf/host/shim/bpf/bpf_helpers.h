/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stands in for libbpf's header when the programs are compiled for the host: what the kernel gives
 * them is given by kernel.c. A map's types are known where it is used, so that needs no registry. */
#pragma once

#define SEC(name)
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name
#define __always_inline inline __attribute__((always_inline))
#define __noinline __attribute__((noinline))
#define barrier_var(var) asm volatile("" : "+r"(var))

enum { HOST_FAULT = -14, HOST_AGAIN = -11, HOST_NOENT = -2, HOST_EXIST = -17, HOST_FULL = -7 };

struct host_map_def {
	const void *map; /* its address tells maps apart */
	u32 type, max, key_size, value_size;
};

#define HOST_MAP(m)                                                                                \
	&(const struct host_map_def)                                                               \
	{                                                                                          \
		.map = (m), .type = sizeof(*(m)->type) / sizeof(int),                              \
		.max = sizeof(*(m)->max_entries) / sizeof(int), .key_size = sizeof(*(m)->key),     \
		.value_size = sizeof(*(m)->value)                                                  \
	}

void *host_lookup(const struct host_map_def *m, const void *key);
long host_update(const struct host_map_def *m, const void *key, const void *value, u64 flags);
long host_delete(const struct host_map_def *m, const void *key);
void *host_storage(const void *map, u32 value_size, const void *of, u64 flags);
long host_output(const void *ring, const void *data, u64 size);
long host_read(void *dst, u32 size, const void *src, bool user);

#define bpf_map_lookup_elem(m, k) host_lookup(HOST_MAP(m), k)
#define bpf_map_update_elem(m, k, v, flags) host_update(HOST_MAP(m), k, v, flags)
#define bpf_map_delete_elem(m, k) host_delete(HOST_MAP(m), k)
#define bpf_sk_storage_get(m, sk, init, flags) host_storage(m, sizeof(*(m)->value), sk, flags)
#define bpf_ringbuf_output(m, data, size, flags) host_output(m, data, size)
#define bpf_probe_read_user(dst, size, src) host_read(dst, size, (const void *)(src), true)
#define bpf_probe_read_kernel(dst, size, src) host_read(dst, size, (const void *)(src), false)

u64 bpf_ktime_get_ns(void);
u64 bpf_get_current_pid_tgid(void);
u64 bpf_get_current_cgroup_id(void);
u32 bpf_get_smp_processor_id(void);
struct task_struct *bpf_get_current_task_btf(void);
struct pt_regs *bpf_task_pt_regs(const struct task_struct *task);
#define bpf_get_current_task() ((u64)bpf_get_current_task_btf())
