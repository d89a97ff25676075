/* connhook review: what the cluster would do with manifests, offline. */
#include "cli/cli.h"
#include "cli/review_input.h"
#include "cli/review_print.h"
#include "cli/review_run.h"

#include "base/limits.h"

#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

static const char help[] =
	"connhook review [--config FILE] [-o FORMAT] [--namespace NS] [--user NAME] FILE|DIR|- ...\n"
	"\n"
	"Says what the cluster would do with manifests: mutates, then validates, exactly as the server does.\n"
	"Reads YAML of any number of documents, JSON, kind: List, directories, and - for standard input.\n"
	"\n"
	"  -o, --output summary   a line for each object, and what is wrong with it (default)\n"
	"               yaml      the admitted manifests, ready for kubectl apply; denials go to standard error\n"
	"               json      a list of source, kind, namespace, name, allowed, violations, warnings, patch\n"
	"               patch     the JSON Patch of each object that is patched, a line each\n"
	"               diff      a unified diff of what is patched\n"
	"  -c, --config FILE      the configuration; default: the built-in managed one\n"
	"  -n, --namespace NS     where objects without a namespace go; default: default\n"
	"      --user NAME        who applies them, for exemptions; default: a tenant\n"
	"\n"
	"Exit status: 0 all allowed, 1 something denied, 2 unreadable input or wrong usage.\n"
	"  kustomize build overlays/prod | connhook review -\n"
	"  connhook review -o yaml app.yaml | kubectl apply -f -\n";

/* All of one run. */
struct run {
	struct review_settings settings;
	const struct review_format *format;
	bool colour;
	struct buf out;
	struct review_totals totals;
	size_t printed;
};

/* Formats that show only what is admitted leave denials to standard error. */
static void say_denial(const struct review_result *r)
{
	for (size_t i = 0; i < r->finding_count; i++)
		if (r->findings[i].mode == MODE_ENFORCE)
			(void)fprintf(stderr, "connhook: denied: %s: %.*s %.*s: %.*s%s%.*s [%s]\n", r->manifest->source,
				      STR_ARG(r->kind), STR_ARG(r->name), STR_ARG(r->findings[i].field),
				      r->findings[i].field.n > 0 ? ": " : "", STR_ARG(r->findings[i].message),
				      r->findings[i].rule);
}

static int review_one(struct run *run, const struct manifest *m)
{
	struct review_result r = {0};
	struct error err;
	int rc = review_run(&run->settings, m, &r, &err);
	if (rc != 0) {
		review_result_free(&r);
		return cli_fail("%s:%zu: %s", m->source, m->line, err.text);
	}
	run->totals.objects++;
	run->totals.denied += !r.allowed;
	run->totals.patched += r.allowed && r.patched;
	run->totals.warned += r.warning_count > 0;
	bool lists_denials = run->format->end != NULL;
	if (!r.allowed && !lists_denials)
		say_denial(&r);
	run->format->print(&run->out, &r, run->printed == 0, run->colour);
	run->printed += lists_denials || r.allowed;
	review_result_free(&r);
	if (run->out.error != 0)
		return run->out.error == ERR_NOMEM ? cli_nomem() : cli_fail("the result is too large; review fewer files at once");
	int status = cli_print(buf_str(&run->out));
	buf_cut(&run->out, 0);
	return status;
}

static int review_all(struct run *run, const struct manifests *m)
{
	int status = EXIT_OK;
	if (run->format->begin != NULL)
		run->format->begin(&run->out);
	for (size_t i = 0; i < m->count && status == EXIT_OK; i++)
		status = review_one(run, &m->items[i]);
	if (status == EXIT_OK && run->format->end != NULL) {
		run->format->end(&run->out, &run->totals);
		status = run->out.error != 0 ? cli_nomem() : cli_print(buf_str(&run->out));
	}
	if (status == EXIT_OK && run->totals.denied > 0)
		status = EXIT_DENIED;
	return status;
}

static int review_paths(struct run *run, char **paths)
{
	struct manifests m = {0};
	struct error err;
	int rc = 0;
	for (; *paths != NULL && rc == 0; paths++)
		rc = manifests_add(&m, *paths, &err);
	buf_init(&run->out, LIMIT_MANIFEST * 2);
	int status = rc != 0 ? cli_fail("%s", err.text) : review_all(run, &m);
	buf_free(&run->out);
	manifests_free(&m);
	return status;
}

int cmd_review(int argc, char **argv)
{
	static const struct option options[] = {
		{"output", required_argument, NULL, 'o'}, {"config", required_argument, NULL, 'c'},
		{"namespace", required_argument, NULL, 'n'}, {"user", required_argument, NULL, 'u'},
		{"help", no_argument, NULL, 'h'}, {0},
	};
	struct run run = {.settings = {.namespace = STR("default"), .user = STR("tenant")}};
	const char *path = NULL, *format = "summary";
	optind = 1;
	for (int c; (c = getopt_long(argc, argv, ":o:c:n:h", options, NULL)) != -1;) {
		switch (c) {
		case 'o':
			format = optarg;
			break;
		case 'c':
			path = optarg;
			break;
		case 'n':
			run.settings.namespace = str_of(optarg);
			break;
		case 'u':
			run.settings.user = str_of(optarg);
			break;
		case 'h':
			return cli_print(STR(help));
		default:
			return cli_bad_option("review", argv, c);
		}
	}
	run.format = review_format_find(format);
	run.colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
	if (run.format == NULL)
		return cli_fail("review: there is no output format \"%s\"; expected summary, yaml, json, patch or diff", format);
	if (optind == argc)
		return cli_fail("review needs a FILE, a DIR or - for standard input; see connhook review --help");
	struct config *config;
	struct error err;
	if (cli_config(path, &config, &err) != 0)
		return cli_fail("%s", err.text);
	run.settings.config = config;
	int status = review_paths(&run, argv + optind);
	config_free(config);
	return status;
}
