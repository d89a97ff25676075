#include "policy/plan/declared.h"

#include "base/limits.h"
#include "policy/plan/record.h"

#include <stdlib.h>

#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

static int by_key(const void *a, const void *b)
{
	const struct declared_key *x = a, *y = b;
	int order = entry_key_cmp(&x->key, &y->key);
	if (order == 0 && x->form != y->form)
		order = x->form < y->form ? -1 : 1;
	return order != 0 ? order : (x->hash > y->hash) - (x->hash < y->hash);
}

static int by_place(const void *a, const void *b)
{
	const struct declared_container *x = a, *y = b;
	return x->init != y->init ? (int)x->init - (int)y->init : str_cmp(x->name, y->name);
}

static void add_key(struct arena *arena, struct declared_keys *keys, struct declared_key key)
{
	struct declared_key *items = arena_grow(arena, keys->items, keys->count, &keys->capacity, sizeof *items);
	if (items == NULL)
		return;
	keys->items = items;
	keys->items[keys->count++] = key;
}

void declared_sort(struct declared_keys *keys)
{
	if (keys->count > 1)
		qsort(keys->items, keys->count, sizeof *keys->items, by_key);
}

static void add_container(struct arena *arena, struct declared *d, struct declared_container c)
{
	struct declared_container *items = arena_grow(arena, d->containers, d->count, &d->capacity, sizeof *items);
	if (items == NULL || c.name.n == 0)
		return;
	d->containers = items;
	d->containers[d->count++] = c;
}

/* Neither a value nor a reference to one. */
static bool says_nothing(const struct json *variable)
{
	return json_is_empty(json_getz(variable, "value")) && json_is_empty(json_getz(variable, "valueFrom"));
}

static void add_entries(struct arena *arena, enum entry_kind kind, const struct json *array, struct declared_keys *out)
{
	if (json_kind(array) != JSON_ARRAY)
		return;
	struct entry_key key;
	for (const struct json *e = json_first(array); e != NULL; e = json_next(e)) {
		if (!entry_key(kind, e, &key))
			continue;
		bool empty = says_nothing(e);
		enum declared_form form = empty ? DECLARED_EMPTY : DECLARED_AS;
		add_key(arena, out, (struct declared_key){key, form, empty ? 0 : entry_hash(e)});
	}
}

/* ---- last-applied-configuration ---- */

static void read_applied(struct arena *arena, const struct workload *w, struct str record, struct declared *out)
{
	struct str text = json_string(json_path(w->metadata, "annotations", LAST_APPLIED, NULL));
	const struct json *root;
	struct workload applied;
	struct workload_fault fault;
	out->text = text;
	if (text.p == NULL)
		return;
	int rc = json_parse_in(arena, text, &root, NULL);
	if (rc == ERR_NOMEM)
		arena->failed = true;
	if (rc != 0 || !workload_open(w->kind, root, &applied, &fault))
		return;
	out->annotations = json_getz(applied.metadata, "annotations");
	out->is_copy = json_get(json_getz(applied.template_metadata, "annotations"), record) != NULL;
	for (const struct json *c = json_first(applied.containers); c != NULL; c = json_next(c))
		add_container(arena, out, (struct declared_container){false, container_name(c), c, NULL});
	for (const struct json *c = json_first(applied.init_containers); c != NULL; c = json_next(c))
		add_container(arena, out, (struct declared_container){true, container_name(c), c, NULL});
	add_entries(arena, ENTRY_PULL_SECRET, json_getz(applied.pod_spec, entry_list[ENTRY_PULL_SECRET]),
		    &out->pull_secrets);
}

/* ---- managedFields ---- */

/* The name in the key of a list's element, k:{"name":"app"}; empty for any other member. */
static struct str element_name(struct arena *arena, const struct json *member)
{
	struct str key = json_key(member), name = STR("");
	const struct json *parsed;
	if (!str_starts(key, STR("k:{")))
		return name;
	int rc = json_parse_in(arena, str_from(key, 2), &parsed, NULL);
	if (rc == ERR_NOMEM)
		arena->failed = true;
	if (rc == 0)
		name = json_string(json_getz(parsed, "name"));
	return name.p ? name : STR("");
}

static void add_elements(struct arena *arena, const struct json *list, struct declared_keys *out)
{
	for (const struct json *m = json_first(list); m != NULL; m = json_next(m)) {
		struct str name = element_name(arena, m);
		enum declared_form form = DECLARED_NAME;
		if (json_getz(m, "f:valueFrom") != NULL)
			form = DECLARED_REFERENCE;
		else if (json_getz(m, "f:value") != NULL)
			form = DECLARED_LITERAL;
		if (name.n > 0)
			add_key(arena, out, (struct declared_key){{name, STR("")}, form, 0});
	}
}

