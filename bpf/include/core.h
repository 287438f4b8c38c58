/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Everything that the backends share, in the order in which it builds on each other. */
#pragma once

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#include "abi.h"
#include "limits.h"
#include "maps.h"
#include "stats.h"
#include "standin.h"
#include "btf.h"
#include "select.h"
#include "head.h"
#include "iov.h"
#include "conn.h"
#include "emit.h"
#include "fd.h"
#include "goroutine.h"
#include "asyncio.h"
#include "bytes.h"
#include "lifecycle.h"
