/* connhook review: what the cluster would do with manifests, offline. */
#include "cli/cli.h"
#include "review/manifests.h"
#include "review/notes.h"
#include "review/print.h"
#include "review/run.h"

#include "base/limits.h"
#include "base/parallel.h"
#include "base/text.h"
#include "kube/name.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_CHUNK (64 * KIB) /* that is collected before it is written */

enum {
	OPTION_USER = OPTION_FIRST,
	OPTION_GROUP,
	OPTION_STRICT,
	OPTION_EXCLUDE,
	OPTION_STDIN_NAME,
};

/* The formats, from the table that prints them. */
static const struct command_value *list_formats(void)
{
	static struct command_value values[REVIEW_FORMATS + 1];
	for (size_t i = 0; i < REVIEW_FORMATS && review_formats[i].name != NULL; i++)
		values[i] = (struct command_value){review_formats[i].name, review_formats[i].says};
	return values;
}

static const struct command_option options[] = {
	{'o', "output", "FORMAT", "the first is the default:", list_formats},
	{'c', "config", "FILE", "the configuration; default: the built-in managed one", NULL},
	{'n', "namespace", "NS", "where objects without a namespace go; default: default", NULL},
	{'f', "filename", "FILE", "the same as FILE", NULL},
	{'R', "recursive", NULL, "directories are always read to their bottom", NULL},
	{OPTION_EXCLUDE, "exclude", "GLOB",
	 "pass over that name or path in a DIR; repeatable; also in .connhookignore", NULL},
	{OPTION_STDIN_NAME, "stdin-name", "NAME", "what reports call standard input", NULL},
	{OPTION_STRICT, "strict", NULL, "warnings and notes count as denials in the exit status", NULL},
	{OPTION_USER, "user", "NAME", "who applies them, for exemptions; default: a tenant", NULL},
	{OPTION_GROUP, "group", "NAME", "a group of that user; may be repeated", NULL},
	{0, NULL, NULL, NULL, NULL},
};

const struct command review_command = {
	.name = "review",
	.says = "say what the cluster would do with manifests, offline",
	.usage = "review [--config FILE] [-o FORMAT] [--namespace NS] [--user NAME] [--strict] FILE|DIR|GLOB|- ...",
	.about = "Says what the cluster would do with manifests: mutates, then validates, exactly as the server does.\n"
		 "Reads YAML of any number of documents, JSON, lists, directories, quoted globs, and - for standard input.\n"
		 "What the manifests only show together, such as a claim that is missing, is a note: it denies nothing.\n",
	.options = options,
	.after = "yaml, patch and diff show what is admitted; denials and warnings go to standard error then.\n"
		 "Exit status: 0 all allowed, 1 something denied, 2 something unreadable (all else is judged), nothing to\n"
		 "read, or wrong usage.\n"
		 "  kustomize build overlays/prod | connhook review -\n"
		 "  connhook review -o yaml app.yaml | kubectl apply -f -\n"
		 "  connhook review 'apps/**/*.yaml'\n",
	.run = cmd_review,
};

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

/* Some manifests, one behind the other: what one thread reviews at a time. */
#define PORTION 64

struct portion {
	struct arena arena;
	int rc[PORTION];
	struct str why[PORTION]; /* a sentence, where no review can hold it */
};

struct portions {
	struct run *run;
	struct portion *items;
	struct review_result *results;
};

static void review_portion(void *context, size_t index)
{
	struct portions *all = context;
	struct portion *p = &all->items[index];
	const struct manifests *m = &all->run->manifests;
	for (size_t i = 0, n = index * PORTION; i < PORTION && n < m->count; i++, n++) {
		struct error err;
		p->rc[i] = review_run(&p->arena, &all->run->settings, &m->items[n], &all->results[n], &err);
		p->why[i] = p->rc[i] != 0 ? arena_str(&p->arena, str_of(err.text)) : (struct str){NULL, 0};
	}
}

/* Takes out those that no review can hold, which become unreadable. ERR_NOMEM. */
static int take_results(struct portions *all, size_t *count)
{
	struct manifests *m = &all->run->manifests;
	struct error err;
	*count = 0;
	for (size_t n = 0; n < m->count; n++) {
		const struct portion *p = &all->items[n / PORTION];
		int rc = p->rc[n % PORTION];
		if (rc == 0)
			all->results[(*count)++] = all->results[n];
		else if (rc == ERR_NOMEM || p->why[n % PORTION].p == NULL ||
			 manifests_add_unreadable(m, &m->items[n], p->why[n % PORTION].p, &err) != 0)
			return ERR_NOMEM;
	}
	return 0;
}

static void free_portions(void *context)
{
	struct portions *all = context;
	for (size_t i = 0; i * PORTION < all->run->manifests.count; i++)
		arena_free(&all->items[i].arena);
}

