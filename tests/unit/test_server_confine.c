/* What a confined process is refused. Each call is made with and without, each time by a process of its own. */
#include "server/confine.h"

#include "unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static char directory[] = "/tmp/connhook-confine-XXXXXX";

/* ---- what an intruder would try; each returns -1 and errno, as a system call does ---- */

static long run_program(void)
{
	char name[] = "true", *arguments[] = {name, NULL};
	return execv("/bin/true", arguments);
}

static long run_program_by_descriptor(void)
{
	char name[] = "true", *arguments[] = {name, NULL};
	int fd = open("/bin/true", O_PATH);
	return fd < 0 ? fd : syscall(SYS_execveat, fd, "", arguments, environ, AT_EMPTY_PATH);
}

static long make_process(void)
{
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	return child < 0 ? -1 : waitpid(child, NULL, 0);
}

static long make_process_newly(void)
{
	struct clone_args arguments = {.exit_signal = SIGCHLD};
	long child = syscall(SYS_clone3, &arguments, sizeof arguments);
	if (child == 0)
		_exit(0);
	return child < 0 ? -1 : waitpid((pid_t)child, NULL, 0);
}

static long be_traced(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
}

static long read_a_process(void)
{
	char from = 'x', to = 0;
	struct iovec source = {&from, 1}, target = {&to, 1};
	return process_vm_readv(getpid(), &target, 1, &source, 1, 0);
}

static long send_signal(void)
{
	return kill(getppid(), 0);
}

static long open_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static long open_local_socket(void)
{
	return socket(AF_UNIX, SOCK_DGRAM, 0);
}

/* A socket from before; whoever set it up. */
static int early_socket;

static const struct sockaddr_in nowhere = {.sin_family = AF_INET, .sin_port = 0x0900};

static long dial_out(void)
{
	return connect(early_socket, (const struct sockaddr *)&nowhere, sizeof nowhere);
}

static long take_port(void)
{
	static const struct sockaddr_in any = {.sin_family = AF_INET};
	return bind(early_socket, (const struct sockaddr *)&any, sizeof any);
}

static long open_for_writing(void)
{
	return open("file", O_WRONLY);
}

static long open_for_both(void)
{
	return open("file", O_RDWR);
}

static long make_file(void)
{
	return open("new", O_RDONLY | O_CREAT, 0600);
}

static long empty_file(void)
{
	return open("file", O_RDONLY | O_TRUNC);
}

static long make_nameless_file(void)
{
	return open(".", O_RDWR | O_TMPFILE, 0600);
}

static long open_newly(void)
{
	static const struct {
		uint64_t flags, mode, resolve;
	} how = {O_WRONLY, 0, 0};
	return syscall(SYS_openat2, AT_FDCWD, "file", &how, sizeof how);
}

static long cut_file(void)
{
	return truncate("file", 0);
}

static long remove_file(void)
{
	return unlink("file");
}

static long rename_file(void)
{
	return rename("file", "other");
}

static long link_file(void)
{
	return link("file", "link");
}

static long link_by_name(void)
{
	return symlink("file", "symlink");
}

static long make_directory(void)
{
	return mkdir("directory", 0700);
}

static long make_pipe_file(void)
{
	return mkfifo("fifo", 0600);
}

static long change_mode(void)
{
	return chmod("file", 0777);
}

static long change_owner(void)
{
	return chown("file", getuid(), getgid());
}

static long change_time(void)
{
	return utimensat(AT_FDCWD, "file", NULL, 0);
}

static long make_memory_file(void)
{
	return memfd_create("code", 0);
}

static long map_code(void)
{
	return mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
}

static long make_code(void)
{
	void *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return page == MAP_FAILED ? 0 : mprotect(page, 1, PROT_READ | PROT_EXEC);
}

static long become_oneself(void)
{
	return setuid(getuid());
}

static long leave_namespaces(void)
{
	return unshare(0);
}

