/* Variables that two sources give: bindings, the owner's envFrom, the owner's env. One finding a pair of sources. */
#include "policy/planner.h"

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

static void report(struct planner *p, const struct pair *pair, struct str field, struct str container)
{
	struct buf names;
	buf_init(&names, LIMIT_MESSAGE);
	for (size_t i = 0; i < pair->count && i < NAMES_MAX; i++)
		buf_fmt(&names, "%s%.*s", i > 0 ? ", " : "", STR_ARG(str_utf8_cut(pair->names[i], LIMIT_QUOTE)));
	if (pair->count > NAMES_MAX)
		buf_fmt(&names, " and %zu more", pair->count - NAMES_MAX);
	struct str list = plan_keep(p, &names);
	violation_add(&p->out->collisions, field,
		      arena_fmt(p->arena, "collision:%.*s:%.*s:%.*s:%.*s", STR_ARG(container), STR_ARG(list),
				STR_ARG(pair->first), STR_ARG(pair->second)),
		      "container %s gets %.*s from %.*s and from %.*s, which wins; give one of them a prefix",
		      text_quote(container).text, STR_ARG(list), STR_ARG(pair->first), STR_ARG(pair->second));
}

/* The first variable of that name; NULL when no binding gives it. */
static const struct plan_variable *find(const struct planner *p, struct str name)
{
	size_t low = 0, high = p->variable_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (str_cmp(p->variables[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < p->variable_count && str_eq(p->variables[low].name, name) ? &p->variables[low] : NULL;
}

/* What a Secret of the owner's own envFrom is known to hold: as its binding says, or as every claim's Secret does. */
static struct names known_keys(const struct planner *p, struct str secret)
{
	static const struct str connection[] = {STR_INIT("endpoint"), STR_INIT("port"), STR_INIT("password")};
	for (size_t i = 0; i < p->wishes.bindings.count; i++)
		if (str_eq(p->wishes.bindings.items[i].secret, secret))
			return p->wishes.bindings.items[i].binding->keys;
	if (str_ends(secret, STR(CONNECTION_SUFFIX)))
		return (struct names){connection, sizeof connection / sizeof connection[0]};
	return (struct names){NULL, 0};
}

static void check_env_from(struct planner *p, const struct list *list, struct collisions *c)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct json *entry = list->entries[i].value;
		struct str secret = json_string(json_path(entry, "secretRef", "name", NULL));
		struct str prefix = json_string(json_getz(entry, "prefix"));
		struct names keys = list->entries[i].ours || secret.p == NULL ? (struct names){NULL, 0} : known_keys(p, secret);
		for (size_t k = 0; k < keys.count; k++) {
			struct str name = arena_fmt(p->arena, "%.*s%.*s", STR_ARG(prefix), STR_ARG(keys.items[k]));
			const struct plan_variable *v = find(p, name);
			struct str source = arena_fmt(p->arena, "its own envFrom of Secret \"%.*s\"", STR_ARG(secret));
			if (v != NULL && v->is_env)
				collide(c, name, source, v->source);
			else if (v != NULL && !(str_eq(v->secret, secret) && str_eq(v->prefix, prefix)))
				collide(c, name, v->source, source);
		}
	}
}

/* An owner's env entry that a binding's env gives as well is kept instead: no collision. */
static void check_env(struct planner *p, const struct list *list, struct collisions *c)
{
	for (size_t i = 0; i < list->count; i++) {
		struct str name = json_string(json_getz(list->entries[i].value, "name"));
		const struct plan_variable *v = list->entries[i].ours || name.p == NULL ? NULL : find(p, name);
		bool from_env = v != NULL && v->is_env;
		for (const struct plan_variable *o = v; o != NULL && !from_env && o < p->variables + p->variable_count; o++) {
			if (!str_eq(o->name, name))
				break;
			from_env = o->is_env;
		}
		if (v != NULL && !from_env)
			collide(c, name, v->source, STR("its own env"));
	}
}

void plan_collisions(struct planner *p, const struct list *env_from, const struct list *env, struct str field,
		     struct str container)
{
	struct collisions c = {.count = 0};
	if (p->variable_count == 0)
		return;
	for (size_t i = 1; i < p->variable_count; i++)
		if (str_eq(p->variables[i - 1].name, p->variables[i].name))
			collide(&c, p->variables[i].name, p->variables[i - 1].source, p->variables[i].source);
	check_env_from(p, env_from, &c);
	check_env(p, env, &c);
	for (size_t i = 0; i < c.count; i++)
		report(p, &c.pairs[i], field, container);
}
