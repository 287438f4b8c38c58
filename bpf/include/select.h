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

/* The verdict in force: user space's own, or else the one that its program had before. */
static __always_inline struct verdict *verdict_of(u32 tgid)
{
	struct verdict *v = bpf_map_lookup_elem(&verdict_by_tgid, &tgid);

	if (!recalling || (v && v->state != VERDICT_UNKNOWN))
		return v;
	struct verdict *recalled = bpf_map_lookup_elem(&recalled_by_tgid, &tgid);

	return recalled ? recalled : v;
}

static __always_inline const struct verdict *verdict_get(void)
{
	return verdict_of(bpf_get_current_pid_tgid() >> 32);
}

/* Is the current task's process selected? */
static __always_inline bool selected(void)
{
	return verdict_selects(verdict_get());
}