static int review_all(struct run *run)
{
	struct error err;
	struct manifests *m = &run->manifests;
	size_t count = (m->count + PORTION - 1) / PORTION;
	struct portions *all = arena_alloc(&run->arena, sizeof *all);
	if (all == NULL)
		return cli_nomem();
	*all = (struct portions){run, arena_array(&run->arena, count, sizeof *all->items),
				 arena_array(&run->arena, m->count, sizeof *all->results)};
	if (all->items == NULL || all->results == NULL || !arena_adopt(&run->arena, free_portions, all))
		return cli_nomem();
	parallel_each(count, review_portion, all);
	if (take_results(all, &count) != 0)
		return cli_nomem();
	if (review_add_notes(&run->arena, &run->settings, all->results, count, &err) != 0)
		return cli_fail("%s", err.text);
	if (review_count(&run->review, all->results, count) != 0)
		return cli_nomem();
	run->review.unreadable = m->unreadable;
	run->review.unreadable_count = m->unreadable_count;
	run->review.passed_over = m->passed_over;
	run->review.links = m->links;
	return EXIT_OK;
}

/* ---- printing ---- */

/* Formats that show only what is admitted leave denials and warnings to standard error, a line each. */
static int say_remarks(const struct review *review, const struct review_result *r)
{
	struct review_remark remark;
	struct buf text;
	int error = 0;
	for (size_t i = 0; review_remark(review, r, i, &remark) && error == 0; i++) {
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
			status = say_remarks(review, &review->results[i]);
		if (format->print != NULL)
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

static int review_paths(struct run *run, char **paths)
{
	struct error err;
	char **path = paths;
	int rc = 0;
	for (; *path != NULL && rc == 0; path++)
		rc = manifests_add(&run->manifests, *path, &err);
	if (rc == 0)
		rc = manifests_finish(&run->manifests, &err);
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
		status = run->review.unreadable_count > 0 ? EXIT_USAGE : run->review.refused > 0 ? EXIT_DENIED : EXIT_OK;
	buf_free(&run->out);
	return status;
}

/* What the command line asks for beside the run. */
struct wish {
	const char *config, *format;
	char **files;
	size_t file_count;
	struct str *groups;
};

static int take_option(int id, char *value, struct run *run, struct wish *wish)
{
	struct error err;
	switch (id) {
	case 'o':
		wish->format = value;
		break;
	case 'c':
		wish->config = value;
		break;
	case 'n':
		run->settings.namespace = str_of(value);
		break;
	case 'f':
		wish->files[wish->file_count++] = value;
		break;
	case OPTION_USER:
		run->settings.user = str_of(value);
		break;
	case OPTION_GROUP:
		wish->groups[run->settings.group_count++] = str_of(value);
		break;
	case OPTION_STRICT:
		run->review.strict = true;
		break;
	case OPTION_EXCLUDE:
		return manifests_exclude(&run->manifests, value, &err) == 0 ? EXIT_OK : cli_nomem();
	case OPTION_STDIN_NAME:
		run->manifests.stdin_name = value;
		break;
	default: /* -R */
		break;
	}
	return EXIT_OK;
}

/* EXIT_OK, or the exit status of what was printed. *done: it was help. */
static int parse(int argc, char **argv, struct run *run, struct wish *wish, bool *done)
{
	struct option_parser p;
	char *value;
	int id, status = EXIT_OK;
	wish->files = arena_array(&run->arena, (size_t)argc + 1, sizeof(*wish->files));
	wish->groups = arena_array(&run->arena, (size_t)argc + 1, sizeof *wish->groups);
	if (wish->files == NULL || wish->groups == NULL)
		return cli_nomem();
	run->settings.groups = wish->groups;
	option_begin(&p, &review_command, argc, argv);
	while (status == EXIT_OK && (id = option_next(&p, &value)) != OPTION_END) {
		*done = id == OPTION_DONE;
		if (*done)
			return p.status;
		status = take_option(id, value, run, wish);
	}
	for (int i = optind; i < argc; i++)
		wish->files[wish->file_count++] = argv[i];
	return status;
}

/* On a terminal nobody knows that the program waits. */
static void say_waiting(const struct wish *wish)
{
	for (size_t i = 0; i < wish->file_count; i++)
		if (strcmp(wish->files[i], "-") == 0 && isatty(STDIN_FILENO)) {
			(void)fputs("connhook: reading manifests from the terminal; end them with Ctrl-D\n", stderr);
			return;
		}
}

static int review(struct run *run, const struct wish *wish)
{
	struct error err;
	struct config *config = NULL;
	run->format = review_format_find(wish->format);
	run->review.colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
	if (run->format == NULL)
		return unknown_format(wish->format);
	if (!name_is_label(run->settings.namespace))
		return cli_fail("review: %s is no name of a namespace; expected lower-case letters, digits and -, at most 63",
				text_quote_name(run->settings.namespace).text);
	if (wish->file_count == 0)
		return cli_fail("review needs a FILE, a DIR or - for standard input; see connhook review --help");
	if (cli_config(wish->config, &config, &err) != 0)
		return cli_fail("%s", err.text);
	say_waiting(wish);
	run->settings.config = config;
	int status = review_paths(run, wish->files);
	config_free(config);
	return status;
}

int cmd_review(int argc, char **argv)
{
	struct run run = {.settings = {.namespace = STR("default"), .user = STR("tenant")}};
	struct wish wish = {.format = review_formats[0].name};
	bool done = false;
	manifests_init(&run.manifests);
	int status = parse(argc, argv, &run, &wish, &done);
	if (status == EXIT_OK && !done)
		status = review(&run, &wish);
	arena_free(&run.arena);
	manifests_free(&run.manifests);
	return status;
}
