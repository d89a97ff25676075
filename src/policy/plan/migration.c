/* The init container that runs the migrations. */
#include "policy/plan/parts.h"

#include "base/limits.h"
#include "base/text.h"
#include "codec/json_pointer.h"

#include <stdlib.h>

#define INIT "initContainers"

/* How a field of the container is kept in step with what is wanted, when somebody else has changed it. */
enum field_rule {
	FIELD_EXACT, /* it is connhook's alone */
	FIELD_VALUE, /* somebody else's change stays until connhook wants another value than before */
	FIELD_LIST,  /* the same for each of its entries, which `key` tells apart; entries of others stay */
	FIELD_SIZE,  /* as FIELD_VALUE; what others give the Pod changes what is wanted, so it is no reason to deny */
	FIELD_IMAGE, /* as FIELD_VALUE; the record has it in words */
	FIELD_MODEL, /* somebody else's change, and the API server's default, stay until the model's value changes */
};

/* The fields that connhook sets; others are the API server's defaults or somebody else's. */
static const struct field {
	const char *name;
	enum field_rule rule;
	const char *key;
} fields[] = {
	{"args", FIELD_EXACT, NULL},
	{"command", FIELD_EXACT, NULL},
	{"env", FIELD_LIST, "name"},
	{"envFrom", FIELD_LIST, NULL},
	{"image", FIELD_IMAGE, NULL},
	{"imagePullPolicy", FIELD_MODEL, NULL},
	{"resources", FIELD_SIZE, NULL},
	{"securityContext", FIELD_VALUE, NULL},
	{"volumeMounts", FIELD_LIST, "mountPath"},
	{"workingDir", FIELD_VALUE, NULL},
};
#define FIELD_COUNT (sizeof fields / sizeof fields[0])

/* ---- what it should be ---- */

static void write_field(struct json_writer *w, const char *key, const struct json *value)
{
	if (json_is_empty(value))
		return;
	jw_key(w, key);
	jw_value(w, value);
}

/*
 * A resourceFieldRef without a container's name means the container that it stands in: in the copy it must name the
 * one it was copied from (core/v1 ResourceFieldSelector).
 */
static void write_env_entry(struct json_writer *w, const struct json *entry, struct str model)
{
	const struct json *ref = json_path(entry, "valueFrom", "resourceFieldRef", NULL);
	if (json_kind(ref) != JSON_OBJECT || !json_is_empty(json_getz(ref, "containerName"))) {
		jw_value(w, entry);
		return;
	}
	jw_object(w);
	jw_key(w, "name");
	jw_value(w, json_getz(entry, "name"));
	jw_key(w, "valueFrom");
	jw_object(w);
	jw_key(w, "resourceFieldRef");
	jw_object(w);
	jw_member(w, "containerName", model);
	for (const struct json *m = json_first(ref); m != NULL; m = json_next(m)) {
		if (str_eqz(json_key(m), "containerName"))
			continue;
		jw_key_str(w, json_key(m));
		jw_value(w, m);
	}
	jw_object_end(w);
	jw_object_end(w);
	jw_object_end(w);
}

static void write_env(struct json_writer *w, const struct container_plan *model)
{
	if (model->env_result_count == 0)
		return;
	jw_key(w, "env");
	jw_array(w);
	for (size_t i = 0; i < model->env_result_count; i++) {
		const struct json *entry = model->env_result[i];
		if (json_getz(entry, "name") != NULL)
			write_env_entry(w, entry, model->name);
		else
			jw_value(w, entry);
	}
	jw_array_end(w);
}

