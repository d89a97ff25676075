/* connhook review: what the cluster would do with manifests, offline. */
#include "cli/cli.h"
#include "cli/review_input.h"
#include "cli/review_notes.h"
#include "cli/review_print.h"
#include "cli/review_run.h"

#include "base/limits.h"

#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#define OUTPUT_CHUNK (64 * KIB) /* that is collected before it is written */

static const char usage[] =
	"connhook review [--config FILE] [-o FORMAT] [--namespace NS] [--user NAME] FILE|DIR|GLOB|- ...\n"
	"\n"
	"Says what the cluster would do with manifests: mutates, then validates, exactly as the server does.\n"
	"Reads YAML of any number of documents, JSON, kind: List, directories, quoted globs, and - for standard input.\n"
	"What the manifests only show together, such as a claim that is missing, is a note: it denies nothing.\n"
	"\n";

static const char options_help[] =
	"  -c, --config FILE      the configuration; default: the built-in managed one\n"
	"  -n, --namespace NS     where objects without a namespace go; default: default\n"
	"      --user NAME        who applies them, for exemptions; default: a tenant\n"
	"  -h, --help             print this\n"
	"\n"
	"yaml, patch and diff show what is admitted; denials and warnings go to standard error then.\n"
	"Exit status: 0 all allowed, 1 something denied, 2 unreadable input or wrong usage.\n"
	"  kustomize build overlays/prod | connhook review -\n"
	"  connhook review -o yaml app.yaml | kubectl apply -f -\n"
	"  connhook review 'apps/**/*.yaml'\n";

static int print_help(void)
{
	struct buf text;
	buf_init(&text, LIMIT_MESSAGE);
	buf_addz(&text, usage);
	for (const struct review_format *f = review_formats; f->name != NULL; f++)
		buf_fmt(&text, "%s%-9s %s%s\n", f == review_formats ? "  -o, --output " : "               ", f->name, f->says,
			f == review_formats ? " (default)" : "");
	buf_addz(&text, options_help);
	int status = text.error != 0 ? cli_nomem() : cli_print(buf_str(&text));
	buf_free(&text);
	return status;
}

static int unknown_format(const char *name)
{
	struct buf known;
	buf_init(&known, LIMIT_MESSAGE);
	for (const struct review_format *f = review_formats; f->name != NULL; f++)
		buf_fmt(&known, "%s%s", f == review_formats ? "" : f[1].name != NULL ? ", " : " or ", f->name);
	int status = cli_fail("review: there is no output format \"%s\"; expected %.*s", name, STR_ARG(buf_str(&known)));
	buf_free(&known);
	return status;
}

/* All of one run. */
struct run {
	struct review_settings settings;
	const struct review_format *format;
	struct manifests manifests;
	struct arena arena; /* of the results */
	struct review review;
	struct buf out;
};

/* ---- reviewing ---- */

static void count_result(struct review *review, const struct review_result *r)
{
	review->denied += !r->allowed;
	review->patched += r->patch.n > 0;
	review->warned += r->warning_count > 0;
	review->noted += r->note_count > 0;
}

static int review_all(struct run *run)
{
	struct error err;
	const struct manifests *m = &run->manifests;
	struct review_result *results = arena_array(&run->arena, m->count, sizeof *results);
	if (results == NULL)
		return cli_nomem();
	for (size_t i = 0; i < m->count; i++)
		if (review_run(&run->arena, &run->settings, &m->items[i], &results[i], &err) != 0)
			return cli_fail("%s:%zu: %s", m->items[i].source, m->items[i].line, err.text);
	if (review_add_notes(&run->arena, &run->settings, results, m->count, &err) != 0)
		return cli_fail("%s", err.text);
	run->review.results = results;
	run->review.count = m->count;
	for (size_t i = 0; i < m->count; i++)
		count_result(&run->review, &results[i]);
	return EXIT_OK;
}

/* ---- printing ---- */

