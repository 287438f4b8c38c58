/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Records into the rings. Whatever does not fit is counted. */
#pragma once

static __always_inline void hdr_fill(struct ev_hdr *h, u16 kind, u32 size, u64 ktime)
{
	h->version = EV_VERSION;
	h->kind = kind;
	h->size = size;
	h->ktime = ktime;
}

static __always_inline bool emit(const void *rec, u32 size)
{
	if (bpf_ringbuf_output(&data_ring, (void *)rec, size, 0)) {
		stat_add(STAT_LOST_RECORDS, 1);
		return false;
	}
	return true;
}

static __always_inline void count_lost(const struct scratch *sc, u32 captured)
{
	stat_add(STAT_LOST_BYTES, captured);
	if (sc->request)
		stat_add(STAT_LOST_REQUESTS, 1);
}

/* Sends the slot's data record with the first captured bytes of its payload. */
__noinline int emit_data(u32 slot, u32 captured)
{
	struct scratch *sc = bpf_map_lookup_elem(&scratch_by_slot, &slot);

	if (!sc || captured > HEAD_MAX)
		return 0;
	if (!emit(&sc->ev, sizeof(sc->ev) + captured))
		count_lost(sc, captured);
	return 0;
}

static __always_inline void emit_control(const void *rec, u32 size)
{
	if (bpf_ringbuf_output(&control_ring, (void *)rec, size, BPF_RB_FORCE_WAKEUP))
		stat_add(STAT_LOST_CONTROL, 1);
}

static __always_inline void unix_path(struct ev_conn *ev, const struct sock *sk)
{
	const struct unix_sock *u = (const struct unix_sock *)sk;
	const struct unix_address *addr = BPF_CORE_READ(u, addr);

	if (!addr) { /* the connecting end is unnamed: its peer has the name */
		u = (const struct unix_sock *)BPF_CORE_READ(u, peer);
		addr = u ? BPF_CORE_READ(u, addr) : NULL;
	}
	if (!addr)
		return;
	const int len = BPF_CORE_READ(addr, len) - (int)sizeof(unsigned short);

	if (len <= 0)
		return;
	bpf_probe_read_kernel(ev->path, sizeof(ev->path), &addr->name[0].sun_path);
	ev->path_len = len < UNIX_PATH ? len : UNIX_PATH;
}

/* seq holds positions: makes them the sequence numbers of position 0, which the other end, counting
 * the same bytes, finds too, whatever address translation lies between. */
static __always_inline void tcp_seq(struct ev_conn *ev, const u32 *pos, const struct sock *sk)
{
	const struct tcp_sock *tp = (const struct tcp_sock *)sk;
	u32 read = BPF_CORE_READ(tp, copied_seq);

	if ((BPF_CORE_READ(sk, sk_shutdown) & RCV_SHUTDOWN) && read == BPF_CORE_READ(tp, rcv_nxt))
		read--; /* the FIN was read too (tcp_recvmsg_locked, found_fin_ok) */
	ev->seq[DIR_RECV] = read - pos[DIR_RECV];
	ev->seq[DIR_SEND] = BPF_CORE_READ(tp, write_seq) - pos[DIR_SEND];
}

/* Tells user space what the slot's sock is, whose conn names it. Returns 1 if it arrived. */
__noinline int announce(u32 slot)
{
	struct scratch *sc = bpf_map_lookup_elem(&scratch_by_slot, &slot);
	const u64 task = bpf_get_current_pid_tgid();

	if (!sc)
		return 0;
	const struct sock *sk = (const struct sock *)sc->sock;
	struct ev_conn *ev = &sc->conn;
	const u64 id = ev->conn;
	const u16 flags = ev->flags;
	const u32 pos[2] = {ev->seq[0], ev->seq[1]};

	__builtin_memset(ev, 0, sizeof(*ev));
	hdr_fill(&ev->hdr, EV_CONN, sizeof(*ev), bpf_ktime_get_ns());
	ev->conn = id;
	ev->flags = flags;
	ev->cgroup = use_cgroup ? bpf_get_current_cgroup_id() : 0;
	ev->tgid = task >> 32;
	ev->tid = task;
	ev->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	ev->family = BPF_CORE_READ(sk, __sk_common.skc_family);
	if (ev->family == AF_UNIX) {
		unix_path(ev, sk);
		ev->self = (u64)sk;
		ev->peer = (u64)BPF_CORE_READ((const struct unix_sock *)sk, peer);
	} else {
		tcp_seq(ev, pos, sk);
		ev->lport = BPF_CORE_READ(sk, __sk_common.skc_num);
		ev->rport = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
		if (ev->family == AF_INET6) {
			BPF_CORE_READ_INTO(&ev->laddr, sk, __sk_common.skc_v6_rcv_saddr);
			BPF_CORE_READ_INTO(&ev->raddr, sk, __sk_common.skc_v6_daddr);
		} else {
			BPF_CORE_READ_INTO((u32 *)&ev->laddr, sk, __sk_common.skc_rcv_saddr);
			BPF_CORE_READ_INTO((u32 *)&ev->raddr, sk, __sk_common.skc_daddr);
		}
	}
	if (!emit(ev, sizeof(*ev))) {
		count_lost(sc, 0);
		return 0;
	}
	stat_add(STAT_CONNS, 1);
	return 1;
}

static __always_inline bool conn_announced(const struct conn *c)
{
	return (c->flags & CONN_ANNOUNCED) && c->epoch == (u16)announce_epoch;
}

/* Announces c; again if the ring had no room, or user space may have forgotten it. */
static __always_inline bool conn_announce(struct conn *c, struct scratch *sc, u32 slot, const struct sock *sk)
{
	sc->conn.conn = c->id;
	sc->conn.flags = (c->flags & (CONN_OPENED | CONN_ANNOUNCED)) == CONN_OPENED ? CONN_FRESH : 0;
	for (int d = 0; d < 2; d++)
		sc->conn.seq[d] = (u32)c->pos[d] + c->early_len[d];
	sc->sock = (u64)sk;
	if (!announce(slot))
		return false;
	c->flags |= CONN_ANNOUNCED;
	c->epoch = announce_epoch;
	return true;
}

static __always_inline void emit_open(const struct conn *c)
{
	const u64 task = bpf_get_current_pid_tgid();
	struct ev_open ev = {};

	hdr_fill(&ev.hdr, EV_OPEN, sizeof(ev), bpf_ktime_get_ns());
	ev.conn = c->id;
	ev.tgid = task >> 32;
	ev.tid = task;
	emit(&ev, sizeof(ev));
}

static __always_inline void emit_eof(const struct conn *c, u16 kind, u32 dir, u32 err)
{
	struct ev_eof ev = {};

	hdr_fill(&ev.hdr, kind, sizeof(ev), bpf_ktime_get_ns());
	ev.conn = c->id;
	ev.pos[0] = c->pos[0];
	ev.pos[1] = c->pos[1];
	ev.last_ktime[0] = c->ktime[0];
	ev.last_ktime[1] = c->ktime[1];
	ev.dir = dir;
	ev.err = err;
	emit(&ev, sizeof(ev));
}

/* A read of nothing: the end of the peer's stream, if it is one. */
#define on_read_nothing(sk)                                                                        \
	({                                                                                         \
		struct conn *_e = conn_find(sk);                                                   \
		if (_e && (_e->flags & CONN_ANNOUNCED) && (BPF_CORE_READ(sk, sk_shutdown) & RCV_SHUTDOWN)) \
			emit_eof(_e, EV_EOF, DIR_RECV, 0);                                         \
	})
