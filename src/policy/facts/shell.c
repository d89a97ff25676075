#include "policy/facts/shell.h"

#include "base/limits.h"

#define HEREDOCS 4   /* that wait for one line's end */
#define FUNCTIONS 16 /* of the script's own that are known by name */

struct heredoc {
	struct str delimiter;
	bool tabs;   /* <<- : tabs before each line do not count */
	bool quoted; /* nothing in it is expanded */
};

struct reader {
	struct arena *arena;
	char *out; /* room for the words that are not read yet; they have no more bytes than the script */
	const struct shell_visitor *visitor;
	struct str text;
	size_t at;
	int depth;
	struct heredoc heredocs[HEREDOCS];
	size_t heredoc_count;
	struct str functions[FUNCTIONS]; /* their bodies were shown; to call one shows nothing new */
	size_t function_count;
};

/* A simple command that is being read. */
struct command {
	struct shell_word *words;
	size_t count, capacity;
};

static bool read_list(struct reader *r, char end);

static char peek(const struct reader *r, size_t ahead)
{
	return r->at + ahead < r->text.n ? r->text.p[r->at + ahead] : '\0';
}

static bool is_name(char c, bool first)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

static bool ends_word(char c)
{
	return c == '\0' || c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ';' || c == '&' || c == '|' ||
	       c == '(' || c == ')' || c == '<' || c == '>';
}

/* One more byte of a word. Behind an expansion, of whose commands the words come next, none is kept. */
static void put(struct reader *r, struct shell_word *word, char c)
{
	if (!word->whole)
		return;
	word->text.n++;
	*r->out++ = c;
}

/* $(NAME), which Kubernetes replaces: its length, or 0. */
static size_t reference_length(struct str text)
{
	size_t n = 2;
	while (n < text.n && ((text.p[n] >= 'A' && text.p[n] <= 'Z') || text.p[n] == '_' ||
			      (n > 2 && text.p[n] >= '0' && text.p[n] <= '9')))
		n++;
	return n > 2 && n < text.n && text.p[n] == ')' ? n + 1 : 0;
}

/* Behind the bracket that closes; text in it is no command. */
static bool skip_arithmetic(struct reader *r)
{
	int open = 0;
	for (; r->at < r->text.n; r->at++) {
		char c = peek(r, 0);
		if (c == '`' || (c == '$' && peek(r, 1) == '(' && open > 1))
			return false;
		open += c == '(' ? 1 : c == ')' ? -1 : 0;
		if (open == 0) {
			r->at++;
			return true;
		}
	}
	return false;
}

static bool skip_parameter(struct reader *r)
{
	for (r->at += 2; r->at < r->text.n; r->at++) {
		char c = peek(r, 0);
		if (c == '}') {
			r->at++;
			return true;
		}
		if (c == '`' || c == '$' || c == '{' || c == '\'' || c == '"' || c == '\\')
			return false;
	}
	return false;
}

static bool read_backquoted(struct reader *r)
{
	struct str rest = str_from(r->text, r->at + 1);
	size_t end = str_find(rest, '`');
	struct reader inner = {.arena = r->arena, .out = r->out, .visitor = r->visitor, .text = {rest.p, end},
			       .depth = r->depth + 1};
	if (end == rest.n || str_find(inner.text, '\\') < end || inner.depth > LIMIT_SHELL_DEPTH)
		return false;
	r->at += end + 2;
	bool good = read_list(&inner, '\0');
	r->out = inner.out;
	return good;
}

