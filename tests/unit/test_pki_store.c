/* Certificates on disk: whole or not at all, never over someone's files. */
#include "pki/pki.h"

#include "base/buf.h"
#include "base/limits.h"

#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW ((time_t)1767225600) /* 2026-01-01 00:00:00 UTC */
#define DAY 86400
#define PATH_SPACE 300
#define WRITERS 4
#define RENEWALS 40

static const char *const all_files[] = {PKI_CA_CERT, PKI_CA_KEY, PKI_TLS_CERT, PKI_TLS_KEY};

static char root[] = "/tmp/test_pki_store.XXXXXX";
static char dir[PATH_SPACE]; /* does not exist when a test begins */

/* ---- helpers ---- */

static const char *path_in(const char *directory, const char *name, char out[PATH_SPACE])
{
	int n = snprintf(out, PATH_SPACE, "%s/%s", directory, name);
	ck_assert(n > 0 && n < PATH_SPACE);
	return out;
}

/* A path in `dir`; good until the next but three. */
static const char *path(const char *name)
{
	static char ring[4][PATH_SPACE];
	static unsigned next;
	return path_in(dir, name, ring[next++ % 4]);
}

static void remove_tree(const char *name)
{
	DIR *d = opendir(name);
	if (d == NULL) {
		ck_assert_int_eq(unlink(name), 0);
		return;
	}
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char inner[PATH_SPACE];
		struct stat st;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		path_in(name, e->d_name, inner);
		ck_assert_int_eq(lstat(inner, &st), 0);
		if (S_ISDIR(st.st_mode))
			remove_tree(inner);
		else
			ck_assert_int_eq(unlink(inner), 0);
	}
	ck_assert_int_eq(closedir(d), 0);
	ck_assert_int_eq(rmdir(name), 0);
}

static void set_up(void)
{
	ck_assert_ptr_nonnull(mkdtemp(root));
	path_in(root, "certs", dir);
}

static void tear_down(void)
{
	remove_tree(root);
}

static size_t count_entries(const char *name)
{
	size_t count = 0;
	DIR *d = opendir(name);
	ck_assert_ptr_nonnull(d);
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		count += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	ck_assert_int_eq(closedir(d), 0);
	return count;
}

static bool exists(const char *name)
{
	struct stat st;
	return lstat(name, &st) == 0;
}

static void write_file(const char *name, struct str text)
{
	FILE *f = fopen(name, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(text.p, 1, text.n, f), text.n);
	ck_assert_int_eq(fclose(f), 0);
}

static struct pki_text read_file(const char *name)
{
	struct pki_text text = {0};
	struct error err;
	ck_assert_msg(pki_file_read(name, &text, &err) == 0, "%s", err.text);
	return text;
}

static struct str str_of_text(const struct pki_text *text)
{
	return (struct str){text->p, text->n};
}

/* The bytes of all four files, to see that nothing has changed. */
struct snapshot {
	struct pki_text files[4];
};

static struct snapshot take(void)
{
	struct snapshot s;
	for (size_t i = 0; i < 4; i++)
		s.files[i] = read_file(path(all_files[i]));
	return s;
}

/* Which of ca.crt, ca.key, tls.crt, tls.key differ from the snapshot: "c" changed, "-" the same. Frees it. */
static void check_changed(struct snapshot *s, const char *expected)
{
	char got[] = "----";
	for (size_t i = 0; i < 4; i++) {
		struct pki_text now = read_file(path(all_files[i]));
		if (!str_eq(str_of_text(&now), str_of_text(&s->files[i])))
			got[i] = 'c';
		pki_text_dispose(&now);
		pki_text_dispose(&s->files[i]);
	}
	ck_assert_str_eq(got, expected);
	ck_assert_uint_eq(count_entries(dir), 4);
}

static void init_at(time_t now)
{
	struct error err;
	ck_assert_msg(pki_init(dir, NULL, 30, now, &err) == 0, "%s", err.text);
}

