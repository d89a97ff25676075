/* The commands, and how they fail. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

enum { EXIT_OK = 0, EXIT_DENIED = 1, EXIT_USAGE = 2 };

/* Prints "connhook: <sentence>" to standard error; returns EXIT_USAGE. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

int cmd_certs(int argc, char **argv);

#endif
