/* What the bindings give, as entries of envFrom and env. */
#include "policy/planner.h"

#include "base/limits.h"

#include <stdint.h>
#include <stdlib.h>

static struct json_writer start(struct buf *text)
{
	buf_init(text, LIMIT_ANNOTATION);
	struct json_writer w = {.out = text};
	jw_object(&w);
	return w;
}

static void write_optional(struct json_writer *w, const struct bound *b)
{
	if (!b->binding->optional)
		return;
	jw_key(w, "optional");
	jw_bool(w, true);
}

static const struct json *env_from_value(struct planner *p, const struct bound *b)
{
	struct buf text;
	struct json_writer w = start(&text);
	if (b->prefix.n > 0)
		jw_member(&w, "prefix", b->prefix);
	jw_key(&w, "secretRef");
	jw_object(&w);
	jw_member(&w, "name", b->secret);
	write_optional(&w, b);
	jw_object_end(&w);
	jw_object_end(&w);
	return plan_parse(p, &text);
}

static const struct json *env_value(struct planner *p, const struct bound *b, const struct bound_env *e)
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
		write_optional(&w, b);
		jw_object_end(&w);
		jw_object_end(&w);
	}
	jw_object_end(&w);
	return plan_parse(p, &text);
}

static int by_variable(const void *a, const void *b)
{
	const struct plan_variable *x = a, *y = b;
	int order = str_cmp(x->name, y->name);
	return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

/* Is there an entry for that Secret and prefix (envFrom), or that name (env), already? */
static bool entry_known(const struct plan_entry *entries, size_t count, struct str name, struct str prefix)
{
	for (size_t i = 0; i < count; i++)
		if (str_eq(entries[i].name, name) && str_eq(entries[i].prefix, prefix))
			return true;
	return false;
}

static void add_env_from(struct planner *p, const struct bound *b)
{
	if (entry_known(p->env_from, p->env_from_count, b->secret, b->prefix))
		return;
	struct str source = arena_fmt(p->arena, "Secret \"%.*s\" (binding %.*s)", STR_ARG(b->secret), STR_ARG(b->label));
	p->env_from[p->env_from_count++] =
		(struct plan_entry){b, env_from_value(p, b), b->secret, b->prefix};
	for (size_t k = 0; k < b->binding->keys.count; k++) {
		struct str name = b->binding->keys.items[k];
		if (b->prefix.n > 0)
			name = arena_fmt(p->arena, "%.*s%.*s", STR_ARG(b->prefix), STR_ARG(name));
		p->variables[p->variable_count++] = (struct plan_variable){
			.name = name, .source = source, .order = p->env_from_count, .secret = b->secret, .prefix = b->prefix};
	}
}

static void add_env(struct planner *p, const struct bound *b, const struct bound_env *e)
{
	struct str source = arena_fmt(p->arena, "binding %.*s (env)", STR_ARG(b->label));
	bool known = entry_known(p->env, p->env_count, e->name, STR(""));
	size_t place = p->variable_count++;
	/* Of two env entries the first is injected and the second is not: the first wins. */
	p->variables[place] = (struct plan_variable){
		.name = e->name, .source = source, .order = SIZE_MAX - place, .is_env = true};
	if (known)
		return;
	p->env[p->env_count++] = (struct plan_entry){b, env_value(p, b, e), e->name, STR("")};
}

bool plan_entries(struct planner *p)
{
	const struct bound_list *list = &p->wishes.bindings;
	size_t env_count = 0, key_count = 0;
	for (size_t i = 0; i < list->count; i++) {
		env_count += list->items[i].env_count;
		key_count += list->items[i].binding->keys.count;
	}
	p->env_from = arena_array(p->arena, list->count, sizeof *p->env_from);
	p->env = arena_array(p->arena, env_count, sizeof *p->env);
	p->variables = arena_array(p->arena, env_count + key_count, sizeof *p->variables);
	p->injected = arena_array(p->arena, list->count, sizeof *p->injected);
	if (p->arena->failed)
		return false;
	for (size_t i = 0; i < list->count; i++) {
		const struct bound *b = &list->items[i];
		if (b->env_from)
			add_env_from(p, b);
		for (size_t k = 0; k < b->env_count; k++)
			add_env(p, b, &b->env[k]);
	}
	if (p->variable_count > 1)
		qsort(p->variables, p->variable_count, sizeof *p->variables, by_variable);
	return !p->arena->failed;
}
