/*
 * A disk that says no: each call to it fails in turn, while certificates are made and renewed. The calls stand here in
 * front of the C library's, and pass on what is not to fail. tests/unit/test_pki_store.c has the rest.
 */
#include "pki/pki.h"

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOW ((time_t)1767225600) /* 2026-01-01 00:00:00 UTC */
#define PATH_SPACE 300
#define CALLS_MAX 100 /* more than one operation makes */

static const char *const all_files[] = {PKI_CA_CERT, PKI_CA_KEY, PKI_TLS_CERT, PKI_TLS_KEY};

static char root[] = "/tmp/test_pki_disk.XXXXXX";
static char dir[PATH_SPACE];

/* ---- the calls ---- */

static int fail_at;          /* number of the call that fails, from 1 on; 0: none */
static int failure = EIO;    /* how it fails */
static int calls;            /* so far */
static const char *last;     /* name of the call that failed */

static bool fails(const char *name)
{
	if (fail_at == 0 || ++calls != fail_at)
		return false;
	last = name;
	errno = failure;
	return true;
}

static int result(long r)
{
	return (int)r;
}

int openat(int at, const char *name, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	return (flags & O_CREAT) != 0 && fails("openat") ? -1 : result(syscall(SYS_openat, at, name, flags, mode));
}

int fchmod(int fd, mode_t mode)
{
	return fails("fchmod") ? -1 : result(syscall(SYS_fchmod, fd, mode));
}

ssize_t write(int fd, const void *bytes, size_t n)
{
	return fails("write") ? -1 : syscall(SYS_write, fd, bytes, n);
}

int fsync(int fd)
{
	return fails("fsync") ? -1 : result(syscall(SYS_fsync, fd));
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
	return fails("linkat") ? -1 : result(syscall(SYS_linkat, from_at, from, to_at, to, flags));
}

int renameat(int from_at, const char *from, int to_at, const char *to)
{
	return fails("renameat") ? -1 : result(syscall(SYS_renameat2, from_at, from, to_at, to, 0));
}

/* ---- helpers ---- */

static const char *path(const char *name)
{
	static char out[PATH_SPACE];
	int n = snprintf(out, sizeof out, "%s/%s", dir, name);
	ck_assert(n > 0 && n < PATH_SPACE);
	return out;
}

static void set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(root));
	int n = snprintf(dir, sizeof dir, "%s/certs", root);
	ck_assert(n > 0 && n < PATH_SPACE);
}

static void remove_dir(void)
{
	for (size_t i = 0; i < 4; i++)
		(void)unlink(path(all_files[i]));
	(void)rmdir(dir);
}

static void tear_down(void)
{
	remove_dir();
	ck_assert_int_eq(rmdir(root), 0);
}

/* How many files there are; 0 for no directory. */
static size_t count_files(void)
{
	size_t count = 0;
	DIR *d = opendir(dir);
	if (d == NULL)
		return 0;
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	ck_assert_int_eq(closedir(d), 0);
	return count;
}

static void take(struct pki_text files[4])
{
	struct error err;
	for (size_t i = 0; i < 4; i++)
		ck_assert_msg(pki_file_read(path(all_files[i]), &files[i], &err) == 0, "%s", err.text);
}

/* Frees both. */
static bool same(struct pki_text *a, struct pki_text *b)
{
	bool equal = a->n == b->n && memcmp(a->p, b->p, a->n) == 0;
	pki_text_dispose(a);
	pki_text_dispose(b);
	return equal;
}

/* Does the pair on disk fit together? */
static bool pair_is_good(void)
{
	struct pki_pair pair = {0};
	struct error err;
	char certificate[PATH_SPACE];
	memcpy(certificate, path(PKI_TLS_CERT), PATH_SPACE);
	int code = pki_load_pair(certificate, path(PKI_TLS_KEY), &pair, &err);
	pki_pair_dispose(&pair);
	return code == 0;
}

static void check_refused(int code, const struct error *err)
{
	ck_assert_msg(code == ERR_IO, "call %d, %s: %d %s", fail_at, last, code, err->text);
	ck_assert_msg(strncmp(err->text, "cannot ", 7) == 0, "%s", err->text);
	ck_assert_msg(strstr(err->text, strerror(failure)) != NULL, "%s", err->text);
}

