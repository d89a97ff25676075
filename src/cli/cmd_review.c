/* connhook review: what the cluster would do with manifests, offline. */
#include "cli/cli.h"
#include "review/manifests.h"
#include "review/notes.h"
#include "review/print.h"
#include "review/run.h"

#include "base/limits.h"
#include "base/text.h"
#include "kube/name.h"

#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#define OUTPUT_CHUNK (64 * KIB) /* that is collected before it is written */

static const char usage[] =
	"connhook review [--config FILE] [-o FORMAT] [--namespace NS] [--user NAME] [--strict] FILE|DIR|GLOB|- ...\n"
	"\n"
	"Says what the cluster would do with manifests: mutates, then validates, exactly as the server does.\n"
	"Reads YAML of any number of documents, JSON, kind: List, directories, quoted globs, and - for standard input.\n"
	"What the manifests only show together, such as a claim that is missing, is a note: it denies nothing.\n"
	"\n";

static const char options_help[] =
	"  -c, --config FILE      the configuration; default: the built-in managed one\n"
	"  -n, --namespace NS     where objects without a namespace go; default: default\n"
	"  -f, --filename FILE    the same as FILE; -R, --recursive is always so\n"
	"      --exclude GLOB     passes over what has that name, or path, in a DIR; also a line of .connhookignore\n"
	"      --stdin-name NAME  what reports call standard input\n"
	"      --strict           warnings and notes count as denials in the exit status\n"
	"      --user NAME        who applies them, for exemptions; default: a tenant\n"
	"  -h, --help             print this\n"
	"\n"
	"yaml, patch and diff show what is admitted; denials and warnings go to standard error then.\n"
	"Exit status: 0 all allowed, 1 something denied, 2 something unreadable (all else is judged), nothing to read,\n"
	"or wrong usage.\n"
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
	bool strict;
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
	struct manifests *m = &run->manifests;
	struct review_result *results = arena_array(&run->arena, m->count, sizeof *results);
	if (results == NULL)
		return cli_nomem();
	size_t count = 0;
	for (size_t i = 0; i < m->count; i++) {
		int rc = review_run(&run->arena, &run->settings, &m->items[i], &results[count], &err);
		if (rc == 0)
			count++;
		else if (rc == ERR_NOMEM || manifests_add_unreadable(m, &m->items[i], err.text, &err) != 0)
			return cli_nomem();
	}
	if (review_add_notes(&run->arena, &run->settings, results, count, &err) != 0)
		return cli_fail("%s", err.text);
	run->review.results = results;
	run->review.count = count;
	run->review.unreadable = m->unreadable;
	run->review.unreadable_count = m->unreadable_count;
	run->review.passed_over = m->passed_over;
	run->review.links = m->links;
	for (size_t i = 0; i < count; i++)
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

/* What a report on standard output cannot show, or not where one looks. */
static int say_input(const struct run *run)
{
	const struct review *review = &run->review;
	bool shown = run->format == review_format_find("summary") || run->format == review_format_find("github");
	struct buf text;
	int error = 0;
	for (size_t i = 0; i < review->unreadable_count && error == 0 && !shown; i++) {
		buf_init(&text, LIMIT_RESPONSE);
		review_add_unreadable(&text, &review->unreadable[i]);
		error = text.error;
		if (error == 0)
			(void)fprintf(stderr, "connhook: %.*s\n", STR_ARG(buf_str(&text)));
		buf_free(&text);
	}
	if (review->links > 0)
		(void)fprintf(stderr, "connhook: note: %zu link%s not followed: out of what was given; name the target\n",
			      review->links, review->links == 1 ? "" : "s");
	return error != 0 ? cli_nomem() : EXIT_OK;
}

/* Is anything denied; with --strict, or only warned of and noted? */
static bool is_refused(const struct run *run)
{
	const struct review *r = &run->review;
	return r->denied > 0 || (run->strict && r->warned + r->noted > 0);
}