/* At a $ or a backquote: reads it off. *whole stays when it was only a character. */
static bool read_expansion(struct reader *r, struct shell_word *word)
{
	char next = peek(r, 1);
	if (peek(r, 0) == '`') {
		word->whole = false;
		return read_backquoted(r);
	}
	if (next == '(') {
		size_t reference = reference_length(str_from(r->text, r->at));
		word->whole = false;
		if (reference > 0) {
			r->at += reference;
			return true;
		}
		r->at++;
		if (peek(r, 1) == '(')
			return skip_arithmetic(r);
		r->at++;
		return ++r->depth <= LIMIT_SHELL_DEPTH && read_list(r, ')') && r->depth-- > 0;
	}
	if (next == '{') {
		word->whole = false;
		return skip_parameter(r);
	}
	if (next == '\'' || next == '"')
		return false; /* escapes of other shells */
	r->at++;
	if (is_name(next, true)) {
		word->whole = false;
		while (is_name(peek(r, 0), false))
			r->at++;
	} else if (next != '\0' && str_find(STR("0123456789@*#?-$!"), next) < 17) {
		word->whole = false;
		r->at++;
	} else {
		put(r, word, '$');
	}
	return true;
}

/* Behind the opening quote. */
static bool read_double_quoted(struct reader *r, struct shell_word *word)
{
	while (r->at < r->text.n) {
		char c = peek(r, 0);
		if (c == '"') {
			r->at++;
			return true;
		}
		if (c == '$' || c == '`') {
			if (c == '$' && peek(r, 1) == '"') {
				put(r, word, '$');
				r->at++;
			} else if (!read_expansion(r, word)) {
				return false;
			}
			continue;
		}
		if (c == '\\' && r->at + 1 < r->text.n && str_find(STR("$`\"\\\n"), peek(r, 1)) < 5) {
			r->at++;
			if (peek(r, 0) != '\n')
				put(r, word, peek(r, 0));
			r->at++;
			continue;
		}
		put(r, word, c);
		r->at++;
	}
	return false;
}

static bool read_word(struct reader *r, struct shell_word *word)
{
	*word = (struct shell_word){{r->out, 0}, true};
	while (!ends_word(peek(r, 0))) {
		char c = peek(r, 0);
		if (c == '\'') {
			size_t close = str_find(str_from(r->text, r->at + 1), '\'');
			if (r->at + 1 + close >= r->text.n)
				return false;
			for (size_t i = 0; i < close; i++)
				put(r, word, r->text.p[r->at + 1 + i]);
			r->at += close + 2;
		} else if (c == '"') {
			r->at++;
			if (!read_double_quoted(r, word))
				return false;
		} else if (c == '\\') {
			r->at++;
			if (r->at < r->text.n && peek(r, 0) != '\n')
				put(r, word, peek(r, 0));
			r->at += r->at < r->text.n;
		} else if (c == '$' || c == '`') {
			if (!read_expansion(r, word))
				return false;
		} else {
			put(r, word, c);
			r->at++;
		}
	}
	return r->at >= r->text.n || r->text.p[r->at] != '\0';
}

static void skip_blanks(struct reader *r)
{
	for (;; r->at++) {
		char c = peek(r, 0);
		if (c == '\\' && peek(r, 1) == '\n')
			r->at++;
		else if (c != ' ' && c != '\t' && c != '\r')
			return;
	}
}

/* Behind a line's end: the bodies of the documents that were announced in it. */
static bool skip_heredocs(struct reader *r)
{
	for (size_t i = 0; i < r->heredoc_count; i++) {
		const struct heredoc *h = &r->heredocs[i];
		for (bool done = false; !done;) {
			struct str rest = str_from(r->text, r->at), line = {rest.p, str_find(rest, '\n')};
			if (r->at >= r->text.n)
				return false;
			r->at += line.n + 1;
			struct str bare = line;
			while (h->tabs && bare.n > 0 && bare.p[0] == '\t')
				bare = str_from(bare, 1);
			done = str_eq(bare, h->delimiter);
			for (size_t k = 0; k < line.n && !h->quoted; k++)
				if (line.p[k] == '`' || (line.p[k] == '$' && k + 1 < line.n && line.p[k + 1] == '(' &&
							 reference_length(str_from(line, k)) == 0))
					return false;
		}
	}
	r->heredoc_count = 0;
	return true;
}

