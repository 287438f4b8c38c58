/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tests of what only backends have that read the registers of a system call. */
#pragma once

#define VEC 3

/* What sendmmsg and recvmmsg are given: VEC messages of one buffer each. */
struct vec {
	struct user_mmsghdr64 msg[VEC];
	struct user_iovec64 iov[VEC];
	const char *text[VEC];
};

static void vec_init(struct vec *v)
{
	memset(v->msg, 0, sizeof(v->msg));
	host_map_memory(v->msg, sizeof(v->msg), true);
	host_map_memory(v->iov, sizeof(v->iov), true);
	for (u32 i = 0; i < VEC; i++) {
		const u32 n = strlen(v->text[i]);

		host_map_memory(v->text[i], n, true);
		v->iov[i] = (struct user_iovec64){(u64)v->text[i], n};
		v->msg[i].hdr.iov = (u64)&v->iov[i];
		v->msg[i].hdr.iovlen = 1;
		v->msg[i].len = n;
	}
}

/* One system call that moved VEC messages. */
static void vec_call(struct host_sock *s, struct vec *v, u32 dir)
{
	struct host_call c = {.dir = dir, .ret = VEC};

	host.now += 10;
	host_regs(dir == DIR_SEND ? NR_sendmmsg : NR_recvmmsg, HOST_FD, (u64)v->msg, VEC, 0);
#if BACKEND == BACKEND_SOCK_TRACEPOINT
	for (u32 i = 0; i < VEC; i++) { /* a socket call each */
		c.ret = v->msg[i].len;
		host_fire(s, &c);
	}
#else
	host_fire(s, &c);
#endif
}

static void messages(u32 dir)
{
	struct host_sock *s = new_sock(AF_INET);
	struct vec v = {.text = {"GET /1 HTTP/1.1\r\n\r\n", "GET /22 HTTP/1.1\r\n\r\n", "GET /333 HTTP/1.1\r\n\r\n"}};
	u64 pos = 0;

	for (u32 call = 0; call < 2; call++) {
		forget();
		vec_init(&v);
		vec_call(s, &v, dir);
		host_unmap_memory();
		CHECK(count_of(EV_DATA) == VEC, "%u records", count_of(EV_DATA));
		for (u32 i = 0; i < VEC && nth(EV_DATA, i); i++) {
			const struct ev_data *d = nth(EV_DATA, i);

			CHECK(d->pos == pos && d->captured == v.msg[i].len, "message %u at %llu: %u bytes", i, d->pos, d->captured);
			CHECK(!memcmp(payload_of(d), v.text[i], d->captured), "message %u", i);
			pos += d->total;
		}
	}
}

static void messages_received(void)
{
	messages(DIR_RECV);
}

static void messages_sent(void)
{
	messages(DIR_SEND);
}

/* Only stream sockets of the three families, and only if they have a file. */
static void descriptors(void)
{
	struct host_sock *s = new_sock(AF_INET);

	s->sk.sk_type = SOCK_STREAM + 1;
	RECEIVES(s, request);
	s = new_sock(17); /* AF_PACKET */
	RECEIVES(s, request);
	CHECK(kept.count == 0, "no stream socket");
#if BACKEND == BACKEND_SOCK_TRACEPOINT
	s = new_sock(AF_INET);
	s->socket.file = NULL;
	RECEIVES(s, request);
	CHECK(kept.count == 0, "a socket of the kernel itself");
#else
	s = new_sock(AF_INET);
	s->inode.i_mode = 0100000; /* a regular file */
	RECEIVES(s, request);
	CHECK(kept.count == 0, "no socket");
#endif
	s = new_sock(AF_INET6);
	RECEIVES(s, request);
	CHECK(count_of(EV_DATA) == 1, "AF_INET6");
}

/* Their registers mean something else: bytes are counted at most, never read. */
static void compat(void)
{
	struct host_sock *s = new_sock(AF_INET);

	RECEIVES(s, request);
	forget();
	struct host_call c = {.dir = DIR_SEND, .ret = sizeof(response) - 1};

	host_map_memory(response, sizeof(response), true);
	host_regs(NR_write, HOST_FD, (u64)response, sizeof(response) - 1, 0);
#if defined(__TARGET_ARCH_x86)
	host.task.thread_info.status = TS_COMPAT;
#else
	host.regs.pstate = PSR_MODE32_BIT;
#endif
	host_fire(s, &c);
	const struct ev_data *d = nth(EV_DATA, 0);

	CHECK(!d || (d->captured == 0 && (d->flags & DATA_UNSEEN) && !(d->flags & DATA_TAIL)), "nothing is read");
	host_unmap_memory();
}

/* A byte is held, and of what follows only a part can be looked at: it comes behind that byte. */
static void held_and_cut(void)
{
	static const char rest[] = "ET /a-long-enough-target-for-sixty-buffers-of-a-byte HTTP/1.1\r\n";
	struct host_sock *s = new_sock(AF_INET);
	struct host_call c = {.dir = DIR_RECV, .shape = SHAPE_IOV, .ret = 60, .nr = 60};

	RECEIVES(s, "G");
	CHECK(kept.count == 0, "a byte that may start a head is held");
	for (u32 i = 0; i < 60; i++)
		c.seg[i] = (struct user_iovec64){(u64)(rest + i), 1};
	host_map_memory(rest, sizeof(rest), true);
	host_call(s, &c);
	host_unmap_memory();
	const struct ev_data *d = nth(EV_DATA, 0);

	CHECK(d && (d->flags & DATA_EARLY) && d->tail == 1010 && d->total == 61, "joined");
	CHECK(d->captured > 1 && d->captured < 61 && payload_of(d)[0] == 'G', "%u captured", d->captured);
	CHECK(!memcmp(payload_of(d) + 1, rest, d->captured - 1), "in order");
}
