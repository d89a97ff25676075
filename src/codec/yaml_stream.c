/* A stream of YAML documents, divided without reading them: one that is malformed does not hide what follows. */
#include "codec/yaml.h"

#include "codec/yaml_parts.h"

/* Behind a byte order mark, which may stand before each document. */
static struct str without_mark(struct str line)
{
	return str_starts(line, STR("\xEF\xBB\xBF")) ? str_from(line, 3) : line;
}

static bool is_separator(struct str line)
{
	line = without_mark(line);
	if (!str_starts(line, STR("---")))
		return false;
	return line.n == 3 || line.p[3] == ' ' || line.p[3] == '\t' || line.p[3] == '\r' || line.p[3] == '#';
}

/* "---# Source: app.yaml" is a comment for kubectl, and no YAML. */
static bool is_glued_comment(struct str line)
{
	line = without_mark(line);
	return line.n > 3 && line.p[3] == '#' && is_separator(line);
}

/* Does the line hold nothing but a comment, a directive or a separator? What follows then belongs to it. */
static bool is_preamble(struct str line)
{
	line = without_mark(line);
	line = str_trim(is_separator(line) ? str_from(line, 3) : line);
	return line.n == 0 || line.p[0] == '#' || line.p[0] == '%';
}

bool yaml_next_part(struct str *rest, struct str *part, size_t *lines)
{
	struct str text = *rest;
	bool preamble = true;
	size_t at = 0;
	*lines = 0;
	if (text.n == 0)
		return false;
	if (is_glued_comment(text))
		text = str_from(text, str_find(text, '#'));
	while (at < text.n) {
		struct str from = str_from(text, at), line = {from.p, str_find(from, '\n')};
		if (at > 0 && is_separator(line) && (!preamble || is_glued_comment(line)))
			break;
		preamble = preamble && is_preamble(line);
		*lines += line.n < from.n;
		at += line.n + (line.n < from.n);
	}
	*part = (struct str){text.p, at};
	*rest = str_from(text, at);
	return true;
}

struct str yaml_behind_separator(struct str part, size_t *line)
{
	struct str first;
	for (*line = 0; str_split(&part, '\n', &first); (*line)++) {
		if (is_preamble(first))
			continue;
		first = without_mark(first);
		return is_separator(first) ? str_trim(str_from(first, 3)) : (struct str){NULL, 0};
	}
	return (struct str){NULL, 0};
}

void yaml_skip_preamble(struct str *text, size_t *line)
{
	for (;;) {
		struct str first = without_mark(*text);
		*text = first;
		first.n = str_find(first, '\n');
		if (first.n == text->n || !is_preamble(first) || (first.n > 0 && first.p[0] == '%'))
			return;
		*text = str_from(*text, first.n + 1);
		(*line)++;
	}
}