static void check_modes(void)
{
	for (size_t i = 0; i < 4; i++) {
		struct stat st;
		ck_assert_int_eq(lstat(path(all_files[i]), &st), 0);
		ck_assert(S_ISREG(st.st_mode) && st.st_nlink == 1);
		unsigned expected = strstr(all_files[i], ".key") ? 0600 : 0644;
		ck_assert_msg((st.st_mode & 07777) == expected, "%s has mode %o", all_files[i], st.st_mode & 07777);
	}
}

/* ca and tls pairs match, and tls is signed by ca. */
static void check_good(time_t now)
{
	struct pki_source sources[4];
	struct pki_text texts[4];
	struct pki_report report;
	struct error err;
	for (size_t i = 0; i < 4; i++) {
		texts[i] = read_file(path(all_files[i]));
		sources[i] = (struct pki_source){all_files[i], str_of_text(&texts[i])};
	}
	ck_assert_msg(pki_inspect(sources, 4, now, &report, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(report.finding_count, 3);
	for (size_t i = 0; i < report.finding_count; i++)
		ck_assert_msg(report.findings[i].good, "%.*s", STR_ARG(report.findings[i].text));
	pki_report_dispose(&report);
	for (size_t i = 0; i < 4; i++)
		pki_text_dispose(&texts[i]);
}

/* The names in tls.crt, joined with spaces. */
static void check_names(const char *expected)
{
	struct pki_text text = read_file(path(PKI_TLS_CERT));
	struct pki_source source = {"tls.crt", str_of_text(&text)};
	struct pki_report report;
	struct error err;
	ck_assert_int_eq(pki_inspect(&source, 1, NOW, &report, &err), 0);
	const struct pki_names *names = &report.files[0].certificates[0].names;
	char got[PATH_SPACE] = "";
	size_t n = 0;
	for (size_t i = 0; i < names->dns_count + names->ip_count; i++) {
		struct str name = i < names->dns_count ? names->dns[i] : names->ips[i - names->dns_count];
		int more = snprintf(got + n, sizeof got - n, "%s%.*s", i ? " " : "", STR_ARG(name));
		ck_assert(more > 0 && (size_t)more < sizeof got - n);
		n += (size_t)more;
	}
	ck_assert_str_eq(got, expected);
	pki_report_dispose(&report);
	pki_text_dispose(&text);
}

static void check_sentence(int got, int code, const struct error *err, const char *part)
{
	ck_assert_msg(got == code && strstr(err->text, part) != NULL, "expected %d and \"%s\", got %d: %s", code, part, got,
		got ? err->text : "success");
}

#define DEFAULT_NAMES "localhost connhook connhook.connhook.svc connhook.connhook.svc.cluster.local 127.0.0.1 ::1"

/* ---- init ---- */

START_TEST(init_makes_four_good_files)
{
	mode_t old = umask(0022);
	init_at(NOW);
	check_modes();
	check_good(NOW);
	check_names(DEFAULT_NAMES);
	ck_assert_uint_eq(count_entries(dir), 4);
	struct stat st;
	ck_assert_int_eq(stat(dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0755);
	umask(old);
}
END_TEST

START_TEST(modes_do_not_depend_on_the_umask)
{
	ck_assert_int_eq(mkdir(dir, 0755), 0);
	umask(0);
	init_at(NOW);
	check_modes();
	struct error err;
	umask(0077);
	ck_assert_int_eq(pki_renew(dir, NULL, 30, NOW, &err), 0);
	check_modes();
}
END_TEST

START_TEST(init_never_overwrites)
{
	struct error err;
	for (size_t i = 0; i < 4; i++) {
		ck_assert_int_eq(mkdir(dir, 0755), 0);
		write_file(path(all_files[i]), STR("precious"));
		check_sentence(pki_init(dir, NULL, 30, NOW, &err), ERR_EXISTS, &err, all_files[i]);
		ck_assert_uint_eq(count_entries(dir), 1);
		struct pki_text text = read_file(path(all_files[i]));
		ck_assert_str_eq(text.p, "precious");
		pki_text_dispose(&text);
		remove_tree(dir);

		ck_assert_int_eq(mkdir(dir, 0755), 0);
		ck_assert_int_eq(symlink("nowhere", path(all_files[i])), 0);
		check_sentence(pki_init(dir, NULL, 30, NOW, &err), ERR_EXISTS, &err, all_files[i]);
		ck_assert_uint_eq(count_entries(dir), 1);
		ck_assert(!exists(path("nowhere")));
		remove_tree(dir);
	}
}
END_TEST

START_TEST(a_second_init_changes_nothing)
{
	init_at(NOW);
	struct snapshot before = take();
	struct error err;
	check_sentence(pki_init(dir, NULL, 30, NOW, &err), ERR_EXISTS, &err, "connhook certs renew --out");
	check_changed(&before, "----");
}
END_TEST

START_TEST(init_refuses_before_it_touches_the_disk)
{
	struct error err;
	const struct str bad[] = {STR("not a name")};
	const struct pki_names names = {.dns = bad, .dns_count = 1};
	check_sentence(pki_init(dir, &names, 30, NOW, &err), ERR_INVALID, &err, "not a DNS name");
	check_sentence(pki_init(dir, NULL, 0, NOW, &err), ERR_INVALID, &err, "1 to 3650");
	ck_assert(!exists(dir));
}
END_TEST

START_TEST(init_needs_a_directory)
{
	char deep[PATH_SPACE];
	struct error err;
	check_sentence(pki_init(path_in(dir, "deep", deep), NULL, 30, NOW, &err), ERR_IO, &err,
		"cannot create the directory");
	write_file(dir, STR("a file"));
	check_sentence(pki_init(dir, NULL, 30, NOW, &err), ERR_IO, &err, "cannot open the directory");
}
END_TEST

static int do_init(struct error *err)
{
	return pki_init(dir, NULL, 30, NOW, err);
}

static int do_renew(struct error *err)
{
	return pki_renew(dir, NULL, 30, NOW, err);
}

static int do_ensure(struct error *err)
{
	enum pki_ensured done;
	return pki_ensure(dir, NULL, 30, NOW, &done, err);
}

/*
 * Calls where no file may grow past `limit` bytes, as on a disk that is full, and expects ERR_IO. In a process of its
 * own: Check writes to a file as well.
 */
static void check_full_disk(rlim_t limit, int (*call)(struct error *))
{
	pid_t child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		struct error err;
		if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &(struct rlimit){limit, limit}) != 0)
			_exit(2);
		_exit(call(&err) == ERR_IO && strstr(err.text, "cannot write") != NULL ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "with %lu bytes: status %d",
		(unsigned long)limit, status);
}

/* Keys have 241 bytes, ca.crt some 560, tls.crt some 780: each limit stops at another file. */
START_TEST(a_full_disk_leaves_nothing)
{
	static const rlim_t limits[] = {0, 100, 300, 600};
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		check_full_disk(limits[i], do_init);
		ck_assert(!exists(dir));
		check_full_disk(limits[i], do_ensure);
		ck_assert(!exists(dir));
	}
	init_at(NOW);
	for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		struct snapshot before = take();
		check_full_disk(limits[i], do_renew);
		check_changed(&before, "----");
	}
}
END_TEST

