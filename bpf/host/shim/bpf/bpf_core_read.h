/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stands in for libbpf's header on the host, where nothing is relocated: a plain chain of accesses. */
#pragma once

#define HOST_CHAIN1(s, a) (s)->a
#define HOST_CHAIN2(s, a, b) (s)->a->b
#define HOST_CHAIN3(s, a, b, c) (s)->a->b->c
#define HOST_CHAIN4(s, a, b, c, d) (s)->a->b->c->d
#define HOST_PICK(_1, _2, _3, _4, name, ...) name
#define BPF_CORE_READ(s, ...)                                                                      \
	HOST_PICK(__VA_ARGS__, HOST_CHAIN4, HOST_CHAIN3, HOST_CHAIN2, HOST_CHAIN1)(s, __VA_ARGS__)
#define BPF_CORE_READ_INTO(dst, s, field) __builtin_memcpy(dst, &(s)->field, sizeof((s)->field))
#define bpf_core_read(dst, size, src) __builtin_memcpy(dst, src, size)
#define bpf_core_field_exists(field) true
#define bpf_core_enum_value_exists(type, value) true
#define bpf_core_enum_value(type, value) (value)
