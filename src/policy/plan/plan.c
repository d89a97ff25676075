#include "policy/plan/plan.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "codec/json_pointer.h"
#include "kube/image.h"
#include "kube/owner.h"
#include "policy/plan/parts.h"
#include "policy/plan/unread.h"

#include <stdlib.h>

#define DEFAULT_CONTAINER "kubectl.kubernetes.io/default-container"

/* ---- results ---- */

struct str plan_keep(struct scene *s, struct buf *text)
{
	struct str result = {NULL, 0};
	if (text->error != 0)
		s->error = text->error;
	else
		result = arena_str(s->arena, buf_str(text));
	if (result.p == NULL && s->error == 0)
		s->error = ERR_NOMEM;
	buf_free(text);
	return result;
}

const struct json *plan_parse(struct scene *s, struct buf *text)
{
	const struct json *value = NULL;
	if (text->error != 0)
		s->error = text->error;
	else if (json_parse_in(s->arena, buf_str(text), &value, NULL) != 0)
		s->error = ERR_NOMEM;
	buf_free(text);
	return value;
}

/* ---- which containers ---- */

static bool has_exact(const struct names *list, struct str name)
{
	for (size_t i = 0; i < list->count; i++)
		if (str_eq(list->items[i], name))
			return true;
	return false;
}

/* Named, or matched by a glob and not excluded; without an annotation all that are not excluded. */
static bool is_selected(const struct scene *s, struct str name)
{
	const struct names *wanted = &s->wishes.containers;
	bool excluded = names_match(&s->config->exclude_containers, name);
	if (wanted->count == 0)
		return !excluded;
	return has_exact(wanted, name) || (!excluded && names_match(wanted, name));
}

static struct str container_names(struct scene *s)
{
	struct buf text;
	buf_init(&text, LIMIT_MESSAGE);
	const struct json *c = json_first(s->workload->containers);
	for (; c != NULL && text.n < LIMIT_MESSAGE / 8; c = json_next(c))
		buf_fmt(&text, "%s%.*s", text.n > 0 ? ", " : "", STR_ARG(str_utf8_cut(container_name(c), LIMIT_QUOTE)));
	size_t more = 0;
	for (; c != NULL; c = json_next(c))
		more++;
	if (more > 0)
		buf_fmt(&text, " and %zu more", more);
	return buf_move(&text, s->arena);
}

/* Each name and glob of the annotation must find a container, where there are any. */
static void check_patterns(struct scene *s)
{
	if (json_first(s->workload->containers) == NULL)
		return;
	for (size_t i = 0; i < s->wishes.containers.count; i++) {
		struct str pattern = s->wishes.containers.items[i];
		bool found = false;
		for (const struct json *c = json_first(s->workload->containers); c != NULL && !found; c = json_next(c)) {
			struct str name = container_name(c);
			found = str_eq(pattern, name) || (str_glob(pattern, name) && is_selected(s, name));
		}
		if (!found)
			violation_add(&s->out->problems, s->wishes.containers_field,
				      arena_fmt(s->arena, "containers:unmatched:%.*s", STR_ARG(pattern)),
				      "found %s, which matches no container to inject; expected one of: %.*s",
				      text_quote(pattern).text, STR_ARG(container_names(s)));
	}
}

/*
 * A record is found by its container's name: two of one name could not be told apart on the next pass. The API server
 * refuses them as well, but only after all webhooks.
 */
static bool check_names(struct scene *s, const struct json *list, const char *key)
{
	size_t count = 0;
	struct str *names = arena_array(s->arena, json_count(list), sizeof *names);
	for (const struct json *c = json_first(list); c != NULL && names != NULL; c = json_next(c))
		names[count++] = container_name(c);
	if (count > 1)
		qsort(names, count, sizeof *names, str_order);
	for (size_t i = 1; i < count; i++)
		if (str_eq(names[i - 1], names[i]) && (i == 1 || !str_eq(names[i - 2], names[i])))
			violation_add(&s->out->problems, arena_fmt(s->arena, "%.*s.%s", STR_ARG(s->pod_field), key),
				      arena_fmt(s->arena, "%s:twice:%.*s", key, STR_ARG(names[i])),
				      "found two containers named %s; give each one a name of its own",
				      text_quote_name(names[i]).text);
	return names != NULL;
}