/* The container as it should be. NULL when memory is out. */
static const struct json *wanted(struct scene *s, const struct json *model, const struct container_plan *result)
{
	const struct wishes *wishes = &s->wishes;
	struct buf text;
	buf_init_in(&text, LIMIT_PATCH, s->arena);
	struct json_writer w = {.out = &text};
	jw_object(&w);
	jw_member(&w, "name", s->config->migration_container);
	if (wishes->migrate_image.p != NULL)
		jw_member(&w, "image", wishes->migrate_image);
	else
		write_field(&w, "image", json_getz(model, "image"));
	write_field(&w, "imagePullPolicy", json_getz(model, "imagePullPolicy"));
	jw_key(&w, "command");
	jw_array(&w);
	for (size_t i = 0; i < wishes->command.count; i++)
		jw_string(&w, wishes->command.items[i]);
	jw_array_end(&w);
	write_field(&w, "workingDir", json_getz(model, "workingDir"));
	jw_list(&w, "envFrom", result->env_from_result, result->env_from_result_count);
	write_env(&w, result);
	write_field(&w, "resources", migration_resources(s, model));
	write_field(&w, "volumeMounts", json_getz(model, "volumeMounts"));
	write_field(&w, "securityContext", json_getz(model, "securityContext"));
	jw_object_end(&w);
	return plan_parse(s, &text);
}

/* Does the record hold a hash of the field? */
static bool is_hashed(const struct field *field)
{
	return field->rule == FIELD_VALUE || field->rule == FIELD_SIZE || field->rule == FIELD_LIST;
}

/* Its part of the record: name, model, image, command, and a hash of each field as it is wanted. */
static struct str record_of(struct scene *s, const struct json *want, struct str model)
{
	struct buf text;
	buf_init_in(&text, LIMIT_PATCH, s->arena);
	struct json_writer w = {.out = &text};
	jw_object(&w);
	write_field(&w, "command", json_getz(want, "command"));
	jw_member(&w, "from", model);
	write_field(&w, "image", json_getz(want, "image"));
	jw_member(&w, "name", s->config->migration_container);
	jw_key(&w, "wish");
	jw_object(&w);
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct json *v = json_getz(want, fields[i].name);
		if (!is_hashed(&fields[i]) || json_is_empty(v))
			continue;
		jw_key(&w, fields[i].name);
		buf_fmt(&text, "\"x%016llx\"", entry_hash(v));
		w.comma = true;
	}
	jw_object_end(&w);
	jw_object_end(&w);
	return plan_keep(s, &text);
}

/* ---- what is there ---- */

static struct str image_of(const struct json *container)
{
	return json_string(json_getz(container, "image"));
}

/* Is it the image of one of the workload's containers? A new one of the app's reaches the migration's, too. */
static bool is_image_of_workload(const struct scene *s, struct str image)
{
	for (const struct json *c = json_first(s->workload->containers); c != NULL; c = json_next(c))
		if (str_eq(image_of(c), image))
			return true;
	return false;
}

/* Has nobody changed what makes the container since the object was stored, record included? */
static bool is_as_stored(const struct scene *s, const struct json *container)
{
	if (s->old == NULL || !str_eq(s->record.text, s->old_record.text))
		return false;
	const struct json *old = container_find(s->old->init_containers, container_name(container), NULL);
	static const char *const parts[] = {"image", "command", "args"};
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
		if (old == NULL || !entry_same(json_getz(old, parts[i]), json_getz(container, parts[i])))
			return false;
	return true;
}

/*
 * Is the container that its owner declares connhook's all the same, while it is asked for? So it is where a copy of the
 * live object declares it, and after a rollback: the record has come back with the template, and nobody has applied
 * since.
 */
static bool is_rolled_back(const struct scene *s, const struct json *container)
{
	if (s->declared.is_copy)
		return true;
	if (s->old == NULL || s->applied_anew || !str_eq(s->declared.text, s->old_declared.text))
		return false;
	return !s->old_record.present || is_as_stored(s, container);
}

const struct json *migration_find(const struct scene *s, size_t *at)
{
	const struct record_migration *r = &s->record.migration;
	const struct json *c = r->name.p != NULL ? container_find(s->workload->init_containers, r->name, at) : NULL;
	bool wished = s->wishes.migrate;
	if (c == NULL || (declared_init(&s->declared, c) && !(wished && is_rolled_back(s, c))))
		return NULL;
	bool command = entry_same(json_getz(c, "command"), r->command);
	bool image = str_eq(image_of(c), r->image) || is_image_of_workload(s, image_of(c));
	/* To be brought up to date it need not be as it was; to be taken away it must. */
	bool mine = wished ? command || image : command && image && json_is_empty(json_getz(c, "args"));
	return mine || is_as_stored(s, c) ? c : NULL;
}

