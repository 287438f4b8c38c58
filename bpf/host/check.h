/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Checks of the host tests. A test is a function without arguments on a machine that was reset. */
#pragma once

static int failures;

#define CHECK(cond, ...)                                                                           \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			failures++;                                                                \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #cond);                 \
			fprintf(stderr, __VA_ARGS__);                                              \
			fputc('\n', stderr);                                                       \
		}                                                                                  \
	} while (0)

/* xorshift64*: the same numbers every time. */
static u64 random_state = 88172645463325252ULL;

static inline u32 below(u32 n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 2685821657736338717ULL >> 33) % n;
}

/* What left the kernel since forget(). */
#define KEPT_MAX 64

static struct {
	u32 count;
	bool control[KEPT_MAX];
	union {
		struct ev_hdr hdr;
		struct ev_conn conn;
		struct ev_data data;
		struct ev_eof eof;
		struct ev_proc proc;
		struct ev_listen listen;
	} at[KEPT_MAX];
	u8 payload[KEPT_MAX][HEAD_MAX];
} kept;

static inline void keep(bool control, const void *record, u32 size)
{
	const struct ev_hdr *h = record;
	const u32 i = kept.count++;

	if (i >= KEPT_MAX)
		abort();
	CHECK(h->size == size && h->version == EV_VERSION, "a record of %u bytes says %u, version %u", size, h->size, h->version);
	memcpy(&kept.at[i], record, size < sizeof(kept.at[i]) ? size : sizeof(kept.at[i]));
	kept.control[i] = control;
	if (h->kind == EV_DATA) {
		const struct ev_data *d = record;

		CHECK(size == sizeof(*d) + d->captured && d->captured <= d->total, "captured %u of %u, %u bytes", d->captured, d->total, size);
		memcpy(kept.payload[i], d + 1, d->captured);
	}
}

static inline void forget(void)
{
	kept.count = 0;
}

/* The nth kept record of a kind, NULL if there are fewer. */
static inline const void *nth(u16 kind, u32 n)
{
	for (u32 i = 0; i < kept.count; i++)
		if (kept.at[i].hdr.kind == kind && n-- == 0)
			return &kept.at[i];
	return NULL;
}

static inline u32 count_of(u16 kind)
{
	u32 n = 0;

	while (nth(kind, n))
		n++;
	return n;
}

static inline const u8 *payload_of(const struct ev_data *d)
{
	for (u32 i = 0; i < kept.count; i++)
		if ((const void *)&kept.at[i] == d)
			return kept.payload[i];
	return NULL;
}

#define SELECTED 100
#define STRANGER 200

static inline void fresh(void)
{
	host_reset();
	forget();
	host_request_head = 8192;
	host_response_head = 2048;
	host_role = ROLE_ALONE;
	standing_in = 1;
	host_use_cgroup = false;
	host_use_storage = false;
	host.tgid = host.tid = SELECTED;
	host.on_record = keep;
	host_judge(SELECTED, VERDICT_SELECTED);
}

struct test {
	const char *name;
	void (*run)(void);
};

static inline int run_tests(const struct test *t, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		const int before = failures;

		fresh();
		t[i].run();
		if (failures != before)
			fprintf(stderr, "FAIL %s\n", t[i].name);
	}
	host_reset();
	printf("%u tests, %d failures\n", n, failures);
	return failures != 0;
}
