#include "cli/review_input.h"

#include "base/limits.h"
#include "cli/cli.h"
#include "cli/review_glob.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void manifests_free(struct manifests *m)
{
	arena_free(&m->arena);
	*m = (struct manifests){0};
}

/* ---- objects ---- */

/* What is being read. */
struct reading {
	struct manifests *m;
	const char *source;
	bool found; /* in a directory, not named: may be something else than manifests */
	struct error *err;
};

/* The API server would refuse them only when it is too late for a sentence with a line. */
static int check_names(const struct reading *r, const struct manifest *item)
{
	static const char *const keys[] = {"name", "generateName", "namespace"};
	const struct json *metadata = json_getz(item->object, "metadata");
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		const struct json *v = json_getz(metadata, keys[i]);
		enum json_kind kind = json_kind(v);
		if (kind == JSON_STRING || kind == JSON_NULL || kind == JSON_ABSENT)
			continue;
		const struct yaml_node *at = item->node != NULL ? yaml_get(item->node, STR("metadata")) : NULL;
		at = yaml_get(at, str_of(keys[i]));
		return error_set(r->err, ERR_INVALID, "%s:%zu: metadata.%s is %s; expected a string: put it in quotes",
				 r->source, at != NULL ? at->line : item->line, keys[i], json_kind_name(kind));
	}
	return 0;
}

static int add_object(const struct reading *r, const struct manifest *item)
{
	struct manifests *m = r->m;
	int rc = check_names(r, item);
	if (rc != 0)
		return rc;
	struct manifest *items = arena_grow(&m->arena, m->items, m->count, &m->capacity, sizeof *items);
	if (items == NULL)
		return error_nomem(r->err);
	m->items = items;
	m->items[m->count++] = *item;
	return 0;
}

/* A Helm chart's values, a Kustomization and connhook's own configuration live beside manifests and are none. */
static bool is_no_manifest(const struct json *object)
{
	struct str version = json_string(json_getz(object, "apiVersion"));
	if (json_string(json_getz(object, "kind")).n == 0 || (version.n == 0 && json_getz(object, "metadata") == NULL))
		return true;
	return str_starts(version, STR("kustomize.config.k8s.io/")) || str_starts(version, STR("connhook.zerotouch.io/"));
}

