#include "cli/config_test.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "codec/json_writer.h"
#include "policy/decide/decide.h"
#include "policy/rules/rule.h"

#include <string.h>

#define COLUMNS 8

/* What a column of the list holds. */
enum column { VERDICT, IMAGE, CONTAINER, NAME, VALUE, API_VERSION, KIND, WHAT, COLUMN_COUNT };

static const char *const column_names[COLUMN_COUNT] = {"verdict", "image",      "container", "name",
						       "value",   "apiVersion", "kind",      "what"};

/* The verdicts: what must be denied, what must be allowed, and what nobody can say. */
static const struct {
	const char *word;
	bool denied, judged;
} verdicts[] = {
	{"server", true, true},      {"database", true, true},  {"credential", true, true}, {"denied", true, true},
	{"other", false, true},      {"client", false, true},   {"harmless", false, true},  {"allowed", false, true},
	{"either", false, false},
};

struct list {
	const struct config *config;
	const char *path;
	size_t line;
	enum column order[COLUMNS]; /* COLUMN_COUNT for a column that is passed over */
	size_t columns;
	bool has[COLUMN_COUNT];
	enum rule_id rule;
	size_t rows, to_deny, missed, to_allow, refused;
};

/* ---- one row as a review ---- */

static void write_workload(struct json_writer *w, const struct list *list, const struct str *cells,
			   const struct json *container)
{
	jw_object(w);
	jw_memberz(w, "apiVersion", "apps/v1");
	jw_memberz(w, "kind", "Deployment");
	jw_key(w, "metadata");
	jw_raw(w, STR("{\"name\":\"row\",\"namespace\":\"row\"}"));
	jw_key(w, "spec");
	jw_raw(w, STR("{\"template\":{\"spec\":{\"containers\":["));
	w->comma = false;
	if (container != NULL) {
		jw_value(w, container);
	} else {
		jw_object(w);
		jw_memberz(w, "name", "row");
		jw_member(w, "image", list->has[IMAGE] ? cells[IMAGE] : STR("row:1"));
		if (list->has[NAME]) {
			jw_key(w, "env");
			jw_array(w);
			jw_object(w);
			jw_member(w, "name", cells[NAME]);
			jw_member(w, "value", cells[VALUE]);
			jw_object_end(w);
			jw_array_end(w);
		}
		jw_object_end(w);
	}
	buf_addz(w->out, "]}}}");
	w->comma = true;
	jw_object_end(w);
}

static void write_review(struct buf *out, const struct list *list, const struct str *cells,
			 const struct json *container)
{
	struct json_writer w = {.out = out};
	struct str version = list->has[KIND] ? cells[API_VERSION] : STR("apps/v1");
	size_t slash = str_find(version, '/');
	jw_object(&w);
	jw_memberz(&w, "apiVersion", "admission.k8s.io/v1");
	jw_memberz(&w, "kind", "AdmissionReview");
	jw_key(&w, "request");
	jw_object(&w);
	jw_memberz(&w, "uid", "row");
	jw_key(&w, "kind");
	jw_object(&w);
	jw_member(&w, "group", slash < version.n ? (struct str){version.p, slash} : STR(""));
	jw_member(&w, "version", slash < version.n ? str_from(version, slash + 1) : version);
	jw_member(&w, "kind", list->has[KIND] ? cells[KIND] : STR("Deployment"));
	jw_object_end(&w);
	jw_memberz(&w, "name", "row");
	jw_memberz(&w, "namespace", "row");
	jw_memberz(&w, "operation", "CREATE");
	jw_key(&w, "userInfo");
	jw_raw(&w, STR("{\"username\":\"row\"}"));
	jw_key(&w, "object");
	if (list->has[KIND]) {
		jw_object(&w);
		jw_member(&w, "apiVersion", version);
		jw_member(&w, "kind", cells[KIND]);
		jw_key(&w, "metadata");
		jw_raw(&w, STR("{\"name\":\"row\",\"namespace\":\"row\"}"));
		jw_key(&w, "spec");
		jw_raw(&w, STR("{}"));
		jw_object_end(&w);
	} else {
		write_workload(&w, list, cells, container);
	}
	jw_object_end(&w);
	jw_object_end(&w);
}

