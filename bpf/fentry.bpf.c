// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//go:build ignore

/* The default backend: fexit in the TCP and unix-stream layer (trampolines: x86 5.5, arm64 6.0).
 * One program per socket call. On exit msg_iter has moved past the data, over a buffer or an
 * iovec array that still exists: its start is found by going back. */
#include "include/core.h"

/* The pointer in the iterator's union, as a number: loaded directly it would have a type of its own
 * to the verifier, another one on every kernel. */
static __always_inline u64 iter_pointer(const struct iov_iter *it)
{
	const struct iov_iter___iov *mid = (const void *)it;
	u64 addr = 0;

	if (bpf_core_field_exists(it->__iov))
		bpf_core_read(&addr, sizeof(addr), &it->__iov);
	else
		bpf_core_read(&addr, sizeof(addr), &mid->iov);
	return addr;
}

static __always_inline void src_iter(struct scratch *sc, u32 slot, const struct iov_iter *it, u32 len)
{
	const struct iov_iter___old *old = (const void *)it;
	const u64 offset = it->iov_offset, addr = iter_pointer(it);
	u32 type;

	if (bpf_core_field_exists(it->iter_type))
		type = it->iter_type;
	else
		type = old->type & ~1U;
	/* ubuf shares the union with iov */
	if (bpf_core_enum_value_exists(enum iter_type, ITER_UBUF) && type == bpf_core_enum_value(enum iter_type, ITER_UBUF)) {
		sc->src.addr = addr + offset - len;
		sc->src.kind = SRC_BUF;
		return;
	}
	if (type == bpf_core_enum_value(enum iter_type, ITER_IOVEC))
		src_rewind(slot, addr, offset, len); /* else pages of splice and sendfile, kernel buffers */
}

/* Sockets of the kernel itself, used on behalf of a task, have no file. */
static __always_inline bool has_file(const struct sock *sk)
{
	return sk->sk_socket && sk->sk_socket->file;
}

static __always_inline void on_call(const struct verdict *v, struct sock *sk, const struct iov_iter *it, int ret, u32 dir, u32 slot)
{
	if (!has_file(sk))
		return;
	struct conn *c = conn_get(sk, slot);
	struct scratch *sc = scratch_get(slot, v);

	if (!c || !sc)
		return;
	if (it)
		src_iter(sc, slot, it, ret);
	on_bytes(c, sk, sc, slot, dir, ret);
}

static __always_inline void on_send(struct sock *sk, const struct iov_iter *it, int ret, u32 slot)
{
	const struct verdict *v = verdict_get();

	if (verdict_selects(v))
		on_call(v, sk, it, ret, DIR_SEND, slot);
}

static __always_inline void on_recv(struct sock *sk, const struct msghdr *msg, int flags, int ret, u32 slot)
{
	const struct verdict *v = verdict_get();

	if (!verdict_selects(v) || (flags & (MSG_PEEK | MSG_ERRQUEUE | MSG_OOB)))
		return;
	if (ret > 0) { /* TCP discards the bytes of MSG_TRUNC */
		on_call(v, sk, flags & MSG_TRUNC ? NULL : &msg->msg_iter, ret, DIR_RECV, slot);
		return;
	}
	on_read_nothing(sk);
}

SEC("fexit/tcp_sendmsg")
int BPF_PROG(tcp_send, struct sock *sk, struct msghdr *msg, size_t size, int ret)
{
	if (on_duty(SITE_SEND) && ret > 0)
		on_send(sk, &msg->msg_iter, ret, SLOT_SEND);
	return 0;
}

/* One program per signature: nonblock was an argument of its own before 5.19 (commit ec095263a965),
 * addr_len is gone from the newest kernels. */
SEC("fexit/tcp_recvmsg")
int BPF_PROG(tcp_recv_4, struct sock *sk, struct msghdr *msg, size_t size, int flags, int ret)
{
	if (on_duty(SITE_RECV) && ret >= 0)
		on_recv(sk, msg, flags, ret, SLOT_RECV);
	return 0;
}

SEC("fexit/tcp_recvmsg")
int BPF_PROG(tcp_recv_5, struct sock *sk, struct msghdr *msg, size_t size, int flags, int *addr_len, int ret)
{
	if (on_duty(SITE_RECV) && ret >= 0)
		on_recv(sk, msg, flags, ret, SLOT_RECV);
	return 0;
}

SEC("fexit/tcp_recvmsg")
int BPF_PROG(tcp_recv_6, struct sock *sk, struct msghdr *msg, size_t size, int nonblock, int flags,
	     int *addr_len, int ret)
{
	if (on_duty(SITE_RECV) && ret >= 0)
		on_recv(sk, msg, flags, ret, SLOT_RECV);
	return 0;
}

SEC("fexit/unix_stream_sendmsg")
int BPF_PROG(unix_send, struct socket *sock, struct msghdr *msg, size_t size, int ret)
{
	if (on_duty(SITE_UNIX_SEND) && ret > 0)
		on_send(sock->sk, &msg->msg_iter, ret, SLOT_UNIX_SEND);
	return 0;
}

SEC("fexit/unix_stream_recvmsg")
int BPF_PROG(unix_recv, struct socket *sock, struct msghdr *msg, size_t size, int flags, int ret)
{
	if (on_duty(SITE_UNIX_RECV) && ret >= 0)
		on_recv(sock->sk, msg, flags, ret, SLOT_UNIX_RECV);
	return 0;
}

/* Bytes that move without a user buffer: counted, payload unseen. */

SEC("fexit/tcp_splice_read")
int BPF_PROG(tcp_splice, struct socket *sock, void *ppos, void *pipe, size_t len, unsigned int flags, long ret)
{
	if (!on_duty(SITE_SPLICE) || ret <= 0)
		return 0;
	const struct verdict *v = verdict_get();

	if (verdict_selects(v))
		on_call(v, sock->sk, NULL, ret, DIR_RECV, SLOT_SPLICE);
	return 0;
}

/* sendfile and splice to a socket before 6.5 (commit dc97391e6610) */
SEC("fexit/tcp_sendpage")
int BPF_PROG(tcp_page, struct sock *sk, void *page, int offset, size_t size, int flags, int ret)
{
	if (on_duty(SITE_PAGE) && ret > 0)
		on_send(sk, NULL, ret, SLOT_PAGE);
	return 0;
}

/* the same of unix sockets */
SEC("fexit/unix_stream_sendpage")
int BPF_PROG(unix_page, struct socket *sock, void *page, int offset, size_t size, int flags, long ret)
{
	if (on_duty(SITE_UNIX_PAGE) && ret > 0)
		on_send(sock->sk, NULL, ret, SLOT_UNIX_PAGE);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
