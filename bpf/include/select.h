/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The selection test: exact key, unknown means no, exclusion wins. */
#pragma once

static __always_inline bool selected(u32 tgid)
{
	const struct verdict *v = bpf_map_lookup_elem(&verdict_by_tgid, &tgid);

	if (v && v->state == VERDICT_SELECTED)
		return true;
	if (!use_cgroup || (v && v->state == VERDICT_EXCLUDED))
		return false;
	u64 cgroup = bpf_get_current_cgroup_id();

	return bpf_map_lookup_elem(&selected_cgroup, &cgroup) != NULL;
}
