/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stands in for libbpf's header on the host, which is little-endian as every target is. */
#pragma once

#define bpf_ntohs(x) __builtin_bswap16(x)
