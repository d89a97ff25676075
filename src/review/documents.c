/* What stands in a text: documents, and the objects in them. */
#include "review/reading.h"

#include "base/limits.h"
#include "base/text.h"
#include "codec/json_scan.h"

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

/* An item of a list without apiVersion and kind: the list's say what it is, as for kubectl. NULL without memory. */
static const struct json *named_after_list(struct arena *arena, const struct json *item, struct str version,
					   struct str kind)
{
	const struct json *v = NULL;
	struct buf text;
	buf_init(&text, LIMIT_MANIFEST * 2);
	json_write(&text, item);
	if (text.n > 0)
		buf_cut(&text, text.n - 1); /* the brace */
	buf_addz(&text, json_first(item) != NULL ? ",\"apiVersion\":" : "\"apiVersion\":");
	json_write_string(&text, version);
	buf_addz(&text, ",\"kind\":");
	json_write_string(&text, (struct str){kind.p, kind.n - (sizeof "List" - 1)});
	buf_addc(&text, '}');
	if (text.error != 0 || json_parse_in(arena, buf_str(&text), &v, NULL) != 0)
		v = NULL;
	buf_free(&text);
	return v;
}

static int add_document(const struct reading *r, const struct json *v, const struct yaml_node *node, size_t line);

/* The items of any object that has some: for kubectl it is a list, whatever its kind. */
static int add_items(const struct reading *r, const struct json *list, const struct yaml_node *node, size_t line)
{
	struct str kind = json_string(json_getz(list, "kind")), version = json_string(json_getz(list, "apiVersion"));
	const struct json *items = json_getz(list, "items");
	const struct yaml_node *places = yaml_get(node, STR("items")), *at = places != NULL ? places->first : NULL;
	if (json_kind(items) != JSON_ARRAY && json_kind(items) != JSON_NULL)
		return reading_fault(r, places != NULL ? places->key_line : line, 0,
				     "items is %s; expected a list of objects", json_kind_name(json_kind(items)));
	bool typed = str_ends(kind, STR("List")) && kind.n > sizeof "List" - 1;
	int rc = 0;
	for (const struct json *e = json_first(items); e != NULL && rc == 0; e = json_next(e)) {
		const struct json *item = e;
		if (typed && json_kind(e) == JSON_OBJECT && json_string(json_getz(e, "kind")).n == 0 &&
		    json_string(json_getz(e, "apiVersion")).n == 0)
			item = named_after_list(&r->m->arena, e, version, kind);
		if (item == NULL)
			return error_nomem(r->err);
		rc = add_document(r, item, at, at != NULL ? at->line : line);
		at = at != NULL ? at->next : NULL;
	}
	return rc;
}

/* One document, or the items of a list. */
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
	if (json_getz(v, "items") != NULL)
		return add_items(r, v, node, line);
	return add_object(r, &(struct manifest){r->source, line, v, node});
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

/* Keys that stand twice, of a document that was added: it is judged by the last of each, as kubectl takes it. */
static int add_repeats(const struct reading *r)
{
	const struct yaml_lenient *l = &r->m->lenient;
	int rc = 0;
	for (size_t i = 0; i < l->repeat_count && rc == 0; i++)
		rc = reading_fault(r, l->repeats[i].line, l->repeats[i].column,
				   "key %s stands in this mapping twice, first at line %zu; remove one",
				   text_quote(l->repeats[i].key).text, l->repeats[i].first_line);
	return rc;
}

/* The last line of a file has an end for kubectl, which the last line of a block is about. Absent without memory. */
static struct str with_line_end(struct arena *arena, struct str part)
{
	return part.n == 0 || part.p[part.n - 1] == '\n' ? part : arena_fmt(arena, "%.*s\n", STR_ARG(part));
}

/* One part of a stream of YAML. */
static int add_yaml(const struct reading *r, struct str text, size_t line)
{
	struct manifests *m = r->m;
	struct str part = with_line_end(&m->arena, text);
	if (part.p == NULL)
		return error_nomem(r->err);
	const struct yaml_node **documents;
	struct error why;
	size_t count, before = m->count + m->unreadable_count, at;
	struct str behind = yaml_behind_separator(part, &at);
	if (behind.n > 0)
		return r->found && !is_meant_as_manifest(part)
			       ? reading_pass_over(r)
			       : reading_fault(r, line + at, 4,
					       "found %s behind ---; kubectl allows nothing but a comment there: begin a line",
					       text_quote(behind).text);
	int rc = yaml_parse_part(&m->arena, part, line, &m->lenient, &documents, &count, &why);
	if (rc != 0)
		return malformed(r, rc, &why, part);
	if (count > 0)
		rc = add_node(r, documents[0]);
	if (rc == 0 && m->count + m->unreadable_count > before)
		rc = add_repeats(r);
	return rc;
}

