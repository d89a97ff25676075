#include "codec/yaml.h"

#include "base/limits.h"
#include "base/text.h"
#include "codec/base64.h"
#include "codec/yaml_parts.h"
#include "codec/yaml_scalar.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/* An anchor of the document that is read. `node` is complete once `open` is false. */
struct anchor {
	struct str name;
	const struct yaml_node *node;
	size_t nodes, height; /* what an alias adds: nodes in all, levels of nesting */
	bool open;
};

/* A collection that is being read. */
struct frame {
	struct yaml_node *node, *last;
	const struct yaml_node *key; /* of a mapping: a key that waits for its value */
	struct anchor *anchor;       /* NULL without one */
	size_t nodes_before, height;
};

struct reader {
	struct arena *arena;
	struct error *err;
	struct str text;
	size_t first_line;
	yaml_parser_t parser;
	size_t seen, seen_index; /* bytes, and characters as libyaml counts them, that ends_in_comma has passed */
	struct frame frames[LIMIT_YAML_DEPTH];
	size_t depth;
	size_t nodes;  /* of the document, aliases expanded */
	struct yaml_lenient *lenient; /* NULL: tags of somebody's own, and keys that stand twice, are refused */
	void *anchors; /* a tsearch tree of struct anchor */
	const struct yaml_node *root;
	struct yaml_candidates candidates;
	const struct yaml_node **documents;
	size_t count, capacity;
};

/* ---- errors ---- */

/* The rest of the line from where libyaml counts `index` characters on. */
static struct str line_at(struct str text, size_t index)
{
	size_t i = 0;
	for (; i < text.n && (index > 0 || ((unsigned char)text.p[i] & 0xC0) == 0x80); i++)
		index -= ((unsigned char)text.p[i] & 0xC0) != 0x80;
	text = str_from(text, i);
	return (struct str){text.p, str_find(text, '\n')};
}

/* Says in one sentence what libyaml found. */
static int syntax_error(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	/* In places, libyaml 0.2.5 says nothing at all of memory that is out; of everything else it does. */
	if (p->error == YAML_MEMORY_ERROR || p->problem == NULL)
		return error_nomem(r->err);
	if (p->error == YAML_READER_ERROR) {
		size_t line = r->first_line, column = 1;
		for (size_t i = 0; i < p->problem_offset && i < r->text.n; i++) {
			bool end = r->text.p[i] == '\n';
			line += end;
			column = end ? 1 : column + (((unsigned char)r->text.p[i] & 0xC0) != 0x80);
		}
		struct str at = str_from(r->text, p->problem_offset);
		size_t n = text_character(at, NULL);
		at.n = n > 0 ? n : at.n > 0;
		return yaml_error_at(r->err, line, column, ERR_INVALID, "YAML cannot hold %s (%s); save the file as UTF-8 "
				     "without control characters",
				     text_quote(at).text, p->problem);
	}
	size_t line = p->problem_mark.line + 1, column = p->problem_mark.column + 1;
	struct str rest = line_at(r->text, p->problem_mark.index), context = STR("");
	char c = rest.n > 0 ? rest.p[0] : '\0';
	if (p->context != NULL)
		context = arena_fmt(r->arena, ", %s that begins on line %zu", p->context, p->context_mark.line + 1);
	if (context.p == NULL)
		return error_nomem(r->err);
	if (c == '\t')
		return yaml_error_at(r->err, line, column, ERR_INVALID, "malformed YAML: a tab; indent with spaces");
	if (c == '@' || c == '`')
		return yaml_error_at(r->err, line, column, ERR_INVALID,
			       "malformed YAML: a plain value cannot begin with %c; put it in quotes", c);
	if (c == ':')
		return yaml_error_at(r->err, line, column, ERR_INVALID,
				     "malformed YAML: a colon where no key can end%.*s; put text that holds one in quotes",
				     STR_ARG(context));
	return yaml_error_at(r->err, line, column, ERR_INVALID, "malformed YAML at %s: %s%.*s",
			     rest.n > 0 ? text_quote(str_trim(rest)).text : "the end", p->problem, STR_ARG(context));
}

/* ---- anchors ---- */

static int anchor_order(const void *a, const void *b)
{
	const struct anchor *x = a, *y = b;
	return str_cmp(x->name, y->name);
}