/* ---- bringing it there ---- */

static void note(struct scene *s, const char *what)
{
	struct str name = s->config->migration_container;
	violation_add(&s->out->missing, arena_fmt(s->arena, "%.*s." INIT, STR_ARG(s->pod_field)),
		      arena_fmt(s->arena, "missing:migration:%s", what), "init container \"%.*s\" %s", STR_ARG(name), what);
}

/* The key of an entry in a list of the container, as text: the value of the member, or the envFrom's identity. */
static struct str list_key(struct arena *arena, const struct field *field, const struct json *entry)
{
	if (field->key != NULL)
		return json_string(json_getz(entry, field->key));
	struct entry_key key;
	if (entry_key(ENTRY_ENV_FROM, entry, &key))
		return arena_fmt(arena, "s:%.*s:%.*s", STR_ARG(key.prefix), STR_ARG(key.name));
	return arena_fmt(arena, "c:%.*s:%.*s", STR_ARG(json_string(json_getz(entry, "prefix"))),
			 STR_ARG(json_string(json_path(entry, "configMapRef", "name", NULL))));
}

struct keyed {
	struct str key;
	const struct json *value;
};

static int by_key(const void *a, const void *b)
{
	const struct keyed *x = a, *y = b;
	return str_cmp(x->key, y->key);
}

/* The list's entries sorted by key. NULL when memory is out. */
static struct keyed *index_list(struct arena *arena, const struct field *field, const struct json *list, size_t *count)
{
	struct keyed *items = arena_array(arena, json_kind(list) == JSON_ARRAY ? json_count(list) : 0, sizeof *items);
	*count = 0;
	if (json_kind(list) != JSON_ARRAY || items == NULL)
		return items;
	for (const struct json *e = json_first(list); e != NULL; e = json_next(e))
		items[(*count)++] = (struct keyed){list_key(arena, field, e), e};
	if (*count > 1)
		qsort(items, *count, sizeof *items, by_key);
	return items;
}

static const struct json *find_keyed(const struct keyed *items, size_t count, struct str key)
{
	struct keyed wanted = {key, NULL};
	const struct keyed *found = count == 0 ? NULL : bsearch(&wanted, items, count, sizeof wanted, by_key);
	return found ? found->value : NULL;
}

/* Did connhook give the entry to the container that the migration is modelled on? */
static bool is_of_model(const struct record_group *model, const struct field *field, const struct json *entry)
{
	bool variable = field->key != NULL;
	struct entry_key key;
	if (model == NULL || !entry_key(variable ? ENTRY_ENV : ENTRY_ENV_FROM, entry, &key))
		return false;
	const struct record_entry *r = record_find(variable ? &model->env : &model->env_from, &key);
	return r != NULL && entry_same(r->value, entry);
}

/*
 * A list that is wanted, with what others made of it: their entries stay, and where connhook wants what it wanted
 * before (`as_before`), so do their changes to its own. What the model's list `was` held and holds no more goes here as
 * well, and what the record says of the model. *lacks: an entry does not stand there as it is wanted. NULL when memory
 * is out.
 */
