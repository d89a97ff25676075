/* connhook certs: make, look at and renew certificates. */
#include "cli/cli.h"

#include "base/limits.h"
#include "base/text.h"
#include "pki/pki.h"

#include <errno.h>
#include <stdlib.h>

#define SECONDS_PER_DAY 86400
#define REPORT_MAX (64 * MIB) /* what one command prints */

enum { OPTION_DNS = OPTION_FIRST, OPTION_IP, OPTION_DAYS };

static const struct command_option init_options[] = {
	{'o', "out", "DIR", "where the files go", NULL},
	{OPTION_DNS, "dns", "NAME", "a DNS name of the server; may be repeated", NULL},
	{OPTION_IP, "ip", "ADDR", "an IP address of the server; may be repeated", NULL},
	{OPTION_DAYS, "days", "N", "how long the serving certificate is valid: 1 to 3650, default 365", NULL},
	{0, NULL, NULL, NULL, NULL},
};

const struct command certs_command = {
	.name = "certs",
	.says = "make, renew and show certificates",
	.usage = "certs init --out DIR [--dns NAME]... [--ip ADDR]... [--days N]\n"
		 "certs show FILE...\n"
		 "certs renew --out DIR [--dns NAME]... [--ip ADDR]... [--days N]",
	.about = "init: makes a CA and a serving certificate\n"
		 "show: prints what certificates and keys say, and whether they fit together\n"
		 "renew: replaces the serving certificate and keeps the CA\n",
	.after = "Each has its own --help.\n",
	.run = cmd_certs,
};

const struct command certs_init_command = {
	.name = "certs init",
	.says = "make a CA and a serving certificate",
	.usage = "certs init --out DIR [--dns NAME]... [--ip ADDR]... [--days N]",
	.about = "Makes ca.crt, ca.key, tls.crt and tls.key in DIR, which is created if it is missing.\n"
		 "Nothing is ever overwritten.\n",
	.options = init_options,
	.after = "Without --dns and --ip the names are localhost, 127.0.0.1, ::1, connhook,\n"
		 "connhook.connhook.svc and connhook.connhook.svc.cluster.local.\n",
	.run = cmd_certs,
};

const struct command certs_renew_command = {
	.name = "certs renew",
	.says = "replace the serving certificate and keep the CA",
	.usage = "certs renew --out DIR [--dns NAME]... [--ip ADDR]... [--days N]",
	.about = "Replaces tls.crt and tls.key in DIR with new ones, signed by the CA that is there.\n",
	.options = init_options,
	.after = "Without --dns and --ip the names of the old certificate are kept.\n",
	.run = cmd_certs,
};

const struct command certs_show_command = {
	.name = "certs show",
	.says = "print what certificates and keys say, and whether they fit together",
	.usage = "certs show FILE...",
	.about = "Prints what the certificates and keys in PEM files say, and checks all files together:\n"
		 "whose key is it, who signed it, is it valid now. Keys themselves are never printed.\n",
	.after = "Exit status: 0 all is well, 1 something does not fit or has expired, 2 a file cannot be read.\n",
	.run = cmd_certs,
};

/* ---- options ---- */

/* What init and renew are asked for. */
struct wish {
	const char *out;
	struct str dns[LIMIT_CERTIFICATE_NAMES], ips[LIMIT_CERTIFICATE_NAMES];
	size_t dns_count, ip_count;
	long days;
};

/* Strict decimal; the range is checked here as well, so that the sentence names the option. */
static int parse_days(const char *text, long *out)
{
	char *end;
	errno = 0;
	long days = strtol(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || days < 1 || days > LIMIT_CERTIFICATE_DAYS)
		return cli_fail("--days: %s is not a number of days: expected 1 to %d", text_quote(str_of(text)).text,
			LIMIT_CERTIFICATE_DAYS);
	*out = days;
	return EXIT_OK;
}

static int add_name(const char *option, int (*check)(struct str, struct error *), const char *text, struct str *list,
	size_t *count)
{
	struct error err;
	if (check(str_of(text), &err) != 0)
		return cli_fail("%s: %s", option, err.text);
	if (*count == LIMIT_CERTIFICATE_NAMES)
		return cli_fail("%s: at most %d names are allowed", option, LIMIT_CERTIFICATE_NAMES);
	list[(*count)++] = str_of(text);
	return EXIT_OK;
}

/* EXIT_OK, or the exit status of a sentence that has been printed. *done: it was help, and there is nothing to do. */
static int parse_wish(const struct command *c, int argc, char **argv, struct wish *out, bool *done)
{
	const char *command = c->name;
	struct option_parser p;
	char *value;
	int code = EXIT_OK, id;
	option_begin(&p, c, argc, argv);
	while (code == EXIT_OK && (id = option_next(&p, &value)) != OPTION_END) {
		*done = id == OPTION_DONE;
		if (*done)
			return p.status;
		if (id == 'o')
			out->out = value;
		else if (id == OPTION_DNS)
			code = add_name("--dns", pki_dns_check, value, out->dns, &out->dns_count);
		else if (id == OPTION_IP)
			code = add_name("--ip", pki_ip_check, value, out->ips, &out->ip_count);
		else
			code = parse_days(value, &out->days);
	}
	if (code != EXIT_OK)
		return code;
	if (optind < argc)
		return cli_fail("%s: unexpected argument %s; see connhook %s --help", command, argv[optind], command);
	if (out->out == NULL || out->out[0] == '\0')
		return cli_fail("%s: --out DIR is missing; see connhook %s --help", command, command);
	return EXIT_OK;
}

