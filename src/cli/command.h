/*
 * One table for each command. It prints the help, parses the options, completes words in a shell, and makes the page
 * of the manual: what one of them knows, all know.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "base/buf.h"

#include <getopt.h>
#include <stdbool.h>

#define COMMAND_OPTIONS 32 /* options of one command at most */

/* A value that an option or an argument may have. A name of NULL ends a list. */
struct command_value {
	const char *name, *says; /* no `says`: there is nothing to say */
};

struct command_option {
	int id;            /* its letter, or from OPTION_FIRST on */
	const char *name;  /* without dashes; NULL ends a table */
	const char *value; /* "FILE"; NULL: it takes none */
	const char *help;
	const struct command_value *(*values)(void); /* NULL: anything, such as a file */
};

enum { OPTION_END = -1, OPTION_DONE = -2, OPTION_FIRST = 256 };

struct command {
	const char *name;                     /* "review", "certs init" */
	const char *says;                     /* one line */
	const char *usage;                    /* one line or more, each without "connhook " */
	const char *about;                    /* lines; NULL */
	const struct command_option *options; /* NULL */
	const char *after;                    /* lines behind the options; NULL */
	const struct command_value *arguments; /* NULL: anything, such as a file */
	int (*run)(int argc, char **argv);    /* argv[0] is the last word of the name; returns the exit status */
};

/* All commands; NULL ends the table. */
extern const struct command *const commands[];

/* The command whose name is the most of the words; NULL. *words is how many. */
const struct command *command_find(int count, char *const *argv, int *words);

/* Appends the help; the page of the manual, as troff reads it (man(7)). */
void command_help(struct buf *out, const struct command *c);
void command_manual(struct buf *out, const struct command *c);

/* Prints the help; the exit status. */
int command_print_help(const struct command *c);

/* The options of one command line; begin with option_begin. */
struct option_parser {
	const struct command *command;
	int argc, status; /* the exit status that OPTION_DONE is about */
	char **argv;
	struct option longs[COMMAND_OPTIONS + 2];
	char shorts[2 * COMMAND_OPTIONS + 4];
};

void option_begin(struct option_parser *p, const struct command *c, int argc, char **argv);

/*
 * The next option's id, and its value: behind a blank, a = or, for a letter, nothing. OPTION_END behind the last one:
 * argv from `optind` on is arguments. OPTION_DONE: --help was printed, or a sentence about a fault.
 */
int option_next(struct option_parser *p, char **value);

#endif
