/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests of what needs no helper: classification, ends of chunked bodies, position arithmetic. */
#pragma once

static void tchars(void)
{
	static const char tchar[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (u32 c = 0; c < 256; c++)
		CHECK(is_tchar(c) == (c && strchr(tchar, c) != NULL), "byte %u", c);
}

static const struct head_row {
	const char *bytes;
	enum head_kind want;
} head_rows[] = {
	{"", HEAD_MAYBE},
	{"G", HEAD_MAYBE},
	{"GET", HEAD_MAYBE},
	{"GET ", HEAD_MAYBE},
	{"GET /", HEAD_REQUEST},
	{"GET / HTTP/1.1\r\n", HEAD_REQUEST},
	{"get /", HEAD_REQUEST},
	{"OPTIONS * HTTP/1.1", HEAD_REQUEST},
	{"M-SEARCH * HTTP/1.1", HEAD_REQUEST},
	{"GET http://a/", HEAD_REQUEST},
	{"GET HTTP://a/", HEAD_REQUEST},
	{"get http://a/", HEAD_NONE},
	{"GET ftp://a/", HEAD_NONE},
	{"CONNECT a:443 HTTP/1.1", HEAD_REQUEST},
	{"CONNECX a:443 HTTP/1.1", HEAD_NONE},
	{"XONNECT a:443 HTTP/1.1", HEAD_NONE},
	{"connect a:443 HTTP/1.1", HEAD_NONE},
	{"DELETE a:443 HTTP/1.1", HEAD_NONE},
	{"HTTP/1.1 200 OK", HEAD_RESPONSE},
	{"HTTP/", HEAD_RESPONSE},
	{"HTTP", HEAD_MAYBE},
	{"HTTPS", HEAD_MAYBE},
	{"HTTP /x", HEAD_REQUEST},
	{" GET /", HEAD_NONE},
	{"\r\nGET /", HEAD_NONE},
	{"GET\t/", HEAD_NONE},
	{"GE:T /", HEAD_NONE},
	{"G\xc3\x89T /", HEAD_NONE},
	{"hello world", HEAD_NONE},
	{"SSH-2.0-OpenSSH", HEAD_MAYBE},
	{"{\"a\":1}", HEAD_NONE},
	{"ABCDEFGHIJKLMNOPQRSTUVW /", HEAD_REQUEST},  /* 23 letters */
	{"ABCDEFGHIJKLMNOPQRSTUVWX /", HEAD_NONE},    /* 24 */
	{"abcdefghijklmnopqrstuvwxyz", HEAD_NONE},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HEAD_REQUEST},
};

static enum head_kind kind_of(const u8 *b, u32 n)
{
	return head_kind(b, n, method_length(b, n));
}

static void heads(void)
{
	const u32 slot = SLOT_SEND;
	struct scratch *sc = bpf_map_lookup_elem(&scratch_by_slot, &slot);

	for (u32 i = 0; i < sizeof(head_rows) / sizeof(head_rows[0]); i++) {
		const struct head_row *r = &head_rows[i];
		const u32 n = strlen(r->bytes);
		u8 b[HEAD_PEEK] = "/?"; /* what lies behind n must not matter */

		memset(b + n, '/', sizeof(b) - n);
		memcpy(b, r->bytes, n);
		CHECK(kind_of(b, n) == r->want, "\"%s\": kind %d, want %d", r->bytes, kind_of(b, n), r->want);
		memcpy(sc->payload, b, sizeof(b));
		const enum head_kind k = n ? classify(sc, slot, n) : r->want;

		CHECK(k == r->want, "classify \"%s\": kind %d, want %d", r->bytes, k, r->want);
	}
}

/* A request in FastCGI is told by its first record, whole, and by nothing that differs from it in what is fixed. */
static void fastcgi_begins(void)
{
	const u8 begin[HEAD_PEEK] = {1, 1, 0, 7, 0, 8, 0, 0, 0, 1};
	const u32 fixed[] = {0, 1, 4, 5, 6, 7};

	CHECK(kind_of(begin, 16) == HEAD_FASTCGI && kind_of(begin, 8) == HEAD_FASTCGI, "not recognised");
	CHECK(kind_of(begin, 7) == HEAD_NONE, "recognised by seven bytes");
	for (u32 i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		u8 b[HEAD_PEEK];

		memcpy(b, begin, sizeof(b));
		b[fixed[i]] ^= 2;
		CHECK(kind_of(b, 16) != HEAD_FASTCGI, "recognised although byte %u differs", fixed[i]);
	}
}

/* classify is head_kind for every start of every row, however short. */
static void classify_agrees(void)
{
	const u32 slot = SLOT_SEND;
	struct scratch *sc = bpf_map_lookup_elem(&scratch_by_slot, &slot);

	for (u32 i = 0; i < 200000; i++) {
		const struct head_row *r = &head_rows[below(sizeof(head_rows) / sizeof(head_rows[0]))];
		const u32 n = 1 + below(HEAD_PEEK);

		memset(sc->payload, ' ' + below(64), HEAD_PEEK);
		memcpy(sc->payload, r->bytes, strlen(r->bytes));
		if (below(2))
			sc->payload[below(HEAD_PEEK)] = below(256);
		const enum head_kind want = kind_of(sc->payload, n), got = classify(sc, slot, n);

		CHECK(got == want, "first %u bytes of \"%.32s\": kind %d, want %d", n, (char *)sc->payload, got, want);
	}
}

