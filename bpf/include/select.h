/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The selection test: exact key, unknown means no, exclusion wins. */
#pragma once

static __always_inline bool verdict_selects(const struct verdict *v)
{
	if (v && v->state == VERDICT_SELECTED)
		return true;
	if (!use_cgroup || (v && v->state == VERDICT_EXCLUDED))
		return false;
	u64 cgroup = bpf_get_current_cgroup_id();

	return bpf_map_lookup_elem(&selected_cgroup, &cgroup) != NULL;
}

static __always_inline const struct verdict *verdict_get(void)
{
	const u32 tgid = bpf_get_current_pid_tgid() >> 32;

	return bpf_map_lookup_elem(&verdict_by_tgid, &tgid);
}

/* Is the current task's process selected? */
static __always_inline bool selected(void)
{
	return verdict_selects(verdict_get());
}
