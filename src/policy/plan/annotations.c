#include "policy/plan/annotations.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/meant.h"
#include "base/text.h"
#include "kube/image.h"
#include "kube/name.h"
#include "kube/quantity.h"

#include <stdlib.h>

/* Of a generated name: what the API server appends to metadata.generateName, and how much of that it keeps. */
#define GENERATED_LENGTH 5
#define GENERATED_FROM 58

enum key {
	KEY_BINDINGS,
	KEY_APP,
	KEY_CONTAINERS,
	KEY_MIGRATE,
	KEY_MIGRATE_IMAGE,
	KEY_MIGRATE_FROM,
	KEY_MIGRATE_POSITION,
	KEY_MIGRATE_RESOURCES,
	KEY_INJECT,
	KEY_COUNT
};

static const char *const key_names[KEY_COUNT] = {
	[KEY_BINDINGS] = "bindings",                 [KEY_APP] = "app",
	[KEY_CONTAINERS] = "containers",             [KEY_MIGRATE] = "migrate",
	[KEY_MIGRATE_IMAGE] = "migrate-image",       [KEY_MIGRATE_FROM] = "migrate-from",
	[KEY_MIGRATE_POSITION] = "migrate-position", [KEY_MIGRATE_RESOURCES] = "migrate-resources",
	[KEY_INJECT] = "inject",
};

/* What connhook itself writes: for people on the workload, the record on the template. No wish either way. */
#define RECORD "injected"
static const char *const own_keys[] = {"status", RECORD};
#define OWN_KEYS (sizeof own_keys / sizeof own_keys[0])

/* The annotations under the prefix, the template's before the workload's. */
struct reader {
	struct arena *arena;
	const struct config *config;
	const struct workload *workload;
	struct wishes *out;
	struct str values[KEY_COUNT]; /* absent: not annotated */
	struct str fields[KEY_COUNT];
};

/* Adds a problem with the annotation `key`; `fault` and `part` tell it from others. */
static struct str identity(struct reader *r, enum key key, const char *fault, struct str part)
{
	return arena_fmt(r->arena, "%s:%s:%.*s", key_names[key], fault, STR_ARG(part));
}

static struct str known_keys(struct arena *arena)
{
	struct buf text;
	buf_init(&text, LIMIT_MESSAGE);
	for (size_t i = 0; i < KEY_COUNT; i++)
		buf_fmt(&text, "%s%s", i > 0 ? ", " : "", key_names[i]);
	return buf_move(&text, arena);
}

static struct str suggestion(struct arena *arena, struct str name)
{
	struct meant meant = {.wrong = name};
	for (size_t i = 0; i < KEY_COUNT; i++)
		meant_offer(&meant, str_of(key_names[i]));
	return meant_text(&meant, arena);
}

struct str annotation_name(const struct config *config, struct str key)
{
	struct str prefix = config->annotation_prefix;
	if (!str_starts(key, prefix) || key.n == prefix.n || key.p[prefix.n] != '/')
		return (struct str){NULL, 0};
	return str_from(key, prefix.n + 1);
}

static enum key key_of(struct str name)
{
	enum key key = 0;
	while (key < KEY_COUNT && !str_eqz(name, key_names[key]))
		key++;
	return key;
}

bool annotation_is_wish(struct str name)
{
	return key_of(name) < KEY_COUNT;
}

/* Takes one annotation under the prefix. */
static void take(struct reader *r, const struct json *annotation, struct str name, struct str field)
{
	struct violations *problems = &r->out->problems;
	for (size_t i = 0; i < OWN_KEYS; i++)
		if (str_eqz(name, own_keys[i]))
			return;
	enum key key = key_of(name);
	if (key == KEY_COUNT) {
		violation_add(problems, field, arena_fmt(r->arena, "unknown:%.*s", STR_ARG(name)),
			      "found %s, which is not an annotation that connhook knows; expected one of: %.*s%.*s",
			      text_quote(name).text, STR_ARG(known_keys(r->arena)), STR_ARG(suggestion(r->arena, name)));
		return;
	}
	struct str value = json_string(annotation);
	if (value.p == NULL) {
		violation_add(problems, field, arena_fmt(r->arena, "%s:type:", key_names[key]),
			      "found %s; expected a string: put the value in quotes", json_kind_name(json_kind(annotation)));
		return;
	}
	if (json_has_nul(annotation)) {
		violation_add(problems, field, arena_fmt(r->arena, "%s:nul:%.*s", key_names[key], STR_ARG(value)),
			      "found %s; expected text without the character NUL: remove it", json_quote(annotation).text);
		return;
	}
	r->values[key] = value;
	r->fields[key] = field;
}