static u64 tail_of(const u8 *b, u32 n)
{
	u64 tail = 0;
	const u32 k = n < 8 ? n : 8;

	memcpy(&tail, b + n - k, k);
	return tail;
}

static void chunked_ends(void)
{
	static const u8 end[] = {'\r', '\n', '0', '\r', '\n', '\r', '\n'};

	for (u32 i = 0; i < 100000; i++) {
		u8 b[16];
		const u32 n = below(sizeof(b) + 1);

		for (u32 k = 0; k < sizeof(b); k++)
			b[k] = "\r\n0x"[below(4)];
		if (n >= 7 && below(2))
			memcpy(b + n - 7, end, 7);
		if (n >= 5 && below(3) == 0)
			memcpy(b + n - 5, end + 2, 5);
		const bool want = (n == 5 && !memcmp(b, end + 2, 5)) || (n >= 7 && !memcmp(b + n - 7, end, 7));

		CHECK(ends_chunked(tail_of(b, n), n) == want, "%u bytes, want %d", n, want);
	}
}

/* A turn begins where the direction flips; only a head gives budget; every byte moves the position. */
static void positions(void)
{
	struct conn c = {.last_dir = 0xff};

	CHECK(conn_advance(&c, DIR_RECV, 100, 7, HEAD_REQUEST, 60) == 60, "the budget bounds what is shipped");
	CHECK(c.turn == 1 && c.pos[DIR_RECV] == 100 && c.ktime[DIR_RECV] == 7, "turn %u, position %llu", c.turn, c.pos[DIR_RECV]);
	CHECK(c.budget[DIR_RECV] == 0 && c.records[DIR_RECV] == COUNT_RECORDS, "budget %u, records %u", c.budget[DIR_RECV], c.records[DIR_RECV]);
	c.records[DIR_RECV] = 1;
	CHECK(conn_advance(&c, DIR_RECV, 5, 8, HEAD_NONE, 60) == 0, "no head, no budget");
	CHECK(c.turn == 1 && c.records[DIR_RECV] == 1 && c.pos[DIR_RECV] == 105 && c.idle_turns == 0, "the turn goes on");
	CHECK(conn_advance(&c, DIR_SEND, 10, 9, HEAD_NONE, 60) == 0, "a turn without a head");
	CHECK(c.turn == 2 && c.idle_turns == 1 && c.pos[DIR_SEND] == 10 && c.pos[DIR_RECV] == 105, "turn %u, idle %u", c.turn, c.idle_turns);
	CHECK(c.records[DIR_SEND] == COUNT_RECORDS && c.last_dir == DIR_SEND, "records %u", c.records[DIR_SEND]);
	CHECK(conn_advance(&c, DIR_SEND, 10, 10, HEAD_RESPONSE, 100) == 10, "a head in the middle of a turn");
	CHECK(c.turn == 2 && c.idle_turns == 0 && c.budget[DIR_SEND] == 90, "budget %u, idle %u", c.budget[DIR_SEND], c.idle_turns);
	CHECK(conn_advance(&c, DIR_SEND, 200, 11, HEAD_NONE, 100) == 90, "what is left of the budget");
	c.idle_turns = 0xff;
	conn_advance(&c, DIR_RECV, 1, 12, HEAD_NONE, 0);
	CHECK(c.idle_turns == 0xff, "idle turns do not wrap");
	c.turn = 0xffff;
	conn_advance(&c, DIR_SEND, 1, 13, HEAD_NONE, 0);
	CHECK(c.turn == 0, "turns wrap");
	c.pos[DIR_SEND] = 0xffffffffULL;
	conn_advance(&c, DIR_SEND, 2, 14, HEAD_NONE, 0);
	CHECK(c.pos[DIR_SEND] == 0x100000001ULL, "positions have 64 bits");
}

static void looks(void)
{
	struct conn c = {.last_dir = 0xff};

	CHECK(first_look(&c, DIR_RECV, 100000) == 8192, "at the start of a turn a request's budget");
	CHECK(first_look(&c, DIR_RECV, 50) == 50, "never more than there is");
	c.kind[DIR_RECV] = HEAD_RESPONSE;
	CHECK(first_look(&c, DIR_RECV, 100000) == 2048, "a response's");
	c.last_dir = DIR_RECV;
	CHECK(first_look(&c, DIR_RECV, 100000) == HEAD_PEEK, "within a turn a peek");
	c.budget[DIR_RECV] = 1000;
	CHECK(first_look(&c, DIR_RECV, 100000) == 1000, "or what is left of the budget");
	c.early_len[DIR_RECV] = 1;
	CHECK(first_look(&c, DIR_RECV, 100000) == 2048, "behind held bytes a head's budget");
	struct conn idle = {.last_dir = DIR_SEND, .idle_turns = PATIENCE};

	CHECK(first_look(&idle, DIR_RECV, 100000) == HEAD_PEEK, "after turns without a head a peek");
	idle.idle_turns--;
	CHECK(first_look(&idle, DIR_RECV, 100000) == 8192, "but patience comes first");
	host_request_head = HEAD_MAX;
	CHECK(first_look(&idle, DIR_RECV, 100000) == HEAD_MAX - HEAD_PEEK, "held bytes fit in front of it");
}