/* However they interleave: one wins, the others say that the files exist, and the files fit together. */
START_TEST(of_several_inits_one_wins)
{
	ck_assert_int_eq(mkdir(dir, 0755), 0);
	pid_t children[WRITERS];
	for (size_t i = 0; i < WRITERS; i++) {
		children[i] = fork();
		ck_assert_int_ge(children[i], 0);
		if (children[i] == 0) {
			struct error err;
			int code = pki_init(dir, NULL, 30, NOW, &err);
			_exit(code == 0 ? 0 : code == ERR_EXISTS ? 1 : 2);
		}
	}
	int winners = 0;
	for (size_t i = 0; i < WRITERS; i++) {
		int status;
		ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
		ck_assert(WIFEXITED(status) && WEXITSTATUS(status) <= 1);
		winners += WEXITSTATUS(status) == 0;
	}
	ck_assert_int_eq(winners, 1);
	ck_assert_uint_eq(count_entries(dir), 4);
	check_good(NOW);
}
END_TEST

/* ---- renew ---- */

START_TEST(renew_keeps_ca_and_names)
{
	const struct str dns[] = {STR("a.example"), STR("*.b.example")}, ips[] = {STR("10.0.0.1"), STR("fd00::7")};
	const struct pki_names names = {dns, 2, ips, 2};
	struct error err;
	ck_assert_int_eq(pki_init(dir, &names, 30, NOW, &err), 0);
	struct snapshot before = take();
	ck_assert_msg(pki_renew(dir, NULL, 30, NOW + DAY, &err) == 0, "%s", err.text);
	check_changed(&before, "--cc");
	check_names("a.example *.b.example 10.0.0.1 fd00::7");
	check_good(NOW + DAY);
	check_modes();
}
END_TEST

