/*
 * What a shell script runs, as far as it can be read without running it (POSIX.1-2017, XCU 2: the shell's grammar).
 * Each byte is read once for each level of nesting.
 */
#ifndef POLICY_FACTS_SHELL_H
#define POLICY_FACTS_SHELL_H

#include "base/arena.h"

/* A word of a command, its quotes taken off. What an expansion puts there is left out, and the word is not whole. */
struct shell_word {
	struct str text;
	bool whole;
};

/* What to do with a simple command, which has one word at least: false ends the reading. */
struct shell_visitor {
	bool (*command)(void *context, const struct shell_word *words, size_t count);
	void *context;
};

/*
 * Shows every simple command of the script, those of command substitutions too. False when the visitor said so, when
 * the script has something that is not understood here (arrays, select, aliases, more than LIMIT_SHELL_DEPTH levels),
 * or when memory is out. $(NAME) in capitals is a reference that Kubernetes replaces.
 */
bool shell_commands(struct arena *arena, struct str script, const struct shell_visitor *visitor);

#endif
