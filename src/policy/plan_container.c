/* One container: its envFrom and env. */
#include "policy/planner.h"

#include "base/limits.h"
#include "base/text.h"
#include "codec/json_pointer.h"

#include <stdlib.h>

/* Records of a status that are looked at for what a merge mixed into an owner's entry. */
#define RESIDUE_RECORDS 1024

struct place {
	struct str pointer, field; /* of the container */
	struct str name;
};

static struct str env_name(const struct json *entry)
{
	struct str name = json_string(json_getz(entry, "name"));
	return name.p ? name : STR("");
}

/* Is that Secret, with that prefix, in the owner's part of envFrom? */
static bool owner_has_secret(const struct list *list, const struct plan_entry *e)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->entries[i].ours)
			continue;
		const struct json *v = list->entries[i].value;
		struct str secret = json_string(json_path(v, "secretRef", "name", NULL));
		struct str prefix = json_string(json_getz(v, "prefix"));
		if (secret.p != NULL && str_eq(secret, e->name) && str_eq(prefix, e->prefix))
			return true;
	}
	return false;
}

static bool owner_has_variable(const struct list *list, struct str name)
{
	for (size_t i = 0; i < list->count; i++)
		if (!list->entries[i].ours && str_eq(env_name(list->entries[i].value), name))
			return true;
	return false;
}

/*
 * A strategic merge patch merges an owner's new env entry into connhook's of the same name, which gives one with both
 * `value` and `valueFrom`: the API server would refuse it. The member that is connhook's; NULL when there is none.
 */
static const char *residue(const struct json *entry, const struct json *record)
{
	const struct json *value = json_getz(entry, "value"), *from = json_getz(entry, "valueFrom");
	const struct json *our_value = json_getz(record, "value"), *our_from = json_getz(record, "valueFrom");
	if (json_is_empty(from))
		return NULL;
	if (our_from != NULL && !json_is_empty(value) && json_equal(from, our_from))
		return "valueFrom";
	if (our_value != NULL && value != NULL && json_equal(value, our_value))
		return "value";
	const struct json *ref = json_getz(from, "secretKeyRef");
	if (our_from != NULL && ref != NULL && json_next(json_first(from)) != NULL &&
	    json_equal(ref, json_getz(our_from, "secretKeyRef")))
		return "valueFrom/secretKeyRef";
	return NULL;
}

static void release(void *tree)
{
	json_free(tree);
}

/* `entry` without the member at the relative pointer; NULL when memory is out. */
static const struct json *without(struct arena *arena, const struct json *entry, struct str member)
{
	struct json *copy = json_copy(entry), *parent = copy;
	if (copy == NULL || !arena_adopt(arena, release, copy)) {
		arena->failed = true;
		return NULL;
	}
	struct str key;
	while (str_split(&member, '/', &key) && member.p != NULL)
		parent = json_get_mutable(parent, key);
	json_free(json_detach(parent, json_get_mutable(parent, key)));
	return copy;
}

static bool clean_residue(struct planner *p, struct list *list, const struct json *recorded)
{
	size_t records = 0;
	for (const struct json *r = json_first(recorded); r != NULL && records++ < RESIDUE_RECORDS; r = json_next(r)) {
		for (size_t i = 0; i < list->count && list->ours < list->count; i++) {
			struct list_entry *e = &list->entries[i];
			if (e->ours || !str_eq(env_name(e->value), env_name(r)))
				continue;
			const char *member = residue(e->value, r);
			if (member == NULL)
				continue;
			struct str entry = json_pointer_index(p->arena, list->pointer, i);
			patch_remove(p->patch, arena_fmt(p->arena, "%.*s/%s", STR_ARG(entry), member));
			e->value = without(p->arena, e->value, str_of(member));
			if (e->value == NULL)
				return false;
		}
	}
	return true;
}

/* The entries that this container gets: all but those that its owner has. */
static const struct json **desired_env_from(struct planner *p, const struct list *list, size_t *count)
{
	const struct json **desired = arena_array(p->arena, p->env_from_count, sizeof(const struct json *));
	*count = 0;
	for (size_t i = 0; i < p->env_from_count && desired != NULL; i++)
		if (!owner_has_secret(list, &p->env_from[i]))
			desired[(*count)++] = p->env_from[i].value;
	return desired;
}

static const struct json **desired_env(struct planner *p, const struct list *list, const struct place *at,
				       size_t *count)
{
	const struct json **desired = arena_array(p->arena, p->env_count, sizeof(const struct json *));
	*count = 0;
	for (size_t i = 0; i < p->env_count && desired != NULL; i++) {
		const struct plan_entry *e = &p->env[i];
		if (!owner_has_variable(list, e->name))
			desired[(*count)++] = e->value;
		else
			violation_add(&p->out->warnings, at->field, STR("kept"),
				      "container %s sets %.*s itself, which is kept; binding %.*s does not replace it",
				      text_quote(at->name).text, STR_ARG(e->name), STR_ARG(e->bound->label));
	}
	return desired;
}

