#include "cli/cli.h"

#include <fcntl.h>
#include <string.h>

static const char help[] =
	"connhook " CONNHOOK_VERSION ": zero-touch connection injection for Kubernetes\n"
	"\n"
	"connhook serve           answer AdmissionReviews over HTTPS\n"
	"connhook review          say what the cluster would do with manifests, offline\n"
	"connhook config          check a configuration, show a shipped one\n"
	"connhook certs           make, renew and show certificates\n"
	"connhook webhook-config  print what registers connhook with the API server\n"
	"connhook version         print the version\n"
	"\n"
	"Each has --help. As kubectl-connhook it is a kubectl plugin: kubectl connhook review FILE\n";

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"serve", cmd_serve},
	{"review", cmd_review},
	{"config", cmd_config},
	{"certs", cmd_certs},
	{"webhook-config", cmd_webhook_config},
};

/* A standard stream that is closed would give its number to the next file that is opened. */
static bool open_streams(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) == -1 && open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd)
			return false;
	return true;
}

static int version(int argc, char **argv)
{
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		return cli_print(STR("connhook version     print the version\n"));
	if (argc > 1)
		return cli_fail("version takes no argument \"%s\"", argv[1]);
	return cli_print(STR("connhook " CONNHOOK_VERSION "\n"));
}

int main(int argc, char **argv)
{
	if (!open_streams())
		return EXIT_USAGE; /* there is nowhere to say why */
	if (argc < 2) {
		(void)fputs(help, stderr);
		return EXIT_USAGE;
	}
	const char *name = argv[1];
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
		return cli_print(STR(help));
	if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0)
		return version(argc - 1, argv + 1);
	for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strcmp(name, commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return cli_fail("unknown command \"%s\"; expected serve, review, config, certs, webhook-config or version", name);
}