static const struct json *merge(struct scene *s, const struct field *field, const struct json *have,
				const struct json *want, const struct json *was, bool as_before, bool *lacks)
{
	size_t have_count, want_count, was_count;
	struct keyed *h = index_list(s->arena, field, have, &have_count);
	struct keyed *w = index_list(s->arena, field, want, &want_count);
	struct keyed *model = index_list(s->arena, field, as_before ? NULL : was, &was_count);
	const struct record_group *given = as_before ? NULL : record_container(&s->record, s->record.migration.from);
	struct buf text;
	*lacks = false;
	if (h == NULL || w == NULL || model == NULL)
		return NULL;
	buf_init_in(&text, LIMIT_PATCH, s->arena);
	struct json_writer writer = {.out = &text};
	jw_array(&writer);
	for (const struct json *e = json_first(want); e != NULL; e = json_next(e)) {
		const struct json *theirs = find_keyed(h, have_count, list_key(s->arena, field, e));
		bool kept = theirs != NULL && (as_before || entry_same(theirs, e));
		*lacks = *lacks || !kept;
		jw_value(&writer, kept ? theirs : e);
	}
	for (const struct json *e = json_first(have); e != NULL; e = json_next(e)) {
		struct str key = list_key(s->arena, field, e);
		if (find_keyed(w, want_count, key) == NULL && find_keyed(model, was_count, key) == NULL &&
		    !is_of_model(given, field, e))
			jw_value(&writer, e);
	}
	jw_array_end(&writer);
	const struct json *merged = plan_parse(s, &text);
	return as_before && !*lacks ? have : merged;
}

/* What the field should become; `have` when it may stay as it is. *lacks: it does not do what is wanted. */
static const struct json *resolve(struct scene *s, const struct field *field, const struct json *have,
				  const struct json *want, const struct json *old_model, bool *lacks)
{
	*lacks = true;
	if (entry_same(have, want))
		return have;
	const struct json *before = json_getz(old_model, field->name);
	bool as_before = false;
	switch (field->rule) {
	case FIELD_EXACT:
		return want;
	case FIELD_MODEL:
		as_before = want == NULL || old_model == NULL || entry_same(before, want);
		break;
	case FIELD_IMAGE:
		as_before = str_eq(s->record.migration.image, json_string(want));
		break;
	case FIELD_SIZE:
		*lacks = false;
		as_before = record_wished(&s->record, field->name, want);
		break;
	case FIELD_VALUE:
		as_before = record_wished(&s->record, field->name, want);
		break;
	case FIELD_LIST:
		/* As connhook left it: nobody else has a part in it. */
		if (json_kind(have) != JSON_ARRAY || record_wished(&s->record, field->name, have))
			return want;
		return merge(s, field, have, want, before, record_wished(&s->record, field->name, want), lacks);
	}
	return as_before && !json_is_empty(have) ? have : want;
}

/* Brings the container that stands at `pointer` to what it should be, field by field. */
static void update(struct scene *s, struct str pointer, const struct json *have, const struct json *want)
{
	struct str model = s->record.migration.from;
	const struct json *old_model = s->old != NULL ? container_find(s->old->containers, model, NULL) : NULL;
	/* The configuration has got another name for it. */
	if (!str_eq(container_name(have), container_name(want)))
		patch_replace(s->patch, json_pointer_join(s->arena, pointer, STR("name")), json_getz(want, "name"));
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct json *h = json_getz(have, fields[i].name);
		bool lacks;
		const struct json *w = resolve(s, &fields[i], h, json_getz(want, fields[i].name), old_model, &lacks);
		if (entry_same(h, w))
			continue;
		struct str at = json_pointer_join(s->arena, pointer, str_of(fields[i].name));
		if (json_is_empty(w))
			patch_remove(s->patch, at);
		else if (h == NULL)
			patch_add(s->patch, at, w);
		else
			patch_replace(s->patch, at, w);
		if (lacks)
			note(s, "differs from what its service's container and annotations give");
	}
}

static bool is_sidecar(const struct json *container)
{
	return str_eqz(json_string(json_getz(container, "restartPolicy")), "Always");
}

/*
 * The place of the migration among the init containers of others: the last, or with migrate-position: first behind the
 * last native sidecar (an init container that keeps running), which may be its way to the database.
 */
