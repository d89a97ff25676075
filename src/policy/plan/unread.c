#include "policy/plan/unread.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/text.h"
#include "kube/name.h"
#include "policy/plan/annotations.h"

#define PREFIX_TYPO 2 /* letters that a prefix may differ in, and still be meant as connhook's */
#define FIELD_TYPO 2  /* the same of a field on the way to the pod template */

/* ---- a prefix ---- */

/* The first annotation whose prefix is nearly connhook's; NULL for none. */
static const struct json *find_typo(const struct config *config, const struct json *metadata)
{
	for (const struct json *a = json_first(json_getz(metadata, "annotations")); a != NULL; a = json_next(a)) {
		struct str prefix = name_key_prefix(json_key(a));
		if (prefix.n > 0 && !str_eq(prefix, config->annotation_prefix) &&
		    annotation_is_wish(str_from(json_key(a), prefix.n + 1)) &&
		    str_distance(prefix, config->annotation_prefix) <= PREFIX_TYPO)
			return a;
	}
	return NULL;
}

static bool has_annotation(const struct workload *w, struct str key)
{
	const struct json *places[] = {w->metadata, w->job_metadata, w->template_metadata};
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
		if (json_get(json_getz(places[i], "annotations"), key) != NULL)
			return true;
	return false;
}

static void check_prefix(const struct config *config, const struct workload *w, const struct json *metadata,
			 const char *where, const char *below, struct violations *warnings)
{
	const struct json *a = find_typo(config, metadata);
	if (a == NULL)
		return;
	struct str name = str_from(json_key(a), name_key_prefix(json_key(a)).n + 1);
	struct str meant = arena_fmt(warnings->arena, "%.*s/%.*s", STR_ARG(config->annotation_prefix), STR_ARG(name));
	struct str field =
		arena_fmt(warnings->arena, "%s%smetadata.annotations[%.*s]", where, below, STR_ARG(json_key(a)));
	if (!has_annotation(w, meant))
		violation_add(warnings, field, STR("prefix"), "annotation %s asks nobody for anything; did you mean \"%.*s\"?",
			      text_quote_name(json_key(a)).text, STR_ARG(meant));
}

void unread_prefixes(const struct config *config, const struct workload *workload, struct violations *warnings)
{
	const struct workload_kind *kind = workload->kind;
	check_prefix(config, workload, workload->metadata, "", "", warnings);
	if (workload->job_metadata != NULL)
		check_prefix(config, workload, workload->job_metadata, kind->job_template_field, ".", warnings);
	check_prefix(config, workload, workload->template_metadata, kind->template_field, ".", warnings);
}

/* ---- where nothing is injected ---- */

/* A value on the way down an object; the way back up is a field path. */
struct step {
	const struct step *above; /* NULL at the top */
	struct str key;           /* of a member; else `index` counts */
	size_t index;
};

static void write_field(struct buf *out, const struct step *step)
{
	if (step->above == NULL)
		return;
	write_field(out, step->above);
	if (step->key.p == NULL)
		buf_fmt(out, "[%zu]", step->index);
	else
		buf_fmt(out, "%s%.*s", out->n > 0 ? "." : "", STR_ARG(str_utf8_cut(step->key, LIMIT_QUOTE_NAME)));
}

/* Written once from the top, each key cut to what a name can be: a tenant chooses their length, and the depth. */
static struct str field_of(struct arena *arena, const struct step *step)
{
	struct buf out;
	buf_init_in(&out, LIMIT_JSON_DEPTH * (LIMIT_QUOTE_NAME + 1), arena);
	write_field(&out, step);
	return buf_move(&out, arena);
}

/* The first annotation of the metadata that asks for something; NULL for none, and where it is a copy. */
static const struct json *find_wish(const struct config *config, const struct json *metadata)
{
	const struct json *found = NULL;
	if (annotations_recorded(config, metadata))
		return NULL;
	for (const struct json *a = json_first(json_getz(metadata, "annotations")); a != NULL && !found; a = json_next(a)) {
		struct str name = annotation_name(config, json_key(a));
		if (name.p != NULL && !str_eqz(name, "inject") && !str_eqz(name, "status"))
			found = a;
	}
	return found;
}

static bool is_object_of_its_own(const struct json *v)
{
	return json_getz(v, "apiVersion") != NULL && json_getz(v, "kind") != NULL;
}

/* Looks into the value at the step: its own annotations where it is a Pod or a template of one, or the whole object. */
static bool look(struct arena *arena, const struct config *config, const struct json *v, const struct step *at,
		 struct unread *out)
{
	bool whole = at->above == NULL;
	bool pod = json_kind(json_path(v, "spec", "containers", NULL)) == JSON_ARRAY;
	const struct json *metadata = whole || pod ? json_getz(v, "metadata") : NULL, *found = find_wish(config, metadata);
	if (found == NULL)
		found = find_typo(config, metadata);
	if (found != NULL) {
		struct str field = field_of(arena, at);
		out->field = arena_fmt(arena, "%.*s%smetadata.annotations[%.*s]", STR_ARG(field), whole ? "" : ".",
				       STR_ARG(str_utf8_cut(json_key(found), LIMIT_QUOTE_NAME)));
		out->annotation = found;
		out->beside_containers = pod;
		return true;
	}
	if (!whole && is_object_of_its_own(v))
		return false;
	struct step step = {.above = at};
	for (const struct json *e = json_first(v); e != NULL; e = json_next(e), step.index++) {
		if (json_kind(v) == JSON_OBJECT)
			step.key = json_key(e);
		if (look(arena, config, e, &step, out))
			return true;
	}
	return false;
}

