/* What connhook leaves behind beside the entries: the record on the template, and two annotations of the workload. */
#include "policy/plan/parts.h"

#include "base/limits.h"
#include "codec/json_pointer.h"

#include <stdlib.h>

#define RELOADER_KEY "secret.reloader.stakater.com/reload"
#define STATUS_NAME "status"

/* ---- Reloader ---- */

/* The Secrets that are read by what was injected, parted by commas; absent when there are none. */
static struct str injected_secrets(struct scene *s)
{
	struct buf text;
	buf_init(&text, LIMIT_ANNOTATION);
	const struct bound_list *list = &s->wishes.bindings;
	for (size_t i = 0; i < list->count; i++) {
		struct str secret = list->items[i].secret;
		bool known = secret.p == NULL || !s->reads_secret[i];
		for (size_t k = 0; k < i && !known; k++)
			known = s->reads_secret[k] && str_eq(list->items[k].secret, secret);
		if (!known)
			buf_fmt(&text, "%s%.*s", text.n > 0 ? "," : "", STR_ARG(secret));
	}
	if (text.n > 0 || text.error != 0)
		return plan_keep(s, &text);
	return (struct str){NULL, 0};
}

/* Is the annotation for Reloader that stands there the one that a record tells of, and no one else's? */
static bool reloader_is_ours(const struct scene *s)
{
	struct str now = json_string(json_getz(json_getz(s->workload->metadata, "annotations"), RELOADER_KEY));
	bool recorded = now.p != NULL && ((s->record.reloader.p != NULL && str_eq(now, s->record.reloader)) ||
					  (s->old_record.reloader.p != NULL && str_eq(now, s->old_record.reloader)));
	return recorded && !declared_annotation(&s->declared, s->arena, STR(RELOADER_KEY));
}

/* Does the owner steer Reloader over Secrets on that metadata? connhook's own annotation does not count. */
static bool owner_reloads(const struct json *metadata, bool ours)
{
	for (const struct json *a = json_first(json_getz(metadata, "annotations")); a != NULL; a = json_next(a))
		if (annotation_is_reloader(json_key(a)) && !(ours && str_eqz(json_key(a), RELOADER_KEY)))
			return true;
	return false;
}

/* A Job reads its Secrets anew in each run; Reloader would start one out of turn. */
static bool runs_to_its_end(const struct workload_kind *kind)
{
	return str_eqz(str_of(kind->group), "batch");
}

/* What the annotation is to be; absent when Reloader is not wanted, or steered by the owner, or of no use. */
static struct str reloader_value(struct scene *s)
{
	bool ours = reloader_is_ours(s);
	if (!s->config->reloader || runs_to_its_end(s->workload->kind) || owner_reloads(s->workload->metadata, ours) ||
	    owner_reloads(s->workload->template_metadata, false))
		return (struct str){NULL, 0};
	return injected_secrets(s);
}

/* ---- annotations ---- */

/* Sets an annotation of the workload, or (value absent) removes it. */
static void set_annotation(struct scene *s, struct str key, struct str value)
{
	const struct json *now = json_get(json_getz(s->workload->metadata, "annotations"), key);
	struct str pointer = json_pointer_join(s->arena, STR("/metadata/annotations"), key);
	if (value.p == NULL && now != NULL)
		patch_remove(s->patch, pointer);
	else if (value.p != NULL && (now == NULL || !str_eq(json_string(now), value)))
		patch_add_string(s->patch, pointer, value, now != NULL);
}

static const struct json *empty_object(struct scene *s)
{
	const struct json *empty = NULL;
	if (json_parse_in(s->arena, STR("{}"), &empty, NULL) != 0)
		s->arena->failed = true;
	return empty;
}

/* The status, for people: the bindings, and under which configuration. */
static struct str status_text(struct scene *s)
{
	struct buf text;
	buf_init(&text, LIMIT_ANNOTATION);
	struct json_writer w = {.out = &text};
	jw_object(&w);
	jw_key(&w, "bindings");
	jw_array(&w);
	for (size_t i = 0; i < s->wishes.bindings.count; i++)
		jw_string(&w, s->wishes.bindings.items[i].label);
	jw_array_end(&w);
	jw_member(&w, "config", s->config->fingerprint);
	jw_object_end(&w);
	return plan_keep(s, &text);
}

