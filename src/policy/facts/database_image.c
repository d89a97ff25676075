#include "policy/facts/database_image.h"

#include <stdlib.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool contains(const struct names *sorted, struct str word)
{
	return bsearch(&word, sorted->items, sorted->count, sizeof word, str_order) != NULL;
}

/* A row begins with its text. */
static const struct database_name *find_word(struct str word)
{
	return bsearch(&word, database_table.words, database_table.word_count, sizeof *database_table.words, str_order);
}

static bool is_product_name(struct str s)
{
	return bsearch(&s, database_table.products, database_table.product_count, sizeof *database_table.products,
		       str_order) != NULL;
}

const struct name_form database_products = {is_product_name,
					    "a product of the table in docs/rules/no-in-cluster-database.md"};

static bool is_wanted(const struct database_lists *lists, struct str product)
{
	for (size_t i = 0; i < lists->products->count; i++)
		if (str_eq(lists->products->items[i], product))
			return true;
	return false;
}

bool database_glob_matches(struct str glob, struct str path)
{
	size_t slashes = 0, start = path.n;
	for (size_t k = 0; k < glob.n; k++)
		slashes += glob.p[k] == '/';
	while (start > 0 && (path.p[start - 1] != '/' || slashes-- > 0))
		start--;
	return str_glob(glob, str_from(path, start));
}

static bool globs_match(const struct names *globs, struct str path)
{
	for (size_t i = 0; i < globs->count; i++)
		if (database_glob_matches(globs->items[i], path))
			return true;
	return false;
}

static bool rows_match(const struct database_lists *lists, const struct database_name *rows, size_t count,
		       struct str path)
{
	for (size_t i = 0; i < count; i++)
		if (is_wanted(lists, rows[i].product) && database_glob_matches(rows[i].text, path))
			return true;
	return false;
}

/* Are the last parts of `path`, however many, a repository of the table? */
static bool repository_matches(const struct database_lists *lists, struct str path)
{
	const struct database_table *t = &database_table;
	struct str before = path;
	for (int parts = 0; parts < DATABASE_PARTS; parts++) {
		size_t slash = str_rfind(before, '/');
		struct str end = slash < before.n ? str_from(path, slash + 1) : path;
		const struct database_name *row =
			bsearch(&end, t->repositories, t->repository_count, sizeof *row, str_order);
		if (row != NULL && is_wanted(lists, row->product))
			return true;
		if (slash == before.n)
			break;
		before.n = slash;
	}
	return false;
}

static struct str without_digits(struct str word)
{
	while (word.n > 0 && is_digit(word.p[word.n - 1]))
		word.n--;
	return word;
}

/* 16, 11g, 23ai */
static bool is_version(struct str word)
{
	size_t digits = 0;
	while (digits < word.n && is_digit(word.p[digits]))
		digits++;
	if (digits == 0 || word.n - digits > 3)
		return false;
	for (size_t i = digits; i < word.n; i++)
		if (is_digit(word.p[i]))
			return false;
	return true;
}

enum word { WORD_UNKNOWN, WORD_NEUTRAL, WORD_TOOL, WORD_PRODUCT };

static enum word classify(const struct database_lists *lists, struct str word)
{
	struct str stem = without_digits(word);
	const struct database_name *row = find_word(word);
	if (row == NULL)
		row = find_word(stem);
	if (row != NULL && is_wanted(lists, row->product))
		return WORD_PRODUCT;
	if (contains(&database_table.tools, word))
		return WORD_TOOL;
	if (contains(&database_table.neutral, word) || is_version(word) ||
	    (stem.n < word.n && contains(&database_table.numbered, stem)))
		return WORD_NEUTRAL;
	return WORD_UNKNOWN;
}

/* What a part of a path is about: its last word that says something, unless one of them is a tool's. */
static enum word classify_part(const struct database_lists *lists, struct str part)
{
	enum word last = WORD_NEUTRAL;
	for (size_t start = 0, i = 0; i <= part.n; i++) {
		if (i < part.n && part.p[i] != '-' && part.p[i] != '_' && part.p[i] != '.')
			continue;
		struct str word = {part.p + start, i - start};
		start = i + 1;
		enum word kind = word.n > 0 ? classify(lists, word) : WORD_NEUTRAL;
		if (kind == WORD_TOOL)
			return WORD_TOOL;
		if (kind != WORD_NEUTRAL)
			last = kind;
	}
	return last;
}

/* The same of a path: the last part that says something. */
static enum word classify_path(const struct database_lists *lists, struct str path)
{
	enum word kind = WORD_NEUTRAL;
	while (kind == WORD_NEUTRAL && path.n > 0) {
		size_t slash = str_rfind(path, '/');
		kind = classify_part(lists, slash < path.n ? str_from(path, slash + 1) : path);
		path.n = slash < path.n ? slash : 0;
	}
	return kind;
}

bool database_image_is_server(const struct database_lists *lists, const struct image *image)
{
	const struct database_table *t = &database_table;
	if (globs_match(lists->allowed, image->repository))
		return false;
	if (globs_match(lists->images, image->repository) ||
	    rows_match(lists, t->tagged_images, t->tagged_image_count, image->tagged))
		return true;
	if (globs_match(&t->others, image->repository))
		return false;
	enum word kind = classify_path(lists, image->repository);
	return kind == WORD_PRODUCT ||
	       (kind != WORD_TOOL && (repository_matches(lists, image->repository) ||
				      rows_match(lists, t->images, t->image_count, image->repository)));
}