static size_t place_of(struct scene *s, const struct json *mine)
{
	const struct json *last = NULL, *before = NULL;
	size_t index = 0, place = 0;
	for (const struct json *c = json_first(s->workload->init_containers); c != NULL; c = json_next(c)) {
		if (c == mine)
			continue;
		index++;
		if (is_sidecar(c)) {
			last = c;
			place = index;
		}
	}
	if (!s->wishes.migrate_first)
		return index;
	for (const struct json *c = json_first(s->workload->init_containers); c != last && c != NULL; c = json_next(c))
		before = before == NULL && c != mine && !is_sidecar(c) ? c : before;
	if (last != NULL && before != NULL)
		violation_add(&s->out->warnings, arena_fmt(s->arena, "%.*s." INIT, STR_ARG(s->pod_field)), STR("sidecar-first"),
			      "the migration runs behind init container %s, although it shall be the first: %s keeps running and "
			      "may be its way to the database; put that one first",
			      text_quote_name(container_name(before)).text, text_quote_name(container_name(last)).text);
	return place;
}

/* Adds the container, or moves it to its place and brings it up to date. `have` is NULL when it is not there. */
static void put(struct scene *s, const struct json *have, size_t at, const struct json *want)
{
	struct arena *arena = s->arena;
	struct str list = arena_fmt(arena, "%.*s/" INIT, STR_ARG(s->pod_pointer));
	size_t place = place_of(s, have);
	if (have == NULL) {
		const struct json *value = json_getz(s->workload->pod_spec, INIT);
		if (json_kind(value) != JSON_ARRAY)
			patch_add_array(s->patch, list, &want, 1);
		else
			patch_add(s->patch, json_pointer_index(arena, list, place), want);
		note(s, "is missing: the migrations would not run");
		return;
	}
	struct str pointer = json_pointer_index(arena, list, place);
	if (at != place)
		patch_move(s->patch, json_pointer_index(arena, list, at), pointer);
	update(s, pointer, have, want);
}

static void take_away(struct scene *s, size_t at)
{
	struct str list = arena_fmt(s->arena, "%.*s/" INIT, STR_ARG(s->pod_pointer));
	bool alone = json_next(json_first(s->workload->init_containers)) == NULL;
	patch_remove(s->patch, alone ? list : json_pointer_index(s->arena, list, at));
}

/* A merge has put both `value` and `valueFrom` into a variable that the owner declares with one: the other one goes. */
static void give_back_variable(struct scene *s, struct str pointer, const struct json *entry,
			       const struct json *declared)
{
	if (declared == NULL || json_is_empty(json_getz(entry, "value")) || json_is_empty(json_getz(entry, "valueFrom")))
		return;
	const char *mine = json_is_empty(json_getz(declared, "value")) ? "value" : "valueFrom";
	patch_remove(s->patch, json_pointer_join(s->arena, pointer, str_of(mine)));
}

/* The entries of the list that stood in connhook's container as well, and that are not among those declared. */
static void give_back_list(struct scene *s, const struct field *field, struct str pointer, const struct json *have,
			   const struct json *ours, struct str container)
{
	size_t our_count, declared_count, at = 0, gone = 0;
	const struct json *applied = declared_init_applied(&s->declared, container);
	struct keyed *o = index_list(s->arena, field, ours, &our_count);
	struct keyed *d = index_list(s->arena, field, json_getz(applied, field->name), &declared_count);
	for (const struct json *e = json_first(have); e != NULL && o != NULL && d != NULL; e = json_next(e), at++) {
		struct str key = list_key(s->arena, field, e), place = json_pointer_index(s->arena, pointer, at - gone);
		const struct json *mine = find_keyed(o, our_count, key), *theirs = find_keyed(d, declared_count, key);
		give_back_variable(s, place, e, theirs);
		if (declared_count == 0 || mine == NULL || !entry_same(mine, e) || theirs != NULL)
			continue;
		patch_remove(s->patch, place);
		gone++;
	}
}

/*
 * The owner has put a container of that name in the place of connhook's, and a merge has mixed the two. What of it is
 * connhook's, and not declared, goes: the container is then as it was declared. Without a declaration nothing is known
 * for certain: it stays, and is named.
 */