static void keep_anchor(void *anchor)
{
	(void)anchor; /* the arena's */
}

static void anchors_clear(struct reader *r)
{
	tdestroy(r->anchors, keep_anchor);
	r->anchors = NULL;
}

/* Binds the name to `node`, in place of an earlier anchor of the same name. */
static int anchor_set(struct reader *r, const yaml_char_t *name, const struct yaml_node *node, struct anchor **out)
{
	if (name == NULL) {
		*out = NULL;
		return 0;
	}
	struct anchor *anchor = arena_alloc(r->arena, sizeof *anchor);
	if (anchor == NULL)
		return error_nomem(r->err);
	*anchor = (struct anchor){.name = arena_str(r->arena, str_of((const char *)name)), .node = node, .nodes = 1,
				  .height = 0};
	if (anchor->name.p == NULL)
		return error_nomem(r->err);
	struct anchor **slot = tsearch(anchor, &r->anchors, anchor_order);
	if (slot == NULL)
		return error_nomem(r->err);
	*slot = anchor;
	*out = anchor;
	return 0;
}

/* ---- nodes ---- */

static int node_new(struct reader *r, enum yaml_kind kind, yaml_mark_t mark, struct yaml_node **out)
{
	if (++r->nodes > LIMIT_YAML_NODES)
		return yaml_error_at(r->err, mark.line + 1, mark.column + 1, ERR_LIMIT,
				     "the document has more than %lu nodes, aliases expanded", LIMIT_YAML_NODES);
	struct yaml_node *node = arena_alloc(r->arena, sizeof *node);
	if (node == NULL)
		return error_nomem(r->err);
	*node = (struct yaml_node){.kind = kind, .line = mark.line + 1, .column = mark.column + 1};
	*out = node;
	return 0;
}

static int bad_key(struct reader *r, enum yaml_kind kind, size_t line, size_t column)
{
	return yaml_error_at(r->err, line, column, ERR_INVALID,
			     "the key is %s; expected a string: put text that begins with { or [ in quotes",
			     yaml_kind_name(kind));
}

/* Turns the scalar into the key of the next entry: a string. */
static int key_set(struct reader *r, struct frame *f, struct yaml_node *node)
{
	if (node->kind == YAML_SEQUENCE || node->kind == YAML_MAPPING || node->kind == YAML_NULL)
		return bad_key(r, node->kind, node->line, node->column);
	if (node->kind == YAML_INT && str_eqz(node->text, "-0"))
		node->text = STR("0");
	if (node->kind == YAML_FLOAT)
		node->text = yaml_scalar_float_key(r->arena, node->text);
	if (node->text.p == NULL)
		return error_nomem(r->err);
	if (memchr(node->text.p, '\0', node->text.n) != NULL)
		return yaml_error_at(r->err, node->line, node->column, ERR_INVALID, "the key holds a NUL character");
	f->key = node;
	return 0;
}

static bool wants_key(const struct reader *r)
{
	const struct frame *f = r->depth > 0 ? &r->frames[r->depth - 1] : NULL;
	return f != NULL && f->node->kind == YAML_MAPPING && f->key == NULL;
}

/* Puts a complete node, of `height` levels below itself, where the stream stands: as root, element, key or value. */
static int place(struct reader *r, struct yaml_node *node, size_t height)
{
	if (wants_key(r))
		return key_set(r, &r->frames[r->depth - 1], node);
	if (node->kind == YAML_FLOAT && yaml_scalar_infinite(node->text))
		return yaml_error_at(r->err, node->line, node->column, ERR_INVALID,
				     "%.*s is a number that JSON does not have; a string is written in quotes",
				     STR_ARG(node->text));
	if (r->depth == 0) {
		r->root = node;
		return 0;
	}
	struct frame *f = &r->frames[r->depth - 1];
	if (f->key != NULL) {
		node->key = f->key->text;
		node->key_line = f->key->line;
		node->key_column = f->key->column;
		node->key_width = f->key->width;
		f->key = NULL;
	}
	*(f->last != NULL ? &f->last->next : &f->node->first) = node;
	f->last = node;
	if (f->height < height + 1)
		f->height = height + 1;
	return 0;
}

/* ---- scalars ---- */

