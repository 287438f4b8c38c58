/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Socket calls of a task, put to the backend's programs the way its hooks would be. BACKEND is one
 * of the three below. */
#pragma once

#define BACKEND_FENTRY 1
#define BACKEND_SOCK_TRACEPOINT 2
#define BACKEND_SYSCALL_TRACEPOINT 3

/* A socket and what hangs off it. */
struct host_sock {
	union {
		struct sock sk;
		struct tcp_sock tcp;
		struct unix_sock un;
	};
	struct net net;
	struct socket socket;
	struct file file;
	struct inode inode;
	union {
		struct unix_address addr;
		u8 addr_room[sizeof(struct unix_address) + sizeof(struct sockaddr_un)];
	};
};

/* How a call names its buffers. */
enum host_shape {
	SHAPE_BUF,    /* read, write */
	SHAPE_IOV,    /* readv, writev */
	SHAPE_MSG,    /* recvmsg, sendmsg */
	SHAPE_UNSEEN, /* splice */
};

#define HOST_SEGS 64
#define HOST_FD 3

struct host_call {
	u32 dir;
	enum host_shape shape;
	int ret;   /* bytes that moved; 0: end of stream; negative: an error */
	u32 flags; /* MSG_* */
	u32 nr;    /* buffers, 1 for SHAPE_BUF */
	struct user_iovec64 seg[HOST_SEGS];
};

static inline void host_sock_init(struct host_sock *s, u16 family, u64 ino)
{
	memset(s, 0, sizeof(*s));
	s->sk.__sk_common.skc_family = family;
	s->sk.__sk_common.skc_net.net = &s->net;
	s->sk.sk_type = SOCK_STREAM;
	s->sk.sk_socket = &s->socket;
	s->socket.sk = &s->sk;
	s->socket.file = &s->file;
	s->file.f_inode = &s->inode;
	s->file.private_data = &s->socket;
	s->inode.i_mode = S_IFSOCK;
	s->inode.i_ino = ino;
}

/* The sequence numbers as TCP leaves them; both streams begin at 0. */
static inline void host_sequence(struct host_sock *s, const struct host_call *c)
{
	if (s->sk.__sk_common.skc_family == AF_UNIX || c->ret <= 0 || (c->flags & (MSG_PEEK | MSG_ERRQUEUE | MSG_OOB)))
		return;
	if (c->dir == DIR_SEND)
		s->tcp.write_seq += c->ret;
	else
		s->tcp.copied_seq += c->ret;
	s->tcp.rcv_nxt = s->tcp.copied_seq;
}

/* The peer has sent its last byte, and that was read. */
static inline void host_fin(struct host_sock *s)
{
	if (s->sk.sk_shutdown & RCV_SHUTDOWN)
		return;
	s->sk.sk_shutdown |= RCV_SHUTDOWN;
	if (s->sk.__sk_common.skc_family != AF_UNIX)
		s->tcp.rcv_nxt = ++s->tcp.copied_seq;
}

#if BACKEND == BACKEND_FENTRY

/* What TCP calls on different kernels, in turns; all are the same to whoever reads the records. */
static inline void host_tcp(struct host_sock *s, struct msghdr *m, const struct host_call *c)
{
	static u32 turn;

	turn++;
	if (c->shape == SHAPE_UNSEEN && c->dir == DIR_RECV && turn % 2) {
		tcp_splice(&s->socket, NULL, NULL, 0, 0, c->ret);
	} else if (c->shape == SHAPE_UNSEEN && c->dir == DIR_SEND && turn % 2) {
		tcp_page(&s->sk, NULL, 0, 0, 0, c->ret);
	} else if (c->dir == DIR_SEND) {
		tcp_send(&s->sk, m, 0, c->ret);
	} else if (turn % 3 == 0) {
		tcp_recv_4(&s->sk, m, 0, c->flags, c->ret);
	} else if (turn % 3 == 1) {
		tcp_recv_5(&s->sk, m, 0, c->flags, NULL, c->ret);
	} else {
		tcp_recv_6(&s->sk, m, 0, 0, c->flags, NULL, c->ret);
	}
}

