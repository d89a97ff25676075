/*
 * What the migration's container asks of its node. The configuration says it, an annotation overrides it, and the Pod
 * keeps its quality of service (kubernetes.io/docs/concepts/workloads/pods/pod-qos).
 */
#include "policy/plan/parts.h"

#include "base/limits.h"
#include "base/text.h"
#include "kube/quantity.h"

enum { REQUEST, LIMIT, SIDES };

static const char *const side_keys[SIDES] = {[REQUEST] = "requests", [LIMIT] = "limits"};
static const char *const qos_resources[] = {"cpu", "memory"};
#define QOS_RESOURCES (sizeof qos_resources / sizeof qos_resources[0])

/* An amount as the configuration or an object has it: a quantity, or a number. */
static struct str amount_of(const struct json *resources, int side, struct str resource)
{
	const struct json *v = json_get(json_getz(resources, side_keys[side]), resource);
	return json_kind(v) == JSON_NUMBER ? json_number(v) : json_string(v);
}

/* Does the container ask for as much as it is limited to, of processor and memory alike? */
static bool is_guaranteed(const struct json *container)
{
	const struct json *resources = json_getz(container, "resources");
	for (size_t i = 0; i < QOS_RESOURCES; i++) {
		struct str limit = amount_of(resources, LIMIT, str_of(qos_resources[i]));
		struct str request = amount_of(resources, REQUEST, str_of(qos_resources[i]));
		if (limit.p == NULL || (request.p != NULL && !str_eq(request, limit) && !quantity_equal(request, limit)))
			return false;
	}
	return true;
}

static bool all_guaranteed(const struct scene *s)
{
	const struct json *mine = migration_find(s, NULL);
	for (const struct json *c = json_first(s->workload->containers); c != NULL; c = json_next(c))
		if (!is_guaranteed(c))
			return false;
	for (const struct json *c = json_first(s->workload->init_containers); c != NULL; c = json_next(c))
		if (c != mine && !is_guaranteed(c))
			return false;
	return true;
}

static struct str annotated(const struct wishes *wishes, int side, struct str resource)
{
	for (size_t i = 0; i < wishes->resource_count; i++)
		if (wishes->resources[i].limit == (side == LIMIT) && str_eq(wishes->resources[i].name, resource))
			return wishes->resources[i].amount;
	return (struct str){NULL, 0};
}

/* What one resource is to be, on either side; absent for nothing. */
struct amounts {
	struct str side[SIDES];
};

static struct amounts amounts_of(const struct scene *s, const struct json *config, const struct json *model,
				 struct str resource, bool guaranteed)
{
	const struct str own[SIDES] = {
		[REQUEST] = annotated(&s->wishes, REQUEST, resource), [LIMIT] = annotated(&s->wishes, LIMIT, resource),
	};
	struct amounts a = {.side = {[REQUEST] = own[REQUEST], [LIMIT] = own[LIMIT]}};
	for (int i = 0; i < SIDES; i++)
		if (a.side[i].p == NULL)
			a.side[i] = amount_of(config, i, resource);
	struct str *request = &a.side[REQUEST], *limit = &a.side[LIMIT];
	if (guaranteed) {
		struct str both = own[LIMIT].p != NULL ? own[LIMIT] : request->p != NULL ? *request : *limit;
		if (both.p == NULL)
			both = amount_of(json_getz(model, "resources"), LIMIT, resource);
		return (struct amounts){{both, both}};
	}
	/* The smaller side was asked for in the annotation: the other one follows. */
	if (request->p != NULL && limit->p != NULL && quantity_is_valid(*request) && quantity_is_valid(*limit) &&
	    quantity_exceeds(*request, *limit)) {
		if (own[LIMIT].p != NULL)
			*request = *limit;
		else
			*limit = *request;
	}
	return a;
}