static void collect(struct reader *r, const struct json *metadata, const char *where, const char *below)
{
	for (const struct json *a = json_first(json_getz(metadata, "annotations")); a != NULL; a = json_next(a)) {
		struct str name = annotation_name(r->config, json_key(a));
		if (violations_full(&r->out->problems))
			return;
		if (name.p == NULL)
			continue;
		struct str key = str_utf8_cut(json_key(a), 2 * LIMIT_QUOTE_NAME);
		struct str field = arena_fmt(r->arena, "%s%smetadata.annotations[%.*s]", where, below, STR_ARG(key));
		take(r, a, name, field);
	}
}

/*
 * Is the name made, or to be made, from generateName? The mutating phase sees no name then and the validating phase a
 * generated one: what both know is generateName.
 */
static bool is_generated(struct str name, struct str begin)
{
	struct str kept = {begin.p, begin.n < GENERATED_FROM ? begin.n : GENERATED_FROM};
	return name.n == 0 || (begin.n > 0 && name.n == kept.n + GENERATED_LENGTH && str_starts(name, kept));
}

struct str annotations_app(struct arena *arena, const struct workload *workload)
{
	const struct json *labels = json_getz(workload->metadata, "labels");
	struct str app = json_string(json_getz(labels, "app.kubernetes.io/name"));
	if (app.n > 0)
		return app;
	app = json_string(json_getz(workload->metadata, "name"));
	if (is_generated(app, json_string(json_getz(workload->metadata, "generateName")))) {
		app = json_string(json_getz(workload->metadata, "generateName"));
		if (str_ends(app, STR("-")))
			app.n--;
	}
	struct str hash = json_string(json_getz(labels, "pod-template-hash"));
	struct str end = arena_fmt(arena, "-%.*s", STR_ARG(hash));
	if (hash.n > 0 && app.n > end.n && str_ends(app, end))
		app.n -= end.n;
	return app.p ? app : STR("");
}

/* The service's name: the annotation, else what the object gives. */
static void read_app(struct reader *r)
{
	struct str app = r->values[KEY_APP];
	r->out->app_annotated = app.p != NULL;
	if (app.p == NULL) {
		r->out->app = annotations_app(r->arena, r->workload);
		return;
	}
	r->out->app = str_trim(app);
	if (name_is_subdomain(r->out->app))
		return;
	violation_add(&r->out->problems, r->fields[KEY_APP], identity(r, KEY_APP, "name", app),
		      "found %s; expected the service's name: lower-case letters, digits and -", text_quote(app).text);
	r->out->app = STR("app"); /* so that the fault is not told again for each binding */
}

static void read_containers(struct reader *r)
{
	struct str rest = r->values[KEY_CONTAINERS], part;
	struct str field = r->fields[KEY_CONTAINERS];
	if (rest.p == NULL)
		return;
	struct str *items = arena_array(r->arena, LIMIT_LIST, sizeof *items);
	size_t count = 0, globs = 0;
	while (items != NULL && str_split(&rest, ',', &part)) {
		part = str_trim(part);
		if (part.n == 0 || count == LIMIT_LIST) {
			violation_add(&r->out->problems, field, identity(r, KEY_CONTAINERS, "form", r->values[KEY_CONTAINERS]),
				      "found %s; expected 1 to %d names or globs of containers parted by commas",
				      part.n == 0 ? "an empty element in the list" : "too many elements", LIMIT_LIST);
			return;
		}
		globs += str_is_glob(part);
		if (part.n > LIMIT_GLOB || globs > LIMIT_GLOBS) {
			violation_add(&r->out->problems, field, identity(r, KEY_CONTAINERS, "size", r->values[KEY_CONTAINERS]),
				      "found %s %s; expected at most %d globs among the names, each of at most %d characters",
				      part.n > LIMIT_GLOB ? "the element" : "more globs, from",
				      text_quote(part).text, LIMIT_GLOBS, LIMIT_GLOB);
			return;
		}
		items[count++] = part;
	}
	r->out->containers = (struct names){.items = items, .count = count};
	r->out->containers_field = field;
}

/*
 * The exec form is a JSON array of strings. What merely begins like one, ["..., is a typing error and not a line for
 * the shell; `[ -f x ] && y` is a line for the shell.
 */
