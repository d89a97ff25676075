/* connhook completion, man, help and __complete: what the tables of all commands say of themselves. */
#include "cli/command.h"

#include "base/limits.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

/* The scripts ask the program, which knows its own options: they never grow old. */
static const char bash_script[] =
	"# bash completion of connhook:  source <(connhook completion bash)\n"
	"_connhook() {\n"
	"    local IFS=$'\\n'\n"
	"    local words=(\"${COMP_WORDS[@]:1:COMP_CWORD}\")\n"
	"    COMPREPLY=($(connhook __complete \"${words[@]}\" 2>/dev/null | cut -f 1))\n"
	"}\n"
	"complete -o default -F _connhook connhook\n";

static const char zsh_script[] =
	"#compdef connhook\n"
	"# zsh completion of connhook:  source <(connhook completion zsh)\n"
	"_connhook() {\n"
	"    local -a found\n"
	"    found=(${(f)\"$(connhook __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
	"    found=(\"${(@)found//:/\\\\:}\")\n"
	"    found=(\"${(@)found/$'\\t'/:}\")\n"
	"    if (( $#found )); then _describe connhook found; else _files; fi\n"
	"}\n"
	"compdef _connhook connhook\n";

static const char fish_script[] =
	"# fish completion of connhook:  connhook completion fish | source\n"
	"function __connhook_complete\n"
	"    set -l words (commandline -opc)\n"
	"    connhook __complete $words[2..] (commandline -ct) 2>/dev/null\n"
	"end\n"
	"complete -c connhook -a '(__connhook_complete)'\n";

static const struct command_value shells[] = {{"bash", NULL}, {"zsh", NULL}, {"fish", NULL}, {NULL, NULL}};

const struct command completion_command = {
	.name = "completion",
	.says = "print what completes words in a shell",
	.usage = "completion bash|zsh|fish",
	.after = "  source <(connhook completion bash)\n",
	.arguments = shells,
	.run = cmd_completion,
};

int cmd_completion(int argc, char **argv)
{
	const char *const scripts[] = {bash_script, zsh_script, fish_script};
	struct option_parser p;
	char *value;
	option_begin(&p, &completion_command, argc, argv);
	if (option_next(&p, &value) != OPTION_END)
		return p.status;
	for (size_t i = 0; i < sizeof scripts / sizeof scripts[0] && optind + 1 == argc; i++)
		if (strcmp(argv[optind], shells[i].name) == 0)
			return cli_print(str_of(scripts[i]));
	return cli_fail("completion takes one shell: bash, zsh or fish; see connhook completion --help");
}

const struct command man_command = {
	.name = "man",
	.says = "print a page of the manual",
	.usage = "man [COMMAND]",
	.after = "  connhook man review | man -l -\n",
	.run = cmd_man,
};

/* The page of connhook itself. */
static void add_first_page(struct buf *out)
{
	buf_addz(out, ".TH CONNHOOK 1 \"\" \"connhook " CONNHOOK_VERSION "\" \"connhook\"\n.SH NAME\n"
		      "connhook \\- zero\\-touch connection injection for Kubernetes\n.SH COMMANDS\n");
	for (size_t i = 0; commands[i] != NULL; i++)
		buf_fmt(out, ".TP\n\\fBconnhook %s\\fR\n%s\n", commands[i]->name, commands[i]->says);
}

int cmd_man(int argc, char **argv)
{
	struct option_parser p;
	struct buf page;
	char *value;
	int words = 0;
	option_begin(&p, &man_command, argc, argv);
	if (option_next(&p, &value) != OPTION_END)
		return p.status;
	const struct command *c = command_find(argc - optind, argv + optind, &words);
	if (words != argc - optind)
		return cli_fail("man: there is no command \"%s\"; see connhook --help", argv[optind + words]);
	buf_init(&page, 8 * LIMIT_MESSAGE);
	if (c != NULL)
		command_manual(&page, c);
	else
		add_first_page(&page);
	int status = page.error != 0 ? cli_nomem() : cli_print(buf_str(&page));
	buf_free(&page);
	return status;
}

