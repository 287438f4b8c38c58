/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Programs that every backend has: processes come and go, sockets change state. */
#pragma once

static __always_inline void emit_proc(u32 op, u32 tgid, u32 ptgid, u32 is_selected)
{
	struct ev_proc ev = {};

	hdr_fill(&ev.hdr, EV_PROC, sizeof(ev), bpf_ktime_get_ns());
	ev.op = op;
	ev.tgid = tgid;
	ev.ptgid = ptgid;
	ev.selected = is_selected;
	emit_control(&ev, sizeof(ev));
}

/* A child starts with its parent's verdict, before its first instruction. */
static __always_inline void on_fork(struct task_struct *parent, struct task_struct *child)
{
	const u32 tgid = child->tgid, ptgid = parent->tgid;
	const struct verdict *v;

	if (tgid != (u32)child->pid) /* a thread */
		return;
	v = verdict_of(ptgid);
	if (!v)
		return;
	const struct verdict copy = *v;

	if (bpf_map_update_elem(&verdict_by_tgid, &tgid, &copy, BPF_ANY)) {
		stat_add(STAT_VERDICT_FULL, 1);
		return;
	}
	emit_proc(PROC_FORK, tgid, ptgid, copy.state == VERDICT_SELECTED);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	if (on_duty(SITE_FORK))
		on_fork(parent, child);
	return 0;
}

/* Directories on an executable's path that are looked at. */
#define PATH_DEPTH 16

/* Names the executable of a task as its path does: by the mount and by each name up to the mount's root.
 * 0: the path is longer, or the file was removed. Names are told by their dentries and the hash with the
 * length (qstr.hash_len), which is salted with the directory's address: a renamed file is another program. */
static __always_inline u64 program_key(const struct task_struct *task)
{
	const struct file *exe = BPF_CORE_READ(task, mm, exe_file);
	const struct dentry *d = BPF_CORE_READ(exe, f_path.dentry);
	u64 key = (u64)BPF_CORE_READ(exe, f_path.mnt);

	if (!BPF_CORE_READ(d, d_hash.pprev)) /* unlinked, or of no directory (memfd_create) */
		return 0;
	for (int i = 0; i < PATH_DEPTH; i++) {
		const struct dentry *parent = BPF_CORE_READ(d, d_parent);

		key = ((key ^ (u64)d) * 0x9e3779b97f4a7c15ULL) ^ BPF_CORE_READ(d, d_name.hash_len);
		key ^= key >> 29;
		if (!parent || parent == d)
			return key;
		d = parent;
	}
	return 0;
}

/* A program that was judged before has its verdict from its first instruction on; user space judges it
 * anew nevertheless. */
static __always_inline u32 recall(u32 tgid, u64 program)
{
	const struct verdict *v = program ? bpf_map_lookup_elem(&verdict_by_program, &program) : NULL;

	if (!v)
		return 0;
	const struct verdict copy = *v;

	if (bpf_map_update_elem(&recalled_by_tgid, &tgid, &copy, BPF_ANY)) {
		stat_add(STAT_VERDICT_FULL, 1);
		return 0;
	}
	return copy.state == VERDICT_SELECTED;
}

/* A new program: what was known of the old one no longer holds. Not selected until judged anew, unless
 * the same program was selected before. */
static __always_inline void on_exec(struct task_struct *task)
{
	const u32 tgid = task->tgid;
	struct ev_proc ev = {.op = PROC_EXEC, .tgid = tgid};

	bpf_map_delete_elem(&verdict_by_tgid, &tgid);
	bpf_map_delete_elem(&recalled_by_tgid, &tgid);
	ev.program = program_key(task);
	ev.stack = BPF_CORE_READ(task, mm, start_stack);
	if (recalling)
		ev.selected = recall(tgid, ev.program);
	hdr_fill(&ev.hdr, EV_PROC, sizeof(ev), bpf_ktime_get_ns());
	emit_control(&ev, sizeof(ev));
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task)
{
	if (on_duty(SITE_EXEC))
		on_exec(task);
	return 0;
}

static __always_inline void on_end(struct task_struct *task)
{
	const u32 tgid = task->tgid;

	if (task->signal->live.counter > 0) /* other threads go on */
		return;
	const bool judged = bpf_map_delete_elem(&verdict_by_tgid, &tgid) == 0;
	const bool recalled = bpf_map_delete_elem(&recalled_by_tgid, &tgid) == 0;

	if (judged || recalled)
		emit_proc(PROC_EXIT, tgid, 0, 0);
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	if (on_duty(SITE_EXIT))
		on_end(task);
	return 0;
}

/* Nobody has judged the process yet. A port that some exclude rule names excludes it until
 * somebody does; one that rules name by itself selects it. */
static __always_inline u32 judge_unknown(u32 tgid, const struct port_rule *r)
{
	struct verdict v = {};

	if (r->exclude) {
		v.state = VERDICT_EXCLUDED;
	} else if (r->automatic) {
		v.state = VERDICT_SELECTED;
		v.exclude = ~0ULL;
	} else {
		return 0;
	}
	if (bpf_map_update_elem(&verdict_by_tgid, &tgid, &v, BPF_ANY)) {
		stat_add(STAT_VERDICT_FULL, 1);
		return 0;
	}
	return v.state == VERDICT_SELECTED;
}

