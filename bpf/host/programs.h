/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One backend's programs, compiled for the host: UNIT is its source. What user space sets before
 * loading is a variable here. */
#pragma once

#include "../include/kernel.h"
#include "../include/limits.h"

static u32 host_request_head = 8192, host_response_head = 2048;
static u32 host_role;
static bool host_use_cgroup, host_use_storage;

#define request_head_bytes host_request_head
#define response_head_bytes host_response_head
#define role host_role
#define note_mask 15
#define note_shift 4
#define use_cgroup host_use_cgroup
#define use_sk_storage host_use_storage

#include UNIT
