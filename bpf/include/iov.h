/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where a call's bytes lie in user memory, and how they are gathered. The loops are global
 * functions over scalars: the verifier proves each once, on every kernel since 5.6. */
#pragma once

enum src_kind {
	SRC_NONE = 0,	/* cannot be read */
	SRC_BUF,	/* one buffer */
	SRC_IOV_USER,	/* iovec array in user memory */
	SRC_IOV_KERNEL, /* iovec array in kernel memory (msg_iter) */
};

struct src {
	u64 addr; /* SRC_BUF: first byte; SRC_IOV_*: first iovec */
	u64 skip; /* SRC_IOV_*: bytes of the first iovec that belong to earlier calls */
	u32 nr;	  /* SRC_IOV_*: iovecs */
	u32 kind; /* enum src_kind */
	u32 held; /* SRC_IOV_*: of the first iovecs so many are in the cursor's segs; 0: none was read yet */
	u32 pad;
};

/* Where gather() is. */
struct cursor {
	u64 off;  /* into payload */
	u64 skip; /* into the iovec */
	u64 seg;  /* iovec */
	u64 n;	  /* bytes of this step */
	struct user_iovec64 segs[SEGS_READ];
};

/* One call being looked at. Each program has its own slot, since a program cannot be preempted
 * by itself on a CPU (prog->active) but may be by another one. */
struct scratch {
	struct src src;
	struct cursor cur;
	u64 sock;    /* whose connection conn announces */
	u32 request;   /* the record starts a request */
	u32 opaque;    /* see opaque() */
	struct go_layout go; /* of the task's program */
	struct ev_conn conn;
	struct ev_data ev; /* directly in front of payload: one record */
	u8 payload[HEAD_MAX + 16 + CHUNK_MAX]; /* slice; the call's tail at TAIL_AT; room for one chunk */
};

#define TAIL_AT HEAD_MAX

enum scratch_slot {
	SLOT_SEND = 0,
	SLOT_RECV,
	SLOT_UNIX_SEND,
	SLOT_UNIX_RECV,
	SLOT_SPLICE,
	SLOT_PAGE,
	SLOT_UNIX_PAGE,
	SLOT_MAX,
};

/* enum scratch_slot -> the call its program works on. Stand-ins have one of their own. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOT_MAX); /* user space takes as many as its programs use */
	__type(key, enum scratch_slot);
	__type(value, struct scratch);
} scratch_by_slot SEC(".maps");

static __always_inline bool read_iov(const struct src *s, u64 i, void *to, u32 size)
{
	const void *at = (const void *)(s->addr + i * sizeof(struct user_iovec64));

	if (s->kind == SRC_IOV_KERNEL)
		return bpf_probe_read_kernel(to, size, at) == 0;
	return bpf_probe_read_user(to, size, at) == 0;
}

/* The first SEGS_READ iovecs at once, or those that there are. */
static __always_inline bool read_first(const struct src *s, struct cursor *cur)
{
	if (s->nr >= SEGS_READ)
		return read_iov(s, 0, cur->segs, sizeof(cur->segs));
	if (s->nr == 2)
		return read_iov(s, 0, cur->segs, 2 * sizeof(cur->segs[0]));
	if (s->nr == 1)
		return read_iov(s, 0, cur->segs, sizeof(cur->segs[0]));
	return read_iov(s, 0, cur->segs, 3 * sizeof(cur->segs[0]));
}

/* Copies what the slot's cursor stands at to payload + off, or passes an iovec by; up to end. Returns 1
 * if there may be more. Proved once, not once for each round of the loop: cursor and length live in map
 * memory, so the verifier knows nothing of how they came about, only the bounds tested here. */
__noinline int gather_step(u32 slot, u64 end)
{
	struct scratch *sc = bpf_map_lookup_elem(&scratch_by_slot, &slot);

	if (!sc)
		return 0;
	volatile struct cursor *cur = &sc->cur;
	const u64 off = cur->off, skip = cur->skip, i = cur->seg;
	struct user_iovec64 seg;

	if (off >= end || off > HEAD_MAX + 8 || i >= sc->src.nr)
		return 0;
	if (i < SEGS_READ && i < sc->src.held) {
		seg = sc->cur.segs[i];
	} else if (!read_iov(&sc->src, i, &seg, sizeof(seg))) {
		stat_add(STAT_READ_FAULTS, 1);
		return 0;
	}
	if (skip >= seg.len) {
		cur->skip = skip - seg.len;
		cur->seg = i + 1;
		return 1;
	}
	u64 n = seg.len - skip;

	if (n > end - off)
		n = end - off;
	cur->n = n < CHUNK_MAX ? n : CHUNK_MAX;
	n = cur->n;
	if (n > CHUNK_MAX || bpf_probe_read_user(sc->payload + off, n, (void *)(seg.base + skip))) {
		stat_add(STAT_READ_FAULTS, 1);
		return 0;
	}
	cur->off = off + n;
	cur->skip = skip + n;
	return cur->off < end;
}