/* ---- what is printed ---- */

static const char *plural(long n)
{
	return n == 1 ? "" : "s";
}

/* "364 days left" */
static struct str time_left(struct arena *arena, const struct pki_certificate *c, time_t now)
{
	if (now < c->not_before)
		return arena_str(arena, STR("not valid yet"));
	long days = (long)((now > c->not_after ? now - c->not_after : c->not_after - now) / SECONDS_PER_DAY);
	if (now > c->not_after)
		return days == 0 ? arena_str(arena, STR("expired today")) :
			arena_fmt(arena, "expired %ld day%s ago", days, plural(days));
	return days == 0 ? arena_str(arena, STR("less than a day left")) :
		arena_fmt(arena, "%ld day%s left", days, plural(days));
}

static void add_names(struct buf *out, const struct pki_certificate *c)
{
	const char *comma = "";
	buf_addz(out, "  names        ");
	for (size_t i = 0; i < c->names.dns_count; i++, comma = ", ")
		buf_fmt(out, "%sDNS:%.*s", comma, STR_ARG(c->names.dns[i]));
	for (size_t i = 0; i < c->names.ip_count; i++, comma = ", ")
		buf_fmt(out, "%sIP:%.*s", comma, STR_ARG(c->names.ips[i]));
	if (c->other_names > 0)
		buf_fmt(out, "%s%zu of another kind", comma, c->other_names);
	else if (comma[0] == '\0')
		buf_addz(out, "none");
	buf_addz(out, "\n");
}

static void add_key(struct buf *out, const struct pki_key *key)
{
	buf_fmt(out, "%.*s, %d bits\n", STR_ARG(key->type), key->bits);
}

static void add_certificate(struct buf *out, struct arena *arena, const struct pki_certificate *c, time_t now)
{
	buf_fmt(out, "  %-11s  %.*s\n", c->is_ca ? "CA" : "leaf", STR_ARG(c->subject));
	buf_fmt(out, "  issuer       %.*s\n", STR_ARG(c->issuer));
	if (!c->is_ca || c->names.dns_count + c->names.ip_count > 0)
		add_names(out, c);
	buf_fmt(out, "  serial       %.*s\n", STR_ARG(c->serial));
	buf_fmt(out, "  valid        %.*s to %.*s, %.*s\n", STR_ARG(c->not_before_text), STR_ARG(c->not_after_text),
		STR_ARG(time_left(arena, c, now)));
	buf_addz(out, "  public key   ");
	add_key(out, &c->key);
	buf_fmt(out, "  fingerprint  SHA-256 %.*s\n", STR_ARG(c->fingerprint));
}

static void add_report(struct buf *out, struct pki_report *report, time_t now)
{
	for (size_t f = 0; f < report->file_count; f++) {
		const struct pki_file *file = &report->files[f];
		buf_fmt(out, "%s\n", file->name);
		for (size_t i = 0; i < file->certificate_count; i++) {
			add_certificate(out, &report->arena, &file->certificates[i], now);
			if (i + 1 < file->certificate_count || file->key.type.p != NULL)
				buf_addz(out, "\n");
		}
		if (file->key.type.p != NULL) {
			buf_addz(out, "  private key  ");
			add_key(out, &file->key);
		}
		buf_addz(out, "\n");
	}
	for (size_t i = 0; i < report->finding_count; i++)
		buf_fmt(out, "%s: %.*s\n", report->findings[i].good ? "ok" : "WRONG", STR_ARG(report->findings[i].text));
	if (report->finding_count == 0)
		buf_fmt(out, "ok: nothing is wrong with %s\n", report->file_count == 1 ? "it" : "them");
}

/* ---- commands ---- */

/* Reads the files and looks at them. `arena` holds the lists while the report is in use. */
static int inspect_files(const char *const *paths, size_t count, time_t now, struct arena *arena,
	struct pki_report *out, struct error *err)
{
	struct pki_text *texts = arena_array(arena, count, sizeof *texts);
	struct pki_source *sources = arena_array(arena, count, sizeof *sources);
	int code = texts != NULL && sources != NULL ? 0 : error_nomem(err);
	for (size_t i = 0; i < count && code == 0; i++) {
		code = pki_file_read(paths[i], &texts[i], err);
		sources[i] = (struct pki_source){paths[i], {texts[i].p, texts[i].n}};
	}
	if (code == 0)
		code = pki_inspect(sources, count, now, out, err);
	for (size_t i = 0; texts != NULL && i < count; i++)
		pki_text_dispose(&texts[i]);
	return code;
}

