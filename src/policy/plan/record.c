#include "policy/plan/record.h"

#include "base/limits.h"
#include "codec/json_writer.h"
#include "kube/name.h"

#include <stdio.h>
#include <stdlib.h>

/* Hash of a wish as text: 16 hexadecimal digits behind an x. */
#define HASH_TEXT 18

static int by_key(const void *a, const void *b)
{
	const struct record_entry *x = a, *y = b;
	return entry_key_cmp(&x->key, &y->key);
}

static int by_name(const void *a, const void *b)
{
	const struct record_container *x = a, *y = b;
	return str_cmp(x->name, y->name);
}

static const struct json *array_at(const struct json *parent, const char *key)
{
	const struct json *v = json_getz(parent, key);
	return json_kind(v) == JSON_ARRAY ? v : NULL;
}

/* ---- what is believed ---- */

/* Names of the variables that the configuration's bindings give, sorted. */
static struct names binding_variables(struct arena *arena, const struct config *config)
{
	size_t count = 0;
	for (size_t i = 0; i < config->binding_count; i++)
		count += config->bindings[i].env_count;
	struct str *items = arena_array(arena, count, sizeof *items);
	count = 0;
	for (size_t i = 0; i < config->binding_count && items != NULL; i++)
		for (size_t k = 0; k < config->bindings[i].env_count; k++)
			items[count++] = config->bindings[i].env[k].name;
	if (count > 1)
		qsort(items, count, sizeof *items, str_order);
	return (struct names){.items = items, .count = count};
}

static bool is_pull_secret(const struct config *config, struct str name)
{
	for (size_t i = 0; i < config->pull_secret_count; i++)
		if (str_eq(config->pull_secrets[i].name, name))
			return true;
	return false;
}

struct reader {
	struct arena *arena;
	const struct config *config;
	struct names variables;
	bool is_written; /* by connhook itself: all of it is believed */
	struct record *out;
};

/* An envFrom with `optional: true` is also written by others: it is connhook's only where a binding is optional. */
static bool could_give(const struct reader *r, const struct json *entry)
{
	if (r->is_written || !json_is_true(json_path(entry, "secretRef", "optional", NULL)))
		return true;
	for (size_t i = 0; i < r->config->binding_count; i++)
		if (r->config->bindings[i].optional)
			return true;
	return false;
}

static bool believes(struct reader *r, enum entry_kind kind, const struct json *entry, struct entry_key *key)
{
	bool named = entry_key(kind, entry, key);
	bool good = named && entry_has_form(kind, entry);
	if (good && kind == ENTRY_ENV && !r->is_written)
		good = r->variables.count > 0 && bsearch(&key->name, r->variables.items, r->variables.count,
							 sizeof *r->variables.items, str_order) != NULL;
	if (good && kind == ENTRY_ENV_FROM)
		good = name_is_subdomain(key->name) && could_give(r, entry);
	if (!good && named && r->out->disbelieved.p == NULL)
		r->out->disbelieved = key->name;
	return good;
}

/* Sorts, and keeps the first of each key. */
static void finish(struct record_list *list)
{
	size_t kept = 0;
	if (list->items == NULL)
		return;
	if (list->count > 1)
		qsort(list->items, list->count, sizeof *list->items, by_key);
	for (size_t i = 0; i < list->count; i++)
		if (kept == 0 || entry_key_cmp(&list->items[kept - 1].key, &list->items[i].key) != 0)
			list->items[kept++] = list->items[i];
	list->count = kept;
}

static void read_list(struct reader *r, enum entry_kind kind, const struct json *array, struct record_list *out)
{
	*out = (struct record_list){arena_array(r->arena, json_count(array), sizeof *out->items), 0};
	for (const struct json *e = json_first(array); e != NULL && out->items != NULL; e = json_next(e)) {
		struct record_entry *entry = &out->items[out->count];
		*entry = (struct record_entry){.value = e};
		out->count += believes(r, kind, e, &entry->key);
	}
	finish(out);
}

static void read_pull_secrets(struct reader *r, const struct json *array)
{
	struct record_list *list = &r->out->pull_secrets;
	list->items = arena_array(r->arena, json_count(array), sizeof *list->items);
	for (const struct json *e = json_first(array); e != NULL && list->items != NULL; e = json_next(e)) {
		struct str name = json_string(e);
		if (name.n > 0 && (r->is_written || is_pull_secret(r->config, name)))
			list->items[list->count++] = (struct record_entry){.key = {name, STR("")}, .value = e};
		else if (name.n > 0 && r->out->disbelieved.p == NULL)
			r->out->disbelieved = name;
	}
	finish(list);
}

static void read_migration(struct reader *r, const struct json *v)
{
	struct str name = json_string(json_getz(v, "name"));
	bool believed = r->is_written || str_eq(name, r->config->migration_container);
	if (name.n > 0 && !believed && r->out->disbelieved.p == NULL)
		r->out->disbelieved = name;
	if (name.n == 0 || !believed)
		return;
	const struct json *wish = json_getz(v, "wish");
	r->out->migration = (struct record_migration){
		.name = name,
		.image = json_string(json_getz(v, "image")),
		.from = json_string(json_getz(v, "from")),
		.command = array_at(v, "command"),
		.wish = json_kind(wish) == JSON_OBJECT ? wish : NULL,
		.value = v,
	};
}

static size_t count_names(const struct json *groups)
{
	size_t count = 0;
	for (const struct json *g = json_first(groups); g != NULL; g = json_next(g))
		count += json_count(array_at(g, "names"));
	return count;
}