/* At < or >. */
static bool read_redirection(struct reader *r)
{
	bool here = peek(r, 0) == '<' && peek(r, 1) == '<' && peek(r, 2) != '<';
	bool tabs = here && peek(r, 2) == '-';
	struct shell_word word;
	while (peek(r, 0) == '<' || peek(r, 0) == '>' || peek(r, 0) == '&' || peek(r, 0) == '|')
		r->at++;
	r->at += tabs;
	if (peek(r, 0) == '(') { /* a process in the place of a file */
		r->at++;
		return ++r->depth <= LIMIT_SHELL_DEPTH && read_list(r, ')') && r->depth-- > 0;
	}
	skip_blanks(r);
	size_t start = r->at;
	if (!read_word(r, &word) || r->at == start)
		return false;
	if (!here)
		return true;
	struct str raw = {r->text.p + start, r->at - start};
	if (r->heredoc_count == HEREDOCS || !word.whole)
		return false;
	r->heredocs[r->heredoc_count++] = (struct heredoc){word.text, tabs, !str_eq(raw, word.text)};
	return true;
}

static bool is_one_of(struct str word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (str_eqz(word, *words))
			return true;
	return false;
}

/* Words that a command may stand behind. */
static const char *const leads[] = {"if", "then", "elif", "else", "fi", "while", "until", "do",
				    "done", "{", "}", "!", "time", NULL};
/* Words after which other rules hold. */
static const char *const strange[] = {"case", "esac", "function", "select", "coproc", "alias", NULL};

static bool is(const struct shell_word *word, const char *text)
{
	return word->whole && str_eqz(word->text, text);
}

static size_t count_leads(const struct command *c)
{
	size_t count = 0;
	while (count < c->count && c->words[count].whole && is_one_of(c->words[count].text, leads))
		count++;
	return count;
}

static bool is_function(const struct reader *r, const struct shell_word *word)
{
	for (size_t i = 0; i < r->function_count; i++)
		if (word->whole && str_eq(r->functions[i], word->text))
			return true;
	return false;
}

static bool add_function(struct reader *r, const struct shell_word *name)
{
	if (r->function_count == FUNCTIONS || !name->whole || name->text.n == 0)
		return false;
	r->functions[r->function_count++] = name->text;
	return true;
}

/* At the bracket of "NAME()" or "function NAME()": its body comes next, and is read as any commands are. */
static bool read_function(struct reader *r, struct command *c)
{
	size_t skip = count_leads(c), count = c->count - skip;
	r->at++;
	skip_blanks(r);
	if (peek(r, 0) != ')' || (count != 1 && !(count == 2 && is(&c->words[skip], "function"))))
		return false;
	r->at++;
	c->count = 0;
	return add_function(r, &c->words[skip + count - 1]);
}

static bool finish(struct reader *r, struct command *c)
{
	if (c->words == NULL) /* no word has been read */
		return true;
	size_t skip = count_leads(c);
	if (c->count > skip + 1 && is(&c->words[skip], "function")) { /* function NAME { ... */
		if (!add_function(r, &c->words[skip + 1]))
			return false;
		for (skip += 2; skip < c->count && is(&c->words[skip], "{");)
			skip++;
	}
	struct shell_word *words = c->words + skip;
	size_t count = c->count - skip;
	c->count = 0;
	if (count == 0 || is_function(r, &words[0]))
		return true;
	if (words[0].whole && is_one_of(words[0].text, strange))
		return false;
	if (is(&words[0], "unset") && r->function_count > 0) /* what a name means may change */
		return false;
	if (is(&words[0], "for")) /* a name, and words */
		return true;
	return r->visitor->command(r->visitor->context, words, count);
}

/* Is the word `text` next? */
static bool is_next(const struct reader *r, struct str text)
{
	return str_starts(str_from(r->text, r->at), text) && ends_word(peek(r, text.n));
}

