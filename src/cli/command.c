#include "cli/command.h"

#include "base/limits.h"
#include "cli/cli.h"

#include <string.h>

#define HELP_COLUMNS 100
#define HELP_INDENT 34 /* where what an option does begins at the latest */

static const struct command_option help_option = {'h', "help", NULL, "print this", NULL};

/* The option at `index`: the last one is --help. NULL behind it. */
static const struct command_option *option_at(const struct command *c, size_t index)
{
	size_t count = 0;
	while (c->options != NULL && c->options[count].name != NULL)
		count++;
	return index < count ? &c->options[index] : index == count ? &help_option : NULL;
}

/* How many words the name has, when they are the first of argv; else 0. */
static int words_of(const char *name, int count, char *const *argv)
{
	struct str rest = str_of(name), word;
	int n = 0;
	for (; str_split(&rest, ' ', &word); n++)
		if (n == count || !str_eqz(word, argv[n]))
			return 0;
	return n;
}

const struct command *command_find(int count, char *const *argv, int *words)
{
	const struct command *best = NULL;
	*words = 0;
	for (size_t i = 0; commands[i] != NULL; i++) {
		int n = words_of(commands[i]->name, count, argv);
		best = n > *words ? commands[i] : best;
		*words = n > *words ? n : *words;
	}
	return best;
}

/* ---- help ---- */

/* "  -o, --output FORMAT" */
static void add_option_name(struct buf *out, const struct command_option *o)
{
	if (o->id < OPTION_FIRST)
		buf_fmt(out, "  -%c, --%s", o->id, o->name);
	else
		buf_fmt(out, "      --%s", o->name);
	if (o->value != NULL)
		buf_fmt(out, " %s", o->value);
}

/* Appends words, broken into lines that begin at `indent`; the first one is at `column` already. */
static void add_wrapped(struct buf *out, const char *text, size_t indent, size_t column)
{
	struct str rest = str_of(text), word;
	bool first = true;
	while (str_split(&rest, ' ', &word)) {
		if (!first && column + 1 + word.n > HELP_COLUMNS) {
			buf_fmt(out, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			buf_addc(out, ' ');
			column++;
		}
		buf_add(out, word);
		column += word.n;
		first = false;
	}
	buf_addc(out, '\n');
}

static size_t name_width(const struct command_option *o)
{
	struct buf name;
	buf_init(&name, LIMIT_MESSAGE);
	add_option_name(&name, o);
	size_t n = name.n;
	buf_free(&name);
	return n;
}

static void add_options(struct buf *out, const struct command *c)
{
	const struct command_option *o;
	size_t indent = 0;
	for (size_t i = 0; (o = option_at(c, i)) != NULL; i++) {
		size_t n = name_width(o) + 3;
		indent = n > indent && n <= HELP_INDENT ? n : indent;
	}
	for (size_t i = 0; (o = option_at(c, i)) != NULL; i++) {
		size_t n = name_width(o);
		add_option_name(out, o);
		buf_fmt(out, "%*s", n < indent ? (int)(indent - n) : 2, "");
		add_wrapped(out, o->help, indent, n < indent ? indent : n + 2);
		const struct command_value *v = o->values != NULL ? o->values() : NULL;
		for (; v != NULL && v->name != NULL; v++)
			if (v->says != NULL)
				buf_fmt(out, "%*s  %-9s %s\n", (int)indent, "", v->name, v->says);
	}
}

void command_help(struct buf *out, const struct command *c)
{
	struct str usage = str_of(c->usage), line;
	for (bool first = true; str_split(&usage, '\n', &line); first = false)
		buf_fmt(out, "%s%s%.*s\n", first ? "usage: " : "       ",
			str_starts(line, STR(" ")) ? "         " : "connhook ", STR_ARG(line));
	buf_addc(out, '\n');
	if (c->about != NULL)
		buf_fmt(out, "%s\n", c->about);
	add_options(out, c);
	if (c->after != NULL)
		buf_fmt(out, "\n%s", c->after);
}

int command_print_help(const struct command *c)
{
	struct buf text;
	buf_init(&text, 4 * LIMIT_MESSAGE);
	command_help(&text, c);
	int status = text.error != 0 ? cli_nomem() : cli_print(buf_str(&text));
	buf_free(&text);
	return status;
}

/* ---- manual ---- */

/* Text that troff takes for nothing else: man-pages(7), groff_char(7). */
static void add_roff(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if ((c == '.' || c == '\'') && (i == 0 || text.p[i - 1] == '\n'))
			buf_addz(out, "\\&");
		if (c == '-' || c == '\\')
			buf_addz(out, c == '-' ? "\\-" : "\\e");
		else
			buf_addc(out, c);
	}
}