/* The part of a tag behind "tag:yaml.org,2002:", such as "int"; "!" alone is `fallback`; "" is any other tag. */
static struct str core_tag(const yaml_char_t *tag, struct str fallback)
{
	struct str s = str_of((const char *)tag), prefix = STR("tag:yaml.org,2002:");
	if (str_eqz(s, "!"))
		return fallback;
	return str_starts(s, prefix) ? str_from(s, prefix.n) : STR("");
}

/* The content of a !!binary scalar, which may be broken into lines. */
static int decode_binary(struct reader *r, struct yaml_node *node, struct str value)
{
	struct buf packed, bytes;
	buf_init(&packed, value.n);
	buf_init(&bytes, value.n);
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] != ' ' && value.p[i] != '\n')
			buf_addc(&packed, value.p[i]);
	struct error why;
	int rc = packed.error != 0 ? error_nomem(r->err) : base64_decode(&bytes, buf_str(&packed), &why);
	if (rc == ERR_INVALID)
		rc = yaml_error_at(r->err, node->line, node->column, rc, "!!binary: %s", why.text);
	else if (rc == 0 && bytes.error != 0)
		rc = error_nomem(r->err);
	else if (rc == 0 && !yaml_scalar_utf8(buf_str(&bytes)))
		rc = yaml_error_at(r->err, node->line, node->column, ERR_INVALID,
				   "!!binary content is not UTF-8; JSON can hold no other bytes");
	if (rc == 0) {
		node->text = arena_str(r->arena, bytes.n > 0 ? buf_str(&bytes) : STR(""));
		rc = node->text.p != NULL ? 0 : error_nomem(r->err);
	}
	buf_free(&packed);
	buf_free(&bytes);
	return rc;
}

/* The kind that an explicit tag gives the content; ERR_INVALID when the content is nothing of that kind. */
static int tagged_kind(struct reader *r, const struct yaml_node *node, struct str tag, struct str value,
		       enum yaml_kind *out)
{
	static const struct {
		const char *tag;
		enum yaml_kind kind;
	} tags[] = {
		{"str", YAML_STRING}, {"binary", YAML_STRING}, {"timestamp", YAML_STRING}, {"merge", YAML_STRING},
		{"null", YAML_NULL},  {"bool", YAML_BOOL},     {"int", YAML_INT},          {"float", YAML_FLOAT},
	};
	for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
		if (!str_eqz(tag, tags[i].tag))
			continue;
		enum yaml_kind kind = tags[i].kind, found = yaml_scalar_kind(value);
		bool fits = kind == YAML_STRING || kind == found ||
			    (kind == YAML_FLOAT && (found == YAML_INT || yaml_scalar_decimal(value)));
		if (!fits)
			return yaml_error_at(r->err, node->line, node->column, ERR_INVALID,
					     "%s is not %s, as its tag !!%s says", text_quote(value).text,
					     yaml_kind_name(kind), tags[i].tag);
		*out = kind == YAML_FLOAT && found == YAML_INT ? YAML_INT : kind;
		return 0;
	}
	if (r->lenient == NULL)
		return yaml_error_at(r->err, node->line, node->column, ERR_INVALID,
				     "an unknown tag; a scalar may have !!str !!int !!float !!bool !!null !!binary");
	*out = YAML_STRING; /* a tag of somebody's own, such as !Ref */
	return 0;
}

/* Does a comma stand at the mark? Marks come in their order. */
static bool ends_in_comma(struct reader *r, yaml_mark_t mark)
{
	for (; r->seen < r->text.n && r->seen_index < mark.index; r->seen_index++)
		do
			r->seen++;
		while (r->seen < r->text.n && ((unsigned char)r->text.p[r->seen] & 0xC0) == 0x80);
	return r->seen < r->text.n && r->text.p[r->seen] == ',';
}