/*
 * Without migrate-from: the container that the Pod itself calls its main one
 * (kubernetes.io/docs/reference/labels-annotations-taints/#kubectl-kubernetes-io-default-container), else the first.
 */
static const struct json *default_model(const struct scene *s)
{
	struct str main = json_string(json_path(s->workload->template_metadata, "annotations", DEFAULT_CONTAINER, NULL));
	const struct json *c = main.p != NULL ? container_find(s->workload->containers, main, NULL) : NULL;
	if (c != NULL && is_selected(s, main))
		return c;
	c = json_first(s->workload->containers);
	while (c != NULL && !is_selected(s, container_name(c)))
		c = json_next(c);
	return c;
}

/* The container that the migration is modelled on. */
static const struct json *find_model(struct scene *s)
{
	struct str from = s->wishes.migrate_from;
	if (from.p == NULL)
		return default_model(s);
	const struct json *c = container_find(s->workload->containers, from, NULL);
	if (c == NULL)
		violation_add(&s->out->problems, s->wishes.migrate_from_field,
			      arena_fmt(s->arena, "migrate-from:unknown:%.*s", STR_ARG(from)),
			      "found %s, which is not a container; expected one of: %.*s",
			      text_quote(from).text, STR_ARG(container_names(s)));
	else if (!is_selected(s, from) && s->wishes.bindings.count > 0)
		violation_add(&s->out->warnings, s->wishes.migrate_from_field, STR("migrate-from"),
			      "the migration is modelled on container %s, which gets no bindings, so the migration gets none",
			      text_quote(from).text);
	return c;
}

/* ---- containers ---- */

/* Containers of a list by their names. */
struct place {
	struct str name;
	const struct json *container;
};

struct places {
	struct place *items;
	size_t count;
};

static int by_name(const void *a, const void *b)
{
	const struct place *x = a, *y = b;
	return str_cmp(x->name, y->name);
}

static bool index_places(struct arena *arena, const struct json *list, struct places *out)
{
	*out = (struct places){arena_array(arena, json_count(list), sizeof *out->items), 0};
	for (const struct json *c = json_first(list); c != NULL && out->items != NULL; c = json_next(c))
		out->items[out->count++] = (struct place){container_name(c), c};
	if (out->count > 1)
		qsort(out->items, out->count, sizeof *out->items, by_name);
	return out->items != NULL;
}

/* The container of that name; NULL for none. */
static const struct json *place_of(const struct places *places, struct str name)
{
	struct place wanted = {name, NULL};
	const struct place *found =
		places->count == 0 ? NULL : bsearch(&wanted, places->items, places->count, sizeof wanted, by_name);
	return found ? found->container : NULL;
}

/* What tells that a container of the old object has got another name. */
struct renames {
	struct places now, before;
	bool possible; /* the record came along */
};

/* The container's part of the record. A renamed container, at the same place with the same image, keeps its part. */
static struct record_group *recorded_for(const struct scene *s, const struct renames *r, const struct json *c,
					 const struct json *before)
{
	struct record_group *group = record_container(&s->record, container_name(c));
	if (group != NULL || before == NULL || !r->possible)
		return group;
	struct str was = container_name(before);
	bool renamed = place_of(&r->before, container_name(c)) == NULL && place_of(&r->now, was) == NULL &&
		       json_equal(json_getz(c, "image"), json_getz(before, "image"));
	return renamed ? record_container(&s->record, was) : NULL;
}

