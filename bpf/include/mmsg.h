/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* sendmmsg and recvmmsg make one socket call per message, and the registers do not tell which:
 * a counter per task does. It ends where the kernel's loop ends (net/socket.c, __sys_sendmmsg,
 * do_recvmmsg): at the last message, at an error, after a short send. */
#pragma once

struct mmsg {
	u64 base; /* first struct mmsghdr of the call */
	u32 next; /* index of the message that comes next */
	u32 pad;
};

/* pid_tgid -> the call under way. Written and read by the sock-tracepoint programs. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, struct mmsg);
} mmsg_by_task SEC(".maps");

static __always_inline void mmsg_end(void)
{
	const u64 task = bpf_get_current_pid_tgid();

	bpf_map_delete_elem(&mmsg_by_task, &task);
}

__noinline long iov_total(u64 iov, u32 nr)
{
	long sum = 0;

	for (u32 i = 0; i < SEGS_MAX && i < nr; i++) {
		struct user_iovec64 seg;

		if (bpf_probe_read_user(&seg, sizeof(seg), (void *)(iov + i * sizeof(seg))))
			break;
		sum += seg.len;
	}
	return sum;
}

/* The buffers of the message that this socket call is about. */
static __always_inline void src_mmsg(struct src *s, u64 base, u64 vlen, u32 dir, u32 len)
{
	const u64 task = bpf_get_current_pid_tgid();
	struct mmsg fresh = {.base = base}, *m = bpf_map_lookup_elem(&mmsg_by_task, &task);
	struct user_msghdr64 h;
	u32 i = 0;

	if (m && m->base == base && m->next < vlen)
		i = m->next;
	if (bpf_probe_read_user(&h, sizeof(h), (void *)(base + i * sizeof(struct user_mmsghdr64)))) {
		stat_add(STAT_READ_FAULTS, 1);
		mmsg_end();
		return;
	}
	src_iov_user(s, h.iov, h.iovlen);
	if (i + 1 >= vlen || (dir == DIR_SEND && (long)len < iov_total(h.iov, s->nr))) {
		mmsg_end();
		return;
	}
	fresh.next = i + 1;
	if (bpf_map_update_elem(&mmsg_by_task, &task, &fresh, BPF_ANY))
		stat_add(STAT_SEGS_CUT, 1);
}
