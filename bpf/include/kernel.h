/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The few kernel types that the programs touch, as CO-RE sees them: only fields that are read,
 * matched by name against the running kernel's BTF. Not a copy of any kernel header. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef unsigned char u8, __u8;
typedef unsigned short u16, __u16, __be16, __le16;
typedef unsigned int u32, __u32, __be32, __wsum;
typedef unsigned long long u64, __u64, __be64;
typedef signed short __s16;
typedef int s32, __s32;
typedef long long s64, __s64;

/* include/uapi/linux/bpf.h */
enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_SK_STORAGE = 24,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_F_NO_PREALLOC = 1,
	BPF_SK_STORAGE_GET_F_CREATE = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};

#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define RCV_SHUTDOWN 1
#define SHUTDOWN_MASK 3
#define MSG_OOB 0x1
#define MSG_PEEK 0x2
#define MSG_TRUNC 0x20
#define MSG_ERRQUEUE 0x2000
#define S_IFMT 0170000
#define S_IFSOCK 0140000

enum tcp_state {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
	TCP_LISTEN = 10,
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	union {
		u8 u6_addr8[16];
	} in6_u;
};

struct ns_common {
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct sock_common {
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport;
	u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct file;
struct inode;

struct socket {
	short type;
	struct file *file;
	struct sock *sk;
};

struct sk_buff_head {
	u32 qlen;
};

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_receive_queue;
	u8 sk_shutdown;
	u16 sk_type;
	int sk_err;
	struct socket *sk_socket;
};

struct tcp_sock {
	struct sock sk; /* begins it; deeper in the kernel's own */
	u32 write_seq;
	u32 copied_seq;
	u32 rcv_nxt;
};

struct sockaddr_un {
	unsigned short sun_family;
	char sun_path[108];
};

struct unix_address {
	int len;
	struct sockaddr_un name[0];
};

struct unix_sock {
	struct sock sk;
	struct unix_address *addr;
	struct sock *peer;
};

struct inode {
	unsigned short i_mode;
	unsigned long i_ino;
};

struct vfsmount;

struct qstr {
	u64 hash_len;
};

struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct dentry {
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	void *private_data;
};

struct mm_struct {
	struct file *exe_file;
	unsigned long start_stack;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live;
};

struct thread_info {
	u32 status; /* x86 */
};

struct thread_struct {
	unsigned long fsbase; /* x86 */
};

struct task_struct {
	struct thread_info thread_info;
	int pid;
	int tgid;
	struct mm_struct *mm;
	struct files_struct *files;
	struct signal_struct *signal;
	struct thread_struct thread;
};

struct iovec {
	void *iov_base;
	u64 iov_len;
};

struct iov_iter {
	u8 iter_type; /* since 5.14, commit 8cd54c1c8480 */
	u64 iov_offset;
	u64 count;
	const struct iovec *__iov; /* since 6.4, commit de4f5fed3f23 */
	u64 nr_segs;
};

/* before 6.4 */
struct iov_iter___iov {
	const struct iovec *iov;
};

/* before 5.14: the type shares a word with the direction in bit 0 */
struct iov_iter___old {
	unsigned int type;
};

/* Values differ between kernels: always asked from BTF. */
enum iter_type {
	ITER_IOVEC,
	ITER_UBUF,
};

struct msghdr {
	struct iov_iter msg_iter;
};

#if defined(__TARGET_ARCH_x86)
struct pt_regs {
	u64 di;
	u64 si;
	u64 dx;
	u64 r10;
	u64 r14;
	u64 ax;
	u64 orig_ax;
};
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs {
	u64 regs[31];
	u64 pstate;
	u64 orig_x0;
	s32 syscallno;
};
#else
#error "unsupported architecture"
#endif

#pragma clang attribute pop

/* User-space layouts, read with bpf_probe_read_user: ABI, never relocated. 64-bit callers only. */
struct user_msghdr64 {
	u64 name;
	u32 namelen;
	u32 pad;
	u64 iov;
	u64 iovlen;
	u64 control;
	u64 controllen;
	u32 flags;
	u32 pad2;
};

struct user_mmsghdr64 {
	struct user_msghdr64 hdr;
	u32 len;
	u32 pad;
};

struct user_iovec64 {
	u64 base;
	u64 len;
};
