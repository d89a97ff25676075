#include "policy/status.h"

#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
	const struct status_container *x = a, *y = b;
	return str_cmp(x->name, y->name);
}

/* The array at `key`, or NULL. */
static const struct json *array_at(const struct json *parent, const char *key)
{
	const struct json *v = json_getz(parent, key);
	return json_kind(v) == JSON_ARRAY ? v : NULL;
}

static size_t count_containers(const struct json *injected)
{
	size_t count = 0;
	for (const struct json *r = json_first(injected); r != NULL; r = json_next(r))
		count += json_count(array_at(r, "containers"));
	return count;
}

bool status_read(struct arena *arena, struct str text, struct status *out)
{
	const struct json *root;
	*out = (struct status){0};
	if (text.p == NULL)
		return true;
	int rc = json_parse_in(arena, text, &root, NULL);
	if (rc == ERR_NOMEM)
		arena->failed = true;
	if (rc != 0 || !str_eqz(json_number(json_getz(root, "v")), "1"))
		return false;
	const struct json *injected = array_at(root, "injected");
	struct status_container *items = arena_array(arena, count_containers(injected), sizeof *items);
	size_t count = 0;
	for (const struct json *r = json_first(injected); r != NULL && items != NULL; r = json_next(r))
		for (const struct json *n = json_first(array_at(r, "containers")); n != NULL; n = json_next(n))
			if (json_kind(n) == JSON_STRING)
				items[count++] = (struct status_container){json_string(n), r};
	if (count > 1)
		qsort(items, count, sizeof *items, by_name);
	*out = (struct status){
		.present = true,
		.fingerprint = json_string(json_getz(root, "config")),
		.containers = items,
		.container_count = count,
		.pull_secrets = array_at(root, "imagePullSecrets"),
		.migration = json_string(json_getz(root, "migration")),
		.reloader = json_string(json_getz(root, "reloader")),
		.was = json_getz(root, "was"),
	};
	return true;
}

bool status_claims(const struct status *s)
{
	return s->container_count > 0 || json_count(s->pull_secrets) > 0 || s->migration.p != NULL || s->reloader.p != NULL;
}

const struct json *status_record(const struct status *status, struct str container)
{
	struct status_container key = {container, NULL};
	const struct status_container *found =
		status->container_count == 0
			? NULL
			: bsearch(&key, status->containers, status->container_count, sizeof key, by_name);
	return found ? found->record : NULL;
}

const struct json *status_was(const struct json *was, const char *key)
{
	const struct json *v = json_getz(was, key);
	bool good = json_kind(v) == JSON_NULL || (json_kind(v) == JSON_ARRAY && json_is_empty(v));
	return good ? v : NULL;
}
