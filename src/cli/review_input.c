#include "cli/review_input.h"

#include "base/limits.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/review_glob.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void manifests_free(struct manifests *m)
{
	arena_free(&m->arena);
	*m = (struct manifests){0};
}

void manifests_init(struct manifests *m)
{
	*m = (struct manifests){.aliased = LIMIT_YAML_ALIASED};
}

/* What is being read. */
struct reading {
	struct manifests *m;
	const char *source;
	bool found; /* in a directory, not named: may be something else than manifests */
	struct error *err;
};

/* ---- what cannot be read ---- */

/* Adds a finding: 0, or ERR_NOMEM. */
static int __attribute__((format(printf, 4, 5)))
unreadable(const struct reading *r, size_t line, size_t column, const char *format, ...)
{
	struct manifests *m = r->m;
	va_list args;
	va_start(args, format);
	struct str message = arena_fmtv(&m->arena, format, args);
	va_end(args);
	struct unreadable *items =
		arena_grow(&m->arena, m->unreadable, m->unreadable_count, &m->unreadable_capacity, sizeof *items);
	if (items == NULL || message.p == NULL)
		return error_nomem(r->err);
	m->unreadable = items;
	m->unreadable[m->unreadable_count++] = (struct unreadable){r->source, line, column, message};
	return 0;
}

static int pass_over(const struct reading *r)
{
	r->m->passed_over++;
	return 0;
}

int manifests_add_unreadable(struct manifests *m, const struct manifest *item, const char *sentence,
			     struct error *err)
{
	return unreadable(&(struct reading){m, item->source, false, err}, item->line, 0, "%s", sentence);
}

/* What reports call the input: absent without memory. */
static struct str source_of(struct manifests *m, const char *path)
{
	bool piped = strcmp(path, "-") == 0;
	const char *name = !piped ? path : m->stdin_name != NULL ? m->stdin_name : REVIEW_STDIN;
	return text_shown(&m->arena, arena_str(&m->arena, str_of(name)));
}

int manifests_add_empty(struct manifests *m, const char *path, bool others, struct error *err)
{
	struct str source = source_of(m, path), shown = text_shown(&m->arena, arena_str(&m->arena, str_of(path)));
	if (source.p == NULL || shown.p == NULL)
		return error_nomem(err);
	return unreadable(&(struct reading){m, source.p, false, err}, 0, 0,
			  "there is no Kubernetes object in %s%s; give manifests, or pipe kustomize build to review -",
			  shown.p, others ? ", ..." : "");
}

/* ---- objects ---- */

/* The API server would refuse them only when it is too late for a sentence with a line. */
static bool check_names(const struct reading *r, const struct manifest *item, int *rc)
{
	*rc = 0;
	static const char *const keys[] = {"name", "generateName", "namespace"};
	const struct json *metadata = json_getz(item->object, "metadata");
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		const struct json *v = json_getz(metadata, keys[i]);
		enum json_kind kind = json_kind(v);
		if (kind == JSON_STRING || kind == JSON_NULL || kind == JSON_ABSENT)
			continue;
		const struct yaml_node *at = item->node != NULL ? yaml_get(item->node, STR("metadata")) : NULL;
		at = yaml_get(at, str_of(keys[i]));
		*rc = unreadable(r, at != NULL ? at->line : item->line, 0,
				 "metadata.%s is %s; expected a string: put it in quotes", keys[i], json_kind_name(kind));
		return false;
	}
	return true;
}

static int add_object(const struct reading *r, const struct manifest *item)
{
	struct manifests *m = r->m;
	int rc;
	if (!check_names(r, item, &rc))
		return rc;
	struct manifest *items = arena_grow(&m->arena, m->items, m->count, &m->capacity, sizeof *items);
	if (items == NULL)
		return error_nomem(r->err);
	m->items = items;
	m->items[m->count++] = *item;
	return 0;
}

static bool str_contains(struct str text, struct str word)
{
	return memmem(text.p != NULL ? text.p : "", text.n, word.p, word.n) != NULL;
}

static bool has_action(struct str text)
{
	return str_contains(text, STR("{{")) || str_contains(text, STR("{%"));
}

/*
 * Is it a template of Helm or Jinja? Told by an action where YAML has none: at the beginning of a line or a value.
 * Others stand in quotes and text of real manifests (ExternalSecret, ApplicationSet, alerts).
 */
static bool is_template(struct str text)
{
	struct str line;
	while (str_split(&text, '\n', &line)) {
		struct str begin = str_trim(line);
		if (str_starts(begin, STR("- ")))
			begin = str_trim(str_from(begin, 2));
		if (str_starts(begin, STR("{{")) || str_starts(begin, STR("{%")) || str_contains(line, STR(": {{")))
			return true;
	}
	return false;
}

