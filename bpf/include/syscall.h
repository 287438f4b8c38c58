/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Finds a socket call's user buffers from the registers of the system call that made it. */
#pragma once

#if defined(__TARGET_ARCH_x86)
enum nr {
	NR_read = 0, NR_write = 1, NR_readv = 19, NR_writev = 20, NR_sendfile = 40, NR_sendto = 44,
	NR_recvfrom = 45, NR_sendmsg = 46, NR_recvmsg = 47, NR_splice = 275, NR_preadv2 = 327,
	NR_pwritev2 = 328, NR_recvmmsg = 299, NR_sendmmsg = 307,
};
#define TS_COMPAT 2

static __always_inline long sys_nr(const struct pt_regs *r, const struct task_struct *task)
{
	return task->thread_info.status & TS_COMPAT ? -1 : (long)r->orig_ax;
}

static __always_inline long regs_nr(const struct pt_regs *r, const struct task_struct *task)
{
	return BPF_CORE_READ(task, thread_info.status) & TS_COMPAT ? -1 : (long)r->orig_ax;
}
#define sys_arg0(r) ((r)->di)
#define sys_arg1(r) ((r)->si)
#define sys_arg2(r) ((r)->dx)
#define sys_arg3(r) ((r)->r10)
#else
enum nr {
	NR_read = 63, NR_write = 64, NR_readv = 65, NR_writev = 66, NR_sendfile = 71, NR_sendto = 206,
	NR_recvfrom = 207, NR_sendmsg = 211, NR_recvmsg = 212, NR_splice = 76, NR_preadv2 = 286,
	NR_pwritev2 = 287, NR_recvmmsg = 243, NR_sendmmsg = 269,
};
#define PSR_MODE32_BIT 0x10

static __always_inline long sys_nr(const struct pt_regs *r, const struct task_struct *task)
{
	return r->pstate & PSR_MODE32_BIT ? -1 : (long)r->syscallno;
}
#define regs_nr(r, task) sys_nr(r, task)
#define sys_arg0(r) ((r)->orig_x0)
#define sys_arg1(r) ((r)->regs[1])
#define sys_arg2(r) ((r)->regs[2])
#define sys_arg3(r) ((r)->regs[3])
#endif

static __always_inline bool nr_sends(long nr)
{
	return nr == NR_write || nr == NR_writev || nr == NR_sendto || nr == NR_sendmsg || nr == NR_sendmmsg ||
	       nr == NR_pwritev2 || nr == NR_sendfile || nr == NR_splice;
}

static __always_inline void src_buf(struct src *s, u64 addr)
{
	s->addr = addr;
	s->kind = SRC_BUF;
}

static __always_inline void src_iov_user(struct src *s, u64 iov, u64 nr)
{
	s->addr = iov;
	s->skip = 0;
	s->nr = nr < 1024 ? nr : 1024; /* UIO_MAXIOV */
	s->kind = SRC_IOV_USER;
	s->held = 0;
}

static __always_inline void src_msghdr(struct src *s, u64 msg)
{
	struct user_msghdr64 m;

	if (bpf_probe_read_user(&m, sizeof(m), (void *)msg)) {
		stat_add(STAT_READ_FAULTS, 1);
		return;
	}
	src_iov_user(s, m.iov, m.iovlen);
}

/* Where the call's bytes lie, but for recvmmsg and sendmmsg; false: nowhere in user memory. */
static __always_inline bool src_syscall(struct src *s, const struct pt_regs *r, long nr)
{
	switch (nr) {
	case NR_read:
	case NR_write:
	case NR_recvfrom:
	case NR_sendto:
		src_buf(s, sys_arg1(r));
		return true;
	case NR_readv:
	case NR_writev:
	case NR_preadv2:
	case NR_pwritev2:
		src_iov_user(s, sys_arg1(r), sys_arg2(r));
		return true;
	case NR_recvmsg:
	case NR_sendmsg:
		src_msghdr(s, sys_arg1(r));
		return true;
	}
	return false;
}
