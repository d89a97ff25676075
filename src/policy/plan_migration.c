/* The init container that runs the migrations. */
#include "policy/planner.h"

#include "base/limits.h"
#include "codec/json_pointer.h"
#include "kube/quantity.h"

#define INIT "initContainers"

/* The fields that connhook sets, each on every pass; others are the API server's defaults or somebody else's. */
static const char *const fields[] = {"image",   "imagePullPolicy", "command",   "args",         "workingDir",
				     "envFrom", "env",             "resources", "volumeMounts", "securityContext"};
#define FIELD_COUNT (sizeof fields / sizeof fields[0])

static void write_field(struct json_writer *w, const char *key, const struct json *value)
{
	if (json_is_empty(value))
		return;
	jw_key(w, key);
	jw_value(w, value);
}

/* The container as it should be. NULL when memory is out. */
static const struct json *wanted(struct planner *p)
{
	const struct json *model = p->model;
	const struct wishes *wishes = &p->wishes;
	struct buf text;
	buf_init(&text, LIMIT_PATCH);
	struct json_writer w = {.out = &text};
	jw_object(&w);
	jw_member(&w, "name", p->config->migration_container);
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
	jw_list(&w, "envFrom", p->model_result.env_from, p->model_result.env_from_count);
	jw_list(&w, "env", p->model_result.env, p->model_result.env_count);
	write_field(&w, "resources", p->config->migration_resources);
	write_field(&w, "volumeMounts", json_getz(model, "volumeMounts"));
	write_field(&w, "securityContext", json_getz(model, "securityContext"));
	jw_object_end(&w);
	return plan_parse(p, &text);
}

static bool amount_equal(const struct json *a, const struct json *b)
{
	return json_equal(a, b) || quantity_equal(json_string(a), json_string(b));
}

/*
 * Same amounts, however the API server has written them? A request that is not wanted may stand there when it is the
 * limit, which is its default.
 */
static bool amounts_equal(const struct json *have, const struct json *want, const struct json *limits)
{
	for (const struct json *m = json_first(want); m != NULL; m = json_next(m))
		if (!amount_equal(json_get(have, json_key(m)), m))
			return false;
	for (const struct json *m = json_first(have); m != NULL; m = json_next(m))
		if (json_get(want, json_key(m)) == NULL && !amount_equal(m, json_get(limits, json_key(m))))
			return false;
	return true;
}

static bool field_equal(const char *field, const struct json *have, const struct json *want)
{
	if (json_is_empty(have) && json_is_empty(want))
		return true;
	if (str_eqz(STR("resources"), field))
		return amounts_equal(json_getz(have, "requests"), json_getz(want, "requests"), json_getz(want, "limits")) &&
		       amounts_equal(json_getz(have, "limits"), json_getz(want, "limits"), NULL);
	/* Without a policy in the model there is no opinion: what stands there is the API server's default. */
	if (str_eqz(STR("imagePullPolicy"), field) && want == NULL)
		return true;
	return json_equal(have, want);
}

static void note(struct planner *p, const char *what)
{
	struct str name = p->config->migration_container;
	violation_add(&p->out->missing, arena_fmt(p->arena, "%.*s." INIT, STR_ARG(p->pod_field)),
		      arena_fmt(p->arena, "missing:migration:%s", what), "init container \"%.*s\" %s", STR_ARG(name), what);
}

/* Brings the container that stands at `pointer` to what it should be, field by field. */
static void update(struct planner *p, struct str pointer, const struct json *have, const struct json *want)
{
	for (size_t i = 0; i < FIELD_COUNT; i++) {
		const struct json *h = json_getz(have, fields[i]), *w = json_getz(want, fields[i]);
		if (field_equal(fields[i], h, w))
			continue;
		struct str at = json_pointer_join(p->arena, pointer, str_of(fields[i]));
		if (json_is_empty(w))
			patch_remove(p->patch, at);
		else if (h == NULL)
			patch_add(p->patch, at, w);
		else
			patch_replace(p->patch, at, w);
		note(p, "differs from what its service's container and annotations give");
	}
}