START_TEST(renew_takes_other_names)
{
	const struct str dns[] = {STR("new.example")};
	const struct pki_names names = {.dns = dns, .dns_count = 1};
	struct error err;
	init_at(NOW);
	struct snapshot before = take();
	ck_assert_int_eq(pki_renew(dir, &names, 90, NOW, &err), 0);
	check_changed(&before, "--cc");
	check_names("new.example");
	struct pki_pair pair = {0};
	char key[PATH_SPACE];
	ck_assert_int_eq(pki_load_pair(path(PKI_TLS_CERT), path_in(dir, PKI_TLS_KEY, key), &pair, &err), 0);
	ck_assert_int_eq(pair.not_after, NOW + 90 * DAY);
	pki_pair_dispose(&pair);
}
END_TEST

START_TEST(renew_works_after_the_end)
{
	struct error err;
	init_at(NOW);
	ck_assert_int_eq(pki_renew(dir, NULL, 30, NOW + 100 * DAY, &err), 0);
	check_good(NOW + 100 * DAY);
}
END_TEST

START_TEST(renew_needs_its_ca)
{
	struct error err;
	struct pki_pair other = {0};
	ck_assert_int_eq(pki_make_ca(NOW, &other, &err), 0);
	init_at(NOW);
	struct pki_text key = read_file(path(PKI_CA_KEY));

	ck_assert_int_eq(unlink(path(PKI_CA_KEY)), 0);
	check_sentence(pki_renew(dir, NULL, 30, NOW, &err), ERR_INVALID, &err, "ca.key is missing");
	write_file(path(PKI_CA_KEY), str_of_text(&other.key));
	struct snapshot before = take();
	check_sentence(pki_renew(dir, NULL, 30, NOW, &err), ERR_INVALID, &err, "ca.key is not the key of");
	check_changed(&before, "----");
	write_file(path(PKI_CA_KEY), str_of_text(&key));
	before = take();
	check_sentence(pki_renew(dir, NULL, 30, NOW + 4000 * (time_t)DAY, &err), ERR_INVALID, &err, "expired");
	check_sentence(pki_renew(dir, NULL, 4000, NOW, &err), ERR_INVALID, &err, "1 to 3650");
	check_changed(&before, "----");
	pki_text_dispose(&key);
	pki_pair_dispose(&other);
	check_sentence(pki_renew(root, NULL, 30, NOW, &err), ERR_INVALID, &err, "ca.crt is missing");
	remove_tree(dir);
	check_sentence(pki_renew(dir, NULL, 30, NOW, &err), ERR_IO, &err, "cannot open the directory");
}
END_TEST

