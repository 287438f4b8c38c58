/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests of the programs that follow processes: what is selected, and for how long. */
#pragma once

static u32 state_of(u32 tgid)
{
	const struct verdict *v = bpf_map_lookup_elem(&verdict_by_tgid, &tgid);

	return v ? v->state : 99;
}

/* What a task executes: a file in one directory below the root. */
struct host_program {
	struct hlist_bl_node *hashed;
	struct dentry root, dir, name;
	struct file file;
	struct mm_struct mm;
};

static void put_program(struct host_program *p, struct task_struct *task)
{
	p->root = (struct dentry){.d_parent = &p->root};
	p->dir = (struct dentry){.d_parent = &p->root, .d_name.hash_len = 0x300000001ULL};
	p->name = (struct dentry){.d_parent = &p->dir, .d_name.hash_len = 0x400000002ULL, .d_hash.pprev = &p->hashed};
	p->file.f_path = (struct path){.mnt = (struct vfsmount *)p, .dentry = &p->name};
	p->mm = (struct mm_struct){.exe_file = &p->file, .start_stack = 0x7ffd0000};
	task->mm = &p->mm;
}

static void lives(void)
{
	struct signal_struct sig = {};
	struct host_program sh;
	struct task_struct parent = {.tgid = SELECTED, .pid = SELECTED}, child = {.tgid = 101, .pid = 101, .signal = &sig};
	struct task_struct thread = {.tgid = 102, .pid = 103};

	process_fork(&parent, &child);
	const struct ev_proc *p = nth(EV_PROC, 0);

	CHECK(p && p->op == PROC_FORK && p->tgid == 101 && p->ptgid == SELECTED && p->selected == 1, "the child's record");
	CHECK(state_of(101) == VERDICT_SELECTED && kept.control[0], "it has its parent's verdict");
	process_fork(&parent, &thread);
	CHECK(state_of(102) == 99 && kept.count == 1, "a thread is no process");
	sig.live.counter = 1;
	process_exit(&child);
	CHECK(state_of(101) == VERDICT_SELECTED, "other threads go on");
	sig.live.counter = 0;
	process_exit(&child);
	CHECK(state_of(101) == 99 && count_of(EV_PROC) == 2, "it is forgotten, and that is told");
	put_program(&sh, &parent);
	process_exec(&parent);
	CHECK(state_of(SELECTED) == 99, "a new program is not selected");
	process_fork(&parent, &child);
	CHECK(state_of(101) == 99, "nor are its children");
}

static u64 key_of(struct task_struct *task)
{
	forget();
	process_exec(task);
	const struct ev_proc *p = nth(EV_PROC, 0);

	CHECK(p && p->op == PROC_EXEC && p->stack == task->mm->start_stack, "the record of an exec");
	return p ? p->program : 0;
}

static void programs_have_names(void)
{
	struct host_program sh, other;
	struct task_struct task = {.tgid = 101, .pid = 101};

	put_program(&other, &task);
	put_program(&sh, &task);
	const u64 key = key_of(&task);

	CHECK(key != 0 && key == key_of(&task), "the same program has the same name");
	sh.name.d_name.hash_len++;
	CHECK(key_of(&task) != key, "the file was renamed");
	sh.name.d_name.hash_len--;
	sh.dir.d_name.hash_len++;
	CHECK(key_of(&task) != key, "the directory was renamed");
	sh.dir.d_name.hash_len--;
	sh.file.f_path.mnt = (struct vfsmount *)&other;
	CHECK(key_of(&task) != key, "another mount");
	sh.file.f_path.mnt = (struct vfsmount *)&sh;
	sh.name.d_parent = &other.dir;
	CHECK(key_of(&task) != key, "moved to another directory");
	sh.name.d_parent = &sh.dir;
	CHECK(key_of(&task) == key, "as it was");
	sh.name.d_hash.pprev = NULL;
	CHECK(key_of(&task) == 0, "a removed file has no name");
	sh.name.d_hash.pprev = &sh.hashed;

	struct dentry deep[PATH_DEPTH];

	for (u32 i = 0; i < PATH_DEPTH; i++)
		deep[i] = (struct dentry){.d_parent = i + 1 < PATH_DEPTH ? &deep[i + 1] : &deep[i]};
	sh.dir.d_parent = deep;
	CHECK(key_of(&task) == 0, "a path that is too long to be looked at has none");
}

/* A program that was judged before has its verdict at once, and only until it is judged anew. */
static void programs_are_recalled(void)
{
	struct signal_struct sig = {};
	struct host_program sh;
	struct task_struct task = {.tgid = STRANGER, .pid = STRANGER, .signal = &sig}, child = {.tgid = 101, .pid = 101};
	const u32 tgid = STRANGER;
	struct verdict v = {.state = VERDICT_SELECTED};

	put_program(&sh, &task);
	host.tgid = host.tid = STRANGER;
	const u64 key = key_of(&task);

	bpf_map_update_elem(&verdict_by_program, &key, &v, BPF_ANY);
	process_exec(&task);
	CHECK(!selected(), "nothing is recalled before it is switched on");
	recalling = 1;
	CHECK(key_of(&task) == key && ((const struct ev_proc *)nth(EV_PROC, 0))->selected == 1, "that is told");
	CHECK(selected() && state_of(STRANGER) == 99, "and in force");
	process_fork(&task, &child);
	CHECK(state_of(101) == VERDICT_SELECTED, "for its children too");
	v.state = VERDICT_UNKNOWN;
	bpf_map_update_elem(&verdict_by_tgid, &tgid, &v, BPF_ANY);
	CHECK(selected(), "also while user space judges it");
	v.state = VERDICT_EXCLUDED;
	bpf_map_update_elem(&verdict_by_tgid, &tgid, &v, BPF_ANY);
	CHECK(!selected(), "what user space says counts");
	bpf_map_delete_elem(&verdict_by_program, &key);
	process_exec(&task);
	CHECK(!selected(), "the next program is another");
	v.state = VERDICT_SELECTED;
	bpf_map_update_elem(&verdict_by_program, &key, &v, BPF_ANY);
	process_exec(&task);
	forget();
	process_exit(&task);
	CHECK(!selected() && count_of(EV_PROC) == 1, "it ends");
	recalling = 0;
}

