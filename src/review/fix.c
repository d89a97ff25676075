#include "review/fix.h"

#include "base/meant.h"
#include "policy/rules/rule.h"

#include <stdint.h>

/* Are all characters printable ASCII, and none of them one that quotes escape? Columns are then bytes. */
static bool is_as_written(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < ' ' || text.p[i] > '~' || text.p[i] == '"' || text.p[i] == '\'' || text.p[i] == '\\')
			return false;
	return text.n > 0;
}

/* Where the text of a scalar begins, behind its quote; 0 when it does not stand there as it is. */
static size_t text_column(struct str text, size_t column, size_t width)
{
	if (!is_as_written(text))
		return 0;
	return width == text.n ? column : width == text.n + 2 ? column + 1 : 0;
}

/* How far a word may be from the one that was meant: as far as base/meant.h looks. */
static bool is_near(struct str word, struct str meant, size_t *distance)
{
	*distance = str_distance(word, meant);
	return *distance > 0 && *distance <= word.n / 3 + 1;
}

/* The key of the value, or the part of it behind a slash. */
static struct review_fix fix_key(const struct yaml_node *node, struct str meant)
{
	struct str key = node->key.p != NULL ? node->key : STR("");
	size_t column = text_column(key, node->key_column, node->key_width), distance;
	size_t slash = str_find(key, '/'), from = slash < key.n && str_find(meant, '/') == meant.n ? slash + 1 : 0;
	struct str word = str_from(key, from);
	if (column == 0 || !is_near(word, meant, &distance))
		return (struct review_fix){.line = 0};
	return (struct review_fix){node->key_line, column + from, word.n, meant};
}

static bool ends_word(char c)
{
	return c == ',' || c == '=' || c == ' ';
}

/* The word of the value that comes closest. */
static struct review_fix fix_word(const struct yaml_node *node, struct str meant)
{
	struct str text = node->text;
	struct review_fix fix = {.line = 0};
	size_t column = node->kind == YAML_STRING ? text_column(text, node->column, node->width) : 0;
	size_t best = SIZE_MAX, distance;
	for (size_t i = 0, end; column > 0 && i < text.n; i = end + 1) {
		for (end = i; end < text.n && !ends_word(text.p[end]);)
			end++;
		if (is_near((struct str){text.p + i, end - i}, meant, &distance) && distance < best) {
			best = distance;
			fix = (struct review_fix){node->line, column + i, end - i, meant};
		}
	}
	return fix;
}

/* What a sentence expects in quotes; absent when it does not. */
static struct str expected_name(struct str message)
{
	const struct str words = STR("; expected \"");
	while (message.n > 0 && !str_starts(message, words))
		message = str_from(message, 1);
	message = str_from(message, words.n);
	size_t end = str_find(message, '"');
	return end > 0 && end < message.n ? (struct str){message.p, end} : (struct str){NULL, 0};
}

struct review_fix fix_find(struct line_finder *finder, const char *id, struct str field, struct str message)
{
	struct review_fix fix = {.line = 0};
	struct str meant = meant_read(message);
	bool claim = str_eqz(str_of(id), rules[RULE_CLAIM_SECRET_NAME]->id);
	struct str name = claim ? expected_name(message) : (struct str){NULL, 0};
	if (meant.p == NULL && name.p == NULL)
		return fix;
	const struct yaml_node *node = line_node(finder, field);
	if (node == NULL)
		return fix;
	if (name.p != NULL) {
		size_t column = node->kind == YAML_STRING ? text_column(node->text, node->column, node->width) : 0;
		return column > 0 ? (struct review_fix){node->line, column, node->text.n, name} : fix;
	}
	fix = fix_key(node, meant);
	return fix.line > 0 ? fix : fix_word(node, meant);
}