START_TEST(renew_without_an_old_certificate_needs_names)
{
	struct error err;
	init_at(NOW);
	ck_assert_int_eq(unlink(path(PKI_TLS_CERT)), 0);
	check_sentence(pki_renew(dir, NULL, 30, NOW, &err), ERR_INVALID, &err, "give --dns or --ip");
	write_file(path(PKI_TLS_CERT), STR("junk"));
	check_sentence(pki_renew(dir, NULL, 30, NOW, &err), ERR_INVALID, &err, "no PEM block");
	ck_assert_int_eq(pki_renew(dir, &pki_default_names, 30, NOW, &err), 0);
	check_good(NOW);
	ck_assert_int_eq(unlink(path(PKI_TLS_CERT)), 0);
	ck_assert_int_eq(unlink(path(PKI_TLS_KEY)), 0);
	ck_assert_int_eq(pki_renew(dir, &pki_default_names, 30, NOW, &err), 0);
	check_good(NOW);
	ck_assert_uint_eq(count_entries(dir), 4);
}
END_TEST

/* The link stays, and so does what it points to. */
START_TEST(renew_does_not_replace_links)
{
	struct error err;
	init_at(NOW);
	ck_assert_int_eq(rename(path(PKI_TLS_KEY), path("real.key")), 0);
	ck_assert_int_eq(symlink("real.key", path(PKI_TLS_KEY)), 0);
	check_sentence(pki_renew(dir, NULL, 30, NOW, &err), ERR_INVALID, &err, "tls.key is not a plain file");
	struct stat st;
	ck_assert_int_eq(lstat(path(PKI_TLS_KEY), &st), 0);
	ck_assert(S_ISLNK(st.st_mode));
	ck_assert_uint_eq(count_entries(dir), 5);
	check_good(NOW);
}
END_TEST

/* A reader finds complete files at all times; at worst the two do not match, for the blink between two renames. */
START_TEST(a_reader_never_sees_half_a_file)
{
	init_at(NOW);
	pid_t writer = fork();
	ck_assert_int_ge(writer, 0);
	if (writer == 0) {
		struct error err;
		int code = 0;
		for (int i = 0; i < RENEWALS && code == 0; i++)
			code = pki_renew(dir, NULL, 30, NOW, &err);
		_exit(code == 0 ? 0 : 1);
	}
	int status = 0, reads = 0;
	do {
		struct pki_pair pair = {0};
		struct error err;
		int code = pki_load_pair(path(PKI_TLS_CERT), path(PKI_TLS_KEY), &pair, &err);
		bool between = code == ERR_INVALID && strstr(err.text, "is not the key of") != NULL;
		ck_assert_msg(code == 0 || between, "%s", err.text);
		pki_pair_dispose(&pair);
		reads++;
	} while (waitpid(writer, &status, WNOHANG) == 0);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ck_assert_int_gt(reads, 1);
	check_good(NOW);
	ck_assert_uint_eq(count_entries(dir), 4);
}
END_TEST

/* ---- load ---- */

START_TEST(loading_gives_the_bytes_and_the_dates)
{
	init_at(NOW);
	struct pki_pair pair = {0};
	struct error err;
	ck_assert_int_eq(pki_load_pair(path(PKI_TLS_CERT), path(PKI_TLS_KEY), &pair, &err), 0);
	struct pki_text crt = read_file(path(PKI_TLS_CERT)), key = read_file(path(PKI_TLS_KEY));
	ck_assert(str_eq(str_of_text(&crt), str_of_text(&pair.certificate)));
	ck_assert(str_eq(str_of_text(&key), str_of_text(&pair.key)));
	ck_assert(pair.certificate.p[pair.certificate.n] == '\0' && pair.key.p[pair.key.n] == '\0');
	ck_assert_int_eq(pair.not_before, NOW - 300);
	ck_assert_int_eq(pair.not_after, NOW + 30 * DAY);
	pki_text_dispose(&crt);
	pki_text_dispose(&key);
	pki_pair_dispose(&pair);
}
END_TEST

