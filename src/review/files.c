/* Where manifests stand: files, directories, and what globs find. */
#include "review/manifests.h"

#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "review/glob.h"
#include "review/reading.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int manifests_exclude(struct manifests *m, const char *pattern, struct error *err)
{
	struct exclusions *e = &m->exclusions;
	const char **items = arena_grow(&m->arena, e->items, e->count, &e->capacity, sizeof *items);
	struct str copy = arena_str(&m->arena, str_of(pattern));
	if (items == NULL || copy.p == NULL)
		return error_nomem(err);
	if (copy.n > 1 && copy.p[copy.n - 1] == '/') /* a directory, as one types it */
		copy = arena_str(&m->arena, (struct str){copy.p, copy.n - 1});
	e->items = items;
	e->items[e->count++] = copy.p;
	return copy.p != NULL ? 0 : error_nomem(err);
}

static int add_file(struct manifests *m, const char *path, bool found, struct error *err)
{
	struct str source = manifests_source(m, path);
	if (source.p == NULL)
		return error_nomem(err);
	struct reading r = {m, source.p, found, err};
	struct error why;
	struct buf text;
	buf_init(&text, LIMIT_MANIFEST);
	int rc = file_read_input(path, LIMIT_MANIFEST, &text, &why);
	if (rc == 0)
		return reading_queue_text(&r, &text);
	buf_free(&text);
	if (rc == ERR_NOMEM)
		return error_nomem(err);
	rc = reading_flush(m, err);
	return rc != 0 ? rc : reading_fault(&r, 0, 0, "%s", why.text);
}

static bool is_manifest_name(const char *name)
{
	struct str s = str_of(name);
	return str_ends(s, STR(".yaml")) || str_ends(s, STR(".yml")) || str_ends(s, STR(".json"));
}

/* One directory that was given, and what was found below. */
struct walk {
	struct manifests *m;
	const char *root;
	const char *real; /* without links; NULL: unknown */
	struct error *err;
};

/* Is the place the link leads to in the tree that was given? */
static bool stays_inside(const struct walk *w, const char *path)
{
	char *target = realpath(path, NULL);
	size_t n = w->real != NULL ? strlen(w->real) : 0;
	bool inside = target != NULL && w->real != NULL && strncmp(target, w->real, n) == 0 &&
		      (target[n] == '/' || target[n] == '\0' || (n > 0 && w->real[n - 1] == '/'));
	free(target);
	return inside;
}

static bool is_excluded(const struct walk *w, const char *path, const char *name)
{
	const struct exclusions *e = &w->m->exclusions;
	const char *below = path + strlen(w->root);
	while (*below == '/')
		below++;
	for (size_t i = 0; i < e->count; i++) {
		const char *pattern = e->items[i];
		bool is_path = strchr(pattern, '/') != NULL;
		if (str_starts(str_of(pattern), STR("./")))
			pattern += 2;
		if (fnmatch(pattern[0] == '/' ? pattern + 1 : pattern, is_path ? below : name, 0) == 0)
			return true;
	}
	return false;
}

static int add_directory(const struct walk *w, const char *path, unsigned depth);

static int __attribute__((format(printf, 3, 4)))
directory_fault(const struct walk *w, const char *path, const char *format, ...)
{
	struct str source = text_shown(&w->m->arena, arena_str(&w->m->arena, str_of(path)));
	va_list args;
	va_start(args, format);
	struct str sentence = arena_fmtv(&w->m->arena, format, args);
	va_end(args);
	if (source.p == NULL || sentence.p == NULL || reading_flush(w->m, w->err) != 0)
		return error_nomem(w->err);
	return reading_fault(&(struct reading){w->m, source.p, true, w->err}, 0, 0, "%s", sentence.p);
}

/* A chart's templates are rendered first. */
static bool is_templates_of_chart(const struct walk *w, const char *directory, const char *name)
{
	struct stat st;
	struct str chart = arena_fmt(&w->m->arena, "%s/Chart.yaml", directory);
	return strcmp(name, "templates") == 0 && chart.p != NULL && stat(chart.p, &st) == 0;
}

static int add_entry(const struct walk *w, const char *directory, const char *name, unsigned depth)
{
	struct stat st;
	const char *slash = str_ends(str_of(directory), STR("/")) ? "" : "/";
	struct str path = arena_fmt(&w->m->arena, "%s%s%s", directory, slash, name);
	if (path.p == NULL)
		return error_nomem(w->err);
	if (name[0] == '.' || strcmp(name, "node_modules") == 0 || is_excluded(w, path.p, name))
		return 0;
	if (lstat(path.p, &st) != 0)
		return directory_fault(w, path.p, "cannot read %s: %s", path.p, strerror(errno));
	bool link = S_ISLNK(st.st_mode);
	if (link && stat(path.p, &st) != 0)
		return is_manifest_name(name) ? directory_fault(w, path.p, "cannot read %s: %s", path.p, strerror(errno))
					      : 0;
	if (link && !stays_inside(w, path.p)) {
		w->m->links++;
		return 0;
	}
	if (S_ISDIR(st.st_mode)) /* a link to one that is inside: it is read in its own place */
		return link ? 0
			    : is_templates_of_chart(w, directory, name)
				      ? reading_pass_over(&(struct reading){w->m, path.p, true, w->err})
				      : add_directory(w, path.p, depth + 1);
	return S_ISREG(st.st_mode) && is_manifest_name(name) ? add_file(w->m, path.p, true, w->err) : 0;
}