/* Names of all resources that the configuration, the annotation or the class of the Pod speak of, each once. */
static struct names resource_names(const struct scene *s, const struct json *config, bool guaranteed)
{
	size_t room = s->wishes.resource_count + QOS_RESOURCES, count = 0;
	for (int i = 0; i < SIDES; i++)
		room += json_count(json_getz(config, side_keys[i]));
	struct str *items = arena_array(s->arena, room, sizeof *items);
	if (items == NULL)
		return (struct names){0};
	for (int i = 0; i < SIDES; i++)
		for (const struct json *m = json_first(json_getz(config, side_keys[i])); m != NULL; m = json_next(m))
			items[count++] = json_key(m);
	for (size_t i = 0; i < s->wishes.resource_count; i++)
		items[count++] = s->wishes.resources[i].name;
	for (size_t i = 0; i < QOS_RESOURCES && guaranteed; i++)
		items[count++] = str_of(qos_resources[i]);
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		size_t k = 0;
		while (k < kept && !str_eq(items[k], items[i]))
			k++;
		if (k == kept)
			items[kept++] = items[i];
	}
	return (struct names){.items = items, .count = kept};
}

/* An amount of the annotation that is more than the whole Pod may have. */
static void check_pod_level(struct scene *s, const struct json *pod)
{
	for (size_t i = 0; i < s->wishes.resource_count; i++) {
		const struct wish_amount *w = &s->wishes.resources[i];
		struct str most = amount_of(pod, LIMIT, w->name);
		if (most.p == NULL && !w->limit)
			most = amount_of(pod, REQUEST, w->name);
		if (quantity_is_valid(most) && quantity_exceeds(w->amount, most))
			violation_add(&s->out->problems, s->wishes.resources_field,
				      arena_fmt(s->arena, "migrate-resources:pod:%.*s", STR_ARG(w->name)),
				      "found %s of %s; expected at most %s, which is what the whole Pod has in %.*s.resources",
				      text_quote(w->amount).text, text_quote_name(w->name).text, text_quote(most).text,
				      STR_ARG(s->pod_field));
	}
}

static void write_side(struct json_writer *w, int side, const struct names *names, const struct amounts *amounts)
{
	bool begun = false;
	for (size_t i = 0; i < names->count; i++) {
		if (amounts[i].side[side].p == NULL)
			continue;
		if (!begun) {
			jw_key(w, side_keys[side]);
			jw_object(w);
			begun = true;
		}
		jw_key_str(w, names->items[i]);
		jw_string(w, amounts[i].side[side]);
	}
	if (begun)
		jw_object_end(w);
}

const struct json *migration_resources(struct scene *s, const struct json *model)
{
	const struct json *config = s->config->migration_resources, *pod = json_getz(s->workload->pod_spec, "resources");
	bool pod_level = !json_is_empty(json_getz(pod, "requests")) || !json_is_empty(json_getz(pod, "limits"));
	bool guaranteed = !pod_level && all_guaranteed(s);
	if (pod_level) {
		check_pod_level(s, pod);
		config = NULL; /* the Pod's own are for all of its containers together */
	}
	if (s->wishes.resource_count == 0 && !guaranteed)
		return config;
	struct names names = resource_names(s, config, guaranteed);
	struct amounts *amounts = arena_array(s->arena, names.count, sizeof *amounts);
	if (names.items == NULL || amounts == NULL)
		return NULL;
	for (size_t i = 0; i < names.count; i++) {
		bool qos = guaranteed && (str_eqz(names.items[i], "cpu") || str_eqz(names.items[i], "memory"));
		amounts[i] = amounts_of(s, config, model, names.items[i], qos);
	}
	struct buf text;
	buf_init(&text, LIMIT_ANNOTATION);
	struct json_writer w = {.out = &text};
	jw_object(&w);
	for (int side = LIMIT; side >= REQUEST; side--)
		write_side(&w, side, &names, amounts);
	jw_object_end(&w);
	return plan_parse(s, &text);
}