static int review_paths(struct run *run, char **paths)
{
	struct error err;
	char **path = paths;
	int rc = 0;
	for (; *path != NULL && rc == 0; path++)
		rc = manifests_add(&run->manifests, *path, &err);
	/* A build that failed in front of a pipe must not pass. */
	if (rc == 0 && run->manifests.count + run->manifests.unreadable_count == 0)
		rc = manifests_add_empty(&run->manifests, paths[0], path - paths > 1, &err);
	if (rc != 0)
		return cli_fail("%s", err.text);
	buf_init(&run->out, LIMIT_MANIFEST * 2);
	int status = review_all(run);
	if (status == EXIT_OK)
		status = print_all(run);
	if (status == EXIT_OK)
		status = say_input(run);
	if (status == EXIT_OK)
		status = run->review.unreadable_count > 0 ? EXIT_USAGE : is_refused(run) ? EXIT_DENIED : EXIT_OK;
	buf_free(&run->out);
	return status;
}

enum { OPTION_USER = 256, OPTION_STRICT, OPTION_EXCLUDE, OPTION_STDIN_NAME };

/* The value of "-o=json" is json, as kubectl reads it. */
static char *value_of(char *value)
{
	return value[0] == '=' ? value + 1 : value;
}

int cmd_review(int argc, char **argv)
{
	static const struct option options[] = {
		{"output", required_argument, NULL, 'o'},
		{"config", required_argument, NULL, 'c'},
		{"namespace", required_argument, NULL, 'n'},
		{"filename", required_argument, NULL, 'f'},
		{"recursive", no_argument, NULL, 'R'},
		{"user", required_argument, NULL, OPTION_USER},
		{"strict", no_argument, NULL, OPTION_STRICT},
		{"exclude", required_argument, NULL, OPTION_EXCLUDE},
		{"stdin-name", required_argument, NULL, OPTION_STDIN_NAME},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct run run = {.settings = {.namespace = STR("default"), .user = STR("tenant")}};
	const char *path = NULL, *format = review_formats[0].name;
	struct error err;
	int rc = 0;
	manifests_init(&run.manifests);
	char **files = arena_array(&run.arena, (size_t)argc + 1, sizeof *files);
	size_t file_count = 0;
	if (files == NULL)
		return cli_nomem();
	optind = 1;
	for (int c; rc == 0 && (c = getopt_long(argc, argv, ":o:c:n:f:Rh", options, NULL)) != -1;) {
		switch (c) {
		case 'o':
			format = value_of(optarg);
			break;
		case 'c':
			path = value_of(optarg);
			break;
		case 'n':
			run.settings.namespace = str_of(value_of(optarg));
			break;
		case 'f':
			files[file_count++] = value_of(optarg);
			break;
		case 'R': /* directories are always read so */
			break;
		case OPTION_USER:
			run.settings.user = str_of(optarg);
			break;
		case OPTION_STRICT:
			run.strict = true;
			break;
		case OPTION_EXCLUDE:
			rc = manifests_exclude(&run.manifests, optarg, &err);
			break;
		case OPTION_STDIN_NAME:
			run.manifests.stdin_name = optarg;
			break;
		case 'h':
			arena_free(&run.arena);
			manifests_free(&run.manifests);
			return print_help();
		default:
			arena_free(&run.arena);
			manifests_free(&run.manifests);
			return cli_bad_option("review", argv, c);
		}
	}
	for (int i = optind; i < argc; i++)
		files[file_count++] = argv[i];
	run.format = review_format_find(format);
	run.review.colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
	int status;
	struct config *config = NULL;
	struct str ns = run.settings.namespace;
	if (rc != 0)
		status = cli_nomem();
	else if (run.format == NULL)
		status = unknown_format(format);
	else if (!name_is_label(ns))
		status = cli_fail("review: %s is no name of a namespace; expected lower-case letters, digits and -, at most 63",
				  text_quote_name(ns).text);
	else if (file_count == 0)
		status = cli_fail("review needs a FILE, a DIR or - for standard input; see connhook review --help");
	else if (cli_config(path, &config, &err) != 0)
		status = cli_fail("%s", err.text);
	else {
		run.settings.config = config;
		status = review_paths(&run, files);
	}
	arena_free(&run.arena);
	manifests_free(&run.manifests);
	config_free(config);
	return status;
}