/* Formats that show only what is admitted leave denials and warnings to standard error, a line each. */
static int say_remarks(const struct review_result *r)
{
	struct review_remark remark;
	struct buf text;
	int error = 0;
	for (size_t i = 0; review_remark(r, i, &remark) && error == 0; i++) {
		if (remark.level == LEVEL_NOTE)
			continue;
		buf_init(&text, LIMIT_RESPONSE);
		review_add_place(&text, r, remark.line);
		buf_addz(&text, ": ");
		review_add_title(&text, r);
		buf_addz(&text, ": ");
		review_add_sentence(&text, &remark);
		error = text.error;
		if (error == 0)
			(void)fprintf(stderr, "connhook: %s: %.*s [%s]\n",
				      remark.level == LEVEL_ERROR ? "denied" : remark.audited ? "would be denied" : "warning",
				      STR_ARG(buf_str(&text)), remark.id);
		buf_free(&text);
	}
	return error != 0 ? cli_nomem() : EXIT_OK;
}

/* Writes what has been collected. */
static int flush(struct run *run)
{
	if (run->out.error != 0)
		return run->out.error == ERR_NOMEM ? cli_nomem()
						   : cli_fail("the result is too large; review fewer files at once");
	int status = run->out.n > 0 ? cli_print(buf_str(&run->out)) : EXIT_OK;
	buf_cut(&run->out, 0);
	return status;
}

static int print_all(struct run *run)
{
	const struct review *review = &run->review;
	const struct review_format *format = run->format;
	int status = EXIT_OK;
	if (format->begin != NULL)
		format->begin(&run->out, review);
	for (size_t i = 0; i < review->count && status == EXIT_OK; i++) {
		if (format->admitted_only)
			status = say_remarks(&review->results[i]);
		format->print(&run->out, review, &review->results[i]);
		if (status == EXIT_OK && (run->out.n > OUTPUT_CHUNK || run->out.error != 0))
			status = flush(run);
	}
	if (status == EXIT_OK && format->end != NULL)
		format->end(&run->out, review);
	return status == EXIT_OK ? flush(run) : status;
}

static int review_paths(struct run *run, char **paths)
{
	struct error err;
	char **path = paths;
	int rc = 0;
	for (; *path != NULL && rc == 0; path++)
		rc = manifests_add(&run->manifests, *path, &err);
	if (rc != 0)
		return cli_fail("%s", err.text);
	if (run->manifests.count == 0)
		return cli_fail("there is no Kubernetes object in %s%s; give manifests, or pipe kustomize build to review -",
				paths[0], path - paths > 1 ? ", ..." : "");
	buf_init(&run->out, LIMIT_MANIFEST * 2);
	int status = review_all(run);
	if (status == EXIT_OK)
		status = print_all(run);
	if (status == EXIT_OK && run->review.denied > 0)
		status = EXIT_DENIED;
	buf_free(&run->out);
	return status;
}

int cmd_review(int argc, char **argv)
{
	static const struct option options[] = {
		{"output", required_argument, NULL, 'o'},    {"config", required_argument, NULL, 'c'},
		{"namespace", required_argument, NULL, 'n'}, {"user", required_argument, NULL, 'u'},
		{"help", no_argument, NULL, 'h'}, {0},
	};
	struct run run = {.settings = {.namespace = STR("default"), .user = STR("tenant")}};
	const char *path = NULL, *format = review_formats[0].name;
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
			return print_help();
		default:
			return cli_bad_option("review", argv, c);
		}
	}
	run.format = review_format_find(format);
	run.review.colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
	if (run.format == NULL)
		return unknown_format(format);
	if (optind == argc)
		return cli_fail("review needs a FILE, a DIR or - for standard input; see connhook review --help");
	struct config *config;
	struct error err;
	if (cli_config(path, &config, &err) != 0)
		return cli_fail("%s", err.text);
	run.settings.config = config;
	int status = review_paths(&run, argv + optind);
	arena_free(&run.arena);
	manifests_free(&run.manifests);
	config_free(config);
	return status;
}
