/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

enum verdict_state {
	VERDICT_UNKNOWN = 0,
	VERDICT_CANDIDATE = 1, /* selected as soon as it listens on a port of one of its rules */
	VERDICT_SELECTED = 2,
	VERDICT_EXCLUDED = 3,
};

/* Where a Go program keeps what tells its goroutines apart; goid 0: no Go program, or an unknown version. */
struct go_layout {
	s32 tls;	 /* amd64: g, from the thread's fs base */
	u16 goid;	 /* in runtime.g */
	u16 parent_goid; /* in runtime.g, 0 before Go 1.21 */
	u16 conn;	 /* the connection, an interface, in net/http.persistConn; 0: not looked at */
	u16 sysfd;	 /* the descriptor in net.netFD */
	u16 itab_hash;	 /* a type's hash in its interface table */
	u16 python;	 /* instead: 1 if python_by_tgid may have an entry */
	u32 tcp_conn;	 /* the hash of *net.TCPConn */
	u32 unix_conn;	 /* the hash of *net.UnixConn */
};

struct verdict {
	u32 state; /* enum verdict_state */
	u32 pad;
	u64 include; /* rules with ports that it satisfies but for the port */
	u64 exclude;
	struct go_layout go;
};

struct port_rule {
	u64 include;
	u64 exclude;
	u32 automatic; /* selects a process that nobody has judged yet */
	u32 pad;
};

struct caller {
	u64 goid;
	u64 parent_goid;
	u32 tgid;
	u32 pad;
};

/* Where one connection stands. Lives with the socket (sk_storage) or in an LRU map. */
struct conn {
	u64 id;
	u64 inode;     /* of a unix socket in the LRU map: tells a reused address */
	u64 pos[2];    /* bytes seen, by enum ev_dir */
	u64 ktime[2];  /* when pos last moved */
	u32 budget[2]; /* bytes of the current head that may still be shipped */
	u16 records[2];
	u16 turn;      /* how often the direction changed */
	u8 last_dir;
	u8 flags;
	u8 idle_turns; /* turns that began without a head */
	u8 early_len[2];
	u8 kind[2];    /* enum head_kind of the heads seen so far */
	u8 pad;
	u16 err;       /* sk_err when it was reset */
	u16 epoch;     /* announce_epoch when it was announced */
	u8 pad2[2];
	u64 early_ktime[2];	   /* when the first of these bytes moved */
	u8 early[2][HEAD_PEEK];	   /* bytes too few to tell whether they start a head: as if they had not moved yet */
};

#define CONN_HTTP 1	 /* a head was seen: records are sent */
#define CONN_ANNOUNCED 2 /* EV_CONN reached the ring */
#define CONN_OPENED 4	 /* seen from connect() on */

/* Connections that were announced under another number are announced again when next they say something.
 * Written by user space, when it forgot some. */
u32 announce_epoch;

/* tgid -> verdict. Written by user space and by the process life-cycle programs; read by every hook. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct verdict);
} verdict_by_tgid SEC(".maps");

/* executable (program_key) -> the verdict that every process has which runs it. Written by user space, of
 * programs it has judged before; read at exec. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 2048);
	__type(key, u64);
	__type(value, struct verdict);
} verdict_by_program SEC(".maps");

/* tgid -> verdict of the program it executes, while user space has not judged the process. A map of its own,
 * so that what user space writes about the program before can never replace it. Written by the process
 * life-cycle programs; read by every hook iff recalling. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, u32);
	__type(value, struct verdict);
} recalled_by_tgid SEC(".maps");

/* Does verdict_by_program hold anything? Written by user space. */
u32 recalling;

/* cgroup v2 id -> 1. Written by user space; read by every hook iff use_cgroup. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, u64);
	__type(value, u32);
} selected_cgroup SEC(".maps");

/* listening port -> rules naming it. Written by user space before attach; read at listen(). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, u16);
	__type(value, struct port_rule);
} rule_by_port SEC(".maps");

/* socket -> conn, freed with the socket. Used iff use_sk_storage. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct conn);
} conn_of_sock SEC(".maps");

/* socket address -> conn, removed when a TCP socket is destroyed; nothing tells of a unix socket's
 * end, its entry is told by its inode. Used iff !use_sk_storage. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, struct conn);
} conn_by_addr SEC(".maps");

/* connection and direction -> how far it got after its records ran out. Written by the hooks, polled by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct progress_key);
	__type(value, struct progress);
} progress_by_conn SEC(".maps");

/* inode number of a socket -> the goroutine that wants the next request sent there. Written by the
 * probe on Go's HTTP client, taken by the send hook. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct caller);
} caller_by_inode SEC(".maps");

/* slices and connection events, in order. Read by the agent's reader. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} data_ring SEC(".maps");

/* process events. Few and urgent: a ring of their own, so that data cannot delay or displace them. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 << 10);
} control_ring SEC(".maps");