/* ---- the tests ---- */

START_TEST(an_init_that_fails_leaves_nothing)
{
	struct error err;
	size_t failures = 0;
	for (int n = 1; n < CALLS_MAX; n++, failures++) {
		fail_at = n;
		calls = 0;
		int code = pki_init(dir, NULL, 30, NOW, &err);
		fail_at = 0;
		if (calls < n) {
			ck_assert_msg(code == 0, "%s", err.text);
			break;
		}
		fail_at = n;
		check_refused(code, &err);
		fail_at = 0;
		ck_assert_msg(count_files() == 0, "%zu files after call %d, %s", count_files(), n, last);
	}
	ck_assert_uint_eq(count_files(), 4);
	ck_assert_msg(failures >= 4 * 5, "%zu calls failed", failures); /* each file: made, mode, written, synced, named */
}
END_TEST

START_TEST(a_renewal_that_fails_keeps_the_old_pair)
{
	struct error err;
	size_t failures = 0;
	ck_assert_msg(pki_init(dir, NULL, 30, NOW, &err) == 0, "%s", err.text);
	for (int n = 1; n < CALLS_MAX; n++, failures++) {
		struct pki_text before[4] = {{0}}, after[4] = {{0}};
		take(before);
		fail_at = n;
		calls = 0;
		int code = pki_renew(dir, NULL, 30, NOW + n, &err);
		fail_at = 0;
		take(after);
		size_t kept = 0;
		for (size_t i = 0; i < 4; i++)
			kept += same(&before[i], &after[i]);
		ck_assert_uint_eq(count_files(), 4);
		ck_assert_msg(pair_is_good(), "the pair does not match after call %d, %s", n, last);
		if (calls < n) {
			ck_assert_msg(code == 0 && kept == 2, "%s", err.text);
			break;
		}
		fail_at = n;
		check_refused(code, &err);
		fail_at = 0;
		/* When only the last sync fails, both are new. */
		ck_assert_msg(kept == 4 || (kept == 2 && strcmp(last, "fsync") == 0), "%zu files kept after call %d, %s",
			      kept, n, last);
	}
	ck_assert_msg(failures >= 2 * 5 + 1, "%zu calls failed", failures);
}
END_TEST

/* Between the look at the directory and the new names, somebody else was there. */
START_TEST(a_name_that_is_taken_meanwhile_is_told_as_such)
{
	struct error err;
	failure = EEXIST;
	for (int n = 1; n < CALLS_MAX; n++) {
		fail_at = n;
		calls = 0;
		last = "";
		int code = pki_init(dir, NULL, 30, NOW, &err);
		fail_at = 0;
		if (calls < n)
			break;
		if (strcmp(last, "linkat") == 0) {
			ck_assert_msg(code == ERR_EXISTS && strstr(err.text, "is never overwritten") != NULL, "%d %s", code,
				      err.text);
			ck_assert_uint_eq(count_files(), 0);
		}
	}
	failure = EIO;
}
END_TEST

/* Some file systems cannot sync a directory, and say EINVAL: that is no failure. */
START_TEST(a_directory_that_cannot_be_synced_is_good_enough)
{
	struct error err;
	bool good = false;
	failure = EINVAL;
	for (int n = 1; n < CALLS_MAX && !good; n++) {
		fail_at = n;
		calls = 0;
		last = "";
		int code = pki_init(dir, NULL, 30, NOW, &err);
		fail_at = 0;
		good = code == 0;
	}
	ck_assert_str_eq(last, "fsync");
	ck_assert_uint_eq(count_files(), 4);
	failure = EIO;
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pki_disk");
	TCase *tests = tcase_create("pki_disk");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, an_init_that_fails_leaves_nothing);
	tcase_add_test(tests, a_renewal_that_fails_keeps_the_old_pair);
	tcase_add_test(tests, a_name_that_is_taken_meanwhile_is_told_as_such);
	tcase_add_test(tests, a_directory_that_cannot_be_synced_is_good_enough);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