/* Does the rule have something to say about the row? ERR_INVALID when the row is none. */
static int ask(const struct list *list, const struct str *cells, bool *found, struct error *err)
{
	struct json *container = NULL;
	struct decision decision = {0};
	struct buf body;
	int rc = list->has[CONTAINER] ? json_parse(cells[CONTAINER], &container, err) : 0;
	if (rc != 0)
		return rc;
	buf_init(&body, LIMIT_RESPONSE);
	write_review(&body, list, cells, container);
	json_free(container);
	rc = body.error;
	if (rc == 0)
		decide(list->config, PHASE_VALIDATE, buf_str(&body), &decision);
	buf_free(&body);
	if (rc != 0)
		return error_nomem(err);
	for (size_t i = 0; i < decision.finding_count; i++)
		*found = *found || strcmp(decision.findings[i].rule, rules[list->rule]->id) == 0;
	if (decision.http_status == 500)
		rc = error_nomem(err);
	else if (decision.http_status != 200)
		rc = error_set(err, ERR_INVALID, "%.*s", STR_ARG(buf_str(&decision.body)));
	decision_free(&decision);
	return rc;
}

/* ---- the list ---- */

static int fail(const struct list *list, const char *found, const char *expected)
{
	return cli_fail("%s:%zu: found %s; expected %s", list->path, list->line, found, expected);
}

/* The first line: which columns there are, and which rule they are about. */
static int read_head(struct list *list, struct str line)
{
	struct str cell;
	while (str_split(&line, '\t', &cell)) {
		enum column c = VERDICT;
		if (list->columns == COLUMNS)
			return fail(list, "too many columns", "at most 8");
		while (c < COLUMN_COUNT && !str_eqz(cell, column_names[c]))
			c++;
		list->order[list->columns++] = c;
		if (c < COLUMN_COUNT)
			list->has[c] = true;
	}
	int kinds = list->has[IMAGE] + list->has[CONTAINER] + (list->has[NAME] && list->has[VALUE]) +
		    (list->has[API_VERSION] && list->has[KIND]);
	if (!list->has[VERDICT] || kinds != 1)
		return fail(list, "a first line that names other columns",
			    "verdict, and image, or container, or name and value, or apiVersion and kind, parted by tabs");
	list->rule = list->has[NAME] ? RULE_LITERAL_CREDENTIALS : RULE_NO_IN_CLUSTER_DATABASE;
	if (list->config->rules[list->rule].mode == MODE_OFF)
		return cli_fail("%s: %s is off in this configuration; turn it on, at least to warn", list->path,
				rules[list->rule]->id);
	return EXIT_OK;
}

/* What may be shown of a row: never a value. */
static struct str shown(const struct list *list, const struct str *cells)
{
	if (list->has[CONTAINER])
		return list->has[WHAT] ? cells[WHAT] : STR("a container");
	return list->has[IMAGE] ? cells[IMAGE] : list->has[NAME] ? cells[NAME] : cells[KIND];
}

