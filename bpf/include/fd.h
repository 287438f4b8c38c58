/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a file descriptor of the current task to what is behind it. */
#pragma once

static __always_inline struct file *file_of_fd(u64 fd)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	const struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **fds = BPF_CORE_READ(fdt, fd), *file = NULL;

	if (fd >= BPF_CORE_READ(fdt, max_fds))
		return NULL;
	if (bpf_probe_read_kernel(&file, sizeof(file), fds + fd) || !file)
		return NULL;
	return (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) == S_IFSOCK ? file : NULL;
}

/* The stream socket behind a descriptor, or NULL. Another thread may have closed and reused the
 * number since the call: then the bytes go to the wrong connection's count, which its parser notices. */
static __always_inline struct sock *sock_of_fd(u64 fd)
{
	const struct file *file = file_of_fd(fd);

	if (!file)
		return NULL;
	const struct socket *sock = BPF_CORE_READ(file, private_data);
	struct sock *sk = BPF_CORE_READ(sock, sk);
	const u16 family = BPF_CORE_READ(sk, __sk_common.skc_family);

	if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
		return NULL;
	return BPF_CORE_READ(sk, sk_type) == SOCK_STREAM ? sk : NULL;
}
