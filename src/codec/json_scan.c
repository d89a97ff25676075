#include "codec/json_scan.h"

#include "base/limits.h"
#include "base/text.h"
#include "codec/json.h"

#include <cjson/cJSON.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Up to this many members, comparing every pair of keys is cheaper than a table. */
#define PAIRWISE_MEMBERS 8

/* Nodes that are taken from the arena together. */
#define NODES_AT_ONCE 64

struct scan {
	struct arena *arena; /* NULL: no tree is made */
	const char *begin, *at, *end;
	cJSON *nodes;       /* room for so many more */
	size_t node_count;
	char *text;         /* room for the texts of the tree: none takes more than in the source */
	cJSON unused;       /* stands for each node where no tree is made */
	struct json_cut *cut; /* NULL: nothing is looked for */
	bool in_outer;
	struct error *err;
};

/* Where the scan is, from the innermost value outwards: for the path in an error. */
struct place {
	const struct place *outer;
	const cJSON *value;
	size_t index;
};

/* Sets the error for the place of `at`; a column is a character. */
static int fail(const struct scan *s, const char *at, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(const struct scan *s, const char *at, const char *format, ...)
{
	size_t line = 1, column = 1;
	for (const char *p = s->begin; p < at; p++) {
		column += ((unsigned char)*p & 0xC0) != 0x80;
		if (*p == '\n') {
			line++;
			column = 1;
		}
	}
	struct error what;
	va_list args;
	va_start(args, format);
	error_setv(&what, ERR_INVALID, format, args);
	va_end(args);
	return error_set(s->err, ERR_INVALID, "malformed JSON at line %zu, column %zu: %s", line, column, what.text);
}

static struct str rest(const struct scan *s)
{
	return (struct str){s->at, (size_t)(s->end - s->at)};
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* "found X; expected WHAT", where X is the word or character at `s->at`. */
static int fail_found(const struct scan *s, const char *expected)
{
	struct str left = rest(s);
	if (left.n == 0)
		return fail(s, s->at, "the text ends; expected %s", expected);
	size_t n = 0;
	while (n < left.n && is_word(left.p[n]))
		n++;
	if (n == 0)
		n = text_character(left, NULL);
	return fail(s, s->at, "found %s; expected %s", text_quote((struct str){left.p, n > 0 ? n : 1}).text, expected);
}

static int no_room(const struct scan *s)
{
	const struct budget *budget = s->arena->budget;
	if (budget == NULL || budget->over == BUDGET_KEPT)
		return error_nomem(s->err);
	return error_set(s->err, ERR_LIMIT, "a tree of the JSON takes more memory than there may be");
}

/* A new node; NULL when there is no room for it. */
static cJSON *node(struct scan *s)
{
	if (s->arena == NULL)
		return &s->unused;
	if (s->node_count == 0) {
		size_t left = (size_t)(s->end - s->at) / 2 + 1; /* each value but the last has a comma or more behind it */
		s->node_count = left < NODES_AT_ONCE ? left : NODES_AT_ONCE;
		s->nodes = arena_array(s->arena, s->node_count, sizeof *s->nodes);
		if (s->nodes == NULL)
			return NULL;
	}
	s->node_count--;
	return s->nodes++;
}

/* Appends `child` as cJSON does: the first one's `prev` is the last. */
static void append(const struct scan *s, cJSON *parent, cJSON *child)
{
	if (s->arena == NULL)
		return;
	cJSON *first = parent->child;
	if (first == NULL) {
		parent->child = child;
		child->prev = child;
		return;
	}
	child->prev = first->prev;
	first->prev->next = child;
	first->prev = child;
}

/* Keeps a text as a C string; NULL where no tree is made. */
static char *keep(struct scan *s, const char *from, size_t n)
{
	if (s->arena == NULL)
		return NULL;
	char *text = s->text;
	memcpy(text, from, n);
	text[n] = '\0';
	s->text += n + 1;
	return text;
}

/* A value whose source text is kept: a raw one, which cJSON prints as it is. */
static void keep_exact(struct scan *s, const char *from, cJSON *v)
{
	v->type = cJSON_Raw;
	v->valuestring = keep(s, from, (size_t)(s->at - from));
}

/* ---- keys that stand twice ---- */

/* "request.object.spec.containers[0]" for a place; the outermost value has no name. */
static void place_write(const struct place *p, struct buf *text)
{
	if (p == NULL || p->outer == NULL)
		return;
	place_write(p->outer, text);
	if (p->value->string != NULL)
		buf_fmt(text, "%s%s", text->n > 0 ? "." : "", p->value->string);
	else
		buf_fmt(text, "[%zu]", p->index);
}

static int duplicate_key(const struct place *p, const char *key, struct error *err)
{
	struct buf path;
	buf_init(&path, ERROR_TEXT_MAX);
	place_write(p, &path);
	const char *place = path.error != 0 ? "an inner object" : path.n == 0 ? "the outermost object" : path.p;
	int rc = path.error == ERR_NOMEM ? error_nomem(err)
					 : error_set(err, ERR_INVALID, "malformed JSON: key %s stands twice in %s",
						     text_quote(str_of(key)).text, place);
	buf_free(&path);
	return rc;
}

/* Looks for a second key of the same name in `p->value`, in time linear in its members. */
static int check_keys(const struct place *p, struct error *err)
{
	size_t count = 0;
	for (const cJSON *m = p->value->child; m != NULL; m = m->next) {
		const cJSON *other = count < PAIRWISE_MEMBERS ? p->value->child : m;
		for (; other != m; other = other->next)
			if (other->string[0] == m->string[0] && strcmp(other->string, m->string) == 0)
				return duplicate_key(p, m->string, err);
		count++;
	}
	if (count <= PAIRWISE_MEMBERS)
		return 0;
	size_t size = 16;
	while (size < count * 2)
		size *= 2;
	const cJSON **table = calloc(size, sizeof *table);
	if (table == NULL)
		return error_nomem(err);
	int rc = 0;
	/* Seeded by an address, so that a sender cannot prepare keys that all meet in one slot. */
	unsigned long long seed = STR_HASH_SEED ^ (uintptr_t)table;
	for (const cJSON *m = p->value->child; m != NULL && rc == 0; m = m->next) {
		unsigned long long hash = str_hash(seed, str_of(m->string));
		size_t slot = (size_t)(hash ^ (hash >> 32)) & (size - 1);
		while (table[slot] != NULL && strcmp(table[slot]->string, m->string) != 0)
			slot = (slot + 1) & (size - 1);
		if (table[slot] != NULL)
			rc = duplicate_key(p, m->string, err);
		table[slot] = m;
	}
	free(table);
	return rc;
}

/* ---- the grammar ---- */

static void skip_space(struct scan *s)
{
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
		s->at++;
}

static bool is_digit(const struct scan *s)
{
	return s->at < s->end && *s->at >= '0' && *s->at <= '9';
}

static void skip_digits(struct scan *s)
{
	while (is_digit(s))
		s->at++;
}

static bool take(struct scan *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

static int scan_number(struct scan *s, cJSON *v)
{
	const char *from = s->at;
	(void)take(s, '-');
	if (!is_digit(s))
		return fail_found(s, "a digit");
	if (take(s, '0')) {
		if (is_digit(s))
			return fail(s, from, "a number begins with a superfluous 0; leave it out");
	}
	skip_digits(s);
	if (take(s, '.')) {
		if (!is_digit(s))
			return fail_found(s, "a digit behind the decimal point");
		skip_digits(s);
	}
	if (s->at < s->end && (*s->at == 'e' || *s->at == 'E')) {
		s->at++;
		if (!take(s, '+'))
			(void)take(s, '-');
		if (!is_digit(s))
			return fail_found(s, "a digit in the exponent");
		skip_digits(s);
	}
	if ((size_t)(s->at - from) > LIMIT_JSON_NUMBER)
		return fail(s, from, "a number is longer than %d characters", LIMIT_JSON_NUMBER);
	keep_exact(s, from, v);
	return 0;
}

/* The four digits behind \u as a number; -1 when they are not hexadecimal. */
static int hex4(const char *p, const char *end)
{
	int value = 0;
	for (int i = 0; i < 4; i++, p++) {
		if (p >= end)
			return -1;
		int digit = *p >= '0' && *p <= '9'   ? *p - '0'
			    : *p >= 'a' && *p <= 'f' ? *p - 'a' + 10
			    : *p >= 'A' && *p <= 'F' ? *p - 'A' + 10
						     : -1;
		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

/* Writes the character behind \\u, in UTF-8; returns how many bytes it takes. */
static size_t put_utf8(char *to, unsigned c)
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, c >>= 6)
		to[i] = (char)(0x80 | (c & 0x3F));
	to[0] = (char)((0xF0U << (4 - n)) | c);
	return n;
}

/* Behind a backslash: the character in *c, 0 for \\u0000. */
static int scan_escape(struct scan *s, unsigned *c)
{
	static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *from = s->at - 1;
	if (s->at == s->end)
		return fail(s, from, "the text ends inside a string");
	const char *name = memchr(names, *s->at, sizeof names - 1);
	if (name == NULL && *s->at != 'u')
		return fail_found(s, "one of \" \\ / b f n r t u behind the backslash in a string");
	s->at++;
	if (name != NULL) {
		*c = (unsigned char)meant[name - names];
		return 0;
	}
	int unit = hex4(s->at, s->end);
	if (unit < 0)
		return fail(s, from, "\\u in a string needs four hexadecimal digits");
	s->at += 4;
	*c = (unsigned)unit;
	if (unit >= 0xDC00 && unit <= 0xDFFF)
		return fail(s, from, "the second half of a surrogate pair stands alone");
	if (unit >= 0xD800 && unit <= 0xDBFF) {
		int low = s->end - s->at >= 6 && s->at[0] == '\\' && s->at[1] == 'u' ? hex4(s->at + 2, s->end) : -1;
		if (low < 0xDC00 || low > 0xDFFF)
			return fail(s, from, "the first half of a surrogate pair stands alone");
		s->at += 6;
		*c = 0x10000 + (((unsigned)unit - 0xD800) << 10) + ((unsigned)low - 0xDC00);
	}
	return 0;
}

/*
 * A string, from its quote on: what it means is kept as a C string in *out, and in *nul whether it holds a NUL, where
 * what is kept is of no use.
 */
static int scan_string(struct scan *s, char **out, bool *nul)
{
	const char *from = s->at++;
	char *text = s->text;
	*out = text;
	*nul = false;
	for (;;) {
		const char *plain = s->at;
		s->at += text_plain(rest(s));
		while (s->at < s->end && (unsigned char)*s->at >= 0x7F) {
			size_t n = text_character(rest(s), NULL);
			if (n == 0)
				return fail_found(s, "UTF-8 in a string");
			s->at += n;
			s->at += text_plain(rest(s));
		}
		size_t n = (size_t)(s->at - plain);
		if (text != NULL) {
			memcpy(text, plain, n);
			text += n;
		}
		if (s->at == s->end)
			return fail(s, from, "a string has no closing quote");
		if (*s->at == '"')
			break;
		if (*s->at != '\\')
			return fail_found(s, "an escape instead of a control character in a string");
		s->at++;
		unsigned c = 0;
		int rc = scan_escape(s, &c);
		if (rc != 0)
			return rc;
		*nul = *nul || c == 0;
		if (text != NULL)
			text += put_utf8(text, c);
	}
	s->at++;
	if (text != NULL) {
		*text = '\0';
		s->text = text + 1;
	}
	return 0;
}

/* A string as a value. One that holds a NUL is no C string: its source is kept, in the place of its text. */
static int scan_text(struct scan *s, cJSON *v)
{
	const char *from = s->at;
	char *text;
	bool nul;
	int rc = scan_string(s, &text, &nul);
	v->type = cJSON_String;
	v->valuestring = text;
	if (rc == 0 && nul) {
		s->text = text;
		keep_exact(s, from, v);
	}
	return rc;
}

static int scan_word(struct scan *s, const char *word, int type, cJSON *v)
{
	size_t n = strlen(word);
	if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0)
		return fail_found(s, "a value: an object, an array, a string, a number, true, false or null");
	s->at += n;
	v->type = type;
	return 0;
}

static int scan_value(struct scan *s, const struct place *p, unsigned depth, cJSON *v);

/* The value of a member, which may be one that is looked for. */
static int scan_member(struct scan *s, struct str key, const struct place *p, unsigned depth, cJSON *v)
{
	struct json_cut *cut = s->cut;
	skip_space(s);
	const char *from = s->at;
	if (cut != NULL && depth == 1)
		s->in_outer = str_eqz(key, cut->outer);
	int rc = scan_value(s, p, depth, v);
	for (size_t i = 0; i < 2 && cut != NULL && s->in_outer && depth == 2 && rc == 0; i++)
		if (str_eqz(key, cut->names[i]))
			cut->found[i] = (struct str){from, (size_t)(s->at - from)};
	return rc;
}

/* A key, into the member's node. *source is what stands between its quotes. */
static int scan_key(struct scan *s, cJSON *member, struct str *source)
{
	skip_space(s);
	if (s->at == s->end || *s->at != '"')
		return fail_found(s, "a key in quotes");
	const char *from = s->at;
	bool nul;
	int rc = scan_string(s, &member->string, &nul);
	if (rc != 0)
		return rc;
	if (nul)
		return fail(s, from, "a key holds the character NUL (\\u0000)");
	*source = (struct str){from + 1, (size_t)(s->at - from) - 2};
	skip_space(s);
	return take(s, ':') ? 0 : fail_found(s, "a colon behind a key");
}

static int scan_members(struct scan *s, const struct place *p, unsigned depth, cJSON *object)
{
	object->type = cJSON_Object;
	s->at++;
	skip_space(s);
	if (take(s, '}'))
		return 0;
	struct place inner = {p, NULL, 0};
	for (;;) {
		cJSON *member = node(s);
		if (member == NULL)
			return no_room(s);
		inner.value = member;
		append(s, object, member);
		struct str key = {NULL, 0};
		int rc = scan_key(s, member, &key);
		if (rc == 0)
			rc = scan_member(s, key, &inner, depth, member);
		if (rc != 0)
			return rc;
		skip_space(s);
		if (take(s, '}'))
			return s->arena != NULL ? check_keys(p, s->err) : 0;
		if (!take(s, ','))
			return fail_found(s, "a comma or } in an object");
	}
}

static int scan_elements(struct scan *s, const struct place *p, unsigned depth, cJSON *array)
{
	array->type = cJSON_Array;
	s->at++;
	skip_space(s);
	if (take(s, ']'))
		return 0;
	for (struct place inner = {p, NULL, 0};; inner.index++) {
		cJSON *element = node(s);
		if (element == NULL)
			return no_room(s);
		inner.value = element;
		append(s, array, element);
		int rc = scan_value(s, &inner, depth, element);
		if (rc != 0)
			return rc;
		skip_space(s);
		if (take(s, ']'))
			return 0;
		if (!take(s, ','))
			return fail_found(s, "a comma or ] in an array");
	}
}

/* Fills the node `v`, which is the place's. Recursive; LIMIT_JSON_DEPTH bounds it. */
static int scan_value(struct scan *s, const struct place *p, unsigned depth, cJSON *v)
{
	skip_space(s);
	if (s->at == s->end)
		return fail_found(s, "a value");
	char c = *s->at;
	if (c == '{' || c == '[') {
		if (depth >= LIMIT_JSON_DEPTH) {
			(void)fail(s, s->at, "nested more than %d levels deep", LIMIT_JSON_DEPTH);
			return ERR_LIMIT;
		}
		return c == '{' ? scan_members(s, p, depth + 1, v) : scan_elements(s, p, depth + 1, v);
	}
	if (c == '"')
		return scan_text(s, v);
	if (c == '-' || (c >= '0' && c <= '9'))
		return scan_number(s, v);
	if (c == 't')
		return scan_word(s, "true", cJSON_True, v);
	return c == 'f' ? scan_word(s, "false", cJSON_False, v) : scan_word(s, "null", cJSON_NULL, v);
}

static int scan(struct scan *s, cJSON *tree)
{
	if (str_trim((struct str){s->begin, (size_t)(s->end - s->begin)}).n == 0)
		return error_set(s->err, ERR_INVALID, "malformed JSON: the text is empty");
	struct place outermost = {NULL, tree, 0};
	int rc = scan_value(s, &outermost, 0, tree);
	if (rc != 0)
		return rc;
	skip_space(s);
	return s->at == s->end ? 0 : fail_found(s, "nothing behind the end of the JSON value");
}

int json_parse_in(struct arena *arena, struct str text, const struct json **out, struct error *err)
{
	/* One of its own, so that a text that is refused leaves nothing behind. */
	struct arena tree_arena = {.budget = arena->budget};
	struct scan s = {
		.arena = &tree_arena,
		.begin = text.p,
		.at = text.p,
		.end = text.p + text.n,
		.err = err,
	};
	if (!budget_work(arena->budget, text.n / BUDGET_BYTES))
		return error_nomem(err);
	/*
	 * Quotes, or what stands behind a number, make room for the NUL behind each text; that behind a lone number is
	 * the one more.
	 */
	s.text = arena_alloc(&tree_arena, text.n + 1);
	cJSON *tree = s.text != NULL ? node(&s) : NULL;
	int rc = tree != NULL ? scan(&s, tree) : no_room(&s);
	if (rc != 0) {
		arena_free(&tree_arena);
		return rc;
	}
	arena_join(arena, &tree_arena);
	*out = (const struct json *)tree;
	return 0;
}

int json_scan_cut(struct str text, struct json_cut *cut, struct error *err)
{
	struct scan s = {
		.begin = text.p,
		.at = text.p,
		.end = text.p + text.n,
		.cut = cut,
		.err = err,
	};
	return scan(&s, &s.unused);
}
