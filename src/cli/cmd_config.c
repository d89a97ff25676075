/* connhook config: check a configuration, score it, show a shipped one. */
#include "cli/cli.h"
#include "cli/config_test.h"

#include <getopt.h>
#include <string.h>

static const char help[] =
	"connhook config check FILE                     is this configuration good?\n"
	"connhook config show [--profile NAME]          print a shipped configuration\n"
	"connhook config test [--config FILE] LIST...   score a configuration, or the built-in one\n"
	"\n"
	"NAME is managed (the default: databases outside the cluster) or in-cluster.\n"
	"FILE is YAML; - reads standard input. An error names file:line:column.\n"
	"LIST is a table, parted by tabs, whose first line names its columns: verdict, and image, or container (JSON),\n"
	"or name and value (of a variable), or apiVersion and kind. Verdicts: server, database, credential or denied;\n"
	"other, client, harmless or allowed; either. It exits with 1 when the rules say something else about a row.\n"
	"Start from a shipped one:  connhook config show > connhook.yaml\n";

static int check(int argc, char **argv)
{
	struct config *config;
	struct error err;
	if (argc != 2)
		return cli_fail("config check takes one FILE; see connhook config --help");
	if (cli_config(argv[1], &config, &err) != 0)
		return cli_fail("%s", err.text);
	printf("%s: good; %zu bindings, annotation prefix %.*s, fingerprint %.*s\n", argv[1], config->binding_count,
	       STR_ARG(config->annotation_prefix), STR_ARG(config->fingerprint));
	config_free(config);
	return cli_print(STR(""));
}

static int show(int argc, char **argv)
{
	static const struct option options[] = {{"profile", required_argument, NULL, 'p'}, {0}};
	const char *profile = "managed";
	optind = 1;
	for (int c; (c = getopt_long(argc, argv, ":", options, NULL)) != -1;) {
		if (c != 'p')
			return cli_bad_option("config", argv, c);
		profile = optarg;
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
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return cli_print(STR(help));
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
