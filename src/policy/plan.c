#include "policy/plan.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "codec/json_pointer.h"
#include "kube/image.h"
#include "policy/planner.h"

#include <stdlib.h>

/* Groups of containers with the same record that a new record is compared with. */
#define RECENT_GROUPS 8

#define RELOADER_KEY "secret.reloader.stakater.com/reload"

/* ---- results ---- */

/* Notes why a buffer failed, if it did. */
static bool is_whole(struct planner *p, const struct buf *text)
{
	if (text->error == ERR_LIMIT)
		p->too_large = true;
	else if (text->error != 0)
		p->arena->failed = true;
	return text->error == 0;
}

struct str plan_keep(struct planner *p, struct buf *text)
{
	struct str result = {NULL, 0};
	if (is_whole(p, text))
		result = arena_str(p->arena, buf_str(text));
	if (result.p == NULL && !p->too_large)
		p->arena->failed = true;
	buf_free(text);
	return result;
}

const struct json *plan_parse(struct planner *p, struct buf *text)
{
	const struct json *value = NULL;
	if (is_whole(p, text) && json_parse_in(p->arena, buf_str(text), &value, NULL) != 0)
		p->arena->failed = true;
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
static bool is_selected(const struct planner *p, struct str name)
{
	const struct names *wanted = &p->wishes.containers;
	bool excluded = names_match(&p->config->exclude_containers, name);
	if (wanted->count == 0)
		return !excluded;
	return has_exact(wanted, name) || (!excluded && names_match(wanted, name));
}

static struct str container_names(struct planner *p)
{
	struct buf text;
	buf_init(&text, LIMIT_MESSAGE);
	const struct json *c = json_first(p->workload->containers);
	for (; c != NULL && text.n < LIMIT_MESSAGE / 8; c = json_next(c))
		buf_fmt(&text, "%s%.*s", text.n > 0 ? ", " : "", STR_ARG(str_utf8_cut(container_name(c), LIMIT_QUOTE)));
	size_t more = 0;
	for (; c != NULL; c = json_next(c))
		more++;
	if (more > 0)
		buf_fmt(&text, " and %zu more", more);
	return buf_move(&text, p->arena);
}

/* Each name and glob of the annotation must find a container, where there are any. */
static void check_patterns(struct planner *p)
{
	if (json_first(p->workload->containers) == NULL)
		return;
	for (size_t i = 0; i < p->wishes.containers.count; i++) {
		struct str pattern = p->wishes.containers.items[i];
		bool found = false;
		for (const struct json *c = json_first(p->workload->containers); c != NULL && !found; c = json_next(c)) {
			struct str name = container_name(c);
			found = str_eq(pattern, name) || (str_glob(pattern, name) && is_selected(p, name));
		}
		if (!found)
			violation_add(&p->out->problems, p->wishes.containers_field,
				      arena_fmt(p->arena, "containers:unmatched:%.*s", STR_ARG(pattern)),
				      "found %s, which matches no container to inject; expected one of: %.*s",
				      text_quote(pattern).text, STR_ARG(container_names(p)));
	}
}

/*
 * A record is found by its container's name: two of one name could not be told apart on the next pass. The API server
 * refuses them as well, but only after all webhooks.
 */
static bool check_names(struct planner *p, const struct json *list, const char *key)
{
	size_t count = 0;
	struct str *names = arena_array(p->arena, json_count(list), sizeof *names);
	for (const struct json *c = json_first(list); c != NULL && names != NULL; c = json_next(c))
		names[count++] = container_name(c);
	if (count > 1)
		qsort(names, count, sizeof *names, str_order);
	for (size_t i = 1; i < count; i++)
		if (str_eq(names[i - 1], names[i]) && (i == 1 || !str_eq(names[i - 2], names[i])))
			violation_add(&p->out->problems, arena_fmt(p->arena, "%.*s.%s", STR_ARG(p->pod_field), key),
				      arena_fmt(p->arena, "%s:twice:%.*s", key, STR_ARG(names[i])),
				      "found two containers named %s; give each one a name of its own",
				      text_quote_name(names[i]).text);
	return names != NULL;
}

/* The container that the migration is modelled on. */
static const struct json *find_model(struct planner *p)
{
	struct str from = p->wishes.migrate_from;
	if (from.p == NULL) {
		const struct json *c = json_first(p->workload->containers);
		while (c != NULL && !is_selected(p, container_name(c)))
			c = json_next(c);
		return c;
	}
	const struct json *c = container_find(p->workload->containers, from, NULL);
	if (c == NULL)
		violation_add(&p->out->problems, p->wishes.migrate_from_field,
			      arena_fmt(p->arena, "migrate-from:unknown:%.*s", STR_ARG(from)),
			      "found %s, which is not a container; expected one of: %.*s",
			      text_quote(from).text, STR_ARG(container_names(p)));
	else if (!is_selected(p, from) && p->wishes.bindings.count > 0)
		violation_add(&p->out->warnings, p->wishes.migrate_from_field, STR("migrate-from"),
			      "the migration is modelled on container %s, which gets no bindings, so the migration gets none",
			      text_quote(from).text);
	return c;
}

/* ---- the containers and their record ---- */

/* Containers with the same record, for the status. */
struct group {
	struct str record;
	struct str *names;
	size_t count, capacity;
};

static bool group_add(struct planner *p, struct group **groups, size_t *count, size_t *capacity,
		      const struct plan_container *c)
{
	if (c->record.n == 0)
		return true;
	struct group *g = NULL;
	for (size_t i = *count; i > 0 && *count - i < RECENT_GROUPS && g == NULL; i--)
		if (str_eq((*groups)[i - 1].record, c->record))
			g = &(*groups)[i - 1];
	if (g == NULL) {
		struct group *larger = arena_grow(p->arena, *groups, *count, capacity, sizeof *larger);
		if (larger == NULL)
			return false;
		*groups = larger;
		g = &larger[(*count)++];
		*g = (struct group){.record = c->record};
	}
	struct str *names = arena_grow(p->arena, g->names, g->count, &g->capacity, sizeof *names);
	if (names == NULL)
		return false;
	g->names = names;
	g->names[g->count++] = c->name;
	return true;
}

static struct str groups_text(struct planner *p, const struct group *groups, size_t count)
{
	if (count == 0)
		return STR("");
	struct buf text;
	buf_init(&text, LIMIT_PATCH);
	struct json_writer w = {.out = &text};
	jw_array(&w);
	for (size_t i = 0; i < count; i++) {
		jw_object(&w);
		jw_key(&w, "containers");
		jw_array(&w);
		for (size_t k = 0; k < groups[i].count; k++)
			jw_string(&w, groups[i].names[k]);
		jw_array_end(&w);
		buf_addc(&text, ',');
		buf_add(&text, groups[i].record);
		jw_object_end(&w);
	}
	jw_array_end(&w);
	return plan_keep(p, &text);
}

static bool plan_containers(struct planner *p)
{
	struct group *groups = NULL;
	size_t count = 0, capacity = 0, index = 0;
	bool wished = p->wishes.bindings.count > 0;
	const struct json *old = p->old != NULL ? json_first(p->old->containers) : NULL;
	for (const struct json *c = json_first(p->workload->containers); c != NULL; c = json_next(c), index++) {
		struct plan_container result;
		bool selected = wished && is_selected(p, container_name(c));
		p->old_container = old != NULL && str_eq(container_name(c), container_name(old)) ? old : NULL;
		old = old != NULL ? json_next(old) : NULL;
		if (!plan_container(p, c, index, selected, &result) || !group_add(p, &groups, &count, &capacity, &result))
			return false;
		if (c == p->model)
			p->model_result = result;
	}
	p->containers_record = groups_text(p, groups, count);
	return !p->arena->failed;
}

/* ---- image pull secrets ---- */

static bool from_registry(const struct json *image, const struct pull_secret *secret)
{
	struct image parts;
	return image_parse(str_trim(json_string(image)), &parts) && names_match(&secret->registries, parts.registry);
}

static bool uses_registry(const struct planner *p, const struct pull_secret *secret)
{
	struct image parts;
	if (p->wishes.migrate && p->wishes.migrate_image.p != NULL && image_parse(p->wishes.migrate_image, &parts) &&
	    names_match(&secret->registries, parts.registry))
		return true;
	for (const struct json *c = json_first(p->workload->containers); c != NULL; c = json_next(c))
		if (from_registry(json_getz(c, "image"), secret))
			return true;
	for (const struct json *c = json_first(p->workload->init_containers); c != NULL; c = json_next(c))
		if (c != p->migration && from_registry(json_getz(c, "image"), secret))
			return true;
	return false;
}

static bool owner_names(const struct list *list, struct str secret)
{
	for (size_t i = 0; i < list->count; i++)
		if (!list->entries[i].ours && str_eq(json_string(json_getz(list->entries[i].value, "name")), secret))
			return true;
	return false;
}

/* *record: the entries for the status, an array's text, empty for none. */
static bool plan_pull_secrets(struct planner *p, bool wished, struct str *record, const struct json **was)
{
	const char *key = "imagePullSecrets";
	struct list list;
	const struct json **desired = arena_array(p->arena, p->config->pull_secret_count, sizeof(const struct json *));
	size_t count = 0;
	*record = STR("");
	if (desired == NULL ||
	    !list_open(p->arena, json_pointer_join(p->arena, p->pod_pointer, str_of(key)),
		       json_getz(p->workload->pod_spec, key),
		       plan_trusts(p, p->workload->pod_spec, p->old != NULL ? p->old->pod_spec : NULL, key)
			       ? p->status.pull_secrets
			       : NULL,
		       status_was(p->status.was, key), &list))
		return false;
	for (size_t i = 0; i < p->config->pull_secret_count && wished; i++) {
		const struct pull_secret *secret = &p->config->pull_secrets[i];
		if (owner_names(&list, secret->name) || !uses_registry(p, secret))
			continue;
		struct str text = arena_fmt(p->arena, "{\"name\":\"%.*s\"}", STR_ARG(secret->name));
		if (json_parse_in(p->arena, text, &desired[count], NULL) != 0)
			return false;
		*record = arena_fmt(p->arena, "%.*s%s%.*s", STR_ARG(*record), count > 0 ? "," : "", STR_ARG(text));
		if (!list_holds(&list, desired[count]))
			violation_add(&p->out->missing, arena_fmt(p->arena, "%.*s.%s", STR_ARG(p->pod_field), key),
				      arena_fmt(p->arena, "missing:pull:%.*s", STR_ARG(secret->name)),
				      "image pull secret \"%.*s\" is missing", STR_ARG(secret->name));
		count++;
	}
	*was = list_was(&list, count);
	return list_reconcile(p->arena, &list, desired, count, p->patch);
}

/* ---- the workload's own annotations ---- */

/* Does the owner steer Reloader on that metadata? connhook's own value does not count. */
static bool owner_reloads(const struct planner *p, const struct json *metadata)
{
	for (const struct json *a = json_first(json_getz(metadata, "annotations")); a != NULL; a = json_next(a)) {
		bool ours = metadata == p->workload->metadata && str_eqz(json_key(a), RELOADER_KEY) &&
			    p->status.reloader.p != NULL && str_eq(json_string(a), p->status.reloader);
		if (annotation_is_reloader(json_key(a)) && !ours)
			return true;
	}
	return false;
}

/* The Secrets that were injected, parted by commas; absent when there are none or Reloader is not wanted. */
static struct str reloader_value(struct planner *p)
{
	struct str none = {NULL, 0};
	if (!p->config->reloader || p->containers_record.n == 0 || owner_reloads(p, p->workload->metadata) ||
	    owner_reloads(p, p->workload->template_metadata))
		return none;
	struct buf text;
	buf_init(&text, LIMIT_ANNOTATION);
	for (size_t i = 0; i < p->wishes.bindings.count; i++) {
		struct str secret = p->wishes.bindings.items[i].secret;
		bool known = secret.p == NULL || !p->injected[i];
		for (size_t k = 0; k < i && !known; k++)
			known = p->injected[k] && str_eq(p->wishes.bindings.items[k].secret, secret);
		if (!known)
			buf_fmt(&text, "%s%.*s", text.n > 0 ? "," : "", STR_ARG(secret));
	}
	if (text.n > 0 || text.error != 0)
		return plan_keep(p, &text);
	return none;
}

static void write_was(struct json_writer *w, const struct json *init, const struct json *pull)
{
	if (init == NULL && pull == NULL)
		return;
	jw_key(w, "was");
	jw_object(w);
	if (init != NULL) {
		jw_key(w, "initContainers");
		jw_value(w, init);
	}
	if (pull != NULL) {
		jw_key(w, "imagePullSecrets");
		jw_value(w, pull);
	}
	jw_object_end(w);
}

/* What the template's lists, apart from those of containers, leave in the status. */
struct record {
	struct str migration, pull_secrets, reloader;
	const struct json *init_was, *pull_was;
};

/*
 * The new status annotation; absent when nothing is injected, unless the client has written one of its own over the
 * old object's: without any, the next pass would go by the old object's.
 */
static struct str status_text(struct planner *p, const struct record *r)
{
	if (p->containers_record.n == 0 && r->migration.p == NULL && r->pull_secrets.n == 0 && !p->status_is_clients)
		return (struct str){NULL, 0};
	struct buf text;
	buf_init(&text, LIMIT_PATCH);
	struct json_writer w = {.out = &text};
	jw_object(&w);
	jw_key(&w, "v");
	jw_int(&w, 1);
	jw_member(&w, "config", p->config->fingerprint);
	jw_key(&w, "bindings");
	jw_array(&w);
	for (size_t i = 0; i < p->wishes.bindings.count; i++)
		jw_string(&w, p->wishes.bindings.items[i].label);
	jw_array_end(&w);
	if (p->containers_record.n > 0) {
		jw_key(&w, "injected");
		jw_raw(&w, p->containers_record);
	}
	if (r->migration.p != NULL)
		jw_member(&w, "migration", r->migration);
	if (r->pull_secrets.n > 0) {
		jw_key(&w, "imagePullSecrets");
		jw_raw(&w, arena_fmt(p->arena, "[%.*s]", STR_ARG(r->pull_secrets)));
	}
	if (r->reloader.p != NULL)
		jw_member(&w, "reloader", r->reloader);
	write_was(&w, r->init_was, r->pull_was);
	jw_object_end(&w);
	return plan_keep(p, &text);
}

/* Sets an annotation of the workload to `value`, or removes it when that is absent and the old one was connhook's. */
static void set_annotation(struct planner *p, struct str key, struct str value, bool ours)
{
	const struct json *annotations = json_getz(p->workload->metadata, "annotations");
	const struct json *now = json_get(annotations, key);
	struct str pointer = json_pointer_join(p->arena, STR("/metadata/annotations"), key);
	if (value.p == NULL && now != NULL && ours)
		patch_remove(p->patch, pointer);
	else if (value.p != NULL && (now == NULL || !str_eq(json_string(now), value)))
		patch_add_string(p->patch, pointer, value, now != NULL);
}

static void plan_annotations(struct planner *p, const struct record *r)
{
	struct str status = status_text(p, r);
	const struct json *annotations = json_getz(p->workload->metadata, "annotations");
	if (status.p != NULL && json_kind(annotations) != JSON_OBJECT) {
		const struct json *empty = NULL;
		if (json_parse_in(p->arena, STR("{}"), &empty, NULL) != 0) {
			p->arena->failed = true;
			return;
		}
		patch_add(p->patch, STR("/metadata/annotations"), empty);
	}
	struct str reloader = json_string(json_get(annotations, STR(RELOADER_KEY)));
	bool ours = p->status.reloader.p != NULL && str_eq(reloader, p->status.reloader);
	set_annotation(p, STR(RELOADER_KEY), r->reloader, ours);
	struct str key = arena_fmt(p->arena, "%.*s/status", STR_ARG(p->config->annotation_prefix));
	set_annotation(p, key, status, true);
}

/* ---- the whole ---- */

bool plan_trusts(const struct planner *p, const struct json *now, const struct json *old, const char *key)
{
	return p->old == NULL || (old != NULL && json_equal(json_getz(now, key), json_getz(old, key)));
}

/* Reads what was injected before: from the object, else from the old one. */
static void read_status(struct planner *p, const struct workload *old)
{
	struct str text = annotation_status(p->config, p->workload->metadata);
	if (!status_read(p->arena, text, &p->status))
		violation_add(&p->out->warnings, annotation_field(p->arena, p->config, "status"), STR("status"),
			      "the status annotation is not one that connhook wrote; it is written anew");
	struct str before = old != NULL ? annotation_status(p->config, old->metadata) : (struct str){NULL, 0};
	struct status old_status;
	if (status_read(p->arena, before, &old_status) && old_status.present) {
		p->status_is_clients = p->status.present && status_claims(&old_status) && !str_eq(text, before);
		if (!p->status.present) {
			p->status = old_status;
			p->old = old;
		}
	}
	p->out->other_config = p->status.present && !str_eq(p->status.fingerprint, p->config->fingerprint);
}

/* Why there is nothing to do; NULL when there is something. */
static const char *why_nothing(const struct planner *p)
{
	bool wished = p->wishes.bindings.count > 0 || p->wishes.migrate;
	if (p->workload->pod_spec == NULL)
		return "no-template";
	if (p->status.present || wished)
		return NULL;
	return p->wishes.opted_out ? "opted-out" : "no-bindings";
}

/* Somebody asks for bindings, and no container may have them. */
static bool nowhere_to_inject(struct planner *p)
{
	for (const struct json *c = json_first(p->workload->containers); c != NULL; c = json_next(c))
		if (is_selected(p, container_name(c)))
			return false;
	bool asked = p->wishes.bindings_annotated || p->wishes.migrate;
	if (asked && json_first(p->workload->containers) == NULL)
		violation_add(&p->out->problems, arena_fmt(p->arena, "%.*s.containers", STR_ARG(p->pod_field)),
			      STR("bindings:nowhere:"), "found no container to inject; expected one; add it");
	else if (asked)
		violation_add(&p->out->problems, annotation_field(p->arena, p->config, "bindings"), STR("bindings:nowhere:"),
			      "there is no container to inject: the containers are %.*s, which the configuration excludes; "
			      "name one in the annotation %.*s/containers",
			      STR_ARG(container_names(p)), STR_ARG(p->config->annotation_prefix));
	return true;
}

static bool make(struct planner *p)
{
	struct record record = {0};
	bool wished = p->wishes.bindings.count > 0 || p->wishes.migrate;
	if (p->wishes.migrate)
		p->model = find_model(p);
	if (p->out->problems.count > 0)
		return true;
	if (!plan_entries(p) || !plan_containers(p) || !plan_migration(p, &record.migration, &record.init_was) ||
	    !plan_pull_secrets(p, wished, &record.pull_secrets, &record.pull_was))
		return false;
	record.reloader = reloader_value(p);
	plan_annotations(p, &record);
	p->out->bindings = p->wishes.bindings;
	p->out->migrates = record.migration.p != NULL;
	return !p->arena->failed;
}

void plan_make(struct arena *arena, const struct config *config, const struct workload *workload, struct str namespace,
	       const struct workload *old, struct plan *out)
{
	*out = (struct plan){.problems.arena = arena,
			     .collisions.arena = arena,
			     .missing.arena = arena,
			     .warnings.arena = arena};
	struct patch patch;
	patch_init(&patch);
	struct planner p = {
		.arena = arena,
		.config = config,
		.workload = workload,
		.patch = &patch,
		.out = out,
		.pod_pointer = arena_fmt(arena, "%s/spec", workload->kind->template_pointer),
		.pod_field = arena_fmt(arena, "%s.spec", workload->kind->template_field),
	};
	annotations_read(arena, config, workload, namespace, &p.wishes);
	out->problems = p.wishes.problems;
	out->warnings = p.wishes.warnings;
	read_status(&p, old);
	out->skipped = why_nothing(&p);
	if (out->skipped == NULL && out->problems.count == 0 && check_names(&p, workload->containers, "containers") &&
	    check_names(&p, workload->init_containers, "initContainers") && out->problems.count == 0) {
		check_patterns(&p);
		bool wished = p.wishes.bindings.count > 0 || p.wishes.migrate;
		if (wished && out->problems.count == 0 && nowhere_to_inject(&p) && out->problems.count == 0 &&
		    !p.status.present)
			out->skipped = "no-containers";
		if (out->skipped == NULL && out->problems.count == 0 && !make(&p) && !p.too_large)
			arena->failed = true;
	}
	(void)patch_finish(&patch);
	if (is_whole(&p, &patch.text) && out->problems.count == 0)
		out->patch = arena_str(arena, patch.count > 0 ? buf_str(&patch.text) : (struct str){NULL, 0});
	if (p.too_large && !arena->failed)
		violation_add(&out->problems, p.pod_field, STR("too-large"),
			      "injection would add more than %lu MiB to the workload's %zu containers; name those that need "
			      "bindings in the annotation %.*s/containers",
			      LIMIT_PATCH / MIB, json_count(workload->containers), STR_ARG(config->annotation_prefix));
	patch_free(&patch);
}
