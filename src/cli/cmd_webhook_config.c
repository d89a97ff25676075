/* connhook webhook-config: what registers connhook with the API server. */
#include "cli/cli.h"

#include "base/file.h"
#include "base/limits.h"
#include "codec/yaml_write.h"
#include "kube/name.h"
#include "publish/native.h"
#include "publish/registration.h"

#include <stdlib.h>
#include <string.h>

#define HTTPS_PORT 443
#define PORT_MAX 65535

enum {
	OPTION_CA_FILE = OPTION_FIRST,
	OPTION_CERT_MANAGER,
	OPTION_SERVICE,
	OPTION_URL,
	OPTION_KUBERNETES,
	OPTION_NATIVE,
};

static const struct command_option options[] = {
	{'c', "config", "FILE", "the configuration; default: the built-in managed one", NULL},
	{OPTION_CA_FILE, "ca-file", "FILE", "the CA that signed connhook's certificate, PEM", NULL},
	{OPTION_CERT_MANAGER, "cert-manager", "NS/NAME",
	 "no CA: cert-manager's injector takes it from this Certificate", NULL},
	{OPTION_SERVICE, "service", "NS/NAME[:PORT]", "the Service in front of connhook; port 443 by default", NULL},
	{OPTION_URL, "url", "BASE", "or where the API server reaches it: https://HOST[:PORT]", NULL},
	{OPTION_KUBERNETES, "kubernetes-version", "1.N",
	 "1.30 and newer also get matchConditions, which spare needless calls", NULL},
	{OPTION_NATIVE, "native", NULL,
	 "instead of webhooks: ValidatingAdmissionPolicy objects for the rules that the API server itself can judge, "
	 "Kubernetes 1.30 and newer",
	 NULL},
	{0, NULL, NULL, NULL, NULL},
};

const struct command webhook_config_command = {
	.name = "webhook-config",
	.says = "print what registers connhook with the API server",
	.usage = "webhook-config [--config FILE] (--ca-file FILE | --cert-manager NAMESPACE/CERTIFICATE)\n"
		 "               (--service NAMESPACE/NAME[:PORT] | --url BASE) [--kubernetes-version 1.N]\n"
		 "webhook-config --native [--config FILE]",
	.about = "Prints the MutatingWebhookConfiguration and the ValidatingWebhookConfiguration, ready for kubectl\n"
		 "apply. Their rules follow from the configuration: print them anew when it changes.\n",
	.options = options,
	.run = cmd_webhook_config,
};

struct arguments {
	const char *config, *ca_file;
	const char *of_webhooks; /* the last option that is about webhooks only; NULL: none */
	bool native;
	struct registration registration;
};

static bool parse_number(const char *text, int max, int *out)
{
	char *end;
	long n = strtol(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || n < 0 || n > max)
		return false;
	*out = (int)n;
	return true;
}

/* NAMESPACE/NAME[:PORT] */
static bool parse_service(const char *text, struct registration *r)
{
	struct str s = str_of(text);
	size_t slash = str_find(s, '/'), colon = str_rfind(s, ':');
	r->namespace = (struct str){s.p, slash};
	r->service = str_from((struct str){s.p, colon}, slash + 1);
	r->port = HTTPS_PORT;
	if (colon < s.n && (!parse_number(text + colon + 1, PORT_MAX, &r->port) || r->port == 0))
		return false;
	return name_is_label(r->namespace) && name_is_dns1035(r->service);
}

/* https://HOST[:PORT][/PATH], as the API server takes it: printable, without user, query and fragment. */
static bool parse_url(const char *text, struct registration *r)
{
	struct str scheme = STR("https://"), url = str_of(text);
	for (size_t i = 0; i < url.n; i++)
		if (url.p[i] <= ' ' || url.p[i] > '~' || strchr("?#@\"\\", url.p[i]) != NULL)
			return false;
	if (!str_starts(url, scheme) || url.n == scheme.n || strchr("/:", url.p[scheme.n]) != NULL)
		return false;
	while (str_ends(url, STR("/")))
		url.n--;
	r->url = url;
	return true;
}