/* A JSON text with blanks for the tabs between values, where YAML knows none. Absent without memory. */
static struct str without_tabs(struct arena *arena, struct str text)
{
	char *p = arena_alloc(arena, text.n + 1);
	if (p == NULL)
		return (struct str){NULL, 0};
	bool quoted = false, escaped = false;
	for (size_t i = 0; i < text.n; i++) {
		p[i] = text.p[i] == '\t' && !quoted ? ' ' : text.p[i];
		quoted = text.p[i] == '"' && !escaped ? !quoted : quoted;
		escaped = text.p[i] == '\\' && !escaped;
	}
	p[text.n] = '\0';
	return (struct str){p, text.n};
}

/* The places of a JSON text, read as YAML: NULL when YAML cannot read it. */
static const struct yaml_node *json_places(struct arena *arena, struct str text, size_t line)
{
	const struct yaml_node **documents;
	struct yaml_lenient lenient = {0}; /* JSON has no aliases */
	size_t count;
	struct str same = without_tabs(arena, text);
	if (same.p == NULL)
		return NULL;
	bool read = yaml_parse_part(arena, same, line, &lenient, &documents, &count, NULL) == 0 && count == 1;
	return read ? documents[0] : NULL;
}

/* One object of a stream of JSON; what is no JSON may be YAML, with an object that begins as JSON does. */
static int add_json(const struct reading *r, struct str text, size_t line)
{
	const struct json *v;
	struct error why;
	int rc = json_parse_in(&r->m->arena, text, &v, &why);
	if (rc == ERR_NOMEM)
		return error_nomem(r->err);
	if (rc == 0)
		return add_document(r, v, json_places(&r->m->arena, text, line), line);
	struct str same = without_tabs(&r->m->arena, text);
	return same.p != NULL ? add_yaml(r, same, line) : error_nomem(r->err);
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

/* The JSON object that the text begins with; absent when it is none. */
static struct str leading_json(struct str text)
{
	struct json_cut nothing = {.outer = "", .names = {"", ""}};
	struct str object = {text.p, str_starts(text, STR("{")) ? object_length(text) : 0};
	return object.n > 0 && json_scan_cut(object, &nothing, NULL) == 0 ? object : (struct str){NULL, 0};
}

void text_parts_begin(struct text_parts *parts, struct str text)
{
	if (str_starts(text, STR("\xEF\xBB\xBF")))
		text = str_from(text, 3);
	*parts = (struct text_parts){.rest = text, .line = 1, .json = true};
}

bool text_parts_next(struct text_parts *parts, struct text_part *out)
{
	struct str begin = str_trim(parts->rest);
	struct str object = parts->json ? leading_json(begin) : (struct str){NULL, 0};
	size_t lines;
	parts->json = object.n > 0;
	if (parts->json) {
		parts->line += count_lines((struct str){parts->rest.p, (size_t)(begin.p - parts->rest.p)});
		*out = (struct text_part){object, parts->line, true};
		parts->rest = str_from((struct str){begin.p, parts->rest.n - (size_t)(begin.p - parts->rest.p)}, object.n);
		parts->line += count_lines(object);
		return true;
	}
	out->line = parts->line;
	out->json = false;
	if (!yaml_next_part(&parts->rest, &out->text, &lines))
		return false;
	parts->line += lines;
	return true;
}

int reading_add_part(const struct reading *r, const struct text_part *part)
{
	if (part->json)
		return add_json(r, part->text, part->line);
	/* A part of a stream of YAML may be JSON, which can say more: pairs of \u, and tabs. */
	struct str begin = part->text;
	size_t line = part->line;
	yaml_skip_preamble(&begin, &line);
	struct str object = str_trim(begin);
	if (!str_starts(object, STR("{")) || object_length(object) != object.n)
		return add_yaml(r, part->text, part->line);
	line += count_lines((struct str){begin.p, (size_t)(object.p - begin.p)});
	return add_json(r, object, line);
}