/* Prints what was put together, its parts in `arena`; `code`, or EXIT_USAGE when that fails. */
static int print(const struct buf *out, const struct arena *arena, int code)
{
	if (out->error == ERR_NOMEM || arena->failed)
		return cli_nomem();
	if (out->error != 0)
		return cli_fail("more than %lu bytes to print; give fewer files", REPORT_MAX);
	int failed = cli_print(buf_str(out));
	return failed != EXIT_OK ? failed : code;
}

static int show_files(char **files, size_t count)
{
	time_t now = time(NULL);
	struct arena arena = {0};
	struct pki_report report = {0};
	struct error err;
	const char **paths = arena_array(&arena, count, sizeof *paths);
	for (size_t i = 0; paths != NULL && i < count; i++)
		paths[i] = files[i];
	int code = paths != NULL ? inspect_files(paths, count, now, &arena, &report, &err) : error_nomem(&err);
	struct buf out;
	buf_init(&out, REPORT_MAX);
	if (code == 0)
		add_report(&out, &report, now);
	code = code == 0 ? print(&out, &report.arena, report.good ? EXIT_OK : EXIT_DENIED) : cli_fail("%s", err.text);
	buf_free(&out);
	pki_report_dispose(&report);
	arena_free(&arena);
	return code;
}

static int show(int argc, char **argv)
{
	struct option_parser p;
	char *value;
	option_begin(&p, &certs_show_command, argc, argv);
	if (option_next(&p, &value) != OPTION_END)
		return p.status;
	if (optind == argc)
		return cli_fail("certs show: which file? see connhook certs show --help");
	return show_files(argv + optind, (size_t)(argc - optind));
}

static const char *path_in(struct arena *arena, const char *dir, const char *name)
{
	struct str d = str_of(dir);
	return arena_fmt(arena, "%s%s%s", dir, str_ends(d, STR("/")) ? "" : "/", name).p;
}

/* Says what the directory holds now, read back from the disk. */
static int print_made(const char *made, const char *dir, bool hint, time_t now)
{
	struct arena arena = {0};
	struct pki_report report = {0};
	struct error err;
	const char *paths[] = {path_in(&arena, dir, PKI_TLS_CERT), path_in(&arena, dir, PKI_CA_CERT)};
	const char *key = path_in(&arena, dir, PKI_TLS_KEY);
	int code = arena.failed ? error_nomem(&err) : inspect_files(paths, 2, now, &arena, &report, &err);
	struct buf out;
	buf_init(&out, REPORT_MAX);
	if (code == 0) {
		const struct pki_certificate *tls = report.files[0].certificates, *ca = report.files[1].certificates;
		buf_fmt(&out, "%s in %s\n", made, dir);
		add_names(&out, tls);
		buf_fmt(&out, "  expires      %.*s, %.*s\n", STR_ARG(tls->not_after_text),
			STR_ARG(time_left(&arena, tls, now)));
		buf_fmt(&out, "  CA expires   %.*s, %.*s\n", STR_ARG(ca->not_after_text),
			STR_ARG(time_left(&arena, ca, now)));
		if (hint)
			buf_fmt(&out, "next: connhook serve --tls-cert %s --tls-key %s\n", paths[0], key);
	}
	code = code == 0 ? print(&out, &arena, EXIT_OK) : cli_fail("%s", err.text);
	buf_free(&out);
	pki_report_dispose(&report);
	arena_free(&arena);
	return code;
}

static int init_or_renew(int argc, char **argv, bool renew)
{
	struct wish wish = {.days = PKI_DEFAULT_DAYS};
	bool done = false;
	int code = parse_wish(renew ? &certs_renew_command : &certs_init_command, argc, argv, &wish, &done);
	if (code != EXIT_OK || done)
		return code;
	struct pki_names given = {wish.dns, wish.dns_count, wish.ips, wish.ip_count};
	const struct pki_names *names = wish.dns_count + wish.ip_count > 0 ? &given : NULL;
	time_t now = time(NULL);
	struct error err;
	code = renew ? pki_renew(wish.out, names, wish.days, now, &err) : pki_init(wish.out, names, wish.days, now, &err);
	if (code != 0)
		return cli_fail("%s", err.text);
	return renew ? print_made("renewed tls.crt and tls.key", wish.out, false, now) :
		print_made("made ca.crt, ca.key, tls.crt and tls.key", wish.out, true, now);
}

int cmd_certs(int argc, char **argv)
{
	struct str command = str_of(argc > 1 ? argv[1] : "");
	if (str_eqz(command, "init") || str_eqz(command, "renew"))
		return init_or_renew(argc - 1, argv + 1, str_eqz(command, "renew"));
	if (str_eqz(command, "show"))
		return show(argc - 1, argv + 1);
	if (str_eqz(command, "--help") || str_eqz(command, "-h"))
		return command_print_help(&certs_command);
	if (command.n == 0)
		return cli_fail("certs: what to do? expected init, show or renew; see connhook certs --help");
	return cli_fail("certs: unknown command %s; expected init, show or renew; see connhook certs --help",
		text_quote(command).text);
}
