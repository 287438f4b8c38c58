/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What leaves the kernel: ring-buffer records. Mirrored by internal/event, whose test compares
 * the two through BTF. Little-endian, explicit padding, every byte initialised. */
#pragma once

#define EV_VERSION 1

enum ev_kind {
	EV_CONN = 1,	/* a selected connection was first seen */
	EV_DATA = 2,	/* bytes moved; a slice of them may follow */
	EV_EOF = 3,	/* one direction ended */
	EV_CLOSE = 4,	/* the task closed the connection, or it is gone */
	EV_PROC = 5,	/* fork, exec or exit */
	EV_LISTEN = 6,	/* a process listens on a port that a selector names */
	EV_OPEN = 7,	/* a selected task begins to connect a TCP socket */
};

enum ev_dir {
	DIR_RECV = 0,
	DIR_SEND = 1,
};

enum ev_data_flags {
	DATA_HEAD = 1 << 0,	/* the call starts like a message head */
	DATA_UNSEEN = 1 << 1,	/* the payload could not be read: splice, io_uring, fault, too many buffers */
	DATA_TAIL = 1 << 2,	/* tail holds the call's last eight bytes */
	DATA_QUIET = 1 << 3,	/* last record of this turn: further bytes only move the progress entry */
	DATA_TURN = 1 << 4,	/* the other direction moved before: a new turn begins */
	DATA_EARLY = 1 << 5,	/* tail holds the ktime of the first byte: the call was joined with earlier ones */
};

enum ev_proc_op {
	PROC_FORK = 1,
	PROC_EXEC = 2,
	PROC_EXIT = 3,
};

enum ev_conn_flags {
	CONN_FRESH = 1 << 0,	/* this end opened it after it was selected: nothing moved unseen */
};

#define UNIX_PATH 108

struct ev_hdr {
	__u16 version;
	__u16 kind;
	__u32 size;	/* of the whole record */
	__u64 ktime;	/* CLOCK_MONOTONIC, ns */
};

struct ev_conn {
	struct ev_hdr hdr;
	__u64 conn;	/* unique for the life of the agent's programs */
	__u64 cgroup;	/* cgroup v2 id of the task that was seen first */
	__u64 self;	/* AF_UNIX: names this end ... */
	__u64 peer;	/* ... and the other one; unique while both are open */
	__u32 seq[2];	/* TCP: sequence number of position 0, by enum ev_dir; the other end has the same numbers */
	__u32 tgid;
	__u32 tid;
	__u32 netns;	/* inode number */
	__u16 family;	/* AF_INET, AF_INET6, AF_UNIX */
	__u16 lport;	/* host order */
	__u16 rport;
	__u16 flags;	/* enum ev_conn_flags */
	__u32 path_len;	/* bytes of path, AF_UNIX only; abstract names start with NUL */
	__u8 laddr[16];	/* IPv4 uses the first four */
	__u8 raddr[16];
	__u8 path[UNIX_PATH];
	__u32 pad2;
};

struct ev_data {
	struct ev_hdr hdr;
	__u64 conn;
	__u64 pos;		/* of the call's first byte in this direction's stream */
	__u64 tail;		/* DATA_TAIL: last eight bytes of the call as they lie in memory; DATA_EARLY: see there */
	__u64 other_pos;	/* the other direction's position ... */
	__u64 other_ktime;	/* ... and when it last moved */
	__u64 task;		/* start of a request, of a Go process: goroutine that reads it, or on whose behalf it is sent;
				 * start of a message that a Python process sends: asyncio task */
	__u64 parent_task;	/* the goroutine that started that one, the task that waits for that one; 0 if not known */
	__u32 total;		/* bytes the call moved */
	__u32 captured;		/* bytes that follow, from pos on */
	__u32 tgid;
	__u32 tid;
	__u32 flags;		/* enum ev_data_flags */
	__u16 dir;		/* enum ev_dir */
	__u16 turn;		/* number of turns of the connection so far, this one included, modulo 2^16 */
};

struct ev_open {
	struct ev_hdr hdr;
	__u64 conn;
	__u32 tgid;
	__u32 tid;
};

struct ev_eof {
	struct ev_hdr hdr;
	__u64 conn;
	__u64 pos[2];		/* by enum ev_dir */
	__u64 last_ktime[2];
	__u32 dir;		/* EV_EOF: which direction ended */
	__u32 err;		/* EV_CLOSE: sk_err, 0 for an orderly end */
};

struct ev_proc {
	struct ev_hdr hdr;
	__u32 op;	/* enum ev_proc_op */
	__u32 tgid;
	__u32 ptgid;	/* PROC_FORK: whose selection was inherited */
	__u32 selected;	/* the verdict in force after this event */
	__u64 program;	/* PROC_EXEC: names the executable by its place in the file system; 0: not looked at */
	__u64 stack;	/* PROC_EXEC: where the stack starts, as /proc/PID/stat tells it */
};

struct ev_listen {
	struct ev_hdr hdr;
	__u32 tgid;
	__u32 selected;
	__u16 port;
	__u16 family;
	__u32 pad;
	__u64 stack;	/* as in ev_proc: which program listens */
};

/* Key and value of the progress map: where a direction stands that has gone quiet. */
struct progress_key {
	__u64 conn;
	__u64 dir;
};

struct progress {
	__u64 pos;
	__u64 ktime;
};
