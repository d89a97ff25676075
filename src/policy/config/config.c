#include "policy/config/config.h"

#include <stdlib.h>

void config_free(struct config *c)
{
	if (c == NULL)
		return;
	config_free(c->other);
	arena_free(&c->arena);
	free(c);
}

const struct binding *config_binding(const struct config *c, struct str name)
{
	for (size_t i = 0; i < c->binding_count; i++)
		if (str_eq(c->bindings[i].name, name))
			return &c->bindings[i];
	return NULL;
}

bool names_index(struct arena *arena, struct names *list)
{
	struct str *index = arena_array(arena, list->count, sizeof *index);
	if (index == NULL)
		return false;
	size_t literals = 0, globs = list->count;
	for (size_t i = 0; i < list->count; i++)
		index[str_is_glob(list->items[i]) ? --globs : literals++] = list->items[i];
	if (literals > 1)
		qsort(index, literals, sizeof *index, str_order);
	list->index = index;
	list->literals = literals;
	return true;
}

bool names_match(const struct names *list, struct str name)
{
	const struct str *items = list->items;
	size_t tried = 0;
	if (list->index != NULL) {
		items = list->index;
		tried = list->literals;
		if (tried > 0 && bsearch(&name, items, tried, sizeof name, str_order) != NULL)
			return true;
	}
	for (size_t i = tried; i < list->count; i++)
		if (str_glob(items[i], name))
			return true;
	return false;
}

bool names_match_any(const struct names *list, const struct json *array)
{
	for (const struct json *e = list->count > 0 ? json_first(array) : NULL; e != NULL; e = json_next(e))
		if (json_kind(e) == JSON_STRING && names_match(list, json_string(e)))
			return true;
	return false;
}