/* As the kubelet mounts a Secret: links through ..data to the directory of a version. */
START_TEST(loading_follows_links)
{
	init_at(NOW);
	ck_assert_int_eq(symlink("certs", path_in(root, "..data", (char[PATH_SPACE]){0})), 0);
	char crt[PATH_SPACE], key[PATH_SPACE];
	ck_assert_int_eq(symlink("..data/tls.crt", path_in(root, "tls.crt", crt)), 0);
	ck_assert_int_eq(symlink("..data/tls.key", path_in(root, "tls.key", key)), 0);
	struct pki_pair pair = {0};
	struct error err;
	ck_assert_int_eq(pki_load_pair(crt, key, &pair, &err), 0);
	pki_pair_dispose(&pair);
}
END_TEST

START_TEST(loading_says_what_is_wrong)
{
	init_at(NOW);
	struct error err;
	struct pki_pair pair = {.not_after = 42};
	const char *crt = path(PKI_TLS_CERT), *key = path(PKI_TLS_KEY);
	char other[PATH_SPACE];
	path_in(root, "other", other);
	check_sentence(pki_load_pair(other, key, &pair, &err), ERR_IO, &err, "cannot open");
	check_sentence(pki_load_pair(crt, other, &pair, &err), ERR_IO, &err, "other: No such file");
	check_sentence(pki_load_pair(dir, key, &pair, &err), ERR_IO, &err, "cannot read");
	check_sentence(pki_load_pair(key, crt, &pair, &err), ERR_INVALID, &err, "swapped");
	check_sentence(pki_load_pair("/dev/zero", key, &pair, &err), ERR_IO, &err, "a device, not a regular file");
	write_file(other, STR(""));
	check_sentence(pki_load_pair(other, key, &pair, &err), ERR_INVALID, &err, "other is empty");
	ck_assert_int_eq(truncate(other, LIMIT_PEM + 1), 0);
	check_sentence(pki_load_pair(other, key, &pair, &err), ERR_LIMIT, &err, "larger than");
	ck_assert_int_eq(unlink(other), 0);
	check_sentence(pki_load_pair(crt, path(PKI_CA_KEY), &pair, &err), ERR_INVALID, &err, "ca.key is not the key of");
	ck_assert(pair.certificate.p == NULL && pair.key.p == NULL && pair.not_after == 42);
}
END_TEST

START_TEST(authorities_are_cas_and_nothing_else)
{
	struct pki_pair young, old;
	struct pki_authorities got = {0};
	struct error err;
	ck_assert_int_eq(pki_make_ca(NOW, &young, &err), 0);
	ck_assert_int_eq(pki_make_ca(NOW - 100 * DAY, &old, &err), 0);
	ck_assert_int_eq(pki_init(dir, NULL, 30, NOW, &err), 0);

	const char *file = path("both.crt");
	struct buf both;
	buf_init(&both, LIMIT_PEM);
	buf_addz(&both, "a comment\n");
	buf_add(&both, str_of_text(&young.certificate));
	buf_add(&both, str_of_text(&old.certificate));
	write_file(file, buf_str(&both));
	ck_assert_msg(pki_load_authorities(file, &got, &err) == 0, "%s", err.text);
	ck_assert(str_eq(str_of_text(&got.certificates), buf_str(&both)));
	ck_assert_int_eq(got.not_before, old.not_before);
	ck_assert_int_eq(got.not_after, old.not_after);
	pki_authorities_dispose(&got);
	pki_authorities_dispose(&got);
	pki_authorities_dispose(NULL);

	static const struct {
		const char *file, *part;
	} wrong[] = {
		{PKI_TLS_CERT, "certificate 1 (CN=connhook) is not that of a CA"},
		{PKI_CA_KEY, "holds a private key"},
		{"missing", "cannot open"},
		{"empty", "is empty"},
	};
	write_file(path("empty"), STR(""));
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		got.not_after = 77;
		ck_assert_int_lt(pki_load_authorities(path(wrong[i].file), &got, &err), 0);
		ck_assert_int_eq(got.not_after, 77);
		ck_assert_msg(strstr(err.text, wrong[i].part) != NULL && strstr(err.text, wrong[i].file) != NULL, "%s",
			      err.text);
	}
	buf_free(&both);
	pki_pair_dispose(&young);
	pki_pair_dispose(&old);
}
END_TEST