/* ---- the record ---- */

/* The record goes, and with it what it alone made necessary. */
static void remove_record(struct scene *s, struct str metadata, struct str key)
{
	const struct json *annotations = json_getz(s->workload->template_metadata, "annotations");
	bool alone = json_next(json_first(annotations)) == NULL;
	bool only = alone && json_next(json_first(s->workload->template_metadata)) == NULL;
	struct str list = json_pointer_join(s->arena, metadata, STR("annotations"));
	patch_remove(s->patch, only ? metadata : alone ? list : json_pointer_join(s->arena, list, key));
}

/* {KEY: VALUE}, or with `below` {KEY: {BELOW: VALUE}}. NULL when memory is out. */
static const struct json *object_of(struct scene *s, struct str key, struct str below, struct str value)
{
	struct buf text;
	buf_init_in(&text, LIMIT_PATCH, s->arena);
	struct json_writer w = {.out = &text};
	jw_object(&w);
	jw_key_str(&w, key);
	if (below.n > 0) {
		jw_object(&w);
		jw_key_str(&w, below);
	}
	jw_string(&w, value);
	if (below.n > 0)
		jw_object_end(&w);
	jw_object_end(&w);
	return plan_parse(s, &text);
}

static void set_record(struct scene *s, struct str text)
{
	struct arena *arena = s->arena;
	const struct json *metadata = s->workload->template_metadata, *annotations = json_getz(metadata, "annotations");
	struct str key = arena_fmt(arena, "%.*s/" RECORD_NAME, STR_ARG(s->config->annotation_prefix));
	const struct json *now = json_get(annotations, key);
	struct str at = arena_fmt(arena, "%s/metadata", s->workload->kind->template_pointer);
	struct str list = json_pointer_join(arena, at, STR("annotations"));
	if (text.p == NULL && now != NULL)
		remove_record(s, at, key);
	else if (text.p == NULL || (now != NULL && str_eq(json_string(now), text)))
		return;
	else if (metadata == NULL)
		patch_add(s->patch, at, object_of(s, STR("annotations"), key, text));
	else if (json_kind(annotations) != JSON_OBJECT)
		patch_add(s->patch, list, object_of(s, key, STR(""), text));
	else
		patch_add_string(s->patch, json_pointer_join(arena, list, key), text, now != NULL);
}

/*
 * The record's text. Where the template stays as it is, nothing may start a rollout: what the record says beside its
 * entries (whose it is, what Reloader watches, how the migration was wanted) then stays as it was, too.
 */
static struct str record_text(struct scene *s, struct record_new *r)
{
	struct str text = record_write(s->arena, r, &s->error);
	if (text.p == NULL || !s->record.present || s->patch->count > 0 || str_eq(text, s->record.text))
		return text;
	struct record_new same = *r;
	same.app = s->record.app.p != NULL ? s->record.app : r->app;
	same.reloader = s->record.reloader;
	if (r->migration.p != NULL && s->record.migration.value != NULL) {
		struct buf text_before;
		buf_init_in(&text_before, LIMIT_PATCH, s->arena);
		json_write(&text_before, s->record.migration.value);
		same.migration = plan_keep(s, &text_before);
	}
	struct str before = record_write(s->arena, &same, &s->error);
	return str_eq(before, s->record.text) ? before : text;
}

void traces_forget(struct scene *s)
{
	set_record(s, (struct str){NULL, 0});
}

bool traces_plan(struct scene *s, struct record_new *record)
{
	record->reloader = reloader_value(s);
	bool ours = reloader_is_ours(s);
	struct str text = record_text(s, record);
	if (s->error != 0)
		return false;
	set_record(s, text);
	struct str status = text.p != NULL ? status_text(s) : text;
	if (status.p != NULL && json_kind(json_getz(s->workload->metadata, "annotations")) != JSON_OBJECT)
		patch_add(s->patch, STR("/metadata/annotations"), empty_object(s));
	if (record->reloader.p != NULL || ours)
		set_annotation(s, STR(RELOADER_KEY), record->reloader);
	set_annotation(s, arena_fmt(s->arena, "%.*s/" STATUS_NAME, STR_ARG(s->config->annotation_prefix)), status);
	return !s->arena->failed;
}
