// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//go:build ignore

/* The last resort: raw sys_exit. The registers still hold the call's arguments, so no program is
 * needed at entry; the socket is found through the descriptor table. */
#include "include/core.h"
#include "include/syscall.h"

/* A global function: one copy, proved once. The slot's src says where the bytes lie. */
__noinline int on_moved(u64 addr, u32 dir, u64 len)
{
	struct sock *sk = (struct sock *)addr;
	const u32 slot = SLOT_SEND;
	struct scratch *sc = bpf_map_lookup_elem(&scratch_by_slot, &slot);
	struct conn *c;

	if (!sc)
		return 0;
	barrier_var(dir);
	dir &= 1;
	if (len) {
		c = conn_get(sk, slot);
		if (c)
			on_bytes(c, sk, sc, slot, dir, len);
		return 0;
	}
	if (dir == DIR_RECV)
		on_read_nothing(sk);
	return 0;
}

/* ret messages of a recvmmsg or sendmmsg, each with its own length and buffers. */
static __always_inline void on_mmsg(struct sock *sk, struct scratch *sc, u64 vec, u32 dir, long ret)
{
	for (u32 i = 0; i < MMSG_MAX && i < ret; i++) {
		struct user_mmsghdr64 m;

		if (bpf_probe_read_user(&m, sizeof(m), (void *)(vec + i * sizeof(m)))) {
			stat_add(STAT_READ_FAULTS, 1);
			return;
		}
		src_iov_user(&sc->src, m.hdr.iov, m.hdr.iovlen);
		on_moved((u64)sk, dir, m.len);
	}
	if (ret > MMSG_MAX)
		stat_add(STAT_SEGS_CUT, 1);
}

static __always_inline bool nr_receives(long nr)
{
	return nr == NR_read || nr == NR_readv || nr == NR_recvfrom || nr == NR_recvmsg || nr == NR_preadv2 ||
	       nr == NR_recvmmsg;
}

static __always_inline u64 recv_flags(const struct pt_regs *r, long nr)
{
	if (nr == NR_recvfrom || nr == NR_recvmmsg)
		return sys_arg3(r);
	return nr == NR_recvmsg ? sys_arg2(r) : 0;
}

static __always_inline void on_splice(const struct pt_regs *r, long ret)
{
	struct sock *sk = sock_of_fd(sys_arg2(r)); /* splice(in, off, out, ...) */

	if (sk) {
		on_moved((u64)sk, DIR_SEND, ret);
		return;
	}
	sk = sock_of_fd(sys_arg0(r));
	if (sk)
		on_moved((u64)sk, DIR_RECV, ret);
}

static __always_inline void on_sys_exit(const struct pt_regs *regs, long ret)
{
	const struct verdict *v = verdict_get();

	if (!verdict_selects(v))
		return;
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	const long nr = regs_nr(regs, task);
	const bool sends = nr_sends(nr);

	if (ret < 0 || (!sends && !nr_receives(nr)) || (sends && ret == 0))
		return;
	struct scratch *sc = scratch_get(SLOT_SEND, v);

	if (!sc)
		return;
	if (nr == NR_splice) {
		on_splice(regs, ret);
		return;
	}
	struct sock *sk = sock_of_fd(sys_arg0(regs));

	if (!sk)
		return;
	const u32 dir = sends ? DIR_SEND : DIR_RECV;
	const u64 flags = sends ? 0 : recv_flags(regs, nr);

	if (flags & (MSG_PEEK | MSG_ERRQUEUE | MSG_OOB))
		return;
	if (nr == NR_recvmmsg || nr == NR_sendmmsg) {
		on_mmsg(sk, sc, sys_arg1(regs), dir, ret);
		return;
	}
	if (!(flags & MSG_TRUNC))
		src_syscall(&sc->src, regs, nr);
	on_moved((u64)sk, dir, ret);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(syscall_exit, struct pt_regs *regs, long ret)
{
	if (on_duty(SITE_SEND))
		on_sys_exit(regs, ret);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
