/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fixed bounds, and the knobs that user space sets before loading. */
#pragma once

/* The largest slice one record can carry; head budgets are at most this. */
#define HEAD_MAX 16384
/* One user read; two in flight bounds must fit behind HEAD_MAX in a per-CPU value (32 KiB at most). */
#define CHUNK_MAX 8192
/* Buffers of one readv/writev/recvmsg/sendmsg call that are looked at. */
#define SEGS_MAX 16
/* Of these, read at once. */
#define SEGS_READ 4
/* Buffers that fexit goes back over to find where a call's bytes start. Of a call with more nothing is seen. */
#define REWIND_MAX 64
/* Messages of one recvmmsg/sendmmsg call that are looked at. */
#define MMSG_MAX 16
/* The first bytes of a call that tell whether it starts a message head. */
#define HEAD_PEEK 32
/* What is told of a FastCGI request: the record that begins it. */
#define FASTCGI_BYTES 16
/* Records without payload that a turn may cost after its head budget is spent. */
#define COUNT_RECORDS 4
/* Turns without a message head after which a connection is looked at by a peek only. */
#define PATIENCE 4

const volatile u32 request_head_bytes = 8192;
const volatile u32 response_head_bytes = 2048;
const volatile bool use_cgroup = false;	    /* cgroup v2 ids select */
const volatile bool use_sk_storage = false; /* needs 5.11, commit 8e4597c627fb, and a trusted socket */

/* Are the programs loaded twice, and which of the two are these? See standin.h. */
enum role {
	ROLE_ALONE = 0,
	ROLE_FIRST,
	ROLE_STAND_IN,
};

const volatile u32 role = ROLE_ALONE;
const volatile u32 note_mask = 0;  /* where a task has its notes */
const volatile u32 note_shift = 0;