/* NAMESPACE/CERTIFICATE */
static bool parse_certificate(const char *text, struct registration *r)
{
	struct str s = str_of(text);
	size_t slash = str_find(s, '/');
	r->inject_ca_from = s;
	return name_is_label((struct str){s.p, slash}) && name_is_subdomain(str_from(s, slash + 1));
}

static int parse_version(const char *text, struct registration *r)
{
	const char *minor = *text == 'v' ? text + 1 : text;
	char number[4];
	size_t n = 0;
	if (strncmp(minor, "1.", 2) != 0)
		return EXIT_USAGE;
	for (minor += 2; n < sizeof number - 1 && minor[n] >= '0' && minor[n] <= '9'; n++)
		number[n] = minor[n];
	number[n] = '\0';
	bool whole = minor[n] == '\0' || minor[n] == '.';
	return whole && parse_number(number, 999, &r->minor) ? EXIT_OK : EXIT_USAGE;
}

static int check(const struct arguments *a)
{
	const struct registration *r = &a->registration;
	if (a->native && a->of_webhooks != NULL)
		return cli_fail("--native takes no --%s: the API server judges native policies itself and calls nobody; "
				"leave it out", a->of_webhooks);
	if (a->native && r->minor > 0 && r->minor < REGISTRATION_MATCH_CONDITIONS)
		return cli_fail("native policies need Kubernetes 1.%d; register the webhooks instead: leave --native out",
				REGISTRATION_MATCH_CONDITIONS);
	if (a->native)
		return EXIT_OK;
	if ((r->service.p != NULL) == (r->url.p != NULL))
		return cli_fail("webhook-config needs either --service NAMESPACE/NAME or --url BASE; "
				"see connhook webhook-config --help");
	if ((a->ca_file != NULL) == (r->inject_ca_from.p != NULL))
		return cli_fail("webhook-config needs either --ca-file FILE or --cert-manager NAMESPACE/CERTIFICATE; "
				"see connhook webhook-config --help");
	return EXIT_OK;
}

/* EXIT_OK, or the exit status of what was printed. *done: it was help. */
static int parse(int argc, char **argv, struct arguments *a, bool *done)
{
	struct registration *r = &a->registration;
	struct option_parser p;
	char *value;
	int id;
	option_begin(&p, &webhook_config_command, argc, argv);
	while ((id = option_next(&p, &value)) != OPTION_END) {
		*done = id == OPTION_DONE;
		if (*done)
			return p.status;
		if (id >= OPTION_CA_FILE && id <= OPTION_URL)
			a->of_webhooks = options[id - OPTION_CA_FILE + 1].name;
		if (id == 'c')
			a->config = value;
		else if (id == OPTION_CA_FILE)
			a->ca_file = value;
		else if (id == OPTION_NATIVE)
			a->native = true;
		else if (id == OPTION_SERVICE && !parse_service(value, r))
			return cli_fail("--service is \"%s\"; expected NAMESPACE/NAME or NAMESPACE/NAME:PORT", value);
		else if (id == OPTION_URL && !parse_url(value, r))
			return cli_fail("--url is \"%s\"; expected https://HOST[:PORT] without query or user", value);
		else if (id == OPTION_CERT_MANAGER && !parse_certificate(value, r))
			return cli_fail("--cert-manager is \"%s\"; expected NAMESPACE/CERTIFICATE", value);
		else if (id == OPTION_KUBERNETES && parse_version(value, r) != EXIT_OK)
			return cli_fail("--kubernetes-version is \"%s\"; expected a version such as 1.30", value);
	}
	if (optind != argc)
		return cli_fail("webhook-config takes no argument \"%s\"; see connhook webhook-config --help", argv[optind]);
	return check(a);
}

