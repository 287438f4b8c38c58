/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Plays socket calls from standard input through one backend's programs and prints what leaves the
 * kernel, for the comparison with the model in internal/conn. One command a line:
 *
 *   reset REQUEST_BYTES RESPONSE_BYTES STORAGE
 *   open CONN FAMILY FRESH NOW
 *   call CONN DIR NOW RING BUFFERS BYTES
 *   eof CONN DIR NOW RING
 *   close CONN NOW RING ERRNO
 *
 * RING has a letter for each record, x if the ring has no room for it, and ends with a dot. BUFFERS
 * is "-" for one buffer, "?" for bytes without one, or the lengths of an iovec array; BYTES are in
 * hexadecimal. The answer is a line for each record, one for each direction that only counts, and a
 * line with a dot.
 */
#include "programs.h"
#include "machine.h"
#include "calls.h"

#define CONNS 64
#define TGID 100
#define TID 101

static struct host_sock socks[CONNS];
static bool opened[CONNS];
static const char *ring = ""; /* what is left of RING */

static bool ring_full(void)
{
	return *ring && *ring != '.' && *ring++ == 'x';
}

static void print_record(bool control, const void *record, u32 size)
{
	static const char digits[] = "0123456789abcdef";
	const u8 *b = record;

	fputs(control ? "control " : "data ", stdout);
	for (u32 i = 0; i < size; i++) {
		putchar_unlocked(digits[b[i] >> 4]);
		putchar_unlocked(digits[b[i] & 15]);
	}
	putchar_unlocked('\n');
}

static void print_progress(void)
{
	const struct host_entry *e = host_map_of(&progress_by_conn)->first;

	for (; e; e = e->next) {
		const struct progress_key *k = e->key;
		const struct progress *p = e->value;

		printf("progress %llu %llu %llu %llu\n", k->conn, k->dir, p->pos, p->ktime);
	}
}

static void fail(const char *why, const char *line)
{
	fprintf(stderr, "%s: %s\n", why, line);
	exit(2);
}

static struct host_sock *sock_of(const char *line, u32 conn)
{
	if (conn >= CONNS || !opened[conn])
		fail("no such connection", line);
	host_map_memory(socks[conn].addr.name[0].sun_path, UNIX_PATH, false);
	return &socks[conn];
}

static void reset(const char *line)
{
	u32 storage;

	host_reset();
	ring = "";
	if (sscanf(line, "reset %u %u %u", &host_request_head, &host_response_head, &storage) != 3)
		fail("bad command", line);
	host_use_storage = storage;
	host.tgid = TGID;
	host.tid = TID;
	host.on_record = print_record;
	host.ring_full = ring_full;
	host_judge(TGID, VERDICT_SELECTED);
	memset(opened, 0, sizeof(opened));
}

static void open_conn(const char *line)
{
	u32 conn, family, fresh;

	if (sscanf(line, "open %u %u %u %llu", &conn, &family, &fresh, &host.now) != 4 || conn >= CONNS)
		fail("bad command", line);
	struct host_sock *s = &socks[conn];

	host_sock_init(s, family, 1000 + conn);
	opened[conn] = true;
	if (family == AF_UNIX) {
		static const char path[] = "/run/app.sock";

		s->addr.len = sizeof(unsigned short) + sizeof(path);
		memcpy(s->addr.name[0].sun_path, path, sizeof(path));
		s->un.addr = &s->addr;
	} else {
		s->sk.__sk_common.skc_rcv_saddr = 0x0100000a; /* 10.0.0.1 */
		s->sk.__sk_common.skc_daddr = 0x0200000a;
		s->sk.__sk_common.skc_num = 8080;
		s->sk.__sk_common.skc_dport = __builtin_bswap16(50000);
	}
	if (fresh)
		sock_state(&s->sk, TCP_CLOSE, TCP_SYN_SENT);
}

static u32 nibble(char c, const char *line)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c < 'a' || c > 'f')
		fail("bad bytes", line);
	return c - 'a' + 10;
}

static u32 unhex(const char *hex, u8 *to, const char *line)
{
	u32 n = 0;

	for (; hex[0] && hex[0] != '\n'; hex += 2)
		to[n++] = nibble(hex[0], line) << 4 | nibble(hex[1], line);
	return n;
}

static void lay_out(struct host_call *c, const char *buffers, u8 *bytes, const char *line)
{
	u64 at = (u64)bytes;

	c->nr = 0;
	if (*buffers == '?') {
		c->shape = SHAPE_UNSEEN;
		return;
	}
	if (*buffers == '-') {
		c->shape = SHAPE_BUF;
		c->seg[c->nr++] = (struct user_iovec64){at, c->ret};
		return;
	}
	c->shape = c->ret % 2 ? SHAPE_IOV : SHAPE_MSG;
	for (char *next = (char *)buffers; *next; next += *next == ',') {
		const u64 len = strtoull(next, &next, 10);

		if (c->nr == HOST_SEGS)
			fail("too many buffers", line);
		c->seg[c->nr++] = (struct user_iovec64){at, len};
		at += len;
	}
}

static void call(const char *line)
{
	static char flow[64], buffers[512];
	u32 conn;
	int at = 0;
	struct host_call c = {};

	if (sscanf(line, "call %u %u %llu %63s %511s %n", &conn, &c.dir, &host.now, flow, buffers, &at) != 5 || !at)
		fail("bad command", line);
	u8 *bytes = malloc(strlen(line + at) / 2 + 1);

	if (!bytes)
		abort();
	ring = flow;
	c.ret = unhex(line + at, bytes, line);
	bytes = realloc(bytes, c.ret); /* the sanitizer knows where they end */
	host_map_memory(bytes, c.ret, true);
	lay_out(&c, buffers, bytes, line);
	host_call(sock_of(line, conn), &c);
	free(bytes);
}

static void eof(const char *line)
{
	static char flow[64];
	u32 conn;
	struct host_call c = {.shape = SHAPE_BUF, .nr = 1};

	if (sscanf(line, "eof %u %u %llu %63s", &conn, &c.dir, &host.now, flow) != 4)
		fail("bad command", line);
	struct host_sock *s = sock_of(line, conn);

	ring = flow;
	if (c.dir == DIR_SEND) {
		sock_state(&s->sk, TCP_CLOSE_WAIT, TCP_CLOSE_WAIT + 1);
		return;
	}
	host_fin(s);
	host_call(s, &c);
}

static void close_conn(const char *line)
{
	static char flow[64];
	u32 conn, err;

	if (sscanf(line, "close %u %llu %63s %u", &conn, &host.now, flow, &err) != 4)
		fail("bad command", line);
	struct host_sock *s = sock_of(line, conn);

	ring = flow;
	s->sk.sk_err = err;
	sock_state(&s->sk, TCP_ESTABLISHED, TCP_CLOSE);
	sock_destroy(&s->sk);
}

int main(void)
{
	char *line = NULL;
	size_t room = 0;

	while (getline(&line, &room, stdin) > 0) {
		if (!strncmp(line, "reset ", 6))
			reset(line);
		else if (!strncmp(line, "open ", 5))
			open_conn(line);
		else if (!strncmp(line, "call ", 5))
			call(line);
		else if (!strncmp(line, "eof ", 4))
			eof(line);
		else if (!strncmp(line, "close ", 6))
			close_conn(line);
		else
			fail("unknown command", line);
		host_unmap_memory();
		print_progress();
		puts(".");
		fflush(stdout);
	}
	free(line);
	host_reset();
	return 0;
}