/* Plans all containers, and gives what the model gets in *model_plan. False when memory is out. */
static bool plan_containers(struct scene *s, const struct json *model, struct container_plan *model_plan,
			    struct record_new *record)
{
	const struct workload *w = s->workload;
	struct renames renames = {
		.possible = s->old != NULL && s->record.present && str_eq(s->record.text, s->old_record.text)};
	if (!index_places(s->arena, w->containers, &renames.now) ||
	    !index_places(s->arena, s->old != NULL ? s->old->containers : NULL, &renames.before))
		return false;
	bool wished = s->wishes.bindings.count > 0;
	const struct json *before = s->old != NULL ? json_first(s->old->containers) : NULL;
	size_t index = 0;
	record->parts = arena_array(s->arena, json_count(w->containers), sizeof *record->parts);
	if (record->parts == NULL)
		return false;
	for (const struct json *c = json_first(w->containers); c != NULL; c = json_next(c), index++) {
		struct record_group *recorded = recorded_for(s, &renames, c, before);
		bool selected = wished && is_selected(s, container_name(c));
		const struct json *was = place_of(&renames.before, container_name(c));
		before = before != NULL ? json_next(before) : NULL;
		if (recorded == NULL && !selected && c != model)
			continue;
		struct container_plan plan;
		if (!container_plan(s, c, index, selected, recorded, was, &plan))
			return false;
		if (plan.members.n > 0)
			record->parts[record->part_count++] = (struct record_part){plan.members, plan.name};
		if (c == model)
			*model_plan = plan;
	}
	return !s->arena->failed;
}

/* ---- image pull secrets ---- */

static bool from_registry(const struct json *image, const struct pull_secret *secret)
{
	struct image parts;
	return image_parse(str_trim(json_string(image)), &parts) && names_match(&secret->registries, parts.registry);
}

static bool uses_registry(const struct scene *s, const struct pull_secret *secret)
{
	struct image parts;
	if (s->wishes.migrate && s->wishes.migrate_image.p != NULL && image_parse(s->wishes.migrate_image, &parts) &&
	    names_match(&secret->registries, parts.registry))
		return true;
	for (const struct json *c = json_first(s->workload->containers); c != NULL; c = json_next(c))
		if (from_registry(json_getz(c, "image"), secret))
			return true;
	const struct json *mine = migration_find(s, NULL);
	for (const struct json *c = json_first(s->workload->init_containers); c != NULL; c = json_next(c))
		if (c != mine && from_registry(json_getz(c, "image"), secret))
			return true;
	return false;
}

static bool others_name(const struct list *list, struct str secret)
{
	for (size_t i = 0; i < list->count; i++)
		if (!list->slots[i].ours && str_eq(json_string(json_getz(list->slots[i].value, "name")), secret))
			return true;
	return false;
}

/*
 * A Pod without pull secrets gets those of its ServiceAccount; one that has any gets none of them
 * (kubernetes.io/docs/tasks/configure-pod-container/configure-service-account). Said when the first one comes.
 */
static void warn_account(struct scene *s, const struct list *list, struct str secret)
{
	struct str account = json_string(json_getz(s->workload->pod_spec, "serviceAccountName"));
	if (account.n > 0 && !str_eqz(account, "default") && list->count == 0)
		violation_add(&s->out->warnings, arena_fmt(s->arena, "%.*s.imagePullSecrets", STR_ARG(s->pod_field)),
			      STR("pull:account"),
			      "pull secret %s is injected, so the Pods no longer get those of ServiceAccount %s; if images need "
			      "them, list them in imagePullSecrets as well",
			      text_quote_name(secret).text, text_quote_name(account).text);
}