/* The fields below a dotted field path. */
static const struct json *fields_at(struct arena *arena, const struct json *fields, const char *path)
{
	struct str rest = str_of(path), step;
	while (fields != NULL && str_split(&rest, '.', &step))
		fields = json_get(fields, arena_fmt(arena, "f:%.*s", STR_ARG(step)));
	return fields;
}

/*
 * An init container counts as declared by whoever says what it runs: somebody else may well apply a part of connhook's,
 * its resources.
 */
static void add_fields(struct arena *arena, struct declared *out, bool init, const struct json *fields)
{
	out->env_from_applied = out->env_from_applied || (!init && json_getz(fields, "f:envFrom") != NULL);
	if (!init || json_getz(fields, "f:image") != NULL)
		add_container(arena, out, (struct declared_container){init, element_name(arena, fields), NULL, fields});
}

static void read_managed(struct arena *arena, const struct workload *w, struct str record, struct declared *out)
{
	struct str field = arena_fmt(arena, "f:%.*s", STR_ARG(record));
	const struct json *list = json_getz(w->metadata, "managedFields");
	if (json_kind(list) != JSON_ARRAY)
		return;
	const struct json **managed = arena_array(arena, json_count(list), sizeof(const struct json *));
	for (const struct json *m = json_first(list); m != NULL && managed != NULL; m = json_next(m)) {
		const struct json *fields = json_getz(m, "fieldsV1");
		if (!str_eqz(json_string(json_getz(m, "operation")), "Apply") || fields == NULL)
			continue;
		managed[out->managed_count++] = m;
		const struct json *template = fields_at(arena, fields, w->kind->template_field);
		const struct json *pod = json_getz(template, "f:spec");
		const struct json *annotations = json_path(template, "f:metadata", "f:annotations", NULL);
		out->is_copy = out->is_copy || json_get(annotations, field) != NULL;
		static const char *const lists[] = {"f:containers", "f:initContainers"};
		for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
			for (const struct json *c = json_first(json_getz(pod, lists[i])); c != NULL; c = json_next(c))
				add_fields(arena, out, i == 1, c);
		add_elements(arena, json_getz(pod, "f:imagePullSecrets"), &out->pull_secrets);
	}
	out->managed = managed;
}

void declared_read(struct arena *arena, const struct config *config, const struct workload *workload,
		   struct declared *out)
{
	struct str record = arena_fmt(arena, "%.*s/" RECORD_NAME, STR_ARG(config->annotation_prefix));
	*out = (struct declared){0};
	read_applied(arena, workload, record, out);
	read_managed(arena, workload, record, out);
	if (out->count > 1)
		qsort(out->containers, out->count, sizeof *out->containers, by_place);
	declared_sort(&out->pull_secrets);
}

