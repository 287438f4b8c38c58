/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which goroutine runs, read from the Go runtime's own structures: nothing is written to the process
 * and nothing runs in it, but for one breakpoint where net/http's client hands a request over. */
#pragma once

enum bpf_func_id {
	BPF_FUNC_task_pt_regs = 175, /* since 5.15 */
};

/* The goroutine on this thread: the address of its runtime.g, 0 if there is none. */
static __always_inline u64 current_g(const struct go_layout *go)
{
	u64 g = 0;
#if defined(__TARGET_ARCH_x86)
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();

	if (bpf_probe_read_user(&g, sizeof(g), (void *)(BPF_CORE_READ(task, thread.fsbase) + go->tls)))
		return 0;
#else
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		g = ((const struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf()))->regs[28];
#endif
	return g;
}

static __always_inline u64 read_goid(u64 g, u16 offset)
{
	u64 id = 0;

	return g && offset && !bpf_probe_read_user(&id, sizeof(id), (void *)(g + offset)) ? id : 0;
}

/* The slot's record starts a request: notes whose it is. A pooled connection is written by a
 * goroutine of its own, for the one that asked for it. */
__noinline int note_goroutine(u32 slot, u32 dir, u64 inode)
{
	struct scratch *sc = bpf_map_lookup_elem(&scratch_by_slot, &slot);

	if (!sc)
		return 0;
	if (dir == DIR_SEND) {
		const struct caller *who = bpf_map_lookup_elem(&caller_by_inode, &inode);

		if (who) {
			if (who->tgid == sc->ev.tgid) {
				sc->ev.task = who->goid;
				sc->ev.parent_task = who->parent_goid;
			}
			bpf_map_delete_elem(&caller_by_inode, &inode);
			return 0;
		}
	}
	const u64 g = current_g(&sc->go);

	sc->ev.task = read_goid(g, sc->go.goid);
	if (dir == DIR_SEND)
		sc->ev.parent_task = read_goid(g, sc->go.parent_goid);
	return 0;
}

/* How often a connection may be wrapped into structs that begin with their net.Conn. */
#define WRAPS_MAX 3

/* The *net.TCPConn or *net.UnixConn behind the interface at addr, told by its type; 0: something else. */
static __always_inline u64 net_conn_at(u64 addr, const struct go_layout *go)
{
	for (int i = 0; i <= WRAPS_MAX; i++) {
		struct {
			u64 itab;
			u64 data;
		} conn = {};
		u32 hash = 0;

		if (bpf_probe_read_user(&conn, sizeof(conn), (void *)addr) || !conn.itab)
			return 0;
		if (bpf_probe_read_user(&hash, sizeof(hash), (void *)(conn.itab + go->itab_hash)))
			return 0;
		if (hash == go->tcp_conn || hash == go->unix_conn)
			return conn.data;
		addr = conn.data;
	}
	return 0;
}

/* The socket of a net/http.persistConn. Its connection is a struct whose first word points at a net.netFD. */
static __always_inline struct file *file_of_persist_conn(u64 pc, const struct go_layout *go)
{
	const u64 conn = net_conn_at(pc + go->conn, go);
	u64 fd_at = 0, fd = 0;

	if (!conn || bpf_probe_read_user(&fd_at, sizeof(fd_at), (void *)conn))
		return NULL;
	if (bpf_probe_read_user(&fd, sizeof(fd), (void *)(fd_at + go->sysfd)))
		return NULL;
	return file_of_fd(fd);
}

#if defined(__TARGET_ARCH_x86)
#define go_receiver(r) ((r)->ax)
#define go_g(r) ((r)->r14)
#else
#define go_receiver(r) ((r)->regs[0])
#define go_g(r) ((r)->regs[28])
#endif

/* func (pc *net/http.persistConn) roundTrip(req *transportRequest): entry, on the goroutine that makes the call. */
SEC("uprobe")
int go_round_trip(struct pt_regs *regs)
{
	const struct verdict *v = verdict_get();

	if (!verdict_selects(v) || !v || !v->go.conn) /* selected by cgroup only: nobody knows its layout */
		return 0;
	const struct file *file = file_of_persist_conn(go_receiver(regs), &v->go);

	if (!file)
		return 0;
	const u64 inode = BPF_CORE_READ(file, f_inode, i_ino), g = go_g(regs);
	const struct caller who = {
		.goid = read_goid(g, v->go.goid),
		.parent_goid = read_goid(g, v->go.parent_goid),
		.tgid = bpf_get_current_pid_tgid() >> 32,
	};

	if (who.goid && bpf_map_update_elem(&caller_by_inode, &inode, &who, BPF_ANY))
		stat_add(STAT_CALLER_FULL, 1);
	return 0;
}