static bool plan_pull_secrets(struct scene *s, bool wished, struct record_new *record)
{
	const char *key = entry_list[ENTRY_PULL_SECRET];
	size_t most = s->config->pull_secret_count, count = 0;
	const struct declared_keys nothing = {NULL, 0, 0};
	struct list list;
	struct target *targets = arena_array(s->arena, most, sizeof *targets);
	struct str *names = arena_array(s->arena, most, sizeof *names);
	if (targets == NULL || names == NULL ||
	    !list_read(s->arena, ENTRY_PULL_SECRET, json_pointer_join(s->arena, s->pod_pointer, str_of(key)),
		       json_getz(s->workload->pod_spec, key), &s->record.pull_secrets,
		       wished && s->declared.is_copy ? &nothing : &s->declared.pull_secrets, 1, &list))
		return false;
	for (size_t i = 0; i < most && wished; i++) {
		const struct pull_secret *secret = &s->config->pull_secrets[i];
		if (others_name(&list, secret->name) || !uses_registry(s, secret))
			continue;
		struct str text = arena_fmt(s->arena, "{\"name\":\"%.*s\"}", STR_ARG(secret->name));
		const struct json *value;
		if (json_parse_in(s->arena, text, &value, NULL) != 0)
			return false;
		bool held = false;
		for (size_t k = 0; k < list.count && !held; k++)
			held = list.slots[k].ours && list.slots[k].hash == entry_hash(value);
		if (!held) {
			violation_add(&s->out->missing, arena_fmt(s->arena, "%.*s.%s", STR_ARG(s->pod_field), key),
				      arena_fmt(s->arena, "missing:pull:%.*s", STR_ARG(secret->name)),
				      "image pull secret \"%.*s\" is missing", STR_ARG(secret->name));
			warn_account(s, &list, secret->name);
		}
		names[count] = secret->name;
		targets[count++] = (struct target){value, entry_hash(value), 0};
	}
	record->pull_secrets = names;
	record->pull_secret_count = count;
	return list_difference(s->arena, &list, targets, count, s->patch);
}

/* ---- the whole ---- */

static bool is_wished(const struct wishes *w)
{
	return w->bindings.count > 0 || w->migrate;
}

/*
 * Is the template a copy of one that connhook injected, made by a controller out of another workload: Flagger's
 * primary, a Job that kubectl makes from a CronJob? It has a record with another service's name, and an owner. It is
 * left alone: whoever copied it has seen to the names in it.
 */
static bool is_copied(const struct scene *s, const struct workload *w, struct str app, bool app_annotated)
{
	return app.n > 0 && !app_annotated && !str_eq(annotations_app(s->arena, w), app) &&
	       json_first(json_getz(w->metadata, "ownerReferences")) != NULL;
}

static bool is_copy(const struct scene *s)
{
	return is_copied(s, s->workload, s->record.app, s->wishes.app_annotated) &&
	       (s->old == NULL || !str_eq(annotations_app(s->arena, s->old), s->record.app));
}

/* Was the old object a copy, or what a controller makes? connhook leaves those alone, whatever record they have. */
static bool was_left_alone(const struct scene *s)
{
	const struct workload *old = s->old;
	return owner_controls(str_of(old->kind->group), str_of(old->kind->kind), old->metadata) ||
	       is_copied(s, old, s->old_record.app, s->before.app_annotated);
}

/*
 * Has connhook written the record of the old object? It has, where it looks at the workload and something is asked for:
 * a record that somebody had made up would have been replaced when it came.
 */
static bool has_written(const struct scene *s)
{
	const struct wishes *before = &s->before;
	return (is_wished(before) || before->problems.count > 0) && !before->opted_out && !was_left_alone(s);
}

/*
 * A record, and nobody who asks for anything: on CREATE a copy (of a dump, of another workload's template), and later
 * what was one then. Whoever takes the wish back on UPDATE had one before.
 */
static bool nobody_asked(const struct scene *s)
{
	if (s->old == NULL)
		return true;
	return s->old_record.present && !is_wished(&s->before) && !s->before.opted_out && s->before.problems.count == 0;
}

/* A Rollout may take its template from another workload, where connhook then injects. */
static void warn_workload_ref(struct scene *s)
{
	const struct json *ref = json_path(s->workload->object, "spec", "workloadRef", NULL);
	if (ref != NULL && is_wished(&s->wishes))
		violation_add(&s->out->warnings, STR("spec.workloadRef"), STR("workload-ref"),
			      "nothing is injected here: the Pods come from %s %s, which workloadRef names; write connhook's "
			      "annotations there",
			      text_quote_name(json_string(json_getz(ref, "kind"))).text,
			      text_quote_name(json_string(json_getz(ref, "name"))).text);
}