static int add_directory(const struct walk *w, const char *path, unsigned depth)
{
	struct dirent **entries;
	if (depth > LIMIT_DIRECTORY_DEPTH)
		return directory_fault(w, path, "%s is nested more than %d directories deep; name it by itself", path,
				       LIMIT_DIRECTORY_DEPTH);
	int count = scandir(path, &entries, NULL, alphasort);
	if (count < 0)
		return errno == ENOMEM ? error_nomem(w->err)
				       : directory_fault(w, path, "cannot read directory %s: %s", path, strerror(errno));
	int rc = 0;
	for (int i = 0; i < count; i++) {
		if (rc == 0)
			rc = add_entry(w, path, entries[i]->d_name, depth);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

/* Patterns of the file .connhookignore of the directory, a line each; # begins a comment. */
static int read_ignored(struct manifests *m, const char *directory, struct error *err)
{
	struct error why;
	struct stat st;
	struct buf text;
	struct str path = arena_fmt(&m->arena, "%s/.connhookignore", directory), rest, line;
	if (path.p == NULL)
		return error_nomem(err);
	if (lstat(path.p, &st) != 0 || !S_ISREG(st.st_mode))
		return 0;
	buf_init(&text, LIMIT_CONFIG);
	int rc = file_read_input(path.p, LIMIT_CONFIG, &text, &why);
	if (rc != 0)
		rc = rc == ERR_NOMEM ? error_nomem(err)
				     : reading_fault(&(struct reading){m, path.p, true, err}, 0, 0, "%s", why.text);
	else
		rest = buf_str(&text);
	while (rc == 0 && text.n > 0 && str_split(&rest, '\n', &line)) {
		struct str pattern = str_trim(line);
		struct str copy = arena_str(&m->arena, pattern);
		if (copy.p == NULL && pattern.n > 0)
			rc = error_nomem(err);
		else if (pattern.n > 0 && pattern.p[0] != '#')
			rc = manifests_exclude(m, copy.p, err);
	}
	buf_free(&text);
	return rc;
}

static int add_path(struct manifests *m, const char *path, struct error *err)
{
	struct stat st;
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
		return add_file(m, path, false, err);
	size_t exclusions = m->exclusions.count;
	int rc = read_ignored(m, path, err);
	if (rc != 0)
		return rc;
	char *real = realpath(path, NULL);
	rc = add_directory(&(struct walk){m, path, real, err}, path, 0);
	free(real);
	m->exclusions.count = exclusions;
	return rc;
}

/* What a pattern finds below its fixed part, but for links that leave that. */
static int add_found(struct manifests *m, const char *pattern, const struct glob_paths *found, struct error *err)
{
	struct str fixed = {pattern, strcspn(pattern, "*?[")};
	struct str root = arena_str(&m->arena, (struct str){pattern, str_rfind(fixed, '/')});
	if (root.p == NULL)
		return error_nomem(err);
	if (strchr(pattern, '/') == NULL || memchr(fixed.p, '/', fixed.n) == NULL)
		root = STR(".");
	char *real = realpath(root.n > 0 ? root.p : "/", NULL);
	struct walk w = {m, root.p, real, err};
	int rc = 0;
	for (size_t i = 0; i < found->count && rc == 0; i++) {
		struct stat st;
		bool inside = lstat(found->items[i], &st) != 0 || stays_inside(&w, found->items[i]);
		m->links += !inside;
		if (inside)
			rc = add_path(m, found->items[i], err);
	}
	free(real);
	return rc;
}

int manifests_add(struct manifests *m, const char *path, struct error *err)
{
	struct stat st;
	struct glob_paths found = {0};
	struct error why;
	if (strcmp(path, "-") == 0)
		return add_file(m, path, false, err);
	if (stat(path, &st) == 0 || !glob_is_pattern(path))
		return add_path(m, path, err);
	int rc = glob_find(&m->arena, path, &found, &why);
	if (rc == 0)
		return add_found(m, path, &found, err);
	struct str source = text_shown(&m->arena, str_of(path));
	if (rc == ERR_NOMEM || source.p == NULL || reading_flush(m, err) != 0)
		return error_nomem(err);
	return reading_fault(&(struct reading){m, source.p, false, err}, 0, 0, "%s", why.text);
}
