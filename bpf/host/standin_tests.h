/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests of who does the work where programs are loaded twice. */
#pragma once

#define SITE_OF_RECEIVES (BACKEND == BACKEND_SYSCALL_TRACEPOINT ? SITE_SEND : SITE_RECV)

/* As many tasks as there is room for notes about. */
#define NOTED_TASKS ((note_mask + 1) * TASKS_PER_LINE)

static bool note_at(u32 site)
{
	const u16 *notes = notes_of_task();

	return notes && *notes & 1 << site;
}

/* The first runs and its stand-in behind it: one does the work. */
static void stand_in_is_silent(void)
{
	struct host_sock *s = new_sock(AF_INET);

	host_role = ROLE_FIRST;
	RECEIVES(s, request);
	CHECK(count_of(EV_DATA) == 1 && note_at(SITE_OF_RECEIVES), "the first works, and leaves a note");
	host_role = ROLE_STAND_IN;
	RECEIVES(s, request);
	CHECK(count_of(EV_DATA) == 1 && !note_at(SITE_OF_RECEIVES), "its stand-in takes that away, and does nothing");
	CHECK(!host_stat(STAT_STOOD_IN), "which counts as nothing");
}

/* While they are being attached the first works alone. */
static void stand_ins_wait(void)
{
	struct host_sock *s = new_sock(AF_INET);

	host_role = ROLE_STAND_IN;
	standing_in = 0;
	RECEIVES(s, request);
	CHECK(!kept.count && !host_stat(STAT_STOOD_IN), "not yet");
}

/* No room for a note: one of the two works nevertheless. */
static void notes_are_bounded(void)
{
	struct host_sock *s = new_sock(AF_INET);

	host.tgid = host.tid = NOTED_TASKS;
	host_judge(NOTED_TASKS, VERDICT_SELECTED);
	host_role = ROLE_FIRST;
	RECEIVES(s, request);
	CHECK(!kept.count && host_stat(STAT_UNNOTED) == 1, "the first leaves it to its stand-in");
	host_role = ROLE_STAND_IN;
	RECEIVES(s, request);
	CHECK(count_of(EV_DATA) == 1 && host_stat(STAT_STOOD_IN) == 1, "which works");
	host_role = ROLE_FIRST;
	standing_in = 0;
	SENDS(s, response);
	CHECK(count_of(EV_DATA) == 2, "unless there is none yet");
}

/* Each task has notes of its own. */
static void notes_are_apart(void)
{
	u16 *of[NOTED_TASKS];

	for (u32 i = 0; i < NOTED_TASKS; i++) {
		host.tid = i;
		of[i] = notes_of_task();
		CHECK(of[i] && !*of[i], "task %u", i);
		if (of[i])
			*of[i] = 1;
	}
	host.tid = NOTED_TASKS;
	CHECK(!notes_of_task(), "none beyond");
}

/* An interrupt of a task between a program and its stand-in leaves the task's note alone, and has one of its own. */
static void interrupts_have_notes(void)
{
	struct sock of_task = {}, of_packet = {};

	host_role = ROLE_FIRST;
	sock_state(&of_task, TCP_CLOSE, TCP_SYN_SENT);
	sock_destroy(&of_packet);
	host_role = ROLE_STAND_IN;
	sock_destroy(&of_packet);
	sock_state(&of_task, TCP_CLOSE, TCP_SYN_SENT);
	CHECK(!host_stat(STAT_STOOD_IN) && !host_stat(STAT_STOOD_IN_ENDS), "the first of both was run");
	host.no_room_in = &notes_by_interrupted;
	host.tid++;
	host_role = ROLE_FIRST;
	sock_destroy(&of_packet);
	CHECK(host_stat(STAT_UNNOTED) == 1, "no room for one: left to the stand-in");
}

/* The kernel skips the first, since another task's is under way. */
static void stand_in_stands_in(void)
{
	struct host_sock *s = new_sock(AF_INET);

	host_role = ROLE_STAND_IN;
	RECEIVES(s, request);
	CHECK(count_of(EV_DATA) == 1 && host_stat(STAT_STOOD_IN) == 1, "a task that the hooks never saw");
	host_role = ROLE_FIRST;
	SENDS(s, response);
	host_role = ROLE_STAND_IN;
	SENDS(s, response);
	CHECK(count_of(EV_DATA) == 2 && host_stat(STAT_STOOD_IN) == 1, "the first works again");
	RECEIVES(s, request);
	CHECK(count_of(EV_DATA) == 3 && host_stat(STAT_STOOD_IN) == 2, "a task that they know");
	CHECK(((const struct ev_data *)nth(EV_DATA, 2))->pos == sizeof(request) - 1, "both know the same connection");
	host.tgid = host.tid = STRANGER;
	RECEIVES(s, request);
	CHECK(count_of(EV_DATA) == 3, "nothing of who is not selected");
}

/* A packet interrupts the end of one connection with the end of another. */
static void ends_are_stood_in_for(void)
{
	struct host_sock *s = new_sock(AF_INET);
	struct sock other = {};

	RECEIVES(s, request);
	host_role = ROLE_FIRST;
	sock_destroy(&other);
	host_role = ROLE_STAND_IN;
	sock_destroy(&s->sk);
	CHECK(nth(EV_CLOSE, 0) && host_stat(STAT_STOOD_IN_ENDS) == 1 && !host_stat(STAT_STOOD_IN), "told by the stand-in");
	sock_destroy(&other);
	CHECK(host_stat(STAT_STOOD_IN_ENDS) == 1, "the other by the first");
}

/* A new program must not keep the old one's verdict because another task's exec was being looked at. */
static void execs_are_stood_in_for(void)
{
	struct host_program sh;
	struct task_struct task = {.tgid = SELECTED, .pid = SELECTED};

	put_program(&sh, &task);
	host_role = ROLE_STAND_IN;
	process_exec(&task);
	CHECK(state_of(SELECTED) == 99 && nth(EV_PROC, 0), "unselected until judged");
}

/* Both make connections, which are never taken for one another. */
static void stand_ins_have_ids(void)
{
	struct host_sock *s = new_sock(AF_UNIX);

	RECEIVES(s, request);
	s->inode.i_ino++;
	host_role = ROLE_STAND_IN;
	for (u32 slot = 0; slot < SLOT_MAX; slot++)
		bpf_map_delete_elem(&conn_seq, &slot); /* a map that is not shared */
	RECEIVES(s, request);
	const struct ev_conn *a = nth(EV_CONN, 0), *b = nth(EV_CONN, 1);

	CHECK(count_of(EV_CONN) == 2 && a->conn != b->conn, "%u connections", count_of(EV_CONN));
}
