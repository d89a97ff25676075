/*
 * conn-collision: connection Secrets of Crossplane all hold the same keys. Two of them as sources of one container's
 * variables hide each other's values, unless a prefix keeps them apart: the process reads the host of one, and the
 * password too, where it expects the other. It does not matter who put them there.
 */
#include "policy/rules/rule.h"

#include "base/text.h"
#include "kube/workload.h"

#include <stdlib.h>

#define BECAUSE "because they hold the same keys and the last one wins"

/* Fields of the platform's claims: each becomes an envFrom, without a prefix, of the one container. */
static const char *const secret_fields[] = {"secret1Name", "secret2Name", "secret3Name", "secret4Name", "secret5Name"};

#define SECRET_FIELDS (sizeof secret_fields / sizeof secret_fields[0])

/* A connection Secret that gives its keys, all with that prefix. */
struct source {
	struct str prefix, name;
	size_t index; /* of the entry, or of the field */
};

static int source_order(const void *a, const void *b)
{
	const struct source *x = a, *y = b;
	int order = str_cmp(x->prefix, y->prefix);
	if (order == 0)
		order = str_cmp(x->name, y->name);
	return order != 0 ? order : (x->index > y->index) - (x->index < y->index);
}

static bool is_connection(struct str name)
{
	return str_ends(name, STR(CONNECTION_SUFFIX));
}

/* Sorts, and leaves of each prefix and Secret one. Returns how many there are. */
static size_t sort_sources(struct source *sources, size_t count)
{
	size_t kept = 0;
	if (count > 1)
		qsort(sources, count, sizeof *sources, source_order);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || !str_eq(sources[i].prefix, sources[kept - 1].prefix) ||
		    !str_eq(sources[i].name, sources[kept - 1].name))
			sources[kept++] = sources[i];
	return kept;
}

/* One that stands beside source number `i`, with the same prefix; NULL when it is alone. */
static const struct source *neighbour(const struct source *sources, size_t count, size_t i)
{
	if (i > 0 && str_eq(sources[i - 1].prefix, sources[i].prefix))
		return &sources[i - 1];
	if (i + 1 < count && str_eq(sources[i + 1].prefix, sources[i].prefix))
		return &sources[i + 1];
	return NULL;
}

/*
 * Each Secret that is not alone is a fault of its own: so one that takes another's place is a new fault, and one that
 * goes makes none.
 */
static void check_container(const struct rule_context *context, const struct json *container, const char *list,
			    size_t at, struct violations *found)
{
	const struct json *env_from = json_getz(container, "envFrom");
	size_t entries = 0, count = 0, index = 0;
	for (const struct json *e = json_first(env_from); e != NULL; e = json_next(e))
		entries++;
	struct source *sources = arena_array(context->arena, entries, sizeof *sources);
	if (sources == NULL)
		return;
	for (const struct json *e = json_first(env_from); e != NULL; e = json_next(e), index++) {
		struct str name = json_string(json_path(e, "secretRef", "name", NULL));
		if (is_connection(name))
			sources[count++] = (struct source){json_string(json_getz(e, "prefix")), name, index};
	}
	count = sort_sources(sources, count);
	for (size_t i = 0; i < count; i++) {
		const struct source *s = &sources[i], *other = neighbour(sources, count, i);
		if (other == NULL)
			continue;
		struct str field = arena_fmt(context->arena, "%s.spec.%s[%zu].envFrom[%zu]",
					     context->workload->kind->template_field, list, at, s->index);
		struct str identity = arena_fmt(context->arena, "%s:%.*s:%.*s:%.*s", list, STR_ARG(container_name(container)),
						STR_ARG(s->prefix), STR_ARG(s->name));
		violation_add(found, field, identity,
			      "found Secret %s beside %s with %s%s; expected one of them alone, " BECAUSE "; give this one a "
			      "prefix of its own; where a binding gives it, the platform team does so in its configuration",
			      text_quote_name(s->name).text, text_quote_name(other->name).text,
			      s->prefix.n > 0 ? "the same prefix " : "no prefix",
			      s->prefix.n > 0 ? text_quote_name(s->prefix).text : "");
	}
}

static void check_containers(const struct rule_context *context, const struct json *list, const char *name,
			     struct violations *found)
{
	size_t index = 0;
	for (const struct json *c = json_first(list); c != NULL; c = json_next(c))
		check_container(context, c, name, index++, found);
}

static void check_claim(const struct rule_context *context, struct violations *found)
{
	const struct json *spec = json_getz(context->object, "spec");
	struct source sources[SECRET_FIELDS];
	size_t count = 0;
	for (size_t i = 0; i < SECRET_FIELDS; i++) {
		struct str name = json_string(json_getz(spec, secret_fields[i]));
		if (is_connection(name))
			sources[count++] = (struct source){STR(""), name, i};
	}
	count = sort_sources(sources, count);
	for (size_t i = 0; i < count; i++) {
		const struct source *s = &sources[i], *other = neighbour(sources, count, i);
		if (other == NULL)
			continue;
		violation_add(found, arena_fmt(context->arena, "spec.%s", secret_fields[s->index]),
			      arena_fmt(context->arena, "claim:%.*s", STR_ARG(s->name)),
			      "found Secret %s beside %s, and these fields know no prefix; expected one of them alone, " BECAUSE
			      "; keep one, and ask the platform team for the other under keys of its own",
			      text_quote_name(s->name).text, text_quote_name(other->name).text);
	}
}

static void check(const struct rule_context *context, struct violations *found)
{
	if (rule_kind_matches(context->rule, context->request))
		check_claim(context, found);
	if (context->workload == NULL)
		return;
	check_containers(context, context->workload->containers, "containers", found);
	check_containers(context, context->workload->init_containers, "initContainers", found);
}

/* The platform's claims, which run one container each. */
static const struct group_kind kinds[] = {{STR_INIT("platform.bizmatters.io"), STR_INIT("*")}};

const struct rule rule_conn_collision = {
	.id = "conn-collision",
	.mode = MODE_WARN,
	.check = check,
	.kinds = kinds,
	.kind_count = sizeof kinds / sizeof kinds[0],
};
