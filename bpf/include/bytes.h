/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every backend does with bytes that moved: find the head of a message, ship a slice of it,
 * and after that only count. */
#pragma once

/* n, of which the verifier then knows nothing: paths that left it with different bounds go on as one
 * (docs/adr/0012-the-verifier-forgets-numbers.md). */
static __always_inline u32 opaque(struct scratch *sc, u32 n)
{
	*(volatile u32 *)&sc->opaque = n;
	return *(volatile u32 *)&sc->opaque;
}

/* A loop over bytes, proved once. Returns enum head_kind of the slot's payload. */
__noinline int classify_slow(u32 slot, u32 n)
{
	struct scratch *sc = bpf_map_lookup_elem(&scratch_by_slot, &slot);

	if (!sc)
		return HEAD_NONE;
	const u32 method = opaque(sc, method_length(sc->payload, n));

	return head_kind(sc->payload, opaque(sc, n), method);
}

static __always_inline enum head_kind classify(const struct scratch *sc, u32 slot, u32 n)
{
	const enum head_kind k = head_usual(*(const u64 *)sc->payload, n);
	const u8 *b = sc->payload;

	if (n < HEAD_LEAST)
		return is_tchar(b[0]) && (n < 2 || is_tchar(b[1]) || b[1] == ' ') ? HEAD_MAYBE : HEAD_NONE;
	return k != HEAD_NONE ? k : classify_slow(slot, n);
}

/* Position arithmetic, turns and budget of one call. Pure. Returns the bytes to ship. */
static __always_inline u32 conn_advance(struct conn *c, u32 dir, u32 len, u64 ktime, enum head_kind head, u32 budget)
{
	const bool turn = c->last_dir != dir;

	if (turn)
		c->turn++;
	if (head != HEAD_NONE) {
		c->budget[dir] = budget;
		c->idle_turns = 0;
	} else if (turn && c->idle_turns < 0xff) {
		c->idle_turns++;
	}
	if (turn || head != HEAD_NONE)
		c->records[dir] = COUNT_RECORDS;
	const u32 ship = len < c->budget[dir] ? len : c->budget[dir];

	c->budget[dir] -= ship;
	c->pos[dir] += len;
	c->ktime[dir] = ktime;
	c->last_dir = dir;
	return ship;
}

static __always_inline void progress_set(const struct conn *c, u32 dir)
{
	const struct progress_key key = {.conn = c->id, .dir = dir};
	const struct progress p = {.pos = c->pos[dir], .ktime = c->ktime[dir]};

	if (bpf_map_update_elem(&progress_by_conn, &key, &p, BPF_ANY))
		stat_add(STAT_PROGRESS_FULL, 1);
}

/* Sends a record of the call that just advanced c. Flags and tail are set. */
static __always_inline void send(const struct conn *c, struct scratch *sc, u32 slot, u32 dir, u32 len, u32 captured)
{
	struct ev_data *ev = &sc->ev;

	hdr_fill(&ev->hdr, EV_DATA, sizeof(*ev) + captured, c->ktime[dir]);
	ev->conn = c->id;
	ev->pos = c->pos[dir] - len;
	ev->other_pos = c->pos[!dir];
	ev->other_ktime = c->ktime[!dir];
	ev->total = len;
	ev->captured = captured;
	ev->dir = dir;
	ev->turn = c->turn;
	emit_data(slot, captured);
}

/* The last min(len, 8) bytes where the call's own come after held ones: len in all, in the payload
 * unless there are many. */
static __always_inline u64 joined_tail(struct scratch *sc, u32 slot, u32 len, u32 held)
{
	const u32 from = len < 8 ? 0 : len - 8;
	u64 tail;

	if (len - held >= 8)
		return fetch_tail(sc, slot, len - held);
	__builtin_memcpy(&tail, sc->payload + (from & (HEAD_PEEK - 1)), sizeof(tail));
	return len < 8 ? tail & ((1ULL << (8 * len)) - 1) : tail;
}

/* After the head: a few records without payload, then only the progress entry moves.
 * The end of a chunked body is always told, since nothing else would. */
static __always_inline void count_only(struct conn *c, struct scratch *sc, u32 slot, u32 dir, u32 len, u32 held)
{
	bool over = false;

	sc->ev.tail = 0;
	sc->ev.flags &= ~DATA_EARLY; /* the tail tells more here */
	if (sc->src.kind != SRC_NONE) {
		sc->ev.tail = held ? joined_tail(sc, slot, len, held) : fetch_tail(sc, slot, len);
		sc->ev.flags |= DATA_TAIL;
		over = ends_chunked(sc->ev.tail, len);
	}
	if (!c->records[dir] && !over) {
		progress_set(c, dir);
		return;
	}
	if (c->records[dir] && --c->records[dir] == 0)
		sc->ev.flags |= DATA_QUIET;
	send(c, sc, slot, dir, len, 0);
}

static __always_inline u32 budget_of(u8 kind)
{
	if (kind == HEAD_FASTCGI)
		return FASTCGI_BYTES;
	return kind == HEAD_RESPONSE ? response_head_bytes : request_head_bytes;
}

/* How much of the call is worth reading before its head is known. */
static __always_inline u32 first_look(const struct conn *c, u32 dir, u32 len)
{
	u32 want = c->budget[dir];

	if ((c->last_dir != dir && c->idle_turns < PATIENCE) || c->early_len[dir])
		want = budget_of(c->kind[dir]);
	if (want < HEAD_PEEK)
		want = HEAD_PEEK;
	if (want > len)
		want = len;
	return want < HEAD_MAX - HEAD_PEEK ? want : HEAD_MAX - HEAD_PEEK;
}

