/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every backend does with bytes that moved: find the head of a message, ship a slice of it,
 * and after that only count. */
#pragma once

/* A loop over bytes, proved once. Returns enum head_kind of the slot's payload. */
__noinline int classify_slow(u32 slot, u32 n)
{
	struct scratch *sc = bpf_map_lookup_elem(&scratch_by_slot, &slot);

	return sc ? head_kind(sc->payload, n) : HEAD_NONE;
}

static __always_inline enum head_kind classify(const struct scratch *sc, u32 slot, u32 n)
{
	const enum head_kind k = head_usual(*(const u64 *)sc->payload, n);

	return k != HEAD_NONE ? k : classify_slow(slot, n);
}

/* Position arithmetic and budget of one call. Pure. Returns the bytes to ship. */
static __always_inline u32 conn_advance(struct conn *c, u32 dir, u32 len, u64 ktime, enum head_kind head, u32 budget)
{
	const bool turn = c->last_dir != dir;

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

static __always_inline void data_fill(struct ev_data *ev, const struct conn *c, u32 dir, u32 len, u32 captured, u32 flags)
{
	const u64 task = bpf_get_current_pid_tgid();

	hdr_fill(&ev->hdr, EV_DATA, sizeof(*ev) + captured, c->ktime[dir]);
	ev->conn = c->id;
	ev->pos = c->pos[dir] - len;
	ev->other_pos = c->pos[!dir];
	ev->other_ktime = c->ktime[!dir];
	ev->total = len;
	ev->captured = captured;
	ev->tgid = task >> 32;
	ev->tid = task;
	ev->flags = flags;
	ev->dir = dir;
	ev->pad = 0;
}

/* After the head: a few records without payload, then only the progress entry moves.
 * The end of a chunked body is always told, since nothing else would. */
static __always_inline void count_only(struct conn *c, struct scratch *sc, u32 slot, u32 dir, u32 len, u32 flags)
{
	u64 tail = 0;

	if (sc->src.kind != SRC_NONE) {
		tail = fetch_tail(sc, slot, len);
		flags |= DATA_TAIL;
	}
	const bool over = (flags & DATA_TAIL) && ends_chunked(tail, len);

	if (!c->records[dir] && !over) {
		progress_set(c, dir);
		return;
	}
	if (c->records[dir] && --c->records[dir] == 0)
		flags |= DATA_QUIET;
	sc->ev.tail = tail;
	data_fill(&sc->ev, c, dir, len, 0, flags);
	emit(&sc->ev, sizeof(sc->ev), 0);
}

/* How much of the call is worth reading before its head is known. */
static __always_inline u32 first_look(const struct conn *c, u32 dir, u32 len)
{
	u32 want = c->budget[dir] > HEAD_PEEK ? c->budget[dir] : HEAD_PEEK;

	if (c->last_dir != dir && c->idle_turns < PATIENCE)
		want = request_head_bytes;
	if (want > len)
		want = len;
	return want < HEAD_MAX ? want : HEAD_MAX;
}

/* Whether a record that is lost now takes a request with it. A head that comes in pieces is told
 * by the first that is lost. */
static __always_inline bool carries_request(struct conn *c, enum head_kind head)
{
	const bool maybe = c->flags & CONN_MAYBE;

	c->flags &= ~CONN_MAYBE;
	if (head == HEAD_MAYBE)
		c->flags |= CONN_MAYBE;
	return head == HEAD_REQUEST || head == HEAD_MAYBE || maybe;
}

static __always_inline void lose(struct conn *c, bool request)
{
	c->flags &= ~CONN_MAYBE;
	if (request)
		stat_add(STAT_LOST_REQUESTS, 1);
}

/* len bytes moved in direction dir of connection c; they lie at the slot's src. */
static __always_inline void on_bytes(struct conn *c, struct sock *sk, struct scratch *sc, u32 slot, u32 dir, u32 len)
{
	const bool seen = sc->src.kind != SRC_NONE;
	enum head_kind head = HEAD_NONE;
	u32 got = 0, flags = 0;

	if (seen) {
		got = fetch(sc, slot, first_look(c, dir, len));
		head = classify(sc, slot, got);
		if (head == HEAD_MAYBE && (got < len || c->last_dir == dir))
			head = HEAD_NONE;
	} else {
		stat_add(STAT_UNSEEN_CALLS, 1);
		flags |= DATA_UNSEEN;
	}
	u32 ship = conn_advance(c, dir, len, bpf_ktime_get_ns(), head,
				head == HEAD_RESPONSE ? response_head_bytes : request_head_bytes);

	if (head == HEAD_REQUEST || head == HEAD_RESPONSE)
		flags |= DATA_HEAD;
	if (head != HEAD_NONE)
		c->flags |= CONN_HTTP;
	if (!(c->flags & CONN_HTTP))
		return;
	const bool request = carries_request(c, head);

	if (!(c->flags & CONN_ANNOUNCED) && !conn_announce(c, sk, &sc->conn, c->ktime[dir])) {
		lose(c, request);
		return;
	}
	if (!ship || !seen) {
		count_only(c, sc, slot, dir, len, flags);
		return;
	}
	if (got < ship) /* a head in the middle of a turn: behind a peek, or what the last head left of the budget */
		got = fetch(sc, slot, ship < HEAD_MAX ? ship : HEAD_MAX);
	if (ship > got)
		ship = got;
	sc->ev.tail = 0;
	if (ship < len) {
		sc->ev.tail = fetch_tail(sc, slot, len);
		flags |= DATA_TAIL;
	}
	data_fill(&sc->ev, c, dir, len, ship, flags);
	barrier_var(ship);
	if (ship <= HEAD_MAX && !emit(&sc->ev, sizeof(sc->ev) + ship, ship))
		lose(c, request);
}

static __always_inline struct scratch *scratch_get(u32 slot)
{
	struct scratch *sc = bpf_map_lookup_elem(&scratch_by_slot, &slot);

	if (sc)
		sc->src.kind = SRC_NONE;
	return sc;
}