static void candidates_are_recalled(void)
{
	struct host_program sh;
	struct task_struct task = {.tgid = STRANGER, .pid = STRANGER};
	struct host_sock *s = new_sock(AF_INET);
	const struct verdict v = {.state = VERDICT_CANDIDATE, .include = 2};
	const struct port_rule rules[] = {{.include = 1}, {.include = 2}, {.include = 2, .exclude = 1}};
	const u32 want[] = {VERDICT_CANDIDATE, VERDICT_SELECTED, VERDICT_SELECTED};
	const u16 port = 8080;

	put_program(&sh, &task);
	host.tgid = host.tid = STRANGER;
	s->sk.__sk_common.skc_num = port;
	const u64 key = key_of(&task);

	bpf_map_update_elem(&verdict_by_program, &key, &v, BPF_ANY);
	recalling = 1;
	for (u32 i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		bpf_map_update_elem(&rule_by_port, &port, &rules[i], BPF_ANY);
		process_exec(&task);
		CHECK(!selected(), "row %u: a candidate is not traced", i);
		sock_state(&s->sk, TCP_CLOSE, TCP_LISTEN);
		CHECK(state_of(STRANGER) == want[i], "row %u: state %u after listen(), want %u", i, state_of(STRANGER), want[i]);
	}
	recalling = 0;
}

static const struct listen_row {
	u32 state;
	u64 include, exclude; /* of the process; 0 where nobody judged it */
	struct port_rule rule;
	u32 want;
} listen_rows[] = {
	{99, 0, 0, {.include = 1}, 99},
	{99, 0, 0, {.include = 1, .automatic = 1}, VERDICT_SELECTED},
	{99, 0, 0, {.exclude = 1, .automatic = 1}, VERDICT_EXCLUDED},
	{VERDICT_UNKNOWN, 0, 0, {.include = 1, .automatic = 1}, VERDICT_SELECTED},
	{VERDICT_CANDIDATE, 2, 0, {.include = 2}, VERDICT_SELECTED},
	{VERDICT_CANDIDATE, 2, 0, {.include = 1, .automatic = 1}, VERDICT_CANDIDATE},
	{VERDICT_CANDIDATE, 2, 4, {.include = 2, .exclude = 4}, VERDICT_EXCLUDED},
	{VERDICT_CANDIDATE, 2, 4, {.include = 2, .exclude = 1}, VERDICT_SELECTED},
	{VERDICT_SELECTED, 0, 4, {.exclude = 4}, VERDICT_EXCLUDED},
	{VERDICT_SELECTED, 0, 0, {.exclude = 4}, VERDICT_SELECTED},
	{VERDICT_EXCLUDED, 2, 0, {.include = 2, .automatic = 1}, VERDICT_EXCLUDED},
};

static void listens(void)
{
	struct host_sock *s = new_sock(AF_INET);
	const u16 port = 8080;
	const u32 tgid = STRANGER;

	host.tgid = host.tid = STRANGER;
	host.mm.start_stack = 0x7ffd0000;
	s->sk.__sk_common.skc_num = port;
	sock_state(&s->sk, TCP_CLOSE, TCP_LISTEN);
	CHECK(kept.count == 0, "no rule names the port");
	for (u32 i = 0; i < sizeof(listen_rows) / sizeof(listen_rows[0]); i++) {
		const struct listen_row *r = &listen_rows[i];
		const struct verdict v = {.state = r->state, .include = r->include, .exclude = r->exclude};

		forget();
		bpf_map_delete_elem(&verdict_by_tgid, &tgid);
		if (r->state != 99)
			bpf_map_update_elem(&verdict_by_tgid, &tgid, &v, BPF_ANY);
		bpf_map_update_elem(&rule_by_port, &port, &r->rule, BPF_ANY);
		sock_state(&s->sk, TCP_CLOSE, TCP_LISTEN);
		const struct ev_listen *e = nth(EV_LISTEN, 0);

		CHECK(state_of(tgid) == r->want, "row %u: state %u, want %u", i, state_of(tgid), r->want);
		CHECK(e && e->port == port && e->stack == host.mm.start_stack && e->selected == (r->want == VERDICT_SELECTED), "row %u: record", i);
	}
}

static void limits_are_counted(void)
{
	struct task_struct parent = {.tgid = SELECTED, .pid = SELECTED}, child = {.tgid = 101, .pid = 101};
	struct host_map *m = host_map_of(&verdict_by_tgid);
	const u32 used = m->used;

	m->used = sizeof(*verdict_by_tgid.max_entries) / sizeof(int);
	process_fork(&parent, &child);
	m->used = used;
	CHECK(host_stat(STAT_VERDICT_FULL) == 1 && kept.count == 0, "a child without room is not traced, and counted");
}