static bool read_exec(struct reader *r, struct str text, bool *is_exec)
{
	const struct json *array;
	struct str field = r->fields[KEY_MIGRATE];
	struct error err;
	*is_exec = text.p[0] == '[';
	if (!*is_exec)
		return true;
	int rc = json_parse_in(r->arena, text, &array, &err);
	if (rc == ERR_NOMEM) {
		r->arena->failed = true;
		return false;
	}
	if (rc != 0 && !str_starts(str_trim(str_from(text, 1)), STR("\""))) {
		*is_exec = false;
		return true;
	}
	if (rc != 0) {
		violation_add(&r->out->problems, field, identity(r, KEY_MIGRATE, "json", text),
			      "begins like a command in exec form but is %s; expected an array of strings such as "
			      "[\"npm\",\"run\",\"migrate\"]",
			      err.text);
		return false;
	}
	size_t count = json_count(array), i = 0;
	struct str *items = arena_array(r->arena, count, sizeof *items);
	bool good = count > 0 && items != NULL;
	for (const struct json *e = json_first(array); e != NULL && good; e = json_next(e)) {
		items[i++] = json_string(e);
		good = json_kind(e) == JSON_STRING && !json_has_nul(e) && (i > 1 || items[0].n > 0);
	}
	if (!good) {
		violation_add(&r->out->problems, field, identity(r, KEY_MIGRATE, "exec", text),
			      "found %s; expected an array of strings that begins with the program, such as "
			      "[\"npm\",\"run\",\"migrate\"]",
			      text_quote(text).text);
		return false;
	}
	r->out->command = (struct names){.items = items, .count = count};
	return true;
}

static void read_command(struct reader *r)
{
	struct str text = r->values[KEY_MIGRATE];
	if (text.p == NULL)
		return;
	struct str line = str_trim(text);
	r->out->migrate_field = r->fields[KEY_MIGRATE];
	if (line.n == 0) {
		violation_add(&r->out->problems, r->fields[KEY_MIGRATE], identity(r, KEY_MIGRATE, "empty", line),
			      "the migration command is empty; write the command, or remove the annotation");
		return;
	}
	bool is_exec;
	if (!read_exec(r, line, &is_exec))
		return;
	r->out->migrate = true;
	if (is_exec)
		return;
	const struct names *shell = &r->config->migration_shell;
	struct str *items = arena_array(r->arena, shell->count + 1, sizeof *items);
	if (items == NULL)
		return;
	for (size_t i = 0; i < shell->count; i++)
		items[i] = shell->items[i];
	items[shell->count] = text;
	r->out->command = (struct names){.items = items, .count = shell->count + 1};
}

/* One element of the list: requests.RESOURCE=AMOUNT or limits.RESOURCE=AMOUNT, as a ResourceQuota names them. */
static bool read_amount(struct str element, struct wish_amount *out)
{
	size_t equals = str_find(element, '=');
	struct str key = str_trim((struct str){element.p, equals});
	if (equals == element.n)
		return false;
	out->limit = str_starts(key, STR("limits."));
	if (!out->limit && !str_starts(key, STR("requests.")))
		return false;
	out->name = str_from(key, str_find(key, '.') + 1);
	out->amount = str_trim(str_from(element, equals + 1));
	return name_is_label_key(out->name) && quantity_is_valid(out->amount);
}

static void read_resources(struct reader *r)
{
	struct str rest = r->values[KEY_MIGRATE_RESOURCES], part;
	struct str field = r->out->resources_field = r->fields[KEY_MIGRATE_RESOURCES];
	if (rest.p == NULL)
		return;
	struct wish_amount *items = arena_array(r->arena, LIMIT_LIST, sizeof *items);
	size_t count = 0;
	while (items != NULL && str_split(&rest, ',', &part)) {
		if (count == LIMIT_LIST || !read_amount(str_trim(part), &items[count])) {
			violation_add(&r->out->problems, field, identity(r, KEY_MIGRATE_RESOURCES, "form", part),
				      "found %s; expected up to %d amounts parted by commas, such as "
				      "\"requests.cpu=100m,limits.memory=256Mi\"",
				      count == LIMIT_LIST ? "more elements" : text_quote(str_trim(part)).text, LIMIT_LIST);
			return;
		}
		count++;
	}
	r->out->resources = items;
	r->out->resource_count = count;
}