/* Adds the container, or moves it to its place and brings it up to date. `have` is NULL when it is not there. */
static void place(struct planner *p, const struct json *have, size_t at, size_t count, const struct json *want)
{
	struct arena *arena = p->arena;
	struct str list = arena_fmt(arena, "%.*s/" INIT, STR_ARG(p->pod_pointer));
	bool first = p->wishes.migrate_first;
	if (have == NULL) {
		const struct json *value = json_getz(p->workload->pod_spec, INIT);
		if (json_kind(value) != JSON_ARRAY)
			patch_add_array(p->patch, list, &want, 1);
		else
			patch_add(p->patch, arena_fmt(arena, "%.*s/%s", STR_ARG(list), first && count > 0 ? "0" : "-"), want);
		note(p, "is missing: the migrations would not run");
		return;
	}
	size_t target = first ? 0 : count - 1;
	struct str pointer = json_pointer_index(arena, list, target);
	if (at != target)
		patch_move(p->patch, json_pointer_index(arena, list, at), pointer);
	update(p, pointer, have, want);
}

/* Takes the container away, and the list when it was not there before. */
static void take_away(struct planner *p, size_t at, size_t count)
{
	struct str list = arena_fmt(p->arena, "%.*s/" INIT, STR_ARG(p->pod_pointer));
	const struct json *was = status_was(p->status.was, INIT);
	if (count > 1)
		patch_remove(p->patch, json_pointer_index(p->arena, list, at));
	else if (json_kind(was) == JSON_ARRAY)
		patch_remove(p->patch, json_pointer_index(p->arena, list, at));
	else if (was != NULL)
		patch_replace(p->patch, list, was);
	else
		patch_remove(p->patch, list);
}

/*
 * Is the name taken by a container of the owner, in `containers` or, unless connhook's own has it, beside it? A
 * problem.
 */
static bool name_is_taken(struct planner *p, bool mine_has_it)
{
	struct str name = p->config->migration_container;
	size_t index = 0;
	const char *list = "containers";
	const struct json *other = container_find(p->workload->containers, name, &index);
	if (other == NULL && !mine_has_it) {
		list = INIT;
		other = container_find(p->workload->init_containers, name, &index);
	}
	if (other == NULL)
		return false;
	violation_add(&p->out->problems, arena_fmt(p->arena, "%.*s.%s[%zu].name", STR_ARG(p->pod_field), list, index),
		      arena_fmt(p->arena, "migration:taken:%s", list),
		      "found a container of the workload's own named \"%.*s\", the name of the migration that connhook "
		      "injects; rename it, or remove the annotation %.*s/migrate",
		      STR_ARG(name), STR_ARG(p->config->annotation_prefix));
	return true;
}

/*
 * The container that was injected before, and its index. When only the old object's status tells of it, it must be
 * the old object's container, unchanged: another one of that name is the owner's.
 */
static const struct json *find_mine(const struct planner *p, size_t *at)
{
	struct str name = p->status.migration;
	const struct json *mine = name.p != NULL ? container_find(p->workload->init_containers, name, at) : NULL;
	if (p->old == NULL || json_equal(mine, container_find(p->old->init_containers, name, NULL)))
		return mine;
	return NULL;
}

bool plan_migration(struct planner *p, struct str *record, const struct json **was)
{
	const struct json *list = p->workload->init_containers;
	const struct json *value = json_getz(p->workload->pod_spec, INIT);
	size_t count = json_count(list), at = 0;
	const struct json *mine = p->migration = find_mine(p, &at);
	bool same_name = mine != NULL && str_eq(p->status.migration, p->config->migration_container);
	*record = (struct str){NULL, 0};
	*was = NULL;
	bool wished = p->wishes.migrate && p->model != NULL;
	if (wished && name_is_taken(p, same_name))
		return true;
	/* The configuration has renamed the container: the old one goes, a new one comes. */
	bool renamed = wished && mine != NULL && !same_name;
	if (mine != NULL && (!wished || renamed)) {
		if (renamed && count == 1)
			patch_remove(p->patch, arena_fmt(p->arena, "%.*s/" INIT "/0", STR_ARG(p->pod_pointer)));
		else
			take_away(p, at, count);
		count--;
		if (!renamed)
			return true;
	}
	if (!wished)
		return true;
	const struct json *want = wanted(p);
	if (want == NULL)
		return false;
	place(p, renamed ? NULL : mine, at, count, want);
	*record = p->config->migration_container;
	if (count == 0 || (mine != NULL && count == 1 && !renamed))
		*was = mine != NULL ? status_was(p->status.was, INIT) : value;
	return true;
}