static int take_scalar(struct reader *r, const yaml_event_t *event)
{
	struct str value = {(const char *)event->data.scalar.value, event->data.scalar.length};
	bool tagged = event->data.scalar.tag != NULL;
	struct str tag = core_tag(event->data.scalar.tag, STR("str"));
	bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	struct yaml_node *node;
	int rc = node_new(r, YAML_STRING, event->start_mark, &node);
	if (rc == 0 && event->start_mark.line == event->end_mark.line)
		node->width = event->end_mark.column - event->start_mark.column;
	/* [!a, b] is a list of two for libyaml; for kubectl the comma is of the tag, and b has it. */
	if (rc == 0 && tagged && value.n == 0 && plain && r->lenient != NULL && ends_in_comma(r, event->end_mark))
		rc = yaml_error_at(r->err, node->line, node->column, ERR_INVALID,
				   "a comma directly behind a tag, which readers of YAML take differently; put a blank before it");
	if (rc == 0 && tagged)
		rc = tagged_kind(r, node, tag, value, &node->kind);
	else if (rc == 0 && plain)
		node->kind = yaml_scalar_kind(value);
	if (rc != 0)
		return rc;
	bool merge = str_eqz(value, yaml_merge_key) && (tagged ? str_eqz(tag, "merge") : plain);
	if (str_eqz(tag, "binary"))
		rc = decode_binary(r, node, value);
	else if (merge && wants_key(r))
		node->text = str_of(yaml_merge_key);
	else
		node->text = yaml_scalar_text(r->arena, value, node->kind);
	if (rc != 0)
		return rc;
	if (node->text.p == NULL)
		return error_nomem(r->err);
	if ((node->kind == YAML_INT || node->kind == YAML_FLOAT) && node->text.n > LIMIT_JSON_NUMBER)
		return yaml_error_at(r->err, node->line, node->column, ERR_LIMIT, "a number of more than %d characters",
				     LIMIT_JSON_NUMBER);
	struct anchor *anchor;
	rc = anchor_set(r, event->data.scalar.anchor, node, &anchor);
	return rc != 0 ? rc : place(r, node, 0);
}

/* ---- collections and aliases ---- */

static int too_deep(struct reader *r, yaml_mark_t mark)
{
	return yaml_error_at(r->err, mark.line + 1, mark.column + 1, ERR_LIMIT, "nested deeper than %d levels",
			     LIMIT_YAML_DEPTH);
}

/* The anchor's node once more: its children are shared. */
static int take_alias(struct reader *r, const yaml_event_t *event)
{
	const struct anchor wanted = {.name = str_of((const char *)event->data.alias.anchor)};
	struct str name = wanted.name;
	size_t line = event->start_mark.line + 1, column = event->start_mark.column + 1;
	struct anchor *const *found = tfind(&wanted, &r->anchors, anchor_order);
	if (found == NULL)
		return yaml_error_at(r->err, line, column, ERR_INVALID, "alias *%.*s has no anchor &%.*s before it",
				     STR_ARG(name), STR_ARG(name));
	const struct anchor *anchor = *found;
	if (anchor->open)
		return yaml_error_at(r->err, line, column, ERR_INVALID,
				     "alias *%.*s stands inside the value that it repeats", STR_ARG(name));
	if (r->depth + anchor->height > LIMIT_YAML_DEPTH)
		return too_deep(r, event->start_mark);
	size_t *aliased = r->lenient != NULL ? &r->lenient->aliased : NULL; /* else the limit of nodes counts them */
	if (aliased != NULL && anchor->nodes > *aliased)
		return yaml_error_at(r->err, line, column, ERR_LIMIT,
				     "aliases stand for more than %lu nodes in all; write them out, or fewer of them",
				     LIMIT_YAML_ALIASED);
	if (aliased != NULL)
		*aliased -= anchor->nodes;
	r->nodes += anchor->nodes - 1;
	struct yaml_node *node;
	int rc = node_new(r, anchor->node->kind, event->start_mark, &node);
	if (rc != 0)
		return rc;
	node->text = anchor->node->text;
	node->first = anchor->node->first;
	return place(r, node, anchor->height);
}

static int collection_start(struct reader *r, enum yaml_kind kind, const yaml_char_t *tag, const yaml_char_t *name,
			    yaml_mark_t mark)
{
	size_t line = mark.line + 1, column = mark.column + 1;
	struct str usual = kind == YAML_MAPPING ? STR("map") : STR("seq");
	if (r->lenient == NULL && tag != NULL && !str_eq(core_tag(tag, usual), usual))
		return yaml_error_at(r->err, line, column, ERR_INVALID, "an unknown tag; %s may have !!%.*s",
				     yaml_kind_name(kind), STR_ARG(usual));
	if (wants_key(r))
		return bad_key(r, kind, line, column);
	if (r->depth == LIMIT_YAML_DEPTH)
		return too_deep(r, mark);
	size_t before = r->nodes;
	struct yaml_node *node;
	struct anchor *anchor;
	int rc = node_new(r, kind, mark, &node);
	if (rc == 0)
		rc = anchor_set(r, name, node, &anchor);
	if (rc != 0)
		return rc;
	if (anchor != NULL)
		anchor->open = true;
	r->frames[r->depth++] = (struct frame){.node = node, .anchor = anchor, .nodes_before = before, .height = 1};
	return 0;
}