/* Lines as they are. */
static void add_roff_lines(struct buf *out, const char *text, const char *prefix)
{
	struct str rest = str_of(text), line;
	buf_addz(out, ".nf\n");
	while (str_split(&rest, '\n', &line)) {
		if (rest.n == 0 && line.n == 0)
			break;
		add_roff(out, str_of(line.n > 0 && line.p[0] != ' ' ? prefix : ""));
		add_roff(out, line);
		buf_addc(out, '\n');
	}
	buf_addz(out, ".fi\n");
}

void command_manual(struct buf *out, const struct command *c)
{
	const struct command_option *o;
	buf_addz(out, ".TH \"CONNHOOK-");
	for (const char *p = c->name; *p != '\0'; p++)
		buf_addc(out, *p == ' ' ? '-' : *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p);
	buf_addz(out, "\" 1 \"\" \"connhook " CONNHOOK_VERSION "\" \"connhook\"\n.SH NAME\nconnhook\\-");
	for (const char *p = c->name; *p != '\0'; p++)
		add_roff(out, (struct str){*p == ' ' ? "-" : p, 1});
	buf_addz(out, " \\- ");
	add_roff(out, str_of(c->says));
	buf_addz(out, "\n.SH SYNOPSIS\n");
	add_roff_lines(out, c->usage, "connhook ");
	if (c->about != NULL) {
		buf_addz(out, ".SH DESCRIPTION\n");
		add_roff_lines(out, c->about, "");
	}
	buf_addz(out, ".SH OPTIONS\n");
	for (size_t i = 0; (o = option_at(c, i)) != NULL; i++) {
		buf_addz(out, ".TP\n\\fB");
		if (o->id < OPTION_FIRST)
			buf_fmt(out, "\\-%c\\fR, \\fB", o->id);
		buf_addz(out, "\\-\\-");
		add_roff(out, str_of(o->name));
		buf_fmt(out, "\\fR%s%s%s\n", o->value != NULL ? " \\fI" : "", o->value != NULL ? o->value : "",
			o->value != NULL ? "\\fR" : "");
		add_roff(out, str_of(o->help));
		buf_addc(out, '\n');
		const struct command_value *v = o->values != NULL ? o->values() : NULL;
		for (; v != NULL && v->name != NULL; v++) {
			buf_addz(out, ".br\n");
			add_roff(out, str_of(v->name));
			buf_addz(out, v->says != NULL ? ": " : "");
			add_roff(out, str_of(v->says != NULL ? v->says : ""));
			buf_addc(out, '\n');
		}
	}
	if (c->after != NULL) {
		buf_addz(out, ".SH NOTES\n");
		add_roff_lines(out, c->after, "");
	}
}

/* ---- parsing ---- */

void option_begin(struct option_parser *p, const struct command *c, int argc, char **argv)
{
	const struct command_option *o;
	char *shorts = p->shorts;
	*p = (struct option_parser){.command = c, .argc = argc, .argv = argv};
	*shorts++ = ':';
	for (size_t i = 0; (o = option_at(c, i)) != NULL && i < COMMAND_OPTIONS; i++) {
		p->longs[i] = (struct option){o->name, o->value != NULL ? required_argument : no_argument, NULL, o->id};
		if (o->id >= OPTION_FIRST)
			continue;
		*shorts++ = (char)o->id;
		if (o->value != NULL)
			*shorts++ = ':';
	}
	optind = 0; /* glibc: begin anew, whatever was parsed before */
	opterr = 0;
}

int option_next(struct option_parser *p, char **value)
{
	int index = -1, id = getopt_long(p->argc, p->argv, p->shorts, p->longs, &index);
	*value = optarg;
	if (index < 0 && id > 0 && id < OPTION_FIRST && optarg != NULL && optarg[0] == '=')
		*value = optarg + 1; /* "-o=json" is json, as for kubectl */
	if (id == '?' || id == ':')
		p->status = cli_bad_option(p->command->name, p->argv, id);
	else if (id == 'h')
		p->status = command_print_help(p->command);
	return id == '?' || id == ':' || id == 'h' ? OPTION_DONE : id;
}