/* Values of a chart, Kustomizations, templates that are YAML by luck, configuration of other programs and our own. */
static bool is_no_manifest(const struct json *object)
{
	struct str version = json_string(json_getz(object, "apiVersion"));
	if (json_string(json_getz(object, "kind")).n == 0 || version.n == 0)
		return true;
	static const char *const keys[] = {"name", "generateName", "namespace"};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (has_action(json_string(json_path(object, "metadata", keys[i], NULL))))
			return true;
	return str_starts(version, STR("kustomize.config.k8s.io/")) || str_starts(version, STR("connhook.zerotouch.io/"));
}

/* One document, or the items of a List. */
static int add_document(const struct reading *r, const struct json *v, const struct yaml_node *node, size_t line)
{
	if (r->found && is_no_manifest(v))
		return pass_over(r);
	if (json_kind(v) != JSON_OBJECT)
		return unreadable(r, line, 0, "found %s; expected a Kubernetes object", json_kind_name(json_kind(v)));
	struct str kind = json_string(json_getz(v, "kind"));
	if (kind.n == 0 || json_string(json_getz(v, "apiVersion")).n == 0)
		return unreadable(r, line, 0, "the document has no %s; expected a Kubernetes object",
				  kind.n == 0 ? "kind" : "apiVersion");
	const struct json *list = json_getz(v, "items");
	bool is_list = str_ends(kind, STR("List")) && (json_kind(list) == JSON_ARRAY || str_eqz(kind, "List"));
	if (!is_list)
		return add_object(r, &(struct manifest){r->source, line, v, node});
	const struct yaml_node *items = yaml_get(node, STR("items")), *item = items != NULL ? items->first : NULL;
	int rc = 0;
	for (const struct json *e = json_first(list); e != NULL && rc == 0; e = json_next(e)) {
		rc = add_document(r, e, item, item != NULL ? item->line : line);
		item = item != NULL ? item->next : NULL;
	}
	return rc;
}

/* ---- text ---- */

/* Does a line of the text begin with the word? */
static bool has_line(struct str text, struct str word)
{
	struct str line;
	while (str_split(&text, '\n', &line))
		if (str_starts(line, word))
			return true;
	return false;
}

/* Would somebody have meant a manifest by this text, which is malformed? */
static bool is_meant_as_manifest(struct str text)
{
	if (str_starts(str_trim(text), STR("{")))
		return str_contains(text, STR("\"apiVersion\"")) && str_contains(text, STR("\"kind\""));
	return has_line(text, STR("apiVersion:")) || has_line(text, STR("kind:"));
}

static int malformed(const struct reading *r, int rc, const struct error *why, struct str text)
{
	if (rc == ERR_NOMEM)
		return error_nomem(r->err);
	bool template = rc == ERR_INVALID && is_template(text);
	if (r->found && rc == ERR_INVALID && (template || !is_meant_as_manifest(text)))
		return pass_over(r);
	/* The sentence begins with "LINE:COLUMN: ". */
	char *end = NULL;
	size_t line = strtoul(why->text, &end, 10), column = *end == ':' ? strtoul(end + 1, &end, 10) : 0;
	return unreadable(r, line, column, "%s%s", str_starts(str_of(end), STR(": ")) ? end + 2 : end,
			  template ? "; a template is rendered first: helm template CHART | connhook review -" : "");
}

static int add_node(const struct reading *r, const struct yaml_node *node)
{
	const struct json *v;
	struct error why;
	struct buf json;
	buf_init(&json, LIMIT_MANIFEST * 2);
	yaml_to_json(&json, node);
	int rc = json.error != 0 ? json.error : json_parse_in(&r->m->arena, buf_str(&json), &v, &why);
	if (rc == ERR_NOMEM)
		(void)error_nomem(r->err);
	else if (json.error != 0)
		rc = unreadable(r, node->line, 0, "the document is too large");
	else if (rc != 0)
		rc = unreadable(r, node->line, 0, "%s", why.text);
	else
		rc = add_document(r, v, node, node->line);
	buf_free(&json);
	return rc;
}

/* Each document by itself: one that is malformed does not hide the others. */
static int add_yaml(const struct reading *r, struct str text)
{
	struct str part;
	size_t line = 1, lines;
	int rc = 0;
	while (rc == 0 && yaml_next_part(&text, &part, &lines)) {
		const struct yaml_node **documents;
		struct error why;
		size_t count;
		rc = yaml_parse_part(&r->m->arena, part, line, &r->m->aliased, &documents, &count, &why);
		if (rc != 0)
			rc = malformed(r, rc, &why, part);
		else
			for (size_t i = 0; i < count && rc == 0; i++)
				rc = add_node(r, documents[i]);
		line += lines;
	}
	return rc;
}

