/* Variables that two sources give: bindings, the owner's envFrom, the owner's env. One finding a pair of sources. */
#include "policy/plan/parts.h"

#include "base/limits.h"
#include "base/text.h"

/* Pairs of sources, and names of one pair, that are told apart; more are counted. */
#define PAIRS_MAX 16
#define NAMES_MAX 8

/* Two sources of the same variables; the second one wins. */
struct pair {
	struct str first, second;
	struct str names[NAMES_MAX];
	size_t count;
};

struct collisions {
	struct pair pairs[PAIRS_MAX];
	size_t count;
};

static void collide(struct collisions *c, struct str name, struct str first, struct str second)
{
	size_t i = 0;
	while (i < c->count && !(str_eq(c->pairs[i].first, first) && str_eq(c->pairs[i].second, second)))
		i++;
	if (i == PAIRS_MAX)
		return;
	if (i == c->count)
		c->pairs[c->count++] = (struct pair){.first = first, .second = second};
	struct pair *p = &c->pairs[i];
	for (size_t k = 0; k < p->count && k < NAMES_MAX; k++)
		if (str_eq(p->names[k], name))
			return;
	if (p->count < NAMES_MAX)
		p->names[p->count] = name;
	p->count++;
}

static void report(struct scene *s, const struct pair *pair, const struct container_plan *c)
{
	struct buf names;
	buf_init(&names, LIMIT_MESSAGE);
	for (size_t i = 0; i < pair->count && i < NAMES_MAX; i++)
		buf_fmt(&names, "%s%.*s", i > 0 ? ", " : "", STR_ARG(str_utf8_cut(pair->names[i], LIMIT_QUOTE)));
	if (pair->count > NAMES_MAX)
		buf_fmt(&names, " and %zu more", pair->count - NAMES_MAX);
	struct str list = plan_keep(s, &names);
	violation_add(&s->out->collisions, c->field,
		      arena_fmt(s->arena, "collision:%.*s:%.*s:%.*s:%.*s", STR_ARG(c->name), STR_ARG(list),
				STR_ARG(pair->first), STR_ARG(pair->second)),
		      "container %s gets %.*s from %.*s and from %.*s, which wins; give one of them a prefix",
		      text_quote(c->name).text, STR_ARG(list), STR_ARG(pair->first), STR_ARG(pair->second));
}

/* What a Secret of the owner's own envFrom is known to hold: as its binding says, or as every claim's Secret does. */
static struct names known_keys(const struct scene *s, struct str secret)
{
	static const struct str connection[] = {STR_INIT("endpoint"), STR_INIT("port"), STR_INIT("password")};
	for (size_t i = 0; i < s->wishes.bindings.count; i++)
		if (str_eq(s->wishes.bindings.items[i].secret, secret))
			return s->wishes.bindings.items[i].binding->keys;
	if (str_ends(secret, STR(CONNECTION_SUFFIX)))
		return (struct names)NAMES_OF(connection);
	return (struct names){0};
}

static void check_source(struct scene *s, struct str secret, struct str prefix, struct str key, struct collisions *c)
{
	struct str name = prefix.n > 0 ? arena_fmt(s->arena, "%.*s%.*s", STR_ARG(prefix), STR_ARG(key)) : key;
	const struct want_variable *v = want_variable(&s->want, name);
	if (v == NULL || (!v->is_env && str_eq(v->secret, secret) && str_eq(v->prefix, prefix)))
		return;
	struct str source = arena_fmt(s->arena, "its own envFrom of Secret \"%.*s\"", STR_ARG(secret));
	if (v->is_env)
		collide(c, name, source, v->source);
	else
		collide(c, name, v->source, source);
}

static void check_env_from(struct scene *s, const struct list *list, struct collisions *c)
{
	for (size_t i = 0; i < list->count; i++) {
		struct entry_key key;
		if (list->slots[i].ours || !entry_key(ENTRY_ENV_FROM, list->slots[i].value, &key))
			continue;
		struct names keys = known_keys(s, key.name);
		for (size_t k = 0; k < keys.count; k++)
			check_source(s, key.name, key.prefix, keys.items[k], c);
	}
}

/* Does the owner's entry give what the binding gives: the same key of the same Secret, or something made of it? */
static bool gives_the_same(const struct json *entry, const struct want_variable *v)
{
	const struct json *ref = json_path(entry, "valueFrom", "secretKeyRef", NULL);
	if (ref != NULL)
		return str_eq(json_string(json_getz(ref, "name")), v->secret) &&
		       str_eq(json_string(json_getz(ref, "key")), v->key);
	struct str rest = json_string(json_getz(entry, "value")), name;
	while (want_reference(&rest, &name))
		if (str_eq(name, v->name))
			return true;
	return false;
}

/* An owner's env entry that a binding's env gives as well is kept instead: no collision. */
static void check_env(struct scene *s, const struct list *list, struct collisions *c)
{
	const struct want_variable *end = s->want.variables + s->want.variable_count;
	for (size_t i = 0; i < list->count; i++) {
		const struct json *entry = list->slots[i].value;
		struct str name = json_string(json_getz(entry, "name"));
		const struct want_variable *v = list->slots[i].ours || name.p == NULL ? NULL : want_variable(&s->want, name);
		bool same = v == NULL;
		for (const struct want_variable *o = v; !same && o < end && str_eq(o->name, name); o++)
			same = o->is_env || gives_the_same(entry, o);
		if (!same)
			collide(c, name, v->source, STR("its own env"));
	}
}

void plan_collisions(struct scene *s, const struct container_plan *container)
{
	const struct want *w = &s->want;
	struct collisions c = {.count = 0};
	if (w->variable_count == 0)
		return;
	for (size_t i = 1; i < w->variable_count; i++)
		if (str_eq(w->variables[i - 1].name, w->variables[i].name))
			collide(&c, w->variables[i].name, w->variables[i - 1].source, w->variables[i].source);
	check_env_from(s, &container->env_from, &c);
	check_env(s, &container->env, &c);
	for (size_t i = 0; i < c.count; i++)
		report(s, &c.pairs[i], container);
}