static int collection_end(struct reader *r)
{
	struct frame *f = &r->frames[--r->depth];
	if (f->node->kind == YAML_MAPPING) {
		int rc = yaml_mapping_finish(r->arena, &r->candidates, f->node, r->lenient, r->err);
		if (rc != 0)
			return rc;
	}
	if (f->anchor != NULL) {
		f->anchor->open = false;
		f->anchor->nodes = r->nodes - f->nodes_before;
		f->anchor->height = f->height;
	}
	return place(r, f->node, f->height);
}

/* ---- the stream ---- */

static int document_end(struct reader *r)
{
	anchors_clear(r);
	if (r->root == NULL || r->root->kind == YAML_NULL)
		return 0;
	const struct yaml_node **larger = arena_grow(r->arena, r->documents, r->count, &r->capacity, sizeof(*larger));
	if (larger == NULL)
		return error_nomem(r->err);
	r->documents = larger;
	r->documents[r->count++] = r->root;
	return 0;
}

static int take_event(struct reader *r, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		r->root = NULL;
		r->nodes = 0;
		return 0;
	case YAML_DOCUMENT_END_EVENT:
		return document_end(r);
	case YAML_ALIAS_EVENT:
		return take_alias(r, event);
	case YAML_SCALAR_EVENT:
		return take_scalar(r, event);
	case YAML_SEQUENCE_START_EVENT:
		return collection_start(r, YAML_SEQUENCE, event->data.sequence_start.tag,
					event->data.sequence_start.anchor, event->start_mark);
	case YAML_MAPPING_START_EVENT:
		return collection_start(r, YAML_MAPPING, event->data.mapping_start.tag,
					event->data.mapping_start.anchor, event->start_mark);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return collection_end(r);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
		return 0;
	}
	return 0;
}

static int parse(struct arena *arena, struct str text, size_t first_line, struct yaml_lenient *lenient,
		 const struct yaml_node ***documents, size_t *count, struct error *err)
{
	yaml_skip_preamble(&text, &first_line);
	if (str_starts(text, STR("\xFF\xFE")) || str_starts(text, STR("\xFE\xFF")))
		return yaml_error_at(err, first_line, 1, ERR_INVALID, "this is UTF-16; save it as UTF-8");
	struct reader r = {.arena = arena, .err = err, .text = text, .first_line = first_line,
			   .lenient = lenient};
	if (!yaml_parser_initialize(&r.parser))
		return error_nomem(err);
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)(text.p != NULL ? text.p : ""), text.n);
	r.parser.mark.line = first_line - 1; /* from here libyaml counts */
	int rc = 0;
	for (bool end = false; rc == 0 && !end;) {
		yaml_event_t event;
		if (!yaml_parser_parse(&r.parser, &event)) {
			rc = syntax_error(&r);
			break;
		}
		end = event.type == YAML_STREAM_END_EVENT;
		rc = take_event(&r, &event);
		yaml_event_delete(&event);
	}
	anchors_clear(&r);
	free(r.candidates.list);
	yaml_parser_delete(&r.parser);
	if (rc != 0)
		return rc;
	*documents = r.documents;
	*count = r.count;
	return 0;
}

int yaml_parse(struct arena *arena, struct str text, const struct yaml_node ***documents, size_t *count,
	       struct error *err)
{
	return parse(arena, text, 1, NULL, documents, count, err);
}

int yaml_parse_part(struct arena *arena, struct str text, size_t first_line, struct yaml_lenient *lenient,
		    const struct yaml_node ***documents, size_t *count, struct error *err)
{
	*lenient = (struct yaml_lenient){.aliased = lenient->aliased};
	return parse(arena, text, first_line, lenient, documents, count, err);
}