/* Why there is nothing to do; NULL when there is something. */
static const char *why_nothing(struct scene *s)
{
	bool wished = is_wished(&s->wishes);
	if (s->workload->pod_spec == NULL) {
		warn_workload_ref(s);
		return "no-template";
	}
	if (s->record.present && !s->wishes.opted_out && is_copy(s))
		return "copied";
	bool idle = s->record.present && !wished && !s->wishes.opted_out && s->wishes.problems.count == 0;
	if (idle && nobody_asked(s)) {
		if (s->old == NULL && json_first(json_getz(s->workload->metadata, "ownerReferences")) == NULL)
			violation_add(&s->out->warnings, s->pod_field, STR("copied"),
				      "the pod template holds what connhook injected elsewhere, and no annotation asks for it; it "
				      "stays: add the annotation %.*s/bindings, or set %.*s/inject to \"false\" to have it removed",
				      STR_ARG(s->config->annotation_prefix), STR_ARG(s->config->annotation_prefix));
		return "copied";
	}
	if (s->record.present || wished)
		return NULL;
	return s->wishes.opted_out ? "opted-out" : "no-bindings";
}

/* Somebody asks for bindings, and no container may have them. */
static bool nowhere_to_inject(struct scene *s)
{
	for (const struct json *c = json_first(s->workload->containers); c != NULL; c = json_next(c))
		if (is_selected(s, container_name(c)))
			return false;
	bool asked = s->wishes.bindings_annotated || s->wishes.migrate;
	if (asked && json_first(s->workload->containers) == NULL)
		violation_add(&s->out->problems, arena_fmt(s->arena, "%.*s.containers", STR_ARG(s->pod_field)),
			      STR("bindings:nowhere:"), "found no container to inject; expected one; add it");
	else if (asked)
		violation_add(&s->out->problems, annotation_field(s->arena, s->config, "bindings"), STR("bindings:nowhere:"),
			      "there is no container to inject: the containers are %.*s, which the configuration excludes; "
			      "name one in the annotation %.*s/containers",
			      STR_ARG(container_names(s)), STR_ARG(s->config->annotation_prefix));
	return true;
}

static bool make(struct scene *s)
{
	struct record_new record = {.app = s->wishes.app, .migration = {NULL, 0}, .reloader = {NULL, 0}};
	struct container_plan model_plan = {0};
	const struct json *model = s->wishes.migrate ? find_model(s) : NULL;
	if (s->out->problems.count > 0)
		return true;
	if (s->record.disbelieved.p != NULL)
		violation_add(&s->out->missing, arena_fmt(s->arena, "%s.metadata", s->workload->kind->template_field),
			      STR("missing:record"), "connhook's record names %s, which no binding of the configuration gives",
			      text_quote_name(s->record.disbelieved).text);
	s->reads_secret = arena_array(s->arena, s->wishes.bindings.count, sizeof *s->reads_secret);
	if (s->reads_secret == NULL || !want_read(s->arena, &s->wishes.bindings, &s->want) ||
	    !plan_containers(s, model, &model_plan, &record) || !migration_plan(s, model, &model_plan, &record.migration) ||
	    !plan_pull_secrets(s, is_wished(&s->wishes), &record) || !traces_plan(s, &record))
		return false;
	s->out->bindings = s->wishes.bindings;
	s->out->migrates = record.migration.p != NULL;
	return !s->arena->failed;
}