/* Copies want bytes of an iovec source, from bytes into the call, to payload + at. Returns how many arrived. */
static __always_inline u32 gather(struct scratch *sc, u32 slot, u64 from, u32 want, u32 at)
{
	const u64 end = (u64)at + want;

	if (!sc->src.held) {
		if (!sc->src.nr || !read_first(&sc->src, &sc->cur)) {
			stat_add(STAT_READ_FAULTS, 1);
			return 0;
		}
		sc->src.held = SEGS_READ;
	}
	sc->cur.off = at;
	sc->cur.skip = sc->src.skip + from;
	sc->cur.seg = 0;
	for (u32 i = 0; i < 2 * SEGS_MAX; i++) {
		if (!gather_step(slot, end))
			break;
	}
	if (sc->cur.off < end)
		stat_add(STAT_SEGS_CUT, 1);
	return sc->cur.off - at;
}

/* Copies want bytes, from bytes into the call, to payload + at. Returns how many arrived. */
__noinline int fetch(u32 slot, u64 from, u32 want, u32 at)
{
	struct scratch *sc = bpf_map_lookup_elem(&scratch_by_slot, &slot);

	if (!sc)
		return 0;
	if (sc->src.kind != SRC_BUF)
		return gather(sc, slot, from, want, at);
	/* at is TAIL_AT for a few bytes, else it is small */
	if (want > (at > HEAD_PEEK ? CHUNK_MAX : HEAD_MAX) || at > TAIL_AT)
		return 0;
	if (bpf_probe_read_user(sc->payload + at, want, (void *)(sc->src.addr + from))) {
		stat_add(STAT_READ_FAULTS, 1);
		return 0;
	}
	return want;
}

/* The call's last min(len, 8) bytes. */
static __always_inline u64 fetch_tail(struct scratch *sc, u32 slot, u32 len)
{
	u64 *tail = (u64 *)(sc->payload + TAIL_AT);
	const u32 n = len < 8 ? len : 8;

	*tail = 0;
	fetch(slot, len - n, n, TAIL_AT);
	return *tail;
}

/* Of the segs that were read backwards the last n are the call's first: they are not read again. */
static __always_inline void hold_last(struct scratch *sc, u32 n)
{
	struct user_iovec64 *s = sc->cur.segs;

	_Static_assert(SEGS_READ == 4, "one case for each number but SEGS_READ");
	if (n > SEGS_READ)
		return;
	if (n == 1) {
		s[0] = s[3];
	} else if (n == 2) {
		s[0] = s[2];
		s[1] = s[3];
	} else if (n == 3) {
		s[0] = s[1];
		s[1] = s[2];
		s[2] = s[3];
	}
	sc->src.held = n;
}

/* Points the slot's src at the start of the len bytes that an iterator has passed, found from
 * where it stands now: offset bytes into the iovec at iov. msg_iter only moves forward, over an
 * array that lives until the socket call returns. */
__noinline int src_rewind(u32 slot, u64 iov, u64 offset, u64 len)
{
	struct scratch *sc = bpf_map_lookup_elem(&scratch_by_slot, &slot);
	u64 left = len - offset;

	if (!sc)
		return 0;
	if (offset >= len) {
		sc->src.addr = iov;
		sc->src.skip = offset - len;
		sc->src.nr = 1;
		sc->src.kind = SRC_IOV_KERNEL;
		sc->src.held = 0;
		return 0;
	}
	sc->src.held = 0;
	/* The usual few are read at once; what lies before the array is not used. */
	if (bpf_probe_read_kernel(sc->cur.segs, sizeof(sc->cur.segs), (void *)(iov - sizeof(sc->cur.segs))))
		return 0;
	for (u32 i = 1; i <= REWIND_MAX; i++) {
		struct user_iovec64 seg;

		iov -= sizeof(seg);
		if (i <= SEGS_READ)
			seg = sc->cur.segs[SEGS_READ - i];
		else if (bpf_probe_read_kernel(&seg, sizeof(seg), (void *)iov))
			return 0;
		if (left <= seg.len) {
			sc->src.addr = iov;
			sc->src.skip = seg.len - left;
			sc->src.nr = i + 1;
			sc->src.kind = SRC_IOV_KERNEL;
			hold_last(sc, i);
			return 0;
		}
		left -= seg.len;
	}
	stat_add(STAT_SEGS_CUT, 1);
	return 0;
}
