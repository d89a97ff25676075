/* connhook config: check a configuration, score it, show a shipped one. */
#include "cli/cli.h"
#include "cli/config_test.h"
#include "policy/load/load.h"

#include <string.h>

const struct command config_command = {
	.name = "config",
	.says = "check a configuration, show a shipped one",
	.usage = "config check FILE\nconfig show [--profile NAME]\nconfig test [--config FILE] LIST...",
	.about = "check: is this configuration good?\n"
		 "show: prints a shipped configuration\n"
		 "test: scores a configuration, or the built-in one\n",
	.after = "Start from a shipped one:  connhook config show > connhook.yaml\n",
	.run = cmd_config,
};

const struct command config_check_command = {
	.name = "config check",
	.says = "say whether a configuration is good",
	.usage = "config check FILE",
	.about = "FILE is YAML; - reads standard input. An error names file:line:column.\n",
	.run = cmd_config,
};

static const struct command_value profiles[] = {
	{"managed", "databases outside the cluster (default)"},
	{"in-cluster", "databases in the cluster"},
	{NULL, NULL},
};

static const struct command_value *list_profiles(void)
{
	return profiles;
}

static const struct command_option show_options[] = {
	{OPTION_FIRST, "profile", "NAME", "which one", list_profiles},
	{0, NULL, NULL, NULL, NULL},
};

const struct command config_show_command = {
	.name = "config show",
	.says = "print a shipped configuration",
	.usage = "config show [--profile NAME]",
	.options = show_options,
	.run = cmd_config,
};

static int check(int argc, char **argv)
{
	struct option_parser p;
	struct config *config;
	struct error err;
	char *value;
	option_begin(&p, &config_check_command, argc, argv);
	if (option_next(&p, &value) != OPTION_END)
		return p.status;
	if (argc != optind + 1)
		return cli_fail("config check takes one FILE; see connhook config --help");
	const char *path = argv[optind];
	if (cli_config(path, &config, &err) != 0)
		return cli_fail("%s", err.text);
	printf("%s: good; %zu bindings, annotation prefix %.*s, fingerprint %.*s\n", path, config->binding_count,
	       STR_ARG(config->annotation_prefix), STR_ARG(config->fingerprint));
	config_free(config);
	return cli_print(STR(""));
}

static int show(int argc, char **argv)
{
	struct option_parser p;
	const char *profile = "managed";
	char *value;
	int id;
	option_begin(&p, &config_show_command, argc, argv);
	while ((id = option_next(&p, &value)) != OPTION_END) {
		if (id == OPTION_DONE)
			return p.status;
		profile = value;
	}
	struct str text = config_profile(str_of(profile));
	if (optind != argc)
		return cli_fail("config show takes no argument \"%s\"; see connhook config --help", argv[optind]);
	if (text.p == NULL)
		return cli_fail("there is no profile \"%s\"; expected managed or in-cluster", profile);
	return cli_print(text);
}

int cmd_config(int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return command_print_help(&config_command);
	if (argc > 1 && strcmp(argv[1], "check") == 0)
		return check(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "show") == 0)
		return show(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "test") == 0)
		return config_test(argc - 1, argv + 1);
	if (argc > 1)
		return cli_fail("config: unknown command \"%s\"; expected check, show or test", argv[1]);
	return cli_fail("config needs a command: check, show or test; see connhook config --help");
}
