/* What stands in a text: documents, and the objects in them. */
#include "review/reading.h"

#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

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
		*rc = reading_fault(r, at != NULL ? at->line : item->line, 0,
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
		return reading_pass_over(r);
	if (json_kind(v) != JSON_OBJECT)
		return reading_fault(r, line, 0, "found %s; expected a Kubernetes object", json_kind_name(json_kind(v)));
	struct str kind = json_string(json_getz(v, "kind"));
	if (kind.n == 0 || json_string(json_getz(v, "apiVersion")).n == 0)
		return reading_fault(r, line, 0, "the document has no %s; expected a Kubernetes object",
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
		return reading_pass_over(r);
	/* The sentence begins with "LINE:COLUMN: ". */
	char *end = NULL;
	size_t line = strtoul(why->text, &end, 10), column = *end == ':' ? strtoul(end + 1, &end, 10) : 0;
	return reading_fault(r, line, column, "%s%s", str_starts(str_of(end), STR(": ")) ? end + 2 : end,
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
		rc = reading_fault(r, node->line, 0, "the document is too large");
	else if (rc != 0)
		rc = reading_fault(r, node->line, 0, "%s", why.text);
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
			rc = rc == ERR_NOMEM ? error_nomem(r->err) : reading_fault(r, line, 0, "%s", why.text);
		}
		line += count_lines(part);
	}
	return rc;
}

int reading_add_text(const struct reading *r, struct str text)
{
	bool read;
	if (str_starts(text, STR("\xEF\xBB\xBF")))
		text = str_from(text, 3);
	int rc = add_json(r, text, &read);
	return rc == 0 && !read ? add_yaml(r, text) : rc;
}