/* Marks what is injected, and notes what of it does not stand there yet. */
static void note_desired(struct planner *p, const struct list *list, const struct plan_entry *entries,
			 size_t entry_count, const struct json *const *desired, size_t count, const struct place *at,
			 const char *key)
{
	size_t e = 0;
	for (size_t i = 0; i < count; i++) {
		while (e < entry_count && entries[e].value != desired[i])
			e++;
		p->injected[entries[e].bound - p->wishes.bindings.items] = true;
		if (list_holds(list, desired[i]))
			continue;
		violation_add(&p->out->missing, arena_fmt(p->arena, "%.*s.%s", STR_ARG(at->field), key),
			      arena_fmt(p->arena, "missing:%.*s:%s:%.*s", STR_ARG(at->name), key, STR_ARG(entries[e].name)),
			      "container %s lacks %s %.*s of binding %.*s", text_quote(at->name).text,
			      str_eqz(STR("env"), key) ? "variable" : "Secret", STR_ARG(entries[e].name),
			      STR_ARG(entries[e].bound->label));
	}
}

/* The container's part of the status, as members of an object. */
static struct str record_text(struct planner *p, const struct list *env_from, const struct json *const *from,
			      size_t from_count, const struct list *env, const struct json *const *own,
			      size_t own_count)
{
	if (from_count == 0 && own_count == 0)
		return STR("");
	struct buf text;
	buf_init(&text, LIMIT_PATCH);
	struct json_writer w = {.out = &text};
	jw_list(&w, "envFrom", from, from_count);
	jw_list(&w, "env", own, own_count);
	const struct json *from_was = list_was(env_from, from_count), *env_was = list_was(env, own_count);
	if (from_was != NULL || env_was != NULL) {
		jw_key(&w, "was");
		jw_object(&w);
		if (from_was != NULL) {
			jw_key(&w, "envFrom");
			jw_value(&w, from_was);
		}
		if (env_was != NULL) {
			jw_key(&w, "env");
			jw_value(&w, env_was);
		}
		jw_object_end(&w);
	}
	return plan_keep(p, &text);
}

bool plan_container(struct planner *p, const struct json *container, size_t index, bool selected,
		    struct plan_container *out)
{
	struct arena *arena = p->arena;
	struct str name = container_name(container);
	const struct json *record = status_record(&p->status, name);
	*out = (struct plan_container){.name = name, .record = STR("")};
	if (record == NULL && !selected && container != p->model)
		return true;
	struct place at = {
		arena_fmt(arena, "%.*s/containers/%zu", STR_ARG(p->pod_pointer), index),
		arena_fmt(arena, "%.*s.containers[%zu]", STR_ARG(p->pod_field), index),
		name,
	};
	struct list env_from, env;
	const struct json *was = json_getz(record, "was");
	const struct json *our_from = plan_trusts(p, container, p->old_container, "envFrom") ? record : NULL;
	const struct json *our_env = plan_trusts(p, container, p->old_container, "env") ? record : NULL;
	if (!list_open(arena, json_pointer_join(arena, at.pointer, STR("envFrom")), json_getz(container, "envFrom"),
		       json_getz(our_from, "envFrom"), status_was(was, "envFrom"), &env_from) ||
	    !list_open(arena, json_pointer_join(arena, at.pointer, STR("env")), json_getz(container, "env"),
		       json_getz(our_env, "env"), status_was(was, "env"), &env) ||
	    !clean_residue(p, &env, json_getz(our_env, "env")))
		return false;
	size_t from_count = 0, own_count = 0;
	const struct json **from = selected ? desired_env_from(p, &env_from, &from_count) : NULL;
	const struct json **own = selected ? desired_env(p, &env, &at, &own_count) : NULL;
	if (selected) {
		note_desired(p, &env_from, p->env_from, p->env_from_count, from, from_count, &at, "envFrom");
		note_desired(p, &env, p->env, p->env_count, own, own_count, &at, "env");
		plan_collisions(p, &env_from, &env, at.field, at.name);
	}
	out->record = record_text(p, &env_from, from, from_count, &env, own, own_count);
	out->env_from = list_result(arena, &env_from, from, from_count, &out->env_from_count);
	out->env = list_result(arena, &env, own, own_count, &out->env_count);
	return list_reconcile(arena, &env_from, from, from_count, p->patch) &&
	       list_reconcile(arena, &env, own, own_count, p->patch) && !arena->failed;
}