/* What stands there. */
static void read_scene(struct scene *s, struct str namespace)
{
	const struct json *metadata = s->workload->template_metadata;
	annotations_read(s->arena, s->config, s->workload, namespace, &s->wishes);
	s->out->problems = s->wishes.problems;
	s->out->warnings = s->wishes.warnings;
	unread_prefixes(s->config, s->workload, &s->out->warnings);
	if (s->old != NULL)
		(void)record_read(s->arena, s->config, s->old->template_metadata, NULL, &s->old_record);
	if (s->old != NULL && (s->old_record.present || s->wishes.migrate))
		annotations_read(s->arena, s->config, s->old, namespace, &s->before);
	bool written = s->old != NULL && s->old_record.present && has_written(s);
	bool good = record_read(s->arena, s->config, metadata, written ? &s->old_record : NULL, &s->record);
	if (!good)
		violation_add(&s->out->warnings, arena_fmt(s->arena, "%s.metadata", s->workload->kind->template_field),
			      STR("record"),
			      "the annotation %.*s/" RECORD_NAME " is not one that connhook wrote; it is written anew",
			      STR_ARG(s->config->annotation_prefix));
	if (s->record.disbelieved.p != NULL)
		violation_add(&s->out->warnings, s->pod_field, STR("disbelieved"),
			      "connhook's record names %s, which no binding of the configuration gives; it stays: remove it by "
			      "hand when it is not needed",
			      text_quote_name(s->record.disbelieved).text);
	if (s->record.present)
		declared_read(s->arena, s->config, s->workload, &s->declared);
	if (s->record.present && s->old != NULL)
		declared_read(s->arena, s->config, s->old, &s->old_declared);
	s->applied_anew = declared_anew(&s->declared, &s->old_declared);
}

/*
 * Where the annotations are at fault the workload is left as it is. But a record that was made up must not be taken for
 * connhook's later on: it goes.
 */
static void forget_made_up(struct scene *s)
{
	patch_free(s->patch);
	patch_init(s->patch, s->arena);
	if (s->record.disbelieved.p != NULL)
		traces_forget(s);
}

void plan_make(struct arena *arena, const struct config *config, const struct workload *workload, struct str namespace,
	       const struct workload *old, struct plan *out)
{
	*out = (struct plan){.problems.arena = arena,
			     .collisions.arena = arena,
			     .missing.arena = arena,
			     .warnings.arena = arena};
	struct patch patch;
	patch_init(&patch, arena);
	struct scene s = {
		.arena = arena,
		.config = config,
		.workload = workload,
		.old = old,
		.patch = &patch,
		.out = out,
		.pod_pointer = arena_fmt(arena, "%s/spec", workload->kind->template_pointer),
		.pod_field = arena_fmt(arena, "%s.spec", workload->kind->template_field),
	};
	read_scene(&s, namespace);
	out->skipped = why_nothing(&s);
	out->released = out->skipped == NULL && s.old != NULL && s.old_record.present && was_left_alone(&s);
	if (out->skipped == NULL && out->problems.count == 0 && check_names(&s, workload->containers, "containers") &&
	    check_names(&s, workload->init_containers, "initContainers") && out->problems.count == 0) {
		check_patterns(&s);
		if (is_wished(&s.wishes) && out->problems.count == 0 && nowhere_to_inject(&s) && out->problems.count == 0 &&
		    !s.record.present)
			out->skipped = "no-containers";
		if (out->skipped == NULL && out->problems.count == 0 && !make(&s) && s.error != ERR_LIMIT)
			arena->failed = true;
	}
	if (out->problems.count > 0)
		forget_made_up(&s);
	(void)patch_finish(&patch);
	if (patch.text.error != 0 && s.error == 0)
		s.error = patch.text.error;
	if (s.error == 0)
		out->patch = arena_str(arena, patch.count > 0 ? buf_str(&patch.text) : (struct str){NULL, 0});
	if (s.error == ERR_NOMEM)
		arena->failed = true;
	if (s.error == ERR_LIMIT && !arena->failed)
		violation_add(&out->problems, s.pod_field, STR("too-large"),
			      "injection would add more than %lu MiB to the workload's %zu containers; name those that need "
			      "bindings in the annotation %.*s/containers",
			      LIMIT_PATCH / MIB, json_count(workload->containers), STR_ARG(config->annotation_prefix));
	patch_free(&patch);
}
