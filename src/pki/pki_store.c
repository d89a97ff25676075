/* A directory of certificates on disk: made whole or not at all. */
#include "pki/pki_internal.h"

#include <openssl/err.h>
#include <openssl/rand.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_MODE 0600
#define CERTIFICATE_MODE 0644
#define DIRECTORY_MODE 0755
#define TEMPORARY_MAX 40 /* ".tls.key.0123456789abcdef" */
#define SHOWN_MAX 512    /* a path in a sentence; longer ones are cut */

static const char *const file_names[] = {PKI_CA_KEY, PKI_CA_CERT, PKI_TLS_KEY, PKI_TLS_CERT};
#define FILE_COUNT (sizeof file_names / sizeof file_names[0])

/* A file on its way: written under a temporary name, then given its own. */
struct draft {
	const char *name;
	mode_t mode;
	const struct pki_text *text;
	char temporary[TEMPORARY_MAX]; /* "" when there is none */
	bool published;
};

/* "DIR/NAME" for a sentence. */
static const char *shown(const char *dir, const char *name, char out[SHOWN_MAX])
{
	size_t n = strlen(dir);
	if (snprintf(out, SHOWN_MAX, "%s%s%s", dir, n > 0 && dir[n - 1] == '/' ? "" : "/", name) < 0)
		out[0] = '\0';
	return out;
}

/* ---- writing ---- */

static bool temporary_name(const char *name, char out[TEMPORARY_MAX])
{
	unsigned long long number;
	if (RAND_bytes((unsigned char *)&number, sizeof number) != 1)
		return false;
	int n = snprintf(out, TEMPORARY_MAX, ".%s.%016llx", name, number);
	return n > 0 && n < TEMPORARY_MAX;
}

static bool write_all(int fd, const struct pki_text *text)
{
	size_t n = 0;
	while (n < text->n) {
		ssize_t put = write(fd, text->p + n, text->n - n);
		if (put < 0 && errno != EINTR)
			return false;
		if (put > 0)
			n += (size_t)put;
	}
	return true;
}

/* Writes the draft under its temporary name, complete and on disk. Its directory entry is for draft_remove. */
static int draft_write(int dir, const char *dir_name, struct draft *d, struct error *err)
{
	char temporary[TEMPORARY_MAX], path[SHOWN_MAX];
	if (!temporary_name(d->name, temporary))
		return pki_crypto_fail(err, "no random bytes");
	int fd = openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, d->mode);
	if (fd < 0)
		return error_set(err, ERR_IO, "cannot create a file in %s: %s", dir_name, strerror(errno));
	memcpy(d->temporary, temporary, sizeof temporary);
	bool good = fchmod(fd, d->mode) == 0 && write_all(fd, d->text) && fsync(fd) == 0;
	int number = errno;
	if (close(fd) != 0 && good) {
		good = false;
		number = errno;
	}
	return good ? 0 : error_set(err, ERR_IO, "cannot write %s: %s", shown(dir_name, d->name, path), strerror(number));
}

/* Nothing more can be done about a temporary file that cannot be removed. */
static void draft_remove(int dir, struct draft *d)
{
	if (d->temporary[0] != '\0')
		(void)unlinkat(dir, d->temporary, 0);
	d->temporary[0] = '\0';
}

static int drafts_write(int dir, const char *dir_name, struct draft *drafts, size_t count, struct error *err)
{
	int code = 0;
	for (size_t i = 0; i < count && code == 0; i++)
		code = draft_write(dir, dir_name, &drafts[i], err);
	return code;
}

static int fail_exists(const char *dir_name, const char *name, struct error *err)
{
	char path[SHOWN_MAX];
	return error_set(err, ERR_EXISTS, "%s exists and is never overwritten: choose another directory, or renew the "
		"serving certificate with 'connhook certs renew --out %s'", shown(dir_name, name, path), dir_name);
}

/* Puts the names on disk. Some file systems cannot, and say EINVAL. */
static int sync_dir(int dir, const char *dir_name, struct error *err)
{
	if (fsync(dir) == 0 || errno == EINVAL)
		return 0;
	return error_set(err, ERR_IO, "cannot write the directory %s: %s", dir_name, strerror(errno));
}

/* Gives all drafts their names; a name that is taken stays as it is, and those given before are taken back. */
static int publish_new(int dir, const char *dir_name, struct draft *drafts, size_t count, struct error *err)
{
	int code = 0;
	for (size_t i = 0; i < count && code == 0; i++) {
		char path[SHOWN_MAX];
		drafts[i].published = linkat(dir, drafts[i].temporary, dir, drafts[i].name, 0) == 0;
		if (!drafts[i].published && errno == EEXIST)
			code = fail_exists(dir_name, drafts[i].name, err);
		else if (!drafts[i].published)
			code = error_set(err, ERR_IO, "cannot create %s: %s", shown(dir_name, drafts[i].name, path),
				strerror(errno));
	}
	if (code == 0)
		code = sync_dir(dir, dir_name, err);
	for (size_t i = 0; i < count && code != 0; i++)
		if (drafts[i].published)
			(void)unlinkat(dir, drafts[i].name, 0); /* the error that stands is the cause */
	return code;
}

