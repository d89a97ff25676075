/* connhook serve: the webhook itself. */
#include "cli/cli.h"

#include "base/limits.h"
#include "base/text.h"
#include "server/server.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char help[] =
	"usage: connhook serve (--tls-cert FILE --tls-key FILE | --self-signed DIR) [OPTION]...\n"
	"\n"
	"Answers the admission reviews of a Kubernetes API server over HTTPS.\n"
	"\n"
	"      --config FILE             the configuration; default: the built-in 'managed' one\n"
	"      --tls-cert FILE           the serving certificate, or a chain, leaf first (PEM)\n"
	"      --tls-key FILE            its key (PEM)\n"
	"      --self-signed DIR         use the certificates in DIR; make them if there are none\n"
	"      --tls-priorities STRING   versions and ciphers, as GnuTLS writes them; default: TLS 1.3 and\n"
	"                                1.2 with forward secrecy. Nothing below TLS 1.2\n"
	"      --listen ADDR:PORT        POST /mutate and /validate, HTTPS; default 0.0.0.0:8443.\n"
	"                                [::]:8443 is IPv6 and IPv4. Port 0 is any free one\n"
	"      --admin-listen ADDR:PORT  GET /healthz, /readyz, /metrics and /version, plain HTTP;\n"
	"                                default 0.0.0.0:8080\n"
	"      --threads N               threads that answer requests: 1 to 16; default: one a CPU\n"
	"      --request-timeout N       seconds for a request, first byte to last, and again for the\n"
	"                                client to take its answer: 1 to 60; default 10\n"
	"      --drain-delay N           seconds after SIGTERM in which it serves on while /readyz fails:\n"
	"                                0 to 300; default 5\n"
	"      --log-format FORMAT       text (default) or json\n"
	"      --log-level LEVEL         debug, info (default), warn or error\n"
	"  -h, --help                    print this\n"
	"\n"
	"SIGTERM and SIGINT end it: requests that have begun are answered. SIGHUP reads configuration\n"
	"and certificate anew; so does a change of their files. A bad one is logged, and the old one stays.\n"
	"The log goes to standard error.\n";

enum {
	OPTION_CONFIG = 256,
	OPTION_TLS_CERT,
	OPTION_TLS_KEY,
	OPTION_SELF_SIGNED,
	OPTION_TLS_PRIORITIES,
	OPTION_LISTEN,
	OPTION_ADMIN_LISTEN,
	OPTION_THREADS,
	OPTION_REQUEST_TIMEOUT,
	OPTION_DRAIN_DELAY,
	OPTION_LOG_FORMAT,
	OPTION_LOG_LEVEL,
};