/* Holds the payload's first n bytes back. A byte that a server reads ahead of a request (Go), or a
 * head that comes in pieces, is told with what follows it. */
static __always_inline void early_hold(struct conn *c, const struct scratch *sc, u32 dir, u32 n)
{
	if (!c->early_len[dir])
		c->early_ktime[dir] = bpf_ktime_get_ns();
	__builtin_memcpy(c->early[dir], sc->payload, HEAD_PEEK);
	c->early_len[dir] = n;
}

/* Sends the first ship bytes of a call, of which got are in the payload already. */
static __always_inline void ship_slice(const struct conn *c, struct scratch *sc, u32 slot, u32 dir, u32 len, u32 got, u32 ship)
{
	/* a head in the middle of a turn: behind a peek, or what the last head left of the budget */
	if (got < ship && !(sc->ev.flags & DATA_EARLY)) {
		const u32 want = ship < HEAD_MAX ? ship : HEAD_MAX;

		got = fetch(slot, 0, want, 0);
	}
	if (ship > got)
		ship = got;
	if (ship < len && !(sc->ev.flags & DATA_EARLY)) {
		sc->ev.flags |= DATA_TAIL;
		sc->ev.tail = fetch_tail(sc, slot, len);
	}
	send(c, sc, slot, dir, len, ship);
}

static __always_inline void note_task(struct scratch *sc)
{
	const u64 task = bpf_get_current_pid_tgid();

	sc->ev.tgid = task >> 32;
	sc->ev.tid = task;
	sc->ev.task = 0;
	sc->ev.parent_task = 0;
}

/* Bytes whose payload cannot be read. */
static __always_inline void on_unseen(struct conn *c, struct scratch *sc, u32 slot, u32 dir, u32 len)
{
	stat_add(STAT_UNSEEN_CALLS, 1);
	sc->request = 0;
	note_task(sc);
	sc->ev.flags = c->last_dir != dir ? DATA_UNSEEN | DATA_TURN : DATA_UNSEEN;
	c->pos[dir] += c->early_len[dir]; /* what was held back joins the gap */
	c->early_len[dir] = 0;
	conn_advance(c, dir, len, bpf_ktime_get_ns(), HEAD_NONE, 0);
	if (c->flags & CONN_ANNOUNCED)
		count_only(c, sc, slot, dir, len, 0);
}

/* Reads the start of the call behind what was held back. Returns the bytes in the payload. */
static __always_inline u32 look(const struct conn *c, struct scratch *sc, u32 slot, u32 dir, u32 len)
{
	const u32 early = c->early_len[dir];

	if (!early)
		return fetch(slot, 0, first_look(c, dir, len), 0);
	__builtin_memcpy(sc->payload, c->early[dir], HEAD_PEEK);
	return early + fetch(slot, 0, first_look(c, dir, len), early);
}

/* len bytes moved in direction dir of connection c; they lie at the slot's src. */
static __always_inline void on_bytes(struct conn *c, struct sock *sk, struct scratch *sc, u32 slot, u32 dir, u32 len)
{
	if (sc->src.kind == SRC_NONE) {
		on_unseen(c, sc, slot, dir, len);
		return;
	}
	len = opaque(sc, len);
	const u32 got = opaque(sc, look(c, sc, slot, dir, len)), held = c->early_len[dir];
	enum head_kind head = opaque(sc, classify(sc, slot, got));

	len = opaque(sc, len + held);
	/* the direction of responses is not held: their last bytes tell when an exchange ended */
	if (head == HEAD_MAYBE && (got < len || (c->last_dir == dir && !held)))
		head = HEAD_NONE;
	if (head == HEAD_MAYBE && c->kind[dir] != HEAD_RESPONSE && got < HEAD_PEEK) {
		early_hold(c, sc, dir, got);
		return;
	}
	/* in the middle of a turn a head of the other kind is none: "HTTP/" may be the rest of a request line */
	if (head != HEAD_NONE && c->last_dir == dir && c->kind[dir] && c->kind[dir] != head)
		head = HEAD_NONE;
	const bool sure = head != HEAD_NONE && head != HEAD_MAYBE;

	if (sure)
		c->kind[dir] = head;
	sc->request = head == HEAD_REQUEST;
	note_task(sc);
	if (sc->request && sc->go.goid)
		note_goroutine(slot, dir, dir == DIR_SEND ? sock_inode(sk) : 0);
	else if (sure && dir == DIR_SEND && sc->go.python)
		note_asyncio(slot);
	sc->ev.flags = (sure ? DATA_HEAD : 0) | (c->last_dir != dir ? DATA_TURN : 0);
	sc->ev.tail = 0;
	if (held) {
		sc->ev.tail = c->early_ktime[dir];
		sc->ev.flags |= DATA_EARLY;
		c->early_len[dir] = 0;
	}
	if (head != HEAD_NONE)
		c->flags |= CONN_HTTP;
	const u32 ship = conn_advance(c, dir, len, bpf_ktime_get_ns(), head, budget_of(c->kind[dir]));

	if (!(c->flags & CONN_HTTP))
		return;
	if (!conn_announced(c) && !conn_announce(c, sc, slot, sk))
		return;
	if (!ship)
		count_only(c, sc, slot, dir, len, held);
	else
		ship_slice(c, sc, slot, dir, len, got, ship);
}

/* The slot, for a call of a process with verdict v, if it has one. */
static __always_inline struct scratch *scratch_get(u32 slot, const struct verdict *v)
{
	struct scratch *sc = bpf_map_lookup_elem(&scratch_by_slot, &slot);

	if (!sc)
		return NULL;
	sc->src.kind = SRC_NONE;
	if (v)
		sc->go = v->go;
	else
		sc->go.goid = 0;
	return sc;
}
