#include "cli/cli.h"

#include "base/limits.h"

#include <fcntl.h>
#include <string.h>

/* A standard stream that is closed would give its number to the next file that is opened. */
static bool open_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd)
			return false;
	return true;
}

static int no_command(void)
{
	struct buf text;
	buf_init(&text, LIMIT_MESSAGE);
	cli_add_first_help(&text);
	(void)fprintf(stderr, "%.*s", STR_ARG(buf_str(&text)));
	buf_free(&text);
	return EXIT_USAGE;
}

static int unknown_command(const char *name)
{
	struct buf known;
	buf_init(&known, LIMIT_MESSAGE);
	for (size_t i = 0; commands[i] != NULL; i++)
		if (strchr(commands[i]->name, ' ') == NULL)
			buf_fmt(&known, "%s%s", i == 0 ? "" : commands[i + 1] == NULL ? " or " : ", ", commands[i]->name);
	int status = cli_fail("unknown command \"%s\"; expected %.*s", name, STR_ARG(buf_str(&known)));
	buf_free(&known);
	return status;
}

int main(int argc, char **argv)
{
	if (!open_streams())
		return EXIT_USAGE; /* there is nowhere to say why */
	if (argc < 2)
		return no_command();
	const char *name = argv[1];
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		return cli_first_help();
	if (strcmp(name, "__complete") == 0)
		return cmd_complete(argc - 1, argv + 1);
	if (strcmp(name, "--version") == 0)
		name = "version";
	for (size_t i = 0; commands[i] != NULL; i++)
		if (strcmp(name, commands[i]->name) == 0)
			return commands[i]->run(argc - 1, argv + 1);
	return unknown_command(name);
}