/* Most need a privilege, or a system that has them. With arguments that make no sense, they do nothing. */
static const long foreign[] = {SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_setns, SYS_fsopen, SYS_fsconfig,
	SYS_fsmount, SYS_fspick, SYS_move_mount, SYS_open_tree, SYS_mount_setattr, SYS_setgid, SYS_setreuid, SYS_setregid,
	SYS_setresuid, SYS_setresgid, SYS_setgroups, SYS_capset, SYS_bpf, SYS_perf_event_open, SYS_userfaultfd,
	SYS_io_uring_setup, SYS_keyctl, SYS_add_key, SYS_request_key, SYS_init_module, SYS_finit_module, SYS_delete_module,
	SYS_kexec_load, SYS_kexec_file_load, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl, SYS_sethostname,
	SYS_setdomainname, SYS_settimeofday, SYS_clock_settime, SYS_open_by_handle_at, SYS_fanotify_init, SYS_pidfd_getfd,
	SYS_pidfd_send_signal, SYS_process_vm_writev, SYS_listen, SYS_socketpair, SYS_setxattr, SYS_fsetxattr,
	SYS_removexattr, SYS_fchmod, SYS_fchown, SYS_fchownat, SYS_mknodat, SYS_renameat, SYS_renameat2, SYS_pkey_mprotect,
	SYS_process_madvise, SYS_kcmp, SYS_unlinkat, SYS_linkat, SYS_symlinkat, SYS_mkdirat, SYS_fchmodat, SYS_lsetxattr,
	SYS_lremovexattr, SYS_fremovexattr, SYS_setfsuid, SYS_setfsgid, SYS_personality, SYS_syslog, SYS_adjtimex,
	SYS_clock_adjtime, 452 /* fchmodat2 */, 463 /* setxattrat */, 466 /* removexattrat */, 467 /* open_tree_attr */,
	469 /* file_setattr */,
#ifdef __x86_64__
	SYS_open, SYS_creat, SYS_rmdir, SYS_mknod, SYS_lchown, SYS_utime, SYS_utimes, SYS_futimesat, SYS_iopl, SYS_ioperm,
	SYS_modify_ldt,
#endif
};

/* How many of them are answered otherwise than with EPERM. */
static long call_foreign(void)
{
	long others = 0;
	for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
		if (syscall(foreign[i], -1L, -1L, -1L, -1L, -1L, -1L) != -1 || errno != EPERM)
			others++;
	errno = others > 0 ? EAGAIN : EPERM;
	return -1;
}

/* What only this machine has: old calls, and two ways around a filter that looks at numbers alone. */
#ifdef __x86_64__
static long make_process_as_ever(void)
{
	long child = syscall(SYS_fork);
	if (child == 0)
		_exit(0);
	return child;
}

static long call_as_x32(void)
{
	return syscall(0x40000000 + SYS_socket, AF_INET, SOCK_STREAM, 0);
}

static long call_as_i386(void)
{
	long result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(20 /* getpid */) : "memory", "r8", "r9", "r10", "r11");
	errno = result < 0 ? (int)-result : 0;
	return result < 0 ? -1 : 0;
}
#endif

/* Needs a privilege, or a system that has it: what it says when nothing is confined does not matter. */
#define UNSURE (-1)

/* The call, its errno when confined, and without: 0 for a call that works. */
static const struct probe {
	long (*call)(void);
	int confined, before;
} probes[] = {
	{run_program, EPERM, 0},
	{run_program_by_descriptor, EPERM, 0},
	{make_process, EPERM, 0},
	{make_process_newly, ENOSYS, 0},
	{be_traced, EPERM, 0},
	{read_a_process, EPERM, 0},
	{send_signal, EPERM, 0},
	{open_socket, EPERM, 0},
	{open_local_socket, EPERM, 0},
	{dial_out, EPERM, 0},
	{take_port, EPERM, 0},
	{open_for_writing, EPERM, 0},
	{open_for_both, EPERM, 0},
	{make_file, EPERM, 0},
	{empty_file, EPERM, 0},
	{make_nameless_file, EPERM, UNSURE},
	{open_newly, ENOSYS, 0},
	{cut_file, EPERM, 0},
	{remove_file, EPERM, 0},
	{rename_file, EPERM, 0},
	{link_file, EPERM, 0},
	{link_by_name, EPERM, 0},
	{make_directory, EPERM, 0},
	{make_pipe_file, EPERM, 0},
	{change_mode, EPERM, 0},
	{change_owner, EPERM, 0},
	{change_time, EPERM, 0},
	{make_memory_file, EPERM, 0},
	{map_code, EPERM, 0},
	{make_code, EPERM, 0},
	{become_oneself, EPERM, 0},
	{leave_namespaces, EPERM, 0},
	{call_foreign, EPERM, EAGAIN},
#ifdef __x86_64__
	{make_process_as_ever, EPERM, UNSURE},
	{call_as_x32, EPERM, UNSURE},
	{call_as_i386, EPERM, UNSURE},
#endif
};

