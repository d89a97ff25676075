/* The commands, and what they share. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/buf.h"
#include "base/error.h"
#include "cli/command.h"
#include "policy/config/config.h"

#include <stdio.h>

enum { EXIT_OK = 0, EXIT_DENIED = 1, EXIT_USAGE = 2 };

/* Prints "connhook: <sentence>" to standard error; returns EXIT_USAGE. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says that memory is out; returns EXIT_USAGE. */
int cli_nomem(void);

/* What getopt_long returned ? or : for: "connhook COMMAND: unknown option ...; see connhook COMMAND --help". */
int cli_bad_option(const char *command, char **argv, int result);

/* Writes to standard output and flushes; EXIT_OK, or EXIT_USAGE with the reason said. */
int cli_print(struct str text);

/* The configuration in the file; the built-in one when `path` is NULL. */
int cli_config(const char *path, struct config **out, struct error *err);

/* Each takes its own name as argv[0], and returns the exit status. */
int cmd_serve(int argc, char **argv);
int cmd_review(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_certs(int argc, char **argv);
int cmd_webhook_config(int argc, char **argv);
int cmd_completion(int argc, char **argv);
int cmd_man(int argc, char **argv);
int cmd_help(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_complete(int argc, char **argv);

/* Their tables. */
extern const struct command serve_command, review_command, explain_command, config_command, config_check_command,
	config_show_command, config_test_command, certs_command, certs_init_command, certs_show_command,
	certs_renew_command, webhook_config_command, completion_command, man_command;

/* The help of connhook itself: appends it; prints it, and returns the exit status. */
void cli_add_first_help(struct buf *out);
int cli_first_help(void);

#endif