static int read_row(struct list *list, struct str line)
{
	struct str cells[COLUMN_COUNT + 1] = {{NULL, 0}}, cell;
	struct error err;
	size_t count = 0, v = 0;
	bool found = false;
	while (str_split(&line, '\t', &cell)) {
		if (count < list->columns)
			cells[list->order[count]] = cell;
		count++;
	}
	if (count != list->columns)
		return fail(list, "another number of columns than in the first line", "as many");
	while (v < sizeof verdicts / sizeof verdicts[0] && !str_eqz(cells[VERDICT], verdicts[v].word))
		v++;
	if (v == sizeof verdicts / sizeof verdicts[0])
		return fail(list, text_quote(cells[VERDICT]).text,
			    "server, database, credential or denied; other, client, harmless or allowed; or either");
	int rc = ask(list, cells, &found, &err);
	if (rc != 0)
		return rc == ERR_NOMEM ? cli_nomem() : cli_fail("%s:%zu: %s", list->path, list->line, err.text);
	list->rows++;
	if (!verdicts[v].judged)
		return EXIT_OK;
	list->to_deny += verdicts[v].denied;
	list->to_allow += !verdicts[v].denied;
	if (found == verdicts[v].denied)
		return EXIT_OK;
	list->missed += !found;
	list->refused += found;
	printf("%s:%zu: %s: %s is %s\n", list->path, list->line, found ? "wrongly refused" : "missed",
	       text_quote_name(shown(list, cells)).text, verdicts[v].word);
	return EXIT_OK;
}

/* One list: EXIT_DENIED when the configuration is wrong about a row. */
static int test_list(const struct config *config, const char *path)
{
	struct list list = {.config = config, .path = path};
	struct buf text;
	struct error err;
	struct str line;
	buf_init(&text, LIMIT_MANIFEST);
	int rc = file_read_input(path, LIMIT_MANIFEST, &text, &err), status = EXIT_OK;
	if (rc != 0)
		status = cli_fail("%s", err.text);
	struct str rest = buf_str(&text);
	while (status == EXIT_OK && str_split(&rest, '\n', &line)) {
		list.line++;
		if (str_ends(line, STR("\r")))
			line.n--;
		if (line.n > 0)
			status = list.columns == 0 ? read_head(&list, line) : read_row(&list, line);
	}
	buf_free(&text);
	if (status != EXIT_OK)
		return status;
	if (list.columns == 0)
		return cli_fail("%s: found an empty list; expected columns and rows, parted by tabs", path);
	printf("%s: %zu rows; %zu to be denied, %zu missed; %zu to be allowed, %zu wrongly refused; %zu not judged\n", path,
	       list.rows, list.to_deny, list.missed, list.to_allow, list.refused, list.rows - list.to_deny - list.to_allow);
	return list.missed + list.refused > 0 ? EXIT_DENIED : EXIT_OK;
}

static const struct command_option options[] = {
	{'c', "config", "FILE", "the configuration; default: the built-in managed one", NULL},
	{0, NULL, NULL, NULL, NULL},
};

const struct command config_test_command = {
	.name = "config test",
	.says = "score a configuration on a list of verdicts",
	.usage = "config test [--config FILE] LIST...",
	.about = "LIST is a table, parted by tabs, whose first line names its columns: verdict, and image, or container\n"
		 "(JSON), or name and value (of a variable), or apiVersion and kind. Verdicts: server, database, credential\n"
		 "or denied; other, client, harmless or allowed; either. It exits with 1 when the rules say something else\n"
		 "about a row.\n",
	.options = options,
	.run = config_test,
};

int config_test(int argc, char **argv)
{
	struct option_parser p;
	char *value;
	int id;
	const char *path = NULL;
	struct config *config;
	struct error err;
	option_begin(&p, &config_test_command, argc, argv);
	while ((id = option_next(&p, &value)) != OPTION_END) {
		if (id == OPTION_DONE)
			return p.status;
		path = value;
	}
	if (optind == argc)
		return cli_fail("config test takes FILE.tsv, one or more; see connhook config --help");
	if (cli_config(path, &config, &err) != 0)
		return cli_fail("%s", err.text);
	int status = EXIT_OK;
	for (int i = optind; i < argc && status != EXIT_USAGE; i++) {
		int one = test_list(config, argv[i]);
		status = one > status ? one : status;
	}
	config_free(config);
	int printed = cli_print(STR(""));
	return printed != EXIT_OK ? printed : status;
}
