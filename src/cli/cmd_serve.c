/* connhook serve: the webhook itself. */
#include "cli/cli.h"

#include "cli/handover.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "server/server.h"
#include "server/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	OPTION_CONFIG = OPTION_FIRST,
	OPTION_HANDOVER,
	OPTION_TLS_CERT,
	OPTION_TLS_KEY,
	OPTION_SELF_SIGNED,
	OPTION_CLIENT_CA,
	OPTION_CLIENT_NAME,
	OPTION_TLS_PRIORITIES,
	OPTION_LISTEN,
	OPTION_ADMIN_LISTEN,
	OPTION_THREADS,
	OPTION_REQUEST_TIMEOUT,
	OPTION_BODY_MEMORY,
	OPTION_DECISION_MEMORY,
	OPTION_DRAIN_DELAY,
	OPTION_LOG_FORMAT,
	OPTION_LOG_LEVEL,
};

static const struct command_value *list_log_formats(void)
{
	static const struct command_value values[] = {{"text", NULL}, {"json", NULL}, {NULL, NULL}};
	return values;
}

static const struct command_value *list_log_levels(void)
{
	static const struct command_value values[] = {
		{"debug", NULL}, {"info", NULL}, {"warn", NULL}, {"error", NULL}, {NULL, NULL}};
	return values;
}

static const struct command_option options[] = {
	{OPTION_CONFIG, "config", "FILE", "the configuration; default: the built-in 'managed' one", NULL},
	{OPTION_HANDOVER, "handover", "DIR",
	 "use a changed configuration two minutes later, and accept until then and for a while what it injects as well: "
	 "other instances learn of it at another time. A new instance takes the one before from DIR/previous.yaml, "
	 "changed at DIR/replaced (seconds since 1970)",
	 NULL},
	{OPTION_TLS_CERT, "tls-cert", "FILE", "the serving certificate, or a chain, leaf first (PEM)", NULL},
	{OPTION_TLS_KEY, "tls-key", "FILE", "its key (PEM)", NULL},
	{OPTION_SELF_SIGNED, "self-signed", "DIR", "use the certificates in DIR; make them if there are none", NULL},
	{OPTION_CLIENT_CA, "client-ca", "FILE", "demand a certificate of clients, signed by a CA in FILE (PEM)", NULL},
	{OPTION_CLIENT_NAME, "client-name", "NAME",
	 "with --client-ca: let in only clients of that name, the common name or a DNS name of their certificate; may be "
	 "repeated",
	 NULL},
	{OPTION_TLS_PRIORITIES, "tls-priorities", "STRING",
	 "versions and ciphers, as GnuTLS writes them; default: TLS 1.3 and 1.2 with forward secrecy. Nothing below "
	 "TLS 1.2",
	 NULL},
	{OPTION_LISTEN, "listen", "ADDR:PORT",
	 "POST /mutate and /validate, HTTPS; default 0.0.0.0:8443. [::]:8443 is IPv6 and IPv4. Port 0 is any free one",
	 NULL},
	{OPTION_ADMIN_LISTEN, "admin-listen", "ADDR:PORT",
	 "GET /healthz, /readyz, /metrics and /version, plain HTTP; default 0.0.0.0:8080", NULL},
	{OPTION_THREADS, "threads", "N", "threads that answer requests: 1 to 16; default: one a CPU", NULL},
	{OPTION_REQUEST_TIMEOUT, "request-timeout", "N",
	 "seconds for a request, first byte to last, and again for the client to take its answer: 1 to 60; default 10",
	 NULL},
	{OPTION_BODY_MEMORY, "body-memory", "N",
	 "MiB for the bodies of all requests and for answers that wait to be taken: 8 to 4096; default 48", NULL},
	{OPTION_DECISION_MEMORY, "decision-memory", "N", "MiB for one decision: 8 to 4096; default 64", NULL},
	{OPTION_DRAIN_DELAY, "drain-delay", "N",
	 "seconds after SIGTERM in which it serves on while /readyz fails: 0 to 300; default 5", NULL},
	{OPTION_LOG_FORMAT, "log-format", "FORMAT", "text (default) or json", list_log_formats},
	{OPTION_LOG_LEVEL, "log-level", "LEVEL", "debug, info (default), warn or error", list_log_levels},
	{0, NULL, NULL, NULL, NULL},
};