static void read_migration(struct reader *r)
{
	struct wishes *w = r->out;
	read_command(r);
	struct str image = r->values[KEY_MIGRATE_IMAGE];
	struct image parts;
	if (image.p != NULL) {
		w->migrate_image = str_trim(image);
		if (!image_parse(w->migrate_image, &parts))
			violation_add(&w->problems, r->fields[KEY_MIGRATE_IMAGE], identity(r, KEY_MIGRATE_IMAGE, "form", image),
				      "found %s; expected an image reference such as ghcr.io/team/service:v1.0.0",
				      text_quote(image).text);
	}
	if (r->values[KEY_MIGRATE_FROM].p != NULL) {
		w->migrate_from = str_trim(r->values[KEY_MIGRATE_FROM]);
		w->migrate_from_field = r->fields[KEY_MIGRATE_FROM];
	}
	read_resources(r);
	static const enum key options[] = {KEY_MIGRATE_IMAGE, KEY_MIGRATE_FROM, KEY_MIGRATE_POSITION,
					   KEY_MIGRATE_RESOURCES};
	for (size_t i = 0; i < sizeof options / sizeof options[0] && r->values[KEY_MIGRATE].p == NULL; i++)
		if (r->values[options[i]].p != NULL)
			violation_add(&w->warnings, r->fields[options[i]], STR("no-effect"),
				      "annotation %.*s/%s has no effect without %.*s/migrate", STR_ARG(r->config->annotation_prefix),
				      key_names[options[i]], STR_ARG(r->config->annotation_prefix));
	struct str position = r->values[KEY_MIGRATE_POSITION];
	w->migrate_first = str_eqz(position, "first");
	if (position.p != NULL && !w->migrate_first && !str_eqz(position, "last"))
		violation_add(&w->problems, r->fields[KEY_MIGRATE_POSITION],
			      identity(r, KEY_MIGRATE_POSITION, "value", position),
			      "found %s; expected \"first\" or \"last\"", text_quote(position).text);
}

/* True when the owner wants nothing. A wrong value is a problem. */
static bool read_opt_out(struct reader *r)
{
	struct str inject = r->values[KEY_INJECT];
	if (inject.p != NULL && !str_eqz(inject, "true") && !str_eqz(inject, "false"))
		violation_add(&r->out->problems, r->fields[KEY_INJECT], identity(r, KEY_INJECT, "value", inject),
			      "found %s; expected \"true\" or \"false\"", text_quote(inject).text);
	return str_eqz(inject, "false");
}

static bool labels_match(const struct json *labels, const struct json *wanted)
{
	for (const struct json *w = json_first(wanted); w != NULL; w = json_next(w))
		if (!json_equal(json_get(labels, json_key(w)), w))
			return false;
	return true;
}

/* The first of the configuration's defaults that fits the workload; absent for none. */
static struct str default_bindings(const struct reader *r, struct str namespace)
{
	const struct json *labels = json_getz(r->workload->metadata, "labels");
	for (size_t i = 0; i < r->config->default_count; i++) {
		const struct default_bindings *d = &r->config->defaults[i];
		if ((d->namespaces.count == 0 || names_match(&d->namespaces, namespace)) &&
		    labels_match(labels, d->match_labels))
			return d->bindings;
	}
	return (struct str){NULL, 0};
}

static void read_bindings(struct reader *r, struct str namespace)
{
	struct str list = r->values[KEY_BINDINGS], field = r->fields[KEY_BINDINGS];
	r->out->bindings_annotated = list.p != NULL;
	if (list.p == NULL) {
		list = default_bindings(r, namespace);
		field = annotation_field(r->arena, r->config, key_names[KEY_BINDINGS]);
	}
	if (list.p == NULL)
		return;
	struct template_values values = {r->out->app, namespace, {NULL, 0}};
	binding_list_read(r->config, list, &values, field, &r->out->problems, &r->out->bindings);
}

void annotations_read(struct arena *arena, const struct config *config, const struct workload *workload,
		      struct str namespace, struct wishes *out)
{
	*out = (struct wishes){.problems.arena = arena, .warnings.arena = arena};
	struct reader r = {.arena = arena, .config = config, .workload = workload, .out = out};
	collect(&r, workload->metadata, "", "");
	if (workload->job_metadata != NULL)
		collect(&r, workload->job_metadata, workload->kind->job_template_field, ".");
	collect(&r, workload->template_metadata, workload->kind->template_field, ".");
	if (read_opt_out(&r)) {
		*out = (struct wishes){.opted_out = true, .problems.arena = arena, .warnings.arena = arena};
		return;
	}
	read_app(&r);
	read_bindings(&r, namespace);
	read_containers(&r);
	read_migration(&r);
}

