#include "server/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

int confine_memory(struct error *err)
{
	static const struct rlimit none = {0, 0};
	if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
		return error_set(err, ERR_IO, "cannot keep the memory out of core files: %s", strerror(errno));
	return 0;
}

#if defined __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#define FOREIGN_CALLS 0x40000000U /* numbers from here on are those of x32 */
#elif defined __AARCH64EL__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#define FOREIGN_CALLS UINT32_MAX
#else
#define UNCONFINED
#endif

#ifdef UNCONFINED

int confine_calls(struct error *err)
{
	return error_set(err, ERR_INVALID, "this build is one for tests, or for a machine that is not known here");
}

#else

/* Calls that the system's headers may be too old for; calls of that age have one number on all machines. */
enum {
	CALL_FCHMODAT2 = 452,
	CALL_SETXATTRAT = 463,
	CALL_REMOVEXATTRAT = 466,
	CALL_OPEN_TREE_ATTR = 467,
	CALL_FILE_SETATTR = 469,
};

/* Calls that are always refused. */
static const uint32_t refused[] = {
	/* programs, and other processes */
	SYS_execve, SYS_execveat, SYS_kill, SYS_pidfd_send_signal, SYS_pidfd_getfd, SYS_ptrace, SYS_process_vm_readv,
	SYS_process_vm_writev, SYS_process_madvise, SYS_kcmp,
	/* the network: what listens has been opened */
	SYS_socket, SYS_socketpair, SYS_connect, SYS_bind, SYS_listen,
	/* files */
	SYS_truncate, SYS_unlinkat, SYS_renameat, SYS_renameat2, SYS_linkat, SYS_symlinkat, SYS_mkdirat, SYS_mknodat,
	SYS_fchmod, SYS_fchmodat, CALL_FCHMODAT2, SYS_fchown, SYS_fchownat, SYS_utimensat, SYS_setxattr, SYS_lsetxattr,
	SYS_fsetxattr, CALL_SETXATTRAT, SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr, CALL_REMOVEXATTRAT,
	CALL_FILE_SETATTR, SYS_memfd_create, SYS_open_by_handle_at,
	/* who it is, and what it sees of the system */
	SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid, SYS_setresgid, SYS_setfsuid, SYS_setfsgid,
	SYS_setgroups, SYS_capset, SYS_personality, SYS_unshare, SYS_setns, SYS_chroot, SYS_pivot_root, SYS_mount,
	SYS_umount2, SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_move_mount, SYS_open_tree,
	CALL_OPEN_TREE_ATTR, SYS_mount_setattr,
	/* the kernel */
	SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_keyctl, SYS_add_key, SYS_request_key,
	SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_kexec_file_load, SYS_reboot,
	SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, SYS_syslog, SYS_sethostname, SYS_setdomainname,
	SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime, SYS_fanotify_init,
#ifdef __x86_64__
	/* older forms of them, which later machines do not have */
	SYS_fork, SYS_vfork, SYS_creat, SYS_unlink, SYS_rename, SYS_link, SYS_symlink, SYS_mkdir, SYS_rmdir, SYS_mknod,
	SYS_chmod, SYS_chown, SYS_lchown, SYS_utime, SYS_utimes, SYS_futimesat, SYS_iopl, SYS_ioperm, SYS_modify_ldt,
#endif
};

/* Calls that are refused when an argument, of which 32 bits count, has one of these bits; or, `unless` it has one. */
static const struct {
	uint32_t call, argument, bits;
	bool unless;
} refused_with[] = {
	{SYS_openat, 2, O_ACCMODE | O_CREAT | O_TRUNC, false},
	{SYS_mmap, 2, PROT_EXEC, false},
	{SYS_mprotect, 2, PROT_EXEC, false},
	{SYS_pkey_mprotect, 2, PROT_EXEC, false},
	{SYS_clone, 0, CLONE_THREAD, true},
#ifdef __x86_64__
	{SYS_open, 1, O_ACCMODE | O_CREAT | O_TRUNC, false},
#endif
};

/* Calls whose arguments a filter cannot see: they seem to be unknown, and the C library uses the older ones. */
static const uint32_t unknown[] = {SYS_clone3, SYS_openat2};

#define COUNT(array) (sizeof(array) / sizeof *(array))

#define STEPS_MAX (6 + 2 * COUNT(unknown) + 2 * COUNT(refused) + 5 * COUNT(refused_with) + 1)

/* A program for the kernel's filter. */
struct filter {
	struct sock_filter steps[STEPS_MAX];
	unsigned short n;
};

/* Appends a step. One that compares goes on behind the next `yes` or `no` steps. */
static void add(struct filter *f, uint16_t code, uint32_t operand, uint8_t yes, uint8_t no)
{
	f->steps[f->n++] = (struct sock_filter){code, yes, no, operand};
}

static void add_load(struct filter *f, size_t offset)
{
	add(f, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void add_answer(struct filter *f, uint32_t answer)
{
	add(f, BPF_RET | BPF_K, answer, 0, 0);
}

static void build(struct filter *f)
{
	const uint32_t no = SECCOMP_RET_ERRNO | EPERM;
	add_load(f, offsetof(struct seccomp_data, arch));
	add(f, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
	add_answer(f, no);
	add_load(f, offsetof(struct seccomp_data, nr));
	add(f, BPF_JMP | BPF_JGE | BPF_K, FOREIGN_CALLS, 0, 1);
	add_answer(f, no);
	for (size_t i = 0; i < COUNT(unknown); i++) {
		add(f, BPF_JMP | BPF_JEQ | BPF_K, unknown[i], 0, 1);
		add_answer(f, SECCOMP_RET_ERRNO | ENOSYS);
	}
	for (size_t i = 0; i < COUNT(refused); i++) {
		add(f, BPF_JMP | BPF_JEQ | BPF_K, refused[i], 0, 1);
		add_answer(f, no);
	}
	for (size_t i = 0; i < COUNT(refused_with); i++) {
		bool unless = refused_with[i].unless;
		add(f, BPF_JMP | BPF_JEQ | BPF_K, refused_with[i].call, 0, 4);
		/* Both machines are little-endian: the 32 bits that count come first. */
		add_load(f, offsetof(struct seccomp_data, args) + refused_with[i].argument * sizeof(uint64_t));
		add(f, BPF_JMP | BPF_JSET | BPF_K, refused_with[i].bits, unless, !unless);
		add_answer(f, no);
		add_answer(f, SECCOMP_RET_ALLOW);
	}
	add_answer(f, SECCOMP_RET_ALLOW);
}

int confine_calls(struct error *err)
{
	struct filter f = {.n = 0};
	build(&f);
	struct sock_fprog program = {.len = f.n, .filter = f.steps};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL) != 0 ||
	    prctl(PR_SET_SECCOMP, (unsigned long)SECCOMP_MODE_FILTER, &program) != 0)
		return error_set(err, ERR_IO, "the kernel takes no filter for system calls: %s", strerror(errno));
	return 0;
}

#endif
