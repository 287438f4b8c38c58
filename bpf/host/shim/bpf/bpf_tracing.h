/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Stands in for libbpf's header on the host: a program is a function of its arguments. */
#pragma once

#define BPF_PROG(name, ...) name(__VA_ARGS__)