bool annotation_is_reloader(struct str key)
{
	/* How it rolls out, what it has done, and what is about ConfigMaps alone. */
	static const char *const others[] = {"rollout-strategy", "pause-period", "paused-at", "last-reloaded-from"};
	struct str prefix = name_key_prefix(key);
	struct str name = str_from(key, prefix.n + 1);
	if (!str_eqz(prefix, "reloader.stakater.com") && !str_ends(prefix, STR(".reloader.stakater.com")))
		return false;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (str_eqz(name, others[i]))
			return false;
	return !str_starts(prefix, STR("configmap"));
}

static int by_key(const void *a, const void *b)
{
	const struct json *const *x = a, *const *y = b;
	return str_cmp(json_key(*x), json_key(*y));
}

/* The annotations that connhook reads, in the order of their keys; NULL when memory is out. */
static const struct json **read_ones(struct arena *arena, const struct config *config, const struct json *metadata,
				     size_t *count)
{
	const struct json *annotations = json_getz(metadata, "annotations");
	const struct json **result = arena_array(arena, json_count(annotations), sizeof(const struct json *));
	*count = 0;
	for (const struct json *m = json_first(annotations); m != NULL && result != NULL; m = json_next(m)) {
		struct str name = annotation_name(config, json_key(m));
		bool read = name.p != NULL || annotation_is_reloader(json_key(m));
		for (size_t i = 0; i < OWN_KEYS; i++)
			read = read && !str_eqz(name, own_keys[i]);
		if (read)
			result[(*count)++] = m;
	}
	if (*count > 1)
		qsort(result, *count, sizeof(const struct json *), by_key);
	return result;
}

/* Do both have the same annotations among those that connhook reads? */
static bool same_read(struct arena *arena, const struct config *config, const struct json *a, const struct json *b)
{
	size_t count = 0, other = 0;
	const struct json **x = read_ones(arena, config, a, &count), **y = read_ones(arena, config, b, &other);
	if (x == NULL || y == NULL || count != other)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!str_eq(json_key(x[i]), json_key(y[i])) || !json_equal(x[i], y[i]))
			return false;
	return true;
}

bool annotations_same(struct arena *arena, const struct config *config, const struct workload *a,
		      const struct workload *b, struct str namespace)
{
	struct wishes wishes[2] = {{.problems.arena = arena}, {.problems.arena = arena}};
	struct reader x = {.arena = arena, .config = config, .workload = a, .out = &wishes[0]};
	struct reader y = {.arena = arena, .config = config, .workload = b, .out = &wishes[1]};
	if (!same_read(arena, config, a->metadata, b->metadata) ||
	    !same_read(arena, config, a->job_metadata, b->job_metadata))
		return false;
	read_app(&x);
	read_app(&y);
	return str_eq(wishes[0].app, wishes[1].app) &&
	       default_bindings(&x, namespace).p == default_bindings(&y, namespace).p;
}

bool annotations_recorded(const struct config *config, const struct json *metadata)
{
	for (const struct json *a = json_first(json_getz(metadata, "annotations")); a != NULL; a = json_next(a))
		if (str_eqz(annotation_name(config, json_key(a)), RECORD))
			return true;
	return false;
}

struct str annotations_ask(struct arena *arena, const struct config *config, const struct workload *workload)
{
	const struct json *places[] = {workload->metadata, workload->job_metadata, workload->template_metadata};
	const char *const where[] = {"", workload->kind->job_template_field, workload->kind->template_field};
	struct str asked = {NULL, 0};
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		if (annotations_recorded(config, places[i]))
			return (struct str){NULL, 0};
		for (const struct json *a = json_first(json_getz(places[i], "annotations")); a != NULL; a = json_next(a)) {
			enum key key = key_of(annotation_name(config, json_key(a)));
			if (asked.p == NULL && (key == KEY_BINDINGS || key == KEY_MIGRATE))
				asked = arena_fmt(arena, "%s%s%.*s", where[i], i > 0 ? "." : "",
						  STR_ARG(annotation_field(arena, config, key_names[key])));
		}
	}
	return asked;
}

struct str annotation_field(struct arena *arena, const struct config *config, const char *name)
{
	return arena_fmt(arena, "metadata.annotations[%.*s/%s]", STR_ARG(config->annotation_prefix), name);
}