/* A file that holds no certificate would be found out by the API server only when it calls. */
static int read_ca(const char *path, struct buf *pem)
{
	struct error err;
	if (file_read_input(path, LIMIT_CONFIG, pem, &err) != 0)
		return cli_fail("%s", err.text);
	if (strstr(pem->p, "-----BEGIN CERTIFICATE-----") == NULL)
		return cli_fail("%s holds no certificate in PEM form; give the CA's, such as ca.crt of connhook certs init",
				path);
	if (strstr(pem->p, "PRIVATE KEY-----") != NULL)
		return cli_fail("%s holds a private key, which must not be published; give the CA's certificate alone", path);
	return EXIT_OK;
}

/* Appends the object, written as JSON, as YAML; frees `json`. Failures stay in `out`. */
static void add_yaml(struct buf *out, struct buf *json)
{
	struct json *tree = NULL;
	int rc = json->error != 0 ? json->error : json_parse(buf_str(json), &tree, NULL);
	if (rc == 0)
		yaml_write(out, tree);
	else
		buf_fail(out, rc);
	json_free(tree);
	buf_free(json);
}

static void add_object(struct buf *out, void (*write)(struct buf *, const struct config *, const struct registration *),
		       const struct config *config, const struct registration *r)
{
	struct buf json;
	buf_init(&json, LIMIT_RESPONSE);
	write(&json, config, r);
	add_yaml(out, &json);
}

static void add_native_object(struct buf *out, void (*write)(struct buf *, const struct config *, enum rule_id),
			      const struct config *config, enum rule_id id)
{
	struct buf json;
	buf_addz(out, "---\n");
	buf_init(&json, LIMIT_RESPONSE);
	write(&json, config, id);
	add_yaml(out, &json);
}

static void add_native(struct buf *out, const struct config *config)
{
	native_write_notes(out, config);
	for (enum rule_id id = 0; id < RULE_COUNT; id++) {
		if (!native_has(config, id))
			continue;
		add_native_object(out, native_write_policy, config, id);
		add_native_object(out, native_write_binding, config, id);
	}
}

static void add_webhooks(struct buf *out, const struct arguments *a, const struct config *config)
{
	struct str glob = registration_glob_group(config);
	if (glob.p != NULL)
		(void)fprintf(stderr,
			      "connhook: warning: the API server cannot be told to call for groups like \"%.*s\"; "
			      "name the groups in the configuration\n",
			      STR_ARG(glob));
	add_object(out, registration_write_mutating, config, &a->registration);
	buf_addz(out, "---\n");
	add_object(out, registration_write_validating, config, &a->registration);
}

/* All or nothing: half of it could be applied. */
static int print_all(const struct arguments *a, const struct config *config)
{
	struct buf out;
	buf_init(&out, LIMIT_RESPONSE);
	if (a->native)
		add_native(&out, config);
	else
		add_webhooks(&out, a, config);
	int status = out.error != 0 ? cli_nomem() : cli_print(buf_str(&out));
	buf_free(&out);
	return status;
}

int cmd_webhook_config(int argc, char **argv)
{
	struct arguments a = {0};
	struct config *config;
	struct error err;
	struct buf pem;
	bool done = false;
	int status = parse(argc, argv, &a, &done);
	if (status != EXIT_OK || done)
		return status;
	buf_init(&pem, LIMIT_CONFIG);
	if (a.ca_file != NULL)
		status = read_ca(a.ca_file, &pem);
	if (status == EXIT_OK && cli_config(a.config, &config, &err) != 0)
		status = cli_fail("%s", err.text);
	if (status == EXIT_OK) {
		a.registration.ca_bundle = a.ca_file != NULL ? buf_str(&pem) : (struct str){NULL, 0};
		status = print_all(&a, config);
		config_free(config);
	}
	buf_free(&pem);
	return status;
}