static __always_inline u32 judge_listen(u32 tgid, const struct port_rule *r)
{
	struct verdict *v = bpf_map_lookup_elem(&verdict_by_tgid, &tgid);

	if (!v || v->state == VERDICT_UNKNOWN) {
		const struct verdict *recalled = verdict_of(tgid);

		if (!recalled || recalled->state == VERDICT_UNKNOWN)
			return judge_unknown(tgid, r);
		const struct verdict copy = *recalled; /* of this program: only the task itself executes another */

		bpf_map_update_elem(&verdict_by_tgid, &tgid, &copy, BPF_ANY);
		v = bpf_map_lookup_elem(&verdict_by_tgid, &tgid);
		if (!v) {
			stat_add(STAT_VERDICT_FULL, 1);
			return 0;
		}
	}
	if (v->state == VERDICT_EXCLUDED)
		return 0;
	if (v->exclude & r->exclude)
		v->state = VERDICT_EXCLUDED;
	else if (v->include & r->include)
		v->state = VERDICT_SELECTED;
	return v->state == VERDICT_SELECTED;
}

/* Runs in the task that calls listen(), before it can accept. */
static __always_inline void on_listen(const struct sock *sk)
{
	const u16 port = sk->__sk_common.skc_num;
	const struct port_rule *r = bpf_map_lookup_elem(&rule_by_port, &port);
	struct ev_listen ev = {};

	if (!r)
		return;
	ev.tgid = bpf_get_current_pid_tgid() >> 32;
	ev.selected = judge_listen(ev.tgid, r);
	ev.port = port;
	ev.family = sk->__sk_common.skc_family;
	ev.stack = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), mm, start_stack);
	hdr_fill(&ev.hdr, EV_LISTEN, sizeof(ev), bpf_ktime_get_ns());
	emit_control(&ev, sizeof(ev));
}

/* Runs in the task that calls connect(). With the connection known from its start, a response
 * that is reported before its request (they race between threads) is no stray one, and it is known
 * on whose behalf a single-threaded proxy opened it. */
#define on_connect(sk)                                                                             \
	({                                                                                         \
		if (selected()) {                                                                  \
			struct conn *_o = conn_get(sk, SLOT_MAX);                                            \
			if (_o) {                                                                  \
				_o->flags |= CONN_OPENED;                                          \
				emit_open(_o);                                                     \
			}                                                                          \
		}                                                                                  \
	})

/* This end is over: the task closed it, or the connection is gone and nothing is left to read. */
static __always_inline void on_closed(struct conn *c, u32 err)
{
	if (c->flags & CONN_ANNOUNCED)
		emit_eof(c, EV_CLOSE, DIR_SEND, err);
	c->flags &= ~(CONN_ANNOUNCED | CONN_HTTP);
}

static __always_inline void on_state(const struct sock *sk, const int oldstate, const int newstate)
{
	if (newstate == TCP_LISTEN) {
		on_listen(sk);
		return;
	}
	if (newstate == TCP_SYN_SENT) {
		on_connect(sk);
		return;
	}
	/* leaving ESTABLISHED or CLOSE_WAIT for anything but CLOSE_WAIT: this end sends no more */
	const bool sent_all = (oldstate == TCP_ESTABLISHED || oldstate == TCP_CLOSE_WAIT) && newstate != TCP_CLOSE_WAIT;

	if (!sent_all && newstate != TCP_CLOSE)
		return;
	struct conn *c = conn_find(sk);

	if (!c)
		return;
	if (newstate == TCP_CLOSE) {
		c->err = sk->sk_err;
		/* Reset while the task holds it, perhaps in the middle of a call that has yet to be told of. */
		if (sk->sk_err && sk->sk_socket)
			return;
	}
	/* close() shuts both ways and empties the queue (tcp_close), shutdown(SHUT_WR) does neither. What
	 * arrived before a reset or the last FIN can still be read. */
	if ((newstate == TCP_CLOSE || sk->sk_shutdown == SHUTDOWN_MASK) && !sk->sk_receive_queue.qlen)
		on_closed(c, c->err);
	else if (sent_all && (c->flags & CONN_ANNOUNCED))
		emit_eof(c, EV_EOF, DIR_SEND, c->err);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(sock_state, const struct sock *sk, const int oldstate, const int newstate)
{
	if (on_duty_for(SITE_STATE, (u64)sk))
		on_state(sk, oldstate, newstate);
	return 0;
}

/* After this nothing can be read, and the address may be another socket's. */
static __always_inline void on_destroy(const struct sock *sk)
{
	struct conn *c = conn_find(sk);

	if (!c)
		return;
	on_closed(c, c->err);
	if (!use_sk_storage) {
		const u64 key = (u64)sk;

		bpf_map_delete_elem(&conn_by_addr, &key);
	}
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(sock_destroy, const struct sock *sk)
{
	if (on_duty_for(SITE_DESTROY, (u64)sk))
		on_destroy(sk);
	return 0;
}