/* Renames key, then certificate, over the old ones. When the second fails, the old key comes back. */
static int publish_over(int dir, const char *dir_name, struct draft *key, struct draft *certificate, struct error *err)
{
	struct draft old = {.name = key->name};
	char path[SHOWN_MAX];
	if (!temporary_name(old.name, old.temporary))
		return pki_crypto_fail(err, "no random bytes");
	bool had = linkat(dir, key->name, dir, old.temporary, 0) == 0;
	if (!had && errno != ENOENT)
		return error_set(err, ERR_IO, "cannot set aside %s: %s", shown(dir_name, key->name, path), strerror(errno));
	int code = 0;
	if (renameat(dir, key->temporary, dir, key->name) != 0) {
		code = error_set(err, ERR_IO, "cannot replace %s: %s", shown(dir_name, key->name, path), strerror(errno));
	} else if (renameat(dir, certificate->temporary, dir, certificate->name) != 0) {
		code = error_set(err, ERR_IO, "cannot replace %s: %s", shown(dir_name, certificate->name, path),
			strerror(errno));
		(void)(had ? renameat(dir, old.temporary, dir, key->name) : unlinkat(dir, key->name, 0));
	} else {
		code = sync_dir(dir, dir_name, err);
	}
	draft_remove(dir, &old);
	return code;
}

/* ---- the directory ---- */

/* Opens a directory; with `made`, creates it when it is missing and says so. */
static int open_dir(const char *name, bool *made, int *out, struct error *err)
{
	bool created = made != NULL && mkdir(name, DIRECTORY_MODE) == 0;
	if (made != NULL && !created && errno != EEXIST)
		return error_set(err, ERR_IO, "cannot create the directory %s: %s", name, strerror(errno));
	int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set(err, ERR_IO, "cannot open the directory %s: %s", name, strerror(errno));
	if (made != NULL)
		*made = created;
	*out = fd;
	return 0;
}