/* One document, or the items of a List. */
static int add_document(const struct reading *r, const struct json *v, const struct yaml_node *node, size_t line)
{
	if (r->found && is_no_manifest(v))
		return 0;
	if (json_kind(v) != JSON_OBJECT)
		return error_set(r->err, ERR_INVALID, "%s:%zu: found %s; expected a Kubernetes object", r->source, line,
				 json_kind_name(json_kind(v)));
	struct str kind = json_string(json_getz(v, "kind"));
	if (kind.n == 0 || json_string(json_getz(v, "apiVersion")).n == 0)
		return error_set(r->err, ERR_INVALID, "%s:%zu: the document has no %s; expected a Kubernetes object", r->source,
				 line, kind.n == 0 ? "kind" : "apiVersion");
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

/* What templates of Helm begin their instructions with. */
static bool is_template(struct str text)
{
	for (size_t i = 0; (i += str_find(str_from(text, i), '{')) + 1 < text.n; i++)
		if (text.p[i + 1] == '{')
			return true;
	return false;
}

static int malformed(const struct reading *r, int rc, const struct error *why, struct str text)
{
	const char *hint = rc == ERR_INVALID && is_template(text)
				   ? "; a template is rendered first: helm template CHART | connhook review -"
				   : "";
	return rc == ERR_NOMEM ? error_nomem(r->err) : error_set(r->err, rc, "%s:%s%s", r->source, why->text, hint);
}

static int add_node(const struct reading *r, const struct yaml_node *node)
{
	const struct json *v;
	struct error why;
	struct buf json;
	buf_init(&json, LIMIT_MANIFEST * 2);
	yaml_to_json(&json, node);
	int rc = json.error;
	if (rc == ERR_LIMIT)
		(void)error_set(r->err, rc, "%s:%zu: the document is too large", r->source, node->line);
	else if (rc != 0)
		(void)error_nomem(r->err);
	else if ((rc = json_parse_in(&r->m->arena, buf_str(&json), &v, &why)) != 0)
		(void)error_set(r->err, rc, "%s:%zu: %s", r->source, node->line, why.text);
	buf_free(&json);
	return rc != 0 ? rc : add_document(r, v, node, node->line);
}

static int add_yaml(const struct reading *r, struct str text)
{
	const struct yaml_node **documents;
	struct error why;
	size_t count;
	int rc = yaml_parse(&r->m->arena, text, &documents, &count, &why);
	if (rc != 0)
		return malformed(r, rc, &why, text);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = add_node(r, documents[i]);
	return rc;
}

/*
 * The places of a JSON text, read as YAML: NULL when YAML cannot read it. All tabs in JSON stand between values, where
 * YAML knows none.
 */
static const struct yaml_node *json_places(struct arena *arena, struct str text)
{
	const struct yaml_node **documents;
	size_t count;
	struct str copy = arena_str(arena, text);
	char *p = arena_alloc(arena, copy.n);
	if (copy.p == NULL || p == NULL)
		return NULL;
	for (size_t i = 0; i < copy.n; i++)
		p[i] = copy.p[i] == '\t' ? ' ' : copy.p[i];
	bool read = yaml_parse(arena, (struct str){p, copy.n}, &documents, &count, NULL) == 0 && count == 1;
	return read ? documents[0] : NULL;
}

static int add_text(const struct reading *r, struct str text)
{
	const struct json *v;
	struct str begin = str_trim(text);
	bool json = begin.n > 0 && (begin.p[0] == '{' || begin.p[0] == '[');
	if (!json || json_parse_in(&r->m->arena, text, &v, NULL) != 0)
		return add_yaml(r, text);
	const struct yaml_node *node = json_places(&r->m->arena, text);
	return add_document(r, v, node, node != NULL ? node->line : 1);
}

/* ---- files ---- */

static int add_file(struct manifests *m, const char *path, bool found, struct error *err)
{
	struct str source = arena_str(&m->arena, str_of(strcmp(path, "-") == 0 ? "<stdin>" : path));
	if (source.p == NULL)
		return error_nomem(err);
	struct buf text;
	buf_init(&text, LIMIT_MANIFEST);
	int rc = cli_read(path, LIMIT_MANIFEST, &text, err);
	if (rc == 0)
		rc = add_text(&(struct reading){m, source.p, found, err}, buf_str(&text));
	buf_free(&text);
	return rc;
}

static bool is_manifest_name(const char *name)
{
	struct str s = str_of(name);
	return str_ends(s, STR(".yaml")) || str_ends(s, STR(".yml")) || str_ends(s, STR(".json"));
}

static int add_directory(struct manifests *m, const char *path, unsigned depth, struct error *err);

static int add_entry(struct manifests *m, const char *directory, const char *name, unsigned depth, struct error *err)
{
	struct stat st;
	const char *slash = str_ends(str_of(directory), STR("/")) ? "" : "/";
	struct str path = arena_fmt(&m->arena, "%s%s%s", directory, slash, name);
	if (path.p == NULL)
		return error_nomem(err);
	if (name[0] == '.')
		return 0;
	if (stat(path.p, &st) != 0)
		return error_set(err, ERR_IO, "cannot read %s: %s", path.p, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return add_directory(m, path.p, depth + 1, err);
	return S_ISREG(st.st_mode) && is_manifest_name(name) ? add_file(m, path.p, true, err) : 0;
}

static int add_directory(struct manifests *m, const char *path, unsigned depth, struct error *err)
{
	struct dirent **entries;
	if (depth > LIMIT_DIRECTORY_DEPTH)
		return error_set(err, ERR_LIMIT, "%s is nested more than %d directories deep; name it by itself", path,
				 LIMIT_DIRECTORY_DEPTH);
	int count = scandir(path, &entries, NULL, alphasort);
	if (count < 0)
		return error_set(err, ERR_IO, "cannot read directory %s: %s", path, strerror(errno));
	int rc = 0;
	for (int i = 0; i < count; i++) {
		if (rc == 0)
			rc = add_entry(m, path, entries[i]->d_name, depth, err);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

static int add_path(struct manifests *m, const char *path, struct error *err)
{
	struct stat st;
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return add_directory(m, path, 0, err);
	return add_file(m, path, false, err);
}

int manifests_add(struct manifests *m, const char *path, struct error *err)
{
	struct stat st;
	struct glob_paths found = {0};
	if (strcmp(path, "-") == 0)
		return add_file(m, path, false, err);
	if (stat(path, &st) == 0 || !glob_is_pattern(path))
		return add_path(m, path, err);
	int rc = glob_find(&m->arena, path, &found, err);
	for (size_t i = 0; i < found.count && rc == 0; i++)
		rc = add_path(m, found.items[i], err);
	return rc;
}