START_TEST(a_file_may_be_exactly_as_large_as_the_limit)
{
	char *text = malloc(LIMIT_PEM + 1);
	ck_assert_ptr_nonnull(text);
	memset(text, '\n', LIMIT_PEM + 1);
	write_file(dir, (struct str){text, LIMIT_PEM});
	struct pki_text read = read_file(dir);
	ck_assert_uint_eq(read.n, LIMIT_PEM);
	pki_text_dispose(&read);
	write_file(dir, (struct str){text, LIMIT_PEM + 1});
	struct error err;
	check_sentence(pki_file_read(dir, &read, &err), ERR_LIMIT, &err, "larger than 1048576 bytes");
	free(text);
}
END_TEST

/* ---- ensure ---- */

static void check_ensured(time_t now, enum pki_ensured expected)
{
	struct error err;
	enum pki_ensured done;
	int code = pki_ensure(dir, NULL, 30, now, &done, &err);
	ck_assert_msg(code == 0, "%s", err.text);
	ck_assert_int_eq(done, expected);
	check_good(now);
	check_modes();
}

static void check_not_ensured(time_t now, const char *part)
{
	struct error err;
	enum pki_ensured done = (enum pki_ensured)42;
	check_sentence(pki_ensure(dir, NULL, 30, now, &done, &err), ERR_INVALID, &err, part);
	ck_assert_int_eq((int)done, 42);
}

START_TEST(ensure_makes_then_keeps)
{
	check_ensured(NOW, PKI_MADE);
	check_names(DEFAULT_NAMES);
	struct snapshot before = take();
	check_ensured(NOW + 30 * DAY, PKI_KEPT);
	check_changed(&before, "----");
	remove_tree(dir);
	ck_assert_int_eq(mkdir(dir, 0700), 0);
	check_ensured(NOW, PKI_MADE);
}
END_TEST

START_TEST(ensure_renews_what_has_expired)
{
	const struct str dns[] = {STR("a.example")};
	const struct pki_names names = {.dns = dns, .dns_count = 1};
	struct error err;
	ck_assert_int_eq(pki_init(dir, &names, 30, NOW, &err), 0);
	struct snapshot before = take();
	check_ensured(NOW + 30 * DAY + 1, PKI_RENEWED);
	check_changed(&before, "--cc");
	check_names("a.example");
}
END_TEST

START_TEST(ensure_completes_a_ca)
{
	init_at(NOW);
	ck_assert_int_eq(unlink(path(PKI_TLS_CERT)), 0);
	ck_assert_int_eq(unlink(path(PKI_TLS_KEY)), 0);
	check_ensured(NOW, PKI_RENEWED);
	check_names(DEFAULT_NAMES);
}
END_TEST

