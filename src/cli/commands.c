/* All commands, and what connhook says of them. */
#include "cli/command.h"

#include "base/limits.h"
#include "cli/cli.h"

#include <string.h>

static const struct command_value version_formats[] = {{"text", NULL}, {"json", NULL}, {NULL, NULL}};

static const struct command_value *list_version_formats(void)
{
	return version_formats;
}

static const struct command_option version_options[] = {
	{'o', "output", "FORMAT", "text or json; default: text", list_version_formats},
	{0, NULL, NULL, NULL, NULL},
};

static const struct command version_command = {
	.name = "version",
	.says = "print the version",
	.usage = "version [-o FORMAT]",
	.options = version_options,
	.run = cmd_version,
};

static const struct command help_command = {
	.name = "help",
	.says = "print the help of a command",
	.usage = "help [COMMAND]",
	.run = cmd_help,
};

const struct command *const commands[] = {
	&serve_command, &review_command, &explain_command, &config_command, &config_check_command,
	&config_show_command,
	&config_test_command, &certs_command, &certs_init_command, &certs_show_command, &certs_renew_command,
	&webhook_config_command, &completion_command, &man_command, &help_command, &version_command, NULL,
};

void cli_add_first_help(struct buf *out)
{
	buf_addz(out, "connhook " CONNHOOK_VERSION ": zero-touch connection injection for Kubernetes\n\n");
	for (size_t i = 0; commands[i] != NULL; i++)
		if (strchr(commands[i]->name, ' ') == NULL)
			buf_fmt(out, "connhook %-14s  %s\n", commands[i]->name, commands[i]->says);
	buf_addz(out, "\nEach has --help. As kubectl-connhook it is a kubectl plugin: kubectl connhook review FILE\n");
}

int cli_first_help(void)
{
	struct buf text;
	buf_init(&text, LIMIT_MESSAGE);
	cli_add_first_help(&text);
	int status = text.error != 0 ? cli_nomem() : cli_print(buf_str(&text));
	buf_free(&text);
	return status;
}

int cmd_version(int argc, char **argv)
{
	struct option_parser p;
	char *value;
	bool json = false;
	int id;
	option_begin(&p, &version_command, argc, argv);
	while ((id = option_next(&p, &value)) != OPTION_END) {
		if (id == OPTION_DONE)
			return p.status;
		json = strcmp(value, "json") == 0;
		if (!json && strcmp(value, "text") != 0)
			return cli_fail("version: there is no output format \"%s\"; expected text or json", value);
	}
	if (optind != argc)
		return cli_fail("version takes no argument \"%s\"", argv[optind]);
	return cli_print(json ? STR("{\"version\":\"" CONNHOOK_VERSION "\"}\n") : STR("connhook " CONNHOOK_VERSION "\n"));
}
