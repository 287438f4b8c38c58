// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//go:build ignore

/* The last resort: raw sys_exit. The registers still hold the call's arguments, so no program is
 * needed at entry; the socket is found through the descriptor table. */
#include "include/core.h"
#include "include/syscall.h"

/* The stream socket behind a descriptor of the current task, or NULL. Another thread may have
 * closed and reused the number since the call: then the bytes go to the wrong connection's count,
 * which its parser notices. */
static __always_inline struct sock *sock_of_fd(const struct task_struct *task, u64 fd)
{
	const struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **fds = BPF_CORE_READ(fdt, fd), *file = NULL;

	if (fd >= BPF_CORE_READ(fdt, max_fds))
		return NULL;
	if (bpf_probe_read_kernel(&file, sizeof(file), fds + fd) || !file)
		return NULL;
	if ((BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) != S_IFSOCK)
		return NULL;
	const struct socket *sock = BPF_CORE_READ(file, private_data);
	struct sock *sk = BPF_CORE_READ(sock, sk);
	const u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
		return NULL;
	return BPF_CORE_READ(sk, sk_type) == SOCK_STREAM ? sk : NULL;
}

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
		c = conn_get(sk);
		if (c)
			on_bytes(c, sk, sc, slot, dir, len);
		return 0;
	}
	if (dir != DIR_RECV || !(BPF_CORE_READ(sk, sk_shutdown) & RCV_SHUTDOWN))
		return 0;
	c = conn_find(sk);
	if (c && (c->flags & CONN_ANNOUNCED))
		emit_eof(c, EV_EOF, DIR_RECV, 0);
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

static __always_inline void src_of(struct src *s, const struct pt_regs *r, long nr)
{
	if (nr == NR_read || nr == NR_write || nr == NR_recvfrom || nr == NR_sendto)
		src_buf(s, sys_arg1(r));
	else if (nr == NR_readv || nr == NR_writev || nr == NR_preadv2 || nr == NR_pwritev2)
		src_iov_user(s, sys_arg1(r), sys_arg2(r));
	else if (nr == NR_recvmsg || nr == NR_sendmsg)
		src_msghdr(s, sys_arg1(r));
}

static __always_inline void on_splice(const struct task_struct *task, const struct pt_regs *r, long ret)
{
	struct sock *sk = sock_of_fd(task, sys_arg2(r)); /* splice(in, off, out, ...) */

	if (sk) {
		on_moved((u64)sk, DIR_SEND, ret);
		return;
	}
	sk = sock_of_fd(task, sys_arg0(r));
	if (sk)
		on_moved((u64)sk, DIR_RECV, ret);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(syscall_exit, struct pt_regs *regs, long ret)
{
	if (!selected(bpf_get_current_pid_tgid() >> 32))
		return 0;
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	const long nr = regs_nr(regs, task);
	const bool sends = nr_sends(nr);

	if (ret < 0 || (!sends && !nr_receives(nr)) || (sends && ret == 0))
		return 0;
	struct scratch *sc = scratch_get(SLOT_SEND);

	if (!sc)
		return 0;
	if (nr == NR_splice) {
		on_splice(task, regs, ret);
		return 0;
	}
	struct sock *sk = sock_of_fd(task, sys_arg0(regs));

	if (!sk)
		return 0;
	const u32 dir = sends ? DIR_SEND : DIR_RECV;
	const u64 flags = sends ? 0 : recv_flags(regs, nr);

	if (flags & (MSG_PEEK | MSG_ERRQUEUE | MSG_OOB))
		return 0;
	if (nr == NR_recvmmsg || nr == NR_sendmmsg) {
		on_mmsg(sk, sc, sys_arg1(regs), dir, ret);
		return 0;
	}
	if (!(flags & MSG_TRUNC))
		src_of(&sc->src, regs, nr);
	on_moved((u64)sk, dir, ret);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
