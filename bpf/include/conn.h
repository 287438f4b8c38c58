/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Connection state: one per socket, made at the first bytes a selected task moves. */
#pragma once

/* enum scratch_slot, or SLOT_MAX for the program of connects -> connections made there. By CPU and slot,
 * since programs may preempt one another; stand-ins have one of their own. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOT_MAX + 1);
	__type(key, u32);
	__type(value, u64);
} conn_seq SEC(".maps");

/* An id that never repeats: the CPU, the program, and how many it made there. */
__noinline u64 conn_next_id(u32 slot)
{
	u64 *n = bpf_map_lookup_elem(&conn_seq, &slot);

	if (!n)
		return 0;
	*n += 1;
	const u64 program = slot << 1 | (role == ROLE_STAND_IN);

	return (u64)(bpf_get_smp_processor_id() + 1) << 44 | program << 40 | (*n & ((1ULL << 40) - 1));
}

static __always_inline void conn_init(struct conn *c, u32 slot)
{
	c->id = conn_next_id(slot);
	c->last_dir = 0xff;
}

static __always_inline u64 sock_inode(const struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_socket, file, f_inode, i_ino);
}

static __always_inline u64 unix_inode(const struct sock *sk)
{
	return BPF_CORE_READ(sk, __sk_common.skc_family) == AF_UNIX ? sock_inode(sk) : 0;
}

static __always_inline struct conn *conn_find_addr(const struct sock *sk)
{
	const u64 key = (u64)sk;
	struct conn *c = bpf_map_lookup_elem(&conn_by_addr, &key);

	return c && c->inode == unix_inode(sk) ? c : NULL;
}

/* enum scratch_slot, or SLOT_MAX for the program of connects -> a connection being made: on the stack
 * it would not fit into what a chain of calls may use. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOT_MAX + 1);
	__type(key, u32);
	__type(value, struct conn);
} fresh_conn SEC(".maps");

static __always_inline struct conn *conn_get_addr(const struct sock *sk, u32 slot)
{
	const u64 key = (u64)sk;
	struct conn *c = conn_find_addr(sk), *fresh;

	if (c)
		return c;
	fresh = bpf_map_lookup_elem(&fresh_conn, &slot);
	if (!fresh)
		return NULL;
	__builtin_memset(fresh, 0, sizeof(*fresh));
	conn_init(fresh, slot);
	fresh->inode = unix_inode(sk);
	if (bpf_map_update_elem(&conn_by_addr, &key, fresh, BPF_ANY))
		return NULL;
	return bpf_map_lookup_elem(&conn_by_addr, &key);
}

/* Macros, so that sk keeps the verifier's type: sk_storage takes a trusted socket only. */

#define conn_find(sk)                                                                              \
	(use_sk_storage ? (struct conn *)bpf_sk_storage_get(&conn_of_sock, (void *)(sk), NULL, 0)  \
			: conn_find_addr(sk))

#define conn_get(sk, slot)                                                                            \
	({                                                                                         \
		struct conn *_c;                                                                   \
		if (use_sk_storage) {                                                              \
			_c = bpf_sk_storage_get(&conn_of_sock, (void *)(sk), NULL,                 \
						BPF_SK_STORAGE_GET_F_CREATE);                      \
			if (_c && !_c->id)                                                         \
				conn_init(_c, slot);                                               \
		} else {                                                                           \
			_c = conn_get_addr(sk, slot);                                                    \
		}                                                                                  \
		if (!_c)                                                                           \
			stat_add(STAT_CONN_FULL, 1);                                               \
		_c;                                                                                \
	})