/* ---- what a server goes on to do ---- */

static void *nothing(void *argument)
{
	return argument;
}

static long begin_thread(void)
{
	pthread_t thread;
	int code = pthread_create(&thread, NULL, nothing, NULL);
	errno = code;
	return code != 0 || pthread_join(thread, NULL) != 0 ? -1 : 0;
}

static long read_file(void)
{
	return open("file", O_RDONLY | O_CLOEXEC);
}

static long watch_directory(void)
{
	int fd = inotify_init1(IN_CLOEXEC);
	return fd < 0 ? -1 : inotify_add_watch(fd, ".", IN_CLOSE_WRITE);
}

static long send_to_itself(void)
{
	return raise(0);
}

static long take_memory(void)
{
	void *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return page == MAP_FAILED ? -1 : mprotect(page, 1, PROT_READ);
}

/* A second filter stands on top of the first. */
static long confine_again(void)
{
	bool confined = prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	return confined && confine_calls(NULL) == 0 ? 0 : -1;
}

static long (*const allowed[])(void) = {begin_thread, read_file, watch_directory, send_to_itself, take_memory,
	confine_again};

/* ---- both ---- */

static void begin(void)
{
	static const char name[] = "file";
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(chdir(directory), 0);
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(close(fd), 0);
	early_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(early_socket, 0);
}

static void end(void)
{
	static const char *const files[] = {"file", "new", "other", "link", "symlink", "fifo"};
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		(void)unlink(files[i]); /* there is one of them, or another */
	(void)rmdir("directory");
	ck_assert_int_eq(rmdir(directory), 0);
}

/* The errno of a call in a process of its own, 0 when it worked. */
static int outcome(long (*call)(void), bool confined)
{
	int status;
	pid_t child = fork();
	if (child == 0) {
		alarm(30);
		if (confined && confine_calls(NULL) != 0)
			_exit(UINT8_MAX);
		_exit(call() < 0 ? errno : 0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	/* A kernel without calls of i386 ends who tries. */
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV ? EPERM : WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(refuses)
{
	const struct probe *probe = &probes[_i];
	ck_assert_int_eq(outcome(probe->call, true), probe->confined);
	if (probe->before != UNSURE)
		ck_assert_int_eq(outcome(probe->call, false), probe->before);
}
END_TEST

START_TEST(allows)
{
	ck_assert_int_eq(outcome(allowed[_i], true), 0);
}
END_TEST

/* A sanitizer needs some of what is refused. */
START_TEST(is_a_build_for_tests)
{
	struct error err = {.text = ""};
	ck_assert_int_eq(confine_calls(&err), ERR_INVALID);
	ck_assert_str_ne(err.text, "");
}
END_TEST

START_TEST(memory)
{
	struct rlimit core = {1, 1};
	struct error err;
	ck_assert_int_eq(confine_memory(&err), 0);
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_CORE, &core), 0);
	ck_assert_uint_eq(core.rlim_cur, 0);
	ck_assert_uint_eq(core.rlim_max, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("confine");
	TCase *cases = tcase_create("confine");
	tcase_add_checked_fixture(cases, begin, end);
#ifdef UNCONFINED
	tcase_add_test(cases, is_a_build_for_tests);
	(void)refuses, (void)allows;
#else
	(void)is_a_build_for_tests;
	tcase_add_loop_test(cases, refuses, 0, sizeof probes / sizeof *probes);
	tcase_add_loop_test(cases, allows, 0, sizeof allowed / sizeof *allowed);
#endif
	tcase_add_test(cases, memory);
	suite_add_tcase(suite, cases);
	return unit_run(suite);
}