static void give_back(struct scene *s, const struct json *theirs, size_t at)
{
	struct str name = container_name(theirs);
	const struct json *mine = s->old ? container_find(s->old->init_containers, name, NULL) : NULL;
	struct str pointer = arena_fmt(s->arena, "%.*s/" INIT "/%zu", STR_ARG(s->pod_pointer), at);
	if (!declared_init(&s->declared, theirs)) {
		violation_add(&s->out->warnings, arena_fmt(s->arena, "%.*s." INIT, STR_ARG(s->pod_field)),
			      STR("migration:changed"),
			      "init container %s stays: connhook injected one of that name, but this one runs something else; "
			      "remove it by hand when it is not needed",
			      text_quote_name(name).text);
		return;
	}
	for (size_t i = 0; i < FIELD_COUNT && mine != NULL; i++) {
		const struct json *v = json_getz(theirs, fields[i].name), *ours = json_getz(mine, fields[i].name);
		struct str at_field = json_pointer_join(s->arena, pointer, str_of(fields[i].name));
		/* What another webhook made of the field is not connhook's to take away. */
		if (json_is_empty(v) || fields[i].rule == FIELD_MODEL ||
		    (is_hashed(&fields[i]) && fields[i].rule != FIELD_SIZE &&
		     !record_wished(&s->record, fields[i].name, ours)))
			continue;
		if (!declared_init_field(&s->declared, name, fields[i].name) && entry_same(v, ours))
			patch_remove(s->patch, at_field);
		else if (fields[i].rule == FIELD_LIST)
			give_back_list(s, &fields[i], at_field, v, ours, name);
	}
}

/* Was it so before: the migration asked for, and the name taken in the list? */
static bool was_taken(const struct scene *s, bool init)
{
	if (s->old == NULL || !s->before.migrate)
		return false;
	const struct json *list = init ? s->old->init_containers : s->old->containers;
	const struct json *other = container_find(list, s->config->migration_container, NULL);
	return other != NULL &&
	       (!init || s->old_record.migration.name.p == NULL || declared_init(&s->old_declared, other));
}

/*
 * Is the name taken by a container of the owner's, in `containers` or beside connhook's own (`mine`, or NULL)? That is
 * at fault. Where it was so before, nothing gets worse: it is a warning, and all else is injected.
 */
static bool name_is_taken(struct scene *s, const struct json *mine)
{
	struct str name = s->config->migration_container;
	size_t index = 0;
	const char *list = "containers";
	const struct json *other = container_find(s->workload->containers, name, &index);
	bool init = other == NULL;
	if (init) {
		list = INIT;
		other = container_find(s->workload->init_containers, name, &index);
	}
	if (other == NULL || other == mine)
		return false;
	violation_add(was_taken(s, init) ? &s->out->warnings : &s->out->problems,
		      arena_fmt(s->arena, "%.*s.%s[%zu].name", STR_ARG(s->pod_field), list, index),
		      arena_fmt(s->arena, "migration:taken:%s", list),
		      "found a container of the workload's own named \"%.*s\", the name of the migration that connhook "
		      "injects; rename it, or remove the annotation %.*s/migrate",
		      STR_ARG(name), STR_ARG(s->config->annotation_prefix));
	return true;
}

bool migration_plan(struct scene *s, const struct json *model, const struct container_plan *result, struct str *record)
{
	size_t at = 0, their_at = 0;
	const struct json *mine = migration_find(s, &at);
	struct str name = s->record.migration.name;
	const struct json *theirs =
		mine == NULL && name.p != NULL ? container_find(s->workload->init_containers, name, &their_at) : NULL;
	bool wished = s->wishes.migrate && model != NULL;
	*record = (struct str){NULL, 0};
	if (wished && name_is_taken(s, mine))
		wished = false;
	if (s->out->problems.count > 0)
		return true;
	if (theirs != NULL)
		give_back(s, theirs, their_at);
	if (wished) {
		const struct json *want = wanted(s, model, result);
		if (want == NULL)
			return false;
		put(s, mine, at, want);
		*record = record_of(s, want, result->name);
		return record->p != NULL;
	}
	if (mine != NULL)
		take_away(s, at);
	return true;
}
