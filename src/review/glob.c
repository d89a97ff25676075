#include "review/glob.h"

#include "base/limits.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One search. */
struct search {
	struct arena *arena;
	struct glob_paths *out;
	struct error *err;
	const char *pattern;
};

bool glob_is_pattern(const char *path)
{
	return strpbrk(path, "*?[") != NULL;
}

static int add(const struct search *s, struct str path)
{
	struct glob_paths *out = s->out;
	const char **items = arena_grow(s->arena, out->items, out->count, &out->capacity, sizeof(*items));
	if (items == NULL)
		return error_nomem(s->err);
	out->items = items;
	out->items[out->count++] = path.p;
	return 0;
}

/* `directory` with one more name; `directory` is empty, or ends in a slash. */
static struct str join(const struct search *s, struct str directory, struct str name)
{
	return arena_fmt(s->arena, "%.*s%.*s", STR_ARG(directory), STR_ARG(name));
}

static int search(const struct search *s, struct str directory, struct str pattern, unsigned depth);

/* The path is matched up to here; `rest` of the pattern is absent or goes on below. */
static int matched(const struct search *s, struct str path, struct str rest, unsigned depth)
{
	struct stat st;
	if (path.p == NULL)
		return error_nomem(s->err);
	if (stat(path.p, &st) != 0)
		return 0;
	if (rest.p == NULL)
		return add(s, path);
	if (!S_ISDIR(st.st_mode))
		return 0;
	struct str below = join(s, path, STR("/"));
	return below.p != NULL ? search(s, below, rest, depth + 1) : error_nomem(s->err);
}

/* Goes on below each entry that fits `glob`; with an absent glob, below each real directory, with `pattern` again. */
static int each_entry(const struct search *s, struct str directory, const char *glob, struct str pattern,
		      unsigned depth)
{
	struct dirent **entries;
	struct stat st;
	int count = scandir(directory.n > 0 ? directory.p : ".", &entries, NULL, alphasort);
	if (count < 0 && errno == ENOMEM)
		return error_nomem(s->err);
	if (count < 0)
		return error_set(s->err, ERR_IO, "cannot read directory %.*s: %s", STR_ARG(directory), strerror(errno));
	int rc = 0;
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;
		struct str path = rc == 0 && name[0] != '.' ? join(s, directory, str_of(name)) : (struct str){NULL, 0};
		if (path.p != NULL && glob != NULL && fnmatch(glob, name, FNM_PERIOD) == 0)
			rc = matched(s, path, pattern, depth);
		else if (path.p != NULL && glob == NULL && lstat(path.p, &st) == 0 && S_ISDIR(st.st_mode))
			rc = matched(s, path, pattern, depth);
		free(entries[i]);
	}
	free(entries);
	return rc == 0 && s->arena->failed ? error_nomem(s->err) : rc;
}

/* Finds `pattern`, which is not absent, below `directory`. */
static int search(const struct search *s, struct str directory, struct str pattern, unsigned depth)
{
	struct str rest = pattern, part;
	if (depth > LIMIT_DIRECTORY_DEPTH)
		return error_set(s->err, ERR_LIMIT, "\"%s\" leads more than %d directories deep; name a directory below",
				 s->pattern, LIMIT_DIRECTORY_DEPTH);
	(void)str_split(&rest, '/', &part);
	if (str_eqz(part, "**") && rest.p == NULL)
		return add(s, directory.n > 0 ? directory : STR("."));
	if (str_eqz(part, "**")) {
		int rc = search(s, directory, rest, depth);
		return rc != 0 ? rc : each_entry(s, directory, NULL, pattern, depth);
	}
	struct str name = arena_str(s->arena, part);
	if (name.p == NULL)
		return error_nomem(s->err);
	if (glob_is_pattern(name.p))
		return each_entry(s, directory, name.p, rest, depth);
	if (name.n == 0 && rest.p != NULL && directory.n > 0)
		return search(s, directory, rest, depth); /* two slashes */
	return matched(s, join(s, directory, name), rest, depth);
}

static int by_bytes(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	return strcmp(*x, *y);
}

int glob_find(struct arena *arena, const char *pattern, struct glob_paths *out, struct error *err)
{
	struct glob_paths found = {0};
	struct search s = {arena, &found, err, pattern};
	struct str from = str_of(pattern), root = STR("");
	if (pattern[0] == '/') {
		root = STR("/");
		from = str_from(from, 1);
	}
	int rc = search(&s, root, from, 0);
	if (rc != 0)
		return rc;
	if (found.count == 0)
		return error_set(err, ERR_INVALID, "no file matches %s", pattern);
	qsort(found.items, found.count, sizeof found.items[0], by_bytes);
	size_t kept = 1;
	for (size_t i = 1; i < found.count; i++)
		if (strcmp(found.items[i], found.items[kept - 1]) != 0)
			found.items[kept++] = found.items[i];
	found.count = kept;
	*out = found;
	return 0;
}