const struct command serve_command = {
	.name = "serve",
	.says = "answer AdmissionReviews over HTTPS",
	.usage = "serve (--tls-cert FILE --tls-key FILE | --self-signed DIR) [OPTION]...",
	.about = "Answers the admission reviews of a Kubernetes API server over HTTPS.\n",
	.options = options,
	.after = "SIGTERM and SIGINT end it: requests that have begun are answered. SIGHUP reads configuration\n"
		 "and certificates anew; so does a change of their files. A bad one is logged, and the old one stays.\n"
		 "The log goes to standard error.\n",
	.run = cmd_serve,
};

/* MiB that hold one body of the largest size. */
#define MEMORY_MIN (LIMIT_BODY / MIB + 1)

/* The command line. */
struct wish {
	const char *config, *tls_cert, *tls_key, *self_signed, *client_ca;
	struct str client_names[LIMIT_CLIENT_NAMES];
	size_t client_name_count;
	struct server_options options;
	struct handover handover;
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

static int parse_client_name(const char *text, struct wish *out)
{
	struct str name = str_of(text);
	if (name.n == 0 || name.n > LIMIT_CLIENT_NAME)
		return cli_fail("--client-name: %s is not a name of 1 to %d characters", text_quote(name).text,
				LIMIT_CLIENT_NAME);
	if (out->client_name_count == LIMIT_CLIENT_NAMES)
		return cli_fail("--client-name: more than %d names", LIMIT_CLIENT_NAMES);
	out->client_names[out->client_name_count++] = name;
	return EXIT_OK;
}

static int parse_option(int id, char *value, struct wish *out)
{
	struct server_options *o = &out->options;
	switch (id) {
	case OPTION_CONFIG:
		out->config = value;
		return EXIT_OK;
	case OPTION_HANDOVER:
		out->handover.directory = value;
		return EXIT_OK;
	case OPTION_TLS_CERT:
		out->tls_cert = value;
		return EXIT_OK;
	case OPTION_TLS_KEY:
		out->tls_key = value;
		return EXIT_OK;
	case OPTION_SELF_SIGNED:
		out->self_signed = value;
		return EXIT_OK;
	case OPTION_CLIENT_CA:
		out->client_ca = value;
		return EXIT_OK;
	case OPTION_CLIENT_NAME:
		return parse_client_name(value, out);
	case OPTION_TLS_PRIORITIES:
		return parse_priorities(value, &o->tls_priorities);
	case OPTION_LISTEN:
		return parse_address("--listen", value, &o->listen);
	case OPTION_ADMIN_LISTEN:
		return parse_address("--admin-listen", value, &o->admin);
	case OPTION_THREADS:
		return parse_number("--threads", value, 1, LIMIT_THREADS, &o->threads);
	case OPTION_REQUEST_TIMEOUT:
		return parse_number("--request-timeout", value, 1, REQUEST_SECONDS_MAX, &o->request_seconds);
	case OPTION_BODY_MEMORY:
		return parse_number("--body-memory", value, MEMORY_MIN, LIMIT_MEMORY_OPTION, &o->body_mib);
	case OPTION_DECISION_MEMORY:
		return parse_number("--decision-memory", value, MEMORY_MIN, LIMIT_MEMORY_OPTION, &o->decision_mib);
	case OPTION_DRAIN_DELAY:
		return parse_number("--drain-delay", value, 0, DRAIN_DELAY_SECONDS_MAX, &o->drain_seconds);
	case OPTION_LOG_FORMAT:
		if (!log_format_parse(str_of(value), &o->log->format))
			return cli_fail("--log-format: %s is not text or json", text_quote(str_of(value)).text);
		return EXIT_OK;
	default: /* OPTION_LOG_LEVEL */
		if (!log_level_parse(str_of(value), &o->log->least))
			return cli_fail("--log-level: %s is not debug, info, warn or error", text_quote(str_of(value)).text);
		return EXIT_OK;
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
	if (wish->handover.directory != NULL && wish->config == NULL)
		return cli_fail("--handover needs --config FILE, which is what changes");
	if (wish->client_name_count > 0 && wish->client_ca == NULL)
		return cli_fail("--client-name needs --client-ca FILE, which says who signs the names");
	return EXIT_OK;
}

/* EXIT_OK, or the exit status of what has been printed. *done: it was help. */
static int parse_wish(int argc, char **argv, struct wish *out, bool *done)
{
	struct option_parser p;
	char *value;
	int code = parse_address("--listen", "0.0.0.0:8443", &out->options.listen), id;
	if (code == EXIT_OK)
		code = parse_address("--admin-listen", "0.0.0.0:8080", &out->options.admin);
	option_begin(&p, &serve_command, argc, argv);
	while (code == EXIT_OK && (id = option_next(&p, &value)) != OPTION_END) {
		*done = id == OPTION_DONE;
		if (*done)
			return p.status;
		code = parse_option(id, value, out);
	}
	if (code != EXIT_OK)
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

/* --self-signed: sees to it that there are certificates, and points the wish at them; *ca becomes their CA's file. */
static int use_self_signed(struct wish *wish, struct arena *arena, const char **ca, struct error *err)
{
	enum pki_ensured ensured;
	int code = pki_ensure(wish->self_signed, NULL, PKI_DEFAULT_DAYS, time(NULL), &ensured, err);
	if (code == 0)
		code = join_path(arena, wish->self_signed, PKI_CA_CERT, ca, err);
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

/* It is read again and again, so that it has to be a file, and one that cannot keep the reader. */
static int read_config(void *context, struct config **out, struct error *err)
{
	struct wish *wish = context;
	if (wish->config == NULL)
		return cli_config(NULL, out, err);
	struct buf text;
	buf_init(&text, LIMIT_CONFIG);
	int code = file_read(wish->config, LIMIT_CONFIG, &text, err);
	if (code == 0)
		code = handover_config(&wish->handover, buf_str(&text), wish->config, time(NULL), out, err);
	buf_free(&text);
	return code;
}

static int serve(struct wish *wish, struct arena *arena, struct error *err)
{
	struct server_source *source = &wish->options.source;
	struct config *config = NULL;
	int code = read_config(wish, &config, err);
	if (code == 0 && wish->self_signed != NULL)
		code = use_self_signed(wish, arena, &source->tls.ca, err);
	if (code != 0) {
		config_free(config);
		return code;
	}
	source->context = wish;
	source->config_file = wish->config;
	source->config = read_config;
	source->tls.certificate = wish->tls_cert;
	source->tls.key = wish->tls_key;
	source->tls.priorities = wish->options.tls_priorities;
	source->tls.client_ca = wish->client_ca;
	source->tls.client_names = wish->client_names;
	source->tls.client_name_count = wish->client_name_count;
	return server_run(&wish->options, config, err);
}

int cmd_serve(int argc, char **argv)
{
	struct log log = LOG_TO(STDERR_FILENO);
	struct wish wish = {.handover.log = &log, .options = {
		.tls_priorities = TLS_PRIORITIES,
		.threads = server_default_threads(),
		.request_seconds = REQUEST_SECONDS,
		.body_mib = LIMIT_BODIES / MIB,
		.decision_mib = LIMIT_MEMORY / MIB,
		.drain_seconds = DRAIN_DELAY_SECONDS,
		.log = &log,
	}};
	bool done = false;
	int code = parse_wish(argc, argv, &wish, &done);
	if (code != EXIT_OK || done)
		return code;
	struct arena arena = {0};
	struct error err;
	code = serve(&wish, &arena, &err);
	handover_dispose(&wish.handover);
	arena_free(&arena);
	return code == 0 ? EXIT_OK : cli_fail("%s", err.text);
}
