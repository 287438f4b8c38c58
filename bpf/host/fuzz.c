/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* libFuzzer target: any socket calls of a selected and of an unselected task, with any bytes in any
 * buffers, some of which are not there, into a ring that may be full. The sanitizers find what the
 * verifier would refuse or the programs should not do; what is checked besides is that every record
 * tells what moved and nothing else does. */
#include "programs.h"
#include "machine.h"
#include "calls.h"

#define SOCKS 2
#define STREAM_MAX 65536
#define SELECTED 100
#define STRANGER 200

#define REQUIRE(cond)                                                                              \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);                 \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* What moved on a socket, as far as the selected task moved it. */
struct stream {
	u8 bytes[STREAM_MAX];
	u64 len;
	u64 told; /* records never go back behind this */
};

static struct host_sock socks[SOCKS];
static struct stream streams[SOCKS][2];
static u64 ids[SOCKS]; /* connection ids as announced */
static u32 full_one_in, current, shipped;

static const u8 *input;
static size_t left;

static u32 take(void)
{
	if (!left)
		return 0;
	left--;
	return *input++;
}

static bool ring_full(void)
{
	return full_one_in && take() % full_one_in == 0;
}

static void check_data(const struct ev_data *d)
{
	const u8 *payload = (const u8 *)(d + 1);

	REQUIRE(ids[current] && d->conn == ids[current] && d->tgid == SELECTED);
	REQUIRE(d->dir <= DIR_SEND && d->captured <= d->total && d->captured <= HEAD_MAX);
	const struct stream *s = &streams[current][d->dir];

	REQUIRE(d->pos >= s->told && d->pos + d->total == s->len);
	REQUIRE(d->other_pos <= streams[current][!d->dir].len);
	REQUIRE(!memcmp(payload, s->bytes + d->pos, d->captured));
	REQUIRE(!(d->flags & DATA_EARLY) || !(d->flags & DATA_TAIL));
	REQUIRE(!(d->flags & DATA_UNSEEN) || !d->captured);
	if ((d->flags & DATA_TAIL) && d->tail && !host_stat(STAT_READ_FAULTS) && !host_stat(STAT_SEGS_CUT)) {
		const u32 n = d->total < 8 ? d->total : 8;

		REQUIRE(!memcmp(&d->tail, s->bytes + s->len - n, n));
	}
	if (d->flags & DATA_EARLY)
		REQUIRE(d->tail <= d->hdr.ktime);
	streams[current][d->dir].told = d->pos + d->total;
	shipped += d->captured;
}

static void on_record(bool control, const void *record, u32 size)
{
	const struct ev_hdr *h = record;

	REQUIRE(host.tgid == SELECTED && !control);
	REQUIRE(h->version == EV_VERSION && h->size == size && h->ktime <= host.now);
	switch (h->kind) {
	case EV_CONN:
		REQUIRE(size == sizeof(struct ev_conn));
		ids[current] = ((const struct ev_conn *)record)->conn;
		return;
	case EV_DATA:
		REQUIRE(size == sizeof(struct ev_data) + ((const struct ev_data *)record)->captured);
		check_data(record);
		return;
	case EV_EOF:
	case EV_CLOSE:
		REQUIRE(size == sizeof(struct ev_eof) && ((const struct ev_eof *)record)->conn == ids[current]);
		return;
	case EV_OPEN:
		REQUIRE(size == sizeof(struct ev_open));
		return;
	}
	REQUIRE(!"a kind that data rings have");
}

/* Pieces that a head may begin with, so that the fuzzer need not find them. */
static const char *const words[] = {
	"GET /", "POST /x HTTP/1.1\r\n", "HTTP/1.1 200 OK\r\n\r\n", "G", "HTT", "CONNECT a", "0\r\n\r\n", "\r\n0\r\n\r\n",
};

static u32 fill(u8 *b, u32 room)
{
	u32 n = 0;

	for (u32 parts = 1 + take() % 4; parts; parts--) {
		const u32 kind = take();

		if (kind < 128) {
			const char *w = words[kind % (sizeof(words) / sizeof(words[0]))];
			const u32 len = strlen(w);

			if (n + len > room)
				break;
			memcpy(b + n, w, len);
			n += len;
		} else if (kind < 192) {
			u32 len = (take() << 6) % (room - n + 1);

			memset(b + n, 'a' + kind % 26, len);
			n += len;
		} else {
			for (u32 len = kind % 16; len && n < room; len--)
				b[n++] = take();
		}
	}
	return n;
}