static void read_containers(struct reader *r, const struct json *groups)
{
	struct record *out = r->out;
	struct record_group *group = arena_array(r->arena, json_count(groups), sizeof *group);
	out->containers = arena_array(r->arena, count_names(groups), sizeof *out->containers);
	if (group == NULL || out->containers == NULL)
		return;
	size_t count = 0, kept = 0;
	for (const struct json *g = json_first(groups); g != NULL; g = json_next(g), group++) {
		read_list(r, ENTRY_ENV_FROM, array_at(g, "envFrom"), &group->env_from);
		read_list(r, ENTRY_ENV, array_at(g, "env"), &group->env);
		for (const struct json *n = json_first(array_at(g, "names")); n != NULL; n = json_next(n))
			if (json_kind(n) == JSON_STRING)
				out->containers[count++] = (struct record_container){json_string(n), group};
	}
	if (count > 1)
		qsort(out->containers, count, sizeof *out->containers, by_name);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !str_eq(out->containers[kept - 1].name, out->containers[i].name))
			out->containers[kept++] = out->containers[i];
	out->container_count = kept;
}

bool record_read(struct arena *arena, const struct config *config, const struct json *template_metadata,
		 const struct record *written, struct record *out)
{
	*out = (struct record){0};
	struct str key = arena_fmt(arena, "%.*s/" RECORD_NAME, STR_ARG(config->annotation_prefix));
	struct str text = json_string(json_get(json_getz(template_metadata, "annotations"), key));
	const struct json *root;
	if (text.p == NULL)
		return true;
	int rc = json_parse_in(arena, text, &root, NULL);
	if (rc == ERR_NOMEM)
		arena->failed = true;
	if (rc != 0 || json_kind(root) != JSON_OBJECT)
		return false;
	bool is_written = written != NULL && str_eq(written->text, text);
	struct reader r = {arena, config, binding_variables(arena, config), is_written, out};
	out->present = true;
	out->text = text;
	out->app = json_string(json_getz(root, "app"));
	out->reloader = json_string(json_getz(root, "reloader"));
	read_containers(&r, array_at(root, "containers"));
	read_pull_secrets(&r, array_at(root, "imagePullSecrets"));
	read_migration(&r, json_getz(root, "migration"));
	return true;
}

struct record_group *record_container(const struct record *record, struct str name)
{
	struct record_container key = {name, NULL};
	const struct record_container *found =
		record->container_count == 0
			? NULL
			: bsearch(&key, record->containers, record->container_count, sizeof key, by_name);
	return found ? found->group : NULL;
}

struct record_entry *record_find(const struct record_list *list, const struct entry_key *key)
{
	struct record_entry wanted = {.key = *key};
	return list->count == 0 ? NULL : bsearch(&wanted, list->items, list->count, sizeof wanted, by_key);
}

bool record_wished(const struct record *record, const char *field, const struct json *value)
{
	struct str wish = json_string(json_getz(record->migration.wish, field));
	char text[HASH_TEXT];
	if (json_is_empty(value))
		return wish.p == NULL;
	(void)snprintf(text, sizeof text, "x%016llx", entry_hash(value));
	return str_eqz(wish, text);
}

/* ---- writing ---- */

static struct str keep(struct arena *arena, struct buf *text, int *error)
{
	struct str result = {NULL, 0};
	if (text->error != 0)
		*error = text->error;
	else
		result = arena_str(arena, buf_str(text));
	if (result.p == NULL && *error == 0)
		*error = ERR_NOMEM;
	buf_free(text);
	return result;
}

struct str record_members(struct arena *arena, const struct json *const *env, size_t env_count,
			  const struct json *const *env_from, size_t env_from_count, int *error)
{
	if (env_count == 0 && env_from_count == 0)
		return STR("");
	struct buf text;
	buf_init_in(&text, LIMIT_PATCH, arena);
	struct json_writer w = {.out = &text};
	jw_list(&w, "env", env, env_count);
	jw_list(&w, "envFrom", env_from, env_from_count);
	return keep(arena, &text, error);
}

static int by_members(const void *a, const void *b)
{
	const struct record_part *x = a, *y = b;
	int order = str_cmp(x->members, y->members);
	return order != 0 ? order : str_cmp(x->name, y->name);
}

/* Containers that got the same share one element; the order of the containers does not matter. */
static void write_containers(struct json_writer *w, struct record_part *parts, size_t count)
{
	if (count == 0)
		return;
	if (count > 1)
		qsort(parts, count, sizeof *parts, by_members);
	jw_key(w, "containers");
	jw_array(w);
	for (size_t i = 0; i < count;) {
		size_t first = i;
		jw_object(w);
		jw_raw(w, parts[first].members);
		jw_key(w, "names");
		jw_array(w);
		for (; i < count && str_eq(parts[first].members, parts[i].members); i++)
			jw_string(w, parts[i].name);
		jw_array_end(w);
		jw_object_end(w);
	}
	jw_array_end(w);
}

struct str record_write(struct arena *arena, struct record_new *r, int *error)
{
	struct str none = {NULL, 0};
	if (r->part_count == 0 && r->pull_secret_count == 0 && r->migration.p == NULL)
		return none;
	struct buf text;
	buf_init_in(&text, LIMIT_PATCH, arena);
	struct json_writer w = {.out = &text};
	jw_object(&w);
	jw_member(&w, "app", r->app);
	write_containers(&w, r->parts, r->part_count);
	if (r->pull_secret_count > 0) {
		jw_key(&w, "imagePullSecrets");
		jw_array(&w);
		for (size_t i = 0; i < r->pull_secret_count; i++)
			jw_string(&w, r->pull_secrets[i]);
		jw_array_end(&w);
	}
	if (r->migration.p != NULL) {
		jw_key(&w, "migration");
		jw_raw(&w, r->migration);
	}
	if (r->reloader.p != NULL)
		jw_member(&w, "reloader", r->reloader);
	jw_object_end(&w);
	return keep(arena, &text, error);
}
