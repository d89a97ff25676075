#include "policy/plan/want.h"

#include "base/limits.h"
#include "codec/json_writer.h"

#include <stdint.h>
#include <stdlib.h>

static struct json_writer start(struct buf *text)
{
	buf_init(text, LIMIT_ANNOTATION);
	struct json_writer w = {.out = text};
	jw_object(&w);
	return w;
}

/* The tree of a buffer, which is freed. NULL, and the arena has failed, when memory is out. */
static const struct json *parse(struct arena *arena, struct buf *text)
{
	const struct json *value = NULL;
	if (text->error != 0 || json_parse_in(arena, buf_str(text), &value, NULL) != 0)
		arena->failed = true;
	buf_free(text);
	return value;
}

/* `optional` is said outright, also when it is false: nobody writes that by hand, so the entry shows whose it is. */
static const struct json *env_from_value(struct arena *arena, const struct bound *b)
{
	struct buf text;
	struct json_writer w = start(&text);
	if (b->prefix.n > 0)
		jw_member(&w, "prefix", b->prefix);
	jw_key(&w, "secretRef");
	jw_object(&w);
	jw_member(&w, "name", b->secret);
	jw_key(&w, "optional");
	jw_bool(&w, b->binding->optional);
	jw_object_end(&w);
	jw_object_end(&w);
	return parse(arena, &text);
}

static const struct json *env_value(struct arena *arena, const struct bound *b, const struct bound_env *e)
{
	struct buf text;
	struct json_writer w = start(&text);
	jw_member(&w, "name", e->name);
	if (e->key.p == NULL) {
		jw_member(&w, "value", e->value);
	} else {
		jw_key(&w, "valueFrom");
		jw_object(&w);
		jw_key(&w, "secretKeyRef");
		jw_object(&w);
		jw_member(&w, "name", b->secret);
		jw_member(&w, "key", e->key);
		if (b->binding->optional) {
			jw_key(&w, "optional");
			jw_bool(&w, true);
		}
		jw_object_end(&w);
		jw_object_end(&w);
	}
	jw_object_end(&w);
	return parse(arena, &text);
}

static int by_variable(const void *a, const void *b)
{
	const struct want_variable *x = a, *y = b;
	int order = str_cmp(x->name, y->name);
	return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

static bool is_known(const struct want_entry *entries, size_t count, const struct entry_key *key)
{
	for (size_t i = 0; i < count; i++)
		if (entry_key_cmp(&entries[i].key, key) == 0)
			return true;
	return false;
}

static void add_env_from(struct arena *arena, struct want *w, const struct bound *b)
{
	struct entry_key key = {b->secret, b->prefix};
	if (is_known(w->env_from, w->env_from_count, &key))
		return;
	struct str source = arena_fmt(arena, "Secret \"%.*s\" (binding %.*s)", STR_ARG(b->secret), STR_ARG(b->label));
	const struct json *value = env_from_value(arena, b);
	w->env_from[w->env_from_count++] =
		(struct want_entry){.bound = b, .value = value, .key = key, .hash = entry_hash(value)};
	for (size_t k = 0; k < b->binding->keys.count; k++) {
		struct str name = b->binding->keys.items[k];
		if (b->prefix.n > 0)
			name = arena_fmt(arena, "%.*s%.*s", STR_ARG(b->prefix), STR_ARG(name));
		w->variables[w->variable_count++] = (struct want_variable){
			.name = name, .source = source, .order = w->env_from_count, .secret = b->secret, .prefix = b->prefix,
			.key = b->binding->keys.items[k]};
	}
}

static void add_env(struct arena *arena, struct want *w, const struct bound *b, const struct bound_env *e)
{
	struct str source = arena_fmt(arena, "binding %.*s (env)", STR_ARG(b->label));
	struct entry_key key = {e->name, STR("")};
	bool known = is_known(w->env, w->env_count, &key);
	size_t place = w->variable_count++;
	/* Of two env entries the first is injected and the second is not: the first wins. */
	w->variables[place] =
		(struct want_variable){.name = e->name, .source = source, .order = SIZE_MAX - place, .is_env = true};
	if (known)
		return;
	const struct json *value = env_value(arena, b, e);
	w->env[w->env_count++] = (struct want_entry){.bound = b, .value = value, .key = key, .hash = entry_hash(value)};
}

/* ---- references ---- */

static struct str literal(const struct want_entry *e)
{
	return json_string(json_getz(e->value, "value"));
}

/* Names of the variables, and all names that their values refer to: sorted, each once. */
static bool collect_names(struct arena *arena, struct want *w)
{
	struct str *items = NULL, name;
	size_t count = 0, capacity = 0, kept = 0;
	for (size_t i = 0; i < w->env_count; i++) {
		struct str rest = literal(&w->env[i]);
		name = w->env[i].key.name;
		do {
			struct str *larger = arena_grow(arena, items, count, &capacity, sizeof *items);
			if (larger == NULL)
				return false;
			items = larger;
			items[count++] = name;
		} while (want_reference(&rest, &name));
	}
	if (count > 1)
		qsort(items, count, sizeof *items, str_order);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !str_eq(items[kept - 1], items[i]))
			items[kept++] = items[i];
	w->names = (struct names){.items = items, .count = kept};
	return true;
}