int cmd_help(int argc, char **argv)
{
	int words;
	const struct command *c = command_find(argc - 1, argv + 1, &words);
	if (argc > 1 && (c == NULL || words != argc - 1))
		return cli_fail("help: there is no command \"%s\"; see connhook --help", argv[c == NULL ? 1 : words + 1]);
	return c != NULL ? command_print_help(c) : cli_first_help();
}

/* ---- what a shell asks ---- */

/* The option that the word names, with its value behind a blank; NULL. */
static const struct command_option *option_named(const struct command *c, const char *word)
{
	for (const struct command_option *o = c->options; o != NULL && o->name != NULL; o++) {
		bool letter = word[0] == '-' && word[1] == (char)o->id && word[2] == '\0' && o->id < OPTION_FIRST;
		if (letter || (strncmp(word, "--", 2) == 0 && strcmp(word + 2, o->name) == 0))
			return o;
	}
	return NULL;
}

static void offer(struct buf *out, const char *dashes, const char *name, const char *says, const char *begun)
{
	struct str whole = str_of(begun), d = str_of(dashes);
	if (!str_starts(whole, d) && !str_starts(d, whole))
		return;
	if (!str_starts(str_of(name), str_from(whole, d.n < whole.n ? d.n : whole.n)))
		return;
	buf_fmt(out, "%s%s%s%s\n", dashes, name, says != NULL ? "\t" : "", says != NULL ? says : "");
}

static void offer_values(struct buf *out, const struct command_value *v, const char *begun)
{
	for (; v != NULL && v->name != NULL; v++)
		offer(out, "", v->name, v->says, begun);
}

/* The next words of commands that begin with the first `count` words. */
static void offer_commands(struct buf *out, int count, char **words, const char *begun)
{
	const char *before = NULL;
	size_t before_n = 0;
	for (size_t i = 0; commands[i] != NULL; i++) {
		struct str rest = str_of(commands[i]->name), word = STR("");
		int n = 0;
		while (n < count && str_split(&rest, ' ', &word) && str_eqz(word, words[n]))
			n++;
		if (n != count || !str_split(&rest, ' ', &word) || word.n == 0)
			continue;
		if (before != NULL && str_eq((struct str){before, before_n}, word))
			continue; /* "certs init" behind "certs" */
		before = word.p;
		before_n = word.n;
		if (str_starts(word, str_of(begun)))
			buf_fmt(out, "%.*s%s%s\n", STR_ARG(word), rest.n == 0 ? "\t" : "", rest.n == 0 ? commands[i]->says : "");
	}
}

/* argv: the words behind "connhook", the last one begun. A line for each that may stand there, a tab, what it does. */
int cmd_complete(int argc, char **argv)
{
	struct buf out;
	int words, last = argc - 1;
	if (argc < 2)
		return EXIT_OK;
	buf_init(&out, 4 * LIMIT_MESSAGE);
	/* bash makes words of "--output=json": three, the second one "=". */
	bool assigned = strcmp(argv[last], "=") == 0, assigning = last > 2 && strcmp(argv[last - 1], "=") == 0;
	const char *begun = assigned ? "" : argv[last];
	int before = assigning ? last - 2 : last - 1;
	const struct command *c = command_find(last - 1, argv + 1, &words);
	const struct command_option *o = c != NULL && before > 0 ? option_named(c, argv[before]) : NULL;
	if (o != NULL && o->value != NULL) {
		offer_values(&out, o->values != NULL ? o->values() : NULL, begun);
	} else if (c != NULL && begun[0] == '-') {
		for (o = c->options; o != NULL && o->name != NULL; o++)
			offer(&out, "--", o->name, o->help, begun);
		offer(&out, "--", "help", "print this", begun);
	} else if (words == last - 1) {
		offer_commands(&out, words, argv + 1, begun);
		if (c != NULL)
			offer_values(&out, c->arguments, begun);
	}
	int status = out.error != 0 ? cli_nomem() : cli_print(buf_str(&out));
	buf_free(&out);
	return status;
}
