/* connhook explain: what one workload asks for, what it gets, and from where. */
#include "cli/cli.h"
#include "review/explain.h"

#include "base/limits.h"
#include "kube/workload.h"

static const struct command_option options[] = {
	{'c', "config", "FILE", "the configuration; default: the built-in managed one", NULL},
	{'n', "namespace", "NS", "where objects without a namespace go; default: default", NULL},
	{0, NULL, NULL, NULL, NULL},
};

const struct command explain_command = {
	.name = "explain",
	.says = "say what a workload asks for, what it gets, and from where",
	.usage = "explain [--config FILE] [--namespace NS] FILE|-",
	.about = "Says of each workload in a file what it asks connhook for, what it gets in which container, from which\n"
		 "binding, and whose each entry is: connhook's, by its record, or its owner's.\n",
	.options = options,
	.after = "  kubectl get deployment shop -o yaml | connhook explain -\n",
	.run = cmd_explain,
};

static int explain_all(struct manifests *m, const struct review_settings *settings, const char *path)
{
	struct error err;
	struct arena arena = {0};
	struct buf out;
	size_t told = 0;
	buf_init(&out, LIMIT_RESPONSE);
	int rc = manifests_add(m, path, &err);
	if (rc == 0)
		rc = manifests_finish(m, &err);
	for (size_t i = 0; i < m->count && rc == 0; i++) {
		struct review_result result;
		rc = review_run(&arena, settings, &m->items[i], &result, &err);
		if (rc != 0 || workload_find(result.group, result.kind) == NULL)
			continue;
		rc = review_explain(&arena, settings, &result, &out, &err);
		told++;
	}
	int status = EXIT_OK;
	if (rc != 0)
		status = cli_fail("%s", err.text);
	else if (out.error != 0)
		status = cli_nomem();
	else if (m->unreadable_count > 0)
		status = cli_fail("%.*s", STR_ARG(m->unreadable[0].message));
	else if (told == 0)
		status = cli_fail("explain: there is no workload in %s; name a file with a Deployment or the like", path);
	else
		status = cli_print(buf_str(&out));
	buf_free(&out);
	arena_free(&arena);
	return status;
}

int cmd_explain(int argc, char **argv)
{
	struct review_settings settings = {.namespace = STR("default"), .user = STR("tenant")};
	struct config *config = NULL;
	struct manifests m;
	struct error err;
	struct option_parser p;
	const char *file = NULL;
	char *value;
	int id;
	option_begin(&p, &explain_command, argc, argv);
	while ((id = option_next(&p, &value)) != OPTION_END) {
		if (id == OPTION_DONE)
			return p.status;
		if (id == 'c')
			file = value;
		else
			settings.namespace = str_of(value);
	}
	if (argc - optind != 1)
		return cli_fail("explain needs one FILE, or - for standard input; see connhook explain --help");
	if (cli_config(file, &config, &err) != 0)
		return cli_fail("%s", err.text);
	settings.config = config;
	manifests_init(&m);
	int status = explain_all(&m, &settings, argv[optind]);
	manifests_free(&m);
	config_free(config);
	return status;
}