/* msg_iter as the kernel leaves it: past the bytes that moved (lib/iov_iter.c, iov_iter_advance). */
static inline void host_call(struct host_sock *s, const struct host_call *c)
{
	/* the array and what lies around it, in kernel memory */
	struct user_iovec64 room[SEGS_READ + HOST_SEGS + 1] = {};
	struct msghdr m = {.msg_iter = {.iter_type = 0xff}};
	struct iov_iter *it = &m.msg_iter;
	u64 left = c->ret > 0 ? c->ret : 0;
	u32 i = 0;

	host_sequence(s, c);
	memcpy(room + SEGS_READ, c->seg, c->nr * sizeof(c->seg[0]));
	host_map_memory(room, sizeof(room), false);
	if (c->shape == SHAPE_BUF) {
		it->iter_type = ITER_UBUF;
		it->__iov = (const struct iovec *)c->seg[0].base;
		it->iov_offset = left;
	} else if (c->shape != SHAPE_UNSEEN) {
		while (i < c->nr && left >= c->seg[i].len)
			left -= c->seg[i++].len;
		it->iter_type = ITER_IOVEC;
		it->__iov = (const struct iovec *)(room + SEGS_READ + i);
		it->iov_offset = left;
		it->nr_segs = c->nr - i;
	}
	if (s->sk.__sk_common.skc_family == AF_UNIX) {
		if (c->dir == DIR_SEND)
			unix_send(&s->socket, &m, 0, c->ret);
		else
			unix_recv(&s->socket, &m, 0, c->flags, c->ret);
	} else {
		host_tcp(s, &m, c);
	}
}

#else

static inline long host_nr(const struct host_call *c)
{
	const bool send = c->dir == DIR_SEND;

	switch (c->shape) {
	case SHAPE_BUF:
		return c->flags ? NR_recvfrom : send ? NR_write : NR_read;
	case SHAPE_IOV:
		return send ? NR_writev : NR_readv;
	case SHAPE_MSG:
		return send ? NR_sendmsg : NR_recvmsg;
	default:
		return NR_splice;
	}
}

static inline void host_regs(long nr, u64 a0, u64 a1, u64 a2, u64 a3)
{
	struct pt_regs *r = &host.regs;

#if defined(__TARGET_ARCH_x86)
	*r = (struct pt_regs){.orig_ax = nr, .di = a0, .si = a1, .dx = a2, .r10 = a3};
#else
	*r = (struct pt_regs){.syscallno = nr, .orig_x0 = a0, .regs = {0, a1, a2, a3}};
#endif
}

static inline void host_fire(struct host_sock *s, const struct host_call *c)
{
#if BACKEND == BACKEND_SOCK_TRACEPOINT
	if (c->dir == DIR_SEND)
		sock_send(&s->sk, c->ret, c->flags);
	else
		sock_recv(&s->sk, c->ret, c->flags);
#else
	struct file *fds[HOST_FD + 1] = {[HOST_FD] = &s->file};
	struct fdtable table = {.max_fds = HOST_FD + 1, .fd = fds};
	struct files_struct files = {.fdt = &table};

	host.task.files = &files;
	host_map_memory(fds, sizeof(fds), false);
	syscall_exit(&host.regs, c->ret);
	host.task.files = NULL;
#endif
}

static inline void host_call(struct host_sock *s, const struct host_call *c)
{
	const struct user_msghdr64 m = {.iov = (u64)c->seg, .iovlen = c->nr};
	const long nr = host_nr(c);

	host_sequence(s, c);
	host_map_memory(&m, sizeof(m), true);
	host_map_memory(c->seg, sizeof(c->seg), true);
	if (c->shape == SHAPE_UNSEEN && c->dir == DIR_SEND)
		host_regs(nr, 0, 0, HOST_FD, 0);
	else if (c->shape == SHAPE_UNSEEN)
		host_regs(nr, HOST_FD, 0, 0, 0);
	else if (c->shape == SHAPE_BUF)
		host_regs(nr, HOST_FD, c->seg[0].base, c->seg[0].len, c->flags);
	else if (c->shape == SHAPE_IOV)
		host_regs(nr, HOST_FD, (u64)c->seg, c->nr, 0);
	else
		host_regs(nr, HOST_FD, (u64)&m, c->flags, 0);
	host_fire(s, c);
}

#endif
