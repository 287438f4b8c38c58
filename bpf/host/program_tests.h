/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests of whole programs: who is seen, what is told, what is counted. */
#pragma once

static const char request[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
static const char response[] = "HTTP/1.1 204 No Content\r\n\r\n";

/* A call of one buffer. */
static void moves(struct host_sock *s, u32 dir, const char *bytes, u32 n, u32 flags)
{
	struct host_call c = {.dir = dir, .shape = SHAPE_BUF, .ret = n, .flags = flags, .nr = 1};

	c.seg[0] = (struct user_iovec64){(u64)bytes, n};
	host.now += 10;
	host_map_memory(bytes, n, true);
	host_call(s, &c);
	host_unmap_memory();
}

#define RECEIVES(s, text) moves(s, DIR_RECV, text, sizeof(text) - 1, 0)
#define SENDS(s, text) moves(s, DIR_SEND, text, sizeof(text) - 1, 0)

static struct host_sock *new_sock(u16 family)
{
	static struct host_sock s;

	host_sock_init(&s, family, 7);
	return &s;
}

static void exchange(void)
{
	struct host_sock *s = new_sock(AF_INET);

	RECEIVES(s, request);
	SENDS(s, response);
	const struct ev_data *q = nth(EV_DATA, 0), *a = nth(EV_DATA, 1);

	CHECK(count_of(EV_CONN) == 1 && count_of(EV_DATA) == 2, "%u records", kept.count);
	CHECK(q->dir == DIR_RECV && q->pos == 0 && q->total == sizeof(request) - 1 && q->captured == q->total, "%u of %u", q->captured, q->total);
	CHECK(!memcmp(payload_of(q), request, q->captured), "payload");
	CHECK(q->flags == (DATA_HEAD | DATA_TURN) && q->turn == 1 && q->tgid == SELECTED, "flags %x", q->flags);
	CHECK(a->dir == DIR_SEND && a->turn == 2 && a->other_pos == q->total && a->other_ktime == q->hdr.ktime, "turn %u", a->turn);
}

/* Nobody but who is selected: neither a record nor so much as a connection's state. */
static void strangers(void)
{
	static const u32 states[] = {VERDICT_UNKNOWN, VERDICT_CANDIDATE, VERDICT_EXCLUDED};
	struct host_sock *s = new_sock(AF_INET);

	host.tgid = host.tid = STRANGER;
	for (u32 i = 0; i < 4; i++) {
		if (i)
			host_judge(STRANGER, states[i - 1]);
		RECEIVES(s, request);
		SENDS(s, response);
		for (u32 dir = 0; dir < 4; dir++) {
			const struct host_call unseen = {.dir = dir & 1, .shape = SHAPE_UNSEEN, .ret = 100};

			host_call(s, &unseen);
			host_unmap_memory();
		}
		sock_state(&s->sk, TCP_CLOSE, TCP_SYN_SENT);
		sock_state(&s->sk, TCP_ESTABLISHED, TCP_CLOSE);
	}
	CHECK(kept.count == 0, "%u records", kept.count);
	CHECK(!host_map_of(&conn_by_addr)->used && !host_map_of(&conn_of_sock)->used, "a connection is remembered");
	CHECK(!host_stat(STAT_READ_FAULTS) && !host_stat(STAT_UNSEEN_CALLS), "something was looked at");
	host_judge(STRANGER, VERDICT_SELECTED);
	RECEIVES(s, request);
	CHECK(count_of(EV_DATA) == 1, "selected after all");
}

static void cgroups(void)
{
	const u64 id = 77;
	const u32 one = 1;
	struct host_sock *s = new_sock(AF_INET);

	host.tgid = host.tid = STRANGER;
	host.cgroup = id;
	bpf_map_update_elem(&selected_cgroup, &id, &one, BPF_ANY);
	RECEIVES(s, request);
	CHECK(kept.count == 0, "cgroups select only where they are asked for");
	host_use_cgroup = true;
	host_judge(STRANGER, VERDICT_EXCLUDED);
	RECEIVES(s, request);
	CHECK(kept.count == 0, "exclusion wins");
	host_judge(STRANGER, VERDICT_CANDIDATE);
	host.cgroup = id + 1;
	RECEIVES(s, request);
	CHECK(kept.count == 0, "another cgroup");
	host.cgroup = id;
	RECEIVES(s, request);
	CHECK(count_of(EV_DATA) == 1, "selected by its cgroup");
	CHECK(((const struct ev_conn *)nth(EV_CONN, 0))->cgroup == id, "whose id is told");
}

/* What is no HTTP never leaves the kernel, however long it goes on. */
static void no_http(void)
{
	struct host_sock *s = new_sock(AF_INET);

	for (u32 i = 0; i < 10; i++) {
		RECEIVES(s, "{\"query\": \"select 1\"}");
		SENDS(s, "\x01\x02\x03 some secret");
	}
	CHECK(kept.count == 0, "%u records", kept.count);
	RECEIVES(s, request);
	CHECK(count_of(EV_DATA) == 1, "but a head is found");
}

static void not_moved(void)
{
	struct host_sock *s = new_sock(AF_INET);

	moves(s, DIR_RECV, request, sizeof(request) - 1, MSG_PEEK);
	moves(s, DIR_RECV, request, sizeof(request) - 1, MSG_ERRQUEUE);
	moves(s, DIR_RECV, request, sizeof(request) - 1, MSG_OOB);
	CHECK(kept.count == 0, "%u records", kept.count);
	RECEIVES(s, request);
	const struct ev_data *q = nth(EV_DATA, 0);

	CHECK(q && q->pos == 0, "what was peeked at did not move");
	moves(s, DIR_RECV, request, 10, MSG_TRUNC);
	const struct ev_data *cut = nth(EV_DATA, 1);

	CHECK(cut && (cut->flags & DATA_UNSEEN) && cut->captured == 0 && cut->total == 10, "discarded bytes are counted");
	CHECK(host_stat(STAT_UNSEEN_CALLS) == 1, "counted %llu times", host_stat(STAT_UNSEEN_CALLS));
}

/* After its head a message costs a few records; the last says that it was, and the map tells the rest. */
static void quiet(void)
{
	static char body[5000];
	struct host_sock *s = new_sock(AF_INET);
	struct progress_key key = {.dir = DIR_RECV};

	memset(body, 'b', sizeof(body));
	host_request_head = 100;
	RECEIVES(s, "POST /x HTTP/1.1\r\nContent-Length: 60000\r\n\r\n");
	key.conn = ((const struct ev_conn *)nth(EV_CONN, 0))->conn;
	forget();
	for (u32 i = 0; i < 10; i++)
		moves(s, DIR_RECV, body, sizeof(body), 0);
	CHECK(count_of(EV_DATA) == COUNT_RECORDS + 1, "%u records", count_of(EV_DATA));
	for (u32 i = 0; i <= COUNT_RECORDS; i++) {
		const struct ev_data *d = nth(EV_DATA, i);

		CHECK(d->captured == (i ? 0 : 100 - 43), "record %u: %u captured", i, d->captured);
		CHECK(!(d->flags & DATA_QUIET) == (i < COUNT_RECORDS), "record %u: flags %x", i, d->flags);
		CHECK((d->flags & DATA_TAIL) && d->tail == 0x6262626262626262ULL, "record %u: tail %llx", i, d->tail);
	}
	const struct progress *p = bpf_map_lookup_elem(&progress_by_conn, &key);

	CHECK(p && p->pos == 43 + 10 * sizeof(body) && p->ktime == host.now, "progress");
	forget();
	RECEIVES(s, "5\r\nabcde\r\n0\r\n\r\n");
	CHECK(count_of(EV_DATA) == 1, "the end of a chunked body is told");
}

/* A full ring is counted, by bytes and by requests; a connection is announced again. */
static bool no_room(void)
{
	return true;
}

static void full_ring(void)
{
	struct host_sock *s = new_sock(AF_INET);

	host.ring_full = no_room;
	RECEIVES(s, request);
	CHECK(kept.count == 0 && host_stat(STAT_LOST_RECORDS) == 1, "lost %llu", host_stat(STAT_LOST_RECORDS));
	CHECK(host_stat(STAT_LOST_REQUESTS) == 1 && host_stat(STAT_CONNS) == 0, "requests lost %llu", host_stat(STAT_LOST_REQUESTS));
	host.ring_full = NULL;
	SENDS(s, response);
	CHECK(count_of(EV_CONN) == 1 && count_of(EV_DATA) == 1 && host_stat(STAT_CONNS) == 1, "%u records", kept.count);
	host.ring_full = no_room;
	RECEIVES(s, request);
	CHECK(host_stat(STAT_LOST_REQUESTS) == 2, "requests lost %llu", host_stat(STAT_LOST_REQUESTS));
	CHECK(host_stat(STAT_LOST_BYTES) == sizeof(request) - 1, "bytes lost %llu", host_stat(STAT_LOST_BYTES));
	SENDS(s, response);
	CHECK(host_stat(STAT_LOST_REQUESTS) == 2 && host_stat(STAT_LOST_RECORDS) == 3, "a response is no request");
}

static void ends(void)
{
	struct host_sock *s = new_sock(AF_INET);
	struct host_call nothing = {.dir = DIR_RECV, .shape = SHAPE_BUF, .nr = 1};

	host_call(s, &nothing);
	sock_state(&s->sk, TCP_ESTABLISHED, TCP_CLOSE);
	CHECK(kept.count == 0, "nobody knows the connection");
	RECEIVES(s, request);
	host_call(s, &nothing);
	CHECK(!nth(EV_EOF, 0), "nothing to read, but no end");
	host_fin(s);
	host_call(s, &nothing);
	const struct ev_eof *e = nth(EV_EOF, 0);

	CHECK(e && e->dir == DIR_RECV && e->pos[DIR_RECV] == sizeof(request) - 1, "the peer's end");
	s->sk.sk_receive_queue.qlen = 1;
	s->sk.sk_err = 104;
	sock_state(&s->sk, TCP_ESTABLISHED, TCP_CLOSE);
	CHECK(!nth(EV_CLOSE, 0), "what arrived before the reset can still be read");
	s->sk.sk_receive_queue.qlen = 0;
	sock_state(&s->sk, TCP_ESTABLISHED, TCP_CLOSE);
	CHECK(!nth(EV_CLOSE, 0), "what is being sent has yet to be told of");
	SENDS(s, response);
	CHECK(nth(EV_DATA, 1), "as it is");
	s->sk.sk_err = 0;
	sock_destroy(&s->sk);
	e = nth(EV_CLOSE, 0);
	CHECK(e && e->err == 104, "the reset is told when the socket goes");
	sock_destroy(&s->sk);
	CHECK(count_of(EV_CLOSE) == 1, "once");
	CHECK(!host_map_of(&conn_by_addr)->used, "its state is freed");
}

/* On a connection that is joined late the sequence numbers are those of position 0, also when the
 * peer's FIN, which counts as one, was read before. */
static void sequences(void)
{
	struct host_sock *s = new_sock(AF_INET);

	s->tcp.write_seq = 5000;
	s->tcp.copied_seq = s->tcp.rcv_nxt = 1000;
	host_fin(s);
	SENDS(s, response);
	const struct ev_conn *e = nth(EV_CONN, 0);

	CHECK(e && e->seq[DIR_RECV] == 1000 && e->seq[DIR_SEND] == 5000, "%u and %u", e->seq[DIR_RECV], e->seq[DIR_SEND]);
	CHECK(((const struct ev_data *)nth(EV_DATA, 0))->pos == 0, "what was seen first is position 0");
}

/* Made by the address of a socket that is gone: another connection. */
static void reused_address(void)
{
	struct host_sock *s = new_sock(AF_UNIX);

	RECEIVES(s, request);
	RECEIVES(s, request);
	s->inode.i_ino++;
	RECEIVES(s, request);
	const struct ev_conn *a = nth(EV_CONN, 0), *b = nth(EV_CONN, 1);

	CHECK(count_of(EV_CONN) == 2 && a->conn != b->conn, "%u connections", count_of(EV_CONN));
	CHECK(((const struct ev_data *)nth(EV_DATA, 2))->pos == 0, "which begins at 0");
}

/* User space forgot connections: each is told of once more, as one that was under way. */
static void announced_again(void)
{
	struct host_sock *s = new_sock(AF_INET);

	sock_state(&s->sk, TCP_CLOSE, TCP_SYN_SENT);
	RECEIVES(s, request);
	SENDS(s, response);
	CHECK(count_of(EV_CONN) == 1 && ((const struct ev_conn *)nth(EV_CONN, 0))->flags == CONN_FRESH, "a new connection");
	announce_epoch++;
	RECEIVES(s, request);
	SENDS(s, response);
	const struct ev_conn *a = nth(EV_CONN, 0), *b = nth(EV_CONN, 1);

	CHECK(count_of(EV_CONN) == 2 && count_of(EV_DATA) == 4, "%u connections, %u slices", count_of(EV_CONN), count_of(EV_DATA));
	CHECK(b && b->conn == a->conn && b->seq[0] == a->seq[0] && b->seq[1] == a->seq[1] && !b->flags, "the same, under way");
	announce_epoch--;
}