START_TEST(ensure_leaves_the_rest_to_a_person)
{
	struct error err;
	struct pki_pair other = {0}, foreign = {0};
	ck_assert_int_eq(pki_make_ca(NOW, &other, &err), 0);
	ck_assert_int_eq(pki_make_serving(&other, &pki_default_names, 30, NOW, &foreign, &err), 0);
	init_at(NOW);
	struct pki_text ca_key = read_file(path(PKI_CA_KEY)), tls_key = read_file(path(PKI_TLS_KEY));
	struct snapshot before = take();
	check_not_ensured(NOW + 4000 * (time_t)DAY, "ca.crt expired");
	check_not_ensured(NOW - DAY, "not valid before");
	check_changed(&before, "----");

	write_file(path(PKI_TLS_KEY), str_of_text(&foreign.key));
	before = take();
	check_not_ensured(NOW, "tls.key is not the key of");
	check_not_ensured(NOW + 31 * DAY, "tls.key is not the key of");
	check_changed(&before, "----");
	write_file(path(PKI_TLS_CERT), str_of_text(&foreign.certificate));
	before = take();
	check_not_ensured(NOW, "is not signed by the ca.crt beside it");
	check_not_ensured(NOW + 31 * DAY, "is not signed by the ca.crt beside it");
	check_changed(&before, "----");

	write_file(path(PKI_TLS_KEY), str_of_text(&tls_key));
	ck_assert_int_eq(unlink(path(PKI_CA_KEY)), 0);
	check_not_ensured(NOW, "ca.key is missing");
	ck_assert_int_eq(symlink("nowhere", path(PKI_CA_KEY)), 0);
	enum pki_ensured done;
	check_sentence(pki_ensure(dir, NULL, 30, NOW, &done, &err), ERR_IO, &err, "cannot open");
	ck_assert_uint_eq(count_entries(dir), 4);
	pki_text_dispose(&ca_key);
	pki_text_dispose(&tls_key);
	pki_pair_dispose(&other);
	pki_pair_dispose(&foreign);
}
END_TEST

START_TEST(ensure_refuses_before_it_touches_the_disk)
{
	struct error err;
	enum pki_ensured done;
	check_sentence(pki_ensure(dir, NULL, 0, NOW, &done, &err), ERR_INVALID, &err, "1 to 3650");
	ck_assert(!exists(dir));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pki_store");
	TCase *tests = tcase_create("pki_store");
	tcase_add_checked_fixture(tests, set_up, tear_down);
	tcase_set_timeout(tests, 60);
	tcase_add_test(tests, init_makes_four_good_files);
	tcase_add_test(tests, modes_do_not_depend_on_the_umask);
	tcase_add_test(tests, init_never_overwrites);
	tcase_add_test(tests, a_second_init_changes_nothing);
	tcase_add_test(tests, init_refuses_before_it_touches_the_disk);
	tcase_add_test(tests, init_needs_a_directory);
	tcase_add_test(tests, a_full_disk_leaves_nothing);
	tcase_add_test(tests, of_several_inits_one_wins);
	tcase_add_test(tests, renew_keeps_ca_and_names);
	tcase_add_test(tests, renew_takes_other_names);
	tcase_add_test(tests, renew_works_after_the_end);
	tcase_add_test(tests, renew_needs_its_ca);
	tcase_add_test(tests, renew_without_an_old_certificate_needs_names);
	tcase_add_test(tests, renew_does_not_replace_links);
	tcase_add_test(tests, a_reader_never_sees_half_a_file);
	tcase_add_test(tests, loading_gives_the_bytes_and_the_dates);
	tcase_add_test(tests, loading_follows_links);
	tcase_add_test(tests, loading_says_what_is_wrong);
	tcase_add_test(tests, authorities_are_cas_and_nothing_else);
	tcase_add_test(tests, a_file_may_be_exactly_as_large_as_the_limit);
	tcase_add_test(tests, ensure_makes_then_keeps);
	tcase_add_test(tests, ensure_renews_what_has_expired);
	tcase_add_test(tests, ensure_completes_a_ca);
	tcase_add_test(tests, ensure_leaves_the_rest_to_a_person);
	tcase_add_test(tests, ensure_refuses_before_it_touches_the_disk);
	suite_add_tcase(suite, tests);
	return unit_run(suite);
}