static bool find_needs(struct arena *arena, struct want *w)
{
	for (size_t i = 0; i < w->env_count; i++) {
		struct str rest = literal(&w->env[i]), name;
		size_t count = 0;
		while (want_reference(&rest, &name))
			count++;
		size_t *needs = arena_array(arena, count, sizeof *needs);
		if (needs == NULL)
			return false;
		count = 0;
		rest = literal(&w->env[i]);
		while (want_reference(&rest, &name))
			needs[count++] = want_place(w, name);
		w->env[i].needs = needs;
		w->env[i].need_count = count;
		w->env[i].place = want_place(w, w->env[i].key.name);
	}
	return true;
}

/* Moves each entry behind those it refers to, and otherwise keeps the order. Entries in a circle stay as they are. */
static bool order(struct arena *arena, struct want *w)
{
	bool *waits = arena_array(arena, w->names.count, sizeof *waits);
	struct want_entry *sorted = arena_array(arena, w->env_count, sizeof *sorted);
	if (waits == NULL || sorted == NULL)
		return false;
	for (size_t i = 0; i < w->env_count; i++)
		waits[w->env[i].place] = true;
	for (size_t done = 0; done < w->env_count; done++) {
		size_t next = w->env_count;
		for (size_t i = 0; i < w->env_count && next == w->env_count; i++) {
			bool ready = waits[w->env[i].place];
			for (size_t k = 0; k < w->env[i].need_count && ready; k++)
				ready = !waits[w->env[i].needs[k]] || w->env[i].needs[k] == w->env[i].place;
			if (ready)
				next = i;
		}
		for (size_t i = 0; i < w->env_count && next == w->env_count; i++)
			if (waits[w->env[i].place])
				next = i;
		waits[w->env[next].place] = false;
		sorted[done] = w->env[next];
	}
	w->env = sorted;
	return true;
}

bool want_read(struct arena *arena, const struct bound_list *bindings, struct want *out)
{
	size_t env_count = 0, key_count = 0;
	for (size_t i = 0; i < bindings->count; i++) {
		env_count += bindings->items[i].env_count;
		key_count += bindings->items[i].binding->keys.count;
	}
	struct want w = {
		.bindings = bindings,
		.env_from = arena_array(arena, bindings->count, sizeof *w.env_from),
		.env = arena_array(arena, env_count, sizeof *w.env),
		.variables = arena_array(arena, env_count + key_count, sizeof *w.variables),
	};
	if (arena->failed)
		return false;
	for (size_t i = 0; i < bindings->count; i++) {
		const struct bound *b = &bindings->items[i];
		if (b->env_from)
			add_env_from(arena, &w, b);
		for (size_t k = 0; k < b->env_count; k++)
			add_env(arena, &w, b, &b->env[k]);
	}
	if (w.variable_count > 1)
		qsort(w.variables, w.variable_count, sizeof *w.variables, by_variable);
	if (arena->failed || !collect_names(arena, &w) || !find_needs(arena, &w) || !order(arena, &w))
		return false;
	*out = w;
	return true;
}

size_t want_place(const struct want *want, struct str name)
{
	const struct str *found = want->names.count == 0 ? NULL
							 : bsearch(&name, want->names.items, want->names.count,
								   sizeof *want->names.items, str_order);
	return found ? (size_t)(found - want->names.items) : want->names.count;
}

const struct want_variable *want_variable(const struct want *want, struct str name)
{
	size_t low = 0, high = want->variable_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (str_cmp(want->variables[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < want->variable_count && str_eq(want->variables[low].name, name) ? &want->variables[low] : NULL;
}

bool want_reference(struct str *text, struct str *name)
{
	size_t i = 0;
	while (i + 1 < text->n) {
		if (text->p[i] != '$') {
			i++;
		} else if (text->p[i + 1] != '(') {
			i += 2;
		} else {
			struct str rest = str_from(*text, i + 2);
			size_t end = str_find(rest, ')');
			if (end == rest.n)
				break;
			*name = (struct str){rest.p, end};
			*text = str_from(rest, end + 1);
			return true;
		}
	}
	*text = STR("");
	return false;
}