/* Is there anything of that name, a dangling link included? */
static bool is_there(int dir, const char *name)
{
	struct stat st;
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static int check_free(int dir, const char *dir_name, struct error *err)
{
	for (size_t i = 0; i < FILE_COUNT; i++)
		if (is_there(dir, file_names[i]))
			return fail_exists(dir_name, file_names[i], err);
	return 0;
}

static int make_all(int dir, const char *dir_name, const struct pki_names *names, long days, time_t now,
	struct error *err)
{
	struct pki_pair ca = {0}, tls = {0};
	struct draft drafts[] = {
		{.name = PKI_CA_KEY, .mode = KEY_MODE, .text = &ca.key},
		{.name = PKI_CA_CERT, .mode = CERTIFICATE_MODE, .text = &ca.certificate},
		{.name = PKI_TLS_KEY, .mode = KEY_MODE, .text = &tls.key},
		{.name = PKI_TLS_CERT, .mode = CERTIFICATE_MODE, .text = &tls.certificate},
	};
	const size_t count = sizeof drafts / sizeof drafts[0];
	int code = pki_make_ca(now, &ca, err);
	if (code == 0)
		code = pki_make_serving(&ca, names, days, now, &tls, err);
	if (code == 0)
		code = drafts_write(dir, dir_name, drafts, count, err);
	if (code == 0)
		code = publish_new(dir, dir_name, drafts, count, err);
	for (size_t i = 0; i < count; i++)
		draft_remove(dir, &drafts[i]);
	pki_pair_dispose(&ca);
	pki_pair_dispose(&tls);
	return code;
}

/* ---- what is there ---- */

static int read_pair(int dir, const char *dir_name, const char *cert_name, const char *key_name, struct pki_pair *out,
	struct error *err)
{
	char cert_path[SHOWN_MAX], key_path[SHOWN_MAX];
	struct pki_path certificate = {cert_name, shown(dir_name, cert_name, cert_path)};
	struct pki_path key = {key_name, shown(dir_name, key_name, key_path)};
	return pki_load_pair_at(dir, &certificate, &key, out, err);
}

static int check_present(int dir, const char *dir_name, const char *name, struct error *err)
{
	char path[SHOWN_MAX];
	if (is_there(dir, name))
		return 0;
	return error_set(err, ERR_INVALID, "%s is missing: put it back, or make a new CA with 'connhook certs init' in "
		"another directory", shown(dir_name, name, path));
}

/* A link into another directory (a mounted Secret) would be replaced by a file: not what anyone wants. */
static int check_replaceable(int dir, const char *dir_name, const char *name, struct error *err)
{
	struct stat st;
	char path[SHOWN_MAX];
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT ? 0 :
			error_set(err, ERR_IO, "cannot look at %s: %s", shown(dir_name, name, path), strerror(errno));
	if (!S_ISREG(st.st_mode))
		return error_set(err, ERR_INVALID, "%s is not a plain file: renew where the files really are",
			shown(dir_name, name, path));
	return 0;
}

/* The names of the certificate that is about to be replaced. */
static int old_names(int dir, const char *dir_name, struct arena *arena, struct pki_names *out, struct error *err)
{
	char path[SHOWN_MAX];
	struct pki_source source = {shown(dir_name, PKI_TLS_CERT, path), {0}};
	if (!is_there(dir, PKI_TLS_CERT))
		return error_set(err, ERR_INVALID, "%s is missing, so there are no names to keep: give --dns or --ip",
			source.name);
	struct pki_text text = {0};
	struct pki_pem parts = {0};
	size_t others;
	int code = pki_file_read_at(dir, &(struct pki_path){PKI_TLS_CERT, source.name}, &text, err);
	source.pem = (struct str){text.p, text.n};
	if (code == 0)
		code = pki_pem_read(&source, &parts, err);
	if (code == 0 && sk_X509_num(parts.certificates) == 0)
		code = error_set(err, ERR_INVALID, "%s holds no certificate, so there are no names to keep: give --dns or --ip",
			source.name);
	if (code == 0)
		code = pki_names_of(sk_X509_value(parts.certificates, 0), arena, out, &others, err);
	pki_pem_dispose(&parts);
	pki_text_dispose(&text);
	return code;
}

static int renew(int dir, const char *dir_name, const struct pki_names *names, long days, time_t now, struct error *err)
{
	struct pki_pair ca = {0}, tls = {0};
	struct draft drafts[] = {
		{.name = PKI_TLS_KEY, .mode = KEY_MODE, .text = &tls.key},
		{.name = PKI_TLS_CERT, .mode = CERTIFICATE_MODE, .text = &tls.certificate},
	};
	const size_t count = sizeof drafts / sizeof drafts[0];
	int code = 0;
	for (size_t i = 0; i < count && code == 0; i++)
		code = check_replaceable(dir, dir_name, drafts[i].name, err);
	if (code == 0)
		code = read_pair(dir, dir_name, PKI_CA_CERT, PKI_CA_KEY, &ca, err);
	if (code == 0)
		code = pki_make_serving(&ca, names, days, now, &tls, err);
	if (code == 0)
		code = drafts_write(dir, dir_name, drafts, count, err);
	if (code == 0)
		code = publish_over(dir, dir_name, &drafts[0], &drafts[1], err);
	for (size_t i = 0; i < count; i++)
		draft_remove(dir, &drafts[i]);
	pki_pair_dispose(&ca);
	pki_pair_dispose(&tls);
	return code;
}

static int renew_with_old_names(int dir, const char *dir_name, long days, time_t now, struct error *err)
{
	struct arena arena = {0};
	struct pki_names names;
	int code = old_names(dir, dir_name, &arena, &names, err);
	if (code == 0)
		code = renew(dir, dir_name, &names, days, now, err);
	arena_free(&arena);
	return code;
}

/* tls.crt was signed by ca.crt. */
static int check_signed(const char *dir_name, const struct pki_pair *ca, const struct pki_pair *tls, struct error *err)
{
	struct pki_source ca_source = {PKI_CA_CERT, {ca->certificate.p, ca->certificate.n}};
	struct pki_source source = {PKI_TLS_CERT, {tls->certificate.p, tls->certificate.n}};
	struct pki_pem ca_parts = {0}, parts = {0};
	const char *wrong = NULL;
	char path[SHOWN_MAX];
	int code = pki_pem_read(&ca_source, &ca_parts, err);
	if (code == 0)
		code = pki_pem_read(&source, &parts, err);
	if (code == 0)
		code = pki_issuer_check(sk_X509_value(parts.certificates, 0), sk_X509_value(ca_parts.certificates, 0), &wrong,
			err);
	if (wrong != NULL)
		code = error_set(err, ERR_INVALID, "%s is not signed by the " PKI_CA_CERT " beside it, which %s: serve it with "
			"--tls-cert and --tls-key, or use an empty directory", shown(dir_name, PKI_TLS_CERT, path), wrong);
	pki_pem_dispose(&ca_parts);
	pki_pem_dispose(&parts);
	return code;
}

/* ---- what is there, for pki_ensure ---- */

enum state {
	STATE_EMPTY,   /* none of the files */
	STATE_NO_PAIR, /* a good CA, and neither tls.crt nor tls.key */
	STATE_EXPIRED, /* good files, but tls.crt has expired */
	STATE_GOOD,
};

/* A CA that is good now. */
static int check_ca(int dir, const char *dir_name, time_t now, struct pki_pair *out, struct error *err)
{
	char path[SHOWN_MAX];
	int code = check_present(dir, dir_name, PKI_CA_CERT, err);
	if (code == 0)
		code = check_present(dir, dir_name, PKI_CA_KEY, err);
	if (code == 0)
		code = read_pair(dir, dir_name, PKI_CA_CERT, PKI_CA_KEY, out, err);
	return code != 0 ? code :
		pki_time_check(shown(dir_name, PKI_CA_CERT, path), out->not_before, out->not_after, now, err);
}

static int check_tls(int dir, const char *dir_name, const struct pki_pair *ca, time_t now, enum state *out,
	struct error *err)
{
	char path[SHOWN_MAX];
	struct pki_pair tls = {0};
	int code = read_pair(dir, dir_name, PKI_TLS_CERT, PKI_TLS_KEY, &tls, err);
	if (code == 0)
		code = check_signed(dir_name, ca, &tls, err);
	bool expired = now > tls.not_after;
	if (code == 0 && !expired)
		code = pki_time_check(shown(dir_name, PKI_TLS_CERT, path), tls.not_before, tls.not_after, now, err);
	if (code == 0)
		*out = expired ? STATE_EXPIRED : STATE_GOOD;
	pki_pair_dispose(&tls);
	return code;
}

static int find_state(int dir, const char *dir_name, time_t now, enum state *out, struct error *err)
{
	bool any = false;
	for (size_t i = 0; i < FILE_COUNT; i++)
		any = any || is_there(dir, file_names[i]);
	if (!any) {
		*out = STATE_EMPTY;
		return 0;
	}
	struct pki_pair ca = {0};
	int code = check_ca(dir, dir_name, now, &ca, err);
	if (code == 0 && !is_there(dir, PKI_TLS_CERT) && !is_there(dir, PKI_TLS_KEY))
		*out = STATE_NO_PAIR;
	else if (code == 0)
		code = check_tls(dir, dir_name, &ca, now, out, err);
	pki_pair_dispose(&ca);
	return code;
}

/* ---- the commands ---- */

static void close_dir(int fd, const char *name, bool remove)
{
	(void)close(fd); /* it was only read */
	if (remove)
		(void)rmdir(name); /* stays when someone else has put a file there */
}

int pki_init(const char *dir, const struct pki_names *names, long days, time_t now, struct error *err)
{
	if (names == NULL)
		names = &pki_default_names;
	int code = pki_wish_check(names, days, err);
	if (code != 0)
		return code;
	bool made = false;
	int fd;
	code = open_dir(dir, &made, &fd, err);
	if (code != 0)
		return code;
	code = check_free(fd, dir, err);
	if (code == 0)
		code = make_all(fd, dir, names, days, now, err);
	close_dir(fd, dir, made && code != 0);
	return code;
}

int pki_renew(const char *dir, const struct pki_names *names, long days, time_t now, struct error *err)
{
	int fd;
	int code = open_dir(dir, NULL, &fd, err);
	if (code != 0)
		return code;
	code = check_present(fd, dir, PKI_CA_CERT, err);
	if (code == 0)
		code = check_present(fd, dir, PKI_CA_KEY, err);
	if (code == 0)
		code = names ? renew(fd, dir, names, days, now, err) : renew_with_old_names(fd, dir, days, now, err);
	close_dir(fd, dir, false);
	return code;
}

int pki_ensure(const char *dir, const struct pki_names *names, long days, time_t now, enum pki_ensured *out,
	struct error *err)
{
	if (names == NULL)
		names = &pki_default_names;
	int code = pki_wish_check(names, days, err);
	if (code != 0)
		return code;
	bool made = false;
	int fd;
	code = open_dir(dir, &made, &fd, err);
	if (code != 0)
		return code;
	enum pki_ensured done = PKI_KEPT;
	enum state state = STATE_GOOD;
	code = find_state(fd, dir, now, &state, err);
	if (code == 0 && state == STATE_EMPTY) {
		done = PKI_MADE;
		code = make_all(fd, dir, names, days, now, err);
	} else if (code == 0 && state != STATE_GOOD) {
		done = PKI_RENEWED;
		code = state == STATE_NO_PAIR ? renew(fd, dir, names, days, now, err) :
			renew_with_old_names(fd, dir, days, now, err);
	}
	close_dir(fd, dir, made && code != 0);
	if (code == 0)
		*out = done;
	return code;
}
