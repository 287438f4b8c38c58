/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The compiler describes only types that something has. No map or variable has these, and a Go
 * test must find them in every object to compare them with its own. */
#pragma once

const volatile union {
	struct ev_open open;
	struct ev_eof eof;
	struct ev_proc proc;
	struct ev_listen listen;
	enum ev_kind kind;
	enum ev_dir dir;
	enum ev_data_flags data_flags;
	enum ev_proc_op proc_op;
	enum ev_conn_flags conn_flags;
	enum verdict_state verdict_state;
	enum stat stat;
} abi_types = {};