/* Lays b out over allocations of their own; one of them may be unreadable. */
static void lay_out(struct host_call *c, const u8 *b, u32 n, u8 **parts)
{
	const u32 nr = c->shape == SHAPE_BUF ? 1 : 1 + take() % HOST_SEGS;
	const u32 missing = take() % 8 ? ~0U : take() % nr;
	u32 at = 0;

	c->nr = nr;
	for (u32 i = 0; i < nr; i++) {
		const u32 len = i + 1 == nr ? n - at : take() % (n - at + 1);

		parts[i] = malloc(len);
		memcpy(parts[i], b + at, len);
		at += len;
		c->seg[i] = (struct user_iovec64){(u64)parts[i], len};
		if (i != missing)
			host_map_memory(parts[i], len, true);
	}
}

static void one_call(void)
{
	static u8 b[12000];
	u8 *parts[HOST_SEGS] = {};
	const u32 what = take();
	struct host_call c = {.dir = what & 1, .shape = what >> 1 & 3};

	current = what >> 3 & 1;
	host.tgid = host.tid = what >> 4 & 3 ? SELECTED : STRANGER;
	c.ret = fill(b, sizeof(b));
	struct stream *s = &streams[current][c.dir];

	if (!c.ret || s->len + c.ret > STREAM_MAX)
		return;
	if (what >> 6 == 3 && c.dir == DIR_RECV && (c.shape == SHAPE_BUF || c.shape == SHAPE_MSG))
		c.flags = MSG_PEEK;
	if (host.tgid == SELECTED && !c.flags) {
		memcpy(s->bytes + s->len, b, c.ret);
		s->len += c.ret;
	}
	lay_out(&c, b, c.ret, parts);
	shipped = 0;
	host_call(&socks[current], &c);
	REQUIRE(shipped <= (u32)c.ret + HEAD_PEEK); /* held bytes may come with it */
	host_unmap_memory();
	for (u32 i = 0; i < c.nr; i++)
		free(parts[i]);
}

static void end_of_stream(void)
{
	struct host_call c = {.dir = DIR_RECV, .shape = SHAPE_BUF, .nr = 1};

	host.tgid = SELECTED;
	current = take() & 1;
	if (take() & 1)
		host_fin(&socks[current]);
	host_call(&socks[current], &c);
	host_unmap_memory();
}

/* The connection is over; the next call on it is another one's first. */
static void end(void)
{
	host.tgid = SELECTED;
	current = take() & 1;
	sock_state(&socks[current].sk, TCP_ESTABLISHED, TCP_CLOSE);
	sock_destroy(&socks[current].sk);
	if (host_use_storage)
		for (struct host_map *m = host_map_of(&conn_of_sock); m->first;)
			host_remove(m, &m->first);
	for (u32 i = 0; i < SOCKS; i++) {
		if (i != current && !host_use_storage)
			continue;
		host_sock_init(&socks[i], AF_INET, 1);
		memset(streams[i], 0, sizeof(streams[i]));
		ids[i] = 0;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	input = data;
	left = size;
	host_reset();
	const u32 knobs = take();

	host_request_head = knobs & 1 ? HEAD_MAX : 100;
	host_response_head = knobs & 2 ? 2048 : 16;
	host_use_storage = knobs & 4;
	full_one_in = knobs & 8 ? 3 : 0;
	host.on_record = on_record;
	host.ring_full = ring_full;
	host_judge(SELECTED, VERDICT_SELECTED);
	for (u32 i = 0; i < SOCKS; i++) {
		host_sock_init(&socks[i], AF_INET, 1);
		memset(streams[i], 0, sizeof(streams[i]));
		ids[i] = 0;
	}
	while (left) {
		const u32 op = take();

		host.now += op;
		if (op < 240)
			one_call();
		else if (op < 250)
			end_of_stream();
		else
			end();
	}
	host_reset();
	return 0;
}
