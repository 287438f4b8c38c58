/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests of how a call's bytes are gathered from user memory. */
#pragma once

#define SOURCE_MAX 40000

/* A call's bytes, laid out over buffers that each are an allocation of their own. */
struct layout {
	u32 nr, len;
	u8 bytes[SOURCE_MAX];
	struct user_iovec64 *seg;
	void *room; /* seg lies in it, with room around */
};

static void lay(struct layout *l, u32 nr, u32 largest, bool kernel)
{
	const u32 all = SEGS_READ + nr + 1;

	l->nr = nr;
	l->len = 0;
	l->room = calloc(all, sizeof(*l->seg));
	l->seg = (struct user_iovec64 *)l->room + SEGS_READ;
	for (u32 i = 0; i < nr; i++) {
		const u32 n = below(4) ? below(largest + 1) : 0;
		u8 *b = malloc(n);

		for (u32 k = 0; k < n; k++)
			b[k] = l->bytes[l->len + k] = below(256);
		l->seg[i] = (struct user_iovec64){(u64)b, n};
		l->len += n;
		host_map_memory(b, n, true);
	}
	host_map_memory(l->room, all * sizeof(*l->seg), !kernel);
}

static void unlay(struct layout *l)
{
	host_unmap_memory();
	for (u32 i = 0; i < l->nr; i++)
		free((void *)l->seg[i].base);
	free(l->room);
}

static struct scratch *slot_of(u32 slot)
{
	return bpf_map_lookup_elem(&scratch_by_slot, &slot);
}

/* Any part of any iovec array is what memcpy would have found, if it is small enough. */
static void gathers(void)
{
	static struct layout l;
	struct scratch *sc = slot_of(SLOT_RECV);

	for (u32 i = 0; i < 4000; i++) {
		lay(&l, 1 + below(SEGS_MAX), 2000, false);
		const u32 from = below(l.len + 1), at = below(3) ? 0 : below(HEAD_PEEK);
		u32 want = below(l.len - from + 1);

		if (want > HEAD_MAX - HEAD_PEEK)
			want = HEAD_MAX - HEAD_PEEK;
		src_iov_user(&sc->src, (u64)l.seg, l.nr);
		const u32 got = fetch(SLOT_RECV, from, want, at);

		CHECK(got == want, "%u of %u bytes from %u, %u buffers", got, want, from, l.nr);
		CHECK(!memcmp(sc->payload + at, l.bytes + from, got), "%u bytes from %u", got, from);
		const u32 n = l.len < 8 ? l.len : 8;

		CHECK(!l.len || fetch_tail(sc, SLOT_RECV, l.len) == tail_of(l.bytes, l.len), "tail of %u (%u)", l.len, n);
		unlay(&l);
	}
	CHECK(!host_stat(STAT_READ_FAULTS) && !host_stat(STAT_SEGS_CUT), "nothing is missing");
}

/* The same with one buffer. */
static void one_buffer(void)
{
	static struct layout l;
	struct scratch *sc = slot_of(SLOT_RECV);

	lay(&l, 1, 2000, false);
	while (l.len < 100) {
		unlay(&l);
		lay(&l, 1, 2000, false);
	}
	src_buf(&sc->src, l.seg[0].base);
	CHECK(fetch(SLOT_RECV, 10, 50, 0) == 50 && !memcmp(sc->payload, l.bytes + 10, 50), "50 bytes from 10");
	CHECK(fetch_tail(sc, SLOT_RECV, l.len) == tail_of(l.bytes, l.len), "tail");
	CHECK(fetch_tail(sc, SLOT_RECV, 3) == tail_of(l.bytes, 3), "tail of three");
	CHECK(fetch(SLOT_RECV, 0, HEAD_MAX + 1, 0) == 0, "more than a record carries");
	CHECK(fetch(SLOT_RECV, 0, 8, TAIL_AT + 1) == 0, "beyond the tail's place");
	CHECK(fetch(SLOT_RECV, 0, l.len + 1, 0) == 0 && host_stat(STAT_READ_FAULTS) == 1, "a fault is counted");
	unlay(&l);
}

/* Beyond 2 * SEGS_MAX steps and where memory is missing: what was found counts, the rest is counted. */
static void gathers_in_part(void)
{
	static struct layout l;
	struct scratch *sc = slot_of(SLOT_RECV);

	lay(&l, 60, 100, false);
	src_iov_user(&sc->src, (u64)l.seg, l.nr);
	const u32 got = fetch(SLOT_RECV, 0, l.len, 0);

	CHECK(got < l.len && !memcmp(sc->payload, l.bytes, got), "%u of %u", got, l.len);
	CHECK(host_stat(STAT_SEGS_CUT) == 1, "counted %llu times", host_stat(STAT_SEGS_CUT));
	const struct user_iovec64 third = l.seg[2];

	l.seg[2] = (struct user_iovec64){4096, 10}; /* not there */
	const u32 before = l.seg[0].len + l.seg[1].len;

	src_iov_user(&sc->src, (u64)l.seg, l.nr);
	CHECK(fetch(SLOT_RECV, 0, before + 5, 0) == before, "up to the fault");
	CHECK(host_stat(STAT_READ_FAULTS) == 1, "counted %llu times", host_stat(STAT_READ_FAULTS));
	l.seg[2] = third;
	unlay(&l);
	src_iov_user(&sc->src, 4096, 3);
	CHECK(fetch(SLOT_RECV, 0, 10, 0) == 0 && host_stat(STAT_READ_FAULTS) == 2, "no array");
	src_iov_user(&sc->src, 4096, 0);
	CHECK(fetch(SLOT_RECV, 0, 10, 0) == 0, "an empty array");
}

/* From where an iterator stands after a call, back to the call's first byte. */
static void rewinds(void)
{
	static struct layout l;
	struct scratch *sc = slot_of(SLOT_SEND);

	for (u32 i = 0; i < 4000; i++) {
		lay(&l, 1 + below(SEGS_MAX - 1), 500, true);
		const u32 skipped = below(l.len + 1), moved = below(l.len - skipped + 1);
		u64 stand = skipped + moved;
		u32 at = 0;

		while (at < l.nr && stand >= l.seg[at].len)
			stand -= l.seg[at++].len;
		sc->src.kind = SRC_NONE;
		if (moved)
			src_rewind(SLOT_SEND, (u64)(l.seg + at), stand, moved);
		const u32 n = moved < 8000 ? moved : 8000;

		CHECK(!moved || sc->src.kind == SRC_IOV_KERNEL, "%u of %u behind %u", moved, l.len, skipped);
		CHECK(!moved || fetch(SLOT_SEND, 0, n, 0) == (int)n, "%u bytes", n);
		CHECK(!moved || !memcmp(sc->payload, l.bytes + skipped, n), "%u bytes behind %u", n, skipped);
		unlay(&l);
	}
	lay(&l, 60, 20, true);
	sc->src.kind = SRC_NONE;
	src_rewind(SLOT_SEND, (u64)(l.seg + 60), 0, 20 * 60);
	CHECK(sc->src.kind == SRC_NONE && host_stat(STAT_SEGS_CUT) == 1, "too far back: counted, not guessed");
	unlay(&l);
}