void unread_find(struct arena *arena, const struct config *config, const struct json *object, struct unread *out)
{
	const struct step top = {.above = NULL};
	*out = (struct unread){.field = {NULL, 0}};
	(void)look(arena, config, object, &top, out);
}

/* ---- where nobody looks in a workload ---- */

#define PLACES 3 /* a workload's own annotations, a CronJob's Job's, and the template's */

struct search {
	struct arena *arena;
	const struct config *config;
	const struct json *read[PLACES]; /* the annotations that connhook reads; NULL for none */
	struct names read_names;         /* the wishes among them, each once: no more than there are wishes */
	struct str field;
	const struct json *found;
	bool label;
};

static bool is_read(const struct search *s, const struct json *v)
{
	for (size_t i = 0; i < PLACES; i++)
		if (v == s->read[i])
			return true;
	return false;
}

static bool has_read_name(const struct search *s, struct str name)
{
	for (size_t i = 0; i < s->read_names.count; i++)
		if (str_eq(s->read_names.items[i], name))
			return true;
	return false;
}

/* Looked up once: the search meets as many values as the object has. False when memory is out. */
static bool begin_search(struct search *s, const struct workload *w)
{
	const struct json *metadata[PLACES] = {w->metadata, w->job_metadata, w->template_metadata};
	struct str *items = NULL;
	size_t count = 0, capacity = 0;
	for (size_t i = 0; i < PLACES; i++) {
		s->read[i] = json_getz(metadata[i], "annotations");
		for (const struct json *a = json_first(s->read[i]); a != NULL; a = json_next(a)) {
			struct str name = annotation_name(s->config, json_key(a));
			if (!annotation_is_wish(name) || has_read_name(s, name))
				continue;
			items = arena_grow(s->arena, items, count, &capacity, sizeof *items);
			if (items == NULL)
				return false;
			items[count++] = name;
			s->read_names = (struct names){.items = items, .count = count};
		}
	}
	return true;
}

/* `inject` says nothing by itself, and may be the label that a configuration's default looks for. */
static bool is_misplaced(const struct search *s, const struct json *member)
{
	struct str name = annotation_name(s->config, json_key(member));
	return annotation_is_wish(name) && !str_eqz(name, "inject") && !has_read_name(s, name);
}

static bool search(struct search *s, const struct json *v, const struct step *at)
{
	struct step step = {.above = at};
	if (is_read(s, v) || (at->above != NULL && is_object_of_its_own(v)))
		return false;
	for (const struct json *e = json_first(v); e != NULL; e = json_next(e), step.index++) {
		bool member = json_kind(v) == JSON_OBJECT;
		if (member)
			step.key = json_key(e);
		if (member && is_misplaced(s, e)) {
			struct str field = field_of(s->arena, at);
			s->field = arena_fmt(s->arena, "%.*s[%.*s]", STR_ARG(field),
					     STR_ARG(str_utf8_cut(json_key(e), LIMIT_QUOTE_NAME)));
			s->found = e;
			s->label = str_eqz(at->key, "labels");
			return true;
		}
		if (search(s, e, &step))
			return true;
	}
	return false;
}

struct str unread_misplaced(struct arena *arena, const struct config *config, const struct workload *workload,
			    struct str *remedy)
{
	const struct step top = {.above = NULL};
	struct search s = {.arena = arena, .config = config};
	if (!begin_search(&s, workload) || !search(&s, workload->object, &top))
		return (struct str){NULL, 0};
	*remedy = arena_fmt(arena, "%s; write %.*s below metadata.annotations of the %s",
			    s.label ? "connhook reads annotations, and this is a label"
				: "connhook reads metadata.annotations of a workload and of its pod template, not this place",
			    STR_ARG(str_utf8_cut(json_key(s.found), LIMIT_QUOTE_NAME)), workload->kind->kind);
	return s.field;
}

/* The member whose key comes close to the name; NULL. */
static const struct json *find_near(const struct json *object, struct str name)
{
	for (const struct json *e = json_first(object); e != NULL; e = json_next(e))
		if (json_kind(e) == JSON_OBJECT && str_distance(json_key(e), name) <= FIELD_TYPO)
			return e;
	return NULL;
}

struct str unread_template(struct arena *arena, const struct workload *workload, struct str *meant)
{
	struct str way = str_of(workload->kind->template_field), rest = way, key;
	const struct json *at = workload->object;
	while (str_split(&rest, '.', &key)) {
		const struct json *next = json_get(at, key);
		if (json_kind(next) == JSON_OBJECT) {
			at = next;
			continue;
		}
		const struct json *near = json_kind(at) == JSON_OBJECT ? find_near(at, key) : NULL;
		*meant = key;
		if (near == NULL)
			return (struct str){NULL, 0};
		return arena_fmt(arena, "%.*s%.*s", (int)(key.p - way.p), way.p, STR_ARG(json_key(near)));
	}
	return (struct str){NULL, 0};
}

struct str unread_kinds(struct arena *arena)
{
	struct buf text;
	buf_init(&text, LIMIT_MESSAGE);
	for (size_t i = 0; i < workload_kind_count; i++)
		if (!workload_kinds[i].only_judged)
			buf_fmt(&text, "%s%s", text.n > 0 ? ", " : "", workload_kinds[i].kind);
	return buf_move(&text, arena);
}