static const struct option long_options[] = {
	{"config", required_argument, NULL, OPTION_CONFIG},
	{"tls-cert", required_argument, NULL, OPTION_TLS_CERT},
	{"tls-key", required_argument, NULL, OPTION_TLS_KEY},
	{"self-signed", required_argument, NULL, OPTION_SELF_SIGNED},
	{"tls-priorities", required_argument, NULL, OPTION_TLS_PRIORITIES},
	{"listen", required_argument, NULL, OPTION_LISTEN},
	{"admin-listen", required_argument, NULL, OPTION_ADMIN_LISTEN},
	{"threads", required_argument, NULL, OPTION_THREADS},
	{"request-timeout", required_argument, NULL, OPTION_REQUEST_TIMEOUT},
	{"drain-delay", required_argument, NULL, OPTION_DRAIN_DELAY},
	{"log-format", required_argument, NULL, OPTION_LOG_FORMAT},
	{"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* The command line. */
struct wish {
	const char *config, *tls_cert, *tls_key, *self_signed;
	struct server_options options;
	bool help;
};

/* ---- options ---- */

static int parse_number(const char *option, const char *text, unsigned min, unsigned max, unsigned *out)
{
	char *end;
	errno = 0;
	unsigned long n = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || n < min || n > max)
		return cli_fail("%s: %s is not a whole number from %u to %u", option, text_quote(str_of(text)).text, min, max);
	*out = (unsigned)n;
	return EXIT_OK;
}

static int parse_address(const char *option, const char *text, struct listen_address *out)
{
	struct error err;
	if (listen_parse(str_of(text), out, &err) != 0)
		return cli_fail("%s: %s", option, err.text);
	return EXIT_OK;
}

static int parse_priorities(const char *text, const char **out)
{
	struct error err;
	if (tls_priorities_check(text, &err) != 0)
		return cli_fail("--tls-priorities: %s", err.text);
	*out = text;
	return EXIT_OK;
}

static int parse_option(int c, char **argv, struct wish *out)
{
	struct server_options *o = &out->options;
	switch (c) {
	case 'h':
		out->help = true;
		return EXIT_OK;
	case OPTION_CONFIG:
		out->config = optarg;
		return EXIT_OK;
	case OPTION_TLS_CERT:
		out->tls_cert = optarg;
		return EXIT_OK;
	case OPTION_TLS_KEY:
		out->tls_key = optarg;
		return EXIT_OK;
	case OPTION_SELF_SIGNED:
		out->self_signed = optarg;
		return EXIT_OK;
	case OPTION_TLS_PRIORITIES:
		return parse_priorities(optarg, &o->tls_priorities);
	case OPTION_LISTEN:
		return parse_address("--listen", optarg, &o->listen);
	case OPTION_ADMIN_LISTEN:
		return parse_address("--admin-listen", optarg, &o->admin);
	case OPTION_THREADS:
		return parse_number("--threads", optarg, 1, LIMIT_THREADS, &o->threads);
	case OPTION_REQUEST_TIMEOUT:
		return parse_number("--request-timeout", optarg, 1, REQUEST_SECONDS_MAX, &o->request_seconds);
	case OPTION_DRAIN_DELAY:
		return parse_number("--drain-delay", optarg, 0, DRAIN_DELAY_SECONDS_MAX, &o->drain_seconds);
	case OPTION_LOG_FORMAT:
		if (!log_format_parse(str_of(optarg), &o->log->format))
			return cli_fail("--log-format: %s is not text or json", text_quote(str_of(optarg)).text);
		return EXIT_OK;
	case OPTION_LOG_LEVEL:
		if (!log_level_parse(str_of(optarg), &o->log->least))
			return cli_fail("--log-level: %s is not debug, info, warn or error", text_quote(str_of(optarg)).text);
		return EXIT_OK;
	default:
		return cli_bad_option("serve", argv, c);
	}
}

/* What is used together, and what excludes each other. */
static int check_wish(const struct wish *wish)
{
	if (wish->self_signed != NULL && (wish->tls_cert != NULL || wish->tls_key != NULL))
		return cli_fail("--self-signed has its own certificate; leave out --tls-cert and --tls-key");
	if (wish->self_signed == NULL && wish->tls_cert == NULL && wish->tls_key == NULL)
		return cli_fail("a certificate is missing: give --tls-cert FILE and --tls-key FILE, or --self-signed DIR");
	if (wish->self_signed == NULL && wish->tls_cert == NULL)
		return cli_fail("--tls-key needs --tls-cert FILE as well");
	if (wish->self_signed == NULL && wish->tls_key == NULL)
		return cli_fail("--tls-cert needs --tls-key FILE as well");
	return EXIT_OK;
}

/* EXIT_OK, or the exit status of a sentence that has been printed. */
static int parse_wish(int argc, char **argv, struct wish *out)
{
	int code = parse_address("--listen", "0.0.0.0:8443", &out->options.listen), c;
	if (code == EXIT_OK)
		code = parse_address("--admin-listen", "0.0.0.0:8080", &out->options.admin);
	opterr = 0;
	optind = 0; /* glibc: begin anew, whatever was parsed before */
	while (code == EXIT_OK && (c = getopt_long(argc, argv, ":h", long_options, NULL)) != -1)
		code = parse_option(c, argv, out);
	if (code != EXIT_OK || out->help)
		return code;
	if (optind < argc)
		return cli_fail("unexpected argument '%s'; see 'connhook serve --help'", argv[optind]);
	return check_wish(out);
}

/* ---- files ---- */

/* The directory, a slash, the name. */
static int join_path(struct arena *arena, const char *dir, const char *name, const char **out, struct error *err)
{
	struct str path = arena_fmt(arena, "%s/%s", dir, name);
	if (path.p == NULL)
		return error_nomem(err);
	*out = path.p;
	return 0;
}

/* --self-signed: sees to it that there are certificates, and points the wish at them. */
static int use_self_signed(struct wish *wish, struct arena *arena, struct error *err)
{
	enum pki_ensured ensured;
	int code = pki_ensure(wish->self_signed, NULL, PKI_DEFAULT_DAYS, time(NULL), &ensured, err);
	if (code == 0)
		code = join_path(arena, wish->self_signed, PKI_TLS_CERT, &wish->tls_cert, err);
	if (code == 0)
		code = join_path(arena, wish->self_signed, PKI_TLS_KEY, &wish->tls_key, err);
	if (code != 0 || ensured == PKI_KEPT)
		return code;
	struct log_line line;
	log_line(&line, wish->options.log, LOG_INFO, "certificates");
	log_strz(&line, "directory", wish->self_signed);
	log_strz(&line, "action", ensured == PKI_MADE ? "made" : "renewed");
	log_end(&line);
	return 0;
}

/* A certificate that the API server will not accept is no reason not to begin: it may be replaced. */
static void warn_of_dates(const struct wish *wish, const struct pki_pair *pair)
{
	struct error err;
	struct log_line line;
	if (pki_time_check(wish->tls_cert, pair->not_before, pair->not_after, time(NULL), &err) == 0)
		return;
	log_line(&line, wish->options.log, LOG_WARN, "certificate");
	log_strz(&line, "error", err.text);
	log_end(&line);
}

static int read_config(void *wish, struct config **out, struct error *err)
{
	return cli_config(((const struct wish *)wish)->config, out, err);
}

static int read_pair(void *wish, struct pki_pair *out, struct error *err)
{
	return pki_load_pair(((const struct wish *)wish)->tls_cert, ((const struct wish *)wish)->tls_key, out, err);
}

static int serve(struct wish *wish, struct arena *arena, struct error *err)
{
	struct pki_pair pair = {0};
	struct config *config = NULL;
	int code = cli_config(wish->config, &config, err);
	if (code == 0 && wish->self_signed != NULL)
		code = use_self_signed(wish, arena, err);
	if (code == 0)
		code = pki_load_pair(wish->tls_cert, wish->tls_key, &pair, err);
	if (code == 0) {
		warn_of_dates(wish, &pair);
		wish->options.source = (struct server_source){
			wish, {wish->config, wish->tls_cert, wish->tls_key}, read_config, read_pair};
		code = server_run(&wish->options, config, &pair, err);
	} else {
		config_free(config);
	}
	pki_pair_dispose(&pair);
	return code;
}

int cmd_serve(int argc, char **argv)
{
	struct log log = LOG_TO(STDERR_FILENO);
	struct wish wish = {.options = {
		.tls_priorities = TLS_PRIORITIES,
		.threads = server_default_threads(),
		.request_seconds = REQUEST_SECONDS,
		.drain_seconds = DRAIN_DELAY_SECONDS,
		.log = &log,
	}};
	int code = parse_wish(argc, argv, &wish);
	if (code != EXIT_OK)
		return code;
	if (wish.help)
		return cli_print(STR(help));
	struct arena arena = {0};
	struct error err;
	code = serve(&wish, &arena, &err);
	arena_free(&arena);
	return code == 0 ? EXIT_OK : cli_fail("%s", err.text);
}