/* Blanks, ends of lines and comments between the parts of a case. */
static void skip_lines(struct reader *r)
{
	for (skip_blanks(r); peek(r, 0) == '\n' || peek(r, 0) == '#'; skip_blanks(r))
		r->at += peek(r, 0) == '\n' ? 1 : str_find(str_from(r->text, r->at), '\n');
}

/* PATTERN | PATTERN ) */
static bool read_patterns(struct reader *r)
{
	struct shell_word ignored;
	if (peek(r, 0) == '(')
		r->at++;
	for (;;) {
		skip_blanks(r);
		size_t start = r->at;
		if (!read_word(r, &ignored) || r->at == start)
			return false;
		skip_blanks(r);
		char c = peek(r, 0);
		r->at++;
		if (c != '|')
			return c == ')';
	}
}

/* Behind "case WORD in", up to esac: all that any pattern leads to. */
static bool read_case(struct reader *r)
{
	if (++r->depth > LIMIT_SHELL_DEPTH || r->heredoc_count > 0)
		return false;
	for (skip_lines(r); !is_next(r, STR("esac")); skip_lines(r))
		if (!read_patterns(r) || !read_list(r, ';'))
			return false;
	r->at += sizeof "esac" - 1;
	r->depth--;
	return true;
}

static bool add_word(struct reader *r, struct command *c)
{
	struct shell_word word;
	size_t start = r->at;
	if (!read_word(r, &word))
		return false;
	char next = peek(r, 0);
	bool number = r->at > start;
	for (size_t i = start; i < r->at; i++)
		number = number && r->text.p[i] >= '0' && r->text.p[i] <= '9';
	if (number && (next == '<' || next == '>'))
		return true; /* the number of a file that is redirected */
	struct shell_word *words = arena_grow(r->arena, c->words, c->count, &c->capacity, sizeof word);
	if (words == NULL)
		return false;
	c->words = words;
	words[c->count++] = word;
	size_t skip = count_leads(c);
	if (c->count - skip != 3 || !is(&words[skip], "case") || !is(&words[skip + 2], "in"))
		return true;
	c->count = 0;
	return read_case(r);
}

/* Commands up to `end`: a bracket; the end of the text; or, for ';', two of them or esac, which is left. */
static bool read_list(struct reader *r, char end)
{
	struct command command = {0};
	for (;;) {
		skip_blanks(r);
		char c = peek(r, 0);
		if (r->at >= r->text.n)
			return end == '\0' && finish(r, &command) && r->heredoc_count == 0;
		if (end == ';' && command.count == 0 && is_next(r, STR("esac")))
			return true;
		if (c == end && end != '\0' && (end != ';' || peek(r, 1) == ';' || peek(r, 1) == '&')) {
			r->at += end != ';' ? 1 : peek(r, 2) == '&' ? 3 : 2;
			return finish(r, &command);
		}
		bool good;
		if (c == '\n') {
			r->at++;
			good = finish(r, &command) && skip_heredocs(r);
		} else if (c == '#') {
			r->at += str_find(str_from(r->text, r->at), '\n');
			good = true;
		} else if (c == '<' || c == '>' || (c == '&' && peek(r, 1) == '>')) {
			good = read_redirection(r);
		} else if (c == ';' || c == '&' || c == '|') {
			r->at++;
			good = finish(r, &command);
		} else if (c == '(' && command.count == 0) {
			r->at++;
			good = ++r->depth <= LIMIT_SHELL_DEPTH && read_list(r, ')') && r->depth-- > 0;
		} else if (c == '(') {
			good = read_function(r, &command);
		} else {
			good = c != ')' && c != '\0' && add_word(r, &command);
		}
		if (!good)
			return false;
	}
}

bool shell_commands(struct arena *arena, struct str script, const struct shell_visitor *visitor)
{
	struct reader r = {.arena = arena, .out = arena_alloc(arena, script.n + 1), .visitor = visitor, .text = script};
	return r.out != NULL && read_list(&r, '\0');
}