/*
 * The places of a JSON text, read as YAML: NULL when YAML cannot read it. All tabs in JSON stand between values, where
 * YAML knows none.
 */
static const struct yaml_node *json_places(struct arena *arena, struct str text, size_t line)
{
	const struct yaml_node **documents;
	size_t count;
	struct str copy = arena_str(arena, text);
	char *p = arena_alloc(arena, copy.n);
	if (copy.p == NULL || p == NULL)
		return NULL;
	for (size_t i = 0; i < copy.n; i++)
		p[i] = copy.p[i] == '\t' ? ' ' : copy.p[i];
	size_t aliased = 0; /* JSON has none */
	struct str same = {p, copy.n};
	bool read = yaml_parse_part(arena, same, line, &aliased, &documents, &count, NULL) == 0 && count == 1;
	return read ? documents[0] : NULL;
}

/* The length of the object that the text begins with, quotes respected; 0 when it does not end. */
static size_t object_length(struct str text)
{
	size_t depth = 0;
	bool quoted = false;
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (quoted)
			i += c == '\\';
		else if (c == '{')
			depth++;
		else if (c == '}' && --depth == 0)
			return i + 1;
		quoted = c == '"' ? !quoted : quoted;
	}
	return 0;
}

static size_t count_lines(struct str text)
{
	size_t lines = 0;
	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	return lines;
}

/* One object after the other, as jq and kubectl write them. *read: all of it is JSON; else nothing has been added. */
static int add_json(const struct reading *r, struct str text, bool *read)
{
	struct arena *arena = &r->m->arena;
	const struct json *v;
	struct str rest = str_trim(text);
	*read = rest.n > 0;
	for (size_t n; rest.n > 0 && *read; rest = str_trim(str_from(rest, n))) {
		n = object_length(rest);
		*read = rest.p[0] == '{' && n > 0;
		n = *read ? n : rest.n;
	}
	rest = text;
	int rc = 0;
	for (size_t n, line = 1; *read && rc == 0 && str_trim(rest).n > 0; rest = str_from(rest, n)) {
		struct str begin = str_trim(rest);
		size_t blank = (size_t)(begin.p - rest.p);
		line += count_lines((struct str){rest.p, blank});
		n = blank + object_length(begin);
		struct str part = {begin.p, n - blank};
		struct error why;
		rc = json_parse_in(arena, part, &v, &why);
		const struct yaml_node *node = rc == 0 ? json_places(arena, part, line) : NULL;
		if (rc == 0) {
			rc = add_document(r, v, node, line);
		} else if (rc == ERR_INVALID && part.p == str_trim(text).p) {
			*read = false; /* YAML may still read it, and has the better sentence */
			return 0;
		} else {
			rc = rc == ERR_NOMEM ? error_nomem(r->err) : unreadable(r, line, 0, "%s", why.text);
		}
		line += count_lines(part);
	}
	return rc;
}

static int add_text(const struct reading *r, struct str text)
{
	bool read;
	if (str_starts(text, STR("\xEF\xBB\xBF")))
		text = str_from(text, 3);
	int rc = add_json(r, text, &read);
	return rc == 0 && !read ? add_yaml(r, text) : rc;
}

/* ---- files ---- */

static int add_file(struct manifests *m, const char *path, bool found, struct error *err)
{
	struct str source = source_of(m, path);
	if (source.p == NULL)
		return error_nomem(err);
	struct reading r = {m, source.p, found, err};
	struct error why;
	struct buf text;
	buf_init(&text, LIMIT_MANIFEST);
	int rc = cli_read(path, LIMIT_MANIFEST, &text, &why);
	if (rc == 0)
		rc = add_text(&r, buf_str(&text));
	else
		rc = rc == ERR_NOMEM ? error_nomem(err) : unreadable(&r, 0, 0, "%s", why.text);
	buf_free(&text);
	return rc;
}

static bool is_manifest_name(const char *name)
{
	struct str s = str_of(name);
	return str_ends(s, STR(".yaml")) || str_ends(s, STR(".yml")) || str_ends(s, STR(".json"));
}

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
	if (source.p == NULL || sentence.p == NULL)
		return error_nomem(w->err);
	return unreadable(&(struct reading){w->m, source.p, true, w->err}, 0, 0, "%s", sentence.p);
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
				      ? pass_over(&(struct reading){w->m, path.p, true, w->err})
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
	int rc = cli_read(path.p, LIMIT_CONFIG, &text, &why);
	if (rc != 0)
		rc = rc == ERR_NOMEM ? error_nomem(err)
				     : unreadable(&(struct reading){m, path.p, true, err}, 0, 0, "%s", why.text);
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
	if (rc == ERR_NOMEM || source.p == NULL)
		return error_nomem(err);
	return unreadable(&(struct reading){m, source.p, false, err}, 0, 0, "%s", why.text);
}