/* The first declared container of that name; `end` behind all of them. */
static const struct declared_container *find(const struct declared *d, bool init, struct str name,
					     const struct declared_container **end)
{
	struct declared_container key = {.init = init, .name = name};
	size_t low = 0, high = d->count;
	*end = d->containers + d->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (by_place(&d->containers[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < d->count && by_place(&d->containers[low], &key) == 0 ? &d->containers[low] : NULL;
}

void declared_entries(struct arena *arena, const struct declared *d, struct str container,
		      struct declared_entries *out)
{
	const struct declared_container *end, *c = find(d, false, container, &end);
	*out = (struct declared_entries){0};
	for (; c != NULL && c < end && !c->init && str_eq(c->name, container); c++) {
		add_entries(arena, ENTRY_ENV_FROM, json_getz(c->applied, entry_list[ENTRY_ENV_FROM]), &out->env_from);
		add_entries(arena, ENTRY_ENV, json_getz(c->applied, entry_list[ENTRY_ENV]), &out->env);
		add_elements(arena, json_getz(c->fields, "f:env"), &out->env);
		out->env_from_applied = out->env_from_applied || json_getz(c->fields, "f:envFrom") != NULL;
	}
	declared_sort(&out->env_from);
	declared_sort(&out->env);
}

void declared_add(struct arena *arena, const struct entry_key *key, struct declared_keys *keys)
{
	add_key(arena, keys, (struct declared_key){*key, DECLARED_WHOLE, 0});
}

/* The first item of `wanted`'s key that is not before it; NULL for none. */
static const struct declared_key *first_from(const struct declared_keys *keys, const struct declared_key *wanted)
{
	size_t low = 0, high = keys->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (by_key(&keys->items[middle], wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < keys->count && entry_key_cmp(&keys->items[low].key, &wanted->key) == 0 ? &keys->items[low] : NULL;
}

static bool has_form(const struct declared_keys *keys, const struct entry_key *key, enum declared_form form)
{
	const struct declared_key *found = first_from(keys, &(struct declared_key){*key, form, 0});
	return found != NULL && found->form == form;
}

/* Was it applied as it stands there? As entry_same has it. */
static bool has_as(const struct declared_keys *keys, const struct entry_key *key, const struct json *entry)
{
	const struct declared_key wanted = {*key, DECLARED_AS, entry_hash(entry)};
	const struct declared_key *found = first_from(keys, &wanted);
	return found != NULL && by_key(found, &wanted) == 0;
}

bool declared_has(const struct declared_keys *keys, const struct entry_key *key)
{
	return first_from(keys, &(struct declared_key){*key, DECLARED_WHOLE, 0}) != NULL;
}

bool declared_entry(const struct declared_keys *keys, const struct entry_key *key, const struct json *entry)
{
	const struct declared_key *first = first_from(keys, &(struct declared_key){*key, DECLARED_WHOLE, 0});
	if (first == NULL || first->form < DECLARED_NAME)
		return first != NULL;
	if (first->form == DECLARED_NAME && says_nothing(entry))
		return true;
	bool variable = json_getz(entry, "secretRef") == NULL;
	return variable ? has_as(keys, key, entry) : has_form(keys, key, DECLARED_AS);
}

const char *declared_without(const struct declared_keys *keys, const struct entry_key *key, const struct json *entry,
			     const struct json *recorded)
{
	bool reference = json_is_empty(json_getz(entry, "value"));
	if (says_nothing(entry) || !entry_same(entry, recorded))
		return NULL;
	if (!has_form(keys, key, DECLARED_EMPTY) && !(reference && has_form(keys, key, DECLARED_LITERAL)))
		return NULL;
	return reference ? "valueFrom" : "value";
}

/* A manifest that runs another image declares another container: the template has been rolled back since. */
static bool declares(const struct declared_container *declared, const struct json *container)
{
	struct str image = json_string(json_getz(declared->applied, "image"));
	return image.p == NULL || str_eq(image, json_string(json_getz(container, "image")));
}

bool declared_init(const struct declared *d, const struct json *container)
{
	struct str name = container_name(container);
	const struct declared_container *end, *c = find(d, true, name, &end);
	for (; c != NULL && c < end && str_eq(c->name, name); c++)
		if (declares(c, container))
			return true;
	return false;
}

const struct json *declared_init_applied(const struct declared *d, struct str name)
{
	const struct declared_container *end, *c = find(d, true, name, &end);
	while (c != NULL && c < end && c->applied == NULL && str_eq(c->name, name))
		c++;
	return c != NULL && c < end && str_eq(c->name, name) ? c->applied : NULL;
}

bool declared_init_field(const struct declared *d, struct str name, const char *field)
{
	const struct declared_container *end, *c = find(d, true, name, &end);
	char key[64] = "f:"; /* the fields are those of the migration's table */
	for (size_t i = 0; field[i] != '\0' && i + 3 < sizeof key; i++)
		key[i + 2] = field[i];
	for (; c != NULL && c < end && str_eq(c->name, name); c++)
		if (!json_is_empty(json_getz(c->applied, field)) || json_getz(c->fields, key) != NULL)
			return true;
	return false;
}

static bool is_among(const struct json *entry, const struct declared *d)
{
	for (size_t i = 0; i < d->managed_count; i++)
		if (entry_same(json_getz(entry, "manager"), json_getz(d->managed[i], "manager")) &&
		    entry_same(json_getz(entry, "time"), json_getz(d->managed[i], "time")))
			return true;
	return false;
}

bool declared_anew(const struct declared *d, const struct declared *old)
{
	/* A person has few managers; more of them than that are not looked through. */
	if (d->managed_count > LIMIT_LIST || old->managed_count > LIMIT_LIST)
		return false;
	for (size_t i = 0; i < d->managed_count; i++)
		if (json_getz(d->managed[i], "time") != NULL && !is_among(d->managed[i], old))
			return true;
	return false;
}

bool declared_annotation(const struct declared *d, struct arena *arena, struct str key)
{
	if (json_get(d->annotations, key) != NULL)
		return true;
	struct str field = arena_fmt(arena, "f:%.*s", STR_ARG(key));
	for (size_t i = 0; i < d->managed_count; i++)
		if (json_get(json_path(d->managed[i], "fieldsV1", "f:metadata", "f:annotations", NULL), field) != NULL)
			return true;
	return false;
}
