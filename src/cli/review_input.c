#include "cli/review_input.h"

#include "base/limits.h"
#include "cli/cli.h"
#include "codec/yaml.h"

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

static int add_object(struct manifests *m, const char *source, size_t line, const struct json *object, struct error *err)
{
	struct manifest *items = arena_grow(&m->arena, m->items, m->count, &m->capacity, sizeof *items);
	if (items == NULL)
		return error_nomem(err);
	m->items = items;
	m->items[m->count++] = (struct manifest){source, line, object};
	return 0;
}

/* A Helm chart's values and a Kustomization live beside manifests and are none. */
static bool is_no_manifest(const struct json *object)
{
	return json_string(json_getz(object, "kind")).n == 0 ||
	       str_starts(json_string(json_getz(object, "apiVersion")), STR("kustomize.config.k8s.io/"));
}

/* One document, or the items of a List. `found` tells that the file was found in a directory, not named. */
static int add_document(struct manifests *m, const char *source, size_t line, bool found, const struct json *v,
			struct error *err)
{
	if (found && is_no_manifest(v))
		return 0;
	if (json_kind(v) != JSON_OBJECT)
		return error_set(err, ERR_INVALID, "%s:%zu: found %s; expected a Kubernetes object", source, line,
				 json_kind_name(json_kind(v)));
	struct str kind = json_string(json_getz(v, "kind"));
	if (kind.n == 0 || json_string(json_getz(v, "apiVersion")).n == 0)
		return error_set(err, ERR_INVALID, "%s:%zu: the document has no %s; expected a Kubernetes object", source, line,
				 kind.n == 0 ? "kind" : "apiVersion");
	const struct json *list = json_getz(v, "items");
	if (!str_ends(kind, STR("List")) || json_kind(list) != JSON_ARRAY)
		return add_object(m, source, line, v, err);
	int rc = 0;
	for (const struct json *e = json_first(list); e != NULL && rc == 0; e = json_next(e))
		rc = add_document(m, source, line, found, e, err);
	return rc;
}

static int add_yaml(struct manifests *m, const char *source, struct str text, bool found, struct error *err)
{
	const struct yaml_node **documents;
	struct error why;
	size_t count;
	int rc = yaml_parse(&m->arena, text, &documents, &count, &why);
	if (rc != 0)
		return error_set(err, rc, "%s:%s", source, why.text);
	for (size_t i = 0; i < count && rc == 0; i++) {
		const struct json *v;
		struct buf json;
		buf_init(&json, LIMIT_MANIFEST * 2);
		yaml_to_json(&json, documents[i]);
		rc = json.error == ERR_LIMIT ? error_set(err, ERR_LIMIT, "%s:%zu: the document is too large", source,
							 documents[i]->line)
		     : json.error != 0	     ? error_nomem(err)
					     : json_parse_in(&m->arena, buf_str(&json), &v, &why);
		if (rc == ERR_INVALID)
			rc = error_set(err, rc, "%s:%zu: %s", source, documents[i]->line, why.text);
		buf_free(&json);
		if (rc == 0)
			rc = add_document(m, source, documents[i]->line, found, v, err);
	}
	return rc;
}

static int add_text(struct manifests *m, const char *source, struct str text, bool found, struct error *err)
{
	const struct json *v;
	struct str begin = str_trim(text);
	bool json = begin.n > 0 && (begin.p[0] == '{' || begin.p[0] == '[');
	if (json && json_parse_in(&m->arena, text, &v, NULL) == 0)
		return add_document(m, source, 1, found, v, err);
	return add_yaml(m, source, text, found, err);
}

static int add_file(struct manifests *m, const char *path, bool found, struct error *err)
{
	struct str source = arena_str(&m->arena, str_of(strcmp(path, "-") == 0 ? "<stdin>" : path));
	if (source.p == NULL)
		return error_nomem(err);
	struct buf text;
	buf_init(&text, LIMIT_MANIFEST);
	int rc = cli_read(path, LIMIT_MANIFEST, &text, err);
	if (rc == 0)
		rc = add_text(m, source.p, buf_str(&text), found, err);
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
	struct str path = arena_fmt(&m->arena, "%s/%s", directory, name);
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

int manifests_add(struct manifests *m, const char *path, struct error *err)
{
	struct stat st;
	if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return add_directory(m, path, 0, err);
	return add_file(m, path, false, err);
}
