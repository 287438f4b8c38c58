// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//go:build ignore

/* Backend for kernels that refuse trampolines and kprobes: sock:sock_send_length and
 * sock:sock_recv_length (6.3, commit 6e6eda44b939) fire once per socket call after the data
 * moved. They carry the socket and the result; the buffer comes from the syscall's registers. */
#include "include/core.h"
#include "include/syscall.h"
#include "include/mmsg.h"

/* Only the socket that the syscall names may be read: sockets of the kernel itself (NFS, iSCSI),
 * used on behalf of a task, have no file. */
static __always_inline bool sock_is_ours(const struct sock *sk)
{
	const u16 family = sk->__sk_common.skc_family;

	if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
		return false;
	return sk->sk_type == SOCK_STREAM && sk->sk_socket && sk->sk_socket->file;
}

static __always_inline void syscall_src(struct src *s, const struct pt_regs *r, long nr, u32 dir, u32 len)
{
	if (nr_sends(nr) != (dir == DIR_SEND))
		return; /* io_uring, a kernel thread, a 32-bit caller */
	if (!src_syscall(s, r, nr) && (nr == NR_recvmmsg || nr == NR_sendmmsg))
		src_mmsg(s, sys_arg1(r), sys_arg2(r), dir, len);
}

static __always_inline long current_nr(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return sys_nr((const struct pt_regs *)bpf_task_pt_regs(task), task);
}

/* Most failures are EAGAIN: looked at before anything else, since they end an mmsg call. */
static __always_inline void on_error(void)
{
	const long nr = current_nr();

	if (nr == NR_recvmmsg || nr == NR_sendmmsg)
		mmsg_end();
}

static __always_inline void on_call(const struct verdict *v, struct sock *sk, int ret, int flags, u32 dir, u32 slot)
{
	if (!sock_is_ours(sk) || (flags & (MSG_PEEK | MSG_ERRQUEUE | MSG_OOB)))
		return;
	if (ret == 0) {
		if (dir == DIR_RECV)
			on_read_nothing(sk);
		return;
	}
	struct conn *c = conn_get(sk, slot);
	struct scratch *sc = scratch_get(slot, v);

	if (!c || !sc)
		return;
	if (!(flags & MSG_TRUNC)) { /* TCP discards the bytes then */
		const struct pt_regs *r = (const struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());

		syscall_src(&sc->src, r, current_nr(), dir, ret);
	}
	on_bytes(c, sk, sc, slot, dir, ret);
}

static __always_inline void on_length(struct sock *sk, int ret, int flags, u32 dir, u32 slot)
{
	if (ret < 0) {
		on_error();
		return;
	}
	const struct verdict *v = verdict_get();

	if (verdict_selects(v))
		on_call(v, sk, ret, flags, dir, slot);
}

SEC("tp_btf/sock_send_length")
int BPF_PROG(sock_send, struct sock *sk, int ret, int flags)
{
	if (on_duty(SITE_SEND))
		on_length(sk, ret, flags, DIR_SEND, SLOT_SEND);
	return 0;
}

SEC("tp_btf/sock_recv_length")
int BPF_PROG(sock_recv, struct sock *sk, int ret, int flags)
{
	if (on_duty(SITE_RECV))
		on_length(sk, ret, flags, DIR_RECV, SLOT_RECV);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
